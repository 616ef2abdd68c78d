/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The LAPIC timer (SDM vol. 3A, 11.5.4): one deadline in VM TSC, whatever the mode.  Missed periodic ticks merge into one, a missed
 * one-shot fires once, because only the next deadline exists.
 */
#include "devices/pc.h"

/* A guest cannot make the host's timer fire more often than this with one write; one-shots cost it a write each. */
enum { MIN_PERIOD_NS = 100 * 1000 };

enum lapic_timer_mode lapic_timer_mode(const struct lapic *lapic)
{
	return __atomic_load_n(&lapic->lvt[LVT_TIMER], __ATOMIC_RELAXED) >> LVT_TIMER_SHIFT & 3;
}

/* Divide configuration: bits 3, 1, 0 give 2, 4 … 128, and 1 for all ones. */
static u32 divide_shift(u32 divide)
{
	return (((divide >> 1 & 4) | (divide & 3)) + 1) & 7;
}

static u64 count_to_tsc(const struct pc *pc, const struct lapic *lapic, u32 count)
{
	return clock_tsc(&pc->apic_clock, (u64)count << divide_shift(lapic->divide));
}

static u64 period(const struct pc *pc, const struct lapic *lapic)
{
	return max_u64(count_to_tsc(pc, lapic, lapic->initial), pc->tsc_khz * MIN_PERIOD_NS / 1000000 + 1);
}

static u64 armed(const struct lapic *lapic)
{
	return __atomic_load_n(&lapic->deadline, __ATOMIC_SEQ_CST);
}

static void arm(struct pc *pc, struct lapic *lapic, u64 deadline)
{
	__atomic_store_n(&lapic->deadline, deadline, __ATOMIC_SEQ_CST);
	pc_announce(pc, (u32)(lapic - pc->lapic));
}

static void arm_count(struct pc *pc, struct lapic *lapic, u32 count)
{
	arm(pc, lapic, count == 0 ? PC_NEVER : pc_now(pc) + count_to_tsc(pc, lapic, count));
}

u32 lapic_timer_count(struct pc *pc, const struct lapic *lapic)
{
	u64 deadline = armed(lapic), now = pc_now(pc);

	if (deadline == PC_NEVER || lapic_timer_mode(lapic) == TIMER_TSC_DEADLINE)
		return 0;
	if (deadline <= now && lapic_timer_mode(lapic) != TIMER_PERIODIC)
		return 0; /* due, and about to fire */
	if (deadline <= now)
		deadline += ((now - deadline) / period(pc, lapic) + 1) * period(pc, lapic);
	u64 count = clock_ticks(&pc->apic_clock, deadline - now) >> divide_shift(lapic->divide);

	return (u32)min_u64(count, lapic->initial);
}

void lapic_timer_start(struct pc *pc, struct lapic *lapic, u32 initial)
{
	if (lapic_timer_mode(lapic) == TIMER_TSC_DEADLINE)
		return;
	lapic->initial = initial;
	arm_count(pc, lapic, initial);
}

void lapic_timer_divide(struct pc *pc, struct lapic *lapic, u32 divide)
{
	u32 left = lapic_timer_count(pc, lapic);
	bool running = armed(lapic) != PC_NEVER && lapic_timer_mode(lapic) != TIMER_TSC_DEADLINE;

	lapic->divide = divide & 0xb;
	if (running)
		arm_count(pc, lapic, left ? left : 1);
}

/* Going to or from TSC-deadline mode disarms the timer. */
void lapic_timer_lvt(struct pc *pc, struct lapic *lapic, u32 value)
{
	bool before = lapic_timer_mode(lapic) == TIMER_TSC_DEADLINE;

	__atomic_store_n(&lapic->lvt[LVT_TIMER], value, __ATOMIC_RELAXED);
	if (before == (lapic_timer_mode(lapic) == TIMER_TSC_DEADLINE))
		return;
	lapic->initial = 0;
	arm(pc, lapic, PC_NEVER);
}

void lapic_tsc_deadline(struct pc *pc, struct lapic *lapic, u64 tsc)
{
	if (lapic_timer_mode(lapic) == TIMER_TSC_DEADLINE && lapic_enabled(lapic))
		arm(pc, lapic, tsc == 0 ? PC_NEVER : tsc);
}

void lapic_timer_run(struct pc *pc, struct lapic *lapic, u64 now)
{
	u64 due = armed(lapic), next = PC_NEVER;

	if (due > now)
		return;
	if (lapic_timer_mode(lapic) == TIMER_PERIODIC && lapic->initial)
		next = due + ((now - due) / period(pc, lapic) + 1) * period(pc, lapic);
	/* It may be armed anew at this moment: then that deadline counts. */
	if (__atomic_compare_exchange_n(&lapic->deadline, &due, next, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		lapic_fire(pc, lapic, LVT_TIMER);
}
