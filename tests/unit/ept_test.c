/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EPT as the processor sees it: after each of the five operations, at every instant within them, without memory, and beside a model.
 * The walk below follows SDM vol. 3C, 29.3, and knows what is a misconfiguration.
 */
#include "vmx/ept.h"
#include "kernel/core/step.h"
#include "mm/frame.h"
#include "mm/vm.h"
#include "tests/unit/support/journal.h"
#include "tests/unit/support/platform_fake.h"
#include "tests/unit/support/vmx_fake.h"
#include "vmx/mitigations.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SLOT = 0, ID = 1, BLOCK = 1024, FRAMES = 1024, MOST = 4096 };

static struct ept ept;
static bool large_not_executable;
static mpn_t ballast[MOST];
static u32 ballast_count;

bool mitigation_large_not_executable(void)
{
	return large_not_executable;
}

u64 *pt_entries(mpa_t table)
{
	return platform_frame(mpn_of(table));
}

/* ---- the processor ---- */

struct seen {
	enum { MISSING, MAPPED, MISCONFIGURED } what;
	u32 mpn;
	u64 rights;
	u64 *slot;
	u32 level;
};

static bool is_misconfigured(u64 entry, u32 level, bool leaf)
{
	u64 zeros;

	if ((entry & (EPT_READ | EPT_WRITE)) == EPT_WRITE)
		return true;
	if (!leaf)
		return (entry & 0xf8) != 0; /* 7:3 are reserved */
	zeros = level == 1 ? 0 : (1ULL << (PAGE_SHIFT + 9 * (level - 1))) - PAGE_SIZE;
	return (entry & zeros) != 0 || (entry >> 3 & 7) != 6;
}

static struct seen hardware(u32 ppn)
{
	u64 *table = platform_frame(ept.root);
	u64 address = (u64)ppn << PAGE_SHIFT;

	for (u32 level = 4;; level--) {
		u64 *slot = &table[address >> (PAGE_SHIFT + 9 * (level - 1)) & 511];
		u64 entry = __atomic_load_n(slot, __ATOMIC_RELAXED);
		bool leaf = level == 1 || (level < 4 && (entry & BIT(7)));

		if ((entry & EPT_RIGHTS) == 0)
			return (struct seen){ entry ? MISCONFIGURED : MISSING, 0, 0, slot,
					      level }; /* nothing for a speculative load */
		if (is_misconfigured(entry, level, leaf))
			return (struct seen){ MISCONFIGURED, 0, 0, slot, level };
		if (leaf) {
			u32 within = ppn & (u32)((1ULL << (9 * (level - 1))) - 1);

			return (struct seen){ MAPPED, (u32)((entry & 0x000ffffffffff000ULL) >> PAGE_SHIFT) + within,
					      entry & EPT_RIGHTS, slot, level };
		}
		table = platform_frame((mpn_t){ (u32)((entry & 0x000ffffffffff000ULL) >> PAGE_SHIFT) });
	}
}

/* An access as a guest makes it, flags and all; false: it faults. */
static bool access_page(u32 ppn, u64 right)
{
	struct seen seen = hardware(ppn);

	assert_int_not_equal(seen.what, MISCONFIGURED);
	if (seen.what == MISSING || !(seen.rights & right))
		return false;
	if (vmx_caps.ept_dirty)
		*seen.slot |= EPT_ACCESSED | (right == EPT_WRITE ? EPT_DIRTY : 0);
	return true;
}

/* ---- set-up ---- */

static struct mm_vm *vm(void)
{
	return fake_vm(SLOT);
}

static int begin(void **state)
{
	(void)state;
	vmx_fake_reset();
	fake_reset(1, true);
	fake_small_machine();
	fake_epoch(1ULL << 40); /* the fake machine's CPUs have passed all that kernel/core/step.c publishes */
	assert_int_equal(fake_vm_start(SLOT, 100, 100), OK);
	large_not_executable = false;
	ballast_count = 0;
	fake_check(); /* free frames are poisoned: a table that nobody clears maps nonsense */
	assert_int_equal(ept_init(&ept, ID), OK);
	lock_acquire(vm()->lock);
	return 0;
}

/* All tables go, and with them every frame. */
static int end(void **state)
{
	bool more = true;

	(void)state;
	while (more)
		(void)ept_drop(&ept, &more);
	assert_int_equal(ept.table_pages, 1);
	ept_destroy(&ept);
	lock_release(vm()->lock);
	while (ballast_count)
		mm_overhead_free(ballast[--ballast_count], 0);
	fake_settle_everything();
	fake_vm_end(SLOT);
	fake_audit_memory();
	return 0;
}

