/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/uart.h"
#include "devices/pc.h"

enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

enum {
	IER_RX = 1,
	IER_THRE = 2,
	IER_LINE = 4,
	IER_MODEM = 8,
	IER_WRITABLE = 0xf,
	IIR_NONE = 1,
	IIR_MODEM = 0,
	IIR_THRE = 2,
	IIR_RX = 4,
	IIR_LINE = 6,
	IIR_TIMEOUT = 0xc,
	IIR_FIFO = 0xc0,
	FCR_ENABLE = 1,
	FCR_CLEAR_RX = 2,
	FCR_KEPT = 0xc1,
	LCR_DLAB = 0x80,
	MCR_OUT2 = 8,
	MCR_LOOP = 0x10,
	MCR_WRITABLE = 0x1f,
	LSR_DATA = 1,
	LSR_OVERRUN = 2,
	LSR_THR_EMPTY = 0x20,
	LSR_IDLE = 0x40,
	MSR_CONNECTED = 0xb0, /* carrier, data set ready, clear to send */
	MSR_RING = 0x40,
	QUIET_MS = 10,        /* of the line after the receiver was cleared */
};

static const struct uart power_on = { .thr_empty = false, .divisor = { 1, 0 } };

void pc_uart_reset(struct pc *pc)
{
	pc->uart = power_on;
	pc->uart.host_has_input = true; /* ask once */
}

static bool fifo(const struct uart *uart)
{
	return uart->fcr & FCR_ENABLE;
}

/* ---- interrupts ---- */

static u32 identify(const struct uart *uart)
{
	static const u8 trigger[] = { 1, 4, 8, 14 };
	u32 wanted = fifo(uart) ? trigger[uart->fcr >> 6] : 1;

	if (uart->ier & IER_LINE && uart->overrun)
		return IIR_LINE;
	if (uart->ier & IER_RX && uart->rx_count >= wanted)
		return IIR_RX;
	if (uart->ier & IER_RX && uart->rx_count) /* the line is idle: the time-out is now */
		return IIR_TIMEOUT;
	if (uart->ier & IER_THRE && uart->thr_empty)
		return IIR_THRE;
	if (uart->ier & IER_MODEM && uart->modem_delta)
		return IIR_MODEM;
	return IIR_NONE;
}

