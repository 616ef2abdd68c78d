/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/reserve.h"
#include "mm/state.h"
#include "mm/zone.h"

enum { BREAK_RUNS = 64 };

static void set_aside(struct mm_vm *vm, s64 frames)
{
	vm->set_aside += (u64)frames;
	__atomic_fetch_add(&frame_counts.set_aside, (u64)frames, __ATOMIC_RELAXED);
}

/* Set aside for this page?  A frame that left its block for good may be set aside for another VM's by now. */
static bool is_set_aside(const struct mm_vm *vm, u32 mpn, u32 ppn)
{
	if (frame_state(mpn) != FRAME_RESERVED || __atomic_load_n(&frame_of(mpn)->owner, __ATOMIC_RELAXED) != vm->id)
		return false;
	return frame_of(mpn)->ppn == ppn;
}

static bool is_untouched(const struct block *block)
{
	return !block->reserve && !block->tally[TALLY_PRIVATE];
}

/* Only for a whole block of memory, and only while there is plenty. */
static void make(struct mm_vm *vm, struct page *page)
{
	u32 base = page_block_ppn(page).n;

	if (!state_allows_reservations() || !pmap_is_memory(vm, (ppn_t){ base + LARGE_PAGES - 1 }))
		return;
	u32 mpn = zone_take(ZONE_MAX_ORDER, ZONES_ANY | ZONES_SPARE);

	if (!mpn)
		return;
	CHECK(mpn % LARGE_PAGES == 0);
	for (u32 i = 0; i < LARGE_PAGES; i++)
		frame_assign(mpn + i, FRAME_RESERVED, vm->id, base + i);
	page->block->reserve = mpn;
	set_aside(vm, LARGE_PAGES);
}

static bool lies_in(const struct block *block, u32 wanted)
{
	return block->reserve && (wanted & BIT(frame_of(block->reserve)->zone));
}

static u32 take_own(struct mm_vm *vm, const struct page *page)
{
	u32 mpn = page->block->reserve + page->index;

	if (!page->block->reserve || !is_set_aside(vm, mpn, page->ppn.n))
		return 0;
	set_aside(vm, -1);
	return mpn;
}

u32 reserve_take_own(struct mm_vm *vm, const struct page *page, u32 wanted)
{
	return lies_in(page->block, wanted) ? take_own(vm, page) : 0;
}

u32 reserve_take(struct mm_vm *vm, struct page *page)
{
	if (is_untouched(page->block))
		make(vm, page);
	u32 mpn = take_own(vm, page);

	return mpn ? mpn : cache_take();
}

bool reserve_put_back(struct mm_vm *vm, u32 mpn, u32 ppn)
{
	struct page page;

	if (!pmap_look(vm, (ppn_t){ ppn }, &page) || !page.block->reserve || mpn != page.block->reserve + page.index)
		return false;
	frame_assign(mpn, FRAME_RESERVED, vm->id, ppn);
	set_aside(vm, 1);
	return true;
}

/*
 * Free the runs of RESERVED frames in the block, BREAK_RUNS at most (a guest that touches every other page makes 256); the pages
 * that have theirs keep them.  True when none is left.
 */
static bool free_unused(struct mm_vm *vm, u32 first, u32 base)
{
	u32 runs = 0;

	for (u32 i = 0; i < LARGE_PAGES; i++) {
		u32 run = 0;

		while (i + run < LARGE_PAGES && is_set_aside(vm, first + i + run, base + i + run))
			run++;
		if (!run)
			continue;
		if (runs++ == BREAK_RUNS)
			return false;
		zone_give(first + i, run);
		set_aside(vm, -(s64)run);
		i += run;
	}
	return true;
}

/* Its pages may all have left for good, and the machine block be somebody else's by now: then there is nothing to give back. */
static bool give_back(struct mm_vm *vm, u32 number)
{
	struct block *block = pmap_block(vm, number);
	bool done = free_unused(vm, block->reserve, pmap_block_ppn(vm, number).n);

	if (done)
		pmap_forget_reserve(vm, block);
	return done;
}

/* A complete one is in use as it is. */
static bool can_break(const struct block *block)
{
	return block && block->reserve && block->tally[TALLY_IN_PLACE] < LARGE_PAGES;
}

bool reserve_break_in(struct mm_vm *vm, u32 number, u32 wanted)
{
	const struct block *block = pmap_block(vm, number);

	if (!can_break(block) || !lies_in(block, wanted))
		return false;
	give_back(vm, number);
	return true;
}

bool reserve_break_one(struct mm_vm *vm)
{
	u32 blocks = pmap_block_count(vm);

	CHECK(lock_is_mine(vm->lock));
	for (u32 looked = 0; vm->set_aside && looked < RESERVE_LOOK; looked++, vm->break_cursor++) {
		if (vm->break_cursor >= blocks)
			vm->break_cursor = 0;
		if (!can_break(pmap_block(vm, vm->break_cursor)))
			continue;
		give_back(vm, vm->break_cursor);
		return true;
	}
	return false;
}

bool reserve_release(struct mm_vm *vm, u32 number)
{
	const struct block *block = pmap_block(vm, number);

	CHECK(!block->tally[TALLY_PRIVATE]);
	return !block->reserve || give_back(vm, number);
}
