/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and classes of frames, the counters, and the free state that follows from them. */
#include "mm/frame.h"
#include "mm/state.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static int begin(void **state)
{
	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	return 0;
}

static void every_state_has_a_name_and_one_class(void **state)
{
	static const enum frame_class expected[FRAME_STATES] = {
		[FRAME_ABSENT] = CLASS_NONE,     [FRAME_FREE] = CLASS_FREE,       [FRAME_TAIL] = CLASS_FREE,
		[FRAME_CACHED] = CLASS_FREE,     [FRAME_RESERVED] = CLASS_FREE,   [FRAME_OVERHEAD] = CLASS_OVERHEAD,
		[FRAME_HINT] = CLASS_PRIVATE,    [FRAME_COPYING] = CLASS_PRIVATE, [FRAME_PRIVATE] = CLASS_PRIVATE,
		[FRAME_SHARED] = CLASS_SHARED,   [FRAME_DEBT] = CLASS_DEBT,       [FRAME_RETIRED] = CLASS_OVERHEAD,
		[FRAME_WRITING] = CLASS_PRIVATE, [FRAME_READING] = CLASS_PRIVATE, [FRAME_POOL] = CLASS_OVERHEAD,
		[FRAME_STORE] = CLASS_OVERHEAD,
	};

	(void)state;
	for (u32 i = 0; i < FRAME_STATES; i++) {
		assert_int_equal(frame_class((enum frame_state)i), expected[i]);
		assert_true(strlen(frame_state_name((enum frame_state)i)) > 0);
	}
	assert_string_equal(frame_state_name(FRAME_STATES), "unknown");
	assert_string_equal(frame_state_name((enum frame_state)255), "unknown");
}

static void class_of_no_state(void)
{
	frame_class(FRAME_STATES);
}

static void move_what_is_not_there(void)
{
	frame_move(CLASS_DEBT, CLASS_FREE, 1);
}

static void a_counter_never_falls_below_zero(void **state)
{
	(void)state;
	assert_true(fake_dies(class_of_no_state));
	assert_true(fake_dies(move_what_is_not_there));
}

static void every_move_changes_two_counters_and_the_generation(void **state)
{
	struct frame_counts before = frame_counts;

	(void)state;
	frame_move(CLASS_FREE, CLASS_PRIVATE, 7);
	assert_int_equal(frame_count(CLASS_FREE), before.of[CLASS_FREE] - 7);
	assert_int_equal(frame_count(CLASS_PRIVATE), before.of[CLASS_PRIVATE] + 7);
	assert_int_equal(frame_counts.moves, before.moves + 1);
	frame_move(CLASS_PRIVATE, CLASS_FREE, 7);
	assert_int_equal(frame_count(CLASS_FREE), before.of[CLASS_FREE]);
}

static void memory_is_ours_exactly_where_it_was_taken(void **state)
{
	static const struct {
		u32 mpn;
		bool ours;
	} rows[] = { { 0, false },
		     { 1, true },
		     { 158, true },
		     { 159, false },
		     { 255, false },
		     { 256, true },
		     { 258, true },
		     { 259, false },
		     { 699, false },
		     { 700, true },
		     { 2559, true },
		     { 2560, false },
		     { (1 << 20) - 5, false },
		     { (1 << 20) - 4, true },
		     { 1 << 20, true },
		     { (1 << 20) + 1027, true },
		     { (1 << 20) + 1028, false },
		     { UINT32_MAX, false } };

	(void)state;
	for (u32 hint = 0; hint < 6; hint++) { /* wherever it begins to look, even behind the last range */
		for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
			u32 from = hint;

			assert_int_equal(frame_is_ours(rows[i].mpn, &from), rows[i].ours);
			if (rows[i].ours)
				assert_true(frame_is_ours(rows[i].mpn, &from) && from < frame_range_count);
		}
	}
}

/* ---- the free state ---- */

static const u64 GIB = 1 << (30 - PAGE_SHIFT);

static void thresholds_are_the_papers_up_to_4_gib_and_slide_above(void **state)
{
	u64 at[FREE_STATES];

	(void)state;
	for (u64 total = 0; total <= 4 * GIB; total += 12345) {
		state_thresholds(total, at);
		assert_int_equal(at[MM_HIGH], total * 6 / 100);
		assert_int_equal(at[MM_SOFT], total * 4 / 100);
		assert_int_equal(at[MM_HARD], total * 2 / 100);
		assert_int_equal(at[MM_LOW], total / 100);
	}
	static const struct {
		u64 gib, hundredths_of_gib;
	} rows[] = {
		{ 4, 24 }, { 12, 24 + 32 }, { 28, 24 + 32 + 32 }, { 128, 24 + 32 + 32 + 100 }, { 16384, 24 + 32 + 32 + 16356 }
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 minimum = rows[i].hundredths_of_gib * GIB;

		state_thresholds(rows[i].gib * GIB, at);
		assert_int_equal(at[MM_HIGH], minimum / 100);
		assert_int_equal(at[MM_SOFT], minimum * 4 / 600);
		assert_int_equal(at[MM_HARD], minimum * 2 / 600);
		assert_int_equal(at[MM_LOW], minimum / 600);
	}
}

