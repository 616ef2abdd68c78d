/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUs of host tests: one a thread. Also what kernel/lib asks of a machine: a place for lock ranks. */
#include "tests/unit/fake/kernel/core/cpu.h"
#include "tests/unit/fake/kernel/x86/cpu.h"

u32 cpu_count = 1;
u32 fake_kicks[MAX_CPUS];
u64 fake_msr;
_Thread_local u32 fake_cpu_owner = 1, fake_cpu_held;

u32 cpu_index(void)
{
	return fake_cpu_owner - 1;
}

struct cpu *cpu_get(u32 index)
{
	static struct cpu cpus[MAX_CPUS];

	cpus[index] = (struct cpu){ index, 2 * index };
	return &cpus[index];
}

void fake_cpu_set(u32 index)
{
	fake_cpu_owner = index + 1;
}

void cpu_kick(u32 index)
{
	__atomic_fetch_add(&fake_kicks[index], 1, __ATOMIC_RELAXED);
}
