/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID as guests see it: computed once per vCPU, so that the exit is a look-up.  Feature bits are rows of cpuid.def; topology, sizes
 * of extended state and the hypervisors' leaves are cpuid_build.c's.  Out of range: as the highest basic leaf (SDM vol. 2A, CPUID).
 */
#pragma once
#include "kernel/lib/types.h"
#include "kernel/x86/cpu.h"

struct vcpu;

enum {
	CPUID_BASIC = 0xd + 1,  /* leaves 0 … 0xd */
	CPUID_EXTENDED = 8 + 1, /* 0x80000000 … 0x80000008 */
	CPUID_CACHES = 4,       /* subleaves of leaf 4 */
	CPUID_COMPONENTS = 8,   /* subleaves of leaf 0xd: XCR0 bits that guests may have */
	CPUID_HYPERVISOR = 6,   /* 0x40000000 and up, those that are there */
};

struct cpuid_table {
	struct cpuid basic[CPUID_BASIC];
	struct cpuid extended[CPUID_EXTENDED];
	struct cpuid caches[CPUID_CACHES];
	struct cpuid components[CPUID_COMPONENTS];
	struct {
		u32 leaf;
		struct cpuid values;
	} hypervisor[CPUID_HYPERVISOR];
	u32 hypervisor_count;
	u64 cr4;  /* bits of CR4 that the features allow */
	u64 xcr0; /* likewise; 0: no XSAVE */
};

/* What the table is made of. `ask` is the processor's CPUID, or a test's. */
struct cpuid_facts {
	struct cpuid (*ask)(u32 leaf, u32 subleaf);
	u64 xcr0;             /* what can be switched, 0: no XSAVE */
	bool rdtscp, invpcid; /* VT-x lets guests use them */
	bool spec_ctrl;       /* its MSR is switched */
	u32 identity;         /* enum config_identity */
	u32 vcpu, vcpus;
	u64 tsc_khz;
};
void cpuid_build(struct cpuid_table *table, const struct cpuid_facts *facts);

u64 cpuid_xcr0_mask(const struct vcpu *v);
u64 cpuid_cr4_mask(const struct vcpu *v);
/* Bits of a guest-physical address, as CPUID promises. */
u32 cpuid_address_bits(const struct vcpu *v);
