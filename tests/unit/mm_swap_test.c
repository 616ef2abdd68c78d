/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The swap area: what goes out comes back, whatever the disk does meanwhile.  Transfers end late and in any order; some fail; slots are
 * corrupted; VMs end with transfers under way.
 */
#include "mm/frame.h"
#include "mm/reserve.h"
#include "mm/slot.h"
#include "tests/unit/support/host.h"
#include "tests/unit/support/platform_fake.h"
#include "tests/unit/support/swap_guest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { A, B, PAGES = 200, SLOTS = 1000 };

static struct mm_swap_totals totals(void)
{
	struct mm_swap_totals now;

	mm_swap_totals(&now);
	return now;
}

static int begin(void **state)
{
	(void)state;
	swap_machine(1, SLOTS);
	assert_int_equal(fake_vm_start(A, PAGES, PAGES), OK);
	for (u32 page = 0; page < PAGES; page++)
		swap_fill(A, page, 0);
	return 0;
}

static void expect_all(u32 slot, u32 round)
{
	for (u32 page = 0; page < PAGES; page++)
		swap_expect(slot, page, round);
}

/* Read `page` as a guest once: what comes of it. */
static err_t try_read(u32 slot, u32 page)
{
	bool stale;
	u8 byte;

	return fake_touch(slot, 0, gpa_of((ppn_t){ page }), &byte, 1, MM_READ, &stale);
}

static err_t try_write(u32 slot, u32 page)
{
	bool stale;
	u8 byte = 1;

	return fake_touch(slot, 0, gpa_of((ppn_t){ page }), &byte, 1, MM_WRITE, &stale);
}

/* ---- there and back ---- */

static void what_goes_out_comes_back(void **state)
{
	struct mm_usage usage;

	(void)state;
	swap_out(A, PAGES);
	assert_int_equal(swap_count(A, PAGES, PAGE_SWAPPED), PAGES);
	assert_int_equal(totals().used, PAGES);
	mm_vm_usage(fake_vm(A), &usage);
	assert_int_equal(usage.swapped, PAGES);
	assert_int_equal(usage.resident, 0);
	expect_all(A, 0);
	assert_int_equal(totals().used, 0);
	assert_int_equal(totals().in_flight, 0);
	assert_int_equal(totals().written, PAGES);
	assert_int_equal(totals().read, PAGES);
}

static void a_vm_loses_as_many_pages_as_it_has_to_and_no_more(void **state)
{
	(void)state;
	swap_out(A, 77);
	assert_int_equal(swap_count(A, PAGES, PAGE_SWAPPED), 77);
	assert_int_equal(swap_pageout(A).swapped, 77);
	assert_int_equal(swap_pageout(A).wanted, 0);
	expect_all(A, 0);
}

static void pages_are_written_in_clusters(void **state)
{
	(void)state;
	swap_out(A, 128);
	assert_int_equal(fake_swap_counts().pages_written, 128);
	assert_int_equal(fake_swap_counts().writes, 128 / SLOT_RUN);
}

static void what_is_on_the_disk_is_noise(void **state)
{
	(void)state;
	swap_out(A, PAGES);
	for (u32 i = 0; i < PAGES; i++)
		swap_fill(A, i, 1);
	swap_out(A, PAGES);
	expect_all(A, 1); /* and no slot was opened with an older count */
	assert_int_equal(totals().forged, 0);
}

static void neighbours_come_along_while_memory_is_plentiful(void **state)
{
	(void)state;
	swap_out(A, 64);
	u32 page = swap_find(A, PAGES, PAGE_SWAPPED);

	assert_int_equal(try_read(A, page), E_SUSPEND);
	swap_run();
	assert_int_equal(fake_swap_counts().reads, 1);
	assert_int_equal(fake_swap_counts().pages_read, SLOT_RUN);
	assert_int_equal(totals().ahead, SLOT_RUN - 1);
	assert_int_equal(swap_count(A, PAGES, PAGE_SWAPPED), 64 - SLOT_RUN);
}

/* ---- an access while the page is on its way ---- */

