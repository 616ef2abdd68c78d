/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mover: a page of a VM gets a frame of another zone, and nobody notices.  The page is guarded against every access and waits in the
 * mover's batch; when no CPU can reach its frame any more it is copied, and the old frame is free at once, for nothing is owed.  An access
 * cancels it.
 *
 * All need the VM's lock.  Pages that are pinned, shared, in transit or somebody else's candidates are passed by.
 */
#pragma once
#include "mm/pmap.h"

/* Have the page moved to one of the zones (a mask as zone_take has it).  False: it is passed by, lies there already, or the batch is full. */
bool move_add(struct mm_vm *vm, struct page *page, u32 wanted);
/* No more candidates: from now on those that there are wait for their debt. */
void move_close(struct mm_vm *vm);
/* How many candidates the mover would take now. */
u32 move_room(const struct mm_vm *vm);
bool move_waits(const struct mm_vm *vm);

typedef void move_told_t(struct mm_vm *vm, struct page *page, u32 wanted, bool moved);
/* Move up to `pages` candidates whose debt is settled, and tell what became of each. */
void move_some(struct mm_vm *vm, u32 pages, move_told_t *told);
