/* SPDX-License-Identifier: BSD-2-Clause */
/* Compressed pages: contents of every kind come back whole, frames are filled and given back, nobody loses a page on the way. */
#include "mm/compress.h"
#include "mm/frame.h"
#include "mm/pmap.h"
#include "mm/watch.h"
#include "tests/unit/support/host.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { A, B, PAGES = 300, SPACE = 2048, STEPS = 6000 };

/* ---- contents: a page is known by kind and seed ---- */

enum kind { ZEROS, ALTERNATING, TEXT, POINTERS, SMALL, HALF, RANDOM, KINDS };

static u32 mix(u32 x)
{
	x ^= x >> 16;
	x *= 0x7feb352d;
	x ^= x >> 15;
	x *= 0x846ca68b;
	return x ^ x >> 16;
}

static void fill(u8 *to, enum kind kind, u32 seed)
{
	static const char *const words[] = { "frame ", "guest ", "balloon ", "of ", "the ", "memory ", "page ", "is\n" };

	memset(to, 0, PAGE_SIZE);
	for (u32 i = 0; kind == ALTERNATING && i < PAGE_SIZE; i++)
		to[i] = (u8)(i & 1 ? seed : ~seed);
	for (u32 i = 0, at = 0; kind == TEXT && at + 8 < PAGE_SIZE; i++)
		at += (u32)sprintf((char *)to + at, "%s", words[mix(seed + i / 4) % ARRAY_SIZE(words)]);
	for (u32 i = 0; kind == POINTERS && i < PAGE_SIZE / 8; i++) {
		u64 pointer = 0xffff888000000000ULL + seed % 64 * 4096ULL + mix(seed + i) % 16 * 64ULL;

		memcpy(to + 8 * i, &pointer, 8);
	}
	for (u32 i = 0; kind == SMALL && i < PAGE_SIZE; i += 16)
		to[i] = (u8)(seed + i / 64);
	for (u32 i = 0; kind >= HALF && i < (kind == HALF ? PAGE_SIZE * 3 / 8 : PAGE_SIZE); i++)
		to[i] = (u8)mix(seed + i);
}

/* ---- a guest ---- */

static err_t try_touch(u32 slot, u32 page, u64 offset, void *data, u32 bytes, enum mm_access access)
{
	bool stale;
	err_t error;

	for (u32 i = 0; i < 8; i++) {
		error = fake_touch(slot, 0, (gpa_t){ (u64)page * PAGE_SIZE + offset }, data, bytes, access, &stale);
		if (error != E_SUSPEND)
			return error;
		fake_settle_everything();
	}
	return error;
}

static void write_page(u32 slot, u32 page, enum kind kind, u32 seed)
{
	u8 bytes[PAGE_SIZE];

	fill(bytes, kind, seed);
	assert_int_equal(try_touch(slot, page, 0, bytes, PAGE_SIZE, MM_WRITE), OK);
}

static void expect_page(u32 slot, u32 page, enum kind kind, u32 seed)
{
	u8 bytes[PAGE_SIZE], expected[PAGE_SIZE];

	fill(expected, kind, seed);
	assert_int_equal(try_touch(slot, page, 0, bytes, PAGE_SIZE, MM_READ), OK);
	assert_memory_equal(bytes, expected, PAGE_SIZE);
}

static u64 entry_at(u32 slot, u32 page)
{
	struct page place;
	u64 entry = 0;

	lock_acquire(fake_vm(slot)->lock);
	if (pmap_look(fake_vm(slot), (ppn_t){ page }, &place))
		entry = page_entry(&place);
	lock_release(fake_vm(slot)->lock);
	return entry;
}

static bool is_compressed(u32 slot, u32 page)
{
	return entry_state(entry_at(slot, page)) == PAGE_COMPRESSED;
}

/* ---- what the pager does ---- */

