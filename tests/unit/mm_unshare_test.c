/* SPDX-License-Identifier: BSD-2-Clause */
/* What was shared comes apart again: of a VM, of a group, of a VM that changes its group; not a byte is lost, whatever guests do meanwhile. */
#include "mm/frame.h"
#include "mm/pmap.h"
#include "mm/pool.h"
#include "mm/share.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { A, B, C, GROUP = 7, OTHER = 8, SECURE = 9, PAGES = 96, BALLAST = 4096 };

static mpn_t ballast[BALLAST];
static u32 ballast_count;

static int begin(void **state)
{
	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	assert_int_equal(share_init(), OK);
	assert_int_equal(pool_make(), OK);
	share_group_begin(GROUP, SHARE_FAST);
	share_group_begin(OTHER, SHARE_FAST);
	share_group_begin(SECURE, SHARE_SECURE);
	for (u32 slot = A; slot <= C; slot++) {
		fake_vm_group(slot, GROUP);
		assert_int_equal(fake_vm_start(slot, PAGES, PAGES), OK);
	}
	return 0;
}

static int end(void **state)
{
	struct mm_totals totals;

	(void)state;
	while (ballast_count)
		mm_overhead_free(ballast[--ballast_count], 0);
	for (u32 slot = A; slot <= C; slot++) {
		if (vm_slots[slot + 1].vm)
			fake_vm_end_clean(slot);
	}
	mm_totals(&totals);
	assert_int_equal(totals.shared_frames, 1);
	assert_int_equal(totals.private_, 0);
	return 0;
}

/* Pages 0 … 39 are alike in all VMs, 40 … 59 are of each alone, 60 … 69 zeros that were read. */
static u64 content_of(u32 slot, u32 ppn)
{
	return ppn < 40 ? 1 + ppn : 1000 * (slot + 1) + ppn;
}

static void fill_all(void)
{
	for (u32 slot = A; slot <= C; slot++) {
		for (u32 i = 0; i < 60; i++)
			fake_put_page(slot, i, content_of(slot, i));
		for (u32 i = 60; i < 70; i++)
			fake_get(slot, i, 0);
	}
}

static void expect_all(void)
{
	for (u32 slot = A; slot <= C; slot++) {
		for (u32 i = 0; i < 60; i++)
			assert_true(fake_page_is(slot, i, content_of(slot, i)));
		for (u32 i = 60; i < 70; i++)
			assert_int_equal(fake_get(slot, i, 8), 0);
	}
}

static bool is_coming_apart(u32 slot)
{
	struct mm_sharing sharing;

	mm_share_look(fake_vm(slot), &sharing);
	return sharing.coming_apart;
}

static void work(void)
{
	for (u32 quiet = 0; quiet < 3; quiet++) {
		while (mm_share_step(3)) {
			quiet = 0;
			fake_audit_memory();
		}
		fake_settle_everything();
		fake_check();
	}
}

static void share_all(void)
{
	for (u32 round = 0; round < 2; round++) {
		for (u32 slot = A; slot <= C; slot++)
			mm_share_begin_pass(fake_vm(slot));
		work();
	}
}

static u64 shared_of(u32 slot)
{
	return fake_vm(slot)->references;
}

static u64 shared_frames(void)
{
	struct share_totals totals;

	share_totals(&totals);
	return totals.frames;
}

static void a_vm_that_may_share_nothing_gets_frames_of_its_own(void **state)
{
	(void)state;
	fill_all();
	share_all();
	assert_int_equal(shared_of(A), 40);
	mm_share_allow(fake_vm(A), false);
	assert_true(is_coming_apart(A));
	work();
	assert_false(is_coming_apart(A));
	assert_int_equal(shared_of(A), 0);
	assert_int_equal(shared_of(B), 40);
	expect_all();
	share_all();
	assert_int_equal(shared_of(A), 0); /* and stays so */
	mm_share_allow(fake_vm(A), true);
	share_all();
	assert_int_equal(shared_of(A), 40);
	expect_all();
}

