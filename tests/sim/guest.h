/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest as a trace of accesses to its memory, which the engine serves as it would serve a real one's.  The guest knows what every page
 * must hold: each access compares the page's mark, guest_lost() everything.
 *
 * A page holds zeros, or a stream of words that its `base` makes (equal bases are equal pages), the first of which is replaced by `mark`.
 */
#pragma once
#include "tests/sim/platform_sim.h"

struct guest {
	u32 id;
	struct mm_vm *mm;
	struct sim_space *space;
	u32 pages;
	u64 random;
	u64 *base, *mark;   /* of each page; both 0: zeros, or whatever the balloon gave back */
	u32 *seen;          /* the period in which it was last accessed */
	u32 period, active; /* the one under way; pages accessed in it */
	u64 faults, lost;
};

/* Content that all guests of an operating system share, and that nobody shares. */
static inline u64 guest_common(u32 system, u32 number)
{
	return (u64)(system + 1) << 48 | number | BIT(40);
}

static inline u64 guest_unique(const struct guest *guest, u32 page)
{
	return (u64)guest->id << 32 | page | BIT(63);
}

/* A VM of `mb` MB that is guaranteed all of it, alone in its group: what an experiment wants otherwise, it changes. */
struct mm_vm_config guest_config(u32 id, u32 mb);
struct guest *guest_start(const struct mm_vm_config *config, u64 seed);
void guest_end(struct guest *guest);

/* One access; false: the guest waits (for a disk, for a frame) and tries again later. */
bool guest_read(struct guest *guest, u32 page);
bool guest_mark(struct guest *guest, u32 page, u64 mark); /* a write of one word */
bool guest_fill(struct guest *guest, u32 page, u64 base); /* of the whole page */
/* The same, for machines on which nothing waits longer than a step. */
void guest_must_read(struct guest *guest, u32 page);
void guest_must_mark(struct guest *guest, u32 page, u64 mark);
void guest_must_fill(struct guest *guest, u32 page, u64 base);

/* Its contents are of no more use to the guest; are they of any? */
static inline void guest_forget(struct guest *guest, u32 page)
{
	guest->base[page] = guest->mark[page] = 0;
}

static inline bool guest_knows(const struct guest *guest, u32 page)
{
	return guest->mark[page] != 0;
}

/* A new period: how many pages the one before has accessed. */
u32 guest_next_period(struct guest *guest);
/* Compare every byte of every page that has contents; pages that differ. */
u32 guest_lost(struct guest *guest);

/* The page is in the balloon: it may hold anything when it comes back. */
bool guest_give(struct guest *guest, u32 page);
bool guest_take(struct guest *guest, u32 page);
