/* SPDX-License-Identifier: BSD-2-Clause */
/* What this machine's VT-x can do: read once by vmx_probe; vmx_compare_cpu looks whether the other CPUs are like that. */
#pragma once
#include "vmx/controls.h"

struct vmx_caps {
	bool usable;  /* vmx_probe and vmx_all_alike said OK */
	u32 revision; /* of VMXON region and VMCS */
	u32 controls[CONTROL_GROUPS];
	u64 allowed[CONTROL_GROUPS]; /* the capability MSRs that they were computed from */
	u64 misc;                    /* IA32_VMX_MISC */
	u32 physical_bits;           /* of an address */
	u64 cr0_must, cr0_may, cr4_must, cr4_may;
	bool ept_dirty;  /* accessed and dirty flags */
	bool ept_large;  /* 2 MiB leaves */
	u32 timer_shift; /* the preemption timer counts TSC >> this */
	bool spec_ctrl;  /* IA32_SPEC_CTRL and IA32_PRED_CMD */
	u64 xcr0;        /* extended state that we switch; 0: no XSAVE, then FXSAVE */
	bool avx2;       /* for simd_begin */
	u32 xsave_bytes; /* of its area */
};
extern struct vmx_caps vmx_caps;

static inline bool vmx_has(enum control_group group, u32 mask)
{
	return (vmx_caps.controls[group] & mask) != 0;
}
