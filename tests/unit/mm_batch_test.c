/* SPDX-License-Identifier: BSD-2-Clause */
/* Batches of candidates: which accesses cancel one, whose debt must be settled, and that a page is a candidate once. */
#include "mm/batch.h"
#include "mm/pmap.h"
#include "mm/share.h"
#include "mm/watch.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { SLOT, PAGES = 100, KIND = 5 };

static int begin(void **state)
{
	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	assert_int_equal(fake_vm_start(SLOT, PAGES, PAGES), OK);
	for (u32 page = 0; page < PAGES; page++)
		fake_put(SLOT, page, 0, page + 1);
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

static bool add(u32 ppn, enum mm_ceiling ceiling)
{
	struct mm_vm *vm = lock();
	struct page page;

	assert_true(pmap_look(vm, (ppn_t){ ppn }, &page));
	bool added = batch_add(vm, BATCH_SHARE, &page, (struct candidate){ .kind = KIND, .ceiling = (u8)ceiling });

	vm_unlock(vm);
	return added;
}

static void close_batch(void)
{
	struct mm_vm *vm = lock();

	batch_close(vm, BATCH_SHARE);
	vm_unlock(vm);
}

static bool is_settled(void)
{
	struct mm_vm *vm = lock();
	bool settled = batch_is_settled(vm, BATCH_SHARE);

	vm_unlock(vm);
	return settled;
}

/* PPN of the next candidate, BATCH_STRUCK: none; its guard goes. */
static u32 next(void)
{
	struct candidate candidate = { .ppn = BATCH_STRUCK };
	struct mm_vm *vm = lock();
	struct page page;

	if (batch_next(vm, BATCH_SHARE, &candidate, &page)) {
		assert_int_equal(candidate.ppn, page.ppn.n);
		assert_int_equal(candidate.kind, KIND);
		pmap_unguard(vm, &page);
	} else {
		candidate.ppn = BATCH_STRUCK;
	}
	vm_unlock(vm);
	return candidate.ppn;
}

static bool is_guarded(u32 ppn)
{
	struct mm_history history;

	assert_int_equal(mm_history(fake_vm(SLOT), (ppn_t){ ppn }, &history), OK);
	return history.guarded;
}

static void candidates_come_back_in_their_order_once_all_have_passed(void **state)
{
	(void)state;
	assert_int_equal(fake_get(SLOT, 9, 0), 10); /* CPU 0 is in the guest */
	assert_true(add(3, CEILING_NONE));
	assert_true(add(7, CEILING_READ));
	assert_false(is_settled()); /* open */
	close_batch();
	assert_false(is_settled());
	fake_settle_everything();
	assert_true(is_settled());
	assert_int_equal(next(), 3);
	assert_int_equal(next(), 7);
	assert_int_equal(next(), BATCH_STRUCK);
	assert_true(add(4, CEILING_NONE)); /* open again */
}

static void an_access_above_the_ceiling_cancels_and_leaves_no_guard(void **state)
{
	(void)state;
	for (u32 page = 0; page < 4; page++)
		assert_true(add(page, page < 2 ? CEILING_NONE : CEILING_READ));
	fake_put(SLOT, 0, 8, 1);
	assert_int_equal(fake_get(SLOT, 1, 0), 2);
	fake_put(SLOT, 2, 8, 1);
	assert_int_equal(fake_get(SLOT, 3, 0), 4); /* may be read */
	close_batch();
	fake_settle_everything();
	assert_int_equal(next(), 3);
	assert_int_equal(next(), BATCH_STRUCK);
	assert_int_equal(fake_vm(SLOT)->batches[BATCH_SHARE].cancelled, 3);
	for (u32 page = 0; page < 4; page++)
		assert_false(is_guarded(page));
}

/* What settled for the guard that was says nothing of the guard that is. */
static void a_page_that_is_guarded_again_waits_for_its_new_debt(void **state)
{
	(void)state;
	assert_true(add(3, CEILING_READ));
	assert_true(add(5, CEILING_READ));
	close_batch();
	fake_settle_everything();
	fake_put(SLOT, 3, 8, 1); /* a CPU may write to it from now on */
	assert_int_equal(mm_watch(fake_vm(SLOT), (ppn_t){ 3 }, MM_WATCH_GUARDED), OK);
	assert_true(is_settled());
	assert_int_equal(next(), 5);
	assert_int_equal(next(), BATCH_STRUCK);
	assert_true(is_guarded(3));
}

static void a_page_that_was_read_and_is_sampled_is_no_candidate(void **state)
{
	(void)state;
	assert_true(add(3, CEILING_NONE));
	close_batch();
	fake_settle_everything();
	assert_int_equal(fake_get(SLOT, 3, 0), 4); /* and the CPU remembers */
	assert_int_equal(mm_watch(fake_vm(SLOT), (ppn_t){ 3 }, MM_WATCH_SAMPLED), OK);
	assert_int_equal(next(), BATCH_STRUCK);
	fake_settle_everything();
	assert_int_equal(fake_get(SLOT, 3, 0), 4);
}

static void a_batch_takes_so_many_and_none_while_it_waits(void **state)
{
	(void)state;
	for (u32 page = 0; page < BATCH_PAGES; page++)
		assert_true(add(page, CEILING_READ));
	assert_false(add(BATCH_PAGES, CEILING_READ));
	assert_false(is_guarded(BATCH_PAGES));
	close_batch();
	assert_false(add(BATCH_PAGES, CEILING_READ));
	fake_settle_everything();
	for (u32 page = 0; page < BATCH_PAGES; page++)
		assert_int_equal(next(), page);
}

static void what_a_commit_adds_is_the_beginning_of_the_next_batch(void **state)
{
	struct candidate candidate;
	struct page page, other;

	(void)state;
	assert_true(add(3, CEILING_NONE));
	close_batch();
	fake_settle_everything();
	struct mm_vm *vm = lock();

	assert_true(batch_next(vm, BATCH_SHARE, &candidate, &page));
	assert_true(pmap_look(vm, (ppn_t){ 8 }, &other));
	assert_true(batch_keep(vm, BATCH_SHARE, &other, candidate));
	pmap_unguard(vm, &page);
	assert_false(batch_next(vm, BATCH_SHARE, &candidate, &page));
	vm_unlock(vm);
	close_batch();
	fake_settle_everything();
	assert_int_equal(next(), 8);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(candidates_come_back_in_their_order_once_all_have_passed),
		TEST(an_access_above_the_ceiling_cancels_and_leaves_no_guard),
		TEST(a_page_that_is_guarded_again_waits_for_its_new_debt),
		TEST(a_page_that_was_read_and_is_sampled_is_no_candidate),
		TEST(a_batch_takes_so_many_and_none_while_it_waits),
		TEST(what_a_commit_adds_is_the_beginning_of_the_next_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
