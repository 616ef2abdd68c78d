/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Admission: who is promised how much.  With swap a VM is promised its min and its worst-case overhead in memory, and max − min in swap;
 * without swap max and the overhead in memory.  `overcommit = unsafe` promises min, and what is then covered by nothing is counted
 * (uncovered).  Each pool on the way to the machine must have room for it (pools.h).  So below its promise no allocation of a VM fails for
 * good.  What the hypervisor itself holds (the zero frame, tables of its own, of swap, of sharing) cannot be promised.
 */
#pragma once
#include "mm/pools.h"
#include "mm/vm.h"

void admit_init(void);

/* The frames that a VM of this size may need beside its memory: pmap, translation tables, its fixed part. */
u64 admit_overhead_pages(const struct mm_vm_config *config);
/* The frames of overhead that the VM holds now; under its lock. */
u64 admit_overhead_held(struct mm_vm *vm);

/* Promise `config`'s memory, overhead and swap, or say in `why` what is short and by how much (E_NO_MEMORY; E_NOT_FOUND: no such pool). */
err_t admit_promise(const struct mm_vm_config *config, struct promise *promise, char *why, size_t why_bytes);
/* The VM, whose lock the caller has, gets another min, in another pool: the same errors; nothing has changed then. `host`: admit_host_pages. */
err_t admit_change(struct mm_vm *vm, u64 host, u64 min_pages, u32 pool, char *why, size_t why_bytes);
void admit_return(const struct promise *promise);
/* The swap area has this many pages. */
void admit_set_swap(u64 pages);
void admit_totals(struct mm_totals *totals);

/* What the hypervisor itself holds; takes the VMs' locks. */
u64 admit_host_pages(void);
/* Admission's lock, which pools.h needs too (RANK_ZONE: nothing is taken under it); returns the pages that pools and VMs may need together. */
u64 admit_lock(void);
void admit_unlock(void);

/* Do the promises, and each pool's need, add up?  NULL, or what is wrong. For the audit. */
const char *admit_fault(void);