static void guard(u32 slot, u32 page)
{
	struct page place;

	lock_acquire(fake_vm(slot)->lock);
	assert_true(pmap_look(fake_vm(slot), (ppn_t){ page }, &place));
	assert_int_equal(watch_guard(fake_vm(slot), &place, CEILING_NONE), OK);
	lock_release(fake_vm(slot)->lock);
	fake_end_steps();
	fake_settle_everything();
}

static enum compress_result piece(u32 slot, u32 page)
{
	struct page place;

	lock_acquire(fake_vm(slot)->lock);
	assert_true(pmap_look(fake_vm(slot), (ppn_t){ page }, &place));
	simd_begin();
	enum compress_result result = compress_page(fake_vm(slot), &place);

	simd_end();
	if (result == COMPRESS_REFUSED)
		pmap_unguard(fake_vm(slot), &place);
	lock_release(fake_vm(slot)->lock);
	fake_check();
	return result;
}

static enum compress_result compress(u32 slot, u32 page)
{
	enum compress_result result;

	guard(slot, page);
	for (u32 pieces = 1; (result = piece(slot, page)) == COMPRESS_MORE; pieces++)
		assert_true(pieces < COMPRESS_PIECES && compress_is_under_way(fake_vm(slot), page));
	return result;
}

static struct mm_compress look(u32 slot)
{
	struct mm_compress seen;

	mm_compress_look(fake_vm(slot), &seen);
	return seen;
}

static int begin(void **state)
{
	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	assert_int_equal(fake_vm_start(A, PAGES, PAGES), OK);
	assert_int_equal(fake_vm_start(B, PAGES, PAGES), OK);
	return 0;
}

static int end(void **state)
{
	(void)state;
	fake_audit_memory();
	fake_vm_end(A);
	fake_vm_end(B);
	fake_settle_everything();
	fake_check_poison();
	fake_audit_memory();
	return 0;
}

/* ---- contents ---- */

static void contents_of_every_kind_come_back_or_are_refused(void **state)
{
	u32 compressed = 0;

	(void)state;
	for (u32 kind = 0; kind < KINDS; kind++) {
		for (u32 seed = 1; seed <= 8; seed++) {
			u32 page = kind * 8 + seed;

			write_page(A, page, (enum kind)kind, seed * 77);
			bool done = compress(A, page) == COMPRESS_DONE;

			assert_int_equal(done, is_compressed(A, page));
			assert_int_equal(done, kind != RANDOM);
			compressed += done;
		}
		fake_audit_memory();
	}
	assert_int_equal(look(A).pages, compressed);
	assert_int_equal(look(A).refused, 8);
	assert_true(look(A).frames < compressed);
	for (u32 page = 1; page <= KINDS * 8; page++)
		expect_page(A, page, (enum kind)((page - 1) / 8), ((page - 1) % 8 + 1) * 77);
	assert_int_equal(look(A).pages, 0);
	assert_int_equal(look(A).frames, 0);
	assert_int_equal(look(A).expanded, compressed);
}

static void a_write_brings_the_page_back_and_changes_only_what_it_writes(void **state)
{
	u8 expected[PAGE_SIZE], found[PAGE_SIZE];

	(void)state;
	write_page(A, 3, TEXT, 5);
	assert_int_equal(compress(A, 3), COMPRESS_DONE);
	assert_int_equal(try_touch(A, 3, 100, "written", 7, MM_WRITE), OK);
	fill(expected, TEXT, 5);
	memcpy(expected + 100, "written", 7);
	assert_int_equal(try_touch(A, 3, 0, found, PAGE_SIZE, MM_READ), OK);
	assert_memory_equal(found, expected, PAGE_SIZE);
}

