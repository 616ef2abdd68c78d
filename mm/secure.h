/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sharing in a secure group: an idle page loses every right and moves to a frame of the pool, whether another page is like it or not, and its
 * first access of any kind copies it to another one.  Who measures his own pages sees the same work either way.  All need the VM's lock.
 */
#pragma once
#include "mm/commit.h"

void secure_merge(struct scan_work *work, struct page *page);
/* SHARED → PRIVATE, in a frame drawn at random.  E_NO_MEMORY: nothing has changed. */
err_t secure_break(struct mm_vm *vm, struct page *page);
void secure_give(struct mm_vm *vm, u32 mpn);
void secure_released(u32 mpn, bool last);
