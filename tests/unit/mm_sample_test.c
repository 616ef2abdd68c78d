/* SPDX-License-Identifier: BSD-2-Clause */
/* Active memory: the estimate against working sets that are known, its averages, and its confidence against the binomial distribution. */
#include "mm/sample.h"
#include "mm/pmap.h"
#include "tests/unit/support/platform_fake.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SLOT, PAGES = 1500 };
#define PERIOD 1000ULL

static u64 now;

static int begin(void **state)
{
	(void)state;
	now = 0;
	fake_reset(1, true);
	fake_small_machine();
	assert_int_equal(fake_vm_start(SLOT, PAGES, PAGES), OK);
	assert_int_equal(mm_sample_set(100, PERIOD), OK);
	return 0;
}

static int end(void **state)
{
	(void)state;
	fake_vm_end_clean(SLOT);
	return 0;
}

static void touch(u32 page, enum mm_access access)
{
	u64 word = 1;

	assert_int_equal(fake_try(SLOT, page, 0, &word, access), OK);
}

/* A period in which the guest touches its first `used` pages, and 100 other pages are drawn. */
static void run_period(u32 used)
{
	while (mm_sample_step(fake_vm(SLOT), now))
		;
	fake_audit_memory();
	for (u32 page = 0; page < used; page++)
		touch(page, page % 3 ? MM_READ : MM_WRITE);
	now += PERIOD;
}

static struct mm_active active(void)
{
	struct mm_active active;

	mm_active(fake_vm(SLOT), &active);
	return active;
}

static void the_estimate_finds_the_working_set(void **state)
{
	static const u32 used[] = { 0, 150, 750, 1350, 1500 };

	(void)state;
	for (u32 page = 0; page < PAGES; page++)
		touch(page, MM_WRITE);
	for (u32 i = 0; i < ARRAY_SIZE(used); i++) {
		u32 raw = 0;
		u64 truth = (u64)used[i] * SAMPLE_ONE / PAGES;

		for (u32 period = 0; period < 20; period++) {
			run_period(used[i]);
			raw += active().raw;
		}
		assert_true(llabs((s64)(raw / 20) - (s64)truth) < SAMPLE_ONE / 25);
		assert_true(active().estimate + SAMPLE_ONE / 8 >= truth);
	}
}

static void the_sweep_counts_every_touched_page(void **state)
{
	(void)state;
	for (u32 page = 0; page < PAGES; page++)
		touch(page, MM_WRITE);
	run_period(0);
	run_period(0);
	for (u32 used = 0; used <= PAGES; used += 300) {
		run_period(used);
		run_period(0);
		assert_true(active().sweep_known);
		assert_int_equal(active().swept, (u64)used * SAMPLE_ONE / PAGES);
		run_period(0);
	}
}

static void without_flags_the_sweep_says_that_it_does_not_know(void **state)
{
	(void)state;
	fake_vm_end(SLOT);
	fake_reset(1, false);
	fake_small_machine();
	assert_int_equal(fake_vm_start(SLOT, PAGES, PAGES), OK);
	for (u32 period = 0; period < 5; period++)
		run_period(300);
	assert_false(active().sweep_known);
	assert_true(active().raw > 0 && active().raw < SAMPLE_ONE / 2);
}

static void a_device_counts_as_its_guest(void **state)
{
	void *at;

	(void)state;
	for (u32 page = 0; page < PAGES; page++)
		touch(page, MM_WRITE);
	run_period(0);
	for (u32 period = 0; period < 5; period++) {
		while (mm_sample_step(fake_vm(SLOT), now))
			;
		for (u32 page = 0; page < PAGES; page++)
			assert_int_equal(mm_reach(fake_vm(SLOT), 0, gpa_of((ppn_t){ page }), 1, MM_READ, &at), OK);
		now += PERIOD;
	}
	while (mm_sample_step(fake_vm(SLOT), now))
		;
	assert_int_equal(active().raw, SAMPLE_ONE);
}

