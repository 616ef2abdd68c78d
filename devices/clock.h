/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clocks that a device derives from the VM's TSC: fractions prepared once, then a multiplication and a shift.  Ticks are
 * counted from VM TSC 0, so no rounding error ever adds up.
 */
#pragma once
#include "kernel/lib/types.h"

/* value × mult / 2^shift, exact to 63 bits. */
struct ratio {
	u64 mult;
	u32 shift;
};

struct clock {
	struct ratio ticks; /* of one TSC tick */
	struct ratio tsc;   /* of one clock tick */
};

void ratio_init(struct ratio *ratio, u64 to_hz, u64 from_hz);
void clock_init(struct clock *clock, u64 hz, u64 tsc_khz);

static inline u64 ratio_apply(const struct ratio *ratio, u64 value)
{
	return (u64)(((unsigned __int128)value * ratio->mult) >> ratio->shift);
}

/* Whole ticks since VM TSC 0. */
static inline u64 clock_ticks(const struct clock *clock, u64 tsc)
{
	return ratio_apply(&clock->ticks, tsc);
}

/*
 * A TSC value at which clock_ticks() has reached `ticks`, less than one clock tick or two TSC ticks late; never early, for then the
 * device would find that nothing has happened yet.  Good for VM TSC values up to 2^62.
 */
static inline u64 clock_tsc(const struct clock *clock, u64 ticks)
{
	u64 tsc = ratio_apply(&clock->tsc, ticks) + 1;

	return tsc + (clock_ticks(clock, tsc) < ticks);
}
