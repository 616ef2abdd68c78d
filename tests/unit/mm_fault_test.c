/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest's access does to a page: zero frame, first touch, balloon, watch, history, pins, pointers. */
#include "mm/pmap.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { SLOT = 0, LOW = 1024, PAGES = 1100, FIRST_HIGH = 1 << 20 };

static int begin(void **state)
{
	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	assert_int_equal(fake_vm_start(SLOT, PAGES, LOW), OK);
	return 0;
}

/* Whatever a test did, the VM goes and leaves nothing. */
static int end(void **state)
{
	struct mm_totals totals;

	(void)state;
	fake_audit_memory();
	fake_check();
	fake_vm_end(SLOT);
	mm_totals(&totals);
	assert_int_equal(totals.private_, 0);
	assert_int_equal(totals.debt_frames, 0);
	fake_check();
	fake_check_poison();
	return 0;
}

static struct mm_usage usage(void)
{
	struct mm_usage all;

	fake_audit_memory();
	fake_check();
	mm_vm_usage(fake_vm(SLOT), &all);
	assert_int_equal(all.max, all.resident + all.ballooned + all.swapped + all.compressed + all.empty);
	return all;
}

static gpa_t at(u32 page)
{
	return gpa_of((ppn_t){ page });
}

static u8 peek(u32 page)
{
	bool stale;
	u8 byte = 0xee;

	assert_int_equal(fake_touch(SLOT, 0, at(page), &byte, 1, MM_READ, &stale), OK);
	return byte;
}

static err_t poke(u32 page, u8 byte)
{
	bool stale;

	return fake_touch(SLOT, 0, at(page), &byte, 1, MM_WRITE, &stale);
}

static u64 entry_of(u32 ppn)
{
	struct mm_vm *vm = fake_vm(SLOT);
	struct page page;

	lock_acquire(vm->lock);
	assert_true(pmap_look(vm, (ppn_t){ ppn }, &page));
	u64 entry = page_entry(&page);

	lock_release(vm->lock);
	return entry;
}

static struct mm_history history(u32 page)
{
	struct mm_history seen;

	assert_int_equal(mm_history(fake_vm(SLOT), (ppn_t){ page }, &seen), OK);
	fake_settle_everything();
	fake_audit_memory();
	return seen;
}

static void reading_an_untouched_page_costs_no_frame(void **state)
{
	(void)state;
	assert_int_equal(peek(5), 0);
	assert_int_equal(peek(6), 0);
	struct mm_usage all = usage();

	assert_int_equal(all.private_, 0);
	assert_int_equal(all.shared, 2);
	assert_int_equal(all.resident, 2);
	assert_int_equal(all.saved_bytes, PAGE_SIZE); /* two references, one frame */
}

static void writing_an_untouched_page_gives_it_a_zeroed_frame(void **state)
{
	(void)state;
	assert_int_equal(poke(5, 7), OK);
	assert_int_equal(peek(5), 7);
	for (u32 i = 1; i < PAGE_SIZE; i += 97) {
		u8 byte = 1;

		assert_int_equal(mm_read(fake_vm(SLOT), 0, (gpa_t){ at(5).a + i }, &byte, 1), OK);
		assert_int_equal(byte, 0);
	}
	assert_int_equal(usage().private_, 1);
}

static void a_write_after_a_read_waits_until_no_cpu_sees_the_zero_frame(void **state)
{
	bool stale;
	u8 byte = 9;

	(void)state;
	fake_cpu_set(1);
	assert_int_equal(peek(5), 0); /* CPU 1 stays in the guest with the zero frame in its TLB */
	fake_cpu_set(0);
	assert_int_equal(poke(5, 1), E_SUSPEND);
	assert_int_equal(entry_state(entry_of(5)), PAGE_BUSY);
	usage();
	fake_cpu_set(0);
	assert_int_equal(poke(5, 1), E_SUSPEND); /* CPU 1 has not left */
	fake_cpu_set(1);
	assert_int_equal(fake_access(SLOT, at(5), &byte, 1, MM_READ, &stale), FAKE_DONE);
	assert_true(stale && byte == 0);
	fake_settle_everything();
	assert_true(fake_woken(SLOT, 0) > 0);
	fake_cpu_set(0);
	assert_int_equal(poke(5, 1), OK);
	fake_cpu_set(1);
	assert_int_equal(peek(5), 1);
	assert_int_equal(usage().shared, 0);
}