/* OUT2 connects the interrupt pin to the bus, and loopback drops OUT2. */
static bool wants_line(const struct uart *uart)
{
	return identify(uart) != IIR_NONE && (uart->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;
}

static void update(struct pc *pc)
{
	pc_line(pc, IRQ_COM1, wants_line(&pc->uart));
}

/* ---- receiver ---- */

static void receive(struct uart *uart, u8 byte)
{
	u32 room = fifo(uart) ? UART_FIFO_BYTES : 1;

	if (uart->rx_count >= room) {
		uart->overrun = true;
		return;
	}
	uart->rx[(uart->rx_first + uart->rx_count++) % UART_FIFO_BYTES] = byte;
	CHECK(uart->rx_count <= UART_FIFO_BYTES);
}

static bool quiet(struct pc *pc)
{
	const struct uart *uart = &pc->uart;

	return !(uart->ier & IER_RX) && !(uart->mcr & MCR_LOOP) && pc_now(pc) < uart->quiet_until;
}

/* What a poll of the line status has fetched is part of what is typed ahead; what came by loopback is not. */
static void clear_receiver(struct pc *pc)
{
	struct uart *uart = &pc->uart;

	uart->quiet_until = pc_now(pc) + pc->tsc_khz * QUIET_MS;
	if (uart->looped || !quiet(pc))
		uart->rx_count = 0;
	uart->looped = false;
}

/* Take up to `most` bytes that wait with the host. */
static void refill(struct pc *pc, u32 most)
{
	struct uart *uart = &pc->uart;
	u32 room = fifo(uart) ? UART_FIFO_BYTES : 1;
	u8 byte;

	while (uart->host_has_input && uart->rx_count < min_u64(room, most) && !(uart->mcr & MCR_LOOP)) {
		uart->host_has_input = pc->host->console_take(pc->vm, &byte);
		if (uart->host_has_input)
			receive(uart, byte);
	}
}

void pc_uart_input(struct pc *pc)
{
	pc->uart.host_has_input = true;
	if (pc->uart.ier & IER_RX)
		refill(pc, UART_FIFO_BYTES);
	update(pc);
}

static u32 read_data(struct pc *pc)
{
	struct uart *uart = &pc->uart;
	u8 byte = 0;

	if (uart->rx_count && !quiet(pc)) {
		byte = uart->rx[uart->rx_first];
		uart->rx_first = (u8)((uart->rx_first + 1) % UART_FIFO_BYTES);
		uart->rx_count--;
	}
	if (uart->ier & IER_RX)
		refill(pc, UART_FIFO_BYTES);
	return byte;
}

/* A guest that polls is given one byte at a time: what it never reads stays with the host. */
static u32 read_line_status(struct pc *pc)
{
	struct uart *uart = &pc->uart;
	u32 value = LSR_THR_EMPTY | LSR_IDLE;

	if (uart->host_has_input && uart->rx_count == 0 && !quiet(pc))
		refill(pc, 1);
	value |= (uart->rx_count && !quiet(pc) ? LSR_DATA : 0) | (uart->overrun ? LSR_OVERRUN : 0);
	uart->overrun = false;
	return value;
}

/* ---- modem ---- */

/* In loopback the outputs come back: RTS as CTS, DTR as DSR, OUT1 as ring, OUT2 as carrier. */
static u32 modem_lines(const struct uart *uart)
{
	u32 mcr = uart->mcr;

	if (!(mcr & MCR_LOOP))
		return MSR_CONNECTED;
	return (mcr & 2) << 3 | (mcr & 1) << 5 | (mcr & 4) << 4 | (mcr & 8) << 4;
}

static void write_modem(struct uart *uart, u32 value)
{
	u32 before = modem_lines(uart);

	uart->mcr = value & MCR_WRITABLE;
	u32 after = modem_lines(uart), changed = (before ^ after) & (u32)~MSR_RING;

	if (before & ~after & MSR_RING)
		changed |= MSR_RING; /* ring reports only its end */
	uart->modem_delta |= (u8)(changed >> 4);
}

/* ---- registers ---- */

static void write_data(struct pc *pc, u8 byte)
{
	struct uart *uart = &pc->uart;

	if (uart->mcr & MCR_LOOP) {
		receive(uart, byte);
		uart->looped = true;
	} else {
		pc->host->console_put(pc->vm, byte);
	}
	/* The line drops while the byte is in the register: the 8259 and the IOAPIC see an edge for each byte sent. */
	uart->thr_empty = false;
	update(pc);
	uart->thr_empty = true;
}

static void write_enable(struct pc *pc, u32 value)
{
	struct uart *uart = &pc->uart;
	u8 before = uart->ier;

	uart->ier = value & IER_WRITABLE;
	if (uart->ier & ~before & IER_THRE)
		uart->thr_empty = true; /* enabling it with an empty register interrupts at once; drivers test for that */
	if (uart->ier & IER_RX)
		refill(pc, UART_FIFO_BYTES);
}

static void write_fifo(struct pc *pc, u32 value)
{
	struct uart *uart = &pc->uart;

	if ((value ^ uart->fcr) & FCR_ENABLE || (value & FCR_ENABLE && value & FCR_CLEAR_RX))
		clear_receiver(pc);
	uart->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
}

static u32 read_identification(struct uart *uart)
{
	u32 value = identify(uart);

	if (value == IIR_THRE)
		uart->thr_empty = false;
	return value | (fifo(uart) ? IIR_FIFO : 0);
}

static u32 read_modem_status(struct uart *uart)
{
	u32 value = modem_lines(uart) | uart->modem_delta;

	uart->modem_delta = 0;
	return value;
}

static u32 read_register(struct pc *pc, u32 reg)
{
	struct uart *uart = &pc->uart;

	switch (reg) {
	case RBR_THR:
		return read_data(pc);
	case IER:
		return uart->ier;
	case IIR_FCR:
		return read_identification(uart);
	case LCR:
		return uart->lcr;
	case MCR:
		return uart->mcr;
	case LSR:
		return read_line_status(pc);
	case MSR:
		return read_modem_status(uart);
	default:
		return uart->scratch;
	}
}

static void write_register(struct pc *pc, u32 reg, u32 value)
{
	struct uart *uart = &pc->uart;

	switch (reg) {
	case RBR_THR:
		write_data(pc, (u8)value);
		break;
	case IER:
		write_enable(pc, value);
		break;
	case IIR_FCR:
		write_fifo(pc, value);
		break;
	case LCR:
		uart->lcr = (u8)value;
		break;
	case MCR:
		write_modem(uart, value);
		break;
	case SCR:
		uart->scratch = (u8)value;
		break;
	default: /* the status registers are for reading */
		break;
	}
}

u32 pc_uart_read(struct pc *pc, u16 port, u32 size)
{
	u32 reg = port & 7;

	CHECK(size == 1 && lock_is_mine(&pc->lock));
	if (reg <= IER && pc->uart.lcr & LCR_DLAB)
		return pc->uart.divisor[reg];
	u32 value = read_register(pc, reg);

	update(pc);
	return value;
}

void pc_uart_write(struct pc *pc, u16 port, u32 size, u32 value)
{
	u32 reg = port & 7;

	CHECK(size == 1 && lock_is_mine(&pc->lock));
	if (reg <= IER && pc->uart.lcr & LCR_DLAB) {
		pc->uart.divisor[reg] = (u8)value;
		return;
	}
	write_register(pc, reg, value);
	update(pc);
}

const char *pc_uart_audit(struct pc *pc)
{
	const struct uart *uart = &pc->uart;

	if (uart->rx_count > UART_FIFO_BYTES || uart->rx_first >= UART_FIFO_BYTES)
		return "uart: FIFO out of range";
	if (uart->ier & ~IER_WRITABLE || uart->mcr & ~MCR_WRITABLE || uart->fcr & ~FCR_KEPT)
		return "uart: a register holds what cannot be written";
	if ((pc->ioapic.lines >> IRQ_COM1 & 1) != wants_line(uart))
		return "uart: IRQ 4 differs from what the registers say";
	return NULL;
}
