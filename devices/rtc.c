/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/rtc.h"
#include "devices/pc.h"

enum {
	A_UIP = 0x80,
	A_DIVIDER = 0x70,
	A_DIVIDER_RUN = 0x20,
	A_DIVIDER_RESET = 0x60, /* 11x */
	A_RATE = 0x0f,
	B_SET = 0x80,
	B_INTERRUPTS = 0x70, /* periodic, alarm, update ended: the same bits as C's flags */
	C_IRQ = 0x80,
	C_PERIODIC = 0x40,
	C_ALARM = 0x20,
	C_UPDATE = 0x10,
	D_VALID = 0x80,
	TICK_SHIFT = 15,   /* 32,768 a second */
	UIP_TICKS = 8,     /* 244 µs before the second's end */
	INDEX_MASK = 0x7f, /* bit 7 masks NMI; nothing here raises one */
};

/* What a BIOS leaves in CMOS: memory sizes. */
enum {
	CMOS_EQUIPMENT = 0x14,
	CMOS_BASE_KIB = 0x15,
	CMOS_EXTENDED_KIB = 0x17,
	CMOS_EXTENDED_KIB_AGAIN = 0x30,
	CMOS_ABOVE_16M = 0x34, /* in 64 KiB */
};

static u64 ticks_now(struct pc *pc)
{
	return clock_ticks(&pc->rtc_clock, pc_now(pc));
}

static s64 seconds_at(const struct rtc *rtc, u64 ticks)
{
	return rtc->base_seconds + (s64)((ticks - rtc->base_ticks) >> TICK_SHIFT);
}

