/* SPDX-License-Identifier: BSD-2-Clause */
/* Content-based sharing: what is equal is merged and nothing else, whoever writes gets a copy, and every reference is accounted for. */
#include "mm/commit.h"
#include "mm/frame.h"
#include "mm/watch.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { A, B, C, GROUP = 7, OTHER_GROUP = 8, PAGES = 200 };

static int begin(void **state)
{
	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	assert_int_equal(share_init(), OK);
	share_group_begin(GROUP, SHARE_FAST);
	share_group_begin(OTHER_GROUP, SHARE_FAST);
	return 0;
}

static int end(void **state)
{
	struct mm_totals totals;

	(void)state;
	for (u32 slot = A; slot <= C; slot++) {
		if (vm_slots[slot + 1].vm)
			fake_vm_end(slot);
	}
	fake_settle_everything();
	fake_check();
	fake_audit_memory();
	mm_totals(&totals);
	assert_int_equal(totals.shared_frames, 1);
	assert_int_equal(totals.private_, 0);
	return 0;
}

static void start_pages(u32 slot, u32 group, u32 pages)
{
	struct mm_vm_config config = {
		.max_pages = pages, .low_pages = pages, .min_pages = pages, .shares = 10, .group = group, .id = slot + 1
	};
	char why[200];

	assert_int_equal(mm_vm_init(fake_vm(slot), &config, why, sizeof(why)), OK);
}

static void start(u32 slot, u32 group)
{
	start_pages(slot, group, PAGES);
}

/* Steps until nothing is left to do, CPUs passing now and then; the audit after each. */
static void scan_all(void)
{
	for (u32 slot = A; slot <= C; slot++) {
		if (vm_slots[slot + 1].vm)
			mm_share_begin_pass(fake_vm(slot));
	}
	for (u32 steps = 0; steps < 10000; steps++) {
		if (!mm_share_step(1 + fake_random(4))) {
			u32 waiting = 0;

			fake_settle_everything();
			for (u32 slot = A; slot <= C; slot++)
				waiting += vm_slots[slot + 1].vm &&
					   (fake_vm(slot)->scan.active || fake_vm(slot)->batches[BATCH_SHARE].count);
			if (!waiting)
				return;
		}
		fake_audit_memory();
		fake_check();
	}
	fail();
}

static u32 state_of(u32 slot, u32 ppn)
{
	struct page page;

	lock_acquire(fake_vm(slot)->lock);
	assert_true(pmap_look(fake_vm(slot), (ppn_t){ ppn }, &page));
	lock_release(fake_vm(slot)->lock);
	return entry_state(page_entry(&page));
}

static u32 frame_behind(u32 slot, u32 ppn)
{
	struct page page;

	lock_acquire(fake_vm(slot)->lock);
	assert_true(pmap_look(fake_vm(slot), (ppn_t){ ppn }, &page));
	lock_release(fake_vm(slot)->lock);
	return entry_frame(page_entry(&page));
}

static u64 shared_frames(void)
{
	struct share_totals totals;

	share_totals(&totals);
	return totals.frames;
}

static void equal_pages_of_a_group_become_one_frame(void **state)
{
	struct mm_totals before, after;

	(void)state;
	start(A, GROUP);
	start(B, GROUP);
	for (u32 i = 0; i < 100; i++) {
		fake_put_page(A, i, 1 + i);
		fake_put_page(B, 99 - i, 1 + i);
	}
	fake_settle_everything();
	mm_totals(&before);
	scan_all();
	scan_all();
	mm_totals(&after);
	assert_int_equal(shared_frames(), 100);
	assert_int_equal(after.free, before.free + 100);
	for (u32 i = 0; i < 100; i++) {
		assert_true(fake_page_is(A, i, 1 + i));
		assert_true(fake_page_is(B, 99 - i, 1 + i));
		assert_int_equal(frame_behind(A, i), frame_behind(B, 99 - i));
	}
	struct mm_usage usage;
	mm_vm_usage(fake_vm(A), &usage);
	assert_int_equal(usage.shared, 100);
	assert_int_equal(usage.resident, 100);
}

