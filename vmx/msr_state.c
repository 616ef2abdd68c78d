/* SPDX-License-Identifier: BSD-2-Clause */
/* MSRs that are constants or a word of state, the TSC's, and those of the LAPIC. */
#include "vmx/caps.h"
#include "vmx/machine.h"
#include "vmx/msr.h"
#include "vmx/msr_rows.h"

enum { MISC_FAST_STRINGS = 1 << 0, MISC_NO_BTS = 1 << 11, MISC_NO_PEBS = 1 << 12 };
enum { MISC_RESET = MISC_FAST_STRINGS | MISC_NO_BTS | MISC_NO_PEBS };
enum { DEBUGCTL_LBR = 1, DEBUGCTL_BTF = 2 };

/*
 * IA32_ARCH_CAPABILITIES bits that only say what the processor is (not) immune to: RDCL, RSBA, L1DFL, SSB, MDS, PSCHANGE, TAA, the MMIO kin,
 * FB_CLEAR, RRSBA, BHI, PBRSB, GDS, RFDS and its clearing.  Enhanced IBRS goes with SPEC_CTRL.
 */
#define CAPABILITIES_IMMUNITY                                                                                             \
	(BIT(0) | BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(8) | BIT(13) | BIT(14) | BIT(15) | BIT(17) | BIT(19) | \
	 BIT(20) | BIT(24) | BIT(26) | BIT(27) | BIT(28))
#define CAPABILITY_IBRS_ALL BIT(1)
#define FEATURE_EDX_SPEC_CTRL BIT(26)
#define FEATURE_EDX_ARCH_CAPABILITIES BIT(29)

err_t read_zero(struct vcpu *v, u32 msr, u64 *value)
{
	(void)v, (void)msr;
	*value = 0;
	return OK;
}

err_t read_one(struct vcpu *v, u32 msr, u64 *value)
{
	(void)v, (void)msr;
	*value = 1;
	return OK;
}

err_t ignore(struct vcpu *v, u32 msr, u64 value)
{
	(void)v, (void)msr, (void)value;
	return OK;
}

err_t write_zero(struct vcpu *v, u32 msr, u64 value)
{
	(void)v, (void)msr;
	return value ? E_INVALID : OK;
}

/* ---- time: the vCPU's TSC is the VM's plus its own adjustment; the devices count the VM's ---- */

err_t read_tsc(struct vcpu *v, u32 msr, u64 *value)
{
	(void)msr;
	*value = rdtsc() + v->tsc_offset + v->soft.tsc_adjust;
	return OK;
}

static err_t adjust(struct vcpu *v, u64 value)
{
	v->soft.tsc_adjust = value;
	vcpu_note(v, NOTICE_TSC | NOTICE_CLOCK);
	return OK;
}

err_t write_tsc(struct vcpu *v, u32 msr, u64 value)
{
	(void)msr;
	return adjust(v, value - rdtsc() - v->tsc_offset);
}

err_t read_tsc_adjust(struct vcpu *v, u32 msr, u64 *value)
{
	(void)msr;
	*value = v->soft.tsc_adjust;
	return OK;
}

err_t write_tsc_adjust(struct vcpu *v, u32 msr, u64 value)
{
	(void)msr;
	return adjust(v, value);
}

err_t read_deadline(struct vcpu *v, u32 msr, u64 *value)
{
	err_t error = pc_msr_read(v->config.pc, v->config.index, msr, value);

	if (!error && *value)
		*value += v->soft.tsc_adjust;
	return error;
}

/* With an adjustment the two times wrap at different moments: what is past in the vCPU's own becomes past in the VM's. 0 disarms. */
static u64 vm_deadline(const struct vcpu *v, u64 deadline)
{
	u64 vm_now = rdtsc() + v->tsc_offset;

	if (deadline == 0)
		return 0;
	return deadline <= vm_now + v->soft.tsc_adjust ? 1 : deadline - v->soft.tsc_adjust;
}

err_t write_deadline(struct vcpu *v, u32 msr, u64 value)
{
	u64 deadline = __builtin_expect(v->soft.tsc_adjust != 0, 0) ? vm_deadline(v, value) : value;

	return pc_msr_write(v->config.pc, v->config.index, msr, deadline);
}

/* ---- the LAPIC ---- */

err_t read_apic(struct vcpu *v, u32 msr, u64 *value)
{
	return pc_msr_read(v->config.pc, v->config.index, msr, value);
}

err_t write_apic(struct vcpu *v, u32 msr, u64 value)
{
	return pc_msr_write(v->config.pc, v->config.index, msr, value);
}

/* ---- facts and switches ---- */

err_t read_microcode(struct vcpu *v, u32 msr, u64 *value)
{
	(void)v;
	*value = msr_read(msr);
	return OK;
}

err_t read_capabilities(struct vcpu *v, u32 msr, u64 *value)
{
	u32 promised = v->cpuid.basic[7].d;

	if (!(promised & FEATURE_EDX_ARCH_CAPABILITIES))
		return E_INVALID;
	*value = msr_read(msr) & (CAPABILITIES_IMMUNITY | (promised & FEATURE_EDX_SPEC_CTRL ? CAPABILITY_IBRS_ALL : 0));
	return OK;
}

err_t read_misc_enable(struct vcpu *v, u32 msr, u64 *value)
{
	(void)msr;
	*value = v->soft.misc_enable;
	return OK;
}

/* Only fast strings can be switched; the rest reads as before. */
err_t write_misc_enable(struct vcpu *v, u32 msr, u64 value)
{
	(void)msr;
	v->soft.misc_enable = (value & MISC_FAST_STRINGS) | (MISC_RESET & ~MISC_FAST_STRINGS);
	return OK;
}

err_t read_debugctl(struct vcpu *v, u32 msr, u64 *value)
{
	(void)v, (void)msr;
	*value = vmcs_read(GUEST_DEBUGCTL);
	return OK;
}

/* Recording branches would leave the guest's addresses in the host's registers: the bit is taken and does nothing. */
err_t write_debugctl(struct vcpu *v, u32 msr, u64 value)
{
	(void)v, (void)msr;
	if (value & ~(u64)(DEBUGCTL_LBR | DEBUGCTL_BTF))
		return E_INVALID;
	vmcs_write(GUEST_DEBUGCTL, value & DEBUGCTL_BTF);
	return OK;
}

void msr_reset(struct vcpu *v)
{
	v->soft.misc_enable = MISC_RESET;
	v->soft.tsc_adjust = 0;
	mtrr_reset(v);
}