static void a_page_that_is_needed_while_it_is_written_stays(void **state)
{
	(void)state;
	assert_int_equal(mm_pageout(fake_vm(A), 10), OK);
	swap_settle();
	assert_int_equal(fake_swap_pending(), 1);
	u32 page = swap_find(A, PAGES, PAGE_BUSY);

	assert_int_equal(try_write(A, page), OK); /* at once: nobody waits for the disk */
	assert_int_equal(swap_state(A, page), PAGE_PRIVATE);
	swap_fill(A, page, 5);
	swap_run();
	swap_expect(A, page, 5);
	assert_int_equal(totals().moving, 0);
	assert_int_equal(swap_pageout(A).swapped, 10); /* another one went in its place */
}

static void a_page_that_is_being_read_suspends_and_wakes(void **state)
{
	(void)state;
	swap_out(A, PAGES);
	assert_int_equal(try_read(A, 3), E_SUSPEND);
	swap_settle();
	assert_int_equal(fake_woken(A, 0), 0);
	assert_int_equal(try_read(A, 3), E_SUSPEND);
	assert_int_equal(fake_swap_pending(), 1);
	assert_true(fake_swap_end_one());
	swap_settle();
	assert_true(fake_woken(A, 0) > 0);
	assert_int_equal(try_read(A, 3), OK);
}

static void devices_and_pins_bring_pages_back(void **state)
{
	void *pointer;
	mpn_t mpn;

	(void)state;
	swap_out(A, PAGES);
	assert_int_equal(mm_pin(fake_vm(A), 1, (ppn_t){ 9 }, MM_READ, &mpn), E_SUSPEND);
	assert_int_equal(mm_reach(fake_vm(A), 2, gpa_of((ppn_t){ 150 }), 8, MM_WRITE, &pointer), E_SUSPEND);
	swap_run();
	assert_true(fake_woken(A, 1) && fake_woken(A, 2));
	assert_int_equal(mm_pin(fake_vm(A), 1, (ppn_t){ 9 }, MM_READ, &mpn), OK);
	assert_int_equal(mm_reach(fake_vm(A), 2, gpa_of((ppn_t){ 150 }), 8, MM_WRITE, &pointer), OK);
	expect_all(A, 0);
	mm_unpin(fake_vm(A), (ppn_t){ 9 });
}

/* More vCPUs than requests: those that found none are woken when there is one. */
static void who_finds_no_request_is_woken_when_there_is_one(void **state)
{
	u32 waiting = 0;

	(void)state;
	swap_out(A, PAGES);
	for (u32 i = 0; i < 8; i++) {
		bool stale;
		u8 byte;

		/* One in each group of slots. */
		for (u32 page = 0; page < PAGES; page++) {
			if (swap_state(A, page) == PAGE_SWAPPED && entry_frame(swap_entry(A, page)) % 32 == 1) {
				assert_int_equal(fake_touch(A, i, gpa_of((ppn_t){ page }), &byte, 1, MM_READ, &stale), E_SUSPEND);
				break;
			}
		}
	}
	assert_int_equal(fake_swap_pending(), 6);
	assert_true(fake_vm(A)->swap.wait_request);
	swap_run();
	for (u32 i = 0; i < 8; i++)
		waiting += fake_woken(A, i) == 0;
	assert_int_equal(waiting, 0);
}

/* ---- a disk that fails ---- */

static void a_page_that_cannot_be_written_stays_in_memory(void **state)
{
	(void)state;
	fake_swap_fail(1, 0);
	assert_int_equal(mm_pageout(fake_vm(A), 10), OK);
	swap_settle();
	assert_true(fake_swap_end_one());
	assert_int_equal(mm_pageout(fake_vm(A), 0), OK);
	swap_run();
	assert_int_equal(swap_count(A, PAGES, PAGE_PRIVATE), PAGES);
	assert_int_equal(totals().bad, 10);
	assert_int_equal(totals().errors, 10);
	fake_swap_fail(0, 0);
	swap_out(A, PAGES); /* elsewhere */
	assert_int_equal(totals().bad, 10);
	assert_int_equal(totals().used, PAGES);
	expect_all(A, 0);
}