/* Leave exactly `frames` single frames to be had. */
static void leave_free(u32 frames)
{
	while (mm_overhead_alloc(0, &ballast[ballast_count]) == OK)
		ballast_count++;
	while (frames--)
		mm_overhead_free(ballast[--ballast_count], 0);
}

static err_t fill(u32 ppn, u32 mpn, u32 pages, enum mm_ceiling ceiling)
{
	return ept_fill(&ept, (ppn_t){ ppn }, (mpn_t){ mpn }, pages, ceiling);
}

static struct mm_debt narrow(u32 ppn, u32 pages, enum mm_ceiling ceiling)
{
	return ept_narrow(&ept, (ppn_t){ ppn }, pages, ceiling);
}

static void expect(u32 ppn, u32 mpn, u64 rights)
{
	struct seen seen = hardware(ppn);

	assert_int_equal(seen.what, rights ? MAPPED : MISSING);
	assert_int_equal(seen.mpn, rights ? mpn : 0);
	assert_int_equal(seen.rights, rights);
}

/* ---- fill ---- */

static void a_page_is_mapped_with_the_rights_of_its_ceiling(void **state)
{
	(void)state;
	expect(7, 0, 0);
	assert_int_equal(fill(7, FRAMES, 1, CEILING_READ), OK);
	expect(7, FRAMES, EPT_READ | EPT_EXECUTE);
	assert_int_equal(fill(8, FRAMES + 1, 1, CEILING_ALL), OK);
	expect(8, FRAMES + 1, EPT_RIGHTS);
	expect(9, 0, 0);
	assert_int_equal(fill(9, FRAMES + 2, 1, CEILING_NONE), OK);
	expect(9, 0, 0);
	assert_int_equal(ept.table_pages, 4);
}

static void pages_above_4_gib_and_at_the_end_of_reach_are_mapped(void **state)
{
	static const u32 ppns[] = { 0, 511, 512, (1 << 20) - 1, 1 << 20, (1 << 27) - 1, 1 << 27, UINT32_MAX };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(ppns); i++)
		assert_int_equal(fill(ppns[i], FRAMES + i, 1, CEILING_ALL), OK);
	for (u32 i = 0; i < ARRAY_SIZE(ppns); i++)
		expect(ppns[i], FRAMES + i, EPT_RIGHTS);
}

static void a_large_block_is_one_leaf(void **state)
{
	(void)state;
	assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), OK);
	assert_int_equal(hardware(BLOCK + 5).level, 2);
	for (u32 i = 0; i < LARGE_PAGES; i++)
		expect(BLOCK + i, FRAMES + i, EPT_RIGHTS);
	expect(BLOCK - 1, 0, 0);
	expect(BLOCK + LARGE_PAGES, 0, 0);
	assert_int_equal(ept.table_pages, 3);
}

static void a_second_fill_widens_and_keeps_the_flags(void **state)
{
	(void)state;
	assert_int_equal(fill(7, FRAMES, 1, CEILING_READ), OK);
	assert_true(access_page(7, EPT_READ));
	assert_false(access_page(7, EPT_WRITE));
	assert_int_equal(fill(7, FRAMES, 1, CEILING_ALL), OK);
	assert_true(*hardware(7).slot & EPT_ACCESSED);
	assert_true(access_page(7, EPT_WRITE));
	assert_int_equal(fill(7, FRAMES, 1, CEILING_ALL), OK); /* two CPUs had the same fault */
	assert_true(*hardware(7).slot & EPT_DIRTY);
	assert_int_equal(fill(7, FRAMES, 1, CEILING_READ), OK); /* a fill takes nothing away */
	expect(7, FRAMES, EPT_RIGHTS);
}

static void other_frame(void)
{
	(void)!fill(7, FRAMES + 1, 1, CEILING_ALL);
}

static void not_aligned(void)
{
	(void)!fill(BLOCK + 1, FRAMES, LARGE_PAGES, CEILING_ALL);
}

static void a_frame_that_changes_without_a_narrowing_stops_the_machine(void **state)
{
	(void)state;
	assert_int_equal(fill(7, FRAMES, 1, CEILING_READ), OK);
	assert_true(fake_dies(other_frame));
	assert_true(fake_dies(not_aligned));
}

static void a_large_leaf_takes_a_tables_place_and_the_table_goes_when_it_is_safe(void **state)
{
	(void)state;
	for (u32 i = 0; i < LARGE_PAGES; i++)
		assert_int_equal(fill(BLOCK + i, FRAMES + i, 1, CEILING_ALL), OK);
	u64 tables = ept.table_pages;

	assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), OK);
	assert_int_equal(hardware(BLOCK).level, 2);
	assert_int_equal(ept.table_pages, tables - 1);
	assert_int_equal(vm()->debt_frames, 1);
	assert_int_equal(frame_state(vm()->debt_first), FRAME_DEBT);
}

