/* SPDX-License-Identifier: BSD-2-Clause */
/* 2 MiB mappings: earned by reservation, lost page by page, handed back when memory is short. */
#include "mm/frame.h"
#include "mm/pmap.h"
#include "mm/reserve.h"
#include "mm/share.h"
#include "mm/state.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SLOT = 0, PAGES = 1024 + 76, LOW = 1024, BALLAST = 4096 };

static mpn_t ballast[BALLAST];
static u32 ballast_count;

static int begin(void **state)
{
	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	assert_int_equal(fake_vm_start(SLOT, PAGES, LOW), OK);
	ballast_count = 0;
	return 0;
}

static int end(void **state)
{
	struct mm_totals totals;

	(void)state;
	fake_check();
	while (ballast_count)
		mm_overhead_free(ballast[--ballast_count], 0);
	fake_vm_end(SLOT);
	fake_settle_everything();
	mm_totals(&totals);
	assert_int_equal(totals.private_ + totals.debt_frames, 0);
	assert_int_equal(frame_counts.set_aside, 0);
	fake_check();
	fake_check_poison();
	return 0;
}

static struct mm_usage usage(void)
{
	struct mm_usage all;

	fake_check();
	fake_audit_memory();
	mm_vm_usage(fake_vm(SLOT), &all);
	return all;
}

static void write_page(u32 page, u8 byte)
{
	bool stale;

	assert_int_equal(fake_touch(SLOT, 0, gpa_of((ppn_t){ page }), &byte, 1, MM_WRITE, &stale), OK);
}

static u8 read_page(u32 page)
{
	bool stale;
	u8 byte;

	assert_int_equal(fake_touch(SLOT, 0, gpa_of((ppn_t){ page }), &byte, 1, MM_READ, &stale), OK);
	return byte;
}

static void write_block(u32 first)
{
	for (u32 i = 0; i < LARGE_PAGES; i++)
		write_page(first + i, (u8)(i % 251));
}

static void expect_block(u32 first)
{
	for (u32 i = 0; i < LARGE_PAGES; i++)
		assert_int_equal(read_page(first + i), (u8)(i % 251));
}

static mpn_t frame_behind(u32 ppn)
{
	struct page page;

	lock_acquire(fake_vm(SLOT)->lock);
	assert_true(pmap_look(fake_vm(SLOT), (ppn_t){ ppn }, &page));
	lock_release(fake_vm(SLOT)->lock);
	return (mpn_t){ entry_frame(page_entry(&page)) };
}

/* Take overhead frames until the machine is in this state. */
static void press(enum mm_state wanted)
{
	while (state_now() < wanted) {
		assert_true(ballast_count < BALLAST);
		if (mm_overhead_alloc(0, &ballast[ballast_count])) /* what is left is set aside: hand it back first */
			fake_settle_everything();
		else
			ballast_count++;
	}
}

static void a_block_that_is_complete_becomes_one_mapping_without_a_copy(void **state)
{
	(void)state;
	write_page(0, 0);
	mpn_t first = frame_behind(0);

	assert_int_equal(first.n % LARGE_PAGES, 0);
	assert_int_equal(usage().large, 0);
	write_block(0);
	assert_int_equal(usage().large, 1);
	assert_true(fake_large_fills >= 1);
	for (u32 i = 0; i < LARGE_PAGES; i++)
		assert_int_equal(frame_behind(i).n, first.n + i);
	expect_block(0);
	fake_settle_everything();
	u64 fills = fake_fills;

	fake_cpu_set(2); /* a CPU that has seen none of it walks to the large leaf */
	expect_block(0);
	assert_int_equal(fake_fills, fills);
}

static void memory_above_4_gib_may_be_large_too(void **state)
{
	(void)state;
	fake_vm_end(SLOT);
	assert_int_equal(fake_vm_start(SLOT, 1024, 512), OK);
	write_block(1 << 20);
	assert_int_equal(usage().large, 1);
	expect_block(1 << 20);
}

static void a_block_that_is_not_all_memory_is_not_reserved(void **state)
{
	(void)state;
	write_page(1 << 20, 1); /* 76 pages there */
	usage();
	assert_int_equal(frame_counts.set_aside, 0);
}

