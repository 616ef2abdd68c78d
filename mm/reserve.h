/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Large mappings are earned by reservation: the first touch of a 2 MiB guest block sets a 2 MiB machine block aside for it while memory is
 * plentiful, each page takes the frame in its place, and when all 512 are there the mapping becomes one leaf without a copy.
 * Frames set aside count as free: below state high they are handed back.  All need the VM's lock.
 */
#pragma once
#include "mm/pmap.h"

/* A frame for this page: the one in its place, else any (0: none).  It is not zeroed. */
u32 reserve_take(struct mm_vm *vm, struct page *page);
/* Only the one that is set aside for it, if it lies in one of these zones. */
u32 reserve_take_own(struct mm_vm *vm, const struct page *page, u32 wanted);
/* A frame that page `ppn` gave back: if it lies in its block's reservation it is set aside again, and true. */
bool reserve_put_back(struct mm_vm *vm, u32 mpn, u32 ppn);

/* Are all 512 pages there, in their place, with all rights? */
static inline bool reserve_is_whole(const struct block *block)
{
	return block->tally[TALLY_IN_PLACE] == LARGE_PAGES && !block->tally[TALLY_NARROWED];
}

/*
 * Hand back unused frames of one reserved block (a piece of them; the next call goes on), looking at no more than RESERVE_LOOK
 * blocks; true if there was something to do.
 */
enum { RESERVE_LOOK = 256 };
bool reserve_break_one(struct mm_vm *vm);
/* The same for the block with this number, if what is set aside there lies in one of these zones. */
bool reserve_break_in(struct mm_vm *vm, u32 number, u32 wanted);
/* Release: the pages of block `number` are gone; hand back a piece of what is set aside, true when there is nothing left. */
bool reserve_release(struct mm_vm *vm, u32 number);
