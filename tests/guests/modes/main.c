/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guests/modes/modes.h"

/* A hardware task switch, which only protected mode without IA-32e has: the end of this guest. */
static void task_switch(void)
{
	static const struct operation to_task[] = { { OP_LTR, TASK32, 0, 0 }, { OP_TASK, TASK16, 0, 0 } };

	say("modes: task switch\n");
	trip_run(to_task, ARRAY_SIZE(to_task));
	say("modes: survived the task switch\n");
}

void guest_main(void)
{
	static const struct promise list[] = {
		{ "every_mode_from_every_mode", every_mode_from_every_mode },
		{ "what_the_manual_forbids", what_the_manual_forbids },
		{ "random_walks", random_walks },
	};

	if (guest_option("task_switch"))
		task_switch();
	promises_run("modes", list, ARRAY_SIZE(list));
}
