/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile guest: random accesses to every port, register and page, random time.  After each of them every invariant of the PC holds,
 * the host has been called a bounded number of times, and no timer makes more work than its fastest rate, however long it was away.
 */
#include "tests/unit/support/pc_hostile.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { ROUNDS = 400, STEPS = 2500 };

static u32 draw(u32 bytes)
{
	return (u32)mrand48() >> (32 - 8 * bytes);
}

static void no_guest_breaks_an_invariant_or_floods_the_host(void **state)
{
	long seed = (long)time(NULL);

	(void)state;
	print_message("seed %ld\n", seed);
	srand48(seed);
	pc_hostile_draw = draw;
	for (u32 round = 0; round < ROUNDS; round++) {
		pc_hostile_begin(1 + draw(1) % PC_MAX_VCPUS, round % 4 ? 500000 + draw(4) % 4500000 : FAKE_TSC_KHZ);
		if (draw(1) % 2)
			fake_x2apic();
		for (u32 i = 0; i < STEPS; i++)
			pc_hostile_step();
		pc_hostile_reset_works();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_guest_breaks_an_invariant_or_floods_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, fake_pc_free);
}
