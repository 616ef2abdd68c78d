/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUs of host tests: one a thread. Also what kernel/lib asks of a machine: a place for lock ranks. */
#include "tests/unit/fake/kernel/core/cpu.h"
#include "tests/unit/fake/kernel/x86/cpu.h"

u32 cpu_count = 1;
u32 fake_kicks[MAX_CPUS];
u64 fake_msr;
static _Thread_local struct lock_cpu self;

struct lock_cpu *lock_cpu_self(void)
{
	return &self;
}

u32 cpu_index(void)
{
	return self.id;
}

struct cpu *cpu_get(u32 index)
{
	static struct cpu cpus[MAX_CPUS];

	cpus[index] = (struct cpu){ index, 2 * index };
	return &cpus[index];
}

void fake_cpu_set(u32 index)
{
	self.id = index;
}

void cpu_kick(u32 index)
{
	__atomic_fetch_add(&fake_kicks[index], 1, __ATOMIC_RELAXED);
}
