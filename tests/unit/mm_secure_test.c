/* SPDX-License-Identifier: BSD-2-Clause */
/* Secure share groups: what is shared nobody can reach, and who measures his own pages cannot tell a merged one from one that is not. */
#include "mm/commit.h"
#include "mm/frame.h"
#include "mm/pool.h"
#include "mm/watch.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { A, B, C, GROUP = 7, OPEN_GROUP = 8, PAGES = 128 };

static int begin_with(bool flags)
{
	fake_reset(1, flags);
	fake_small_machine();
	assert_int_equal(share_init(), OK);
	assert_int_equal(pool_make(), OK);
	share_group_begin(GROUP, SHARE_SECURE);
	share_group_begin(OPEN_GROUP, SHARE_FAST);
	for (u32 slot = A; slot <= C; slot++)
		fake_vm_group(slot, GROUP);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	return begin_with(true);
}

/* What is in the pool is zeros, and as many frames as ever. */
static void check_pool(void)
{
	u32 frames = 0;

	for (u32 i = 0; i < frame_range_count; i++) {
		for (u32 n = 0; n < frame_ranges[i].pages; n++) {
			u32 mpn = frame_ranges[i].first.n + n;

			if (frame_state(mpn) != FRAME_POOL)
				continue;
			assert_true(commit_is_zero(mpn));
			frames++;
		}
	}
	assert_int_equal(frames, pool_size());
}

static int end(void **state)
{
	struct mm_totals totals;

	(void)state;
	for (u32 slot = A; slot <= C; slot++) {
		if (vm_slots[slot + 1].vm)
			fake_vm_end_clean(slot);
	}
	check_pool();
	mm_totals(&totals);
	assert_int_equal(totals.shared_frames, 1);
	assert_int_equal(totals.private_, 0);
	return 0;
}

static void start(u32 slot)
{
	assert_int_equal(fake_vm_start(slot, PAGES, PAGES), OK);
}

static bool is_at_work(u32 slot)
{
	return vm_slots[slot + 1].vm && (fake_vm(slot)->scan.active || fake_vm(slot)->batches[BATCH_SHARE].count);
}

/* One pass of one VM, all CPUs passing now and then. */
static void pass(u32 slot)
{
	mm_share_begin_pass(fake_vm(slot));
	while (is_at_work(slot)) {
		while (mm_share_step(4))
			fake_audit_memory();
		fake_settle_everything();
		fake_check();
	}
}

/* The first one sees what was in use, the second what was not since. */
static void pass_twice(u32 slot)
{
	pass(slot);
	pass(slot);
}

static u32 frame_behind(u32 slot, u32 ppn)
{
	struct page page;

	lock_acquire(fake_vm(slot)->lock);
	assert_true(pmap_look(fake_vm(slot), (ppn_t){ ppn }, &page));
	lock_release(fake_vm(slot)->lock);
	return entry_frame(page_entry(&page));
}

/* ---- merging ---- */

static void idle_pages_that_are_alike_become_one_frame(void **state)
{
	struct mm_totals before, after;
	struct share_totals shared;

	(void)state;
	start(A);
	start(B);
	for (u32 i = 0; i < 50; i++) {
		fake_put_page(A, i, 1 + i);
		fake_put_page(B, 49 - i, 1 + i);
	}
	fake_settle_everything();
	mm_totals(&before);
	pass_twice(A);
	pass_twice(B);
	mm_totals(&after);
	share_totals(&shared);
	assert_int_equal(shared.frames, 50);
	assert_int_equal(shared.references, 100);
	assert_int_equal(shared.hints, 0);
	assert_int_equal(after.free, before.free + 50);
	assert_int_equal(after.overhead, before.overhead);
	for (u32 i = 0; i < 50; i++)
		assert_int_equal(frame_behind(A, i), frame_behind(B, 49 - i));
	for (u32 i = 0; i < 50; i++) {
		assert_true(fake_page_is(A, i, 1 + i));
		assert_true(fake_page_is(B, 49 - i, 1 + i));
	}
	share_totals(&shared);
	assert_int_equal(shared.frames, 0);
}

