/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spinlocks with ranks.  A CPU may take a lock only if its rank is higher than that of every lock it holds; debug builds
 * check this and the owner.  The kernel runs with interrupts off, so there is nothing to disable here.  The same code runs on
 * the host under ThreadSanitizer.  A free lock is taken and released inline: every page that is reached passes here.
 */
#pragma once
#include "kernel/lib/check.h"
#include "kernel/lib/lock_cpu.h"
#include "kernel/lib/types.h"

/* One bit a rank, so that those held are a set. */
enum lock_rank {
	RANK_PC = 1 << 0,      /* the devices of one VM */
	RANK_VM = 1 << 1,      /* pmap and translation tables of one VM */
	RANK_BUCKET = 1 << 2,  /* a group of the sharing table's buckets */
	RANK_SWAP = 1 << 3,    /* slots, or requests, of the swap area */
	RANK_ZONE = 1 << 4,    /* the free lists of one zone */
	RANK_TIMER = 1 << 5,   /* a CPU's timers */
	RANK_CONSOLE = 1 << 6, /* rings of the wire and of guests' consoles */
	RANK_LOG = 1 << 7,     /* the log ring: may be written while anything else is held */
};

struct lock {
	u32 word; /* 0 free, else its owner */
	enum lock_rank rank;
	const char *name;
};

#define LOCK_INIT(rank_, name_)                             \
	{                                                   \
		.word = 0, .rank = (rank_), .name = (name_) \
	}

void lock_init(struct lock *lock, enum lock_rank rank, const char *name);
void lock_wait(struct lock *lock); /* somebody has it; CHECKs instead of spinning for ever */

static inline bool lock_is_mine(const struct lock *lock)
{
	return __atomic_load_n(&lock->word, __ATOMIC_RELAXED) == lock_cpu_owner();
}

static inline void lock_acquire(struct lock *lock)
{
	u32 unlocked = 0;

	ASSERT(lock_cpu_held() < lock->rank);
	if (__builtin_expect(!__atomic_compare_exchange_n(&lock->word, &unlocked, lock_cpu_owner(), false, __ATOMIC_ACQUIRE,
							  __ATOMIC_RELAXED),
			     0))
		lock_wait(lock);
	lock_cpu_toggle(lock->rank);
}

static inline void lock_release(struct lock *lock)
{
	ASSERT(lock_is_mine(lock));
	lock_cpu_toggle(lock->rank);
	__atomic_store_n(&lock->word, 0, __ATOMIC_RELEASE);
}

static inline bool lock_none_held(void)
{
	return lock_cpu_held() == 0;
}

/* The number of the CPU that runs this, for whoever may not ask kernel/core. */
static inline u32 lock_cpu_id(void)
{
	return lock_cpu_owner() - 1;
}