static void thresholds_never_fall_when_memory_grows(void **state)
{
	u64 before[FREE_STATES] = { 0 }, at[FREE_STATES];

	(void)state;
	for (u64 total = 0; total < 40 * GIB; total += GIB / 7) {
		state_thresholds(total, at);
		for (u32 i = 0; i < FREE_STATES; i++) {
			assert_true(at[i] >= before[i]);
			assert_true(i == 0 || at[i] <= at[i - 1]);
		}
		memcpy(before, at, sizeof(at));
	}
}

/* Free memory becomes `free` pages in one move. */
static void set_free(u64 free)
{
	u64 now = frame_count(CLASS_FREE);

	if (free < now)
		frame_move(CLASS_FREE, CLASS_OVERHEAD, (u32)(now - free));
	else
		frame_move(CLASS_OVERHEAD, CLASS_FREE, (u32)(free - now));
}

static void states_fall_at_once_and_rise_only_at_the_next_threshold(void **state)
{
	u64 at[FREE_STATES];

	(void)state;
	state_thresholds(frame_counts.total, at);
	assert_int_equal(state_now(), MM_HIGH);
	for (u32 low = MM_SOFT; low <= MM_LOW; low++) {
		set_free(at[low]);
		assert_int_equal(state_now(), low - 1);
		set_free(at[low] - 1);
		assert_int_equal(state_now(), low);
		set_free(at[low - 1] - 1); /* more than it fell at: not enough */
		assert_int_equal(state_now(), low);
		set_free(at[low - 1]);
		assert_int_equal(state_now(), low - 1);
		set_free(at[low] - 1);
		assert_int_equal(state_now(), low);
	}
	set_free(0);
	assert_int_equal(state_now(), MM_LOW);
	set_free(at[MM_HIGH]);
	assert_int_equal(state_now(), MM_HIGH); /* over all of them */
	set_free(0);
	assert_int_equal(state_now(), MM_LOW);
}

static void the_same_amount_of_free_memory_does_not_make_it_swing(void **state)
{
	u64 at[FREE_STATES];
	u32 changes = 0;

	(void)state;
	state_thresholds(frame_counts.total, at);
	set_free(at[MM_SOFT]);
	for (u32 i = 0; i < 1000; i++) { /* a VM that takes and gives around the threshold */
		enum mm_state before = state_now();

		set_free(at[MM_SOFT] + i % 2 - 1);
		changes += before != state_now();
	}
	assert_int_equal(changes, 1);
}

static void every_change_of_state_calls_for_work(void **state)
{
	u64 at[FREE_STATES];

	(void)state;
	state_thresholds(frame_counts.total, at);
	for (u32 low = MM_SOFT; low <= MM_LOW; low++) {
		fake_work_wanted = 0;
		set_free(at[low] - 1);
		assert_int_equal(fake_work_wanted, 1);
		fake_work_wanted = 0;
		set_free(at[low] - 2);
		assert_int_equal(fake_work_wanted, 0);
	}
	set_free(at[MM_HIGH]);
	assert_int_equal(fake_work_wanted, 1);
}

static void more_memory_raises_the_thresholds(void **state)
{
	u64 at[FREE_STATES];

	(void)state;
	state_thresholds(frame_counts.total, at);
	set_free(at[MM_SOFT]);
	assert_int_equal(state_now(), MM_HIGH);
	state_set_total(frame_counts.total + 1000);
	assert_int_equal(state_now(), MM_SOFT);
	state_set_total(frame_counts.total / 2);
	assert_int_equal(state_now(), MM_HIGH);
}

static void reservations_are_allowed_only_while_plenty_is_left_beside_them(void **state)
{
	u64 at[FREE_STATES];

	(void)state;
	state_thresholds(frame_counts.total, at);
	assert_true(state_allows_reservations());
	assert_false(state_wants_reservations_back());
	set_free(at[MM_HIGH] + LARGE_PAGES);
	assert_true(state_allows_reservations());
	set_free(at[MM_HIGH] + LARGE_PAGES - 1); /* one more would leave less than "high" */
	assert_false(state_allows_reservations());
	assert_false(state_wants_reservations_back());
	set_free(1500);
	frame_counts.set_aside = 1500 - at[MM_SOFT]; /* the state is high, but nobody else could have them */
	assert_int_equal(state_now(), MM_HIGH);
	assert_false(state_wants_reservations_back());
	frame_counts.set_aside++;
	assert_true(state_wants_reservations_back());
	fake_work_wanted = 0;
	set_free(1499);
	assert_int_equal(fake_work_wanted, 1);
	frame_counts.set_aside = 0;
	set_free(at[MM_SOFT] - 1);
	assert_true(state_wants_reservations_back());
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
	const struct CMUnitTest tests[] = {
		TEST(every_state_has_a_name_and_one_class),
		TEST(a_counter_never_falls_below_zero),
		TEST(every_move_changes_two_counters_and_the_generation),
		TEST(memory_is_ours_exactly_where_it_was_taken),
		TEST(thresholds_are_the_papers_up_to_4_gib_and_slide_above),
		TEST(thresholds_never_fall_when_memory_grows),
		TEST(states_fall_at_once_and_rise_only_at_the_next_threshold),
		TEST(the_same_amount_of_free_memory_does_not_make_it_swing),
		TEST(every_change_of_state_calls_for_work),
		TEST(more_memory_raises_the_thresholds),
		TEST(reservations_are_allowed_only_while_plenty_is_left_beside_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
