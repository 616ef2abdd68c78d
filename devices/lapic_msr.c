/* SPDX-License-Identifier: BSD-2-Clause */
/* How software reaches a LAPIC: IA32_APIC_BASE and its mode transitions (SDM vol. 3A, 11.12.5), x2APIC MSRs, memory. */
#include "devices/pc.h"

enum {
	MSR_APIC_BASE = 0x1b,
	MSR_TSC_DEADLINE = 0x6e0,
	MSR_X2APIC = 0x800,
	MSR_X2APIC_END = 0x840,
	REG_EOI = 0x0b,
	REG_ICR = 0x30,
};

#define BASE_ADDRESS_BITS 0x000ffffffffff000ULL
#define BASE_BITS (BASE_ADDRESS_BITS | LAPIC_BASE_BSP | LAPIC_BASE_X2APIC | LAPIC_BASE_ENABLE)

enum { MODE_BITS = LAPIC_BASE_X2APIC | LAPIC_BASE_ENABLE };

/* Allowed: any mode to off or to itself, off to xAPIC, xAPIC to x2APIC. */
static bool transition_allowed(u64 from, u64 to)
{
	from &= MODE_BITS;
	to &= MODE_BITS;
	if (to == 0 || to == from)
		return true;
	return (from == 0 && to == LAPIC_BASE_ENABLE) || (from == LAPIC_BASE_ENABLE && to == MODE_BITS);
}

/* Switching off or on starts from the reset state: a message that crossed the switch does not survive it. */
static err_t write_base(struct pc *pc, struct lapic *lapic, u64 value)
{
	u32 vcpu = (u32)(lapic - pc->lapic);

	if (value & ~BASE_BITS || !transition_allowed(lapic->base, value))
		return E_INVALID;
	bool switched = (lapic->base ^ value) & LAPIC_BASE_ENABLE;
	bool to_x2apic = !lapic_x2apic(lapic) && value & LAPIC_BASE_X2APIC;

	value = (value & ~(u64)LAPIC_BASE_BSP) | (lapic->base & LAPIC_BASE_BSP);
	if (to_x2apic)
		lapic->icr_high = 0;
	__atomic_store_n(&lapic->base, value, __ATOMIC_SEQ_CST);
	if (switched) {
		lapic_reset(pc, vcpu, true);
		pc_announce(pc, vcpu);
	}
	lapic_recheck(pc, lapic);
	return OK;
}

static err_t read_deadline(const struct lapic *lapic, u64 *value)
{
	u64 deadline = __atomic_load_n(&lapic->deadline, __ATOMIC_SEQ_CST);
	bool armed = lapic_timer_mode(lapic) == TIMER_TSC_DEADLINE && deadline != PC_NEVER;

	*value = armed ? deadline : 0;
	return OK;
}

err_t pc_msr_read(struct pc *pc, u32 vcpu, u32 msr, u64 *value)
{
	struct lapic *lapic = &pc->lapic[vcpu];
	u32 low = 0;

	CHECK(vcpu < pc->vcpus);
	if (msr == MSR_APIC_BASE) {
		*value = lapic->base;
		return OK;
	}
	if (msr == MSR_TSC_DEADLINE)
		return read_deadline(lapic, value);
	if (msr < MSR_X2APIC || msr >= MSR_X2APIC_END || !lapic_x2apic(lapic))
		return E_INVALID;
	if (!lapic_reg_read(pc, lapic, msr - MSR_X2APIC, &low))
		return E_INVALID;
	*value = msr - MSR_X2APIC == REG_ICR ? (u64)lapic->icr_high << 32 | low : low;
	return OK;
}

/* ICR is one 64-bit register here: a reserved bit in the low half must leave the high half alone. */
static err_t write_icr(struct pc *pc, struct lapic *lapic, u64 value)
{
	u32 before = lapic->icr_high;

	lapic->icr_high = (u32)(value >> 32);
	if (lapic_reg_write(pc, lapic, REG_ICR, (u32)value))
		return OK;
	lapic->icr_high = before;
	return E_INVALID;
}

err_t pc_msr_write(struct pc *pc, u32 vcpu, u32 msr, u64 value)
{
	struct lapic *lapic = &pc->lapic[vcpu];

	CHECK(vcpu < pc->vcpus);
	if (msr == MSR_TSC_DEADLINE) {
		lapic_tsc_deadline(pc, lapic, value);
		return OK;
	}
	if (msr == MSR_APIC_BASE)
		return write_base(pc, lapic, value);
	if (msr < MSR_X2APIC || msr >= MSR_X2APIC_END || !lapic_x2apic(lapic))
		return E_INVALID;
	if (msr - MSR_X2APIC == REG_EOI && value == 0) {
		lapic_eoi(pc, lapic);
		return OK;
	}
	if (msr - MSR_X2APIC == REG_ICR)
		return write_icr(pc, lapic, value);
	if (value >> 32 || !lapic_reg_write(pc, lapic, msr - MSR_X2APIC, (u32)value))
		return E_INVALID;
	return OK;
}

/* ---- memory: 32-bit registers at multiples of 16 ---- */

static bool is_register(u32 offset)
{
	return offset % 16 == 0 && offset < 0x400;
}

u32 lapic_mmio_read(struct pc *pc, struct lapic *lapic, u32 offset)
{
	u32 value = 0;

	if (!is_register(offset) || !lapic_reg_read(pc, lapic, offset / 16, &value))
		lapic_error(pc, lapic, ESR_REGISTER);
	return value;
}

void lapic_mmio_write(struct pc *pc, struct lapic *lapic, u32 offset, u32 value)
{
	if (!is_register(offset) || !lapic_reg_write(pc, lapic, offset / 16, value))
		lapic_error(pc, lapic, ESR_REGISTER);
}
