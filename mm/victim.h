/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which page goes next.  Random, as in the paper: no guest's replacement can play against it.  Coldest: a clock over groups of 64 pages takes
 * what nobody has accessed since its hand came by (ENTRY_RECENT); random after all without accessed flags, or after two rounds for nothing.
 * Never what is pinned, guarded, held, in transit, or not the VM's own.  Needs the VM's lock.
 */
#pragma once
#include "mm/mm.h"

struct victims {
	enum mm_victims policy;
	u64 group;  /* under the hand */
	u32 index;  /* the next page of it; HARVEST_PAGES: the hand moves on */
	u64 idle;   /* groups in a row without a victim */
	bool blind; /* no accessed flags */
};

struct page;

/* A step begins: what was accessed since the last one counts. */
void victim_begin(struct mm_vm *vm);
/* The next victim; takes the pages that it looks at off *looks.  False: it found none. */
bool victim_next(struct mm_vm *vm, u32 *looks, struct page *page);