static void large_leaves_are_refused_where_the_processor_has_none(void **state)
{
	(void)state;
	vmx_caps.ept_large = false;
	assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), E_UNSUPPORTED);
	expect(BLOCK, 0, 0);
	assert_int_equal(ept.table_pages, 1);
}

/* ---- fetches from large leaves ---- */

static void where_large_leaves_must_not_execute_a_fetch_splits_for_good(void **state)
{
	(void)state;
	large_not_executable = true;
	assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), OK);
	expect(BLOCK + 3, FRAMES + 3, EPT_READ | EPT_WRITE);
	assert_int_equal(fill(BLOCK + 3, FRAMES + 3, 1, CEILING_ALL), OK);
	for (u32 i = 0; i < LARGE_PAGES; i++)
		expect(BLOCK + i, FRAMES + i, EPT_RIGHTS);
	assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), E_UNSUPPORTED);
	assert_int_equal(hardware(BLOCK).level, 1);
	(void)narrow(BLOCK + 9, 1, CEILING_NONE);
	assert_int_equal(fill(BLOCK + 9, FRAMES + 9, 1, CEILING_ALL), OK);
	assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), E_UNSUPPORTED);
}

static void elsewhere_a_small_fill_splits_but_may_become_large_again(void **state)
{
	(void)state;
	assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), OK);
	expect(BLOCK, FRAMES, EPT_RIGHTS);
	assert_int_equal(fill(BLOCK + 3, FRAMES + 3, 1, CEILING_ALL), OK);
	assert_int_equal(hardware(BLOCK).level, 1);
	assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), OK);
	assert_int_equal(hardware(BLOCK).level, 2);
}

static void a_block_split_for_a_watch_may_become_large_again(void **state)
{
	(void)state;
	large_not_executable = true;
	assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), OK);
	(void)narrow(BLOCK + 3, 1, CEILING_NONE);
	assert_int_equal(fill(BLOCK + 3, FRAMES + 3, 1, CEILING_ALL), OK);
	assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), OK);
	assert_int_equal(hardware(BLOCK).level, 2);
}

/* ---- narrow ---- */

static void narrowing_takes_rights_and_always_owes(void **state)
{
	struct mm_debt last = narrow(7, 1, CEILING_NONE); /* nothing there: a pointer may be */

	(void)state;
	assert_true(last.epoch > 0);
	assert_int_equal(fill(7, FRAMES, 1, CEILING_ALL), OK);
	struct mm_debt debt = narrow(7, 1, CEILING_READ);

	assert_true(debt.epoch > last.epoch);
	expect(7, FRAMES, EPT_READ | EPT_EXECUTE);
	last = narrow(7, 1, CEILING_READ);
	assert_true(last.epoch > debt.epoch);
	debt = narrow(7, 1, CEILING_NONE);
	assert_true(debt.epoch > last.epoch);
	expect(7, 0, 0);
	assert_int_equal(*hardware(7).slot, 0);
}

static void narrowing_to_all_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(fill(7, FRAMES, 1, CEILING_READ), OK);
	(void)narrow(7, 1, CEILING_ALL);
	expect(7, FRAMES, EPT_READ | EPT_EXECUTE);
}

static void narrowing_keeps_the_flags_that_are_not_harvested_yet(void **state)
{
	struct mm_harvest seen;

	(void)state;
	assert_int_equal(fill(7, FRAMES, 1, CEILING_ALL), OK);
	assert_true(access_page(7, EPT_WRITE));
	(void)narrow(7, 1, CEILING_READ);
	(void)ept_harvest(&ept, (ppn_t){ 7 }, 1, &seen);
	assert_true(seen.known && seen.touched && seen.changed);
}

static void one_page_of_a_large_leaf_is_narrowed_alone(void **state)
{
	(void)state;
	assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), OK);
	(void)narrow(BLOCK + 100, 1, CEILING_READ);
	for (u32 i = 0; i < LARGE_PAGES; i++)
		expect(BLOCK + i, FRAMES + i, i == 100 ? EPT_READ | EPT_EXECUTE : EPT_RIGHTS);
	(void)narrow(BLOCK + 100, 1, CEILING_NONE);
	expect(BLOCK + 100, 0, 0);
	expect(BLOCK + 101, FRAMES + 101, EPT_RIGHTS);
}