static void memory_goes_on_at_4_gib_and_the_hole_is_not_memory(void **state)
{
	struct mm_vm *vm = fake_vm(SLOT);
	void *pointer;

	(void)state;
	assert_int_equal(poke(LOW - 1, 1), OK);
	assert_int_equal(poke(FIRST_HIGH, 2), OK);
	assert_int_equal(poke(FIRST_HIGH + PAGES - LOW - 1, 3), OK);
	assert_int_equal(peek(LOW - 1), 1);
	assert_int_equal(peek(FIRST_HIGH), 2);
	const u32 outside[] = { LOW, FIRST_HIGH - 1, FIRST_HIGH + PAGES - LOW, 0x000fee00, UINT32_MAX };

	for (u32 i = 0; i < ARRAY_SIZE(outside); i++) {
		assert_int_equal(mm_resolve(vm, 0, (ppn_t){ outside[i] }, MM_READ), E_NOT_FOUND);
		assert_int_equal(mm_reach(vm, 0, at(outside[i]), 1, MM_READ, &pointer), E_NOT_FOUND);
		assert_int_equal(mm_give_up(vm, 0, (ppn_t){ outside[i] }), E_NOT_FOUND);
	}
	assert_int_equal(usage().private_, 3);
}

static void an_address_beyond_16_tib_never_wraps_into_memory(void **state)
{
	u64 high[] = { 1ULL << 44, (1ULL << 44) + 0x5000, UINT64_MAX, UINT64_MAX - 4 };
	u8 bytes[8] = { 0 };
	void *pointer;

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(high); i++) {
		assert_int_equal(mm_reach(fake_vm(SLOT), 0, (gpa_t){ high[i] }, 1, MM_WRITE, &pointer), E_NOT_FOUND);
		assert_int_equal(mm_write(fake_vm(SLOT), 0, (gpa_t){ high[i] }, bytes, 8), E_NOT_FOUND);
		assert_int_equal(mm_read(fake_vm(SLOT), 0, (gpa_t){ high[i] }, bytes, 8), E_NOT_FOUND);
	}
	assert_int_equal(usage().resident, 0);
}

static void a_copy_that_cannot_reach_its_second_page_writes_nothing(void **state)
{
	u8 bytes[16];

	(void)state;
	memset(bytes, 0xaa, sizeof(bytes));
	assert_int_equal(mm_write(fake_vm(SLOT), 0, (gpa_t){ at(LOW).a - 8 }, bytes, 16), E_NOT_FOUND);
	assert_int_equal(mm_read(fake_vm(SLOT), 0, (gpa_t){ at(LOW).a - 8 }, bytes, 8), OK);
	for (u32 i = 0; i < 8; i++)
		assert_int_equal(bytes[i], 0);
	usage();
}

static void a_copy_crosses_a_page_border(void **state)
{
	u8 out[300], in[300];

	(void)state;
	for (u32 i = 0; i < sizeof(out); i++)
		out[i] = (u8)(i * 7);
	assert_int_equal(mm_write(fake_vm(SLOT), 0, (gpa_t){ at(9).a - 100 }, out, sizeof(out)), OK);
	assert_int_equal(mm_read(fake_vm(SLOT), 0, (gpa_t){ at(9).a - 100 }, in, sizeof(in)), OK);
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(peek(9), (u8)(100 * 7));
	assert_int_equal(mm_write(fake_vm(SLOT), 0, at(9), out, 0), OK);
	assert_int_equal(usage().private_, 2);
}