static void pages_of_other_groups_stay_apart(void **state)
{
	(void)state;
	start(A, GROUP);
	start(B, OTHER_GROUP);
	start(C, 0);
	for (u32 i = 0; i < 20; i++) {
		fake_put_page(A, i, 1 + i);
		fake_put_page(B, i, 1 + i);
		fake_put_page(C, i, 1 + i);
	}
	scan_all();
	scan_all();
	assert_int_equal(shared_frames(), 0);
}

static void a_vm_alone_shares_with_itself(void **state)
{
	(void)state;
	start(A, 0);
	for (u32 i = 0; i < 40; i++)
		fake_put_page(A, i, 1 + i % 4);
	scan_all();
	scan_all();
	assert_int_equal(shared_frames(), 4);
	for (u32 i = 0; i < 40; i++)
		assert_true(fake_page_is(A, i, 1 + i % 4));
}

static void who_writes_gets_a_copy_and_the_others_keep_theirs(void **state)
{
	(void)state;
	start(A, GROUP);
	start(B, GROUP);
	start(C, GROUP);
	for (u32 slot = A; slot <= C; slot++)
		fake_put_page(slot, 5, 42);
	scan_all();
	scan_all();
	assert_int_equal(shared_frames(), 1);
	fake_put(B, 5, 8, 7);
	assert_int_equal(state_of(B, 5), PAGE_PRIVATE);
	assert_true(fake_page_is(A, 5, 42));
	assert_true(fake_page_is(C, 5, 42));
	assert_int_equal(fake_get(B, 5, 8), 7);
	assert_int_equal(fake_get(B, 5, 512), 42512);
	fake_put(A, 5, 8, 9);
	u32 frame = frame_behind(C, 5);
	fake_put(C, 5, 8, 11);
	assert_int_equal(frame_behind(C, 5), frame); /* the last one keeps the frame */
	assert_int_equal(shared_frames(), 0);
	assert_int_equal(fake_get(A, 5, 8), 9);
	assert_int_equal(fake_get(C, 5, 512), 42512);
}

static void pages_of_zeros_become_empty(void **state)
{
	struct mm_totals before, after;

	(void)state;
	start(A, 0);
	for (u32 i = 0; i < 30; i++)
		fake_put(A, i, 0, 1);
	for (u32 i = 0; i < 30; i++)
		fake_put(A, i, 0, 0);
	fake_settle_everything();
	mm_totals(&before);
	scan_all();
	mm_totals(&after);
	assert_int_equal(after.private_, before.private_ - 30);
	for (u32 i = 0; i < 30; i++) {
		assert_int_equal(state_of(A, i), PAGE_EMPTY);
		assert_int_equal(fake_get(A, i, 64), 0);
	}
	fake_put(A, 3, 0, 5);
	assert_int_equal(fake_get(A, 3, 0), 5);
}

static void a_page_found_to_be_zeros_is_no_accessed_sample(void **state)
{
	struct mm_history history;

	(void)state;
	start(A, 0);
	fake_put(A, 3, 0, 1);
	fake_put(A, 3, 0, 0);
	fake_settle_everything();
	assert_int_equal(mm_watch(fake_vm(A), (ppn_t){ 3 }, MM_WATCH_SAMPLED), OK);
	scan_all();
	assert_int_equal(state_of(A, 3), PAGE_EMPTY);
	assert_int_equal(fake_vm(A)->sample.touched, 0);
	assert_int_equal(mm_history(fake_vm(A), (ppn_t){ 3 }, &history), OK);
	assert_true(history.sampled);
	assert_int_equal(fake_get(A, 3, 0), 0);
	assert_int_equal(fake_vm(A)->sample.touched, 1);
}

static void a_candidate_that_is_written_is_not_merged(void **state)
{
	(void)state;
	start(A, GROUP);
	start(B, GROUP);
	for (u32 i = 0; i < 10; i++) {
		fake_put_page(A, i, 1 + i);
		fake_put_page(B, i, 1 + i);
	}
	mm_share_begin_pass(fake_vm(A));
	mm_share_begin_pass(fake_vm(B));
	for (u32 i = 0; i < 200; i++) {
		while (mm_share_step(2))
			;
		fake_put(A, i % 10, 16, i);
		fake_put(B, i % 10, 16, i + 1);
	}
	for (u32 i = 0; i < 10; i++) {
		assert_int_equal(fake_get(A, i, 16), 190 + i);
		assert_int_equal(fake_get(B, i, 16), 191 + i);
	}
}

