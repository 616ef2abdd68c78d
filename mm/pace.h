/* SPDX-License-Identifier: BSD-2-Clause */
/* A rate: what was spent is paid for by waiting, however large the piece was.  Several CPUs may spend. */
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

void pace_spend(struct pace *pace, u64 ns);