static void ranges_over_several_leaves_are_narrowed_whole(void **state)
{
	(void)state;
	assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), OK);
	assert_int_equal(fill(BLOCK + LARGE_PAGES, FRAMES + LARGE_PAGES, LARGE_PAGES, CEILING_ALL), OK);
	for (u32 i = 0; i < 600; i += 3)
		assert_int_equal(fill(i, FRAMES + 1024 + i, 1, CEILING_ALL), OK);
	(void)narrow(BLOCK - 200, 200 + LARGE_PAGES + 20, CEILING_NONE);
	for (u32 i = BLOCK - 200; i < BLOCK + LARGE_PAGES + 20; i++)
		expect(i, 0, 0);
	expect(BLOCK + LARGE_PAGES + 20, FRAMES + LARGE_PAGES + 20, EPT_RIGHTS);
	expect(597, FRAMES + 1024 + 597, EPT_RIGHTS);
	(void)narrow(0, 600, CEILING_READ);
	for (u32 i = 0; i < 600; i++)
		expect(i, FRAMES + 1024 + i, i % 3 ? 0 : EPT_READ | EPT_EXECUTE);
}

static void without_memory_for_a_split_the_whole_leaf_goes(void **state)
{
	(void)state;
	assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), OK);
	leave_free(0);
	struct mm_debt debt = narrow(BLOCK + 100, 1, CEILING_READ);

	assert_true(debt.epoch > 0);
	for (u32 i = 0; i < LARGE_PAGES; i++)
		expect(BLOCK + i, 0, 0);
}

/* ---- harvest ---- */

static void harvest_reads_and_clears(void **state)
{
	struct mm_harvest seen;

	(void)state;
	assert_int_equal(fill(7, FRAMES, 1, CEILING_ALL), OK);
	assert_int_equal(ept_harvest(&ept, (ppn_t){ 7 }, 1, &seen).epoch, 0); /* no flag, nothing owed */
	assert_true(seen.known && !seen.touched && !seen.changed);
	assert_true(access_page(7, EPT_READ));
	assert_true(ept_harvest(&ept, (ppn_t){ 7 }, 1, &seen).epoch > 0);
	assert_true(seen.touched && !seen.changed);
	assert_true(access_page(7, EPT_WRITE));
	(void)ept_harvest(&ept, (ppn_t){ 7 }, 1, &seen);
	assert_true(seen.touched && seen.changed);
	(void)ept_harvest(&ept, (ppn_t){ 7 }, 1, &seen);
	assert_true(!seen.touched && !seen.changed);
	expect(7, FRAMES, EPT_RIGHTS);
}

static void harvest_tells_the_pages_of_its_range_apart(void **state)
{
	struct mm_harvest seen;

	(void)state;
	for (u32 i = 0; i < LARGE_PAGES; i++)
		assert_int_equal(fill(BLOCK + i, FRAMES + i, 1, CEILING_ALL), OK);
	assert_true(access_page(BLOCK + 511, EPT_WRITE));
	assert_true(access_page(BLOCK + 455, EPT_READ));
	(void)ept_harvest(&ept, (ppn_t){ BLOCK + 448 }, HARVEST_PAGES, &seen);
	assert_int_equal(seen.touched, BIT(63) | BIT(7));
	assert_int_equal(seen.changed, BIT(63));
	assert_true(access_page(BLOCK + 10, EPT_READ));
	(void)ept_harvest(&ept, (ppn_t){ BLOCK + 10 }, 3, &seen);
	assert_int_equal(seen.touched, BIT(0));
	(void)ept_harvest(&ept, (ppn_t){ BLOCK }, HARVEST_PAGES, &seen);
	assert_int_equal(seen.touched, 0);
}

static void a_large_leafs_flags_hold_for_all_of_its_pages(void **state)
{
	struct mm_harvest seen;

	(void)state;
	assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), OK);
	assert_true(access_page(BLOCK + 77, EPT_READ));
	(void)ept_harvest(&ept, (ppn_t){ BLOCK - 4 }, HARVEST_PAGES, &seen);
	assert_int_equal(seen.touched, ~0xfULL);
	assert_int_equal(seen.changed, 0);
	assert_true(access_page(BLOCK + 77, EPT_WRITE));
	(void)ept_harvest(&ept, (ppn_t){ BLOCK + 300 }, 1, &seen);
	assert_int_equal(seen.touched, 1);
	assert_int_equal(seen.changed, 1);
}

/* What the large leaf's flags said is true of nobody knows which page. */
static void after_a_split_every_page_counts_as_written(void **state)
{
	struct mm_harvest seen;

	(void)state;
	assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), OK);
	(void)narrow(BLOCK, 1, CEILING_READ);
	(void)ept_harvest(&ept, (ppn_t){ BLOCK + 300 }, 1, &seen);
	assert_true(seen.touched && seen.changed);
}

