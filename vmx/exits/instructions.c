/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that exit and need little. */
#include "vmx/caps.h"
#include "vmx/cpuid.h"
#include "vmx/debug.h"
#include "vmx/exit.h"
#include "vmx/machine.h"
#include "vmx/switch.h"

enum exit_action exit_undefined(struct vcpu *v)
{
	return vcpu_inject_exception(v, VECTOR_UD, 0);
}

/* CPUID.0xA says that there are no counters. */
enum exit_action exit_rdpmc(struct vcpu *v)
{
	return vcpu_inject_exception(v, VECTOR_GP, 0);
}

/* Guest memory is write-back and coherent, and no device bypasses the caches: nothing to write back. */
enum exit_action exit_cache(struct vcpu *v)
{
	(void)v;
	return EXIT_ADVANCE;
}

/* A trap behind HLT ends it. */
enum exit_action exit_halt(struct vcpu *v)
{
	if (debug_trap_follows())
		return EXIT_ADVANCE;
	v->halted = true;
	v->halted_deaf = !(vmcs_read(GUEST_RFLAGS) & RFLAGS_IF);
	return EXIT_HALT;
}

enum exit_action exit_slice_over(struct vcpu *v)
{
	(void)v;
	return EXIT_YIELD;
}

/* Components that only make sense together: SDM vol. 1, 13.3. */
static bool is_consistent_xcr0(u64 value)
{
	static const struct {
		u64 any, needs;
	} rules[] = {
		{ ~0ULL, 1 },   /* x87 always */
		{ 4, 2 },       /* AVX needs SSE */
		{ 0xe0, 0xe4 }, /* AVX-512: all three of its parts, and AVX */
		{ 0x18, 0x18 }, /* MPX: both */
	};

	for (u32 i = 0; i < ARRAY_SIZE(rules); i++)
		if (((value & rules[i].any) || rules[i].any == ~0ULL) && (value & rules[i].needs) != rules[i].needs)
			return false;
	return true;
}

/* The privilege is ours to check too: a processor may exit first (Bochs). */
enum exit_action exit_xsetbv(struct vcpu *v)
{
	u64 value = (v->regs.rdx << 32) | (u32)v->regs.rax;
	u64 allowed = cpuid_xcr0_mask(v) & vmx_caps.xcr0;

	if (vcpu_cpl() != 0 || (u32)v->regs.rcx != 0 || (value & ~allowed) || !is_consistent_xcr0(value))
		return vcpu_inject_exception(v, VECTOR_GP, 0);
	switch_set_xcr0(v, value);
	return EXIT_ADVANCE;
}
