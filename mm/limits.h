/* SPDX-License-Identifier: BSD-2-Clause */
/* How much sharing may do, and when (mm_share_set): pages a second of a VM and of all, a share of a CPU, time between passes.  A VM is locked. */
#pragma once
#include "mm/vm.h"

bool limits_allow(void);
bool limits_allow_vm(const struct mm_vm *vm);
/* A step of the VM has hashed and compared so much. */
void limits_spend(struct mm_vm *vm, u32 pages, u64 cpu_ns);
bool limits_is_pass_due(const struct mm_vm *vm);