static void a_processor_without_flags_says_that_it_does_not_know(void **state)
{
	struct mm_harvest seen = { true, 1, 1 };

	(void)state;
	vmx_caps.ept_dirty = false;
	assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), OK);
	(void)narrow(BLOCK, 1, CEILING_READ);
	assert_int_equal(*hardware(BLOCK + 1).slot & (EPT_ACCESSED | EPT_DIRTY), 0);
	assert_int_equal(ept_harvest(&ept, (ppn_t){ BLOCK }, 1, &seen).epoch, 0);
	assert_false(seen.known || seen.touched || seen.changed);
}

/* ---- drop ---- */

static void dropping_forgets_all_in_bounded_calls(void **state)
{
	u32 calls = 0;
	bool more = true;

	(void)state;
	for (u32 i = 0; i < 40; i++)
		assert_int_equal(fill(i * 700, FRAMES + i, 1, CEILING_ALL), OK);
	assert_int_equal(fill(1 << 20, FRAMES, LARGE_PAGES, CEILING_ALL), OK);
	for (; more; calls++) {
		u64 before = ept.table_pages;
		struct mm_debt debt = ept_drop(&ept, &more);

		assert_true(before - ept.table_pages <= 16);
		assert_true(before == ept.table_pages || debt.epoch > 0);
		for (u32 i = 0; i < 40; i++) /* what is left is whole */
			assert_int_not_equal(hardware(i * 700).what, MISCONFIGURED);
	}
	assert_true(calls > 2);
	assert_int_equal(ept.table_pages, 1);
	more = true;
	assert_true(ept_drop(&ept, &more).epoch > 0); /* nothing left, but a pointer may be */
	assert_false(more);
	for (u32 i = 0; i < 40; i++)
		expect(i * 700, 0, 0);
	assert_int_equal(fill(0, FRAMES, 1, CEILING_ALL), OK);
	expect(0, FRAMES, EPT_RIGHTS);
}

static void an_ept_that_never_began_drops_and_is_destroyed_quietly(void **state)
{
	struct ept none = { 0 };
	bool more = true;

	(void)state;
	assert_int_equal(ept_drop(&none, &more).epoch, 0);
	assert_false(more);
	ept_destroy(&none);
	assert_true(ept_audit(&none, (ppn_t){ 5 }, (mpn_t){ 5 }, CEILING_NONE));
}

/* ---- without memory ---- */

static void a_fill_that_finds_no_memory_changes_nothing(void **state)
{
	(void)state;
	for (u32 frames = 0; frames < 3; frames++) {
		begin(state);
		leave_free(frames);
		assert_int_equal(fill(7, FRAMES, 1, CEILING_ALL), E_NO_MEMORY);
		expect(7, 0, 0);
		assert_int_equal(ept.table_pages, 1);
		if (frames < 2)
			assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), E_NO_MEMORY);
		assert_int_equal(ept.table_pages, 1);
		u32 left = 0;

		while (mm_overhead_alloc(0, &ballast[ballast_count]) == OK)
			ballast_count++, left++;
		assert_int_equal(left, frames);
		end(state);
	}
	begin(state);
	leave_free(3);
	assert_int_equal(fill(7, FRAMES, 1, CEILING_ALL), OK);
}

static void a_split_for_a_fetch_that_finds_no_memory_changes_nothing(void **state)
{
	(void)state;
	large_not_executable = true;
	assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), OK);
	leave_free(0);
	assert_int_equal(fill(BLOCK + 5, FRAMES + 5, 1, CEILING_ALL), E_NO_MEMORY);
	assert_int_equal(hardware(BLOCK).level, 2);
	expect(BLOCK + 5, FRAMES + 5, EPT_READ | EPT_WRITE);
}

/* ---- audit ---- */

static void the_audit_sees_a_wrong_frame_and_a_right_too_much(void **state)
{
	(void)state;
	assert_true(ept_audit(&ept, (ppn_t){ 7 }, (mpn_t){ FRAMES }, CEILING_NONE));
	assert_int_equal(fill(7, FRAMES, 1, CEILING_ALL), OK);
	assert_true(ept_audit(&ept, (ppn_t){ 7 }, (mpn_t){ FRAMES }, CEILING_ALL));
	assert_false(ept_audit(&ept, (ppn_t){ 7 }, (mpn_t){ FRAMES + 1 }, CEILING_ALL));
	assert_false(ept_audit(&ept, (ppn_t){ 7 }, (mpn_t){ FRAMES }, CEILING_READ));
	assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), OK);
	assert_true(ept_audit(&ept, (ppn_t){ BLOCK + 9 }, (mpn_t){ FRAMES + 9 }, CEILING_ALL));
	assert_false(ept_audit(&ept, (ppn_t){ BLOCK + 9 }, (mpn_t){ FRAMES + 8 }, CEILING_ALL));
	(void)narrow(7, 1, CEILING_NONE);
	*hardware(7).slot = (u64)FRAMES << PAGE_SHIFT; /* not present, but names a frame: L1TF */
	assert_false(ept_audit(&ept, (ppn_t){ 7 }, (mpn_t){ FRAMES }, CEILING_ALL));
	*hardware(7).slot = 0;
}

