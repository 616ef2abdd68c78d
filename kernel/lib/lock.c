/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/lib/lock.h"

/* Far beyond any step: whoever spins this long has found a lock that nobody will release. */
enum { SPIN_LIMIT = 1 << 30 };

void lock_init(struct lock *lock, enum lock_rank rank, const char *name)
{
	*lock = (struct lock)LOCK_INIT(rank, name);
}

void lock_wait(struct lock *lock)
{
	u32 mine = lock_cpu_owner();

	for (u32 spins = 0;; spins++) {
		u32 unlocked = 0;

		if (__atomic_compare_exchange_n(&lock->word, &unlocked, mine, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return;
		CHECK(unlocked != mine && spins < SPIN_LIMIT);
		__builtin_ia32_pause();
	}
}
