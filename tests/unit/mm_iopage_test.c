/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages that devices cannot reach: who becomes hot, moves down, cools again; who moves up for it; and what it saves. */
#include "mm/entry.h"
#include "mm/iopage.h"
#include "mm/pmap.h"
#include "mm/zone.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { SLOT, OTHER, PAGES = 900, BORDER = 1 << 20, LOW_FRAMES = 600, HIGH_FRAMES = 2400, MANY = 4096 };

static mpn_t taken[MANY];
static u32 taken_count;

static int begin(void **state)
{
	const struct mm_range ranges[] = { { { 1024 }, LOW_FRAMES }, { { BORDER }, HIGH_FRAMES } };

	(void)state;
	fake_reset(1, true);
	fake_machine(ranges, ARRAY_SIZE(ranges), BORDER + HIGH_FRAMES - 1);
	assert_int_equal(fake_vm_start(SLOT, PAGES, PAGES), OK);
	assert_int_equal(mm_iopage_set(4, 0), OK);
	taken_count = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	fake_vm_end_clean(SLOT);
	assert_int_equal(iopage_waiting(), 0);
	return 0;
}

static u64 entry_of(u32 ppn)
{
	struct page page;

	lock_acquire(fake_vm(SLOT)->lock);
	u64 entry = pmap_look(fake_vm(SLOT), (ppn_t){ ppn }, &page) ? page_entry(&page) : 0;

	lock_release(fake_vm(SLOT)->lock);
	return entry;
}

static bool is_low(u32 ppn)
{
	return zone_of(entry_frame(entry_of(ppn))) == ZONE_LOW;
}

static void copy(u32 ppn, u32 times)
{
	while (times--)
		mm_copied(fake_vm(SLOT), (ppn_t){ ppn });
}

static struct mm_iopage counts(void)
{
	struct mm_iopage all;

	fake_check();
	fake_audit_memory();
	mm_iopage_look(fake_vm(SLOT), &all);
	return all;
}

static void take_low(u32 but)
{
	while (zones[ZONE_LOW].free > but && mm_low_alloc(0, &taken[taken_count]) == OK)
		taken_count++;
}

static void give_back(void)
{
	while (taken_count)
		mm_overhead_free(taken[--taken_count], 0);
}

static void a_page_that_is_copied_often_moves_down_and_keeps_its_contents(void **state)
{
	(void)state;
	fake_put_page(SLOT, 5, 55);
	copy(5, 3);
	assert_int_equal(counts().hot, 0);
	assert_int_equal(entry_copies(entry_of(5)), 3);
	copy(5, 1);
	assert_int_equal(counts().hot, 1);
	assert_int_equal(iopage_waiting(), 1);
	fake_settle_everything();
	struct mm_iopage all = counts();

	assert_int_equal(all.hot, 0);
	assert_int_equal(all.moved_down, 1);
	assert_int_equal(all.copies, 4);
	assert_true(is_low(5) && (entry_of(5) & ENTRY_LOW));
	assert_int_equal(entry_copies(entry_of(5)), 0);
	assert_true(fake_page_is(SLOT, 5, 55));
	copy(5, 10); /* by a driver that does not know yet */
	assert_int_equal(counts().hot, 0);
	assert_int_equal(entry_copies(entry_of(5)), 0);
}

static void what_has_no_frame_of_its_own_is_not_counted(void **state)
{
	(void)state;
	copy(5, 10); /* never touched */
	assert_int_equal(fake_get(SLOT, 6, 0), 0);
	copy(6, 10); /* the zero frame */
	assert_int_equal(counts().hot, 0);
	assert_int_equal(counts().copies, 20);
}

static void a_count_stops_at_its_end(void **state)
{
	(void)state;
	assert_int_equal(mm_iopage_set(0, 0), OK);
	fake_put(SLOT, 5, 0, 1);
	copy(5, 600);
	assert_int_equal(entry_copies(entry_of(5)), ENTRY_MAX_COPIES);
	assert_int_equal(counts().hot, 0); /* 0: nothing is ever hot */
}

/* The hand goes on by a page a copy. */
static void counts_are_halved_by_a_hand_that_goes_round(void **state)
{
	(void)state;
	fake_put(SLOT, 5, 0, 1);
	copy(700, 6); /* the hand is beyond page 5 */
	assert_int_equal(mm_iopage_set(200, 0), OK);
	copy(5, 40);
	assert_int_equal(entry_copies(entry_of(5)), 40);
	copy(700, PAGES);
	assert_int_equal(entry_copies(entry_of(5)), 20);
	copy(700, 2 * PAGES);
	assert_int_equal(entry_copies(entry_of(5)), 5);
}