/* ---- every instant ---- */

enum { WATCHED = 6 };

static struct watch {
	u32 ppn;
	struct seen before, after;
	bool missing_allowed;
} watched[WATCHED];
static u64 broken_instants;

/* With a frame before and after, it is there all the time, with the rights common to both; no other frame, ever. */
static bool is_sound(const struct watch *watch, const struct seen *now)
{
	const struct seen *before = &watch->before, *after = &watch->after;
	u64 most = before->rights | after->rights | EPT_EXECUTE; /* a split gives the right to execute before a narrowing */

	if (now->what == MISSING)
		return before->what == MISSING || after->what == MISSING || watch->missing_allowed;
	if (now->what != MAPPED || (now->rights & ~most) || (before->rights & after->rights & ~now->rights))
		return false;
	return (before->what == MAPPED && now->mpn == before->mpn) || (after->what == MAPPED && now->mpn == after->mpn);
}

static void look(void)
{
	for (u32 i = 0; i < WATCHED; i++) {
		struct seen now = hardware(watched[i].ppn);

		broken_instants += !is_sound(&watched[i], &now);
	}
}

struct operation {
	enum { FILL, NARROW, HARVEST, DROP } what;
	u32 ppn, mpn, pages;
	enum mm_ceiling ceiling;
};

static void run(void *context)
{
	const struct operation *operation = context;
	struct mm_harvest seen;
	bool more = true;

	switch (operation->what) {
	case FILL:
		(void)!fill(operation->ppn, operation->mpn, operation->pages, operation->ceiling);
		break;
	case NARROW:
		(void)narrow(operation->ppn, operation->pages, operation->ceiling);
		break;
	case HARVEST:
		(void)ept_harvest(&ept, (ppn_t){ operation->ppn }, operation->pages, &seen);
		break;
	case DROP:
		while (more)
			(void)ept_drop(&ept, &more);
	}
}

static const struct row {
	const char *name;
	struct operation before[2]; /* prepares */
	struct operation then;
	u32 free_frames; /* 0: all */
	bool not_executable, goes_missing;
} instants[] = {
#define P(ppn_) FILL, ppn_, FRAMES + (ppn_)-BLOCK, 1, CEILING_ALL
#define LARGE FILL, BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL
	{ "the first page of all", { { 0 } }, { P(BLOCK + 1) }, 0, false, false },
	{ "a page in a table that is there", { { P(BLOCK) } }, { P(BLOCK + 1) }, 0, false, false },
	{ "the first large block", { { 0 } }, { LARGE }, 0, false, false },
	{ "a large leaf in a table's place", { { P(BLOCK + 1) }, { P(BLOCK + 511) } }, { LARGE }, 0, false, false },
	{ "a split for a narrowing", { { LARGE } }, { NARROW, BLOCK + 1, 0, 1, CEILING_READ }, 0, false, false },
	{ "a split for a fetch", { { LARGE } }, { P(BLOCK + 1) }, 0, true, false },
	{ "a narrowing that finds no memory", { { LARGE } }, { NARROW, BLOCK + 1, 0, 1, CEILING_READ }, 1, false, true },
	{ "a page taken away", { { P(BLOCK + 1) }, { P(BLOCK) } }, { NARROW, BLOCK + 1, 0, 1, CEILING_NONE }, 0, false, false },
	{ "rights widened", { { FILL, BLOCK + 1, FRAMES + 1, 1, CEILING_READ } }, { P(BLOCK + 1) }, 0, false, false },
	{ "a harvest", { { P(BLOCK + 1) }, { P(BLOCK + 2) } }, { HARVEST, BLOCK, 0, 8, 0 }, 0, false, false },
	{ "all dropped", { { P(BLOCK + 1) }, { P(0) } }, { DROP, 0, 0, 0, 0 }, 0, false, false },
};

static void prepare(void **state, const struct row *row)
{
	end(state);
	begin(state);
	large_not_executable = row->not_executable;
	for (u32 i = 0; i < ARRAY_SIZE(row->before); i++) {
		struct operation operation = row->before[i];

		if (operation.pages)
			run(&operation);
	}
	if (row->free_frames)
		leave_free(row->free_frames - 1);
}

