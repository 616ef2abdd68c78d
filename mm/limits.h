/* SPDX-License-Identifier: BSD-2-Clause */
/* How much sharing may do, and when (mm_share_set): pages a second of a VM and of all, a share of a CPU, time between passes. */
#pragma once
#include "mm/vm.h"

/* Are all together below their rate and their share of a CPU? */
bool limits_allow(void);
/* Is the VM below its rate?  Needs its lock. */
bool limits_allow_vm(const struct mm_vm *vm);
/* A step of the VM has hashed and compared so much. */
void limits_spend(struct mm_vm *vm, u32 pages, u64 cpu_ns);
/* Did the VM's last pass end long enough ago?  Needs its lock. */
bool limits_is_pass_due(const struct mm_vm *vm);