static void a_disk_that_fails_always_ends_the_attempt_and_loses_nothing(void **state)
{
	(void)state;
	fake_swap_fail(1, 0);
	swap_out(A, PAGES);
	assert_int_equal(totals().bad, SLOTS);
	assert_int_equal(swap_pageout(A).wanted, 0);
	assert_int_equal(swap_pageout(A).unmet, PAGES);
	expect_all(A, 0);
}

static void a_read_that_fails_is_tried_again_then_said(void **state)
{
	(void)state;
	swap_out(A, 1);
	u32 page = swap_find(A, PAGES, PAGE_SWAPPED);

	fake_swap_fail(0, 1);
	for (u32 i = 0; i < 3; i++) {
		assert_int_equal(try_read(A, page), E_SUSPEND);
		swap_run();
		assert_int_equal(swap_state(A, page), PAGE_SWAPPED);
		assert_true(fake_woken(A, 0) > 0);
	}
	assert_int_equal(try_read(A, page), E_IO);
	assert_int_equal(fake_swap_pending(), 0);
	assert_int_equal(totals().errors, 3);
	assert_int_equal(totals().used, 1);
}

static void a_read_that_fails_once_costs_nothing_but_time(void **state)
{
	(void)state;
	swap_out(A, PAGES);
	fake_swap_fail(0, 1);
	assert_int_equal(try_read(A, 50), E_SUSPEND);
	swap_run();
	fake_swap_fail(0, 0);
	expect_all(A, 0);
}

static void a_slot_that_was_changed_is_never_believed(void **state)
{
	(void)state;
	swap_out(A, PAGES);
	fake_swap_corrupt(entry_frame(swap_entry(A, 7)) - 1);
	for (u32 i = 0; i < 3; i++) {
		assert_int_equal(try_read(A, 7), E_SUSPEND);
		swap_run();
	}
	assert_int_equal(try_read(A, 7), E_IO);
	assert_int_equal(totals().forged, 3);
	for (u32 page = 0; page < PAGES; page++)
		if (page != 7)
			swap_expect(A, page, 0);
	/* The guest may still give it up. */
	assert_int_equal(mm_give_up(fake_vm(A), 0, (ppn_t){ 7 }), OK);
	assert_int_equal(totals().used, 0);
	assert_int_equal(try_read(A, 7), OK);
}

/* ---- pages and VMs that go meanwhile ---- */

static void a_swapped_page_that_is_given_up_is_not_read(void **state)
{
	(void)state;
	swap_out(A, PAGES);
	for (u32 page = 0; page < PAGES; page++)
		assert_int_equal(mm_give_up(fake_vm(A), 0, (ppn_t){ page }), OK);
	assert_int_equal(totals().used, 0);
	assert_int_equal(fake_swap_counts().reads, 0);
	swap_settle();
	assert_int_equal(swap_count(A, PAGES, PAGE_BALLOONED), PAGES);
}

static void a_page_on_its_way_may_be_given_up(void **state)
{
	(void)state;
	assert_int_equal(mm_pageout(fake_vm(A), 4), OK);
	swap_settle();
	u32 page = swap_find(A, PAGES, PAGE_BUSY);

	assert_int_equal(mm_give_up(fake_vm(A), 0, (ppn_t){ page }), OK);
	swap_run();
	assert_int_equal(swap_state(A, page), PAGE_BALLOONED);
	u32 out = swap_find(A, PAGES, PAGE_SWAPPED);

	assert_int_equal(try_read(A, out), E_SUSPEND);
	assert_int_equal(mm_give_up(fake_vm(A), 0, (ppn_t){ out }), OK);
	swap_run();
	assert_int_equal(swap_state(A, out), PAGE_BALLOONED);
	assert_int_equal(totals().moving, 0);
	assert_int_equal(try_read(A, out), OK);
}

