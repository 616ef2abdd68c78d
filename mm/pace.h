/* SPDX-License-Identifier: BSD-2-Clause */
/* Rates: what was spent is paid for by waiting, so that the average stays below the rate however large a piece is.  Several CPUs may spend. */
#pragma once
#include "mm/platform.h"

struct pace {
	u64 next_ns; /* when it may go on; 0: never limited */
};

static inline bool pace_allows(const struct pace *pace)
{
	u64 next = __atomic_load_n(&pace->next_ns, __ATOMIC_RELAXED);

	return !next || platform_time_ns() >= next;
}

/* `ns` from now on, or from when it had to wait for anyway. */
void pace_spend(struct pace *pace, u64 ns);
