/* SPDX-License-Identifier: BSD-2-Clause */
/* The mover: a page changes its frame and nobody notices; who accesses it, pins it or leaves no frame for it keeps it where it is. */
#include "mm/move.h"
#include "mm/share.h"
#include "mm/zone.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SLOT, PAGES = 700, HIGH = ZONES_ANY & ~ZONES_LOW, MANY = 4096 };

static mpn_t taken[MANY];
static u32 told_count, told_moved;

static int begin(void **state)
{
	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	assert_int_equal(share_init(), OK);
	assert_int_equal(fake_vm_start(SLOT, PAGES, PAGES), OK);
	told_count = told_moved = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	fake_vm_end_clean(SLOT);
	return 0;
}

static struct mm_vm *lock(void)
{
	lock_acquire(fake_vm(SLOT)->lock);
	return fake_vm(SLOT);
}

static u64 entry_of(u32 ppn)
{
	struct mm_vm *vm = lock();
	struct page page;

	assert_true(pmap_look(vm, (ppn_t){ ppn }, &page));
	u64 entry = page_entry(&page);

	vm_unlock(vm);
	return entry;
}

static u32 zone_behind(u32 ppn)
{
	return frame_of(entry_frame(entry_of(ppn)))->zone;
}

static bool add(u32 ppn, u32 wanted)
{
	struct mm_vm *vm = lock();
	struct page page;

	assert_true(pmap_look(vm, (ppn_t){ ppn }, &page));
	bool added = move_add(vm, &page, wanted);

	vm_unlock(vm);
	return added;
}

static void told(struct mm_vm *vm, struct page *page, u32 wanted, bool moved)
{
	assert_true(lock_is_mine(vm->lock));
	assert_true(!moved || (wanted & BIT(frame_of(entry_frame(page_entry(page)))->zone)));
	told_count++;
	told_moved += moved;
}

/* Close the batch and move as far as what is settled allows. */
static void move_now(u32 pages)
{
	struct mm_vm *vm = lock();

	move_close(vm);
	move_some(vm, pages, told);
	vm_unlock(vm);
	fake_check();
	fake_audit_memory();
}

static void settle_and_move(void)
{
	fake_end_steps();
	move_now(BATCH_PAGES);
}

static void a_page_moves_to_the_zone_that_is_wanted_and_back(void **state)
{
	(void)state;
	fake_put_page(SLOT, 3, 77);
	u32 from = entry_frame(entry_of(3));

	assert_int_equal(zone_behind(3), ZONE_HIGH);
	assert_false(add(3, HIGH)); /* it is there */
	assert_true(add(3, ZONES_LOW));
	settle_and_move();
	assert_int_equal(zone_behind(3), ZONE_LOW);
	assert_true(entry_of(3) & ENTRY_LOW);
	assert_false(frame_is_private(from));
	assert_true(fake_page_is(SLOT, 3, 77));
	assert_true(add(3, HIGH));
	settle_and_move();
	assert_int_equal(zone_behind(3), ZONE_HIGH);
	assert_false(entry_of(3) & ENTRY_LOW);
	assert_true(fake_page_is(SLOT, 3, 77));
	assert_int_equal(told_moved, 2);
}

/* CPU 1 writes by a translation that it has had since before the page was guarded: what it writes is there after the move. */
static void a_write_by_a_stale_translation_is_not_lost(void **state)
{
	u64 value = 42;
	bool stale;

	(void)state;
	fake_put(SLOT, 3, 0, 1);
	fake_cpu_set(1);
	assert_int_equal(fake_touch(SLOT, 1, gpa_of((ppn_t){ 3 }), &value, sizeof(value), MM_WRITE, &stale), OK);
	fake_cpu_set(0);
	assert_true(add(3, ZONES_LOW));
	move_now(BATCH_PAGES); /* CPU 1 has not passed */
	assert_int_equal(told_count, 0);
	assert_int_equal(zone_behind(3), ZONE_HIGH);
	fake_cpu_set(1);
	value = 43;
	assert_int_equal(fake_access(SLOT, gpa_of((ppn_t){ 3 }), &value, sizeof(value), MM_WRITE, &stale), FAKE_DONE);
	assert_true(stale);
	settle_and_move();
	assert_int_equal(told_moved, 1);
	fake_cpu_set(0);
	assert_int_equal(fake_get(SLOT, 3, 0), 43);
}

