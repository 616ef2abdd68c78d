/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A 16550A at COM1 (National PC16550D data sheet).  Transmission is immediate; received bytes wait with the host until there is
 * room, so none is ever lost to an overrun but in loopback.  Drivers probe with interrupts enabled and in loopback, clear the
 * receiver and read it empty when they start: what was typed ahead arrives behind all that.  Called with the PC's lock.
 */
#pragma once
#include "kernel/lib/types.h"

struct pc;

enum { UART_FIFO_BYTES = 16 };

struct uart_fifo {
	u8 bytes[UART_FIFO_BYTES];
	u8 first, count;
};

struct uart {
	u8 ier, fcr, lcr, mcr, scratch;
	u8 divisor[2];
	u8 modem_delta; /* low half of MSR */
	struct uart_fifo rx;
	struct uart_fifo ahead; /* typed ahead and taken from the host already: older than what waits there */
	bool overrun;
	bool thr_empty; /* the THRE interrupt is pending */
	bool host_has_input;
	bool looped;     /* some of rx came by loopback */
	u64 quiet_until; /* VM TSC before which a polling guest hears nothing */
};

void pc_uart_reset(struct pc *pc);
u32 pc_uart_read(struct pc *pc, u16 port, u32 size);
void pc_uart_write(struct pc *pc, u16 port, u32 size, u32 value);
void pc_uart_input(struct pc *pc); /* the host has bytes again */
const char *pc_uart_audit(struct pc *pc);