static void devices_reach_and_pin_compressed_pages(void **state)
{
	u8 expected[PAGE_SIZE], found[PAGE_SIZE];
	mpn_t mpn;

	(void)state;
	fill(expected, POINTERS, 9);
	write_page(A, 3, POINTERS, 9);
	write_page(A, 4, POINTERS, 9);
	assert_int_equal(compress(A, 3), COMPRESS_DONE);
	assert_int_equal(compress(A, 4), COMPRESS_DONE);
	assert_int_equal(mm_read(fake_vm(A), 0, gpa_of((ppn_t){ 3 }), found, PAGE_SIZE), OK);
	assert_memory_equal(found, expected, PAGE_SIZE);
	assert_int_equal(mm_pin(fake_vm(A), 0, (ppn_t){ 4 }, MM_READ, &mpn), OK);
	assert_memory_equal(platform_frame(mpn), expected, PAGE_SIZE);
	mm_unpin(fake_vm(A), (ppn_t){ 4 });
}

static void history_goes_with_the_page(void **state)
{
	struct mm_history history;

	(void)state;
	write_page(A, 3, TEXT, 5);
	assert_int_equal(compress(A, 3), COMPRESS_DONE);
	assert_int_equal(mm_history(fake_vm(A), (ppn_t){ 3 }, &history), OK);
	assert_true(history.changed && history.touched);
	expect_page(A, 3, TEXT, 5);
	assert_int_equal(mm_history(fake_vm(A), (ppn_t){ 3 }, &history), OK);
	assert_true(history.touched && !history.changed);
}

static void a_sample_counts_when_it_comes_back(void **state)
{
	(void)state;
	write_page(A, 3, TEXT, 5);
	assert_int_equal(compress(A, 3), COMPRESS_DONE);
	assert_int_equal(mm_watch(fake_vm(A), (ppn_t){ 3 }, MM_WATCH_SAMPLED), OK);
	assert_true(entry_at(A, 3) & ENTRY_SAMPLED);
	u64 before = fake_vm(A)->sample.touched;

	expect_page(A, 3, TEXT, 5);
	assert_int_equal(fake_vm(A)->sample.touched, before + 1);
	assert_false(entry_at(A, 3) & ENTRY_SAMPLED);
}

/* ---- the store ---- */

static void four_small_pages_fill_one_frame(void **state)
{
	(void)state;
	for (u32 page = 0; page < 9; page++) {
		write_page(A, page, SMALL, page);
		assert_int_equal(compress(A, page), COMPRESS_DONE);
		assert_int_equal(look(A).frames, page / 4 + 1);
		fake_audit_memory();
	}
	assert_int_equal(entry_frame(entry_at(A, 0)), entry_frame(entry_at(A, 3)));
}

static void two_quarters_lie_together(void **state)
{
	(void)state;
	for (u32 page = 0; page < 4; page++) {
		write_page(A, page, HALF, page);
		assert_int_equal(compress(A, page), COMPRESS_DONE);
	}
	assert_int_equal(look(A).frames, 2);
	write_page(A, 10, SMALL, 1);
	assert_int_equal(compress(A, 10), COMPRESS_DONE);
	assert_int_equal(look(A).frames, 3);
	expect_page(A, 2, HALF, 2); /* two quarters are free again, and a page of two takes them */
	write_page(A, 11, HALF, 11);
	assert_int_equal(compress(A, 11), COMPRESS_DONE);
	assert_int_equal(look(A).frames, 3);
	fake_audit_memory();
	for (u32 page = 0; page < 4; page++)
		expect_page(A, page, HALF, page);
	expect_page(A, 11, HALF, 11);
	expect_page(A, 10, SMALL, 1);
	assert_int_equal(look(A).frames, 0);
}

