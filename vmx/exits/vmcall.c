/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMCALL (kernel/abi/hypercall.h).  Gather, then act, as everywhere: a call that has to wait returns EXIT_SUSPEND and finds its registers
 * as they were.  KVM's numbers are all unknown: CPUID offers none of the features that use one.
 */
#include "kernel/abi/cpuid.h"
#include "kernel/abi/hypercall.h"
#include "vmx/exit.h"

static enum exit_action version(struct vcpu *v)
{
	v->regs.rax = AEROSTAT_ABI_VERSION;
	return EXIT_ADVANCE;
}

static enum exit_action (*const calls[])(struct vcpu *v) = {
	[AEROSTAT_CALL_VERSION] = version,
};

enum exit_action exit_vmcall(struct vcpu *v)
{
	/* Outside of 64-bit code the upper half of RAX is not part of the number. */
	u64 number = vcpu_long_code() ? v->regs.rax : (u32)v->regs.rax;
	u64 call = number - AEROSTAT_CALLS;

	if (vcpu_cpl() == 0 && call < ARRAY_SIZE(calls)) {
		CHECK(calls[call]);
		return calls[call](v);
	}
	v->regs.rax = (u64)(vcpu_cpl() ? AEROSTAT_EPERM : AEROSTAT_ENOSYS);
	return EXIT_ADVANCE;
}