static void neither_partys_old_frame_survives(void **state)
{
	(void)state;
	start(A);
	start(B);
	fake_put_page(A, 3, 42);
	fake_put_page(B, 5, 42);
	u32 first = frame_behind(A, 3), second = frame_behind(B, 5);

	pass_twice(A);
	pass_twice(B);
	u32 shared = frame_behind(A, 3);

	assert_int_equal(shared, frame_behind(B, 5));
	assert_true(shared != first && shared != second);
	assert_int_equal(frame_state(first), FRAME_POOL);
	assert_int_equal(frame_state(second), FRAME_POOL);
	assert_true(fake_page_is(A, 3, 42));
	assert_true(fake_page_is(B, 5, 42));
	assert_int_equal(frame_state(shared), FRAME_POOL);
	assert_true(frame_behind(A, 3) != shared && frame_behind(B, 5) != shared);
	assert_true(frame_behind(A, 3) != first && frame_behind(B, 5) != second);
}

static void a_page_in_use_is_no_candidate(void **state)
{
	(void)state;
	start(A);
	fake_put_page(A, 3, 42);
	fake_put_page(A, 5, 42);
	fake_put_page(A, 7, 42);
	pass(A);
	assert_int_equal(fake_state_of(A, 3), PAGE_PRIVATE); /* all were in use just now */
	fake_get(A, 3, 0);
	pass(A);
	assert_int_equal(fake_state_of(A, 3), PAGE_PRIVATE);
	assert_int_equal(fake_state_of(A, 5), PAGE_SHARED);
	assert_int_equal(frame_behind(A, 5), frame_behind(A, 7));
	pass(A);
	assert_int_equal(frame_behind(A, 3), frame_behind(A, 7));
}

static void a_candidate_that_is_accessed_is_not_merged(void **state)
{
	(void)state;
	start(A);
	fake_put_page(A, 5, 42);
	pass(A);
	mm_share_begin_pass(fake_vm(A));
	do {
		mm_share_step(1);
		fake_end_steps();
	} while (!fake_vm(A)->scan.due);
	fake_cpu_set(1);
	fake_get(A, 20, 0); /* CPU 1 stays in the guest, and what is guarded next waits for it */
	fake_cpu_set(0);
	while (mm_share_step(8))
		;
	assert_true(fake_vm(A)->batches[BATCH_SHARE].count > 0);
	u32 own = frame_behind(A, 5);

	fake_get(A, 5, 0);
	while (is_at_work(A)) {
		mm_share_step(8);
		fake_settle_everything();
	}
	assert_int_equal(frame_behind(A, 5), own);
	assert_int_equal(fake_state_of(A, 5), PAGE_PRIVATE);
}

/* Where hardware does not tell, any page is taken for idle: the rates bound what that costs. */
static void without_accessed_flags_all_pages_take_their_turn(void **state)
{
	(void)state;
	end(state);
	begin_with(false);
	start(A);
	fake_put_page(A, 5, 42);
	fake_put_page(A, 6, 42);
	pass(A);
	assert_int_equal(frame_behind(A, 5), frame_behind(A, 6));
	assert_true(fake_page_is(A, 5, 42));
	assert_true(fake_page_is(A, 6, 42));
}

static void pages_of_one_vm_alone_and_of_fast_groups_are_as_ever(void **state)
{
	(void)state;
	fake_vm_group(A, OPEN_GROUP);
	start(A);
	start(B);
	fake_put_page(A, 5, 42);
	fake_put_page(A, 6, 42);
	fake_put_page(B, 5, 42);
	pass_twice(B);
	pass_twice(A);
	assert_int_equal(frame_behind(A, 5), frame_behind(A, 6));
	assert_int_not_equal(frame_behind(A, 5), frame_behind(B, 5));
	assert_true(fake_page_is(A, 5, 42));
	assert_int_equal(fake_state_of(A, 5), PAGE_SHARED);
	assert_true(fake_page_is(B, 5, 42));
	assert_int_equal(fake_state_of(B, 5), PAGE_PRIVATE);
}

/* ---- any access copies ---- */

static void hide_one(void)
{
	start(A);
	fake_put_page(A, 3, 42);
	fake_put_page(A, 5, 42);
	pass_twice(A);
	assert_int_equal(fake_state_of(A, 3), PAGE_SHARED);
}