static void at_every_instant_the_processor_sees_the_old_mapping_or_the_new(void **state)
{
	static const u32 ppns[WATCHED] = { BLOCK, BLOCK + 1, BLOCK + 2, BLOCK + 511, BLOCK + 512, 0 };

	for (u32 i = 0; i < ARRAY_SIZE(instants); i++) {
		const struct row *row = &instants[i];
		struct operation operation = row->then;

		prepare(state, row);
		for (u32 k = 0; k < WATCHED; k++)
			watched[k] = (struct watch){ .ppn = ppns[k],
						     .before = hardware(ppns[k]),
						     .missing_allowed = row->goes_missing };
		run(&operation);
		for (u32 k = 0; k < WATCHED; k++)
			watched[k].after = hardware(ppns[k]);
		prepare(state, row);
		broken_instants = 0;
		u64 seen = journal(run, &operation, look);

		print_message("%s: %llu instants\n", row->name, (unsigned long long)seen);
		assert_true(seen > 50);
		if (broken_instants)
			fail_msg("%s: %llu instants are wrong", row->name, (unsigned long long)broken_instants);
	}
}

/* The look itself finds what it is for: a table that is linked before it is filled. */
static void publish_then_fill(void *context)
{
	mpn_t table;

	(void)context;
	CHECK(mm_overhead_alloc(0, &table) == OK);
	platform_zero_frame(table);
	u64 *slot = hardware(BLOCK).slot;
	u64 old = *slot;

	*slot = mpa_of(table).a | EPT_RIGHTS;
	for (u32 i = 0; i < PT_ENTRIES; i++)
		pt_entries(mpa_of(table))[i] = (old & ~BIT(7)) + ((u64)i << PAGE_SHIFT);
	ept.table_pages++;
}

static void a_table_published_before_it_is_filled_is_noticed(void **state)
{
	static const u32 ppns[WATCHED] = { BLOCK, BLOCK + 1, BLOCK + 2, BLOCK + 511, BLOCK + 512, 0 };

	(void)state;
	assert_int_equal(fill(BLOCK, FRAMES, LARGE_PAGES, CEILING_ALL), OK);
	for (u32 k = 0; k < WATCHED; k++)
		watched[k] = (struct watch){ .ppn = ppns[k], .before = hardware(ppns[k]), .after = hardware(ppns[k]) };
	broken_instants = 0;
	(void)journal(publish_then_fill, NULL, look);
	assert_true(broken_instants > 0);
}

/* ---- beside a model ---- */

enum { MODEL_PAGES = 3 * LARGE_PAGES };

static struct model {
	u32 mpn;
	enum mm_ceiling ceiling;
	bool touched, changed;
} model[MODEL_PAGES];

static u32 ppn_at(u32 page)
{
	return BLOCK + page;
}

static u32 mpn_at(u32 page)
{
	return FRAMES + page % 1024; /* frames need not differ */
}

static void model_fill(bool large)
{
	u32 page = large ? fake_random(3) * LARGE_PAGES : fake_random(MODEL_PAGES);
	u32 pages = large ? LARGE_PAGES : 1;
	enum mm_ceiling ceiling = large || fake_random(2) ? CEILING_ALL : CEILING_READ;
	err_t error = fill(ppn_at(page), mpn_at(page), pages, ceiling);

	assert_true(error == OK || error == E_NO_MEMORY || (large && error == E_UNSUPPORTED));
	for (u32 i = page; error == OK && i < page + pages; i++) {
		if (ceiling > model[i].ceiling)
			model[i].ceiling = ceiling;
		if (large) /* its flags go with the table; who fills large has taken note of that */
			model[i].touched = model[i].changed = false;
	}
}

static void model_narrow(void)
{
	u32 page = fake_random(MODEL_PAGES), pages = 1 + fake_random(fake_random(8) ? 3 : MODEL_PAGES - page);
	enum mm_ceiling ceiling = fake_random(3) ? CEILING_READ : CEILING_NONE;

	if (page + pages > MODEL_PAGES)
		pages = MODEL_PAGES - page;
	(void)narrow(ppn_at(page), pages, ceiling);
	for (u32 i = page; i < page + pages; i++) {
		if (model[i].ceiling > ceiling)
			model[i].ceiling = ceiling;
		if (ceiling == CEILING_NONE)
			model[i].touched = model[i].changed = false;
	}
}

static void model_access(void)
{
	u32 page = fake_random(MODEL_PAGES);
	u64 right = fake_random(2) ? EPT_WRITE : EPT_READ;

	if (!access_page(ppn_at(page), right))
		return;
	assert_true(model[page].ceiling >= (right == EPT_WRITE ? CEILING_ALL : CEILING_READ));
	model[page].touched = true;
	model[page].changed |= right == EPT_WRITE;
}