/* CPU 1 got its right to write between the harvest and the guard, and keeps it until it passes. */
static void nothing_is_merged_while_a_cpu_may_still_write(void **state)
{
	(void)state;
	start_pages(A, GROUP, HARVEST_PAGES); /* one group: what waits is the batch */
	start(B, GROUP);
	fake_put_page(B, 5, 42);
	scan_all();
	fake_put_page(A, 0, 1);
	fake_put_page(A, 5, 42);
	fake_settle_everything();
	mm_share_begin_pass(fake_vm(A));
	while (fake_vm(A)->scan.due != BIT(5)) { /* the group is harvested, its first page looked at */
		assert_true(mm_share_step(1));
		fake_end_steps();
	}
	fake_cpu_set(1);
	fake_put(A, 5, 0, 42000);
	fake_cpu_set(0);
	while (mm_share_step(8)) /* enough to commit at once what is found */
		;
	assert_int_equal(fake_vm(A)->batches[BATCH_SHARE].count, 1);
	assert_int_equal(state_of(A, 5), PAGE_PRIVATE);
	fake_cpu_set(1);
	fake_put(A, 5, 16, 77);
	fake_cpu_set(0);
	scan_all();
	assert_int_equal(fake_get(A, 5, 16), 77);
	assert_int_equal(shared_frames(), 0);
	assert_true(fake_page_is(B, 5, 42));
}

static void a_shared_page_that_is_given_up_drops_its_reference(void **state)
{
	(void)state;
	start(A, GROUP);
	start(B, GROUP);
	fake_put_page(A, 5, 42);
	fake_put_page(B, 5, 42);
	scan_all();
	scan_all();
	assert_int_equal(shared_frames(), 1);
	fake_cpu_set(1);
	assert_true(fake_page_is(A, 5, 42)); /* CPU 1 stays in the guest, with its translation */
	fake_cpu_set(0);
	assert_int_equal(mm_give_up(fake_vm(A), 0, (ppn_t){ 5 }), E_SUSPEND);
	fake_audit_memory();
	fake_settle_everything();
	assert_int_equal(mm_give_up(fake_vm(A), 0, (ppn_t){ 5 }), OK);
	assert_int_equal(state_of(A, 5), PAGE_BALLOONED);
	assert_true(fake_page_is(B, 5, 42));
	assert_int_equal(fake_get(A, 5, 512), 0); /* the balloon pops */
	/* Touched before the reference could go. */
	fake_cpu_set(1);
	assert_true(fake_page_is(B, 5, 42));
	fake_cpu_set(0);
	assert_int_equal(mm_give_up(fake_vm(B), 0, (ppn_t){ 5 }), E_SUSPEND);
	assert_int_equal(fake_get(B, 5, 512), 0);
	assert_int_equal(shared_frames(), 0);
}

static void an_unchanged_page_is_not_hashed_again(void **state)
{
	(void)state;
	start(A, 0);
	for (u32 i = 0; i < 50; i++)
		fake_put_page(A, i, 1 + i);
	scan_all();
	u64 hashed = fake_vm(A)->scan.counts.hashed;

	assert_true(hashed >= 50);
	scan_all();
	assert_int_equal(fake_vm(A)->scan.counts.hashed, hashed);
	fake_put_page(A, 7, 100);
	scan_all();
	assert_int_equal(fake_vm(A)->scan.counts.hashed, hashed + 1);
}

static void a_page_that_always_changes_is_looked_at_less_and_less(void **state)
{
	(void)state;
	start(A, 0);
	for (u32 i = 0; i < 128; i++) {
		fake_put_page(A, 3, 1 + i);
		scan_all();
	}
	assert_true(fake_vm(A)->scan.counts.hashed < 20);
	for (u32 i = 0; i < 70; i++)
		scan_all();
	u64 hashed = fake_vm(A)->scan.counts.hashed;

	fake_put_page(A, 3, 1000);
	for (u32 i = 0; i < 2; i++)
		scan_all();
	assert_int_equal(fake_vm(A)->scan.counts.hashed, hashed + 1); /* it has rested */
}