static void a_full_store_refuses_until_there_is_room(void **state)
{
	(void)state;
	mm_compress_set_limit(fake_vm(A), 1);
	for (u32 page = 0; page < 5; page++)
		write_page(A, page, SMALL, page);
	for (u32 page = 0; page < 4; page++)
		assert_int_equal(compress(A, page), COMPRESS_DONE);
	assert_int_equal(compress(A, 4), COMPRESS_REFUSED);
	expect_page(A, 4, SMALL, 4);
	expect_page(A, 1, SMALL, 1);
	assert_int_equal(compress(A, 4), COMPRESS_DONE);
	expect_page(A, 4, SMALL, 4);
	mm_compress_set_limit(fake_vm(A), 0);
	assert_int_equal(compress(A, 4), COMPRESS_REFUSED);
	expect_page(A, 0, SMALL, 0);
	assert_int_equal(look(A).pages, 2);
	assert_int_equal(look(A).limit, 0);
}

static void a_quarter_of_the_memory_is_the_limit(void **state)
{
	(void)state;
	assert_int_equal(look(A).limit, PAGES / 4);
}

static void pages_of_two_vms_are_never_in_one_frame(void **state)
{
	(void)state;
	for (u32 page = 0; page < 3; page++) {
		write_page(A, page, SMALL, 1);
		write_page(B, page, SMALL, 1);
		assert_int_equal(compress(A, page), COMPRESS_DONE);
		assert_int_equal(compress(B, page), COMPRESS_DONE);
	}
	for (u32 i = 0; i < 9; i++)
		assert_int_not_equal(entry_frame(entry_at(A, i / 3)), entry_frame(entry_at(B, i % 3)));
	assert_int_equal(frame_of(entry_frame(entry_at(B, 0)))->owner, mm_vm_id(fake_vm(B)));
}

static void memory_of_compressed_pages_is_their_vms_overhead(void **state)
{
	struct mm_usage before, after;

	(void)state;
	mm_vm_usage(fake_vm(A), &before);
	write_page(A, 0, SMALL, 1);
	write_page(A, 1, SMALL, 1);
	compress(A, 0);
	compress(A, 1);
	mm_vm_usage(fake_vm(A), &after);
	assert_int_equal(after.compressed, 2);
	assert_true(after.overhead >= before.overhead + 1 + (1 << COMPRESS_ORDER));
	assert_int_equal(after.max, after.resident + after.ballooned + after.swapped + after.compressed + after.empty);
}

/* ---- where memory is short ---- */

static void without_memory_pages_are_compressed_but_wait_to_come_back(void **state)
{
	static mpn_t taken[SPACE * 2];
	u32 count = 0;
	u8 byte;

	(void)state;
	for (u32 page = 0; page < 8; page++)
		write_page(A, page, HALF, page);
	assert_int_equal(compress(A, 0), COMPRESS_DONE);
	while (mm_overhead_alloc(0, &taken[count]) == OK)
		count++;
	for (u32 page = 1; page < 3; page++)
		assert_int_equal(compress(A, page), COMPRESS_DONE);
	while (mm_overhead_alloc(0, &taken[count]) == OK)
		count++;
	assert_int_equal(try_touch(A, 1, 0, &byte, 1, MM_READ), E_NO_MEMORY);
	assert_true(is_compressed(A, 1));
	fake_woken(A, 0);
	mm_overhead_free(taken[--count], 0);
	fake_settle_everything();
	assert_true(fake_woken(A, 0) > 0);
	expect_page(A, 1, HALF, 1);
	while (count)
		mm_overhead_free(taken[--count], 0);
	for (u32 page = 0; page < 8; page++)
		expect_page(A, page, HALF, page);
}

static void without_frames_to_work_in_nothing_is_compressed(void **state)
{
	static mpn_t taken[SPACE * 2];
	u32 count = 0;

	(void)state;
	write_page(A, 0, SMALL, 1);
	while (mm_overhead_alloc(0, &taken[count]) == OK)
		count++;
	assert_int_equal(compress(A, 0), COMPRESS_REFUSED);
	while (count)
		mm_overhead_free(taken[--count], 0);
	assert_int_equal(compress(A, 0), COMPRESS_DONE);
}

/* ---- other ends of a compressed page ---- */

