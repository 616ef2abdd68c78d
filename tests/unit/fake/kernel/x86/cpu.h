/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host tests see this instead of kernel/x86/cpu.h: the same processor, but its halt gives the other threads a turn, nothing interrupts, and
 * every model-specific register reads as fake_msr.
 */
#pragma once
#include <sched.h>
#define cpu_halt_until_interrupt cpu_halt_for_real
#define cpu_take_interrupts cpu_take_for_real
#define msr_read msr_read_for_real
#include "../../../../../kernel/x86/cpu.h"
#undef cpu_halt_until_interrupt
#undef cpu_take_interrupts
#undef msr_read

extern u64 fake_msr;

static inline void cpu_halt_until_interrupt(void)
{
	sched_yield();
}

static inline void cpu_take_interrupts(void)
{
}

static inline u64 msr_read(u32 msr)
{
	(void)msr;
	return fake_msr;
}