static void pinned_pages_are_passed_by(void **state)
{
	mpn_t mpn;

	(void)state;
	start(A, GROUP);
	start(B, GROUP);
	fake_put_page(A, 5, 42);
	fake_put_page(B, 5, 42);
	assert_int_equal(mm_pin(fake_vm(A), 0, (ppn_t){ 5 }, MM_READ, &mpn), OK);
	scan_all();
	scan_all();
	assert_int_equal(shared_frames(), 0);
	mm_unpin(fake_vm(A), (ppn_t){ 5 });
	scan_all();
	scan_all();
	assert_int_equal(shared_frames(), 1);
	/* A pin breaks sharing, to read as well. */
	fake_cpu_set(1);
	assert_true(fake_page_is(A, 5, 42));
	fake_cpu_set(0);
	assert_int_equal(mm_pin(fake_vm(A), 0, (ppn_t){ 5 }, MM_READ, &mpn), E_SUSPEND);
	fake_settle_everything();
	assert_int_equal(mm_pin(fake_vm(A), 0, (ppn_t){ 5 }, MM_READ, &mpn), OK);
	assert_int_not_equal(mpn.n, frame_behind(B, 5));
	mm_unpin(fake_vm(A), (ppn_t){ 5 });
}

static void a_vm_that_ends_drops_its_references(void **state)
{
	(void)state;
	start(A, GROUP);
	start(B, GROUP);
	for (u32 i = 0; i < 50; i++) {
		fake_put_page(A, i, 1 + i);
		fake_put_page(B, i, 1 + i);
	}
	scan_all();
	scan_all();
	assert_int_equal(shared_frames(), 50);
	fake_vm_end(A);
	assert_int_equal(shared_frames(), 50);
	for (u32 i = 0; i < 50; i++)
		assert_true(fake_page_is(B, i, 1 + i));
	fake_vm_end(B);
	assert_int_equal(shared_frames(), 0);
}

/* Another CPU's scanner meanwhile: nothing of the VM is guarded, compared or freed once its debts have been waited for. */
static void a_vm_that_ends_is_left_alone(void **state)
{
	(void)state;
	start(A, GROUP);
	for (u32 i = 0; i < 50; i++)
		fake_put_page(A, i, 1 + i % 2);
	fake_settle_everything();
	mm_share_begin_pass(fake_vm(A));
	while (!fake_vm(A)->batches[BATCH_SHARE].count)
		assert_true(mm_share_step(1));
	assert_int_equal(fake_vm(A)->scan.counts.merged, 0);
	fake_end_steps();
	do {
		fake_audit_memory();
		if (fake_vm(A)->release_phase) {
			mm_unshare_group(GROUP);
			assert_false(mm_share_step(8));
		}
	} while (!mm_vm_release_step(fake_vm(A)));
	assert_int_equal(fake_vm(A)->scan.counts.merged, 0);
}

/* ---- hints, references, order ---- */

static bool is_hint(u32 slot, u32 ppn, u32 hash)
{
	const struct frame *frame = frame_of(frame_behind(slot, ppn));

	return frame->state == FRAME_HINT && frame->hash == hash;
}

static u32 hash_of(u32 slot, u32 ppn)
{
	return share_hash(GROUP, platform_frame((mpn_t){ frame_behind(slot, ppn) }), false);
}

/* A was looked at, then written; B has what A had. */
static void a_hint_that_is_stale_is_dropped_when_it_leads_to_a_candidate(void **state)
{
	(void)state;
	start(A, GROUP);
	start(B, GROUP);
	fake_put_page(A, 5, 42);
	scan_all();
	u32 old = hash_of(A, 5);

	assert_true(is_hint(A, 5, old));
	fake_put_page(A, 5, 43);
	fake_put_page(B, 5, 42);
	mm_share_begin_pass(fake_vm(B)); /* A is not looked at by a pass of its own */
	for (u32 i = 0; i < 3; i++) {
		while (mm_share_step(4))
			;
		fake_settle_everything();
	}
	assert_false(is_hint(A, 5, old));
	assert_true(is_hint(A, 5, hash_of(A, 5)));
	assert_true(fake_vm(A)->scan.counts.stale > 0);
	assert_int_equal(state_of(A, 5), PAGE_PRIVATE);
	assert_true(fake_page_is(A, 5, 43));
	assert_true(fake_page_is(B, 5, 42));
}