static void expect_copied(void)
{
	assert_int_equal(fake_state_of(A, 3), PAGE_PRIVATE);
	assert_int_equal(fake_state_of(A, 5), PAGE_SHARED);
	assert_true(fake_page_is(A, 3, 42));
}

static void a_guests_access_of_any_kind_copies(void **state)
{
	static const enum mm_access accesses[] = { MM_READ, MM_WRITE, MM_EXECUTE };

	(void)state;
	hide_one();
	for (u32 i = 0; i < ARRAY_SIZE(accesses); i++) {
		u64 value = 42000;
		bool stale;

		/* At once: nothing is owed, since no right was left. */
		assert_int_equal(fake_touch(A, 0, gpa_of((ppn_t){ 3 }), &value, 8, accesses[i], &stale), OK);
		assert_int_equal(value, 42000);
		expect_copied();
		pass_twice(A);
		assert_int_equal(fake_state_of(A, 3), PAGE_SHARED);
	}
}

static void a_device_and_a_pin_copy(void **state)
{
	u64 value = 0;
	mpn_t mpn;

	(void)state;
	hide_one();
	assert_int_equal(mm_read(fake_vm(A), 0, gpa_of((ppn_t){ 3 }), &value, 8), OK);
	assert_int_equal(value, 42000);
	expect_copied();
	pass_twice(A);
	assert_int_equal(mm_pin(fake_vm(A), 0, (ppn_t){ 3 }, MM_READ, &mpn), OK);
	expect_copied();
	pass_twice(A);
	expect_copied(); /* pinned */
	mm_unpin(fake_vm(A), (ppn_t){ 3 });
}

static void the_end_of_a_sample_gives_no_right_back(void **state)
{
	struct page page;

	(void)state;
	hide_one();
	assert_int_equal(mm_watch(fake_vm(A), (ppn_t){ 3 }, MM_WATCH_SAMPLED), OK);
	lock_acquire(fake_vm(A)->lock);
	assert_true(pmap_look(fake_vm(A), (ppn_t){ 3 }, &page));
	pmap_unsample(fake_vm(A), &page);
	assert_int_equal(entry_ceiling(page_entry(&page)), CEILING_NONE);
	lock_release(fake_vm(A)->lock);
	fake_audit_memory();
	fake_vm(A)->sample.touched = 0;
	assert_int_equal(mm_watch(fake_vm(A), (ppn_t){ 3 }, MM_WATCH_SAMPLED), OK);
	assert_true(fake_page_is(A, 3, 42));
	assert_int_equal(fake_vm(A)->sample.touched, 1);
}

static void a_copy_that_finds_no_frame_waits_and_changes_nothing(void **state)
{
	static mpn_t all[4096];
	u32 count = 0;
	u64 value = 0;
	bool stale;

	(void)state;
	hide_one();
	u32 shared = frame_behind(A, 3);

	fake_settle_everything();
	do {
		while (mm_overhead_alloc(0, &all[count]) == OK)
			count++;
		fake_work_wanted = 0;
		mm_work_step(); /* breaks reservations */
	} while (fake_touch(A, 0, gpa_of((ppn_t){ 3 }), &value, 8, MM_READ, &stale) == OK || fake_work_wanted == 0);
	assert_int_equal(frame_behind(A, 3), shared);
	fake_audit_memory();
	while (count)
		mm_overhead_free(all[--count], 0);
	fake_settle_everything();
	assert_true(fake_woken(A, 0) > 0);
	assert_true(fake_page_is(A, 3, 42));
}

/* ---- the same work ---- */

struct work {
	u64 narrows, fills, zeroes, copies, looks;
};

static struct work work_until_now(void)
{
	return (struct work){ fake_narrows, fake_fills, fake_zeroes, fake_copies, fake_looks };
}

static struct work since(struct work before)
{
	struct work now = work_until_now();

	return (struct work){ now.narrows - before.narrows, now.fills - before.fills, now.zeroes - before.zeroes,
			      now.copies - before.copies, now.looks - before.looks };
}

static void expect_same(struct work a, struct work b)
{
	assert_int_equal(a.narrows, b.narrows);
	assert_int_equal(a.fills, b.fills);
	assert_int_equal(a.zeroes, b.zeroes);
	assert_int_equal(a.copies, b.copies);
	assert_int_equal(a.looks, b.looks);
}

