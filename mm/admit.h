/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Admission: a VM starts only if what all running VMs were promised (max + worst-case overhead) and this one's share fit into memory.
 * So below its promise no allocation of a VM fails for good.
 */
#pragma once
#include "mm/vm.h"

void admit_init(void);

/* The frames that a VM of this size may need beside its memory: pmap, translation tables, its fixed part. */
u64 admit_overhead_pages(const struct mm_vm_config *config);

/* Promise `config`'s memory and overhead, or say in `why` what is short and by how much (E_NO_MEMORY). */
err_t admit_promise(const struct mm_vm_config *config, u64 *promised, char *why, size_t why_bytes);
void admit_return(u64 promised);
