/* SPDX-License-Identifier: BSD-2-Clause */
/* PC16550D data sheet. */
#include "drivers/uart.h"
#include "kernel/core/timer.h"
#include "kernel/core/wire.h"
#include "kernel/lib/check.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/irq.h"
#include "kernel/x86/paging.h"

enum uart_register { DATA, INTERRUPTS, FIFO, IDENTIFICATION = FIFO, LINE, MODEM, STATUS, MODEM_STATUS, SCRATCH, REGISTERS };

enum {
	DIVISOR_LOW = DATA,
	DIVISOR_HIGH = INTERRUPTS,
	CLOCKS_PER_BIT = 16,
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
	LOOK_NS = 1000000, /* 16 bytes take 1.4 ms at 115200 */
};

static struct uart {
	struct uart_place place;
	u8 *mapped; /* NULL: by ports */
	u8 enabled; /* of the INTERRUPTS register; changed under the wire's lock, or before anyone else runs */
} uart;

static u8 get(u32 reg)
{
	const void *at = uart.mapped + (size_t)reg * uart.place.stride;

	ASSERT(reg < REGISTERS);
	if (!uart.mapped)
		return port_in8((u16)(uart.place.address + reg));
	if (uart.place.access_bytes == 4)
		return (u8) * (const volatile u32 *)at;
	return uart.place.access_bytes == 2 ? (u8) * (const volatile u16 *)at : *(const volatile u8 *)at;
}

static void set(u32 reg, u8 value)
{
	void *at = uart.mapped + (size_t)reg * uart.place.stride;

	ASSERT(reg < REGISTERS);
	if (!uart.mapped)
		port_out8((u16)(uart.place.address + reg), value);
	else if (uart.place.access_bytes == 4)
		*(volatile u32 *)at = value;
	else if (uart.place.access_bytes == 2)
		*(volatile u16 *)at = value;
	else
		*(volatile u8 *)at = value;
}

static void enable(u8 interrupts)
{
	if (interrupts == uart.enabled)
		return;
	uart.enabled = interrupts;
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
	enable((u8)(more ? uart.enabled | INTERRUPT_OUTPUT : uart.enabled & ~INTERRUPT_OUTPUT));
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

/* A speed that its clock cannot make stays as it is, too. */
static void set_speed(void)
{
	u64 baud = uart.place.baud;
	u64 divisor = baud ? (uart.place.clock_hz / CLOCKS_PER_BIT + baud / 2) / baud : 0;

	if (divisor == 0 || divisor > UINT16_MAX)
		return;
	set(LINE, LINE_8N1 | LINE_DIVISOR);
	set(DIVISOR_LOW, (u8)divisor);
	set(DIVISOR_HIGH, (u8)(divisor >> 8));
}

bool uart_init(const struct uart_place *place)
{
	struct uart before = uart;

	CHECK(place->address != 0 && before.enabled == 0);
	CHECK(!place->in_memory || (place->access_bytes && place->stride >= place->access_bytes));
	uart.place = *place;
	uart.mapped = NULL;
	if (place->in_memory)
		uart.mapped = paging_map_device(place->address, REGISTERS * place->stride, PAGING_UNCACHED);
	if (!answers()) {
		uart = before;
		return false;
	}
	set(INTERRUPTS, 0);
	set_speed();
	set(LINE, LINE_8N1);
	set(FIFO, FIFO_ENABLE | FIFO_TRIGGER_8);
	set(MODEM, MODEM_DTR_RTS_OUT2);
	wire_attach(&wire);
	return true;
}

void uart_listen(void)
{
	if (uart.place.address != 0)
		enable(uart.enabled | INTERRUPT_INPUT);
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

static void look(struct timer *timer)
{
	take_input();
	wire_can_send();
	timer_arm(timer, time_tsc() + time_ns_to_tsc(LOOK_NS));
}

void uart_look(void)
{
	static struct timer timer = { .expired = look };

	if (uart.place.address != 0)
		look(&timer);
}