static void giving_up_and_ending_a_period_are_no_accesses(void **state)
{
	(void)state;
	for (u32 page = 0; page < PAGES; page++)
		touch(page, MM_WRITE);
	for (u32 period = 0; period < 4; period++) {
		run_period(0);
		for (u32 page = period * 300; page < period * 300 + 300; page++)
			assert_int_equal(mm_give_up(fake_vm(SLOT), 0, (ppn_t){ page }), OK);
		fake_settle_everything();
	}
	run_period(0);
	assert_int_equal(active().raw, 0);
}

static void it_goes_up_quickly_and_down_slowly(void **state)
{
	struct sample_averages averages = { 0 };

	(void)state;
	assert_int_equal(sample_estimate(&averages, 0, 0), SAMPLE_ONE);
	for (u32 i = 0; i < 50; i++)
		sample_add(&averages, 0, 100);
	assert_int_equal(sample_estimate(&averages, 0, 100), 0);
	assert_int_equal(sample_estimate(&averages, 100, 100), SAMPLE_ONE / 2); /* in the same period */
	sample_add(&averages, 100, 100);
	sample_add(&averages, 100, 100);
	assert_true(sample_estimate(&averages, 100, 100) >= SAMPLE_ONE * 7 / 8);
	for (u32 i = 0; i < 50; i++)
		sample_add(&averages, 100, 100);
	assert_int_equal(sample_estimate(&averages, 0, 100), SAMPLE_ONE);
	u32 periods = 0;

	for (; sample_estimate(&averages, 0, 100) > SAMPLE_ONE / 2; periods++)
		sample_add(&averages, 0, 100);
	assert_true(periods >= 4 && periods <= 8);
}

static double binomial(u32 n, u32 t, double p)
{
	if (p <= 0 || p >= 1)
		return t == (p <= 0 ? 0 : n);
	return exp(lgamma(n + 1) - lgamma(t + 1) - lgamma(n - t + 1) + t * log(p) + (n - t) * log(1 - p));
}

static void the_interval_holds_the_truth_in_95_of_100_cases(void **state)
{
	static const u32 sizes[] = { 1, 10, 25, 100, 400, 1000 };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		u32 n = sizes[i];

		for (u32 step = 0; step <= 200; step++) {
			double p = step / 200.0, covered = 0;

			for (u32 t = 0; t <= n; t++) {
				struct sample_interval interval = sample_interval(t, n);

				if (p * SAMPLE_ONE >= interval.low - 1.0 && p * SAMPLE_ONE <= interval.high + 1.0)
					covered += binomial(n, t, p);
			}
			assert_true(covered >= 0.95);
		}
	}
	/* As narrow as the paper's numbers: 9.8 points at 100, 3.1 at 1,000. */
	assert_true(sample_interval(50, 100).high - sample_interval(50, 100).low < SAMPLE_ONE * 21 / 100);
	assert_true(sample_interval(500, 1000).high - sample_interval(500, 1000).low < SAMPLE_ONE * 64 / 1000);
}

static void wrong_settings_change_nothing(void **state)
{
	(void)state;
	assert_int_equal(mm_sample_set(0, PERIOD), E_RANGE);
	assert_int_equal(mm_sample_set(1025, PERIOD), E_RANGE);
	assert_int_equal(mm_sample_set(100, 0), E_RANGE);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(the_estimate_finds_the_working_set),
		TEST(the_sweep_counts_every_touched_page),
		TEST(without_flags_the_sweep_says_that_it_does_not_know),
		TEST(a_device_counts_as_its_guest),
		TEST(giving_up_and_ending_a_period_are_no_accesses),
		cmocka_unit_test(it_goes_up_quickly_and_down_slowly),
		cmocka_unit_test(the_interval_holds_the_truth_in_95_of_100_cases),
		TEST(wrong_settings_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