static void a_page_that_is_given_up_ends_the_large_mapping_and_may_come_back(void **state)
{
	(void)state;
	write_block(0);
	u32 first = frame_behind(0).n;

	fake_settle_everything();
	assert_int_equal(mm_give_up(fake_vm(SLOT), 0, (ppn_t){ 100 }), OK);
	assert_int_equal(usage().large, 0);
	fake_settle_everything();
	assert_int_equal(usage().ballooned, 1);
	for (u32 i = 0; i < LARGE_PAGES; i++) {
		if (i != 100)
			assert_int_equal(read_page(i), (u8)(i % 251));
	}
	assert_int_equal(mm_overhead_alloc(0, &ballast[ballast_count++]), OK); /* somebody else takes what is free */
	assert_int_equal(read_page(100), 0);
	assert_int_equal(frame_behind(100).n, first + 100); /* it was set aside for it */
	write_page(100, 100);
	write_page(101, 101);
	fake_cpu_set(3);
	expect_block(0);
	assert_int_equal(usage().large, 1);
}

static void a_watched_page_ends_the_large_mapping_until_it_is_touched(void **state)
{
	struct mm_history seen;

	(void)state;
	write_block(0);
	fake_settle_everything();
	assert_int_equal(mm_watch(fake_vm(SLOT), (ppn_t){ 7 }, MM_WATCH_SAMPLED), OK);
	assert_int_equal(usage().large, 0);
	fake_settle_everything();
	for (u32 i = 8; i < 40; i++)
		assert_int_equal(read_page(i), i);
	assert_int_equal(mm_history(fake_vm(SLOT), (ppn_t){ 7 }, &seen), OK);
	assert_true(seen.sampled);
	fake_settle_everything();
	assert_int_equal(read_page(7), 7);
	assert_int_equal(usage().large, 1);
	assert_int_equal(mm_history(fake_vm(SLOT), (ppn_t){ 7 }, &seen), OK);
	assert_false(seen.sampled);
	expect_block(0);
}

static void the_flags_of_a_large_leaf_hold_for_all_its_pages(void **state)
{
	struct mm_history seen;

	(void)state;
	write_block(0);
	fake_settle_everything();
	assert_int_equal(mm_history(fake_vm(SLOT), (ppn_t){ 3 }, &seen), OK);
	for (u32 i = 0; i < LARGE_PAGES; i++) {
		assert_int_equal(mm_history(fake_vm(SLOT), (ppn_t){ i }, &seen), OK);
		fake_settle_everything();
	}
	write_page(3, 9); /* no fault: one dirty flag for 512 pages */
	assert_int_equal(mm_history(fake_vm(SLOT), (ppn_t){ 500 }, &seen), OK);
	assert_true(seen.changed);
	assert_int_equal(mm_history(fake_vm(SLOT), (ppn_t){ 3 }, &seen), OK);
	assert_true(seen.changed);
	usage();
}

static void a_split_forgets_no_write(void **state)
{
	struct mm_history seen;

	(void)state;
	write_block(0);
	fake_settle_everything();
	for (u32 i = 0; i < LARGE_PAGES; i++)
		assert_int_equal(mm_history(fake_vm(SLOT), (ppn_t){ i }, &seen), OK);
	fake_settle_everything();
	write_page(3, 9);
	assert_int_equal(mm_watch(fake_vm(SLOT), (ppn_t){ 77 }, MM_WATCH_GUARDED), OK);
	assert_int_equal(mm_history(fake_vm(SLOT), (ppn_t){ 3 }, &seen), OK);
	assert_true(seen.changed);
	usage();
}

