/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Resource pools: a tree of names with min, max and shares, like a VM's, for all that is in them together.  A pool needs of its parent its
 * min, or what its VMs and pools need of it if that is more; so its min is reserved from the moment it begins, and VMs reserve out of it
 * first.  The root, pool 0, is the machine.
 *
 * The tree belongs to admission's lock: everything below the line is called under it (admit.h); the functions of mm.h take it.
 */
#pragma once
#include "mm/mm.h"

struct pool {
	char name[MM_NAME_BYTES]; /* empty: there is none */
	u64 min, max;
	u32 shares, parent;
	u64 needed;  /* by its VMs and pools, of it */
	u32 members; /* how many they are */
};

struct pools_lack { /* what does not fit where */
	u32 pool;
	u64 more, left; /* pages: wanted more there; not yet reserved there */
};

void pools_init(void);
/* ---- under admission's lock ---- */
const struct pool *pools_get(u32 pool); /* NULL: there is none */
/* May the need of a VM in this pool go from `was` to `will`, if the machine has `machine` pages for pools and VMs? */
bool pools_fit(u32 pool, u64 was, u64 will, u64 machine, struct pools_lack *lack);
void pools_change(u32 pool, u64 was, u64 will);
void pools_count(u32 pool, s32 members);
/* What all VMs and pools need of the machine. */
u64 pools_needed(void);
/* A copy of the tree, for a rebalance. */
void pools_copy(struct pool copy[MM_POOLS]);
/* Is each pool's need the sum of its members'?  `vms`: what VMs need of each.  NULL, or what is wrong. For the audit. */
const char *pools_fault(const u64 vms[MM_POOLS]);
