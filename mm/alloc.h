/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who gets how much memory: VMs with min, max and shares in a tree of pools, and a tax on what lies idle.
 *
 * An idle page costs k = 1/(1 − τ) times what a page in use costs, τ being the tax.  Memory is where it should be when shares per cost,
 * S / (P·(f + k·(1 − f))), are the same for all that are neither at their min nor at their max: taking pages, one by one, from whoever
 * has the smallest ratio ends there.  So P = x·weight with weight = S / (f + k·(1 − f)) and one x for all children of a pool.  x is found
 * by bisection, in integers; what rounding leaves goes out page by page, so that targets add up.
 *
 * Pure: no locks, no memory of its own; the caller owns the nodes and keeps them until the job is done.
 */
#pragma once
#include "kernel/lib/types.h"

enum {
	ALLOC_MAX_SHARES = (1 << 30) - 1,
	ALLOC_MAX_TAX = 990,    /* per mille */
	ALLOC_STEP_NODES = 512, /* that one step looks at: about 10,000 instructions */
	ALLOC_NO_NODE = 0xffffffff,
};

/* A VM, or a pool: whoever is named as a parent.  Node 0 is the machine, parents come before their children. */
struct alloc_node {
	u64 min, max;        /* pages; a pool's are widened to what its children's allow */
	u32 shares;          /* at most ALLOC_MAX_SHARES; 0: exactly min */
	u32 active_permille; /* of max, in use; a pool's is found */
	u32 tax_permille;    /* at most ALLOC_MAX_TAX, of what is idle */
	u32 parent;
	bool progressive; /* the tax rises to tax_permille by quarters of the memory that lie idle */
	u64 target;       /* the answer, pages */

	/* the job's own */
	u64 weight, children_min, children_max, children_active;
	u32 first, next; /* child, sibling */
};

struct alloc_job {
	struct alloc_node *nodes;
	u32 count;
	u32 phase, pool, cursor; /* where it is */
	u64 low, high;           /* x lies between them */
	u64 sum, left;           /* what all get at the middle; what `low` leaves over */
	u64 missing;             /* out: pages by which the mins exceed what there is */
};

/* Divide `pages` among the nodes behind 0.  CHECKs that the tree is one and the numbers are in range. */
void alloc_begin(struct alloc_job *job, struct alloc_node *nodes, u32 count, u64 pages);
/* False: all targets are there. */
bool alloc_step(struct alloc_job *job);

/* What memory costs: 2^20 for a page in use; the mean over a VM's pages.  For `why`: ρ = S / (P·cost). */
u64 alloc_cost(u32 active_permille, u32 tax_permille, bool progressive);
