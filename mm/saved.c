/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/saved.h"
#include "mm/frame.h"
#include "mm/pmap.h"

enum { STEP_ENTRIES = 2048, STEP_SHARED = 256, PART_SHIFT = 38 };

/* `pages` pages that each have their part of a frame. */
static void add(u64 pages, u64 references, u64 *whole, u64 *parts)
{
	u64 bytes = pages * PAGE_SIZE;

	*whole += bytes / references;
	/* Below 2^25 pages the parts add up to less than 2^63. */
	*parts += references < 1ULL << (63 - PART_SHIFT) ? (bytes % references << PART_SHIFT) / references : 0;
}

static u32 references_of(u32 mpn)
{
	u32 references = __atomic_load_n(&frame_of(mpn)->references, __ATOMIC_RELAXED);

	CHECK(frame_state(mpn) == FRAME_SHARED && references > 0); /* the entry holds one */
	return references;
}

static void end_walk(struct saved *saved)
{
	*saved = (struct saved){ .last_pages = saved->pages, .last_whole = saved->whole, .last_parts = saved->parts };
}

/* The block of the page under way, if there is something shared in it. */
static const u64 *entries_here(struct mm_vm *vm)
{
	const struct block *block = pmap_block(vm, (u32)(vm->saved.page / LARGE_PAGES));

	return block && block->entries && block->tally[TALLY_SHARED] ? pmap_entries(block) : NULL;
}

bool saved_walk(struct mm_vm *vm)
{
	struct saved *saved = &vm->saved;
	u32 shared = 0;

	CHECK(lock_is_mine(vm->lock));
	saved->wanted = true;
	for (u32 looks = 0; saved->page < vm->max_pages && looks < STEP_ENTRIES && shared < STEP_SHARED; looks++) {
		const u64 *entries = entries_here(vm);

		if (!entries) {
			saved->page = (saved->page / LARGE_PAGES + 1) * LARGE_PAGES;
			continue;
		}
		u64 entry = entries[saved->page++ % LARGE_PAGES];

		if (entry_state(entry) != PAGE_SHARED)
			continue;
		shared++;
		saved->pages++;
		add(1, references_of(entry_frame(entry)), &saved->whole, &saved->parts);
	}
	if (saved->page < vm->max_pages)
		return false;
	end_walk(saved);
	return true;
}

u64 saved_bytes(const struct mm_vm *vm)
{
	u64 references = __atomic_load_n(&frame_of(frame_zero)->references, __ATOMIC_RELAXED);
	u64 zero = vm->tally[TALLY_ZERO];
	u64 whole = vm->saved.last_whole, parts = vm->saved.last_parts;

	if (zero)
		add(zero, references, &whole, &parts);
	return (vm->saved.last_pages + zero) * PAGE_SIZE - whole - ((parts + (1ULL << PART_SHIFT) - 1) >> PART_SHIFT);
}
