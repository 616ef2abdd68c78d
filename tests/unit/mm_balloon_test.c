/* SPDX-License-Identifier: BSD-2-Clause */
/* The balloon: what a driver may give and take, what a lying one is told, and who follows its target. */
#include "mm/frame.h"
#include "mm/vm.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SLOT, PAGES = 600, MIN = 100 };

static int begin(void **state)
{
	struct mm_vm_config config = { .max_pages = PAGES, .low_pages = PAGES, .min_pages = MIN, .shares = 10, .id = SLOT + 1 };
	char why[200];

	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	assert_int_equal(mm_vm_init(fake_vm(SLOT), &config, why, sizeof(why)), OK);
	mm_balloon_hello(fake_vm(SLOT));
	return 0;
}

static int end(void **state)
{
	(void)state;
	fake_vm_end(SLOT);
	fake_settle_everything();
	fake_check();
	fake_audit_memory();
	return 0;
}

static u8 touch(u32 page, enum mm_access access)
{
	u8 byte = 7;
	bool stale;
	err_t error;

	while ((error = fake_touch(SLOT, 0, gpa_of((ppn_t){ page }), &byte, 1, access, &stale)) == E_SUSPEND)
		fake_settle_everything();
	assert_int_equal(error, OK);
	return byte;
}

typedef err_t mover(struct mm_vm *vm, u32 vcpu, ppn_t ppn, u32 pages, u32 *done);

/* As a driver's hypercall does: again and again, until it is done or refused. */
static err_t all(mover *move, u32 page, u32 pages, u32 *done)
{
	err_t error = OK;

	*done = 0;
	while (*done < pages && (error == OK || error == E_SUSPEND)) {
		u32 before = *done;

		error = move(fake_vm(SLOT), 0, (ppn_t){ page }, pages, done);
		assert_true(*done - before <= 32);
		if (error == E_SUSPEND)
			fake_settle_everything();
		fake_audit_memory();
	}
	return error;
}

static struct mm_balloon look(void)
{
	struct mm_balloon balloon;

	mm_balloon_look(fake_vm(SLOT), &balloon);
	return balloon;
}

static void what_is_given_is_free_for_others_and_comes_back_empty(void **state)
{
	struct mm_totals before, after;
	u32 done;

	(void)state;
	for (u32 page = 0; page < PAGES; page++)
		(void)touch(page, MM_WRITE);
	fake_settle_everything();
	mm_totals(&before);
	assert_int_equal(all(mm_balloon_give, 0, 400, &done), OK);
	fake_settle_everything();
	mm_totals(&after);
	assert_int_equal(after.private_ + 400, before.private_);
	assert_int_equal(after.debt_frames, 0);
	assert_int_equal(look().size, 400);
	assert_int_equal(all(mm_balloon_take, 0, 400, &done), OK);
	assert_int_equal(look().size, 0);
	for (u32 page = 0; page < 400; page++)
		assert_int_equal(touch(page, MM_READ), 0);
	assert_int_equal(look().popped, 0);
}

static void nobody_gives_more_than_max_less_min(void **state)
{
	u32 done;

	(void)state;
	mm_balloon_set_target(fake_vm(SLOT), PAGES);
	assert_int_equal(look().target, PAGES * 65 / 100); /* nor is it asked for more than its limit */
	assert_int_equal(all(mm_balloon_give, 0, PAGES, &done), E_RANGE);
	assert_int_equal(done, PAGES - MIN);
	assert_int_equal(look().size, PAGES - MIN);
}

static void lies_are_refused_and_change_nothing(void **state)
{
	u32 done;
	mpn_t mpn;

	(void)state;
	assert_int_equal(all(mm_balloon_give, PAGES - 3, 8, &done), E_NOT_FOUND); /* beyond memory */
	assert_int_equal(done, 3);
	assert_int_equal(all(mm_balloon_give, PAGES - 3, 3, &done), E_STATE); /* given already */
	assert_int_equal(all(mm_balloon_give, UINT32_MAX - 2, 8, &done), E_NOT_FOUND);
	assert_int_equal(all(mm_balloon_take, 5, 1, &done), E_STATE); /* never given */
	assert_int_equal(all(mm_balloon_take, UINT32_MAX, 2, &done), E_NOT_FOUND);
	assert_int_equal(mm_pin(fake_vm(SLOT), 0, (ppn_t){ 9 }, MM_WRITE, &mpn), OK);
	assert_int_equal(all(mm_balloon_give, 8, 4, &done), E_STATE); /* pinned */
	assert_int_equal(done, 1);
	mm_unpin(fake_vm(SLOT), (ppn_t){ 9 });
	assert_int_equal(look().size, 4);
}

