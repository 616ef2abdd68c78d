/* SPDX-License-Identifier: BSD-2-Clause */
/* A 16550 as the management wire: interrupts both ways, polled while the machine starts and in a panic. */
#pragma once
#include "kernel/lib/types.h"

struct uart_place {
	bool in_memory;
	u64 address;             /* of the first register: an I/O port, or physical memory */
	u8 access_bytes, stride; /* in memory: how wide a register is, and how far from the next */
	u32 clock_hz;
	u32 baud; /* 0: it stays as firmware has set it */
};

/*
 * Set it up (8N1) and make it the wire's port.  False: nobody answers at that place; the one before, if there is one, stays.  A place in
 * memory needs paging.
 */
bool uart_init(const struct uart_place *place);
/* Take input from now on, by its interrupt; or, where nothing carries that here, by looking again and again. */
void uart_listen(void);
void uart_look(void);
void uart_interrupt(void); /* its handler */