/* The small leaves' flags go with their table. */
static void becoming_large_forgets_no_write(void **state)
{
	struct mm_history seen;

	(void)state;
	for (u32 i = 0; i < LARGE_PAGES - 1; i++)
		write_page(i, 1);
	for (u32 i = 0; i < LARGE_PAGES - 1; i++)
		assert_int_equal(mm_history(fake_vm(SLOT), (ppn_t){ i }, &seen), OK);
	fake_settle_everything();
	write_page(3, 9); /* no fault: only its leaf knows */
	fake_end_steps();
	assert_int_equal(mm_resolve(fake_vm(SLOT), 0, (ppn_t){ LARGE_PAGES - 1 }, MM_WRITE), OK); /* and no access follows */
	assert_int_equal(usage().large, 1);
	assert_int_equal(mm_history(fake_vm(SLOT), (ppn_t){ 3 }, &seen), OK);
	assert_true(seen.changed && seen.touched);
}

static void lost_tables_come_back_as_one_large_fill(void **state)
{
	(void)state;
	write_block(0);
	fake_step_end();
	fake_drop_all(SLOT);
	fake_settle_everything();
	fake_large_fills = fake_fills = 0;
	expect_block(0);
	assert_int_equal(fake_fills, 1);
	assert_int_equal(fake_large_fills, 1);
	usage();
}

static void a_fetch_that_faults_on_a_large_leaf_gets_a_small_one(void **state)
{
	(void)state;
	write_block(0);
	fake_step_end();
	fake_large_fills = fake_fills = 0;
	assert_int_equal(mm_resolve(fake_vm(SLOT), 0, (ppn_t){ 9 }, MM_EXECUTE), OK);
	assert_int_equal(fake_large_fills, 0);
	assert_int_equal(fake_fills, 1);
	assert_int_equal(usage().large, 0);
	fake_settle_everything();
	expect_block(0);
}

static void reservations_are_handed_back_when_memory_is_short(void **state)
{
	struct mm_totals before, after;

	(void)state;
	for (u32 i = 0; i < LARGE_PAGES; i += 2) /* the worst pattern: 256 runs */
		write_page(i, (u8)(i % 251));
	assert_int_equal(frame_counts.set_aside, LARGE_PAGES / 2);
	press(MM_SOFT);
	mm_totals(&before);
	assert_true(fake_work_wanted);
	for (u32 steps = 0; mm_work_step(); steps++) {
		assert_true(steps < 50);
		usage();
	}
	assert_int_equal(frame_counts.set_aside, 0);
	mm_totals(&after);
	assert_int_equal(after.free, before.free); /* they were free all the time */
	for (u32 i = 0; i < LARGE_PAGES; i += 2)
		assert_int_equal(read_page(i), (u8)(i % 251));
	/* None is made now. */
	write_page(LARGE_PAGES, 1);
	assert_int_equal(frame_counts.set_aside, 0);
	usage();
}

static void a_complete_block_stays_large_when_memory_is_short(void **state)
{
	(void)state;
	write_block(0);
	write_page(LARGE_PAGES, 1); /* beside one that is handed back */
	press(MM_HARD);
	fake_settle_everything();
	assert_int_equal(usage().large, 1);
	assert_int_equal(frame_counts.set_aside, 0);
	expect_block(0);
}

static void who_finds_no_frame_is_woken_when_reservations_are_broken(void **state)
{
	bool stale;
	u8 byte = 1;
	u32 waits = 0;

	(void)state;
	write_page(0, 1); /* 511 frames are set aside */
	while (mm_overhead_alloc(0, &ballast[ballast_count]) == OK)
		ballast_count++;
	assert_int_equal(frame_counts.set_aside, LARGE_PAGES - 1);
	mpn_t frame;

	assert_int_equal(mm_overhead_alloc(0, &frame), E_NO_MEMORY);
	/* A page of another block needs entries, too: nothing to be had at once. */
	while (fake_touch(SLOT, 2, gpa_of((ppn_t){ 600 }), &byte, 1, MM_WRITE, &stale) != OK) {
		assert_true(waits++ < 10);
		usage();
		fake_settle_everything();
		assert_true(fake_woken(SLOT, 2) > 0);
	}
	assert_true(waits > 0);
	assert_int_equal(read_page(600), 1);
}

