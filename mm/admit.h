/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Admission: with swap a VM is promised min and its worst-case overhead in memory and max − min in swap; without, max and the overhead in
 * memory; if overcommit is unsafe, as with swap, and what nothing covers is counted.  Each pool on the way to the machine must have room.
 * So below its promise no allocation of a VM fails for good.
 */
#pragma once
#include "mm/pools.h"
#include "mm/vm.h"

void admit_init(void);

/* The frames that a VM of this size may need beside its memory: pmap, translation tables, its fixed part. */
u64 admit_overhead_pages(const struct mm_vm_config *config);
/* The frames of overhead that the VM holds now; under its lock. */
u64 admit_overhead_held(struct mm_vm *vm);

/* Or say in `why` what is short and by how much (E_NO_MEMORY; E_NOT_FOUND: no such pool). */
err_t admit_promise(const struct mm_vm_config *config, struct promise *promise, char *why, size_t why_bytes);
/* The VM gets another min or pool; the same errors.  Needs its lock; `host` is from before that. */
err_t admit_change(struct mm_vm *vm, u64 host, u64 min_pages, u32 pool, char *why, size_t why_bytes);
void admit_return(const struct promise *promise);
/* The swap area has this many pages; one less, as it has failed. */
void admit_set_swap(u64 pages);
void admit_lose_swap(void);
void admit_totals(struct mm_totals *totals);

/* What the hypervisor holds, which cannot be promised; takes the VMs' locks. */
u64 admit_host_pages(void);
/* RANK_ZONE: nothing is taken under it.  Returns the pages that pools and VMs may need together. */
u64 admit_lock(void);
void admit_unlock(void);

/* Which promises do not add up; NULL: all do. For the audit. */
const char *admit_fault(void);
