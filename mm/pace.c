/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/pace.h"

void pace_spend(struct pace *pace, u64 ns)
{
	u64 now = platform_time_ns();
	u64 next = __atomic_load_n(&pace->next_ns, __ATOMIC_RELAXED);
	u64 from;

	do
		from = next > now ? next : now;
	while (!__atomic_compare_exchange_n(&pace->next_ns, &next, from + ns, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}