/* The state is "high" while nothing but set-aside frames is left: tables and other VMs must find theirs all the same. */
static void reservations_leave_room_for_everybody_else(void **state)
{
	u64 at[FREE_STATES];

	(void)state;
	write_page(0, 1);
	write_page(LARGE_PAGES, 1);
	assert_int_equal(frame_counts.set_aside, 2 * (LARGE_PAGES - 1));
	state_thresholds(frame_counts.total, at);
	for (u32 i = 0; state_now() == MM_HIGH; i++) {
		assert_int_equal(mm_overhead_alloc(0, &ballast[ballast_count]), OK); /* never refused while there is so much */
		ballast_count++;
		if (fake_work_wanted) {
			fake_work_wanted = 0;
			for (u32 step = 0; step < 3; step++)
				(void)mm_work_step();
		}
		assert_true(frame_count(CLASS_FREE) - frame_counts.set_aside + 64 > at[MM_HARD]);
	}
	usage();
}

static void no_reservation_is_made_that_would_be_wanted_back_at_once(void **state)
{
	u64 at[FREE_STATES];

	(void)state;
	state_thresholds(frame_counts.total, at);
	while (frame_count(CLASS_FREE) >= at[MM_HIGH] + LARGE_PAGES) {
		assert_int_equal(mm_overhead_alloc(0, &ballast[ballast_count]), OK);
		ballast_count++;
	}
	assert_int_equal(state_now(), MM_HIGH);
	write_page(0, 1);
	assert_int_equal(frame_counts.set_aside, 0);
}

/* A fill that failed for its own reasons is no reason to break large mappings in the making. */
static void who_waits_while_frames_are_free_breaks_no_reservation(void **state)
{
	bool stale;
	u8 byte = 1;

	(void)state;
	write_page(0, 1);
	fake_fail_fills(1);
	assert_int_equal(fake_touch(SLOT, 2, gpa_of((ppn_t){ 1 }), &byte, 1, MM_WRITE, &stale), E_NO_MEMORY);
	fake_fail_fills(0);
	fake_settle_everything();
	assert_true(fake_woken(SLOT, 2) > 0);
	assert_true(frame_counts.set_aside >= LARGE_PAGES - 2);
	write_block(0);
	assert_int_equal(usage().large, 1);
}

static u8 fetch(u32 page)
{
	bool stale;
	u8 byte;

	assert_int_equal(fake_touch(SLOT, 0, gpa_of((ppn_t){ page }), &byte, 1, MM_EXECUTE, &stale), OK);
	return byte;
}

static void code_runs_from_a_large_mapping_where_that_is_allowed(void **state)
{
	(void)state;
	write_block(0);
	fake_cpu_set(1);
	u64 fills = fake_fills;

	for (u32 i = 0; i < LARGE_PAGES; i += 7)
		assert_int_equal(fetch(i), (u8)(i % 251));
	assert_int_equal(fake_fills, fills);
	assert_int_equal(usage().large, 1);
}

static void a_block_that_code_ran_in_stays_small_where_large_leaves_do_not_execute(void **state)
{
	(void)state;
	fake_large_executes(false);
	write_block(0);
	assert_int_equal(usage().large, 1);
	assert_int_equal(fetch(9), 9);
	assert_int_equal(usage().large, 0);
	fake_settle_everything();
	expect_block(0);
	assert_int_equal(usage().large, 0);
	for (u32 i = 0; i < LARGE_PAGES; i++)
		assert_int_equal(fetch(i), (u8)(i % 251));
	assert_int_equal(usage().large, 0);
	usage();
}

/* The split for a fetch may fail: then the large mapping is in force as before, with its flags. */
static void a_failed_split_for_a_fetch_loses_no_history(void **state)
{
	struct mm_history seen;
	bool stale;
	u8 byte;

	(void)state;
	fake_large_executes(false);
	write_block(0);
	fake_settle_everything();
	for (u32 i = 0; i < LARGE_PAGES; i++)
		assert_int_equal(mm_history(fake_vm(SLOT), (ppn_t){ i }, &seen), OK);
	fake_settle_everything();
	fake_fail_fills(1);
	assert_int_equal(fake_touch(SLOT, 0, gpa_of((ppn_t){ 9 }), &byte, 1, MM_EXECUTE, &stale), E_NO_MEMORY);
	fake_fail_fills(0);
	assert_int_equal(usage().large, 1);
	write_page(200, 1);
	assert_int_equal(mm_history(fake_vm(SLOT), (ppn_t){ 200 }, &seen), OK);
	assert_true(seen.changed && seen.touched);
}

