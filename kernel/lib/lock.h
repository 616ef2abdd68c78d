/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spinlocks with ranks.  A CPU may take a lock only if its rank is higher than that of every lock it holds; debug builds
 * check this, the owner, and that no lock is held at VM entry.  The kernel runs with interrupts off, so there is nothing
 * to disable here.  The same code runs on the host under ThreadSanitizer.
 */
#pragma once
#include "kernel/lib/types.h"

enum lock_rank {
	RANK_PC = 1,    /* the devices of one VM */
	RANK_VM,        /* pmap and translation tables of one VM */
	RANK_BUCKET,    /* a group of the sharing table's buckets */
	RANK_ZONE,      /* the free lists of one zone */
	RANK_TIMER,     /* a CPU's timers */
	RANK_CONSOLE,   /* rings of the wire and of guests' consoles */
	RANK_LOG,       /* the log ring: may be written while anything else is held */
};

struct lock {
	u32 word; /* 0 free, else owner + 1 */
	enum lock_rank rank;
	const char *name;
};

#define LOCK_INIT(rank_, name_) { .word = 0, .rank = (rank_), .name = (name_) }

void lock_init(struct lock *lock, enum lock_rank rank, const char *name);
void lock_acquire(struct lock *lock); /* CHECKs instead of spinning for ever */
void lock_release(struct lock *lock);
bool lock_is_mine(const struct lock *lock);
bool lock_none_held(void);

/* What this file asks of the machine: who runs, and a place for the ranks it holds (one bit a rank). */
struct lock_cpu {
	u32 id;
	u32 held;
};
struct lock_cpu *lock_cpu_self(void);
