/* SPDX-License-Identifier: BSD-2-Clause */
/* Failed frames on their way back from a VM: instead of being free, they are retired. Needs the VM's lock. */
#pragma once
#include "mm/frame.h"
#include "mm/vm.h"

/* The frame has left the VM and counts as free.  True: it had failed, and is nobody's from now on; else the caller gives it back. */
bool retire_failed(const struct mm_vm *vm, u32 mpn);
