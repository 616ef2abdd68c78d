/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/random.h"
#include "tests/unit/fake/kernel/core/cpu.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void streams_of_cpus_differ_and_no_number_repeats(void **state)
{
	enum { DRAWS = 4096 };
	static u64 seen[2 * DRAWS];
	u8 entropy[100];

	(void)state;
	memset(entropy, 0x5a, sizeof(entropy));
	random_seed(entropy, sizeof(entropy));
	for (u32 i = 0; i < 2 * DRAWS; i++) {
		fake_cpu_set(i % 2);
		seen[i] = random_u64();
		for (u32 k = i < 64 ? 0 : i - 64; k < i; k++)
			assert_int_not_equal(seen[i], seen[k]);
	}
	fake_cpu_set(0);
}

static void every_bit_is_set_about_half_of_the_time(void **state)
{
	enum { DRAWS = 20000 };
	u32 ones[64] = { 0 };

	(void)state;
	for (u32 i = 0; i < DRAWS; i++) {
		u64 number = random_u64();

		for (u32 bit = 0; bit < 64; bit++)
			ones[bit] += (u32)(number >> bit & 1);
	}
	for (u32 bit = 0; bit < 64; bit++)
		assert_in_range(ones[bit], DRAWS / 2 - 500, DRAWS / 2 + 500); /* seven standard deviations */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_of_cpus_differ_and_no_number_repeats),
		cmocka_unit_test(every_bit_is_set_about_half_of_the_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
