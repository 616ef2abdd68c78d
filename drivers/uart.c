/* SPDX-License-Identifier: BSD-2-Clause */
/* PC16550D data sheet. */
#include "drivers/uart.h"
#include "kernel/core/wire.h"
#include "kernel/lib/check.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/irq.h"

enum uart_register { DATA, INTERRUPTS, FIFO, IDENTIFICATION = FIFO, LINE, MODEM, STATUS, MODEM_STATUS, SCRATCH };

enum {
	DIVISOR_LOW = DATA,
	DIVISOR_HIGH = INTERRUPTS,
	DIVISOR_115200 = 1,
	INTERRUPT_INPUT = 1,
	INTERRUPT_OUTPUT = 2,
	FIFO_ENABLE = 0x01,
	FIFO_TRIGGER_8 = 0x80,
	FIFO_BYTES = 16,
	LINE_8N1 = 0x03,
	LINE_DIVISOR = 0x80,
	MODEM_DTR_RTS_OUT2 = 0x0b, /* OUT2 connects the interrupt on a PC */
	STATUS_INPUT = 0x01,
	STATUS_CAN_SEND = 0x20,
	STATUS_SENT_ALL = 0x40, /* FIFO and shift register are empty */
	NOT_THERE = 0xff,
	NOTHING_PENDING = 0x01,
	ROUNDS = 4,
};

static u16 base;
static u8 enabled; /* of the INTERRUPTS register; changed under the wire's lock, or before anyone else runs */

static u8 get(enum uart_register reg)
{
	return port_in8((u16)(base + reg));
}

static void set(u32 reg, u8 value)
{
	port_out8((u16)(base + reg), value);
}

static void enable(u8 interrupts)
{
	if (interrupts == enabled)
		return;
	enabled = interrupts;
	set(INTERRUPTS, interrupts);
}

/* The transmitter's FIFO is empty when it says that it can send, and then takes 16. */
static u32 uart_send(const u8 *bytes, u32 count)
{
	u32 sent = 0;

	if (!(get(STATUS) & STATUS_CAN_SEND))
		return 0;
	for (; sent < count && sent < FIFO_BYTES; sent++)
		set(DATA, bytes[sent]);
	return sent;
}

static void uart_want(bool more)
{
	enable((u8)(more ? enabled | INTERRUPT_OUTPUT : enabled & ~INTERRUPT_OUTPUT));
}

static bool uart_idle(void)
{
	return get(STATUS) & STATUS_SENT_ALL;
}

static const struct wire_port wire = { .send = uart_send, .want = uart_want, .idle = uart_idle };

/* An empty bus reads as ones, and keeps nothing. */
static bool answers(void)
{
	set(SCRATCH, 0xa5);
	return get(SCRATCH) == 0xa5 && get(STATUS) != NOT_THERE;
}

bool uart_init(u16 port)
{
	CHECK(port != 0);
	base = port;
	if (!answers())
		return false;
	set(INTERRUPTS, 0);
	set(LINE, LINE_8N1 | LINE_DIVISOR);
	set(DIVISOR_LOW, DIVISOR_115200);
	set(DIVISOR_HIGH, 0);
	set(LINE, LINE_8N1);
	set(FIFO, FIFO_ENABLE | FIFO_TRIGGER_8);
	set(MODEM, MODEM_DTR_RTS_OUT2);
	wire_attach(&wire);
	return true;
}

void uart_listen(void)
{
	CHECK(base != 0);
	enable(enabled | INTERRUPT_INPUT);
}

static void take_input(void)
{
	u8 bytes[FIFO_BYTES];
	u32 count = 0;

	while (count < sizeof(bytes) && (get(STATUS) & STATUS_INPUT))
		bytes[count++] = get(DATA);
	if (count > 0)
		wire_received(bytes, count);
}

/* Edge-triggered: while a reason is pending there is no other edge.  Whoever leaves with one pending comes back by himself. */
void uart_interrupt(void)
{
	for (u32 round = 0; round < ROUNDS; round++) {
		if (get(IDENTIFICATION) & NOTHING_PENDING)
			return;
		take_input();
		wire_can_send();
	}
	apic_ipi(apic_id(), IRQ_UART);
}
