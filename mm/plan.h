/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A rebalance on paper: from what each VM has, holds and uses to what it should hold (alloc.h), and to what is taken from it and how
 * (reclaim.h).  Any number of VMs, a bounded piece a step; about 64 looks at each VM in all.
 *
 * Pure: no locks, no memory of its own; the caller owns the arrays and keeps them until the plan is done.
 */
#pragma once
#include "mm/alloc.h"
#include "mm/reclaim.h"

enum { PLAN_STEP_ROWS = 128 };

struct plan {
	struct alloc_job job;
	struct alloc_node *vms; /* the nodes of `rows` */
	struct reclaim_row *rows;
	u32 count, decided;
	enum mm_state state;
};

/*
 * Nodes: the machine (0), pools - 1 pools, then a node for each of the `vms` rows, in their order.  In: what alloc.h and reclaim.h call
 * so; a row's min, max and target are copied from its node.  `pages` is what VMs may hold together (plan_pages).
 */
void plan_begin(struct plan *plan, struct alloc_node *nodes, u32 pools, struct reclaim_row *rows, u32 vms, u64 pages,
		enum mm_state state);
/* False: every row is decided. */
bool plan_step(struct plan *plan);

/* What VMs may hold so that `high` pages are free, the threshold of that state: what they hold now, more or less what is free. */
u64 plan_pages(u64 held, u64 free, u64 high);