static void the_balloon_takes_a_compressed_page_at_once(void **state)
{
	u8 byte = 1;

	(void)state;
	write_page(A, 3, TEXT, 5);
	assert_int_equal(compress(A, 3), COMPRESS_DONE);
	assert_int_equal(mm_give_up(fake_vm(A), 0, (ppn_t){ 3 }), OK);
	assert_int_equal(look(A).pages, 0);
	assert_int_equal(look(A).frames, 0);
	fake_audit_memory();
	assert_int_equal(try_touch(A, 3, 50, &byte, 1, MM_READ), OK);
	assert_int_equal(byte, 0);
}

static void failed_memory_of_the_store_ends_its_vm_alone(void **state)
{
	struct mm_totals before, after;

	(void)state;
	write_page(A, 3, TEXT, 5);
	assert_int_equal(compress(A, 3), COMPRESS_DONE);
	u32 mpn = entry_frame(entry_at(A, 3));

	assert_false(mm_frame_failed(fake_vm(B), (mpn_t){ mpn }));
	assert_true(mm_frame_failed(fake_vm(A), (mpn_t){ mpn }));
	mm_totals(&before);
	fake_vm_end(A);
	mm_totals(&after);
	assert_int_equal(frame_state(mpn), FRAME_RETIRED);
	assert_int_equal(before.total, after.total);
	assert_int_equal(fake_vm_start(A, PAGES, PAGES), OK);
}

/* ---- between two pieces ---- */

static void a_page_that_is_accessed_between_pieces_begins_again_with_what_it_holds_then(void **state)
{
	(void)state;
	write_page(A, 3, SMALL, 1);
	guard(A, 3);
	assert_int_equal(piece(A, 3), COMPRESS_MORE);
	assert_int_equal(piece(A, 3), COMPRESS_MORE);
	write_page(A, 3, TEXT, 2);
	assert_int_equal(compress(A, 3), COMPRESS_DONE);
	expect_page(A, 3, TEXT, 2);
}

static void another_page_between_pieces_spoils_neither(void **state)
{
	(void)state;
	write_page(A, 3, SMALL, 1);
	write_page(A, 4, TEXT, 2);
	guard(A, 3);
	guard(A, 4);
	assert_int_equal(piece(A, 3), COMPRESS_MORE);
	assert_int_equal(piece(A, 4), COMPRESS_MORE);
	assert_false(compress_is_under_way(fake_vm(A), 3));
	for (u32 i = 0; i < COMPRESS_PIECES - 1; i++)
		assert_int_equal(piece(A, 3), COMPRESS_MORE);
	assert_int_equal(piece(A, 3), COMPRESS_DONE);
	for (u32 i = 0; i < COMPRESS_PIECES - 1; i++)
		assert_int_equal(piece(A, 4), COMPRESS_MORE);
	assert_int_equal(piece(A, 4), COMPRESS_DONE);
	expect_page(A, 3, SMALL, 1);
	expect_page(A, 4, TEXT, 2);
}

static void a_vm_may_end_between_pieces(void **state)
{
	struct mm_totals before, after;

	(void)state;
	fake_vm_end(A);
	mm_totals(&before);
	assert_int_equal(fake_vm_start(A, PAGES, PAGES), OK);
	for (u32 page = 0; page < 7; page++) {
		write_page(A, page, page % 2 ? SMALL : HALF, page);
		assert_int_equal(compress(A, page), COMPRESS_DONE);
	}
	write_page(A, 7, SMALL, 1);
	guard(A, 7);
	assert_int_equal(piece(A, 7), COMPRESS_MORE);
	fake_vm_end(A);
	fake_settle_everything();
	mm_totals(&after);
	assert_int_equal(before.free, after.free);
	assert_int_equal(before.overhead, after.overhead);
	assert_int_equal(fake_vm_start(A, PAGES, PAGES), OK);
}

/* ---- what stops the machine ---- */

