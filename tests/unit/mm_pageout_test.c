/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who goes out, by which way, and what stays: victims random and coldest, zeros and sharing before the disk, pages that are in use passed by,
 * and instructions that need many pages while everything else is taken away.
 */
#include "mm/frame.h"
#include "mm/share.h"
#include "tests/unit/support/host.h"
#include "tests/unit/support/platform_fake.h"
#include "tests/unit/support/swap_guest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { A, B, PAGES = 192, SLOTS = 2000 };

static int begin(void **state)
{
	(void)state;
	swap_machine(1, SLOTS);
	assert_int_equal(fake_vm_start(A, PAGES, PAGES), OK);
	for (u32 page = 0; page < PAGES; page++)
		swap_fill(A, page, 0);
	return 0;
}

static u8 byte_at(u32 slot, u32 page, enum mm_access access)
{
	bool stale;
	u8 byte = 1;

	assert_int_equal(fake_touch(slot, 0, gpa_of((ppn_t){ page }), &byte, 1, access, &stale), OK);
	return byte;
}

/* ---- what is asked for ---- */

static void more_than_a_vm_has_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mm_pageout(fake_vm(A), PAGES + 1), E_RANGE);
	assert_int_equal(swap_pageout(A).wanted, 0);
	swap_run();
	assert_int_equal(swap_count(A, PAGES, PAGE_PRIVATE), PAGES);
}

static void a_vm_that_ends_loses_no_pages(void **state)
{
	(void)state;
	assert_int_equal(mm_pageout(fake_vm(A), 50), OK);
	assert_true(mm_pageout_step(4));
	fake_end_steps();
	assert_false(mm_vm_release_step(fake_vm(A)));
	for (u32 i = 0; !fake_vm(A)->release_phase; i++) {
		assert_true(i < 100);
		assert_false(mm_vm_release_step(fake_vm(A)));
	}
	assert_int_equal(mm_pageout(fake_vm(A), 50), E_STATE);
	assert_false(mm_pageout_step(4));
	fake_vm_end(A);
}

static void what_is_no_longer_wanted_stays(void **state)
{
	(void)state;
	assert_int_equal(mm_pageout(fake_vm(A), 100), OK);
	for (u32 i = 0; i < 8; i++)
		mm_pageout_step(1); /* some are guarded by now */
	assert_int_equal(mm_pageout(fake_vm(A), 0), OK);
	swap_run();
	assert_int_equal(swap_count(A, PAGES, PAGE_PRIVATE), PAGES);
	for (u32 page = 0; page < PAGES; page++)
		assert_false(swap_entry(A, page) & ENTRY_GUARDED);
}

/* ---- ways ---- */

static void zeros_go_first_and_need_no_disk(void **state)
{
	u64 zero[PAGE_SIZE / 8] = { 0 };
	bool stale;

	(void)state;
	for (u32 page = 0; page < 40; page++)
		assert_int_equal(fake_touch(A, 0, gpa_of((ppn_t){ page }), zero, PAGE_SIZE, MM_WRITE, &stale), OK);
	swap_out(A, PAGES);
	assert_int_equal(swap_pageout(A).zeros, 40);
	assert_int_equal(swap_pageout(A).swapped, PAGES - 40);
	assert_int_equal(swap_count(A, 40, PAGE_EMPTY), 40);
	assert_int_equal(byte_at(A, 7, MM_READ), 0);
}

/* Half of the pages are alike: they are shared, and the disk sees the others only. */
static void pages_are_shared_before_they_are_swapped(void **state)
{
	u8 same[PAGE_SIZE];
	bool stale;

	(void)state;
	memset(same, 77, sizeof(same));
	for (u32 page = 0; page < PAGES; page += 2)
		assert_int_equal(fake_touch(A, 0, gpa_of((ppn_t){ page }), same, PAGE_SIZE, MM_WRITE, &stale), OK);
	mm_share_begin_pass(fake_vm(A));
	for (u32 i = 0; i < 4; i++)
		swap_settle();
	while (mm_share_step(4))
		fake_end_steps();
	swap_out(A, PAGES);
	assert_true(swap_count(A, PAGES, PAGE_SHARED) + swap_pageout(A).shared >= PAGES / 2);
	assert_true(swap_pageout(A).swapped <= PAGES / 2);
	for (u32 page = 1; page < PAGES; page += 2)
		swap_expect(A, page, 0);
	assert_int_equal(byte_at(A, 10, MM_READ), 77);
}

/* ---- who stays ---- */