static void model_harvest(void)
{
	u32 page = fake_random(MODEL_PAGES - HARVEST_PAGES);
	struct mm_harvest seen;

	page -= page % HARVEST_PAGES;
	(void)ept_harvest(&ept, (ppn_t){ ppn_at(page) }, HARVEST_PAGES, &seen);
	for (u32 i = 0; i < HARVEST_PAGES; i++) {
		struct model *at = &model[page + i];
		bool mapped = hardware(ppn_at(page + i)).what == MAPPED;

		assert_true(!at->touched || !mapped || (seen.touched & BIT(i)));
		assert_true(!at->changed || !mapped || (seen.changed & BIT(i)));
		at->touched = at->changed = false;
	}
	/* A large leaf's flags are gone for all of its pages. */
	u32 block = page - page % LARGE_PAGES;
	for (u32 i = block; hardware(ppn_at(page)).level == 2 && i < block + LARGE_PAGES; i++)
		model[i].touched = model[i].changed = false;
}

/* The cache grants no more than the model, never another frame; a missing page is no fault. */
static void model_compare(void)
{
	for (u32 i = 0; i < MODEL_PAGES; i++) {
		struct seen seen = hardware(ppn_at(i));

		assert_int_not_equal(seen.what, MISCONFIGURED);
		assert_true(ept_audit(&ept, (ppn_t){ ppn_at(i) }, (mpn_t){ mpn_at(i) }, model[i].ceiling));
		if (seen.what == MAPPED) {
			assert_int_equal(seen.mpn, mpn_at(i));
			assert_true(model[i].ceiling == CEILING_ALL ||
				    (model[i].ceiling == CEILING_READ && !(seen.rights & EPT_WRITE)));
		}
	}
}

static void random_work_grants_no_more_than_was_given(void **state)
{
	for (u64 seed = 1; seed <= 6; seed++) {
		end(state);
		begin(state);
		print_message("seed %llu\n", (unsigned long long)seed);
		large_not_executable = seed % 2;
		for (u64 i = 0; i < seed; i++)
			(void)platform_random();
		memset(model, 0, sizeof(model));
		if (seed % 3 == 0)
			leave_free(7);
		for (u32 step = 0; step < 3000; step++) {
			bool more = fake_random(1000) == 0;

			switch (fake_random(8)) {
			case 0:
				model_fill(fake_random(4) == 0);
				break;
			case 1:
				if (fake_random(4) == 0)
					model_narrow();
				break;
			case 2:
				if (fake_random(20) == 0)
					model_harvest();
				break;
			default:
				model_access();
			}
			if (more)
				memset(model, 0, sizeof(model));
			while (more)
				(void)ept_drop(&ept, &more);
			if (step % 100 == 0)
				model_compare();
		}
		lock_release(vm()->lock);
		fake_settle_everything();
		lock_acquire(vm()->lock);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_page_is_mapped_with_the_rights_of_its_ceiling),
		TEST(pages_above_4_gib_and_at_the_end_of_reach_are_mapped),
		TEST(a_large_block_is_one_leaf),
		TEST(a_second_fill_widens_and_keeps_the_flags),
		TEST(a_frame_that_changes_without_a_narrowing_stops_the_machine),
		TEST(a_large_leaf_takes_a_tables_place_and_the_table_goes_when_it_is_safe),
		TEST(large_leaves_are_refused_where_the_processor_has_none),
		TEST(where_large_leaves_must_not_execute_a_fetch_splits_for_good),
		TEST(elsewhere_a_small_fill_splits_but_may_become_large_again),
		TEST(a_block_split_for_a_watch_may_become_large_again),
		TEST(narrowing_takes_rights_and_always_owes),
		TEST(narrowing_to_all_changes_nothing),
		TEST(narrowing_keeps_the_flags_that_are_not_harvested_yet),
		TEST(one_page_of_a_large_leaf_is_narrowed_alone),
		TEST(ranges_over_several_leaves_are_narrowed_whole),
		TEST(without_memory_for_a_split_the_whole_leaf_goes),
		TEST(harvest_reads_and_clears),
		TEST(harvest_tells_the_pages_of_its_range_apart),
		TEST(a_large_leafs_flags_hold_for_all_of_its_pages),
		TEST(after_a_split_every_page_counts_as_written),
		TEST(a_processor_without_flags_says_that_it_does_not_know),
		TEST(dropping_forgets_all_in_bounded_calls),
		TEST(an_ept_that_never_began_drops_and_is_destroyed_quietly),
		TEST(a_fill_that_finds_no_memory_changes_nothing),
		TEST(a_split_for_a_fetch_that_finds_no_memory_changes_nothing),
		TEST(the_audit_sees_a_wrong_frame_and_a_right_too_much),
		TEST(at_every_instant_the_processor_sees_the_old_mapping_or_the_new),
		TEST(a_table_published_before_it_is_filled_is_noticed),
		TEST(random_work_grants_no_more_than_was_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