static bool divider_reset(const struct rtc *rtc)
{
	return (rtc->cmos[RTC_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET;
}

static bool frozen(const struct rtc *rtc)
{
	return rtc->cmos[RTC_B] & B_SET || divider_reset(rtc);
}

/* Ticks of one periodic interrupt as a power of two, or 0: none. Rates 1 and 2 are 256 and 128 Hz. */
static u32 periodic_shift(const struct rtc *rtc)
{
	u32 rate = rtc->cmos[RTC_A] & A_RATE;

	if (rate == 0 || divider_reset(rtc))
		return 0;
	return rate <= 2 ? rate + 6 : rate - 1;
}

static void put16(u8 *cmos, u32 at, u64 value)
{
	u64 limited = min_u64(value, 0xffff);

	cmos[at] = (u8)limited;
	cmos[at + 1] = (u8)(limited >> 8);
}

static void fill_cmos(struct pc *pc)
{
	u8 *cmos = pc->rtc.cmos;
	u64 low = min_u64(pc->memory_bytes, PC_LOW_MEMORY_END);

	cmos[CMOS_EQUIPMENT] = 0x02; /* a floating-point unit */
	put16(cmos, CMOS_BASE_KIB, 640);
	put16(cmos, CMOS_EXTENDED_KIB, low > BIT(20) ? (low - BIT(20)) >> 10 : 0);
	put16(cmos, CMOS_EXTENDED_KIB_AGAIN, low > BIT(20) ? (low - BIT(20)) >> 10 : 0);
	put16(cmos, CMOS_ABOVE_16M, low > BIT(24) ? (low - BIT(24)) >> 16 : 0);
}

void rtc_power_on(struct pc *pc, u64 unix_seconds)
{
	pc->rtc = (struct rtc){ .base_seconds = (s64)(unix_seconds & UINT32_MAX), .next = PC_NEVER };
	pc->rtc.cmos[RTC_A] = A_DIVIDER_RUN | 6; /* 1,024 Hz, as firmware leaves it */
	pc->rtc.cmos[RTC_B] = RTC_B_24_HOURS;
	pc->rtc.cmos[RTC_D] = D_VALID;
	fill_cmos(pc);
}

/* ---- interrupts ---- */

static void update_line(struct pc *pc)
{
	u8 *cmos = pc->rtc.cmos;
	u32 causes = cmos[RTC_C] & cmos[RTC_B] & B_INTERRUPTS;
	bool raise = causes, rises = raise && !(cmos[RTC_C] & C_IRQ);

	cmos[RTC_C] = (u8)((cmos[RTC_C] & B_INTERRUPTS) | (raise ? C_IRQ : 0));
	if (rises && causes & C_ALARM)
		pm_rtc_alarm(pc);
	pc_line(pc, IRQ_RTC, raise);
}

/* The tick at which Unix time becomes `seconds`. */
static u64 tick_of(const struct rtc *rtc, s64 seconds)
{
	return rtc->base_ticks + ((u64)(seconds - rtc->base_seconds) << TICK_SHIFT);
}

/* A source whose flag is set waits for register C to be read: no interrupt, so no deadline. */
static void schedule(struct pc *pc)
{
	struct rtc *rtc = &pc->rtc;
	u32 waiting = rtc->cmos[RTC_B] & ~rtc->cmos[RTC_C] & B_INTERRUPTS, shift = periodic_shift(rtc);
	u64 next = UINT64_MAX;

	if (waiting & C_PERIODIC && shift)
		next = ((rtc->last >> shift) + 1) << shift;
	if (waiting & C_UPDATE && !frozen(rtc))
		next = min_u64(next, tick_of(rtc, seconds_at(rtc, rtc->last) + 1));
	if (waiting & C_ALARM && !frozen(rtc) && rtc->alarm != INT64_MAX)
		next = min_u64(next, tick_of(rtc, rtc->alarm));
	rtc->next = next == UINT64_MAX ? PC_NEVER : clock_tsc(&pc->rtc_clock, next);
}

/* Set the flags for all that has happened since the last call; several occurrences are one. */
static void sync(struct pc *pc, u64 ticks)
{
	struct rtc *rtc = &pc->rtc;
	u32 shift = periodic_shift(rtc);
	s64 seconds = seconds_at(rtc, ticks);

	if (shift && ticks >> shift != rtc->last >> shift)
		rtc->cmos[RTC_C] |= C_PERIODIC;
	if (!frozen(rtc) && seconds != seconds_at(rtc, rtc->last))
		rtc->cmos[RTC_C] |= C_UPDATE;
	if (!frozen(rtc) && seconds >= rtc->alarm) {
		rtc->cmos[RTC_C] |= C_ALARM;
		rtc->alarm = rtc_next_alarm(rtc->cmos, seconds);
	}
	rtc->last = ticks;
	update_line(pc);
}

void rtc_run(struct pc *pc, u64 now)
{
	if (now < pc->rtc.next)
		return;
	sync(pc, clock_ticks(&pc->rtc_clock, now));
	schedule(pc);
}

/* ---- registers ---- */

static bool is_time(u32 index)
{
	return index == RTC_CENTURY || (index <= RTC_YEAR && (index >= RTC_WEEKDAY || index % 2 == 0));
}

/* The time registers' bytes become the running clock's time, `phase` ticks into its second. */
static void set_clock(struct rtc *rtc, u64 ticks, u64 phase)
{
	rtc->base_seconds = rtc_decode(rtc->cmos);
	rtc->base_ticks = ticks - phase;
	rtc->last = ticks;
	rtc->alarm = rtc_next_alarm(rtc->cmos, rtc->base_seconds);
}

static void write_time(struct rtc *rtc, u32 index, u8 value, u64 ticks)
{
	if (!frozen(rtc))
		rtc_encode(rtc->cmos, seconds_at(rtc, ticks));
	rtc->cmos[index] = value;
	if (!frozen(rtc))
		set_clock(rtc, ticks, (ticks - rtc->base_ticks) & (BIT(TICK_SHIFT) - 1));
}

/* A and B can freeze the clock and let it go. Out of the divider's reset the first update comes after half a second. */
static void write_control(struct rtc *rtc, u32 index, u8 value, u64 ticks)
{
	bool was_frozen = frozen(rtc), was_reset = divider_reset(rtc);

	if (!was_frozen)
		rtc_encode(rtc->cmos, seconds_at(rtc, ticks));
	if (index == RTC_A)
		rtc->cmos[RTC_A] = value & (u8)~A_UIP;
	else
		rtc->cmos[RTC_B] = value & B_SET ? value & (u8)~C_UPDATE : value;
	if (was_frozen && !frozen(rtc))
		set_clock(rtc, ticks, was_reset ? BIT(TICK_SHIFT - 1) : 0);
	else if (!frozen(rtc))
		rtc->alarm = rtc_next_alarm(rtc->cmos, seconds_at(rtc, ticks));
}

static void write_register(struct pc *pc, u32 index, u8 value)
{
	struct rtc *rtc = &pc->rtc;
	u64 ticks = ticks_now(pc);

	sync(pc, ticks);
	if (is_time(index))
		write_time(rtc, index, value, ticks);
	else if (index == RTC_A || index == RTC_B)
		write_control(rtc, index, value, ticks);
	else if (index != RTC_C && index != RTC_D)
		rtc->cmos[index] = value;
	if (index <= RTC_HOURS_ALARM)
		rtc->alarm = rtc_next_alarm(rtc->cmos, seconds_at(rtc, ticks));
	update_line(pc);
	schedule(pc);
}

static u32 read_control_c(struct pc *pc)
{
	sync(pc, ticks_now(pc));
	u32 value = pc->rtc.cmos[RTC_C];

	pc->rtc.cmos[RTC_C] = 0;
	update_line(pc);
	schedule(pc);
	return value;
}

static u32 read_control_a(struct pc *pc)
{
	const struct rtc *rtc = &pc->rtc;
	u64 phase = (ticks_now(pc) - rtc->base_ticks) & (BIT(TICK_SHIFT) - 1);
	bool updating = !frozen(rtc) && phase >= BIT(TICK_SHIFT) - UIP_TICKS;

	return rtc->cmos[RTC_A] | (updating ? A_UIP : 0);
}

u32 rtc_read(struct pc *pc, u16 port, u32 size)
{
	struct rtc *rtc = &pc->rtc;

	CHECK(size == 1);
	if ((port & 1) == 0)
		return 0xff; /* the index cannot be read */
	if (rtc->index == RTC_A)
		return read_control_a(pc);
	if (rtc->index == RTC_C)
		return read_control_c(pc);
	if (is_time(rtc->index) && !frozen(rtc))
		rtc_encode(rtc->cmos, seconds_at(rtc, ticks_now(pc)));
	return rtc->cmos[rtc->index];
}

void rtc_write(struct pc *pc, u16 port, u32 size, u32 value)
{
	CHECK(size == 1);
	if ((port & 1) == 0)
		pc->rtc.index = value & INDEX_MASK;
	else
		write_register(pc, pc->rtc.index, (u8)value);
}

/* A reset clears the interrupt enables and flags; the time and the memory are on battery. */
void rtc_reset(struct pc *pc)
{
	struct rtc *rtc = &pc->rtc;

	rtc->cmos[RTC_B] &= (u8)~B_INTERRUPTS;
	rtc->cmos[RTC_C] = 0;
	rtc->next = PC_NEVER;
	rtc->alarm = rtc_next_alarm(rtc->cmos, seconds_at(rtc, rtc->last));
}

const char *rtc_audit(struct pc *pc)
{
	const struct rtc *rtc = &pc->rtc;
	bool raised = rtc->cmos[RTC_C] & rtc->cmos[RTC_B] & B_INTERRUPTS;

	if (rtc->index >= RTC_CMOS_BYTES)
		return "rtc: index out of range";
	if ((pc->ioapic.lines >> IRQ_RTC & 1) != raised || !!(rtc->cmos[RTC_C] & C_IRQ) != raised)
		return "rtc: IRQ 8 differs from flags and enables";
	if (!frozen(rtc) && rtc->alarm <= seconds_at(rtc, rtc->last))
		return "rtc: the alarm lies in the past";
	return NULL;
}
