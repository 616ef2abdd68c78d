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
	u32 call = (u32)v->regs.rax - AEROSTAT_CALLS;
	bool user = vcpu_cpl() != 0;

	if (call < ARRAY_SIZE(calls) && !user) {
		CHECK(calls[call]);
		return calls[call](v);
	}
	v->regs.rax = (u64)(user ? AEROSTAT_EPERM : AEROSTAT_ENOSYS);
	return EXIT_ADVANCE;
}
