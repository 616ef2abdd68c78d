/* SPDX-License-Identifier: BSD-2-Clause */
/* What VT-x keeps for each CPU. */
#pragma once
#include "kernel/core/cpu.h"
#include "vmx/vcpu.h"

struct vmx_cpu {
	struct vcpu *current;  /* whose VMCS is the CPU's current one */
	struct vcpu *owner;    /* whose lazily switched state is in the processor */
	struct vcpu *extended; /* whose extended state is in the processor: the owner, or NULL after simd_begin */
	u32 last_vm;           /* which VM ran last: for the mitigations */
	bool on;
} __attribute__((aligned(64)));

extern struct vmx_cpu vmx_cpus[MAX_CPUS];

static inline struct vmx_cpu *vmx_cpu(void)
{
	return &vmx_cpus[cpu_index()];
}
