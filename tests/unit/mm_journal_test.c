/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each change of what a page is, seen after every single instruction: where the tables lead, where a CPU that stays in a guest still gets
 * to, and what the pmap says, there are always the page's own bytes; who may write reaches a frame that is the page's alone.  So each instant
 * shows the old mapping or the new one, never a third.
 */
#include "mm/commit.h"
#include "mm/frame.h"
#include "mm/pmap.h"
#include "mm/share.h"
#include "tests/unit/support/journal.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { A, B, PAGES = 64, GROUP = 6, ME = 3, MOST_STEPS = 100 };

/* The pages that are looked at: PAGE of both VMs, and the one beside it in A. */
static const struct {
	u32 slot, ppn;
} watched[] = { { A, 5 }, { B, 5 }, { A, 6 } };
enum { WATCHED = ARRAY_SIZE(watched), PAGE = 5 };
static u8 content[WATCHED];     /* all bytes of the page */
static bool undefined[WATCHED]; /* given up: nobody cares */
static u64 instants, wrong, states_seen;

/* ---- the look ---- */

static bool is_right(u32 mpn, u8 byte)
{
	const u8 *bytes = platform_frame((mpn_t){ mpn });

	/* Each byte equals its successor and the first is right: all are. */
	return bytes[0] == byte && memcmp(bytes, bytes + 1, PAGE_SIZE - 1) == 0;
}

static bool is_free(u32 mpn)
{
	return frame_class(frame_state(mpn)) == CLASS_FREE;
}

static bool view_is_right(struct fake_view view, u32 i)
{
	if (!view.mpn || undefined[i])
		return true;
	if (view.write && (frame_state(view.mpn) == FRAME_SHARED || frame_of(view.mpn)->ppn != watched[i].ppn))
		return false;
	return !is_free(view.mpn) && is_right(view.mpn, content[i]);
}

/* As another CPU would find it without asking: through whatever pages are linked at this instant. */
static u64 entry_at(u32 i)
{
	const struct mm_vm *vm = fake_vm(watched[i].slot);
	const struct block *blocks = vm->directories[0] ? platform_frame((mpn_t){ vm->directories[0] }) : NULL;
	const u64 *entries = blocks && blocks->entries ? platform_frame((mpn_t){ blocks->entries }) : NULL;

	return entries ? entries[watched[i].ppn] : 0;
}

/* The frame that the pmap names for the page's bytes; 0: they are zeros. */
static u32 named(u64 entry)
{
	if (entry_state(entry) == PAGE_BUSY)
		return entry_part(entry) == BUSY_COPY ? frame_of(entry_frame(entry))->next : 0;
	return entry_state(entry) == PAGE_PRIVATE || entry_state(entry) == PAGE_SHARED ? entry_frame(entry) : 0;
}

static bool entry_is_right(u64 entry, struct fake_view table, u32 i)
{
	u32 mpn = named(entry);

	if (undefined[i])
		return true;
	if (mpn ? is_free(mpn) || !is_right(mpn, content[i]) : content[i] != 0)
		return false;
	/* The tables lead to what the pmap names, or nowhere; who may write is meant to. */
	return !table.mpn || (table.mpn == entry_frame(entry) && (!table.write || entry_state(entry) == PAGE_PRIVATE));
}

static void look(void)
{
	for (u32 i = 0; i < WATCHED; i++) {
		struct fake_view table = fake_table_view(watched[i].slot, watched[i].ppn);
		struct fake_view remembered = fake_tlb_view(watched[i].slot, watched[i].slot, watched[i].ppn);
		u64 entry = entry_at(i);

		wrong += !entry_is_right(entry, table, i) || !view_is_right(table, i) || !view_is_right(remembered, i);
		states_seen |= BIT(entry_state(entry));
	}
	instants++;
}

/* ---- operations ---- */

static void write_page(void *context)
{
	*(err_t *)context = mm_resolve(fake_vm(A), 0, (ppn_t){ PAGE }, MM_WRITE);
}

static void read_page(void *context)
{
	*(err_t *)context = mm_resolve(fake_vm(A), 0, (ppn_t){ PAGE }, MM_READ);
}

