/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls to the hypervisor: VMCALL from kernel mode with the number in EAX and arguments in RBX, RCX, RDX, RSI; the result comes back in
 * RAX, negative for an error.  That is KVM's convention, so both share one instruction: KVM's numbers are small, ours start here.
 * They are there whatever identity the guest has: it knows by the leaf of kernel/abi/cpuid.h.
 */
#pragma once

#define AEROSTAT_CALLS 0x41650000U /* "Ae" */

enum {
	AEROSTAT_CALL_VERSION = 0, /* AEROSTAT_CALLS + this → AEROSTAT_ABI_VERSION */
};

/* Errors, as KVM's (Linux, kvm_para.h). */
#define AEROSTAT_ENOSYS (-1000LL) /* no such call */
#define AEROSTAT_EPERM (-1LL)     /* not from user mode */
