/* SPDX-License-Identifier: BSD-2-Clause */
/* Host tests see this instead of kernel/x86/cpu.h: the same processor, but its halt gives the other threads a turn, and nothing interrupts. */
#pragma once
#include <sched.h>
#define cpu_halt_until_interrupt cpu_halt_for_real
#define cpu_take_interrupts cpu_take_for_real
#include "../../../../../kernel/x86/cpu.h"
#undef cpu_halt_until_interrupt
#undef cpu_take_interrupts

static inline void cpu_halt_until_interrupt(void)
{
	sched_yield();
}

static inline void cpu_take_interrupts(void)
{
}