static void a_given_up_page_is_free_only_after_every_cpu_has_passed(void **state)
{
	struct mm_totals totals;
	bool stale;
	u8 byte = 0;

	(void)state;
	assert_int_equal(poke(5, 1), OK);
	fake_cpu_set(1);
	assert_int_equal(peek(5), 1);
	fake_cpu_set(0);
	fake_step_end();
	assert_int_equal(mm_give_up(fake_vm(SLOT), 0, (ppn_t){ 5 }), OK);
	assert_int_equal(usage().ballooned, 1);
	mm_totals(&totals);
	assert_int_equal(totals.debt_frames, 1);
	assert_true(mm_work_step());
	assert_int_equal(totals.debt_frames, 1);
	/* The stale CPU still reads the old frame; a new one may not appear yet. */
	fake_cpu_set(1);
	assert_int_equal(fake_access(SLOT, at(5), &byte, 1, MM_READ, &stale), FAKE_DONE);
	assert_int_equal(byte, 1);
	fake_cpu_set(0);
	assert_int_equal(poke(5, 2), E_SUSPEND);
	fake_settle_everything();
	mm_totals(&totals);
	assert_int_equal(totals.debt_frames, 0);
	assert_int_equal(peek(5), 0); /* the balloon pops: a zeroed frame */
	assert_int_equal(usage().ballooned, 0);
}

static void a_page_cannot_be_given_up_twice_or_while_pinned(void **state)
{
	mpn_t mpn;

	(void)state;
	assert_int_equal(mm_give_up(fake_vm(SLOT), 0, (ppn_t){ 7 }), OK); /* never touched */
	assert_int_equal(mm_give_up(fake_vm(SLOT), 0, (ppn_t){ 7 }), E_STATE);
	assert_int_equal(mm_pin(fake_vm(SLOT), 0, (ppn_t){ 8 }, MM_WRITE, &mpn), OK);
	assert_int_equal(mm_give_up(fake_vm(SLOT), 0, (ppn_t){ 8 }), E_STATE);
	assert_int_equal(mm_watch(fake_vm(SLOT), (ppn_t){ 8 }, MM_WATCH_SAMPLED), E_STATE);
	mm_unpin(fake_vm(SLOT), (ppn_t){ 8 });
	assert_int_equal(mm_give_up(fake_vm(SLOT), 0, (ppn_t){ 8 }), OK);
	assert_int_equal(usage().ballooned, 2);
}

static void pins_are_counted_up_to_255(void **state)
{
	mpn_t first, next;

	(void)state;
	assert_int_equal(peek(3), 0); /* a pin to read takes the page off the zero frame, too */
	fake_settle_everything();
	assert_int_equal(mm_pin(fake_vm(SLOT), 0, (ppn_t){ 3 }, MM_READ, &first), OK);
	for (u32 i = 1; i < ENTRY_MAX_PINS; i++) {
		assert_int_equal(mm_pin(fake_vm(SLOT), 0, (ppn_t){ 3 }, MM_WRITE, &next), OK);
		assert_int_equal(next.n, first.n);
	}
	assert_int_equal(mm_pin(fake_vm(SLOT), 0, (ppn_t){ 3 }, MM_WRITE, &next), E_RANGE);
	assert_int_equal(usage().pinned, 1);
	for (u32 i = 0; i < ENTRY_MAX_PINS; i++)
		mm_unpin(fake_vm(SLOT), (ppn_t){ 3 });
	assert_int_equal(usage().pinned, 0);
}

static void a_pinned_page_counts_as_changed_all_the_time(void **state)
{
	mpn_t mpn;

	(void)state;
	assert_int_equal(mm_pin(fake_vm(SLOT), 0, (ppn_t){ 3 }, MM_WRITE, &mpn), OK);
	assert_true(history(3).changed);
	assert_true(history(3).changed);
	mm_unpin(fake_vm(SLOT), (ppn_t){ 3 });
	assert_true(history(3).changed); /* what the device wrote last */
	assert_false(history(3).changed);
}

