/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM that ends gives back every frame, in bounded steps, whatever state its memory was in; nobody reads what it left. */
#include "mm/frame.h"
#include "mm/pmap.h"
#include "mm/state.h"
#include "mm/work.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SLOT = 0, OTHER = 1, PAGES = 1100, LOW = 1024 };

static struct mm_totals before;

static int begin(void **state)
{
	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	mm_totals(&before);
	assert_int_equal(fake_vm_start(SLOT, PAGES, LOW), OK);
	return 0;
}

/* All is as before the VM began. */
static void expect_all_back(void)
{
	struct mm_totals after;

	fake_audit_memory();
	fake_check();
	fake_check_poison();
	mm_totals(&after);
	assert_int_equal(after.free, before.free);
	assert_int_equal(after.overhead, before.overhead);
	assert_int_equal(after.private_ + after.debt_frames, 0);
	assert_int_equal(frame_counts.set_aside, 0);
	assert_int_equal(frame_of(frame_zero)->references, 0);
	assert_int_equal(work_waiting, 0);
	assert_int_equal(vm_lock_id(SLOT + 1) == NULL, true);
}

static void touch(u32 page, enum mm_access access)
{
	bool stale;
	u8 byte = (u8)page;

	assert_int_equal(fake_touch(SLOT, 0, gpa_of((ppn_t){ page }), &byte, 1, access, &stale), OK);
}

static void a_vm_that_never_ran_leaves_nothing(void **state)
{
	(void)state;
	fake_vm_end(SLOT);
	expect_all_back();
}

static void written_read_and_given_up_pages_go(void **state)
{
	(void)state;
	for (u32 i = 0; i < 300; i += 3) {
		touch(i, MM_WRITE);
		touch(i + 1, MM_READ);
		assert_int_equal(mm_give_up(fake_vm(SLOT), 0, (ppn_t){ i / 3 * 3 + 2 }), OK);
	}
	touch((1 << 20) + 70, MM_WRITE);
	fake_vm_end(SLOT);
	expect_all_back();
}

static void large_mappings_go(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2 * LARGE_PAGES; i++)
		touch(i, MM_WRITE);
	assert_int_equal(fake_vm(SLOT)->large_blocks, 2);
	fake_vm_end(SLOT);
	expect_all_back();
}

static void half_made_reservations_go(void **state)
{
	(void)state;
	for (u32 i = 0; i < LARGE_PAGES; i += 2)
		touch(i, MM_WRITE);
	assert_int_equal(frame_counts.set_aside, LARGE_PAGES / 2);
	fake_vm_end(SLOT);
	expect_all_back();
}

static void pins_that_the_guest_left_go(void **state)
{
	mpn_t mpn;

	(void)state;
	for (u32 i = 0; i < 5; i++)
		assert_int_equal(mm_pin(fake_vm(SLOT), 0, (ppn_t){ i * 100 }, MM_WRITE, &mpn), OK);
	fake_vm_end(SLOT);
	expect_all_back();
}

static void watched_pages_go(void **state)
{
	(void)state;
	for (u32 i = 0; i < 20; i++) {
		touch(i, MM_WRITE);
		assert_int_equal(mm_watch(fake_vm(SLOT), (ppn_t){ i }, i % 2 ? MM_WATCH_GUARDED : MM_WATCH_SAMPLED), OK);
		assert_int_equal(mm_watch(fake_vm(SLOT), (ppn_t){ i + 100 }, MM_WATCH_SAMPLED), OK);
	}
	fake_vm_end(SLOT);
	expect_all_back();
}

static void debts_and_pages_in_transit_go(void **state)
{
	bool stale;
	u8 byte = 1;

	(void)state;
	for (u32 i = 0; i < 40; i++)
		touch(i, MM_WRITE);
	touch(50, MM_READ);
	fake_cpu_set(1);
	touch(0, MM_READ); /* CPU 1 stays in the guest */
	fake_cpu_set(0);
	for (u32 i = 1; i < 40; i++)
		assert_int_equal(mm_give_up(fake_vm(SLOT), 0, (ppn_t){ i }), OK);
	assert_int_equal(fake_touch(SLOT, 0, gpa_of((ppn_t){ 50 }), &byte, 1, MM_WRITE, &stale), E_SUSPEND);
	assert_int_equal(fake_vm(SLOT)->debt_frames, 39);
	fake_vm_end(SLOT);
	expect_all_back();
}

/* A pointer that another CPU still has keeps every frame until its step ends. */
static void no_frame_goes_while_a_cpu_is_in_its_last_step(void **state)
{
	void *pointer;

	(void)state;
	touch(5, MM_WRITE);
	fake_end_steps();
	fake_cpu_set(2);
	fake_step_begin();
	assert_int_equal(mm_reach(fake_vm(SLOT), 0, gpa_of((ppn_t){ 5 }), 8, MM_WRITE, &pointer), OK);
	fake_cpu_set(0);
	for (u32 i = 0; i < 50; i++)
		assert_false(mm_vm_release_step(fake_vm(SLOT)));
	fake_check();
	assert_int_equal(frame_count(CLASS_PRIVATE), 1);
	memset(pointer, 0x77, 8);
	fake_cpu_set(2);
	fake_step_end();
	fake_cpu_set(0);
	fake_vm_end(SLOT);
	expect_all_back();
}

