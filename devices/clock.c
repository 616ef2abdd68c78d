/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/clock.h"
#include "kernel/lib/check.h"

/* Long division, one bit of the quotient a turn: a 128-bit division would need the compiler's library. */
void ratio_init(struct ratio *ratio, u64 to_hz, u64 from_hz)
{
	CHECK(to_hz > 0 && from_hz > 0);
	CHECK(to_hz < BIT(62) && from_hz < BIT(62));
	u64 rest = to_hz % from_hz;

	ratio->mult = to_hz / from_hz;
	ratio->shift = 0;
	while (ratio->mult < BIT(63)) {
		rest <<= 1;
		ratio->mult = ratio->mult << 1 | (rest >= from_hz);
		rest -= rest >= from_hz ? from_hz : 0;
		ratio->shift++;
	}
	CHECK(ratio->shift < 128);
}

void clock_init(struct clock *clock, u64 hz, u64 tsc_khz)
{
	ratio_init(&clock->ticks, hz, tsc_khz * 1000);
	ratio_init(&clock->tsc, tsc_khz * 1000, hz);
}
