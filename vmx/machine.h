/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that VT-x needs beside those of kernel/x86/cpu.h.  SDM vol. 3D, appendix A; vol. 1, 3.4.3. */
#pragma once
#include "kernel/x86/cpu.h"

enum {
	MSR_VMX_BASIC = 0x480,
	MSR_VMX_PIN = 0x481,
	MSR_VMX_CPU = 0x482,
	MSR_VMX_EXIT = 0x483,
	MSR_VMX_ENTRY = 0x484,
	MSR_VMX_MISC = 0x485,
	MSR_VMX_CR0_FIXED0 = 0x486,
	MSR_VMX_CR0_FIXED1 = 0x487,
	MSR_VMX_CR4_FIXED0 = 0x488,
	MSR_VMX_CR4_FIXED1 = 0x489,
	MSR_VMX_CPU2 = 0x48b,
	MSR_VMX_EPT_VPID = 0x48c,
	MSR_VMX_TRUE_PIN = 0x48d,
	MSR_VMX_TRUE_CPU = 0x48e,
	MSR_VMX_TRUE_EXIT = 0x48f,
	MSR_VMX_TRUE_ENTRY = 0x490,
};

#define RFLAGS_ONE BIT(1)
#define RFLAGS_TF BIT(8)
#define RFLAGS_IF BIT(9)
#define RFLAGS_RF BIT(16)
#define RFLAGS_VM BIT(17)

#define DR6_RESET 0xffff0ff0ULL
#define DR7_RESET 0x400ULL
#define DR7_ENABLES 0xffULL
#define DR7_GENERAL_DETECT BIT(13)
