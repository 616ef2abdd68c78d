/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What lock.h keeps for each CPU, and the way there: the one place of lib that knows the processor, since every lock passes it.  struct cpu
 * has it at LOCK_CPU_AT behind GS (kernel/core/cpu.h); host tests see a thread's own (tests/unit/fake).
 */
#pragma once
#include "kernel/lib/types.h"

struct lock_cpu {
	u32 owner; /* in the words of locks that it holds: the CPU's number + 1 */
	u32 held;  /* the ranks of those locks */
};

enum { LOCK_CPU_AT = 8 };

static inline u32 lock_cpu_owner(void)
{
	u32 owner;

	__asm__ volatile("movl %%gs:%c1, %0" : "=r"(owner) : "i"(LOCK_CPU_AT + offsetof(struct lock_cpu, owner)));
	return owner;
}

static inline u32 lock_cpu_held(void)
{
	u32 held;

	__asm__ volatile("movl %%gs:%c1, %0" : "=r"(held) : "i"(LOCK_CPU_AT + offsetof(struct lock_cpu, held)));
	return held;
}

/* Of a rank that is held: not any more, and the other way round. */
static inline void lock_cpu_toggle(u32 rank)
{
	__asm__ volatile("xorl %0, %%gs:%c1" : : "r"(rank), "i"(LOCK_CPU_AT + offsetof(struct lock_cpu, held)) : "cc", "memory");
}