static void pin_page(void *context)
{
	mpn_t mpn;

	*(err_t *)context = mm_pin(fake_vm(A), 0, (ppn_t){ PAGE }, MM_WRITE, &mpn);
}

static void give_page(void *context)
{
	undefined[0] = true;
	*(err_t *)context = mm_give_up(fake_vm(A), 0, (ppn_t){ PAGE });
}

static void guard_page(void *context)
{
	*(err_t *)context = mm_watch(fake_vm(A), (ppn_t){ PAGE }, MM_WATCH_GUARDED);
}

static void sample_page(void *context)
{
	*(err_t *)context = mm_watch(fake_vm(A), (ppn_t){ PAGE }, MM_WATCH_SAMPLED);
}

/* Of the scanner: hashes, guards, commits. */
static void scan(void *context)
{
	struct mm_vm *vm = fake_vm(A), *other = fake_vm(B);
	bool more = mm_share_step(8) || vm->scan.active || other->scan.active || vm->batches[BATCH_SHARE].count ||
		    other->batches[BATCH_SHARE].count;

	*(err_t *)context = more ? E_SUSPEND : OK;
}

/* ---- where they begin ---- */

static void put(u32 i, u8 byte)
{
	u8 bytes[PAGE_SIZE];
	bool stale;

	memset(bytes, byte, sizeof(bytes));
	for (u32 tries = 0; fake_touch(watched[i].slot, 0, gpa_of((ppn_t){ watched[i].ppn }), bytes, PAGE_SIZE, MM_WRITE, &stale);
	     tries++) {
		assert_true(tries < 32);
		fake_settle_everything();
	}
	content[i] = byte;
}

/* Passes until nothing changes. */
static void scan_all(void)
{
	for (u32 round = 0; round < 2; round++) {
		mm_share_begin_pass(fake_vm(A));
		mm_share_begin_pass(fake_vm(B));
		for (u32 i = 0; i < 400; i++) {
			(void)mm_share_step(8);
			fake_settle_everything();
		}
	}
}

static void nothing(void)
{
}

static void zeros_were_read(void)
{
	u64 value;

	assert_int_equal(fake_try(A, PAGE, 0, &value, MM_READ), OK);
}

static void private_page(void)
{
	put(0, 7);
}

static void shared_pages(void)
{
	put(0, 7);
	put(1, 7);
	scan_all();
	assert_int_equal(entry_state(entry_at(0)), PAGE_SHARED);
}

static void last_of_a_shared_frame(void)
{
	shared_pages();
	put(1, 8);
}

static void pass_over_equal_pages(void)
{
	put(0, 7);
	put(1, 7);
	put(2, 9);
	mm_share_begin_pass(fake_vm(A));
	mm_share_begin_pass(fake_vm(B));
}

static void pass_over_a_page_of_zeros(void)
{
	put(0, 7);
	put(0, 0);
	mm_share_begin_pass(fake_vm(A));
}

static const struct row {
	const char *name;
	void (*begin)(void);
	void (*operation)(void *context);
	u64 states; /* that the look must have seen, among others */
} rows[] = {
	{ "first write", nothing, write_page, BIT(PAGE_EMPTY) | BIT(PAGE_PRIVATE) },
	{ "first read", nothing, read_page, BIT(PAGE_EMPTY) },
	{ "write to the zero frame", zeros_were_read, write_page, BIT(PAGE_EMPTY) | BIT(PAGE_BUSY) | BIT(PAGE_PRIVATE) },
	{ "copy on write", shared_pages, write_page, BIT(PAGE_SHARED) | BIT(PAGE_BUSY) | BIT(PAGE_PRIVATE) },
	{ "the last reference is written", last_of_a_shared_frame, write_page, BIT(PAGE_SHARED) | BIT(PAGE_PRIVATE) },
	{ "pin of a shared page", shared_pages, pin_page, BIT(PAGE_SHARED) | BIT(PAGE_BUSY) | BIT(PAGE_PRIVATE) },
	{ "give up", private_page, give_page, BIT(PAGE_PRIVATE) | BIT(PAGE_BALLOONED) },
	{ "give up of a shared page", shared_pages, give_page, BIT(PAGE_SHARED) | BIT(PAGE_BUSY) },
	{ "guard", private_page, guard_page, BIT(PAGE_PRIVATE) },
	{ "sample", private_page, sample_page, BIT(PAGE_PRIVATE) },
	{ "merge", pass_over_equal_pages, scan, BIT(PAGE_PRIVATE) | BIT(PAGE_SHARED) },
	{ "zeros become empty", pass_over_a_page_of_zeros, scan, BIT(PAGE_PRIVATE) | BIT(PAGE_EMPTY) },
};

