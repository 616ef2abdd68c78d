/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/lib/lock.h"
#include "kernel/lib/check.h"

/* Far beyond any step: whoever spins this long has found a lock that nobody will release. */
enum { SPIN_LIMIT = 1 << 30 };

void lock_init(struct lock *lock, enum lock_rank rank, const char *name)
{
	*lock = (struct lock)LOCK_INIT(rank, name);
}

void lock_acquire(struct lock *lock)
{
	struct lock_cpu *cpu = lock_cpu_self();
	u32 mine = cpu->id + 1;

	ASSERT(cpu->held < BIT(lock->rank));
	for (u32 spins = 0;; spins++) {
		u32 unlocked = 0;

		if (__atomic_compare_exchange_n(&lock->word, &unlocked, mine, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			break;
		CHECK(unlocked != mine && spins < SPIN_LIMIT);
		__builtin_ia32_pause();
	}
	cpu->held |= (u32)BIT(lock->rank);
}

void lock_release(struct lock *lock)
{
	struct lock_cpu *cpu = lock_cpu_self();

	ASSERT(lock_is_mine(lock));
	cpu->held &= ~(u32)BIT(lock->rank);
	__atomic_store_n(&lock->word, 0, __ATOMIC_RELEASE);
}

bool lock_is_mine(const struct lock *lock)
{
	return __atomic_load_n(&lock->word, __ATOMIC_RELAXED) == lock_cpu_self()->id + 1;
}

bool lock_none_held(void)
{
	return lock_cpu_self()->held == 0;
}
