/* SPDX-License-Identifier: BSD-2-Clause */
/* mm's background work: who waits for frames, and what mm_work_step does about it. */
#pragma once
#include "mm/vm.h"

extern u32 work_waiting; /* VMs of which a vCPU waits for a frame */

/* A vCPU found no frame: wake it when there is one. Needs the VM's lock. */
void work_wait_frame(struct mm_vm *vm, u32 vcpu);
/* Wake these vCPUs; nobody of them waits any more. Needs the VM's lock. */
void work_wake(struct mm_vm *vm, u64 *vcpus);
/* The VM ends: nobody is to be woken any more. Needs the VM's lock. */
void work_forget(struct mm_vm *vm);

/* Frames have become free. */
static inline void work_freed(void)
{
	if (__atomic_load_n(&work_waiting, __ATOMIC_RELAXED))
		platform_work();
}