static void a_sample_sees_the_first_access_of_any_kind(void **state)
{
	u8 byte;

	(void)state;
	for (u32 page = 10; page < 14; page++)
		assert_int_equal(poke(page, 1), OK);
	for (u32 page = 10; page < 14; page++)
		assert_int_equal(mm_watch(fake_vm(SLOT), (ppn_t){ page }, MM_WATCH_SAMPLED), OK);
	fake_settle_everything();
	assert_int_equal(peek(10), 1);
	assert_int_equal(poke(11, 2), OK);
	assert_int_equal(mm_read(fake_vm(SLOT), 0, at(12), &byte, 1), OK); /* a device touches */
	assert_false(history(10).sampled);
	assert_false(history(11).sampled);
	assert_false(history(12).sampled);
	assert_true(history(13).sampled);
	assert_int_equal(peek(13), 1);
	assert_false(history(13).sampled);
	usage();
}

static void a_sample_may_be_a_page_without_a_frame(void **state)
{
	(void)state;
	assert_int_equal(peek(21), 0);
	assert_int_equal(mm_give_up(fake_vm(SLOT), 0, (ppn_t){ 22 }), OK);
	for (u32 page = 20; page < 23; page++)
		assert_int_equal(mm_watch(fake_vm(SLOT), (ppn_t){ page }, MM_WATCH_SAMPLED), OK);
	fake_settle_everything();
	for (u32 page = 20; page < 23; page++)
		assert_true(history(page).sampled);
	for (u32 page = 20; page < 23; page++) {
		assert_int_equal(peek(page), 0);
		assert_false(history(page).sampled);
	}
}

static void a_guarded_page_is_cancelled_by_the_first_write_not_by_reads(void **state)
{
	(void)state;
	assert_int_equal(mm_watch(fake_vm(SLOT), (ppn_t){ 10 }, MM_WATCH_GUARDED), E_STATE); /* nothing there */
	assert_int_equal(poke(10, 1), OK);
	assert_int_equal(mm_watch(fake_vm(SLOT), (ppn_t){ 10 }, MM_WATCH_GUARDED), OK);
	fake_settle_everything();
	assert_int_equal(peek(10), 1);
	assert_true(history(10).guarded);
	assert_int_equal(poke(10, 2), OK);
	assert_false(history(10).guarded);
	assert_int_equal(peek(10), 2);
}

static void a_pin_cancels_a_candidacy(void **state)
{
	mpn_t mpn;

	(void)state;
	assert_int_equal(poke(10, 1), OK);
	assert_int_equal(mm_watch(fake_vm(SLOT), (ppn_t){ 10 }, MM_WATCH_GUARDED), OK);
	assert_int_equal(mm_pin(fake_vm(SLOT), 0, (ppn_t){ 10 }, MM_READ, &mpn), OK);
	assert_false(history(10).guarded);
	mm_unpin(fake_vm(SLOT), (ppn_t){ 10 });
}

static void history_comes_from_hardware_and_from_devices(void **state)
{
	u8 byte = 1;

	(void)state;
	assert_int_equal(poke(10, 1), OK);
	struct mm_history seen = history(10);

	assert_true(seen.touched && seen.changed);
	seen = history(10);
	assert_false(seen.touched || seen.changed);
	assert_int_equal(peek(10), 1);
	seen = history(10);
	assert_true(seen.touched && !seen.changed);
	assert_int_equal(mm_read(fake_vm(SLOT), 0, at(10), &byte, 1), OK);
	seen = history(10);
	assert_true(seen.touched && !seen.changed);
	assert_int_equal(mm_write(fake_vm(SLOT), 0, at(10), &byte, 1), OK);
	seen = history(10);
	assert_true(seen.touched && seen.changed);
}

static void history_survives_narrowing(void **state)
{
	(void)state;
	assert_int_equal(poke(10, 1), OK);
	history(10);
	assert_int_equal(poke(10, 2), OK); /* no fault: only the leaf knows */
	assert_int_equal(mm_watch(fake_vm(SLOT), (ppn_t){ 10 }, MM_WATCH_SAMPLED), OK);
	assert_true(history(10).changed);
}

