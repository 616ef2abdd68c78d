/* SPDX-License-Identifier: BSD-2-Clause */
/* Host tests see this instead of kernel/lib/lock_cpu.h: a CPU is a thread (tests/unit/support/fake_cpu.c). */
#pragma once
#include "kernel/lib/types.h"

extern _Thread_local u32 fake_cpu_owner, fake_cpu_held;

static inline u32 lock_cpu_owner(void)
{
	return fake_cpu_owner;
}

static inline u32 lock_cpu_held(void)
{
	return fake_cpu_held;
}

static inline void lock_cpu_toggle(u32 rank)
{
	fake_cpu_held ^= rank;
}
