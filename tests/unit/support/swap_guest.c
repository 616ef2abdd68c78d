/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/support/swap_guest.h"
#include "kernel/lib/check.h"
#include "mm/share.h"
#include <string.h>

enum { WORDS = PAGE_SIZE / sizeof(u64) };

void swap_machine(u64 seed, u32 slots)
{
	err_t error;

	fake_reset(seed, true);
	fake_swap(slots);
	fake_small_machine();
	error = share_init();
	CHECK(!error);
	error = mm_swap_init();
	CHECK(!error == (slots > 0));
}

static void pattern(u64 words[WORDS], u32 slot, u32 page, u32 round)
{
	u64 x = ((u64)slot << 48) + ((u64)round << 32) + page + 1;

	for (u32 i = 0; i < WORDS; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		words[i] = x;
	}
}

static void touch(u32 slot, u32 page, u64 words[WORDS], enum mm_access access)
{
	bool stale;
	err_t error;

	for (u32 tries = 0;; tries++) {
		error = fake_touch(slot, 0, gpa_of((ppn_t){ page }), words, PAGE_SIZE, access, &stale);
		if (!error)
			break;
		CHECK((error == E_SUSPEND || error == E_NO_MEMORY) && tries < 100);
		swap_run();
	}
}

void swap_fill(u32 slot, u32 page, u32 round)
{
	u64 words[WORDS];

	pattern(words, slot, page, round);
	touch(slot, page, words, MM_WRITE);
}

void swap_expect(u32 slot, u32 page, u32 round)
{
	u64 words[WORDS], expected[WORDS];

	pattern(expected, slot, page, round);
	touch(slot, page, words, MM_READ);
	CHECK(memcmp(words, expected, PAGE_SIZE) == 0);
}

void swap_settle(void)
{
	fake_settle_everything();
	fake_check();
	fake_audit_memory();
}

void swap_run(void)
{
	do
		swap_settle();
	while (fake_swap_end_one());
}

void swap_out(u32 slot, u64 pages)
{
	err_t error = mm_pageout(fake_vm(slot), pages);

	CHECK(!error);
	swap_run();
}

struct mm_pageout swap_pageout(u32 slot)
{
	struct mm_pageout now;

	mm_pageout_look(fake_vm(slot), &now);
	return now;
}

u64 swap_entry(u32 slot, u32 number)
{
	struct mm_vm *vm = fake_vm(slot);
	struct page page;
	u64 entry = 0;

	lock_acquire(vm->lock);
	if (pmap_look(vm, (ppn_t){ number }, &page))
		entry = page_entry(&page);
	lock_release(vm->lock);
	return entry;
}

enum page_state swap_state(u32 slot, u32 page)
{
	return entry_state(swap_entry(slot, page));
}

u32 swap_find(u32 slot, u32 pages, enum page_state state)
{
	for (u32 page = 0; page < pages; page++) {
		if (swap_state(slot, page) == state)
			return page;
	}
	return UINT32_MAX;
}

u32 swap_count(u32 slot, u32 pages, enum page_state state)
{
	u32 count = 0;

	for (u32 page = 0; page < pages; page++)
		count += swap_state(slot, page) == state;
	return count;
}