/* Nor does a counter: what no page more may name is passed by, and the next pages have a frame of their own in common. */
static void references_never_overflow(void **state)
{
	(void)state;
	start(A, GROUP);
	for (u32 i = 0; i < 4; i++)
		fake_put_page(A, i, 42);
	scan_all();
	scan_all();
	u32 shared = frame_behind(A, 0);
	u32 references = frame_of(shared)->references;

	assert_int_equal(references, 4);
	frame_of(shared)->references = FRAME_FULL;
	for (u32 i = 4; i < 8; i++)
		fake_put_page(A, i, 42);
	mm_share_begin_pass(fake_vm(A));
	for (u32 i = 0; i < 4; i++) {
		while (mm_share_step(4))
			;
		fake_settle_everything();
		mm_share_begin_pass(fake_vm(A));
	}
	assert_int_equal(frame_of(shared)->references, FRAME_FULL);
	frame_of(shared)->references = references;
	for (u32 i = 4; i < 8; i++)
		assert_int_not_equal(frame_behind(A, i), shared);
	scan_all();
	fake_audit_memory();
	for (u32 i = 0; i < 8; i++)
		assert_true(fake_page_is(A, i, 42));
}

static void the_frame_of_zeros_is_not_overcounted_either(void **state)
{
	(void)state;
	start(A, GROUP);
	assert_int_equal(fake_get(A, 3, 0), 0);
	assert_int_equal(state_of(A, 3), PAGE_EMPTY);
	frame_of(frame_zero)->references = FRAME_FULL;
	assert_int_equal(fake_get(A, 3, 8), 0);
	assert_int_equal(fake_get(A, 4, 0), 0);
	assert_int_equal(state_of(A, 4), PAGE_PRIVATE);
	frame_of(frame_zero)->references = 1;
	fake_audit_memory();
}

static void each_pass_meets_every_group_once_in_an_order_of_its_own(void **state)
{
	enum { MEMORY = 2048, GROUPS = MEMORY / HARVEST_PAGES, PASSES = 40 };
	u64 orders[PASSES][2];
	u32 alike = 0;

	(void)state;
	start_pages(A, GROUP, MEMORY);
	for (u32 pass = 0; pass < PASSES; pass++) {
		const struct scan *scan = &fake_vm(A)->scan;
		u64 met = 0;

		mm_share_begin_pass(fake_vm(A));
		for (u32 i = 0; i < GROUPS; i++)
			met |= BIT((scan->group + i * scan->stride) % GROUPS);
		assert_int_equal(met, (1ULL << GROUPS) - 1);
		orders[pass][0] = scan->group;
		orders[pass][1] = scan->stride;
		for (u32 i = 0; i < pass; i++)
			alike += orders[i][0] == orders[pass][0] && orders[i][1] == orders[pass][1];
		scan_all();
	}
	assert_true(alike < PASSES / 4); /* of 512 orders; 780 pairs */
}

/* ---- a page that somebody wants to take ---- */

/* As the pager does: guarded with no right left, and settled. */
static enum commit_result try_share(u32 slot, u32 ppn)
{
	struct mm_vm *vm = fake_vm(slot);
	struct scan_work work = { .vm = vm, .group = vm->group };
	struct page page;

	lock_acquire(vm->lock);
	assert_true(pmap_look(vm, (ppn_t){ ppn }, &page));
	assert_int_equal(watch_guard(vm, &page, CEILING_NONE), OK);
	lock_release(vm->lock);
	fake_end_steps();
	lock_acquire(vm->lock);
	assert_true(pmap_look(vm, (ppn_t){ ppn }, &page));
	enum commit_result result = commit_try_share(&work, &page);

	lock_release(vm->lock);
	commit_tell_partner(&work);
	fake_audit_memory();
	fake_check();
	return result;
}

