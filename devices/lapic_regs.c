/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The LAPIC's registers as a table (SDM vol. 3A, tables 11-1 and 11-6).  A row says who may write which bits; in x2APIC mode any
 * other bit is #GP, by memory it is ignored.
 */
#include "devices/pc.h"

enum { VERSION_VALUE = 0x14 | (LVT_COUNT - 1) << 16 };

enum reg_flags {
	R = 1,      /* readable */
	W = 2,      /* writable */
	XAPIC = 4,  /* by memory only */
	X2APIC = 8, /* by MSR only */
};

struct lapic_reg {
	u32 flags;
	u32 bits;    /* writable; others are reserved */
	u32 ignored; /* read-only status bits that software may write back */
	u32 (*read)(struct pc *pc, const struct lapic *lapic, u32 reg);
	void (*write)(struct pc *pc, struct lapic *lapic, u32 reg, u32 value);
};

enum { ISR = 0x10, TMR = 0x18, IRR = 0x20, LVT = 0x32 };

/* ---- reads ---- */

static u32 read_zero(struct pc *pc, const struct lapic *lapic, u32 reg)
{
	(void)pc, (void)lapic, (void)reg;
	return 0;
}

static u32 read_id(struct pc *pc, const struct lapic *lapic, u32 reg)
{
	(void)pc, (void)reg;
	return lapic_x2apic(lapic) ? lapic->id : lapic->id << 24;
}

static u32 read_version(struct pc *pc, const struct lapic *lapic, u32 reg)
{
	(void)pc, (void)lapic, (void)reg;
	return VERSION_VALUE;
}

static u32 read_tpr(struct pc *pc, const struct lapic *lapic, u32 reg)
{
	(void)pc, (void)reg;
	return lapic->tpr;
}

static u32 read_ppr(struct pc *pc, const struct lapic *lapic, u32 reg)
{
	(void)pc, (void)reg;
	return lapic_ppr(lapic);
}

static u32 read_ldr(struct pc *pc, const struct lapic *lapic, u32 reg)
{
	(void)pc, (void)reg;
	return lapic_x2apic(lapic) ? (lapic->id >> 4) << 16 | 1U << (lapic->id & 0xf) : lapic->ldr;
}

static u32 read_dfr(struct pc *pc, const struct lapic *lapic, u32 reg)
{
	(void)pc, (void)reg;
	return lapic->dfr;
}

static u32 read_svr(struct pc *pc, const struct lapic *lapic, u32 reg)
{
	(void)pc, (void)reg;
	return lapic->svr;
}

static u32 half(const u64 *words, u32 index)
{
	return (u32)(__atomic_load_n(&words[index / 2], __ATOMIC_RELAXED) >> (index % 2 * 32));
}

static u32 read_isr(struct pc *pc, const struct lapic *lapic, u32 reg)
{
	(void)pc;
	return half(lapic->isr, reg - ISR);
}

static u32 read_tmr(struct pc *pc, const struct lapic *lapic, u32 reg)
{
	(void)pc;
	return half(lapic->tmr, reg - TMR);
}

static u32 read_irr(struct pc *pc, const struct lapic *lapic, u32 reg)
{
	(void)pc;
	return half(lapic->irr, reg - IRR);
}

static u32 read_esr(struct pc *pc, const struct lapic *lapic, u32 reg)
{
	(void)pc, (void)reg;
	return lapic->esr;
}

static u32 read_icr(struct pc *pc, const struct lapic *lapic, u32 reg)
{
	(void)pc, (void)reg;
	return lapic->icr;
}

static u32 read_icr_high(struct pc *pc, const struct lapic *lapic, u32 reg)
{
	(void)pc, (void)reg;
	return lapic->icr_high;
}

static u32 read_lvt(struct pc *pc, const struct lapic *lapic, u32 reg)
{
	(void)pc;
	return lapic->lvt[reg - LVT];
}

static u32 read_initial(struct pc *pc, const struct lapic *lapic, u32 reg)
{
	(void)pc, (void)reg;
	return lapic->initial;
}

static u32 read_count(struct pc *pc, const struct lapic *lapic, u32 reg)
{
	(void)reg;
	return lapic_timer_count(pc, lapic);
}