/* A block costs 16 removals of rights in two steps, not 512, though its pages lie anywhere and it was one large mapping. */
static void two_mib_go_in_few_pieces_whatever_is_among_them(void **state)
{
	u32 done;
	mpn_t mpn;

	(void)state;
	for (u32 page = 0; page < LARGE_PAGES; page++)
		(void)touch(page, MM_WRITE);
	fake_settle_everything();
	assert_int_equal(fake_vm(SLOT)->large_blocks, 1);
	mm_balloon_set_target(fake_vm(SLOT), 390);
	u64 before = fake_narrows;

	assert_int_equal(all(mm_balloon_give, 0, 300, &done), OK);
	assert_true(fake_narrows - before <= 2 * (300 / 32 + 1));
	assert_int_equal(look().size, 300);
	assert_int_equal(mm_pin(fake_vm(SLOT), 0, (ppn_t){ 320 }, MM_WRITE, &mpn), OK);
	assert_int_equal(all(mm_balloon_give, 300, 50, &done), E_STATE);
	assert_int_equal(done, 20); /* those before it are given */
	mm_unpin(fake_vm(SLOT), (ppn_t){ 320 });
	(void)touch(550, MM_READ); /* of the zero frame, among pages that were never touched */
	assert_int_equal(all(mm_balloon_give, 540, 20, &done), OK);
	assert_int_equal(look().size, 340);
	fake_settle_everything();
	assert_int_equal(all(mm_balloon_give, 530, 20, &done), E_STATE); /* up to the first that is given already */
	assert_int_equal(done, 10);
}

/* A driver starts anew in the middle of anything: what it gave stays given until it is touched. */
static void a_reset_in_the_middle_of_a_batch_loses_nothing(void **state)
{
	u32 done = 0;

	(void)state;
	for (u32 page = 0; page < 100; page++)
		(void)touch(page, MM_WRITE);
	mm_balloon_set_target(fake_vm(SLOT), 100);
	assert_int_equal(mm_balloon_give(fake_vm(SLOT), 0, (ppn_t){ 0 }, 100, &done), OK);
	assert_int_equal(done, 32);
	mm_balloon_bye(fake_vm(SLOT));
	fake_audit_memory();
	assert_int_equal(look().size, 32);
	mm_balloon_hello(fake_vm(SLOT));
	assert_true(look().answers);
	assert_int_equal(mm_balloon_give(fake_vm(SLOT), 0, (ppn_t){ 0 }, 100, &done), OK);
	assert_int_equal(done, 64); /* what is not yet given is not counted */
	assert_int_equal(look().size, 64);
	fake_settle_everything();
	assert_int_equal(touch(3, MM_READ), 0);
	assert_int_equal(look().size, 63);
}

/* One that was asked for more than it may have since its min was raised gives nothing, and gets it back by touch. */
static void a_min_that_was_raised_above_what_is_left_is_kept_from_then_on(void **state)
{
	struct mm_vm_params params;
	char why[200];
	u32 done;

	(void)state;
	assert_int_equal(all(mm_balloon_give, 0, 400, &done), OK);
	mm_vm_params(fake_vm(SLOT), &params);
	params.min_pages = 300;
	assert_int_equal(mm_vm_set(fake_vm(SLOT), &params, why, sizeof(why)), OK);
	assert_int_equal(all(mm_balloon_give, 400, 1, &done), E_RANGE);
	fake_settle_everything();
	mm_balloon_set_target(fake_vm(SLOT), 400);
	assert_int_equal(look().target, 300);
	for (u32 page = 0; page < 101; page++)
		(void)touch(page, MM_WRITE);
	assert_int_equal(all(mm_balloon_give, 400, 1, &done), OK);
}

static void a_page_that_is_touched_pops_and_is_counted(void **state)
{
	u32 done;

	(void)state;
	(void)touch(50, MM_WRITE);
	assert_int_equal(all(mm_balloon_give, 50, 10, &done), OK);
	fake_settle_everything();
	assert_int_equal(touch(50, MM_READ), 0);
	assert_int_equal(touch(51, MM_WRITE), 7);
	assert_int_equal(look().popped, 2);
	assert_int_equal(look().size, 8);
}

static void a_driver_that_does_not_follow_is_found_out(void **state)
{
	u32 done;

	(void)state;
	assert_true(look().answers);
	mm_balloon_set_target(fake_vm(SLOT), 100);
	assert_true(look().answers);
	fake_pass_time(11000000000ULL);
	assert_false(look().answers);
	assert_int_equal(all(mm_balloon_give, 0, 10, &done), OK); /* not what it was asked for */
	assert_false(look().answers);
	mm_balloon_set_target(fake_vm(SLOT), 0); /* nor is being asked for nothing an answer */
	assert_false(look().answers);
	mm_balloon_set_target(fake_vm(SLOT), 100);
	assert_int_equal(all(mm_balloon_give, 10, 90, &done), OK);
	assert_true(look().answers);
	fake_pass_time(60000000000ULL);
	assert_true(look().answers);
	mm_balloon_bye(fake_vm(SLOT));
	assert_false(look().here);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(what_is_given_is_free_for_others_and_comes_back_empty),
		TEST(nobody_gives_more_than_max_less_min),
		TEST(lies_are_refused_and_change_nothing),
		TEST(two_mib_go_in_few_pieces_whatever_is_among_them),
		TEST(a_reset_in_the_middle_of_a_batch_loses_nothing),
		TEST(a_min_that_was_raised_above_what_is_left_is_kept_from_then_on),
		TEST(a_page_that_is_touched_pops_and_is_counted),
		TEST(a_driver_that_does_not_follow_is_found_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
