/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/plan.h"
#include "kernel/lib/check.h"

void plan_begin(struct plan *plan, struct alloc_node *nodes, u32 pools, struct reclaim_row *rows, u32 vms, u64 pages,
		enum mm_state state)
{
	CHECK(pools > 0);
	*plan = (struct plan){ .vms = nodes + pools, .rows = rows, .count = vms, .state = state };
	alloc_begin(&plan->job, nodes, pools + vms, pages);
}

static void decide(struct plan *plan, u32 index)
{
	const struct alloc_node *node = &plan->vms[index];
	struct reclaim_row *row = &plan->rows[index];

	row->min = node->min;
	row->max = node->max;
	row->target = node->target;
	reclaim_decide(row, plan->state);
}

bool plan_step(struct plan *plan)
{
	if (alloc_step(&plan->job))
		return true;
	CHECK(plan->decided <= plan->count);
	for (u32 i = 0; i < PLAN_STEP_ROWS && plan->decided < plan->count; i++)
		decide(plan, plan->decided++);
	return plan->decided < plan->count;
}

u64 plan_pages(u64 held, u64 free, u64 high)
{
	return held + free > high ? held + free - high : 0;
}
