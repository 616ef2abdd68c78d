/* SPDX-License-Identifier: BSD-2-Clause */
/* A 16550 as the management wire: interrupts both ways, polled while the machine starts and in a panic. */
#pragma once
#include "kernel/lib/types.h"

/* Set it up (115200 8N1) and attach it to the wire.  False: nobody answers at that port; the wire then keeps output in its ring. */
bool uart_init(u16 port);
/* Its interrupt's handler; and let it interrupt for input from now on. */
void uart_interrupt(void);
void uart_listen(void);
