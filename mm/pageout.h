/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM has to lose pages.  Victims are guarded against any access and wait in a batch; what nobody has needed meanwhile goes by the cheapest
 * way: zeros become EMPTY, then sharing, compression, the swap area.
 */
#pragma once
#include "mm/victim.h"

enum pageout_way { PAGEOUT_ZERO, PAGEOUT_SHARED, PAGEOUT_COMPRESSED, PAGEOUT_SWAPPED, PAGEOUT_WAYS };

struct pageout {
	u64 wanted;    /* still to lose, being written or not */
	u64 fruitless; /* looks in a row */
	u64 lost[PAGEOUT_WAYS];
	u64 refused, unmet;
	u32 compressing; /* PPN + 1 of a page between two pieces */
	struct victims victims;
};

/* As mm_pageout. */
void pageout_want(struct mm_vm *vm, u64 pages);
/* A page has gone.  Needs the VM's lock, as do all. */
void pageout_lost(struct mm_vm *vm, enum pageout_way way);
/* The VM ends. */
void pageout_release(struct mm_vm *vm);
