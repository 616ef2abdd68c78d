/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's paravirtual clock as a guest reads it (Linux, pvclock-abi.h): one page for each CPU, which is its number here. */
#include "tests/guests/lib/guest.h"
#include <string.h>

enum { LEAF_HYPERVISOR = 0x40000000, MSR_SYSTEM_TIME = 0x4b564d01, ENABLE = 1, STABLE = 1, STOPPED = 2 };

static volatile struct {
	u32 version, pad;
	u64 tsc_timestamp, system_time;
	u32 multiplier;
	s8 shift;
	u8 flags, pad2[2];
} pages[GUEST_MAX_CPUS] __attribute__((aligned(32)));

bool pvclock_is_there(void)
{
	struct cpuid id = cpuid(LEAF_HYPERVISOR, 0);
	const u32 name[] = { id.b, id.c, id.d };

	return cpu_has(CPU_FEATURE(1, 2, 31)) && memcmp(name, "KVMKVMKVM\0\0", sizeof(name)) == 0;
}

void pvclock_register(u32 cpu)
{
	msr_write(MSR_SYSTEM_TIME, (u64)&pages[cpu] | ENABLE);
	(void)cpuid(0, 0);
}

bool pvclock_is_stable(u32 cpu)
{
	return pages[cpu].flags & STABLE;
}

bool pvclock_was_stopped(u32 cpu)
{
	return __atomic_fetch_and(&pages[cpu].flags, (u8)~STOPPED, __ATOMIC_SEQ_CST) & STOPPED;
}

u64 pvclock_ns(u32 cpu)
{
	u32 version;
	u64 ns;

	do {
		version = pages[cpu].version & ~1U;
		__asm__ volatile("lfence" : : : "memory");
		u64 ticks = rdtsc() - pages[cpu].tsc_timestamp;

		ticks = pages[cpu].shift >= 0 ? ticks << pages[cpu].shift : ticks >> -pages[cpu].shift;
		ns = pages[cpu].system_time + (u64)((unsigned __int128)ticks * pages[cpu].multiplier >> 32);
	} while (pages[cpu].version != version);
	return ns;
}