static void without_flags_every_page_counts_as_accessed(void **state)
{
	(void)state;
	end(state);
	fake_reset(2, false);
	fake_small_machine();
	assert_int_equal(fake_vm_start(SLOT, PAGES, LOW), OK);
	assert_int_equal(peek(10), 0);
	struct mm_history seen = history(10);

	assert_true(seen.touched && seen.changed);
	assert_int_equal(mm_watch(fake_vm(SLOT), (ppn_t){ 10 }, MM_WATCH_SAMPLED), OK);
	assert_true(history(10).sampled); /* removing rights works everywhere */
}

static void losing_every_translation_loses_nothing(void **state)
{
	(void)state;
	for (u32 page = 0; page < 600; page++)
		assert_int_equal(poke(page, (u8)page), OK);
	fake_step_end();
	fake_drop_all(SLOT);
	fake_settle_everything();
	for (u32 page = 0; page < 600; page++)
		assert_int_equal(peek(page), (u8)page);
	assert_int_equal(usage().private_, 600);
}

static void a_failed_fill_is_tried_again_and_nothing_is_lost(void **state)
{
	u32 failures = 0;

	(void)state;
	fake_fail_fills(2);
	for (u32 page = 0; page < 50; page++) {
		err_t error;

		while ((error = poke(page, (u8)(page + 1))) != OK) {
			assert_int_equal(error, E_NO_MEMORY);
			failures++;
			fake_settle_everything();
			assert_true(fake_woken(SLOT, 0) > 0);
			usage();
		}
	}
	assert_true(failures > 10);
	fake_fail_fills(0);
	for (u32 page = 0; page < 50; page++)
		assert_int_equal(peek(page), (u8)(page + 1));
}

static void a_pointer_keeps_its_frame_until_the_step_ends(void **state)
{
	struct mm_totals totals;
	void *pointer;

	(void)state;
	fake_cpu_set(1);
	fake_step_begin();
	assert_int_equal(mm_reach(fake_vm(SLOT), 1, at(5), 8, MM_WRITE, &pointer), OK);
	fake_cpu_set(0);
	assert_int_equal(mm_give_up(fake_vm(SLOT), 0, (ppn_t){ 5 }), OK);
	for (u32 i = 0; i < 10; i++)
		assert_true(mm_work_step());
	mm_totals(&totals);
	assert_int_equal(totals.debt_frames, 1);
	fake_check();
	memset(pointer, 0x55, 8); /* still its old frame, nobody else's */
	fake_cpu_set(1);
	fake_step_end();
	fake_settle_everything();
	mm_totals(&totals);
	assert_int_equal(totals.debt_frames, 0);
}

/* `rep movsb` inside a page that nobody has written: read, write, read, write … from the same page, each after the other's fault. */
static void reading_and_writing_one_untouched_page_makes_progress(void **state)
{
	(void)state;
	for (u32 round = 0; round < 4; round++) {
		(void)peek(5);
		if (poke(5, 1) == OK)
			break;
		fake_settle_everything();
	}
	assert_int_equal(peek(5), 1);
	assert_int_equal(usage().private_, 1);
}

static void who_is_sampled_is_no_candidate_any_more(void **state)
{
	(void)state;
	assert_int_equal(poke(10, 1), OK);
	assert_int_equal(mm_watch(fake_vm(SLOT), (ppn_t){ 10 }, MM_WATCH_GUARDED), OK);
	assert_int_equal(mm_watch(fake_vm(SLOT), (ppn_t){ 10 }, MM_WATCH_SAMPLED), OK);
	fake_settle_everything();
	assert_int_equal(entry_ceiling(entry_of(10)), CEILING_NONE);
	struct mm_history seen = history(10);

	assert_true(seen.sampled && !seen.guarded && seen.changed);
	assert_int_equal(peek(10), 1);
	assert_false(history(10).sampled);
	assert_int_equal(entry_ceiling(entry_of(10)), CEILING_ALL);
}

