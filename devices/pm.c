/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/pm.h"
#include "devices/pc.h"

enum {
	TIMER = 1 << 0,
	GLOBAL = 1 << 5,
	POWER_BUTTON = 1 << 8,
	RTC_ALARM = 1 << 10,
	WAKE = 1 << 15,
	EVENTS = TIMER | GLOBAL | POWER_BUTTON | RTC_ALARM,
	SCI_ENABLE = 1 << 0,
	SLEEP_TYPE_SHIFT = 10,
	SLEEP_TYPE = 7 << SLEEP_TYPE_SHIFT,
	SLEEP_ENABLE = 1 << 13,
	CONTROL_WRITABLE = 2 | SLEEP_TYPE, /* bus-master reload means nothing here, but reads back */
	TOGGLE_SHIFT = 31,                 /* TMR_STS is set whenever the timer's top bit changes */
};

void pm_reset(struct pc *pc)
{
	pc->pm = (struct pm){
		.control = SCI_ENABLE,
		.last = clock_ticks(&pc->pm_clock, pc_now(pc)),
		.next = PC_NEVER,
	};
}

/* The SCI is level-triggered: it stays until every enabled event's status is cleared. */
static void update(struct pc *pc)
{
	struct pm *pm = &pc->pm;
	bool waiting = pm->enable & TIMER && !(pm->status & TIMER);

	pc_line(pc, IRQ_SCI, (pm->status & pm->enable & EVENTS) != 0);
	pm->next = waiting ? clock_tsc(&pc->pm_clock, ((pm->last >> TOGGLE_SHIFT) + 1) << TOGGLE_SHIFT) : PC_NEVER;
}

static void sync(struct pc *pc, u64 now)
{
	u64 ticks = clock_ticks(&pc->pm_clock, now);

	if (ticks >> TOGGLE_SHIFT != pc->pm.last >> TOGGLE_SHIFT)
		pc->pm.status |= TIMER;
	pc->pm.last = ticks;
	update(pc);
}

void pm_run(struct pc *pc, u64 now)
{
	if (now >= pc->pm.next)
		sync(pc, now);
}

static void happened(struct pc *pc, u16 event)
{
	pc->pm.status |= event;
	update(pc);
}

void pm_power_button(struct pc *pc)
{
	happened(pc, POWER_BUTTON);
}

void pm_rtc_alarm(struct pc *pc)
{
	happened(pc, RTC_ALARM);
}

u32 pm_read_timer(struct pc *pc, u16 port, u32 size)
{
	(void)size;
	return (u32)clock_ticks(&pc->pm_clock, pc_now(pc)) >> (8 * (port & 3));
}

/* The registers side by side: status, enable, control, and 16 bits of nothing. */
static u64 image(const struct pm *pm)
{
	return pm->status | (u64)pm->enable << 16 | (u64)pm->control << 32;
}

u32 pm_read(struct pc *pc, u16 port, u32 size)
{
	(void)size;
	CHECK(lock_is_mine(&pc->lock));
	sync(pc, pc_now(pc));
	return (u32)(image(&pc->pm) >> (8 * (port & 7)));
}

static void sleep(struct pc *pc, u32 control)
{
	if (control & SLEEP_ENABLE && (control & SLEEP_TYPE) >> SLEEP_TYPE_SHIFT == PM_S5_TYPE)
		pc->host->power(pc->vm, PC_POWER_OFF);
}

void pm_write(struct pc *pc, u16 port, u32 size, u32 value)
{
	struct pm *pm = &pc->pm;
	u32 shift = 8U * (port & 7);
	u64 lanes = (UINT64_MAX >> (64 - 8 * size)) << shift, bits = (u64)value << shift & lanes;
	u64 kept = image(pm) & ~lanes, merged = kept | bits;

	CHECK(lock_is_mine(&pc->lock));
	sync(pc, pc_now(pc));
	pm->status &= (u16)~bits; /* ones clear */
	pm->enable = (u16)(merged >> 16 & EVENTS);
	u32 control = (u32)(merged >> 32);

	pm->control = (u16)((control & CONTROL_WRITABLE) | SCI_ENABLE);
	sleep(pc, (u32)(bits >> 32));
	update(pc);
}

const char *pm_audit(struct pc *pc)
{
	const struct pm *pm = &pc->pm;

	if ((pc->ioapic.lines >> IRQ_SCI & 1) != ((pm->status & pm->enable & EVENTS) != 0))
		return "pm: the SCI differs from status and enable";
	if (!(pm->control & SCI_ENABLE) || pm->enable & ~EVENTS || pm->status & ~(EVENTS | WAKE))
		return "pm: a register holds what cannot be written";
	return NULL;
}
