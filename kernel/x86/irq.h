/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host interrupts.  They arrive in two places only: as an IDT gate out of `sti; hlt` (idle) or a window between two steps, and as a
 * VM exit with acknowledge-on-exit.  Both call irq_dispatch, with IF=0, on the CPU that took it.
 */
#pragma once
#include "kernel/lib/types.h"

enum irq_vector {
	IRQ_FIRST = 32,
	IRQ_UART = 0x40,
	IRQ_TIMER = 0xe0,
	IRQ_KICK = 0xf0, /* leave the guest or idle; there is nothing else to do */
	IRQ_ERROR = 0xfe,
	IRQ_SPURIOUS = 0xff, /* gets no EOI (SDM vol. 3A, 11.9) */
};

/* The function runs within a step and must be short. Set before the vector can arrive; each vector once (CHECK). */
void irq_set_handler(u32 vector, void (*handler)(void));
/* Run the vector's handler and end the interrupt at the local APIC. A vector without handler is counted and logged once. */
void irq_dispatch(u32 vector);

/* What this file calls up for: an interrupt ended idle (or a window between steps), so a step begins. */
void irq_left_idle(void);
