/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/switch.h"
#include "vmx/caps.h"
#include "vmx/cpu.h"
#include "vmx/machine.h"
#include <string.h>

static bool always(void)
{
	return vmx_caps.usable;
}

static bool has_rdtscp(void)
{
	return vmx_has(CONTROL_CPU2, CPU2_RDTSCP);
}

static bool has_spec_ctrl(void)
{
	return vmx_caps.spec_ctrl;
}

/* MSRs that a guest reads and writes without an exit and that VM entry and exit leave alone; this kernel uses none. */
static const struct {
	u32 msr;
	bool (*there)(void);
} msrs[] = {
	{ MSR_STAR, always },
	{ MSR_LSTAR, always },
	{ MSR_CSTAR, always },
	{ MSR_FMASK, always },
	{ MSR_KERNEL_GS_BASE, always },
	{ MSR_TSC_AUX, has_rdtscp },
	{ MSR_SPEC_CTRL, has_spec_ctrl }, /* each of its bits only restricts speculation: ours runs under the guest's */
};
_Static_assert(ARRAY_SIZE(msrs) <= ARRAY_SIZE(((struct switched *)0)->msr), "room for each");

enum { MXCSR_RESET = 0x1f80, MXCSR_OFFSET = 24, FCW_RESET = 0x40, XSTATE_BV_OFFSET = 512 };

/* ---- extended state ---- */

static void xcr0_write(u64 value)
{
	__asm__ volatile("xsetbv" : : "c"(0), "a"((u32)value), "d"((u32)(value >> 32)));
}

static void save_extended(struct vcpu *v)
{
	if (!vmx_caps.xcr0) {
		__asm__ volatile("fxsave64 (%0)" : : "r"(v->switched.extended) : "memory");
		return;
	}
	if (v->xcr0 != vmx_caps.xcr0)
		xcr0_write(vmx_caps.xcr0);
	__asm__ volatile("xsave64 (%0)" : : "r"(v->switched.extended), "a"(~0U), "d"(~0U) : "memory");
}

static void load_extended(struct vcpu *v)
{
	if (!vmx_caps.xcr0) {
		__asm__ volatile("fxrstor64 (%0)" : : "r"(v->switched.extended) : "memory");
		return;
	}
	__asm__ volatile("xrstor64 (%0)" : : "r"(v->switched.extended), "a"(~0U), "d"(~0U) : "memory");
	if (v->xcr0 != vmx_caps.xcr0)
		xcr0_write(v->xcr0);
}

u32 switch_extended_bytes(void)
{
	return vmx_caps.xsave_bytes;
}

void switch_reload_extended(struct vcpu *v)
{
	struct vmx_cpu *cpu = vmx_cpu();

	CHECK(cpu->owner == v);
	if (cpu->extended == v)
		return;
	load_extended(v);
	cpu->extended = v;
}

bool platform_has_simd(void)
{
	return vmx_caps.avx2;
}

/* Between the two, vector registers are the kernel's; with XCR0 as ours.  The guest's come back at its next entry. */
void simd_begin(void)
{
	struct vmx_cpu *cpu = vmx_cpu();

	if (!cpu->extended)
		return;
	save_extended(cpu->extended);
	vcpu_note(cpu->extended, NOTICE_STATE);
	cpu->extended = NULL;
}

void simd_end(void)
{
	CHECK(!vmx_cpu()->extended);
}

/* ---- the rest ---- */

static void save(struct vcpu *v)
{
	struct vmx_cpu *cpu = vmx_cpu();

	if (cpu->extended == v)
		save_extended(v);
	v->switched.debug[0] = dr0_read();
	v->switched.debug[1] = dr1_read();
	v->switched.debug[2] = dr2_read();
	v->switched.debug[3] = dr3_read();
	v->switched.dr6 = dr6_read();
	v->switched.cr2 = cr2_read();
	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++)
		if (msrs[i].there())
			v->switched.msr[i] = msr_read(msrs[i].msr);
	cpu->owner = NULL;
	cpu->extended = NULL;
}

static void load(struct vcpu *v)
{
	struct vmx_cpu *cpu = vmx_cpu();

	load_extended(v);
	dr0_write(v->switched.debug[0]);
	dr1_write(v->switched.debug[1]);
	dr2_write(v->switched.debug[2]);
	dr3_write(v->switched.debug[3]);
	dr6_write(v->switched.dr6);
	cr2_write(v->switched.cr2);
	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++)
		if (msrs[i].there())
			msr_write(msrs[i].msr, v->switched.msr[i]);
	cpu->owner = v;
	cpu->extended = v;
}

void switch_in(struct vcpu *v)
{
	struct vmx_cpu *cpu = vmx_cpu();

	if (cpu->owner == v)
		return;
	if (cpu->owner)
		save(cpu->owner);
	load(v);
}

void switch_out(struct vcpu *v)
{
	if (vmx_cpu()->owner == v)
		save(v);
}

void switch_reset(struct vcpu *v, bool init)
{
	u8 *extended = v->switched.extended;

	CHECK(((u64)extended & 63) == 0 && vmx_cpu()->owner != v);
	if (!init) {
		u32 mxcsr = MXCSR_RESET;
		u16 fcw = FCW_RESET;
		u64 used = vmx_caps.xcr0 ? 1 : 0; /* x87: its power-on FCW is not XRSTOR's initial one */

		memset(extended, 0, switch_extended_bytes());
		memcpy(extended, &fcw, sizeof(fcw));
		memcpy(extended + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
		if (used)
			memcpy(extended + XSTATE_BV_OFFSET, &used, sizeof(used));
		v->xcr0 = 1;
		memset(v->switched.msr, 0, sizeof(v->switched.msr));
	}
	memset(v->switched.debug, 0, sizeof(v->switched.debug));
	v->switched.dr6 = DR6_RESET;
	v->switched.cr2 = 0;
}

/* ---- single registers of a vCPU that is in the processor ---- */

void switch_set_cr2(struct vcpu *v, u64 address)
{
	CHECK(vmx_cpu()->owner == v);
	cr2_write(address);
}

u64 switch_debug_address(struct vcpu *v, u32 n)
{
	static u64 (*const registers[])(void) = { dr0_read, dr1_read, dr2_read, dr3_read };

	CHECK(vmx_cpu()->owner == v && n < ARRAY_SIZE(registers));
	return registers[n]();
}

u64 switch_dr6(struct vcpu *v)
{
	CHECK(vmx_cpu()->owner == v);
	return dr6_read();
}

void switch_set_dr6(struct vcpu *v, u64 value)
{
	CHECK(vmx_cpu()->owner == v);
	dr6_write(value);
}

void switch_set_xcr0(struct vcpu *v, u64 value)
{
	CHECK(vmx_caps.xcr0 && (value & ~vmx_caps.xcr0) == 0 && (value & 1));
	switch_reload_extended(v);
	v->xcr0 = value;
	xcr0_write(value);
}

void switch_cpu_on(void)
{
	if (!vmx_caps.xcr0)
		return;
	cr4_write(cr4_read() | CR4_OSXSAVE);
	xcr0_write(vmx_caps.xcr0);
}