static u32 read_divide(struct pc *pc, const struct lapic *lapic, u32 reg)
{
	(void)pc, (void)reg;
	return lapic->divide;
}

/* ---- writes ---- */

static void write_nothing(struct pc *pc, struct lapic *lapic, u32 reg, u32 value)
{
	(void)pc, (void)lapic, (void)reg, (void)value;
}

static void write_tpr(struct pc *pc, struct lapic *lapic, u32 reg, u32 value)
{
	(void)reg;
	__atomic_store_n(&lapic->tpr, value, __ATOMIC_RELAXED);
	lapic_recheck(pc, lapic);
}

static void write_eoi(struct pc *pc, struct lapic *lapic, u32 reg, u32 value)
{
	(void)reg, (void)value;
	lapic_eoi(pc, lapic);
}

static void write_ldr(struct pc *pc, struct lapic *lapic, u32 reg, u32 value)
{
	(void)pc, (void)reg;
	__atomic_store_n(&lapic->ldr, value, __ATOMIC_RELAXED);
}

static void write_dfr(struct pc *pc, struct lapic *lapic, u32 reg, u32 value)
{
	(void)pc, (void)reg;
	__atomic_store_n(&lapic->dfr, value | 0x0fffffff, __ATOMIC_RELAXED);
}

/* Software-disabling masks every LVT entry; enabling again does not unmask them. */
static void write_svr(struct pc *pc, struct lapic *lapic, u32 reg, u32 value)
{
	(void)reg;
	__atomic_store_n(&lapic->svr, value, __ATOMIC_RELAXED);
	for (u32 i = 0; i < LVT_COUNT && !(value & SVR_ENABLE); i++)
		__atomic_fetch_or(&lapic->lvt[i], LVT_MASKED, __ATOMIC_RELAXED);
	lapic_recheck(pc, lapic);
}

/* A write latches the errors since the last one, then reading shows them. */
static void write_esr(struct pc *pc, struct lapic *lapic, u32 reg, u32 value)
{
	(void)pc, (void)reg, (void)value;
	lapic->esr = __atomic_exchange_n(&lapic->esr_pending, 0, __ATOMIC_SEQ_CST);
}

static void write_icr(struct pc *pc, struct lapic *lapic, u32 reg, u32 value)
{
	(void)reg;
	lapic->icr = value;
	lapic_ipi(pc, lapic);
}

static void write_icr_high(struct pc *pc, struct lapic *lapic, u32 reg, u32 value)
{
	(void)pc, (void)reg;
	lapic->icr_high = value;
}

static void write_lvt(struct pc *pc, struct lapic *lapic, u32 reg, u32 value)
{
	if (!(lapic->svr & SVR_ENABLE))
		value |= LVT_MASKED;
	if (reg - LVT == LVT_TIMER)
		lapic_timer_lvt(pc, lapic, value);
	else
		__atomic_store_n(&lapic->lvt[reg - LVT], value, __ATOMIC_RELAXED);
	if (reg - LVT == LVT_LINT0)
		lapic_recheck(pc, lapic);
}

static void write_initial(struct pc *pc, struct lapic *lapic, u32 reg, u32 value)
{
	(void)reg;
	lapic_timer_start(pc, lapic, value);
}

static void write_divide(struct pc *pc, struct lapic *lapic, u32 reg, u32 value)
{
	(void)reg;
	lapic_timer_divide(pc, lapic, value);
}

static void write_self_ipi(struct pc *pc, struct lapic *lapic, u32 reg, u32 value)
{
	(void)reg;
	if (value < LAPIC_FIRST_VECTOR)
		lapic_error(pc, lapic, ESR_SEND_VECTOR);
	else if (lapic->svr & SVR_ENABLE)
		lapic_request(pc, lapic, (u8)value, false);
}

/* ---- the table ---- */

enum {
	LVT_STATUS = 1 << 12 | 1 << 14, /* delivery status, remote IRR */
	LVT_VECTOR_BITS = 0xff | LVT_MASKED,
	LVT_MODE_BITS = LVT_VECTOR_BITS | 7 << 8,
	LVT_PIN_BITS = LVT_MODE_BITS | 1 << 13 | 1 << 15, /* polarity, trigger mode */
	ICR_BITS = 0xff | 7 << 8 | 1 << 11 | 3 << 14 | 3 << 18,
	SVR_BITS = 0x3ff,
};