/* Its successor has the same number, the same frames and the same pages: nothing of the old one appears there. */
static void a_vm_may_end_with_transfers_under_way(void **state)
{
	(void)state;
	swap_out(A, 100);
	assert_int_equal(mm_pageout(fake_vm(A), 60), OK);
	swap_settle();
	for (u32 page = 0; page < PAGES; page++) {
		if (swap_state(A, page) == PAGE_SWAPPED && fake_swap_pending() < 8)
			assert_int_equal(try_read(A, page), E_SUSPEND);
	}
	assert_true(fake_swap_pending() > 4);
	fake_vm_end(A);
	assert_int_equal(fake_vm_start(A, PAGES, PAGES), OK);
	for (u32 page = 0; page < PAGES; page++)
		swap_fill(A, page, 9);
	assert_int_equal(mm_pageout(fake_vm(A), 50), OK);
	swap_run();
	assert_int_equal(totals().moving, 0);
	assert_int_equal(totals().used, 50);
	expect_all(A, 9);
	fake_vm_end(A);
	assert_int_equal(totals().used, 0);
}

/* ---- no memory, no area ---- */

/* Take every frame that is free. */
static u32 take_all(mpn_t *taken, u32 most)
{
	u32 count = 0;

	while (count < most && !mm_overhead_alloc(0, &taken[count]))
		count++;
	assert_true(count < most);
	return count;
}

static void swapping_needs_no_frame_and_coming_back_waits_for_one(void **state)
{
	static mpn_t taken[4096];
	struct mm_totals memory;

	(void)state;
	swap_out(A, 20);
	swap_settle();
	for (u32 i = 0; fake_vm(A)->set_aside && i < 100; i++) {
		/* what is set aside for the guest block goes to who needs it */
		lock_acquire(fake_vm(A)->lock);
		reserve_break_one(fake_vm(A));
		lock_release(fake_vm(A)->lock);
	}
	u32 count = take_all(taken, ARRAY_SIZE(taken));
	u32 page = swap_find(A, PAGES, PAGE_SWAPPED);

	mm_totals(&memory);
	assert_int_equal(memory.free, 0);
	assert_int_equal(try_read(A, page), E_NO_MEMORY);
	assert_int_equal(fake_swap_pending(), 0);
	swap_out(A, 3);
	mm_totals(&memory);
	assert_true(memory.free > 0);
	assert_true(fake_woken(A, 0) > 0);
	assert_int_equal(try_read(A, page), E_SUSPEND);
	swap_run();
	assert_int_equal(try_read(A, page), OK);
	while (count)
		mm_overhead_free(taken[--count], 0);
	expect_all(A, 0);
}

static void an_area_that_is_full_refuses_and_goes_on_when_there_is_room(void **state)
{
	(void)state;
	swap_machine(2, 40);
	assert_int_equal(fake_vm_start(A, PAGES, PAGES), OK);
	for (u32 page = 0; page < PAGES; page++)
		swap_fill(A, page, 0);
	swap_out(A, PAGES);
	assert_int_equal(totals().used, 40);
	assert_int_equal(swap_pageout(A).swapped, 40);
	assert_int_equal(swap_pageout(A).unmet, PAGES - 40);
	assert_true(swap_pageout(A).refused > 0);
	expect_all(A, 0);
	swap_out(A, 30);
	assert_int_equal(totals().used, 30);
	expect_all(A, 0);
}

static void without_an_area_nothing_is_swapped_and_all_else_works(void **state)
{
	(void)state;
	swap_machine(3, 0);
	assert_non_null(strstr(host_last_log, "swap: off: there is no area"));
	assert_int_equal(fake_vm_start(A, PAGES, PAGES), OK);
	for (u32 page = 0; page < PAGES; page++)
		swap_fill(A, page, 0);
	assert_int_equal(try_write(A, 0), OK);
	swap_out(A, PAGES);
	assert_int_equal(swap_count(A, PAGES, PAGE_PRIVATE), PAGES);
	assert_int_equal(swap_pageout(A).unmet, PAGES);
	assert_int_equal(totals().slots, 0);
}