static u8 *object_bytes(void)
{
	struct store_place place = compress_place(entry_at(A, 3));

	return (u8 *)platform_frame((mpn_t){ place.mpn }) + place.part * STORE_QUARTER_BYTES;
}

static void expand_broken_data(void)
{
	memset(object_bytes() + 24, 0xff, 40);
	expect_page(A, 3, TEXT, 5);
}

static void expand_an_impossible_length(void)
{
	((struct store_object *)(void *)object_bytes())->bytes = PAGE_SIZE;
	expect_page(A, 3, TEXT, 5);
}

static void expand_another_pages(void)
{
	((struct store_object *)(void *)object_bytes())->ppn = 4;
	expect_page(A, 3, TEXT, 5);
}

static void compress_what_is_not_guarded(void)
{
	piece(A, 5);
}

static void what_we_broke_ourselves_stops_the_machine(void **state)
{
	(void)state;
	write_page(A, 3, TEXT, 5);
	write_page(A, 5, TEXT, 5);
	assert_int_equal(compress(A, 3), COMPRESS_DONE);
	assert_true(fake_dies(expand_broken_data));
	assert_true(fake_dies(expand_an_impossible_length));
	assert_true(fake_dies(expand_another_pages));
	assert_true(fake_dies(compress_what_is_not_guarded));
	expect_page(A, 3, TEXT, 5);
}

/* ---- each invariant of the store broken on purpose ---- */

static void expect_finding(const char *words)
{
	char line[200] = "";

	assert_true(fake_audit_findings(line, sizeof(line)) > 0);
	if (!strstr(line, words))
		fail_msg("the audit says \"%s\", not \"%s\"", line, words);
}

static void the_audit_finds_what_is_broken_in_a_store(void **state)
{
	(void)state;
	for (u32 page = 0; page < 3; page++) {
		write_page(A, page, SMALL, page);
		assert_int_equal(compress(A, page), COMPRESS_DONE);
	}
	struct frame *frame = frame_of(entry_frame(entry_at(A, 0)));
	struct store *store = &fake_vm(A)->store;
	struct store_object *object = platform_frame((mpn_t){ store->first[0] });

	frame->quarters = 0xf;
	expect_finding("keeps what no page names");
	frame->quarters = 0;
	expect_finding("impossible quarters");
	frame->quarters = 7;
	object->ppn = 2;
	expect_finding("keeps what no page names");
	object->ppn = 0;
	u32 first = store->first[0];

	store->first[0] = 0;
	expect_finding("not in its list");
	store->first[0] = frame_zero;
	expect_finding("not in its list");
	store->first[0] = first;
	store->objects++;
	expect_finding("as many compressed pages as objects");
	store->objects--;
	store->frames += 3;
	expect_finding("frames of the store for its objects");
	store->frames -= 3;
	frame->owner = (u16)mm_vm_id(fake_vm(B));
	expect_finding("keeps what no page names");
	frame->owner = (u16)mm_vm_id(fake_vm(A));
	fake_audit_memory();
}

static void the_audit_finds_an_entry_that_names_nothing_compressed(void **state)
{
	struct page place;

	(void)state;
	write_page(A, 0, SMALL, 1);
	assert_int_equal(compress(A, 0), COMPRESS_DONE);
	lock_acquire(fake_vm(A)->lock);
	assert_true(pmap_look(fake_vm(A), (ppn_t){ 0 }, &place));
	lock_release(fake_vm(A)->lock);
	u64 right = *place.slot;

	*place.slot = entry_with_part(right, 3);
	expect_finding("keeps what no page names");
	*place.slot = entry_with_ceiling(right, CEILING_READ);
	expect_finding("compressed, but accessible");
	*place.slot = entry_make(PAGE_COMPRESSED, CEILING_NONE, 0, frame_zero);
	expect_finding("keeps what no page names");
	*place.slot = right;
}

/* ---- everything at random, beside what it should be ---- */