static void a_pointer_of_this_step_holds_the_move_up(void **state)
{
	void *pointer;

	(void)state;
	fake_put(SLOT, 3, 0, 1);
	fake_cpu_set(1);
	fake_step_begin();
	assert_int_equal(mm_reach(fake_vm(SLOT), 0, gpa_of((ppn_t){ 3 }), 8, MM_WRITE, &pointer), OK);
	fake_cpu_set(0);
	assert_true(add(3, ZONES_LOW));
	move_now(BATCH_PAGES);
	assert_int_equal(told_count, 0);
	*(u64 *)pointer = 99;
	settle_and_move();
	assert_int_equal(told_moved, 1);
	assert_int_equal(fake_get(SLOT, 3, 0), 99);
}

static void any_access_cancels(void **state)
{
	mpn_t mpn;

	(void)state;
	for (u32 ppn = 0; ppn < 4; ppn++) {
		fake_put(SLOT, ppn, 0, ppn + 1);
		assert_true(add(ppn, ZONES_LOW));
	}
	assert_int_equal(fake_get(SLOT, 0, 0), 1);
	fake_put(SLOT, 1, 8, 5);
	assert_int_equal(mm_pin(fake_vm(SLOT), 0, (ppn_t){ 2 }, MM_READ, &mpn), OK);
	settle_and_move();
	assert_int_equal(told_count, 1);
	for (u32 ppn = 0; ppn < 4; ppn++) {
		assert_int_equal(zone_behind(ppn), ppn == 3 ? ZONE_LOW : ZONE_HIGH);
		assert_false(entry_of(ppn) & ENTRY_GUARDED);
	}
	assert_int_equal(entry_frame(entry_of(2)), mpn.n);
	assert_int_equal(fake_vm(SLOT)->batches[BATCH_MOVE].cancelled, 3);
	mm_unpin(fake_vm(SLOT), (ppn_t){ 2 });
}

static void what_has_no_frame_of_its_own_or_is_in_use_is_passed_by(void **state)
{
	mpn_t mpn;

	(void)state;
	fake_put(SLOT, 0, 0, 1);
	assert_int_equal(mm_pin(fake_vm(SLOT), 0, (ppn_t){ 0 }, MM_READ, &mpn), OK);
	assert_int_equal(fake_get(SLOT, 1, 0), 0); /* the zero frame */
	fake_put(SLOT, 2, 0, 1);
	assert_int_equal(mm_watch(fake_vm(SLOT), (ppn_t){ 2 }, MM_WATCH_GUARDED), OK); /* another's candidate */
	fake_put(SLOT, 3, 0, 1);
	assert_int_equal(mm_give_up(fake_vm(SLOT), 0, (ppn_t){ 3 }), OK);
	for (u32 ppn = 0; ppn < 4; ppn++)
		assert_false(add(ppn, ZONES_LOW));
	mm_unpin(fake_vm(SLOT), (ppn_t){ 0 });
}

static void marks_and_history_go_with_the_page(void **state)
{
	struct mm_history history;

	(void)state;
	fake_put(SLOT, 3, 0, 7);
	assert_int_equal(mm_watch(fake_vm(SLOT), (ppn_t){ 3 }, MM_WATCH_SAMPLED), OK);
	assert_true(add(3, ZONES_LOW));
	settle_and_move();
	assert_int_equal(told_moved, 1);
	assert_int_equal(mm_history(fake_vm(SLOT), (ppn_t){ 3 }, &history), OK);
	assert_true(history.sampled && history.touched && history.changed && !history.guarded);
	assert_int_equal(fake_get(SLOT, 3, 0), 7);
	assert_int_equal(fake_vm(SLOT)->sample.touched, 1);
}

