/* SPDX-License-Identifier: BSD-2-Clause */
/* What is taken from whom, and how: each free state, each kind of balloon, and random VMs. */
#include "mm/reclaim.h"
#include "tests/unit/support/host.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { RANDOM_ROWS = 100000 };

static struct reclaim_row vm(u64 held, u64 target)
{
	return (struct reclaim_row){
		.max = 1000,
		.min = 100,
		.held = held,
		.target = target,
		.balloon_limit = 650,
		.has_balloon = true,
		.answers = true,
		.pages_out = true,
	};
}

static void each_state_takes_as_much_as_it_must_and_says_why(void **state)
{
	static const struct {
		enum mm_state state;
		u64 held, target;
		u64 balloon_target, page_out;
		bool throttled;
		enum reclaim_reason reason;
	} rows[] = {
		{ MM_HIGH, 800, 500, 0, 0, false, RECLAIM_PLENTY },   { MM_SOFT, 800, 500, 300, 0, false, RECLAIM_BALLOON },
		{ MM_HARD, 800, 500, 300, 300, false, RECLAIM_HARD }, { MM_LOW, 800, 500, 300, 300, true, RECLAIM_LOW },
		{ MM_SOFT, 500, 500, 0, 0, false, RECLAIM_NOTHING },  { MM_LOW, 400, 500, 0, 0, false, RECLAIM_NOTHING },
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct reclaim_row row = vm(rows[i].held, rows[i].target);

		reclaim_decide(&row, rows[i].state);
		assert_int_equal(row.balloon_target, rows[i].balloon_target);
		assert_int_equal(row.page_out, rows[i].page_out);
		assert_int_equal(row.throttled, rows[i].throttled);
		assert_int_equal(row.reason, rows[i].reason);
	}
}

static void what_cannot_be_ballooned_is_paged_out(void **state)
{
	(void)state;
	struct reclaim_row none = vm(800, 500), dead = vm(800, 500), full = vm(800, 500);

	none.has_balloon = false;
	dead.answers = false;
	full.balloon = 600;
	full.balloon_limit = 650;
	reclaim_decide(&none, MM_SOFT);
	reclaim_decide(&dead, MM_SOFT);
	reclaim_decide(&full, MM_SOFT);
	assert_int_equal(none.page_out, 300);
	assert_int_equal(none.reason, RECLAIM_NO_BALLOON);
	assert_int_equal(dead.page_out, 300);
	assert_int_equal(dead.reason, RECLAIM_BALLOON_DEAD);
	assert_int_equal(full.page_out, 250);
	assert_int_equal(full.balloon_target, 650);
	assert_int_equal(full.reason, RECLAIM_BALLOON_FULL);
}

static void where_pages_cannot_go_nothing_is_paged_out_and_that_is_said(void **state)
{
	(void)state;
	static const struct {
		enum mm_state state;
		bool answers;
		u64 balloon_target;
		enum reclaim_reason reason;
	} rows[] = {
		{ MM_SOFT, true, 300, RECLAIM_BALLOON }, { MM_SOFT, false, 300, RECLAIM_NOWHERE },
		{ MM_HARD, true, 300, RECLAIM_BALLOON }, { MM_LOW, true, 300, RECLAIM_BALLOON },
		{ MM_LOW, false, 300, RECLAIM_NOWHERE }, { MM_HIGH, false, 0, RECLAIM_PLENTY },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct reclaim_row row = vm(800, 500);

		row.pages_out = false;
		row.answers = rows[i].answers;
		reclaim_decide(&row, rows[i].state);
		assert_int_equal(row.balloon_target, rows[i].balloon_target);
		assert_int_equal(row.page_out, 0);
		assert_int_equal(row.reason, rows[i].reason);
		assert_int_equal(row.throttled, rows[i].state == MM_LOW);
	}
}

static void who_holds_more_than_its_max_gives_it_back_in_plenty_too(void **state)
{
	(void)state;
	struct reclaim_row row = vm(1200, 700), dead = vm(1200, 700);

	dead.answers = false;
	reclaim_decide(&row, MM_HIGH);
	reclaim_decide(&dead, MM_HIGH);
	assert_int_equal(row.balloon_target, 200); /* down to max, not to the target */
	assert_int_equal(row.page_out, 0);
	assert_int_equal(row.reason, RECLAIM_LIMIT);
	assert_int_equal(dead.page_out, 200);
	assert_int_equal(dead.reason, RECLAIM_BALLOON_DEAD);
}

static void a_balloon_goes_down_as_far_as_the_target_allows(void **state)
{
	(void)state;
	struct reclaim_row row = vm(400, 600);

	row.balloon = 500;
	reclaim_decide(&row, MM_HIGH);
	assert_int_equal(row.balloon_target, 300);
	row = vm(400, 1000);
	row.balloon = 500;
	reclaim_decide(&row, MM_LOW);
	assert_int_equal(row.balloon_target, 0);
}

static void every_reason_has_its_words(void **state)
{
	(void)state;
	for (u32 i = 0; i < RECLAIM_REASON_COUNT; i++)
		assert_true(strlen(reclaim_text((enum reclaim_reason)i)) > 10);
}

static void nobody_is_taken_below_target_and_what_is_taken_suffices(void **state)
{
	u64 seed = host_number("RECLAIM_SEED", 1);

	(void)state;
	printf("RECLAIM_SEED=%llu\n", seed);
	srandom((unsigned)seed);
	for (u32 i = 0; i < RANDOM_ROWS; i++) {
		struct reclaim_row row = { .max = 1 + (u64)random() % 100000 };

		row.min = (u64)random() % (row.max + 1);
		row.target = row.min + (u64)random() % (row.max - row.min + 1);
		row.held = (u64)random() % (row.max + 100);
		row.balloon = (u64)random() % (row.max + 100 - row.held);
		row.balloon_limit = (u64)random() % (row.max + 1);
		row.has_balloon = random() % 4;
		row.answers = random() % 4;
		row.pages_out = random() % 4;
		enum mm_state now = (enum mm_state)(random() % 4);

		reclaim_decide(&row, now);
		u64 keeps = now == MM_HIGH ? row.max : row.target;
		u64 excess = row.held > keeps ? row.held - keeps : 0;
		u64 more = row.balloon_target > row.balloon ? row.balloon_target - row.balloon : 0;

		assert_true(row.page_out <= excess && more <= excess && (row.pages_out || !row.page_out));
		u64 gives = row.answers ? more : 0;

		assert_true(!row.pages_out || row.page_out + gives >= excess);
		assert_true(more == 0 || (row.has_balloon && row.balloon_target <= row.balloon_limit));
		assert_int_equal(row.throttled, now == MM_LOW && excess > 0);
		assert_int_equal(row.reason == RECLAIM_NOTHING || row.reason == RECLAIM_PLENTY, excess == 0);
		assert_int_equal(row.reason == RECLAIM_NOWHERE, !row.pages_out && gives < excess);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_state_takes_as_much_as_it_must_and_says_why),
		cmocka_unit_test(what_cannot_be_ballooned_is_paged_out),
		cmocka_unit_test(where_pages_cannot_go_nothing_is_paged_out_and_that_is_said),
		cmocka_unit_test(who_holds_more_than_its_max_gives_it_back_in_plenty_too),
		cmocka_unit_test(a_balloon_goes_down_as_far_as_the_target_allows),
		cmocka_unit_test(every_reason_has_its_words),
		cmocka_unit_test(nobody_is_taken_below_target_and_what_is_taken_suffices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
