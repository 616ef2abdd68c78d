/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Candidates for a change that nobody may notice: pages that are guarded, then wait in a batch behind one debt.  The access that a guard
 * refuses cancels it.  When the batch's debt is settled, the pages that are still guarded stay as they are until the next step of their VM
 * under its lock: with CEILING_READ nobody writes to them, with CEILING_NONE nobody can reach them at all.
 *
 * One batch for each user in each VM.  A page is a candidate of one at most: guarding it again strikes it from where it stood, because what
 * settled then says nothing of the guard of now.  A VM that ends has candidates no longer.  All need the VM's lock.
 */
#pragma once
#include "mm/platform.h"

enum { BATCH_PAGES = 32, BATCH_STRUCK = 0xffffffff };

enum batch_user { BATCH_SHARE, BATCH_PAGEOUT, BATCH_MOVE, BATCH_USERS };

struct candidate {
	u32 ppn; /* BATCH_STRUCK: no candidate any more */
	u32 hash;
	u8 kind; /* its user's */
	u8 ceiling;
};

struct batch {
	bool closed; /* it waits for `epoch`, or is being committed */
	u64 epoch;
	u32 count, next, kept; /* candidates; the next to commit; those that committing has added */
	u64 cancelled;         /* candidates that were accessed, in all */
	struct candidate candidates[BATCH_PAGES];
};

struct mm_vm;
struct page;

/* Guard the page and queue it; candidate->ppn is filled in.  False: the batch is closed or full, or the page cannot be guarded. */
bool batch_add(struct mm_vm *vm, enum batch_user user, struct page *page, struct candidate candidate);
/* The same for the batch after the one that is being committed, in the place of the candidate that batch_next gave; once for each. */
bool batch_keep(struct mm_vm *vm, enum batch_user user, struct page *page, struct candidate candidate);
/* How many more it takes now. */
u32 batch_room(const struct mm_vm *vm, enum batch_user user);
/* No more candidates: from now on the batch, if there is one, waits for its debt. */
void batch_close(struct mm_vm *vm, enum batch_user user);
/* None of them is a candidate any more. */
void batch_drop(struct mm_vm *vm, enum batch_user user);
/* Closed, and every CPU has passed. */
bool batch_is_settled(struct mm_vm *vm, enum batch_user user);
/* The next one that is still guarded, of a batch that is settled.  False: there is none, and the batch is open again. */
bool batch_next(struct mm_vm *vm, enum batch_user user, struct candidate *candidate, struct page *page);
/* The page is being guarded: whatever candidate it was, it is none any more. */
void batch_strike(struct mm_vm *vm, u32 ppn);