static void a_hot_page_that_is_copied_no_more_cools_down(void **state)
{
	mpn_t mpn;

	(void)state;
	fake_put(SLOT, 5, 0, 1);
	assert_int_equal(mm_pin(fake_vm(SLOT), 0, (ppn_t){ 5 }, MM_READ, &mpn), OK);
	copy(5, 5);
	assert_int_equal(counts().hot, 1);
	copy(700, 2 * PAGES);
	assert_int_equal(counts().hot, 0);
	mm_unpin(fake_vm(SLOT), (ppn_t){ 5 });
	fake_settle_everything();
	assert_false(is_low(5));
}

static void a_pinned_page_moves_when_its_last_pin_ends(void **state)
{
	mpn_t mpn;

	(void)state;
	fake_put(SLOT, 5, 0, 1);
	assert_int_equal(mm_pin(fake_vm(SLOT), 0, (ppn_t){ 5 }, MM_READ, &mpn), OK);
	copy(5, 8);
	fake_settle_everything();
	assert_int_equal(entry_frame(entry_of(5)), mpn.n);
	assert_int_equal(counts().hot, 1);
	mm_unpin(fake_vm(SLOT), (ppn_t){ 5 });
	fake_settle_everything();
	assert_true(is_low(5));
}

static void a_hot_page_that_is_given_up_is_hot_no_more(void **state)
{
	(void)state;
	fake_put(SLOT, 5, 0, 1);
	copy(5, 4);
	assert_int_equal(mm_give_up(fake_vm(SLOT), 0, (ppn_t){ 5 }), OK);
	assert_int_equal(counts().hot, 0);
	fake_settle_everything();
	assert_int_equal(counts().moved_down, 0);
}

enum { FIRST = 300 }; /* where the hand does not come */

static void a_full_queue_is_asked_again_with_the_next_copy(void **state)
{
	(void)state;
	for (u32 ppn = FIRST; ppn < FIRST + IOPAGE_QUEUE + 3; ppn++) {
		fake_put(SLOT, ppn, 0, ppn + 1);
		copy(ppn, 4);
	}
	assert_int_equal(counts().overflow, 3);
	assert_int_equal(iopage_waiting(), IOPAGE_QUEUE);
	fake_settle_everything();
	assert_int_equal(counts().moved_down, IOPAGE_QUEUE);
	for (u32 ppn = FIRST + IOPAGE_QUEUE; ppn < FIRST + IOPAGE_QUEUE + 3; ppn++)
		copy(ppn, 1);
	fake_settle_everything();
	assert_int_equal(counts().moved_down, IOPAGE_QUEUE + 3);
	for (u32 ppn = FIRST; ppn < FIRST + IOPAGE_QUEUE + 3; ppn++)
		assert_int_equal(fake_get(SLOT, ppn, 0), ppn + 1);
}

static void without_low_frames_hot_pages_wait_and_nothing_spins(void **state)
{
	(void)state;
	fake_put(SLOT, 5, 0, 9);
	take_low(0);
	copy(5, 4);
	fake_settle_everything(); /* ends */
	assert_false(is_low(5));
	assert_int_equal(iopage_waiting(), 1);
	give_back();
	fake_settle_everything();
	assert_true(is_low(5));
	assert_int_equal(fake_get(SLOT, 5, 0), 9);
}

static void moves_leave_what_is_kept_for_who_can_use_no_other(void **state)
{
	u32 low = 0;

	(void)state;
	assert_int_equal(mm_iopage_set(4, zones[ZONE_LOW].free - 3), OK);
	for (u32 ppn = 0; ppn < 20; ppn++) {
		fake_put(SLOT, ppn, 0, ppn + 1);
		copy(ppn, 4);
	}
	fake_settle_everything();
	for (u32 ppn = 0; ppn < 20; ppn++)
		low += is_low(ppn);
	assert_int_equal(low, 3);
	assert_false(zone_is_short(ZONE_LOW, 0));
}

static void limits_are_refused_and_change_nothing(void **state)
{
	(void)state;
	assert_int_equal(mm_iopage_set(256, 0), E_RANGE);
	assert_int_equal(mm_iopage_set(1, zones[ZONE_LOW].all + 1), E_RANGE);
	fake_put(SLOT, 5, 0, 1);
	copy(5, 3);
	assert_int_equal(counts().hot, 0);
	assert_int_equal(mm_iopage_set(255, zones[ZONE_LOW].all), OK);
	assert_int_equal(mm_iopage_set(4, 0), OK);
}

