/* SPDX-License-Identifier: BSD-2-Clause */
/* Host tests see this instead of kernel/x86/cpu.h: a processor whose halt gives the other threads a turn. */
#pragma once
#include <sched.h>

static inline void cpu_halt_until_interrupt(void)
{
	sched_yield();
}