/* The page has not changed, so the scanner would not look at it again. */
static void what_the_sharing_table_knows_goes_with_the_page(void **state)
{
	(void)state;
	fake_put(SLOT, 3, 0, 7);
	u32 from = entry_frame(entry_of(3));
	struct mm_vm *vm = lock();

	share_note(from, 0x1234);
	vm_unlock(vm);
	assert_int_equal(frame_state(from), FRAME_HINT);
	assert_true(add(3, ZONES_LOW));
	settle_and_move();
	u32 to = entry_frame(entry_of(3));

	assert_int_not_equal(to, from);
	assert_int_equal(frame_state(to), FRAME_HINT);
	assert_int_equal(frame_of(to)->hash, 0x1234);
}

/* Its reservation stays: the page's own place is set aside for it, and is where it goes back to. */
static void the_place_in_the_reservation_waits(void **state)
{
	(void)state;
	for (u32 ppn = 0; ppn < LARGE_PAGES; ppn++)
		fake_put(SLOT, ppn, 0, ppn + 1);
	u32 home = entry_frame(entry_of(9));
	u32 away = zone_of(home) == ZONE_LOW ? HIGH : ZONES_LOW;

	assert_int_equal(fake_vm(SLOT)->large_blocks, 1);
	assert_true(add(9, away));
	settle_and_move();
	assert_int_equal(fake_vm(SLOT)->large_blocks, 0);
	assert_int_equal(fake_vm(SLOT)->tally[TALLY_IN_PLACE], LARGE_PAGES - 1);
	assert_int_equal(frame_state(home), FRAME_RESERVED);
	assert_int_equal(fake_get(SLOT, 9, 0), 10);
	assert_true(add(9, ZONES_ANY & ~away));
	settle_and_move();
	assert_int_equal(entry_frame(entry_of(9)), home);
	fake_put(SLOT, 9, 8, 1);
	assert_int_equal(fake_vm(SLOT)->large_blocks, 1); /* whole again */
}

static void without_a_frame_the_page_stays_and_is_no_candidate_any_more(void **state)
{
	u32 count = 0;

	(void)state;
	fake_put(SLOT, 3, 0, 7);
	assert_true(add(3, ZONES_LOW));
	while (mm_low_alloc(0, &taken[count]) == OK)
		count++;
	settle_and_move();
	assert_int_equal(told_count, 1);
	assert_int_equal(told_moved, 0);
	assert_int_equal(zone_behind(3), ZONE_HIGH);
	assert_false(entry_of(3) & ENTRY_GUARDED);
	while (count)
		mm_overhead_free(taken[--count], 0);
	assert_int_equal(fake_get(SLOT, 3, 0), 7);
}

static void a_batch_is_bounded_and_so_is_a_step(void **state)
{
	(void)state;
	for (u32 ppn = 0; ppn < BATCH_PAGES + 1; ppn++)
		fake_put(SLOT, ppn, 0, ppn + 1);
	for (u32 ppn = 0; ppn < BATCH_PAGES; ppn++)
		assert_true(add(ppn, ZONES_LOW));
	struct mm_vm *vm = lock();

	assert_int_equal(move_room(vm), 0);
	assert_true(move_waits(vm));
	vm_unlock(vm);
	assert_false(add(BATCH_PAGES, ZONES_LOW));
	fake_end_steps();
	move_now(5);
	assert_int_equal(told_moved, 5);
	move_now(BATCH_PAGES);
	assert_int_equal(told_moved, BATCH_PAGES);
	for (u32 ppn = 0; ppn < BATCH_PAGES + 1; ppn++)
		assert_int_equal(fake_get(SLOT, ppn, 0), ppn + 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_page_moves_to_the_zone_that_is_wanted_and_back),
		TEST(a_write_by_a_stale_translation_is_not_lost),
		TEST(a_pointer_of_this_step_holds_the_move_up),
		TEST(any_access_cancels),
		TEST(what_has_no_frame_of_its_own_or_is_in_use_is_passed_by),
		TEST(marks_and_history_go_with_the_page),
		TEST(what_the_sharing_table_knows_goes_with_the_page),
		TEST(the_place_in_the_reservation_waits),
		TEST(without_a_frame_the_page_stays_and_is_no_candidate_any_more),
		TEST(a_batch_is_bounded_and_so_is_a_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