/* Without the audit and what else the test does. */
static struct work work_of_pass(u32 slot)
{
	mm_share_begin_pass(fake_vm(slot));
	fake_end_steps();
	struct work before = work_until_now();

	for (u32 i = 0; i < 100; i++)
		mm_share_step(4);
	assert_false(is_at_work(slot));
	return since(before);
}

static struct work work_of_read(u32 slot, u32 ppn)
{
	struct work before = work_until_now();
	u64 value;
	bool stale;

	assert_int_equal(fake_touch(slot, 0, gpa_of((ppn_t){ ppn }), &value, 8, MM_READ, &stale), OK);
	return since(before);
}

/* A's page is like one of B, C's like nobody's. */
static void merged_and_unmatched_pages_cost_the_same_work(void **state)
{
	(void)state;
	for (u32 slot = A; slot <= C; slot++) {
		start(slot);
		fake_put_page(slot, 9, slot == C ? 43 : 42);
	}
	pass_twice(B);
	pass(A);
	pass(C);
	struct work merging = work_of_pass(A), moving = work_of_pass(C);

	assert_int_equal(frame_behind(A, 9), frame_behind(B, 9));
	assert_int_equal(fake_state_of(C, 9), PAGE_SHARED);
	expect_same(merging, moving);
	assert_int_equal(merging.copies, 1);
	assert_int_equal(merging.zeroes, 1);
	struct work of_two = work_of_read(A, 9), of_one = work_of_read(C, 9), of_the_last = work_of_read(B, 9);

	assert_int_equal(of_two.copies, 1);
	expect_same(of_two, of_one);
	expect_same(of_two, of_the_last);
}

/* Balloon: the reference goes by the same way. */
static void giving_up_costs_the_same_work(void **state)
{
	struct work work[3];

	(void)state;
	for (u32 slot = A; slot <= C; slot++) {
		start(slot);
		fake_put_page(slot, 9, slot == C ? 43 : 42);
	}
	for (u32 slot = A; slot <= C; slot++)
		pass_twice(slot);
	for (u32 slot = A; slot <= C; slot++) {
		struct work before = work_until_now();

		fake_end_steps();
		assert_int_equal(mm_give_up(fake_vm(slot), 0, (ppn_t){ 9 }), OK);
		work[slot] = since(before);
	}
	expect_same(work[A], work[B]);
	expect_same(work[A], work[C]);
}

/* ---- zeros ---- */

static void zeros_become_empty_and_no_frame_of_zeros_is_read(void **state)
{
	(void)state;
	start(A);
	fake_put(A, 3, 0, 1);
	fake_put(A, 3, 0, 0);
	assert_int_equal(fake_get(A, 9, 0), 0); /* never written: a frame of its own all the same */
	assert_int_equal(fake_state_of(A, 9), PAGE_PRIVATE);
	u32 own = frame_behind(A, 3);

	pass_twice(A);
	assert_int_equal(fake_state_of(A, 3), PAGE_EMPTY);
	assert_int_equal(fake_state_of(A, 9), PAGE_EMPTY);
	assert_int_equal(frame_behind(A, 3), 0);
	assert_int_equal(frame_state(own), FRAME_POOL);
	assert_int_equal(fake_get(A, 3, 0), 0);
	assert_int_equal(fake_state_of(A, 3), PAGE_PRIVATE);
	assert_int_equal(frame_of(frame_zero)->references, 0);
}

static void a_frame_that_failed_does_not_go_into_the_pool(void **state)
{
	(void)state;
	start(A);
	fake_put_page(A, 3, 42);
	fake_put(A, 5, 0, 1);
	fake_put(A, 5, 0, 0);
	u32 bad = frame_behind(A, 3), zeros = frame_behind(A, 5);

	pass(A);
	assert_true(mm_frame_failed(fake_vm(A), (mpn_t){ bad }));
	assert_true(mm_frame_failed(fake_vm(A), (mpn_t){ zeros }));
	pass(A);
	assert_int_equal(frame_behind(A, 3), bad);
	assert_int_equal(frame_state(zeros), FRAME_RETIRED);
	fake_vm_end_clean(A);
	assert_int_equal(frame_state(bad), FRAME_RETIRED);
}

/* ---- the pool ---- */