/* Fill high memory, then more: pages lie low that no device uses. */
static void idle_low_pages_move_up_when_low_frames_are_short(void **state)
{
	mpn_t ballast[HIGH_FRAMES];
	u32 count = 0, low = 0;

	(void)state;
	while (zones[ZONE_HIGH].free > 40 && mm_overhead_alloc(0, &ballast[count]) == OK)
		count++;
	for (u32 ppn = 0; ppn < 300; ppn++)
		fake_put(SLOT, ppn, 0, ppn + 1);
	for (u32 ppn = 0; ppn < 300; ppn++)
		low += is_low(ppn);
	assert_true(low > 200);
	while (count)
		mm_overhead_free(ballast[--count], 0);
	for (u32 ppn = 0; ppn < 300; ppn++) {
		struct mm_history history;

		assert_int_equal(mm_history(fake_vm(SLOT), (ppn_t){ ppn }, &history), OK); /* as the sampler's sweep does */
	}
	u64 wanted = zones[ZONE_LOW].free + 100;

	assert_int_equal(mm_iopage_set(4, wanted), OK);
	fake_settle_everything();
	struct mm_iopage all = counts();

	printf("%u low pages; %llu moved up, %llu cancelled\n", low, (unsigned long long)all.moved_up,
	       (unsigned long long)all.cancelled);
	assert_true(all.moved_up >= 90 && all.moved_up <= 100 + BATCH_PAGES);
	assert_true(zones[ZONE_LOW].free >= wanted);
	for (u32 ppn = 0; ppn < 300; ppn++)
		assert_int_equal(fake_get(SLOT, ppn, 0), ppn + 1);
}

/* ---- what it saves ---- */

enum { IO_PAGES = 800, IO_HOT = 48, IO_REQUESTS = 60000 };

/* A network card with 32-bit DMA sends pages of a guest, nearly all of them out of a small set of buffers. */
static u64 copies_of(u32 threshold)
{
	u64 copied = 0;

	assert_int_equal(mm_iopage_set(threshold, 64), OK);
	for (u32 i = 0; i < IO_REQUESTS; i++) {
		u32 ppn = fake_random(1000) ? fake_random(IO_HOT) * 7 : fake_random(IO_PAGES);
		mpn_t mpn;

		assert_int_equal(mm_pin(fake_vm(SLOT), 0, (ppn_t){ ppn }, MM_READ, &mpn), OK);
		if (zone_of(mpn.n) != ZONE_LOW) {
			mm_copied(fake_vm(SLOT), (ppn_t){ ppn });
			copied++;
		}
		mm_unpin(fake_vm(SLOT), (ppn_t){ ppn });
		if (i % 16 == 0)
			fake_settle_everything();
	}
	return copied;
}

static void remapping_saves_nearly_all_copies_of_a_hot_set(void **state)
{
	(void)state;
	for (u32 ppn = 0; ppn < IO_PAGES; ppn++)
		fake_put(SLOT, ppn, 0, ppn + 1);
	u64 without = copies_of(0);

	copy(PAGES - 1, 9 * PAGES); /* of a page that is none: what was counted decays */
	u64 with = copies_of(16);
	struct mm_iopage all = counts();

	printf("%u requests: copied %llu without remapping, %llu with: %llu pages moved down\n", IO_REQUESTS,
	       (unsigned long long)without, (unsigned long long)with, (unsigned long long)all.moved_down);
	assert_true(without > IO_REQUESTS * 9 / 10 && with * 50 < without);
	for (u32 ppn = 0; ppn < IO_PAGES; ppn++)
		assert_int_equal(fake_get(SLOT, ppn, 0), ppn + 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_page_that_is_copied_often_moves_down_and_keeps_its_contents),
		TEST(what_has_no_frame_of_its_own_is_not_counted),
		TEST(a_count_stops_at_its_end),
		TEST(counts_are_halved_by_a_hand_that_goes_round),
		TEST(a_hot_page_that_is_copied_no_more_cools_down),
		TEST(a_pinned_page_moves_when_its_last_pin_ends),
		TEST(a_hot_page_that_is_given_up_is_hot_no_more),
		TEST(a_full_queue_is_asked_again_with_the_next_copy),
		TEST(without_low_frames_hot_pages_wait_and_nothing_spins),
		TEST(moves_leave_what_is_kept_for_who_can_use_no_other),
		TEST(limits_are_refused_and_change_nothing),
		TEST(idle_low_pages_move_up_when_low_frames_are_short),
		TEST(remapping_saves_nearly_all_copies_of_a_hot_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