static void without_a_cipher_swap_is_refused(void **state)
{
	(void)state;
	fake_reset(4, true);
	fake_swap(SLOTS);
	fake_has_cipher(false);
	fake_small_machine();
	assert_int_equal(mm_swap_init(), E_UNSUPPORTED);
	assert_non_null(strstr(host_last_log, "swap: off: this processor has no AES-NI"));
	assert_int_equal(totals().slots, 0);
}

static void an_area_larger_than_its_table_pays_for_is_used_in_part(void **state)
{
	(void)state;
	swap_machine(5, 20000);
	assert_non_null(strstr(host_last_log, "more would not pay for their table"));
	assert_int_equal(totals().slots, frame_counts.total * 4);
	fake_audit_memory();
}

/* ---- the audit ---- */

static u32 swapped, written, read_in; /* pages of A, by what is under way */

static u64 *entry(u32 number)
{
	struct page page;

	lock_acquire(fake_vm(A)->lock);
	CHECK(pmap_look(fake_vm(A), (ppn_t){ number }, &page));
	lock_release(fake_vm(A)->lock);
	return page.slot;
}

static struct slot *slot_of(u32 page)
{
	return slot_at(entry_frame(*entry(page)) - 1);
}

static struct frame *frame_behind(u32 page)
{
	return frame_of(entry_frame(*entry(page)));
}

static struct slot *free_slot(void)
{
	for (u32 i = 0; i < SLOTS; i++)
		if (slot_state(i) == SLOT_FREE)
			return slot_at(i);
	fail();
	return NULL;
}

/* clang-format off */ /* one a line */
static void slot_state_unknown(void) { slot_of(swapped)->state = 99; }
static void slot_owner_missing(void) { slot_of(swapped)->owner = 77; }
static void slot_owner_beyond(void) { slot_of(swapped)->owner = 1000; }
static void slot_page_wrong(void) { slot_of(swapped)->ppn ^= 1; }
static void slot_page_no_memory(void) { slot_of(swapped)->ppn = PAGES + 5; }
static void slot_free_though_named(void) { slot_of(swapped)->state = SLOT_FREE; }
static void slot_moving_though_named(void) { slot_of(swapped)->state = SLOT_MOVING; }
static void slot_bad_though_named(void) { slot_of(swapped)->state = SLOT_BAD; }
static void slot_used_by_nobody(void) { free_slot()->state = SLOT_USED; }
static void slot_lost_by_its_page(void) { *entry(swapped) += 1ULL << ENTRY_FRAME_SHIFT; }
static void entry_beyond_the_area(void) { *entry(swapped) |= 0xf0000000ULL << ENTRY_FRAME_SHIFT; }
static void entry_without_slot(void) { *entry(swapped) &= ~(~0ULL << ENTRY_FRAME_SHIFT); }
static void entry_swapped_but_readable(void) { *entry(swapped) = entry_with_ceiling(*entry(swapped), CEILING_READ); }
static void entry_swapped_but_guarded(void) { *entry(swapped) |= ENTRY_GUARDED; }
static void frame_written_by_nobody(void) { frame_behind(written)->state = FRAME_PRIVATE; }
static void frame_written_for_another(void) { frame_behind(written)->ppn ^= 1; }
static void frame_written_elsewhere(void) { frame_behind(written)->next ^= 1; }
static void frame_read_from_beyond(void) { frame_behind(read_in)->next = SLOTS; }
static void transit_without_frame(void) { *entry(read_in) |= 0xf0000000ULL << ENTRY_FRAME_SHIFT; }
static void slot_read_but_used(void) { slot_at(frame_behind(read_in)->next)->state = SLOT_USED; }
static void tally_swapped_wrong(void) { fake_vm(A)->tally[TALLY_SWAPPED]++; }
static void pages_and_slots_disagree(void) { slot_settle(frame_behind(read_in)->next); }
/* clang-format on */