static void a_page_to_be_paged_out_is_shared_first(void **state)
{
	struct mm_totals before, after;

	(void)state;
	start(A, GROUP);
	start(B, GROUP);
	fake_put_page(A, 1, 42);
	fake_put_page(A, 2, 7);
	fake_put(A, 3, 0, 1);
	fake_put(A, 3, 0, 0);
	fake_put_page(B, 1, 42);
	fake_put_page(B, 2, 42);
	fake_put_page(B, 3, 42);
	scan_all();
	assert_int_equal(state_of(B, 1), PAGE_SHARED);
	fake_put(A, 1, 0, 1);
	fake_put(A, 1, 0, 42000); /* a frame of its own again, with the same contents */
	mm_totals(&before);
	assert_int_equal(try_share(A, 1), COMMIT_FREED);
	assert_int_equal(frame_behind(A, 1), frame_behind(B, 1));
	assert_int_equal(try_share(A, 2), COMMIT_NOTHING);
	mm_totals(&after);
	assert_int_equal(after.free + after.debt_frames, before.free + before.debt_frames + 1);
	assert_int_equal(after.debt_frames, before.debt_frames); /* nobody could reach it */
	assert_true(fake_page_is(A, 1, 42));
	assert_true(fake_page_is(A, 2, 7));
	assert_int_equal(fake_get(A, 3, 0), 0);
}

static void a_page_of_zeros_that_is_to_be_paged_out_becomes_empty(void **state)
{
	(void)state;
	start(A, GROUP);
	fake_put(A, 3, 0, 1);
	fake_put(A, 3, 0, 0);
	assert_int_equal(try_share(A, 3), COMMIT_FREED);
	assert_int_equal(state_of(A, 3), PAGE_EMPTY);
	assert_int_equal(fake_get(A, 3, 0), 0);
}

static void who_finds_a_hint_when_it_is_to_be_paged_out_stays_for_the_hints_page_to_join(void **state)
{
	(void)state;
	start(A, GROUP);
	start(B, GROUP);
	fake_put_page(B, 9, 42);
	scan_all();
	fake_put_page(A, 5, 42);
	fake_put_page(A, 6, 42);
	assert_int_equal(try_share(A, 5), COMMIT_SHARED);
	assert_int_equal(try_share(A, 6), COMMIT_FREED);
	scan_all();
	assert_int_equal(shared_frames(), 1);
	assert_int_equal(frame_behind(B, 9), frame_behind(A, 5));
	assert_true(fake_page_is(A, 5, 42));
	assert_true(fake_page_is(A, 6, 42));
	assert_true(fake_page_is(B, 9, 42));
}

/* A machine without room for the table shares nothing, and pages out all the same. */
static void without_a_table_nothing_is_shared(void **state)
{
	static mpn_t all[4096];
	u32 count = 0;

	(void)state;
	while (mm_overhead_alloc(0, &all[count]) == OK)
		count++;
	assert_int_equal(share_init(), E_NO_MEMORY);
	while (count)
		mm_overhead_free(all[--count], 0);
	start(A, GROUP);
	fake_put_page(A, 1, 42);
	fake_put_page(A, 2, 42);
	assert_int_equal(try_share(A, 1), COMMIT_NOTHING);
	assert_int_equal(try_share(A, 2), COMMIT_NOTHING);
	scan_all();
	assert_int_equal(shared_frames(), 0);
	assert_true(fake_page_is(A, 1, 42));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(equal_pages_of_a_group_become_one_frame),
		TEST(pages_of_other_groups_stay_apart),
		TEST(a_vm_alone_shares_with_itself),
		TEST(who_writes_gets_a_copy_and_the_others_keep_theirs),
		TEST(pages_of_zeros_become_empty),
		TEST(a_page_found_to_be_zeros_is_no_accessed_sample),
		TEST(a_candidate_that_is_written_is_not_merged),
		TEST(nothing_is_merged_while_a_cpu_may_still_write),
		TEST(a_shared_page_that_is_given_up_drops_its_reference),
		TEST(an_unchanged_page_is_not_hashed_again),
		TEST(a_page_that_always_changes_is_looked_at_less_and_less),
		TEST(pinned_pages_are_passed_by),
		TEST(a_vm_that_ends_drops_its_references),
		TEST(a_vm_that_ends_is_left_alone),
		TEST(a_hint_that_is_stale_is_dropped_when_it_leads_to_a_candidate),
		TEST(references_never_overflow),
		TEST(the_frame_of_zeros_is_not_overcounted_either),
		TEST(each_pass_meets_every_group_once_in_an_order_of_its_own),
		TEST(a_page_to_be_paged_out_is_shared_first),
		TEST(a_page_of_zeros_that_is_to_be_paged_out_becomes_empty),
		TEST(who_finds_a_hint_when_it_is_to_be_paged_out_stays_for_the_hints_page_to_join),
		TEST(without_a_table_nothing_is_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