static void a_group_that_is_revoked_comes_apart_and_begins_anew(void **state)
{
	u8 bytes[PAGE_SIZE] = { 1, 2, 3 };

	(void)state;
	fill_all();
	share_all();
	u32 before = share_hash(GROUP, bytes, false), other = share_hash(OTHER, bytes, false);

	mm_unshare_group(GROUP);
	assert_int_not_equal(share_hash(GROUP, bytes, false), before);
	assert_int_equal(share_hash(OTHER, bytes, false), other);
	while (is_coming_apart(A) || is_coming_apart(B) || is_coming_apart(C)) {
		mm_share_step(3);
		fake_settle_everything();
		fake_audit_memory();
	}
	assert_int_equal(shared_frames(), 0);
	struct share_totals totals;

	share_totals(&totals);
	assert_int_equal(totals.hints, 0);
	expect_all();
	share_all();
	assert_int_equal(shared_frames(), 40);
	expect_all();
}

static void a_vm_that_moves_shares_with_its_new_group_alone(void **state)
{
	struct mm_sharing sharing;

	(void)state;
	fill_all();
	assert_int_equal(mm_share_move(fake_vm(C), OTHER), OK);
	work();
	share_all();
	assert_int_equal(shared_of(A), 40);
	assert_int_equal(shared_of(C), 0);
	assert_int_equal(mm_share_move(fake_vm(B), OTHER), OK);
	assert_int_equal(mm_share_move(fake_vm(B), GROUP), E_STATE);
	work();
	mm_share_look(fake_vm(B), &sharing);
	assert_int_equal(sharing.group, OTHER);
	assert_true(sharing.allowed && !sharing.secure);
	share_all();
	assert_int_equal(shared_of(B), 40);
	assert_int_equal(shared_of(C), 40);
	assert_int_equal(mm_share_move(fake_vm(B), 0), OK);
	work();
	share_all();
	assert_int_equal(shared_of(B), 0);
	mm_share_look(fake_vm(B), &sharing);
	assert_int_equal(sharing.group, 0);
	assert_int_equal(mm_share_move(fake_vm(B), 99), E_NOT_FOUND);
	assert_int_equal(mm_share_move(fake_vm(B), SHARE_ALONE + 1), E_NOT_FOUND);
	expect_all();
}

static void into_a_secure_group_and_out_of_it(void **state)
{
	(void)state;
	fill_all();
	share_all();
	for (u32 slot = A; slot <= C; slot++)
		assert_int_equal(mm_share_move(fake_vm(slot), SECURE), OK);
	while (is_coming_apart(A) || is_coming_apart(B) || is_coming_apart(C)) {
		mm_share_step(1);
		fake_settle_everything();
		fake_get(A, 75, 0); /* meanwhile it reads what was never written */
	}
	assert_int_equal(frame_of(frame_zero)->references, 0);
	expect_all();
	share_all();
	share_all();
	assert_true(shared_of(A) >= 60);
	assert_int_equal(frame_of(frame_zero)->references, 0);
	for (u32 slot = A; slot <= C; slot++)
		assert_int_equal(mm_share_move(fake_vm(slot), GROUP), OK);
	work();
	assert_int_equal(shared_frames(), 0);
	share_all();
	assert_int_equal(shared_frames(), 40);
	expect_all();
}

static void candidates_are_none_any_more(void **state)
{
	(void)state;
	fill_all();
	mm_share_begin_pass(fake_vm(A));
	mm_share_begin_pass(fake_vm(B));
	for (u32 i = 0; i < 1000 && !fake_vm(B)->batches[BATCH_SHARE].count; i++) {
		mm_share_step(1);
		fake_end_steps();
	}
	assert_true(fake_vm(B)->batches[BATCH_SHARE].count > 0);
	mm_share_allow(fake_vm(B), false);
	assert_int_equal(fake_vm(B)->batches[BATCH_SHARE].count, 0);
	assert_int_equal(fake_vm(B)->tally[TALLY_NARROWED], 0);
	work();
	assert_int_equal(shared_of(B), 0);
	mm_share_begin_pass(fake_vm(B));
	assert_false(fake_vm(B)->scan.active);
	expect_all();
}

