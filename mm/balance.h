/* SPDX-License-Identifier: BSD-2-Clause */
/* What rebalances decided for one VM, and why: its target, what is still to be taken, the latest decisions.  Under the VM's lock. */
#pragma once
#include "mm/reclaim.h"

enum { BALANCE_DECISIONS = 16 };

struct balance {
	u64 target;    /* pages that it should hold */
	bool paging;   /* its last decision paged out */
	u32 throttled; /* 0 or 1: read without the lock */
	u32 decisions; /* in all; the ring keeps the latest */
	struct mm_decision ring[BALANCE_DECISIONS];
};

struct mm_vm;
/* The row was decided for this VM in that state: it holds from now on. */
void balance_apply(struct mm_vm *vm, const struct reclaim_row *row, enum mm_state state);