/* Entries keep half of an epoch, and 0 says that nothing is owed. */
static void an_epoch_whose_low_half_is_zero_is_still_waited_for(void **state)
{
	for (u32 before = 0; before < 6; before++) {
		end(state);
		begin(state);
		fake_epoch((1ULL << 32) - 1 - before);
		assert_int_equal(poke(5, 1), OK);
		fake_cpu_set(1);
		assert_int_equal(peek(5), 1); /* CPU 1 keeps its translation */
		fake_cpu_set(0);
		fake_step_end();
		assert_int_equal(mm_give_up(fake_vm(SLOT), 0, (ppn_t){ 5 }), OK);
		assert_int_not_equal(entry_frame(entry_of(5)), 0);
		assert_int_equal(poke(5, 2), E_SUSPEND);
		fake_settle_everything();
		assert_int_equal(poke(5, 2), OK);
	}
}

static void asking_for_the_history_of_untouched_memory_costs_nothing(void **state)
{
	u64 before = usage().overhead;

	(void)state;
	struct mm_history seen = history(700);

	assert_false(seen.touched || seen.changed || seen.sampled || seen.guarded);
	assert_int_equal(usage().overhead, before);
}

static void a_read_that_becomes_a_write_counts_as_a_touch(void **state)
{
	(void)state;
	assert_int_equal(peek(5), 0);
	history(5);
	assert_int_equal(peek(5), 0); /* only the leaf's accessed flag knows */
	assert_int_equal(poke(5, 1), E_SUSPEND);
	assert_true(history(5).touched);
}

static void what_was_given_up_has_changed_even_if_it_is_only_read(void **state)
{
	(void)state;
	assert_int_equal(poke(10, 1), OK);
	history(10);
	assert_int_equal(mm_give_up(fake_vm(SLOT), 0, (ppn_t){ 10 }), OK);
	fake_settle_everything();
	assert_int_equal(peek(10), 0);
	assert_true(history(10).changed);
}

static void a_fetch_from_an_untouched_page_reads_zeros(void **state)
{
	bool stale;
	u8 byte = 1;

	(void)state;
	assert_int_equal(fake_touch(SLOT, 0, at(3), &byte, 1, MM_EXECUTE, &stale), OK);
	assert_int_equal(byte, 0);
	assert_int_equal(usage().private_, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(reading_an_untouched_page_costs_no_frame),
		TEST(writing_an_untouched_page_gives_it_a_zeroed_frame),
		TEST(a_write_after_a_read_waits_until_no_cpu_sees_the_zero_frame),
		TEST(memory_goes_on_at_4_gib_and_the_hole_is_not_memory),
		TEST(an_address_beyond_16_tib_never_wraps_into_memory),
		TEST(a_copy_that_cannot_reach_its_second_page_writes_nothing),
		TEST(a_copy_crosses_a_page_border),
		TEST(a_given_up_page_is_free_only_after_every_cpu_has_passed),
		TEST(a_page_cannot_be_given_up_twice_or_while_pinned),
		TEST(pins_are_counted_up_to_255),
		TEST(a_pinned_page_counts_as_changed_all_the_time),
		TEST(a_sample_sees_the_first_access_of_any_kind),
		TEST(a_sample_may_be_a_page_without_a_frame),
		TEST(a_guarded_page_is_cancelled_by_the_first_write_not_by_reads),
		TEST(a_pin_cancels_a_candidacy),
		TEST(history_comes_from_hardware_and_from_devices),
		TEST(history_survives_narrowing),
		TEST(without_flags_every_page_counts_as_accessed),
		TEST(losing_every_translation_loses_nothing),
		TEST(a_failed_fill_is_tried_again_and_nothing_is_lost),
		TEST(a_pointer_keeps_its_frame_until_the_step_ends),
		TEST(reading_and_writing_one_untouched_page_makes_progress),
		TEST(who_is_sampled_is_no_candidate_any_more),
		TEST(an_epoch_whose_low_half_is_zero_is_still_waited_for),
		TEST(asking_for_the_history_of_untouched_memory_costs_nothing),
		TEST(a_read_that_becomes_a_write_counts_as_a_touch),
		TEST(what_was_given_up_has_changed_even_if_it_is_only_read),
		TEST(a_fetch_from_an_untouched_page_reads_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
