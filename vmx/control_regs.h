/* SPDX-License-Identifier: BSD-2-Clause */
/* CR0 and CR4 of a guest: which bits are ours, what the processor would refuse, how a value goes into the VMCS. */
#pragma once
#include "vmx/vcpu.h"

/* As the guest sees them. */
struct control_state {
	u64 cr0, cr3, cr4, efer;
	bool code64;    /* 64-bit code */
	bool code_long; /* CS.L, in any mode */
	bool task16;    /* TR holds a 16-bit TSS */
};
struct control_state control_state(void);

/* May the guest write this value now? False: #GP. */
bool control_cr0_valid(const struct control_state *now, u64 value);
bool control_cr4_valid(const struct control_state *now, u64 value, u64 promised);

/* Into the VMCS, with what we add; CR0.PG carries EFER.LMA along. */
void control_set_cr0(u64 value);
void control_set_cr4(u64 value);
/* The guest/host masks: `promised` are the bits of CR4 that the guest's CPUID allows. */
void control_set_masks(u64 promised);