/* The same where no guest ever ran: there is no table whose debt would be waited for. */
static void no_frame_of_a_vm_without_translations_goes_either(void **state)
{
	void *pointer;

	(void)state;
	fake_cpu_set(2);
	fake_step_begin();
	assert_int_equal(mm_reach(fake_vm(SLOT), 0, gpa_of((ppn_t){ 5 }), 8, MM_WRITE, &pointer), OK);
	fake_cpu_set(0);
	for (u32 i = 0; i < 50; i++)
		assert_false(mm_vm_release_step(fake_vm(SLOT)));
	assert_int_equal(frame_count(CLASS_PRIVATE), 1);
	fake_check();
	memset(pointer, 0x77, 8);
	fake_cpu_set(2);
	fake_step_end();
	fake_cpu_set(0);
	fake_vm_end(SLOT);
	expect_all_back();
}

static void who_waited_is_forgotten_with_its_vm(void **state)
{
	bool stale;
	u8 byte = 1;

	(void)state;
	fake_fail_fills(1);
	assert_int_equal(fake_touch(SLOT, 3, gpa_of((ppn_t){ 1 }), &byte, 1, MM_WRITE, &stale), E_NO_MEMORY);
	fake_fail_fills(0);
	fake_vm_end(SLOT);
	assert_int_equal(fake_woken(SLOT, 3), 0);
	fake_settle_everything();
	expect_all_back();
}

static void what_one_vm_wrote_the_next_reads_as_zeros(void **state)
{
	(void)state;
	for (u32 i = 0; i < PAGES; i++)
		touch(i < LOW ? i : (1 << 20) + i - LOW, MM_WRITE);
	fake_vm_end(SLOT);
	assert_int_equal(fake_vm_start(SLOT, PAGES, PAGES), OK);
	for (u32 i = 0; i < PAGES; i++) {
		static const u8 zeros[64];
		u8 bytes[64];

		/* A device makes the frame appear with a write of one byte; the rest must be zeros. */
		assert_int_equal(mm_write(fake_vm(SLOT), 0, gpa_of((ppn_t){ i }), "x", 1), OK);
		assert_int_equal(mm_read(fake_vm(SLOT), 0, (gpa_t){ gpa_of((ppn_t){ i }).a + 1 + i * 3 % 3900 }, bytes, 64), OK);
		assert_memory_equal(bytes, zeros, 64);
	}
	fake_vm_end(SLOT);
	expect_all_back();
}

static void the_number_of_a_vm_is_free_again(void **state)
{
	(void)state;
	for (u32 i = 0; i < 20; i++) {
		touch(i, MM_WRITE);
		fake_vm_end(SLOT);
		expect_all_back();
		assert_int_equal(fake_vm_start(SLOT, PAGES, LOW), OK);
	}
	fake_vm_end(SLOT);
}

static void the_promise_is_given_back(void **state)
{
	(void)state;
	assert_int_equal(fake_vm_start(OTHER, 2000, 2000), E_NO_MEMORY);
	fake_vm_end(SLOT);
	assert_int_equal(fake_vm_start(OTHER, 2000, 2000), OK);
	fake_vm_end(OTHER);
	expect_all_back();
}

/* Few enough instructions a step: each moves at most 128 entries, 64 runs, 32 debts or 16 tables. */
static void every_step_is_short(void **state)
{
	u32 steps = 0;

	(void)state;
	for (u32 i = 0; i < LOW; i++)
		touch(i, MM_WRITE);
	fake_end_steps();
	for (;;) {
		u64 moves = frame_counts.moves;
		bool done = mm_vm_release_step(fake_vm(SLOT));

		assert_true(frame_counts.moves - moves <= 160);
		steps++;
		if (done)
			break;
	}
	assert_true(steps >= LOW / 128);
	expect_all_back();
}

static void other_vms_go_on_meanwhile(void **state)
{
	bool stale;

	(void)state;
	assert_int_equal(fake_vm_start(OTHER, 600, 600), OK);
	for (u32 i = 0; i < 700; i++)
		touch(i, MM_WRITE);
	fake_end_steps();
	for (u32 i = 0; !mm_vm_release_step(fake_vm(SLOT)); i++) {
		u8 byte = (u8)(i * 3), seen;

		assert_int_equal(fake_touch(OTHER, 0, gpa_of((ppn_t){ i % 600 }), &byte, 1, MM_WRITE, &stale), OK);
		assert_int_equal(fake_touch(OTHER, 0, gpa_of((ppn_t){ i % 600 }), &seen, 1, MM_READ, &stale), OK);
		assert_int_equal(seen, byte);
		fake_check();
		fake_audit_memory();
		fake_end_steps();
	}
	fake_vm_end(OTHER);
	expect_all_back();
}

