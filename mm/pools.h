/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Resource pools: a tree with a VM's numbers for all that is in a pool.  A pool needs of its parent its min, or what its members need of
 * it if that is more: VMs reserve out of it first.  The root, 0, is the machine.  All under admission's lock (admit.h).
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
const struct pool *pools_get(u32 pool); /* NULL: there is none */
/* May a need in this pool go from `was` to `will`, if the machine has `machine` pages in all? */
bool pools_fit(u32 pool, u64 was, u64 will, u64 machine, struct pools_lack *lack);
void pools_change(u32 pool, u64 was, u64 will);
void pools_count(u32 pool, s32 members);
u64 pools_needed(void); /* of the machine, by all */
void pools_copy(struct pool copy[MM_POOLS]);
/* `vms`: what VMs need of each.  The pool whose need is not that of its members, or NULL. For the audit. */
const char *pools_fault(const u64 vms[MM_POOLS]);
