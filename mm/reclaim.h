/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who gives memory back, how much and how, in each free state:
 *   high  nothing is taken, but from who is above its max; balloons go down to what targets allow
 *   soft  balloons; page out only what cannot be ballooned
 *   hard  page out as well
 *   low   and VMs above their target get a small slice of a CPU only, so that their balloons still answer
 * Targets (alloc.h) are always such that the state would be high again.  Pure: the caller owns the rows.
 */
#pragma once
#include "mm/platform.h"

/* X(name, what `why` says) */
#define RECLAIM_REASONS(X)                                                                                 \
	X(NOTHING, "at or below its target: nothing is taken")                                             \
	X(PLENTY, "memory is plentiful: nothing is taken")                                                 \
	X(LIMIT, "above its max: its balloon is asked for the rest")                                       \
	X(BALLOON, "above its target: its balloon is asked for the rest")                                  \
	X(NO_BALLOON, "above its target and no balloon driver: paged out")                                 \
	X(BALLOON_DEAD, "above its target and its balloon does not answer: paged out")                     \
	X(BALLOON_FULL, "above its target by more than its balloon may hold: paged out")                   \
	X(NOWHERE, "above its target by more than its balloon gives, and there is nowhere to page out to") \
	X(HARD, "memory is short: its balloon is asked and pages go out at once")                          \
	X(LOW, "memory is very short: pages go out at once and it is slowed down")

enum reclaim_reason {
#define X(name, text) RECLAIM_##name,
	RECLAIM_REASONS(X)
#undef X
		RECLAIM_REASON_COUNT,
};
const char *reclaim_text(enum reclaim_reason reason);

struct reclaim_row {
	/* in, pages */
	u64 max, min, target;
	u64 held;                   /* what it costs the machine: a shared page costs its share */
	u64 balloon, balloon_limit; /* what it holds; what it may hold at most */
	bool has_balloon, answers;
	bool pages_out; /* there is a place for pages: compressed or in swap */
	/* out */
	u64 balloon_target;
	u64 page_out; /* to compress or swap now */
	bool throttled;
	enum reclaim_reason reason;
};

/* Decide for one VM. CHECKs that min ≤ target ≤ max. */
void reclaim_decide(struct reclaim_row *row, enum mm_state state);