static void release_once_more(void)
{
	(void)mm_vm_release_step(fake_vm(SLOT));
}

static void releasing_twice_stops_the_machine(void **state)
{
	(void)state;
	fake_vm_end(SLOT);
	assert_true(fake_dies(release_once_more));
}

/* Its own frame is never given out again; what it shares stays. */
static void a_failed_frame_goes_to_nobody(void **state)
{
	mpn_t failed;
	bool stale;
	u8 byte = 1;

	(void)state;
	assert_int_equal(fake_vm_start(OTHER, 600, 600), OK);
	for (u32 i = 0; i < LARGE_PAGES; i++)
		touch(i, MM_WRITE);
	touch(LARGE_PAGES, MM_READ);
	assert_int_equal(mm_pin(fake_vm(SLOT), 0, (ppn_t){ 7 }, MM_WRITE, &failed), OK);
	assert_false(mm_frame_failed(fake_vm(OTHER), failed));
	assert_false(mm_frame_failed(fake_vm(SLOT), (mpn_t){ fake_vm(SLOT)->directories[0] }));
	assert_false(mm_frame_failed(fake_vm(SLOT), (mpn_t){ UINT32_MAX }));
	assert_true(mm_frame_failed(fake_vm(SLOT), (mpn_t){ frame_zero }));
	assert_true(mm_frame_failed(fake_vm(SLOT), failed));
	assert_true(mm_frame_failed(fake_vm(SLOT), failed));
	fake_audit_memory();
	fake_vm_end(SLOT);
	assert_int_equal(frame_state(failed.n), FRAME_RETIRED);
	for (u32 i = 0; i < 600; i++)
		(void)fake_touch(OTHER, 0, gpa_of((ppn_t){ i }), &byte, 1, MM_WRITE, &stale);
	assert_int_equal(frame_state(failed.n), FRAME_RETIRED);
	fake_vm_end(OTHER);
	assert_int_equal(frame_state(failed.n), FRAME_RETIRED);
	before.free--;
	before.overhead++;
	expect_all_back();
}

/* It was given up before the VM ended, and waited for its debt. */
static void a_failed_frame_that_was_given_up_goes_to_nobody(void **state)
{
	mpn_t failed;

	(void)state;
	assert_int_equal(mm_pin(fake_vm(SLOT), 0, (ppn_t){ 7 }, MM_WRITE, &failed), OK);
	mm_unpin(fake_vm(SLOT), (ppn_t){ 7 });
	assert_true(mm_frame_failed(fake_vm(SLOT), failed));
	assert_int_equal(mm_give_up(fake_vm(SLOT), 0, (ppn_t){ 7 }), OK);
	fake_vm_end(SLOT);
	assert_int_equal(frame_state(failed.n), FRAME_RETIRED);
	before.free--;
	before.overhead++;
	expect_all_back();
}

/* Each vCPU may meet one before it is out; more are refused, so that none comes back unseen. */
static void more_failed_frames_than_can_be_kept_are_refused(void **state)
{
	mpn_t failed;

	(void)state;
	for (u32 i = 0; i <= VM_FAILED_FRAMES; i++) {
		assert_int_equal(mm_pin(fake_vm(SLOT), 0, (ppn_t){ i }, MM_WRITE, &failed), OK);
		assert_int_equal(mm_frame_failed(fake_vm(SLOT), failed), i < VM_FAILED_FRAMES);
	}
	fake_vm_end(SLOT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
	const struct CMUnitTest tests[] = {
		TEST(a_vm_that_never_ran_leaves_nothing),
		TEST(written_read_and_given_up_pages_go),
		TEST(large_mappings_go),
		TEST(half_made_reservations_go),
		TEST(pins_that_the_guest_left_go),
		TEST(watched_pages_go),
		TEST(debts_and_pages_in_transit_go),
		TEST(no_frame_goes_while_a_cpu_is_in_its_last_step),
		TEST(no_frame_of_a_vm_without_translations_goes_either),
		TEST(who_waited_is_forgotten_with_its_vm),
		TEST(what_one_vm_wrote_the_next_reads_as_zeros),
		TEST(the_number_of_a_vm_is_free_again),
		TEST(the_promise_is_given_back),
		TEST(every_step_is_short),
		TEST(other_vms_go_on_meanwhile),
		TEST(a_failed_frame_goes_to_nobody),
		TEST(a_failed_frame_that_was_given_up_goes_to_nobody),
		TEST(more_failed_frames_than_can_be_kept_are_refused),
		TEST(releasing_twice_stops_the_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