static void reads_alone_never_make_a_block_large(void **state)
{
	(void)state;
	for (u32 i = 0; i < LARGE_PAGES; i++)
		assert_int_equal(read_page(i), 0);
	assert_int_equal(usage().large, 0);
	assert_int_equal(usage().private_, 0);
	assert_int_equal(usage().shared, LARGE_PAGES);
	assert_int_equal(frame_counts.set_aside, 0);
}

static void a_page_that_took_a_frame_elsewhere_keeps_its_block_small(void **state)
{
	(void)state;
	write_page(0, 0);
	press(MM_SOFT); /* the rest of the block goes back */
	fake_settle_everything();
	while (ballast_count)
		mm_overhead_free(ballast[--ballast_count], 0);
	write_block(0);
	assert_int_equal(usage().large, 0);
	expect_block(0);
}

static void a_pinned_page_may_be_part_of_a_large_mapping_and_holds_it_together(void **state)
{
	mpn_t mpn;

	(void)state;
	write_block(0);
	assert_int_equal(mm_pin(fake_vm(SLOT), 0, (ppn_t){ 17 }, MM_WRITE, &mpn), OK);
	assert_int_equal(mpn.n, frame_behind(17).n);
	assert_int_equal(mm_give_up(fake_vm(SLOT), 0, (ppn_t){ 17 }), E_STATE);
	assert_int_equal(mm_watch(fake_vm(SLOT), (ppn_t){ 17 }, MM_WATCH_SAMPLED), E_STATE);
	assert_int_equal(usage().large, 1);
	mm_unpin(fake_vm(SLOT), (ppn_t){ 17 });
}

static void two_vms_have_their_own_blocks(void **state)
{
	bool stale;

	(void)state;
	assert_int_equal(fake_vm_start(1, LARGE_PAGES, LARGE_PAGES), OK);
	for (u32 i = 0; i < LARGE_PAGES; i++) { /* page by page in turn */
		u8 byte = (u8) ~(i % 251);

		write_page(i, (u8)(i % 251));
		assert_int_equal(fake_touch(1, 0, gpa_of((ppn_t){ i }), &byte, 1, MM_WRITE, &stale), OK);
	}
	struct mm_usage other;

	mm_vm_usage(fake_vm(1), &other);
	assert_int_equal(other.large, 1);
	assert_int_equal(usage().large, 1);
	expect_block(0);
	for (u32 i = 0; i < LARGE_PAGES; i++) {
		u8 byte;

		assert_int_equal(fake_touch(1, 0, gpa_of((ppn_t){ i }), &byte, 1, MM_READ, &stale), OK);
		assert_int_equal(byte, (u8) ~(i % 251));
	}
	fake_vm_end(1);
}

static void share_with(u32 slot)
{
	mm_share_begin_pass(fake_vm(slot));
	for (u32 idle = 0; idle < 3; idle++) {
		while (mm_share_step(8))
			idle = 0;
		fake_settle_everything();
	}
}

static int by_number(const void *a, const void *b)
{
	u32 left = ((const mpn_t *)a)->n, right = ((const mpn_t *)b)->n;

	return (left > right) - (left < right);
}

/* No single frames are left in caches but the highest: what is free joins. */
static void flush_caches(void)
{
	while (mm_overhead_alloc(0, &ballast[ballast_count]) == OK)
		ballast_count++;
	qsort(ballast, ballast_count, sizeof(ballast[0]), by_number);
	for (u32 i = 0; i < ballast_count; i++)
		mm_overhead_free(ballast[i], 0);
	ballast_count = 0;
}

