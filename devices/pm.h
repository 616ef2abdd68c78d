/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI power management (ACPI 6.3, 4.8): PM1a event and control registers, the 32-bit PM timer, the SCI on IRQ 9.  ACPI mode is
 * always on (SCI_EN = 1, no SMI command port). Called with the PC's lock, but the timer.
 */
#pragma once
#include "kernel/lib/types.h"

struct pc;

/* Ports, as the FADT names them. */
enum { PM_EVENT = 0x600, PM_CONTROL = 0x604, PM_TIMER = 0x608 };
enum { PM_S5_TYPE = 5 }; /* \_S5's SLP_TYP in the DSDT */

struct pm {
	u16 status, enable, control;
	u64 last; /* PM timer ticks up to which TMR_STS has been set */
	u64 next; /* VM TSC of the next timer interrupt, or PC_NEVER */
};

void pm_reset(struct pc *pc);
u32 pm_read(struct pc *pc, u16 port, u32 size);
void pm_write(struct pc *pc, u16 port, u32 size, u32 value);
u32 pm_read_timer(struct pc *pc, u16 port, u32 size); /* takes no lock */
void pm_power_button(struct pc *pc);
void pm_rtc_alarm(struct pc *pc); /* the RTC's alarm has raised IRQ 8 */
void pm_run(struct pc *pc, u64 now);
const char *pm_audit(struct pc *pc);
