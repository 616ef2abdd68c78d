/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC of this CPU: x2APIC where there is one, else xAPIC by its page.  SDM vol. 3A, 11. */
#pragma once
#include "kernel/lib/types.h"

/* Choose the mode and map the registers: boot CPU, once, before apic_enable. */
void apic_init(void);
/* Switch this CPU's APIC on: error and spurious vectors set, everything else masked. */
void apic_enable(void);
bool apic_is_x2(void);
u32 apic_id(void);
void apic_eoi(void);

/* IPIs to another CPU by its APIC ID; fixed delivery, or what the name says. Cheap, any CPU. */
void apic_ipi(u32 id, u32 vector);
void apic_nmi(u32 id);
void apic_nmi_others(void);
/* Starting a CPU: INIT, then SIPI with the page number (below 256) where it begins in real mode. */
void apic_init_ipi(u32 id);
void apic_start_ipi(u32 id, u32 page);

/*
 * The timer, one-shot on IRQ_TIMER.  apic_timer_at takes a host TSC value (past: at once; 0: off).  Without TSC-deadline it counts bus
 * ticks and may fire early when the deadline is far away: the handler looks at the clock anyway.
 */
void apic_timer_init(void);
void apic_timer_at(u64 deadline_tsc);
bool apic_timer_is_deadline(void);
/* For calibration: run the bus counter down from its largest value; read what is left of it. */
void apic_counter_start(void);
u32 apic_counter(void);
/* Bus ticks (divided by 16) in `tsc` ticks of the same stretch: what apic_timer_at converts with. */
void apic_counter_calibrated(u64 ticks, u64 tsc);