static const struct {
	void (*action)(void);
	const char *words;
} broken[] = {
	{ slot_state_unknown, "impossible state 99" },
	{ slot_owner_missing, "of VM 77, which does not exist" },
	{ slot_owner_beyond, "of VM 1000, which does not exist" },
	{ slot_page_wrong, "which does not name it" },
	{ slot_page_no_memory, "of VM 1 page 0xcd, which does not name it" },
	{ slot_free_though_named, "free, or the map says so" },
	{ slot_moving_though_named, "swapped, but its slot is not its own" },
	{ slot_bad_though_named, "swapped, but its slot is not its own" },
	{ slot_used_by_nobody, "free, or the map says so" },
	{ slot_lost_by_its_page, "which does not name it" },
	{ entry_beyond_the_area, "swapped, but its slot is not its own" },
	{ entry_without_slot, "swapped, but its slot is not its own" },
	{ entry_swapped_but_readable, "swapped, but accessible, pinned or guarded" },
	{ entry_swapped_but_guarded, "swapped, but accessible, pinned or guarded" },
	{ frame_written_by_nobody, "in transit, but not with a frame of its own" },
	{ frame_written_for_another, "in transit, but not with a frame of its own" },
	{ frame_written_elsewhere, "in transit, but its slot is in no request for it" },
	{ frame_read_from_beyond, "in transit, but its slot is in no request for it" },
	{ transit_without_frame, "in transit without a frame" },
	{ slot_read_but_used, "in transit, but its slot is in no request for it" },
	{ tally_swapped_wrong, "pages swapped, but its counter says" },
	{ pages_and_slots_disagree, "slots in requests against their counter" },
};

static void look(void *context, const char *line)
{
	const char **words = context;

	if (*words && strstr(line, *words))
		*words = NULL;
}

static void every_broken_invariant_of_the_area_is_found_and_named(void **state)
{
	for (u32 i = 0; i < ARRAY_SIZE(broken); i++) {
		const char *words = broken[i].words;
		struct mm_audit audit;

		begin(state);
		swap_out(A, 40);
		assert_int_equal(mm_pageout(fake_vm(A), 1), OK);
		swap_settle();
		written = swap_find(A, PAGES, PAGE_BUSY);
		read_in = swap_find(A, PAGES, PAGE_SWAPPED);
		assert_int_equal(try_read(A, read_in), E_SUSPEND);
		swapped = swap_find(A, PAGES, PAGE_SWAPPED);
		fake_audit_memory();
		broken[i].action();
		mm_audit_begin(&audit);
		while (mm_audit_step(&audit, look, &words))
			;
		if (words)
			fail_msg("row %u: %u findings, none says '%s'", i, audit.findings, words);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
	const struct CMUnitTest tests[] = {
		TEST(what_goes_out_comes_back),
		TEST(a_vm_loses_as_many_pages_as_it_has_to_and_no_more),
		TEST(pages_are_written_in_clusters),
		TEST(what_is_on_the_disk_is_noise),
		TEST(neighbours_come_along_while_memory_is_plentiful),
		TEST(a_page_that_is_needed_while_it_is_written_stays),
		TEST(a_page_that_is_being_read_suspends_and_wakes),
		TEST(devices_and_pins_bring_pages_back),
		TEST(who_finds_no_request_is_woken_when_there_is_one),
		TEST(a_page_that_cannot_be_written_stays_in_memory),
		TEST(a_disk_that_fails_always_ends_the_attempt_and_loses_nothing),
		TEST(a_read_that_fails_is_tried_again_then_said),
		TEST(a_read_that_fails_once_costs_nothing_but_time),
		TEST(a_slot_that_was_changed_is_never_believed),
		TEST(a_swapped_page_that_is_given_up_is_not_read),
		TEST(a_page_on_its_way_may_be_given_up),
		TEST(a_vm_may_end_with_transfers_under_way),
		TEST(swapping_needs_no_frame_and_coming_back_waits_for_one),
		TEST(an_area_that_is_full_refuses_and_goes_on_when_there_is_room),
		TEST(without_an_area_nothing_is_swapped_and_all_else_works),
		TEST(without_a_cipher_swap_is_refused),
		TEST(an_area_larger_than_its_table_pays_for_is_used_in_part),
		TEST(every_broken_invariant_of_the_area_is_found_and_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
