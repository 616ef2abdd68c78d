/* SPDX-License-Identifier: BSD-2-Clause */
/* Sharing stays below its rates and its share of a CPU, says when it may go on, and begins its passes by itself. */
#include "mm/limits.h"
#include "mm/pmap.h"
#include "mm/share.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { A, B, PAGES = 400 };
static const u64 SECOND = 1000000000;

static int begin(void **state)
{
	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	assert_int_equal(share_init(), OK);
	for (u32 slot = A; slot <= B; slot++) {
		fake_vm_group(slot, 0);
		assert_int_equal(fake_vm_start(slot, PAGES, PAGES), OK);
		for (u32 i = 0; i < PAGES; i++)
			fake_put(slot, i, 0, 1 + i);
	}
	fake_settle_everything();
	return 0;
}

static void set(struct mm_share_limits limits)
{
	assert_int_equal(mm_share_set(&limits), OK);
}

static int end(void **state)
{
	(void)state;
	set((struct mm_share_limits){ 0 });
	fake_vm_end_clean(A);
	fake_vm_end_clean(B);
	return 0;
}

static u64 hashed(u32 slot)
{
	return fake_vm(slot)->scan.counts.hashed;
}

/* As a worker: as long as there is something to do, else until it may go on, `ns` in all. */
static void run_for(u64 ns, u32 pages)
{
	u64 until = platform_time_ns() + ns;

	while (platform_time_ns() < until) {
		if (mm_share_step(pages)) {
			fake_end_steps();
			continue;
		}
		fake_settle_everything();
		u64 now = platform_time_ns(), later = mm_share_later();

		fake_pass_time(later > now && later < until ? later - now : later <= now ? SECOND / 1000 : until - now);
	}
}

static void a_vm_stays_below_its_rate(void **state)
{
	(void)state;
	set((struct mm_share_limits){ .pages_vm = 20 });
	mm_share_begin_pass(fake_vm(A));
	mm_share_begin_pass(fake_vm(B));
	run_for(10 * SECOND, 4);
	for (u32 slot = A; slot <= B; slot++)
		assert_true(hashed(slot) >= 180 && hashed(slot) <= 204);
}

static void all_together_stay_below_theirs(void **state)
{
	(void)state;
	set((struct mm_share_limits){ .pages_all = 30 });
	mm_share_begin_pass(fake_vm(A));
	mm_share_begin_pass(fake_vm(B));
	run_for(10 * SECOND, 4);
	assert_true(hashed(A) + hashed(B) >= 270 && hashed(A) + hashed(B) <= 304);
	assert_true(hashed(A) > 100 && hashed(B) > 100); /* in turn */
}

/* A large piece is paid for by a long wait. */
static void large_pieces_do_not_help(void **state)
{
	(void)state;
	set((struct mm_share_limits){ .pages_vm = 20 });
	mm_share_begin_pass(fake_vm(A));
	run_for(10 * SECOND, 100);
	assert_true(hashed(A) <= 300);
}

static void the_share_of_a_cpu_is_bounded(void **state)
{
	u64 worked = 0, from = platform_time_ns();

	(void)state;
	set((struct mm_share_limits){ .cpu_permille = 50 });
	for (u32 i = 0; i < 100; i++) {
		lock_acquire(fake_vm(A)->lock);
		bool may = limits_allow();

		if (may)
			limits_spend(fake_vm(A), 1, 1000); /* a step of 1 µs */
		lock_release(fake_vm(A)->lock);
		worked += may ? 1000 : 0;
		fake_pass_time(1000);
	}
	u64 time = platform_time_ns() - from;

	assert_true(worked * 1000 <= time * 50 + 1000 * 1000);
	assert_true(worked * 1000 >= time * 40);
}

static void a_step_that_is_over_its_budget_says_when(void **state)
{
	(void)state;
	set((struct mm_share_limits){ .pages_vm = 10 });
	mm_share_begin_pass(fake_vm(A));
	while (mm_share_step(5))
		fake_end_steps();
	u64 now = platform_time_ns(), later = mm_share_later();

	assert_true(later > now && later <= now + SECOND);
	fake_pass_time(later - now - SECOND / 1000); /* looking at the clock takes its time, too */
	assert_false(mm_share_step(5));
	fake_pass_time(SECOND / 1000);
	assert_true(mm_share_step(5));
}

static void passes_begin_by_themselves(void **state)
{
	(void)state;
	assert_int_equal(mm_share_later(), UINT64_MAX);
	assert_false(mm_share_step(8));
	set((struct mm_share_limits){ .interval_ns = 60 * SECOND });
	run_for(30 * SECOND, 8);
	assert_true(hashed(A) >= PAGES && hashed(B) >= PAGES);
	assert_int_equal(fake_vm(A)->scan.pass, 1);
	run_for(300 * SECOND, 8);
	assert_true(fake_vm(A)->scan.pass >= 4 && fake_vm(A)->scan.pass <= 6);
	mm_share_allow(fake_vm(A), false);
	run_for(SECOND, 8);
	u32 passes = fake_vm(A)->scan.pass;

	run_for(300 * SECOND, 8);
	assert_int_equal(fake_vm(A)->scan.pass, passes); /* not where nothing may be shared */
}

static void coming_apart_does_not_wait_for_a_rate(void **state)
{
	struct mm_sharing sharing;

	(void)state;
	for (u32 i = 0; i < 20; i++)
		fake_put(A, i, 0, 77);
	mm_share_begin_pass(fake_vm(A));
	for (u32 i = 0; i < 3; i++) {
		while (mm_share_step(8))
			;
		fake_settle_everything();
	}
	set((struct mm_share_limits){ .pages_vm = 1, .pages_all = 1, .cpu_permille = 1 });
	fake_put(B, 1, 0, 1000);
	mm_share_begin_pass(fake_vm(B));
	while (mm_share_step(8))
		;
	mm_share_allow(fake_vm(A), false);
	for (u32 i = 0; i < 3; i++) {
		while (mm_share_step(8))
			;
		fake_settle_everything();
	}
	mm_share_look(fake_vm(A), &sharing);
	assert_false(sharing.coming_apart);
	assert_int_equal(fake_vm(A)->references, 0);
}

static void what_is_out_of_range_changes_nothing(void **state)
{
	static const struct mm_share_limits wrong[] = {
		{ .pages_vm = 1000000001 },
		{ .pages_all = 1000000001 },
		{ .cpu_permille = 1001 },
		{ .interval_ns = MM_SHARE_LONGEST_NS + 1 },
	};

	(void)state;
	set((struct mm_share_limits){ .pages_vm = 10 });
	for (u32 i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(mm_share_set(&wrong[i]), E_RANGE);
	mm_share_begin_pass(fake_vm(A));
	while (mm_share_step(5))
		fake_end_steps();
	assert_true(mm_share_later() > platform_time_ns());
	set(MM_SHARE_LIMITS);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_vm_stays_below_its_rate),
		TEST(all_together_stay_below_theirs),
		TEST(large_pieces_do_not_help),
		TEST(the_share_of_a_cpu_is_bounded),
		TEST(a_step_that_is_over_its_budget_says_when),
		TEST(passes_begin_by_themselves),
		TEST(coming_apart_does_not_wait_for_a_rate),
		TEST(what_is_out_of_range_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