/* Each frame is as likely as any other: chi-squared over 64 parts of the slots, with 63 degrees of freedom (p = 0.0001 is 113). */
static void frames_are_drawn_uniformly(void **state)
{
	enum { PARTS = 64, DRAWS = 64 * 500 };
	u32 seen[PARTS] = { 0 };
	u64 sum = 0;

	(void)state;
	for (u32 i = 0; i < DRAWS; i++) {
		struct drawn drawn = pool_draw();

		seen[(u64)drawn.slot * PARTS / pool_size()]++;
		pool_fill(drawn.slot, drawn.mpn);
	}
	for (u32 i = 0; i < PARTS; i++)
		sum += ((u64)seen[i] - 500) * ((u64)seen[i] - 500);
	assert_true(sum / 500 < 113);
}

static void no_slot_is_drawn_twice_before_it_is_filled(void **state)
{
	enum { HELD = 256 };
	struct drawn held[HELD];
	u32 where = 0;

	(void)state;
	for (u32 i = 0; i < HELD; i++) {
		held[i] = pool_draw();
		for (u32 n = 0; n < i; n++)
			where |= held[n].slot == held[i].slot || held[n].mpn == held[i].mpn;
	}
	assert_int_equal(where, 0);
	for (u32 i = 0; i < HELD; i++)
		pool_fill(held[i].slot, held[HELD - 1 - i].mpn);
	check_pool();
}

static void a_pool_that_does_not_fit_takes_nothing(void **state)
{
	static mpn_t all[4096];
	struct mm_totals before, after;
	u32 count = 0;

	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	while (count < 2200 && mm_overhead_alloc(0, &all[count]) == OK)
		count++;
	mm_totals(&before);
	assert_int_equal(pool_make(), E_NO_MEMORY);
	mm_totals(&after);
	assert_int_equal(pool_size(), 0);
	assert_int_equal(after.free, before.free);
	while (mm_overhead_alloc(0, &all[count]) == OK)
		count++;
	assert_int_equal(pool_make(), E_NO_MEMORY); /* not even for its slots */
	while (count)
		mm_overhead_free(all[--count], 0);
	assert_int_equal(pool_make(), OK);
	assert_int_equal(pool_size(), POOL_MIN);
	fake_audit_memory();
}

static void begin_without_a_pool(void)
{
	fake_reset(1, true);
	fake_small_machine();
	share_group_begin(GROUP, SHARE_SECURE);
}

static void a_secure_group_needs_the_pool(void **state)
{
	(void)state;
	assert_true(fake_dies(begin_without_a_pool));
}

static void its_size_is_one_percent_within_bounds(void **state)
{
	static const struct {
		u64 total;
		u32 frames;
	} rows[] = { { 3000, POOL_MIN }, { 200000, 2000 }, { 1ULL << 32, POOL_MAX } };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(pool_wanted(rows[i].total), rows[i].frames);
}

/* ---- what is broken on purpose ---- */

static u64 *entry_of(u32 ppn)
{
	struct page page;

	lock_acquire(fake_vm(A)->lock);
	CHECK(pmap_look(fake_vm(A), (ppn_t){ ppn }, &page));
	lock_release(fake_vm(A)->lock);
	return page.slot;
}

static u32 a_pool_frame(void)
{
	struct drawn drawn = pool_draw();

	pool_fill(drawn.slot, drawn.mpn);
	return drawn.mpn;
}

/* clang-format off */ /* one a line */
static void shared_but_readable(void) { *entry_of(3) = entry_with_ceiling(*entry_of(3), CEILING_READ); }
static void zero_frame_named(void) { *entry_of(60) = entry_make(PAGE_EMPTY, CEILING_NONE, 0, frame_zero); }
static void pool_frame_in_no_slot(void) { frame_of(a_pool_frame())->ppn ^= 1; }
static void pool_frame_beyond_slots(void) { frame_of(a_pool_frame())->ppn = POOL_MAX + 5; }
static void pool_slot_empty(void) { (void)pool_draw(); }
static void pool_slot_of_a_private_frame(void) { frame_of(a_pool_frame())->state = FRAME_OVERHEAD; }
/* clang-format on */