/* All frames of a block have become shared, copied, and free again, in this order: its reservation is a memory of what was. */
static void a_block_whose_frames_have_all_left_takes_none_that_is_set_aside_for_another_vm(void **state)
{
	enum { OTHER = 1, THIRD = 2, GROUP = 9 };

	(void)state;
	fake_vm_end(SLOT);
	assert_int_equal(share_init(), OK);
	share_group_begin(GROUP, SHARE_FAST);
	fake_vm_group(SLOT, GROUP);
	fake_vm_group(OTHER, GROUP);
	assert_int_equal(fake_vm_start(SLOT, LARGE_PAGES, LARGE_PAGES), OK);
	assert_int_equal(fake_vm_start(OTHER, LARGE_PAGES, LARGE_PAGES), OK);
	for (u32 i = 0; i < LARGE_PAGES; i++) {
		fake_put(SLOT, i, 8, 1 + i);
		fake_put(OTHER, i, 8, 1 + i);
	}
	u32 first = frame_behind(0).n;

	share_with(OTHER);
	share_with(SLOT); /* its frames become the shared ones */
	share_with(OTHER);
	for (u32 i = 0; i < LARGE_PAGES; i++)
		fake_put(SLOT, i, 16, 7); /* and are left to the other VM */
	for (u32 i = 0; i < LARGE_PAGES; i++)
		assert_int_not_equal(frame_behind(i).n, first + i);
	fake_vm_end(OTHER);
	fake_settle_everything();
	flush_caches();
	assert_int_equal(fake_vm_start(THIRD, 2 * LARGE_PAGES, 2 * LARGE_PAGES), OK);
	for (u32 block = 0; block < 2; block++)
		fake_put(THIRD, block * LARGE_PAGES, 0, 1);
	assert_int_equal(frame_state(first + 5), FRAME_RESERVED);
	assert_int_equal(frame_of(first + 5)->owner, THIRD + 1);
	assert_int_equal(mm_give_up(fake_vm(SLOT), 0, (ppn_t){ 5 }), OK);
	fake_settle_everything();
	fake_put(SLOT, 5, 0, 1);
	assert_int_not_equal(frame_behind(5).n, first + 5);
	fake_audit_memory();
	fake_vm_end_clean(SLOT);
	assert_true(frame_state(first + 5) == FRAME_RESERVED);
	fake_vm_end_clean(THIRD);
	fake_vm_group(SLOT, 0);
	fake_vm_group(OTHER, 0);
	assert_int_equal(fake_vm_start(SLOT, PAGES, LOW), OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_block_that_is_complete_becomes_one_mapping_without_a_copy),
		TEST(memory_above_4_gib_may_be_large_too),
		TEST(a_block_that_is_not_all_memory_is_not_reserved),
		TEST(a_page_that_is_given_up_ends_the_large_mapping_and_may_come_back),
		TEST(a_watched_page_ends_the_large_mapping_until_it_is_touched),
		TEST(the_flags_of_a_large_leaf_hold_for_all_its_pages),
		TEST(a_split_forgets_no_write),
		TEST(becoming_large_forgets_no_write),
		TEST(lost_tables_come_back_as_one_large_fill),
		TEST(a_fetch_that_faults_on_a_large_leaf_gets_a_small_one),
		TEST(reservations_are_handed_back_when_memory_is_short),
		TEST(a_complete_block_stays_large_when_memory_is_short),
		TEST(who_finds_no_frame_is_woken_when_reservations_are_broken),
		TEST(reservations_leave_room_for_everybody_else),
		TEST(no_reservation_is_made_that_would_be_wanted_back_at_once),
		TEST(who_waits_while_frames_are_free_breaks_no_reservation),
		TEST(code_runs_from_a_large_mapping_where_that_is_allowed),
		TEST(a_block_that_code_ran_in_stays_small_where_large_leaves_do_not_execute),
		TEST(a_failed_split_for_a_fetch_loses_no_history),
		TEST(reads_alone_never_make_a_block_large),
		TEST(a_page_that_took_a_frame_elsewhere_keeps_its_block_small),
		TEST(a_pinned_page_may_be_part_of_a_large_mapping_and_holds_it_together),
		TEST(two_vms_have_their_own_blocks),
		TEST(a_block_whose_frames_have_all_left_takes_none_that_is_set_aside_for_another_vm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
