/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copy-on-write storms: all VMs write all their shared pages at once while nothing is free but what they were promised.  Nobody waits for
 * ever, every byte is right, and a copy whose vCPU never comes back keeps no frame from anybody.
 */
#include "mm/admit.h"
#include "mm/frame.h"
#include "mm/pmap.h"
#include "mm/pool.h"
#include "mm/saved.h"
#include "mm/share.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { VMS = 4, PAGES = 300, GROUP = 7, BALLAST = 4096 };

static mpn_t ballast[BALLAST];
static u32 ballast_count;

static void begin_as(enum share_mode mode)
{
	fake_reset(1, true);
	fake_small_machine();
	assert_int_equal(share_init(), OK);
	if (mode == SHARE_SECURE)
		assert_int_equal(pool_make(), OK);
	share_group_begin(GROUP, mode);
}

static int begin(void **state)
{
	(void)state;
	begin_as(SHARE_FAST);
	return 0;
}

static int end(void **state)
{
	struct mm_totals totals;

	(void)state;
	while (ballast_count)
		mm_overhead_free(ballast[--ballast_count], 0);
	for (u32 slot = 0; slot < VMS; slot++) {
		if (vm_slots[slot + 1].vm)
			fake_vm_end_clean(slot);
	}
	mm_totals(&totals);
	assert_int_equal(totals.private_, 0);
	assert_int_equal(totals.shared_frames, 1);
	return 0;
}

static void start_all(u32 pages)
{
	for (u32 slot = 0; slot < VMS; slot++) {
		fake_vm_group(slot, GROUP);
		assert_int_equal(fake_vm_start(slot, pages, pages), OK);
		for (u32 i = 0; i < pages; i++)
			fake_put(slot, i, 0, 1 + i);
	}
}

static void share_all(void)
{
	for (u32 round = 0; round < 3; round++) {
		for (u32 slot = 0; slot < VMS; slot++)
			mm_share_begin_pass(fake_vm(slot));
		for (u32 quiet = 0; quiet < 3; quiet++) {
			while (mm_share_step(16))
				quiet = 0;
			fake_settle_everything();
		}
	}
	fake_audit_memory();
}

static u64 references(void)
{
	struct share_totals totals;

	share_totals(&totals);
	return totals.references;
}

/* What the VMs were promised and do not hold is left; all else is gone. */
static void leave_the_promise(void)
{
	u64 promised = 0;

	for (u32 slot = 0; slot < VMS; slot++) {
		struct mm_vm *vm = fake_vm(slot);

		promised += vm->promise.memory + vm->promise.overhead - vm->tally[TALLY_PRIVATE] - admit_overhead_held(vm);
	}
	struct share_totals shared;
	struct mm_totals totals;

	share_totals(&shared);
	promised -= shared.frames; /* pages of theirs name them */
	for (mm_totals(&totals); totals.free > promised && ballast_count < BALLAST; mm_totals(&totals)) {
		if (mm_overhead_alloc(0, &ballast[ballast_count]))
			fake_settle_everything();
		else
			ballast_count++;
	}
}

/* All of them, a page of each in turn, on CPUs that notice late; whoever must wait comes back. */
static void storm(u32 pages)
{
	bool done[VMS][PAGES] = { 0 };
	u32 left = VMS * pages;

	fake_settle_late(3);
	for (u32 tries = 0; left; tries++) {
		u32 slot = fake_random(VMS), ppn = fake_random(pages);
		u64 value = 1000 * slot + ppn;
		bool stale;

		assert_true(tries < 400 * VMS * pages);
		fake_cpu_set(slot % FAKE_CPUS);
		if (!done[slot][ppn] &&
		    fake_touch(slot, 0, (gpa_t){ (u64)ppn * PAGE_SIZE + 8 }, &value, 8, MM_WRITE, &stale) == OK) {
			done[slot][ppn] = true;
			left--;
		}
		if (tries % 4 == 0)
			mm_work_step();
		if (tries % 64 == 0)
			fake_audit_memory();
	}
	fake_cpu_set(0);
	fake_settle_late(1);
	for (u32 slot = 0; slot < VMS; slot++) {
		for (u32 i = 0; i < pages; i++) {
			assert_int_equal(fake_get(slot, i, 8), 1000 * slot + i);
			assert_int_equal(fake_get(slot, i, 0), 1 + i);
		}
	}
	assert_int_equal(references(), 0);
}

static void all_write_everything_at_once(void **state)
{
	(void)state;
	start_all(PAGES);
	share_all();
	assert_int_equal(references(), VMS * PAGES);
	leave_the_promise();
	storm(PAGES);
}

static void all_access_everything_in_a_secure_group(void **state)
{
	(void)state;
	end(state);
	begin_as(SHARE_SECURE);
	start_all(PAGES / 3);
	share_all();
	assert_int_equal(references(), VMS * (PAGES / 3));
	leave_the_promise();
	storm(PAGES / 3);
}

/* Its shared frame goes with the last reference; until then the copies are frames on top of it: no more than admission counts. */
static void no_more_copies_wait_than_were_counted(void **state)
{
	u64 value = 5;
	bool stale;
	u32 refused = 0;

	(void)state;
	start_all(PAGES);
	share_all();
	fake_cpu_set(1);
	for (u32 i = 0; i < PAGES; i++)
		fake_get(0, i, 0); /* CPU 1 stays in the guest and passes nothing */
	fake_cpu_set(0);
	for (u32 i = 0; i < PAGES; i++) {
		fake_step_begin();
		refused += mm_resolve(fake_vm(0), 0, (ppn_t){ i }, MM_WRITE) == E_SUSPEND;
		fake_step_end();
	}
	assert_int_equal(refused, PAGES);
	assert_int_equal(fake_vm(0)->tally[TALLY_TRANSIT], VM_COPYING);
	fake_audit_memory();
	fake_settle_everything();
	/* Nobody has come back for them. */
	assert_int_equal(fake_vm(0)->tally[TALLY_TRANSIT], 0);
	assert_int_equal(fake_vm(0)->tally[TALLY_PRIVATE], VM_COPYING);
	assert_true(fake_woken(0, 0) > 0);
	assert_int_equal(fake_touch(0, 0, gpa_of((ppn_t){ PAGES - 1 }), &value, 8, MM_WRITE, &stale), E_SUSPEND);
	fake_settle_everything();
}