static void random_work_loses_nothing(void **state)
{
	static u32 kinds[2][PAGES], seeds[2][PAGES];

	(void)state;
	for (u32 step = 0; step < STEPS; step++) {
		u32 slot = fake_random(2), page = fake_random(PAGES), what = fake_random(8);
		u32 *kind = &kinds[slot][page], *seed = &seeds[slot][page];

		if (what < 2) {
			*kind = fake_random(KINDS);
			*seed = fake_random(1000);
			write_page(slot, page, (enum kind) * kind, *seed);
		} else if (what < 4) {
			expect_page(slot, page, (enum kind) * kind, *seed);
		} else if (what < 7) {
			if (entry_state(entry_at(slot, page)) == PAGE_PRIVATE && !(entry_at(slot, page) & ENTRY_GUARDED))
				compress(slot, page);
		} else if (fake_random(4) == 0) {
			err_t error = mm_give_up(fake_vm(slot), 0, (ppn_t){ page });

			assert_true(error == OK || error == E_STATE);
			*kind = ZEROS;
		}
		if (step % 500 == 0)
			fake_audit_memory();
	}
	assert_true(look(A).done > 100 && look(B).expanded > 50 && look(A).refused > 10);
	for (u32 i = 0; i < 2 * PAGES; i++)
		expect_page(i % 2, i / 2, (enum kind)kinds[i % 2][i / 2], seeds[i % 2][i / 2]);
	assert_int_equal(look(A).frames + look(B).frames, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(contents_of_every_kind_come_back_or_are_refused, begin, end),
		cmocka_unit_test_setup_teardown(a_write_brings_the_page_back_and_changes_only_what_it_writes, begin, end),
		cmocka_unit_test_setup_teardown(devices_reach_and_pin_compressed_pages, begin, end),
		cmocka_unit_test_setup_teardown(history_goes_with_the_page, begin, end),
		cmocka_unit_test_setup_teardown(a_sample_counts_when_it_comes_back, begin, end),
		cmocka_unit_test_setup_teardown(four_small_pages_fill_one_frame, begin, end),
		cmocka_unit_test_setup_teardown(two_quarters_lie_together, begin, end),
		cmocka_unit_test_setup_teardown(a_full_store_refuses_until_there_is_room, begin, end),
		cmocka_unit_test_setup_teardown(a_quarter_of_the_memory_is_the_limit, begin, end),
		cmocka_unit_test_setup_teardown(pages_of_two_vms_are_never_in_one_frame, begin, end),
		cmocka_unit_test_setup_teardown(memory_of_compressed_pages_is_their_vms_overhead, begin, end),
		cmocka_unit_test_setup_teardown(without_memory_pages_are_compressed_but_wait_to_come_back, begin, end),
		cmocka_unit_test_setup_teardown(without_frames_to_work_in_nothing_is_compressed, begin, end),
		cmocka_unit_test_setup_teardown(the_balloon_takes_a_compressed_page_at_once, begin, end),
		cmocka_unit_test_setup_teardown(failed_memory_of_the_store_ends_its_vm_alone, begin, end),
		cmocka_unit_test_setup_teardown(a_page_that_is_accessed_between_pieces_begins_again_with_what_it_holds_then,
						begin, end),
		cmocka_unit_test_setup_teardown(another_page_between_pieces_spoils_neither, begin, end),
		cmocka_unit_test_setup_teardown(a_vm_may_end_between_pieces, begin, end),
		cmocka_unit_test_setup_teardown(what_we_broke_ourselves_stops_the_machine, begin, end),
		cmocka_unit_test_setup_teardown(the_audit_finds_what_is_broken_in_a_store, begin, end),
		cmocka_unit_test_setup_teardown(the_audit_finds_an_entry_that_names_nothing_compressed, begin, end),
		cmocka_unit_test_setup_teardown(random_work_loses_nothing, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