/* Without a frame it waits; with some it goes on as far as they last. */
static void it_waits_for_memory(void **state)
{
	(void)state;
	fill_all();
	share_all();
	do {
		while (ballast_count < BALLAST && mm_overhead_alloc(0, &ballast[ballast_count]) == OK)
			ballast_count++;
	} while (mm_work_step());
	mm_share_allow(fake_vm(A), false);
	while (mm_share_step(8))
		fake_end_steps();
	assert_true(is_coming_apart(A));
	u64 left = shared_of(A);

	assert_true(left > 0);
	assert_false(mm_share_step(8));
	for (u32 i = 0; i < 10; i++)
		mm_overhead_free(ballast[--ballast_count], 0);
	work();
	assert_int_equal(shared_of(A), left - 10);
	while (ballast_count)
		mm_overhead_free(ballast[--ballast_count], 0);
	work();
	assert_false(is_coming_apart(A));
	expect_all();
}

/* Guests write, give up, and CPUs notice late. */
static void guests_go_on_meanwhile(void **state)
{
	u64 written[3][60] = { 0 };

	(void)state;
	for (u32 round = 0; round < 12; round++) {
		fill_all();
		memset(written, 0, sizeof(written));
		share_all();
		if (round % 3 == 0)
			mm_unshare_group(GROUP);
		else
			assert_int_equal(mm_share_move(fake_vm(round % 3), GROUP), OK);
		fake_settle_late(4);
		for (u32 i = 0; i < 200; i++) {
			u32 slot = fake_random(3), ppn = fake_random(60);
			u64 value = 1 + i;

			mm_share_step(1 + fake_random(3));
			fake_cpu_set(fake_random(FAKE_CPUS));
			if (fake_random(3) == 0 && fake_try(slot, ppn, 8, &value, MM_WRITE) == OK)
				written[slot][ppn] = value;
			fake_audit_memory();
		}
		fake_cpu_set(0);
		fake_settle_late(1);
		work();
		for (u32 slot = A; slot <= C; slot++) {
			for (u32 i = 0; i < 60; i++) {
				assert_int_equal(fake_get(slot, i, 512), content_of(slot, i) * 1000 + 512);
				if (written[slot][i])
					assert_int_equal(fake_get(slot, i, 8), written[slot][i]);
			}
		}
	}
}

static void a_vm_may_end_meanwhile(void **state)
{
	(void)state;
	fill_all();
	share_all();
	mm_unshare_group(GROUP);
	mm_share_step(2);
	fake_end_steps();
	for (bool done = false; !done;) {
		done = mm_vm_release_step(fake_vm(A));
		mm_share_step(2);
		fake_end_steps();
		fake_audit_memory();
	}
	work();
	assert_int_equal(shared_frames(), 0);
	for (u32 i = 0; i < 60; i++)
		assert_true(fake_page_is(B, i, content_of(B, i)));
}

/* A page that was given up while it was shared, whose reference waits for a CPU. */
static void a_reference_that_is_dropped_goes_as_well(void **state)
{
	(void)state;
	fill_all();
	share_all();
	fake_cpu_set(1);
	fake_get(A, 5, 0);
	fake_cpu_set(0);
	assert_int_equal(mm_give_up(fake_vm(A), 0, (ppn_t){ 5 }), E_SUSPEND);
	mm_share_allow(fake_vm(A), false);
	work();
	assert_int_equal(fake_state_of(A, 5), PAGE_BALLOONED);
	assert_int_equal(shared_of(A), 0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_vm_that_may_share_nothing_gets_frames_of_its_own),
		TEST(a_group_that_is_revoked_comes_apart_and_begins_anew),
		TEST(a_vm_that_moves_shares_with_its_new_group_alone),
		TEST(into_a_secure_group_and_out_of_it),
		TEST(candidates_are_none_any_more),
		TEST(it_waits_for_memory),
		TEST(guests_go_on_meanwhile),
		TEST(a_vm_may_end_meanwhile),
		TEST(a_reference_that_is_dropped_goes_as_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