static void pinned_and_guarded_pages_stay(void **state)
{
	mpn_t mpn;

	(void)state;
	for (u32 page = 0; page < 10; page++)
		assert_int_equal(mm_pin(fake_vm(A), 0, (ppn_t){ page }, MM_WRITE, &mpn), OK);
	for (u32 page = 10; page < 20; page++)
		assert_int_equal(mm_watch(fake_vm(A), (ppn_t){ page }, MM_WATCH_GUARDED), OK);
	swap_out(A, PAGES);
	assert_int_equal(swap_count(A, 20, PAGE_PRIVATE), 20);
	assert_int_equal(swap_count(A, PAGES, PAGE_SWAPPED), PAGES - 20);
	assert_int_equal(swap_pageout(A).unmet, 20);
	assert_int_equal(swap_pageout(A).wanted, 0);
	for (u32 page = 0; page < 10; page++)
		mm_unpin(fake_vm(A), (ppn_t){ page });
}

static void a_page_that_is_needed_before_it_is_gone_stays_and_another_goes(void **state)
{
	(void)state;
	assert_int_equal(mm_pageout(fake_vm(A), 20), OK);
	for (u32 i = 0; i < 6; i++)
		mm_pageout_step(1);
	for (u32 page = 0; page < PAGES; page++) {
		if (swap_entry(A, page) & ENTRY_GUARDED) {
			byte_at(A, page, MM_READ);
			break;
		}
	}
	swap_run();
	assert_int_equal(swap_pageout(A).cancelled, 1);
	assert_int_equal(swap_pageout(A).swapped, 20);
}

/* ---- victims ---- */

static void random_victims_come_from_everywhere(void **state)
{
	u32 in_quarter[4] = { 0 };

	(void)state;
	swap_out(A, PAGES / 2);
	for (u32 page = 0; page < PAGES; page++)
		in_quarter[page / (PAGES / 4)] += swap_state(A, page) == PAGE_SWAPPED;
	for (u32 i = 0; i < 4; i++)
		assert_in_range(in_quarter[i], 10, 40);
}

/* A third is used all the time.  Random victims hit it; the clock, once it has been round, does not. */
static u32 hot_pages_lost(enum mm_victims victims)
{
	u32 lost = 0;

	begin(NULL);
	mm_pageout_choose(fake_vm(A), victims);
	for (u32 round = 0; round < 12; round++) {
		for (u32 page = 0; page < PAGES; page += 3)
			lost += round > 2 && swap_state(A, page) != PAGE_PRIVATE;
		for (u32 page = 0; page < PAGES; page += 3)
			swap_expect(A, page, 0);
		fake_end_steps();
		swap_out(A, 8);
	}
	return lost;
}

static void the_clock_spares_what_is_used(void **state)
{
	(void)state;
	u32 coldest = hot_pages_lost(MM_VICTIMS_COLDEST), at_random = hot_pages_lost(MM_VICTIMS_RANDOM);

	assert_true(at_random > 10);
	assert_true(coldest * 4 < at_random);
}

/* What the clock reads it leaves for scanner and sampler. */
static void the_clock_takes_no_history_from_others(void **state)
{
	struct mm_history history;

	(void)state;
	for (u32 page = 0; page < PAGES; page++)
		assert_int_equal(mm_history(fake_vm(A), (ppn_t){ page }, &history), OK);
	fake_end_steps();
	byte_at(A, 5, MM_WRITE);
	byte_at(A, 6, MM_READ);
	mm_pageout_choose(fake_vm(A), MM_VICTIMS_COLDEST);
	swap_out(A, 30);
	assert_int_equal(mm_history(fake_vm(A), (ppn_t){ 5 }, &history), OK);
	assert_true(history.touched && history.changed);
	assert_int_equal(mm_history(fake_vm(A), (ppn_t){ 6 }, &history), OK);
	assert_true(history.touched && !history.changed);
	assert_int_equal(mm_history(fake_vm(A), (ppn_t){ 7 }, &history), OK);
	assert_false(history.touched);
}

/* All pages are used all the time, or nobody knows: the target is met all the same. */
static void the_clock_meets_its_target_whatever_is_used(void **state)
{
	(void)state;
	mm_pageout_choose(fake_vm(A), MM_VICTIMS_COLDEST);
	for (u32 round = 0; round < 4; round++) {
		for (u32 page = 0; page < PAGES; page++)
			swap_expect(A, page, 0);
		swap_out(A, 50);
		assert_int_equal(swap_pageout(A).unmet, 0);
	}
	fake_reset(9, false); /* no accessed flags */
	fake_swap(SLOTS);
	fake_small_machine();
	assert_int_equal(share_init(), OK);
	assert_int_equal(mm_swap_init(), OK);
	assert_int_equal(fake_vm_start(A, PAGES, PAGES), OK);
	mm_pageout_choose(fake_vm(A), MM_VICTIMS_COLDEST);
	for (u32 page = 0; page < PAGES; page++)
		swap_fill(A, page, 3);
	swap_out(A, 50);
	assert_int_equal(swap_count(A, PAGES, PAGE_SWAPPED), 50);
	assert_true(fake_vm(A)->pageout.victims.blind);
}

/* ---- progress ---- */

enum { INSTRUCTION = 32 };

/*
 * An instruction that needs 32 pages at once, executed by `vcpu` until it succeeds, while between any two attempts everything that may go
 * goes.  Returns how many attempts it took.
 */
