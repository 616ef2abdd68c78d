/* SPDX-License-Identifier: BSD-2-Clause */
/* Host time: the calibrated TSC, and one-shot timers on the CPU that arms them (TSC-deadline interrupt of the local APIC). */
#pragma once
#include "kernel/lib/types.h"
#include <sys/queue.h>

extern u64 tsc_khz; /* calibrated at start against the PM timer, HPET or PIT */

u64 time_tsc(void);
u64 time_ns(void); /* since the kernel's entry; 0 until the clock is calibrated */
u64 time_ns_to_tsc(u64 ns);
u64 time_tsc_to_ns(u64 ticks);

struct timer {
	LIST_ENTRY(timer) link;
	u64 deadline_tsc; /* 0: not armed */
	u32 cpu;
	void (*expired)(struct timer *timer); /* on its CPU, interrupts off, within a step; may arm again */
};

/* (Re-)arm on this CPU for an absolute host TSC value; a deadline in the past fires at the next opportunity. */
void timer_arm(struct timer *timer, u64 deadline_tsc);
/* Disarm; from another CPU than its own only while it cannot fire there: call it on its CPU. */
void timer_cancel(struct timer *timer);
/* The timer interrupt's handler: runs what is due on this CPU and arms the next. */
void timer_interrupt(void);

/* What timer.c asks of the machine: raise the timer interrupt on this CPU at that TSC value (past: at once; 0: not at all). */
void timer_program(u64 deadline_tsc);

/* Start list (time.c): the moment of entry; measure the TSC on the boot CPU; then each CPU sets its APIC timer up. */
void time_begin(void);
void time_init(void);
void time_init_cpu(void);
/* Spin; for the start of the machine and its end only. */
void time_wait_us(u64 us);