static const struct {
	void (*action)(void);
	const char *words;
} broken[] = {
	{ shared_but_readable, "VM 1 page 0x3: shared in a secure group, but accessible" },
	{ zero_frame_named, "VM 1 page 0x3c: names the zero frame in a secure group" },
	{ pool_frame_in_no_slot, "of the pool, but not in its slot" },
	{ pool_frame_beyond_slots, "of the pool, but not in its slot" },
	{ pool_slot_empty, "of the pool is empty" },
	{ pool_slot_of_a_private_frame, "names a frame that is not there" },
};

static void what_is_broken_is_found_and_named(void **state)
{
	char line[200];

	for (u32 i = 0; i < ARRAY_SIZE(broken); i++) {
		begin(state);
		hide_one();
		assert_int_equal(fake_audit_findings(line, sizeof(line)), 0);
		broken[i].action();
		assert_true(fake_audit_findings(line, sizeof(line)) > 0);
		if (!strstr(line, broken[i].words))
			fail_msg("row %u: %s", i, line);
	}
	begin(state);
}

/* ---- what it costs ---- */

struct cost {
	u64 saved, faults, copies;
};

/* Three VMs, of whose 100 pages 60 are alike; each uses another quarter of its pages before each pass. */
static struct cost scenario(u32 group)
{
	struct mm_totals before, after;
	struct cost cost = { 0 };

	begin_with(true);
	for (u32 slot = A; slot <= C; slot++) {
		fake_vm_group(slot, group);
		start(slot);
		for (u32 i = 0; i < 100; i++)
			fake_put_page(slot, i, i < 60 ? 1 + i : 1000 * (slot + 1) + i);
	}
	fake_settle_everything();
	mm_totals(&before);
	u64 fills = fake_fills;

	for (u32 round = 0; round < 6; round++) {
		for (u32 slot = A; slot <= C; slot++) {
			for (u32 i = 0; i < 25; i++)
				fake_get(slot, (round * 25 + i) % 100, 0);
			pass(slot);
		}
	}
	mm_totals(&after);
	cost.saved = (after.free - before.free) * PAGE_SIZE;
	cost.faults = fake_fills - fills;
	for (u32 slot = A; slot <= C; slot++)
		cost.copies += fake_vm(slot)->copies;
	return cost;
}

static void the_price_of_secure_sharing_is_known(void **state)
{
	struct cost fast = scenario(OPEN_GROUP);

	end(state);
	struct cost secure = scenario(GROUP);

	printf("         %12s %8s %8s\n", "bytes saved", "faults", "copies");
	printf("fast     %12llu %8llu %8llu\n", fast.saved, fast.faults, fast.copies);
	printf("secure   %12llu %8llu %8llu\n", secure.saved, secure.faults, secure.copies);
	assert_int_equal(fast.saved, 120 * PAGE_SIZE);
	assert_int_equal(fast.copies, 0);
	assert_int_equal(secure.saved, 70 * PAGE_SIZE); /* pages 25 … 49 are in use */
	assert_true(secure.copies > 0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(idle_pages_that_are_alike_become_one_frame),
		TEST(neither_partys_old_frame_survives),
		TEST(a_page_in_use_is_no_candidate),
		TEST(a_candidate_that_is_accessed_is_not_merged),
		TEST(without_accessed_flags_all_pages_take_their_turn),
		TEST(pages_of_one_vm_alone_and_of_fast_groups_are_as_ever),
		TEST(a_guests_access_of_any_kind_copies),
		TEST(a_device_and_a_pin_copy),
		TEST(the_end_of_a_sample_gives_no_right_back),
		TEST(a_copy_that_finds_no_frame_waits_and_changes_nothing),
		TEST(merged_and_unmatched_pages_cost_the_same_work),
		TEST(giving_up_costs_the_same_work),
		TEST(zeros_become_empty_and_no_frame_of_zeros_is_read),
		TEST(a_frame_that_failed_does_not_go_into_the_pool),
		TEST(frames_are_drawn_uniformly),
		TEST(no_slot_is_drawn_twice_before_it_is_filled),
		TEST(a_pool_that_does_not_fit_takes_nothing),
		TEST(a_secure_group_needs_the_pool),
		TEST(its_size_is_one_percent_within_bounds),
		TEST(what_is_broken_is_found_and_named),
		TEST(the_price_of_secure_sharing_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