/* Nobody has accessed it, if its vCPU does not come back. */
static void a_sample_that_is_copied_stays_one(void **state)
{
	(void)state;
	start_all(8);
	share_all();
	assert_int_equal(mm_watch(fake_vm(0), (ppn_t){ 3 }, MM_WATCH_SAMPLED), OK);
	assert_int_equal(mm_watch(fake_vm(0), (ppn_t){ 4 }, MM_WATCH_SAMPLED), OK);
	mm_share_allow(fake_vm(0), false);
	for (u32 i = 0; i < 4; i++) {
		while (mm_share_step(8))
			fake_audit_memory();
		fake_settle_everything();
	}
	assert_int_equal(fake_vm(0)->references, 0);
	assert_int_equal(fake_vm(0)->sample.touched, 0);
	assert_int_equal(fake_get(0, 3, 0), 4);
	assert_int_equal(fake_vm(0)->sample.touched, 1);
	fake_put(0, 4, 0, 7);
	assert_int_equal(fake_vm(0)->sample.touched, 2);
}

static void a_vm_that_ends_takes_its_copies_with_it(void **state)
{
	(void)state;
	start_all(PAGES);
	share_all();
	fake_cpu_set(1);
	fake_get(0, 0, 0);
	fake_cpu_set(0);
	fake_step_begin();
	assert_int_equal(mm_resolve(fake_vm(0), 0, (ppn_t){ 7 }, MM_WRITE), E_SUSPEND);
	fake_step_end();
	fake_vm_end_clean(0);
	assert_int_equal(references(), (VMS - 1) * PAGES);
}

/* ---- what is saved ---- */

/* As the console defines it, with no trick: each page by itself. */
static u64 saved_of(u32 slot)
{
	long double sum = 0;

	for (u32 i = 0; i < fake_vm(slot)->max_pages; i++) {
		struct page page;

		lock_acquire(fake_vm(slot)->lock);
		assert_true(pmap_look(fake_vm(slot), (ppn_t){ i }, &page));
		u64 entry = page_entry(&page);

		lock_release(fake_vm(slot)->lock);
		if (entry_state(entry) == PAGE_SHARED || (entry_state(entry) == PAGE_EMPTY && entry_frame(entry)))
			sum += PAGE_SIZE * (1.0L - 1.0L / frame_of(entry_frame(entry))->references);
	}
	return (u64)(sum + 1e-6L);
}

static u64 told(u32 slot)
{
	struct mm_usage usage;

	mm_vm_usage(fake_vm(slot), &usage); /* begins a walk if it is long */
	fake_settle_everything();
	mm_vm_usage(fake_vm(slot), &usage);
	fake_settle_everything();
	mm_vm_usage(fake_vm(slot), &usage);
	return usage.saved_bytes;
}

static void saved_bytes_are_what_references_say(void **state)
{
	(void)state;
	start_all(PAGES);
	for (u32 slot = 0; slot < VMS; slot++) {
		for (u32 i = 0; i < PAGES; i++) {
			u64 content = i % 7 < slot ? 1000 * (slot + 1) + i : i % 50; /* 1 to 24 references, some zeros */

			fake_put(slot, i, 0, content);
		}
	}
	share_all();
	for (u32 i = 0; i < PAGES; i++)
		fake_get(i % VMS, i, 0);
	fake_settle_everything();
	for (u32 slot = 0; slot < VMS; slot++) {
		assert_true(saved_of(slot) > 0);
		assert_int_equal(told(slot), saved_of(slot));
	}
	for (u32 i = 0; i < 100; i++)
		fake_put(i % VMS, fake_random(PAGES), 64, 1 + i);
	for (u32 slot = 0; slot < VMS; slot++)
		assert_int_equal(told(slot), saved_of(slot));
}

static void a_vm_that_shares_nothing_saves_nothing(void **state)
{
	(void)state;
	start_all(8);
	assert_int_equal(told(0), 0);
}

/* A walk of a large VM is done in pieces. */
static void a_walk_is_bounded(void **state)
{
	struct mm_usage usage;
	u32 walks = 0;

	(void)state;
	start_all(PAGES);
	share_all();
	lock_acquire(fake_vm(0)->lock);
	while (!saved_walk(fake_vm(0)))
		walks++;
	lock_release(fake_vm(0)->lock);
	assert_int_equal(walks, 1); /* 300 shared pages, 256 a piece */
	mm_vm_usage(fake_vm(0), &usage);
	assert_int_equal(usage.saved_bytes, PAGES * PAGE_SIZE / VMS * (VMS - 1));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(all_write_everything_at_once),
		TEST(all_access_everything_in_a_secure_group),
		TEST(no_more_copies_wait_than_were_counted),
		TEST(a_sample_that_is_copied_stays_one),
		TEST(a_vm_that_ends_takes_its_copies_with_it),
		TEST(saved_bytes_are_what_references_say),
		TEST(a_vm_that_shares_nothing_saves_nothing),
		TEST(a_walk_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