#define ANY UINT32_MAX

static const struct lapic_reg regs[0x40] = {
	[0x02] = { R | XAPIC | W, 0, ANY, read_id, write_nothing },
	[0x03] = { R, 0, 0, read_version, NULL },
	[0x08] = { R | W, 0xff, 0, read_tpr, write_tpr },
	[0x09] = { R | XAPIC, 0, 0, read_zero, NULL }, /* arbitration priority: of the old APIC bus */
	[0x0a] = { R, 0, 0, read_ppr, NULL },
	[0x0b] = { W, 0, 0, NULL, write_eoi },
	[0x0d] = { R | W | XAPIC, 0xff000000, 0, read_ldr, write_ldr },
	[0x0e] = { R | W | XAPIC, 0xf0000000, 0, read_dfr, write_dfr },
	[0x0f] = { R | W, SVR_BITS, 0, read_svr, write_svr },
	/* clang-format off */ /* it takes a range for C++'s pack */
	[ISR ... ISR + 7] = { R, 0, 0, read_isr, NULL },
	[TMR ... TMR + 7] = { R, 0, 0, read_tmr, NULL },
	[IRR ... IRR + 7] = { R, 0, 0, read_irr, NULL },
	/* clang-format on */
	[0x28] = { R | W, 0, 0, read_esr, write_esr },
	[0x30] = { R | W, ICR_BITS, 1 << 12, read_icr, write_icr },
	[0x31] = { R | W | XAPIC, 0xff000000, 0, read_icr_high, write_icr_high },
	[LVT + LVT_TIMER] = { R | W, LVT_VECTOR_BITS | 3 << LVT_TIMER_SHIFT, LVT_STATUS, read_lvt, write_lvt },
	[LVT + LVT_THERMAL] = { R | W, LVT_MODE_BITS, LVT_STATUS, read_lvt, write_lvt },
	[LVT + LVT_PERFORMANCE] = { R | W, LVT_MODE_BITS, LVT_STATUS, read_lvt, write_lvt },
	[LVT + LVT_LINT0] = { R | W, LVT_PIN_BITS, LVT_STATUS, read_lvt, write_lvt },
	[LVT + LVT_LINT1] = { R | W, LVT_PIN_BITS, LVT_STATUS, read_lvt, write_lvt },
	[LVT + LVT_ERROR] = { R | W, LVT_VECTOR_BITS, LVT_STATUS, read_lvt, write_lvt },
	[0x38] = { R | W, ANY, 0, read_initial, write_initial },
	[0x39] = { R, 0, 0, read_count, NULL },
	[0x3e] = { R | W, 0xb, 0, read_divide, write_divide },
	[0x3f] = { W | X2APIC, 0xff, 0, NULL, write_self_ipi },
};

/* The rows that x2APIC mode reads, but only memory may write. */
static bool x2apic_reads(u32 reg)
{
	return reg == 0x02 || reg == 0x0d;
}

bool lapic_reg_read(struct pc *pc, struct lapic *lapic, u32 reg, u32 *value)
{
	CHECK(reg < ARRAY_SIZE(regs));
	const struct lapic_reg *row = &regs[reg];
	bool wide = lapic_x2apic(lapic);

	if (!(row->flags & R) || (wide && row->flags & XAPIC && !x2apic_reads(reg)))
		return false;
	*value = row->read(pc, lapic, reg);
	return true;
}

bool lapic_reg_write(struct pc *pc, struct lapic *lapic, u32 reg, u32 value)
{
	CHECK(reg < ARRAY_SIZE(regs));
	const struct lapic_reg *row = &regs[reg];
	bool wide = lapic_x2apic(lapic);

	if (!(row->flags & W) || row->flags & (wide ? XAPIC : X2APIC))
		return false;
	if (wide && value & ~(row->bits | row->ignored))
		return false;
	row->write(pc, lapic, reg, value & row->bits);
	return true;
}
