/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debug exceptions of what the hypervisor does in the processor's stead: single steps, and breakpoints on data and ports, which the
 * processor can only see when it makes the access itself.  All are traps: they wait in the VMCS until the guest is entered
 * behind the instruction.  SDM vol. 3B, 18.2 and 18.3; vol. 3C, 25.4.2.
 */
#pragma once
#include "vmx/machine.h"
#include "vmx/vcpu.h"

enum { DEBUG_READ = 1, DEBUG_WRITE = 2, DEBUG_PORT = 4 };

/* One look, which is all that most guests pay. */
static inline bool debug_watches(void)
{
	return __builtin_expect((vmcs_read(GUEST_DR7) & DR7_ENABLES) != 0, 0);
}

void debug_compare(struct vcpu *v, u64 address, u32 bytes, u32 access);

/* An access was made at a linear address, or at a port. */
static inline void debug_access(struct vcpu *v, u64 address, u32 bytes, u32 access)
{
	if (debug_watches())
		debug_compare(v, address, bytes, access);
}

/* An instruction, or an element of a string, is done; the guest's RFLAGS.TF is set. */
void debug_step(void);
/* Does a trap wait, or follow the instruction that is under way? */
bool debug_trap_follows(void);