static void start(u32 slot)
{
	const struct mm_vm_config config = {
		.max_pages = PAGES, .low_pages = PAGES, .min_pages = PAGES / 2, .shares = 10, .group = GROUP, .id = slot + 1
	};
	char why[200];

	assert_int_equal(mm_vm_init(fake_vm(slot), &config, why, sizeof(why)), OK);
}

/* CPU 0 is in A, CPU 1 in B, and they remember. */
static void remember(void)
{
	bool stale;
	u64 value;

	for (u32 i = 0; i < WATCHED; i++) {
		fake_cpu_set(watched[i].slot);
		(void)fake_access(watched[i].slot, gpa_of((ppn_t){ watched[i].ppn }), &value, sizeof(value), MM_READ, &stale);
	}
	fake_cpu_set(ME);
}

/* The operation again and again, as long as it has to wait; the other CPUs leave after each step, so that it never waits for good. */
static void journal_row(const struct row *row)
{
	err_t error = E_SUSPEND;

	instants = wrong = states_seen = 0;
	for (u32 step = 0; step < MOST_STEPS && error == E_SUSPEND; step++) {
		remember();
		fake_check(); /* poisons what is free */
		fake_step_begin();
		(void)journal(row->operation, &error, look);
		fake_step_end();
		fake_settle_everything();
	}
	look();
	print_message("%s: %llu instants\n", row->name, (unsigned long long)instants);
	assert_int_equal(wrong, 0);
	assert_int_equal(states_seen & row->states, row->states);
}

static void begin_machine(u64 seed)
{
	fake_reset(seed, true);
	fake_small_machine();
	assert_int_equal(share_init(), OK);
	share_group_begin(GROUP, SHARE_FAST);
	start(A);
	start(B);
	memset(content, 0, sizeof(content));
	memset(undefined, 0, sizeof(undefined));
}

static void each_instant_shows_the_old_mapping_or_the_new_one(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		begin_machine(i + 1);
		rows[i].begin();
		fake_settle_everything();
		journal_row(&rows[i]);
		fake_vm_end_clean(A);
		fake_vm_end_clean(B);
	}
}

/* The look itself finds what it is for: a frame that is named before the copy is made. */
static void publish_then_copy(void *context)
{
	struct page page;
	u32 *mpn = context;

	lock_acquire(fake_vm(A)->lock);
	CHECK(pmap_look(fake_vm(A), (ppn_t){ PAGE }, &page));
	u64 old = page_entry(&page);

	*page.slot = entry_make(PAGE_PRIVATE, CEILING_ALL, 0, *mpn);
	platform_copy_frame((mpn_t){ *mpn }, (mpn_t){ entry_frame(old) });
	*page.slot = old;
	lock_release(fake_vm(A)->lock);
}

static void the_look_finds_what_is_published_too_early(void **state)
{
	mpn_t mpn;

	(void)state;
	begin_machine(99);
	shared_pages();
	assert_int_equal(mm_overhead_alloc(0, &mpn), OK);
	memset(platform_frame(mpn), 0xee, PAGE_SIZE);
	instants = wrong = 0;
	(void)journal(publish_then_copy, &mpn.n, look);
	assert_true(wrong > 0 && wrong < instants);
	mm_overhead_free(mpn, 0);
	fake_vm_end_clean(A);
	fake_vm_end_clean(B);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_instant_shows_the_old_mapping_or_the_new_one),
		cmocka_unit_test(the_look_finds_what_is_published_too_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