static u32 execute(u32 slot, u32 vcpu, const u32 *pages, enum mm_access access)
{
	for (u32 attempt = 1;; attempt++) {
		err_t error = OK;

		assert_true(attempt < 4 * INSTRUCTION);
		fake_step_begin();
		for (u32 i = 0; i < INSTRUCTION && !error; i++)
			error = mm_resolve(fake_vm(slot), vcpu, (ppn_t){ pages[i] }, access);
		fake_step_end();
		if (!error) {
			for (u32 i = 0; i < INSTRUCTION; i++)
				assert_int_not_equal(swap_state(slot, pages[i]), PAGE_SWAPPED);
			mm_progress(fake_vm(slot), vcpu);
			return attempt;
		}
		assert_true(error == E_SUSPEND || error == E_NO_MEMORY);
		assert_int_equal(mm_pageout(fake_vm(slot), PAGES), OK);
		swap_run();
	}
}

static void instructions_of_32_pages_finish_while_all_else_is_evicted(void **state)
{
	(void)state;
	for (u32 seed = 1; seed <= 6; seed++) {
		u32 pages[INSTRUCTION];

		swap_machine(seed, SLOTS);
		assert_int_equal(fake_vm_start(A, PAGES, PAGES), OK);
		mm_pageout_choose(fake_vm(A), seed % 2 ? MM_VICTIMS_RANDOM : MM_VICTIMS_COLDEST);
		for (u32 page = 0; page < PAGES; page++)
			swap_fill(A, page, 0);
		for (u32 round = 0; round < 3; round++) {
			u32 first = fake_random(PAGES), stride = 2 * fake_random(8) + 1;

			for (u32 i = 0; i < INSTRUCTION; i++)
				pages[i] = (first + i * stride) % PAGES;
			swap_out(A, PAGES);
			assert_true(execute(A, round, pages, round % 2 ? MM_WRITE : MM_READ) > 1);
			assert_int_equal(fake_vm(A)->hold.count, 0);
		}
		for (u32 page = 0; page < PAGES; page++)
			swap_expect(A, page, 0);
	}
}

/* Two vCPUs need 32 pages each, and there is room for 32: the first that waited finishes, then the other. */
static void of_two_that_need_all_room_one_always_gets_on(void **state)
{
	u32 done[2] = { 0 };

	(void)state;
	swap_out(A, PAGES);
	for (u32 attempt = 0; !(done[0] && done[1]); attempt++) {
		u32 vcpu = attempt % 2;
		err_t error = OK;

		assert_true(attempt < 10 * INSTRUCTION);
		if (done[vcpu])
			continue;
		fake_step_begin();
		for (u32 i = 0; i < INSTRUCTION && !error; i++)
			error = mm_resolve(fake_vm(A), vcpu, (ppn_t){ vcpu * 96 + i * 3 }, MM_WRITE);
		fake_step_end();
		assert_true(fake_vm(A)->hold.count <= HOLD_PAGES);
		if (!error) {
			done[vcpu] = attempt;
			mm_progress(fake_vm(A), vcpu);
		}
		assert_int_equal(mm_pageout(fake_vm(A), PAGES), OK);
		swap_run();
	}
	assert_int_equal(fake_vm(A)->hold.count, 0);
}

static void a_vcpu_that_retires_more_than_it_says_takes_its_own_place(void **state)
{
	struct hold *hold = &fake_vm(A)->hold;

	(void)state;
	for (u32 page = 0; page < HOLD_PAGES + 5; page++)
		hold_add(hold, 1, (ppn_t){ page });
	assert_int_equal(hold->count, HOLD_PAGES);
	assert_false(hold_has(hold, (ppn_t){ 4 }));
	assert_true(hold_has(hold, (ppn_t){ 5 }));
	hold_add(hold, 2, (ppn_t){ 100 }); /* it has to wait */
	assert_false(hold_is_waiting(hold, 2));
	mm_progress(fake_vm(A), 1);
	assert_int_equal(hold->count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
	const struct CMUnitTest tests[] = {
		TEST(more_than_a_vm_has_is_refused),
		TEST(a_vm_that_ends_loses_no_pages),
		TEST(what_is_no_longer_wanted_stays),
		TEST(zeros_go_first_and_need_no_disk),
		TEST(pages_are_shared_before_they_are_swapped),
		TEST(pinned_and_guarded_pages_stay),
		TEST(a_page_that_is_needed_before_it_is_gone_stays_and_another_goes),
		TEST(random_victims_come_from_everywhere),
		TEST(the_clock_spares_what_is_used),
		TEST(the_clock_takes_no_history_from_others),
		TEST(the_clock_meets_its_target_whatever_is_used),
		TEST(instructions_of_32_pages_finish_while_all_else_is_evicted),
		TEST(of_two_that_need_all_room_one_always_gets_on),
		TEST(a_vcpu_that_retires_more_than_it_says_takes_its_own_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
