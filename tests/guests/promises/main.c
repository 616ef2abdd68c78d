/* SPDX-License-Identifier: BSD-2-Clause */
/* Every architectural promise, area by area: a line each, and a sum for each area. */
#include "tests/guests/promises/promises.h"

void guest_main(void)
{
	static const struct promises *const areas[] = { &promises_state,    &promises_debug,  &promises_interrupts,
							&promises_features, &promises_memory, &promises_clocks,
							&promises_cpus };

	for (u32 i = 0; i < ARRAY_SIZE(areas); i++)
		promises_run(areas[i]->name, areas[i]->list, areas[i]->count);
	say("promises: done\n");
}
