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
	QUIET_MS = 10, /* of the line after the receiver was cleared */
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
	if (uart->ier & IER_RX && uart->rx.count >= wanted)
		return IIR_RX;
	if (uart->ier & IER_RX && uart->rx.count) /* the line is idle: the time-out is now */
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

static void push(struct uart_fifo *queue, u8 byte)
{
	CHECK(queue->count < UART_FIFO_BYTES);
	queue->bytes[(queue->first + queue->count++) % UART_FIFO_BYTES] = byte;
}

static u8 pop(struct uart_fifo *queue)
{
	u8 byte = queue->bytes[queue->first];

	CHECK(queue->count > 0);
	queue->first = (u8)((queue->first + 1) % UART_FIFO_BYTES);
	queue->count--;
	return byte;
}

static u32 room(const struct uart *uart)
{
	u32 most = fifo(uart) ? UART_FIFO_BYTES : 1;

	return most > uart->rx.count ? most - uart->rx.count : 0;
}

static void loop_back(struct uart *uart, u8 byte)
{
	if (room(uart))
		push(&uart->rx, byte);
	else
		uart->overrun = true;
	uart->looped = true;
}

/* The receiver's bytes have not arrived yet.  Both queues hold FIFO_BYTES at most: while one is ahead none comes from the host. */
static void take_back(struct uart *uart)
{
	struct uart_fifo later = uart->ahead;

	uart->ahead = uart->rx;
	uart->rx.count = 0;
	while (later.count)
		push(&uart->ahead, pop(&later));
}

/* What a driver that is starting, or only polls, has fetched counts as typed ahead (`keep`); what came by loopback goes. */
static void clear_receiver(struct pc *pc, bool keep)
{
	struct uart *uart = &pc->uart;

	if (keep && !uart->looped)
		take_back(uart);
	uart->rx.count = 0;
	uart->looped = false;
	uart->quiet_until = pc_now(pc) + pc->tsc_khz * QUIET_MS;
}

static bool next_byte(struct pc *pc, u8 *byte)
{
	struct uart *uart = &pc->uart;

	if (uart->ahead.count) {
		*byte = pop(&uart->ahead);
		return true;
	}
	if (uart->host_has_input)
		uart->host_has_input = pc->host->console_take(pc->vm, byte);
	return uart->host_has_input;
}

/* Take up to `most` bytes that wait. */
static void refill(struct pc *pc, u32 most)
{
	struct uart *uart = &pc->uart;
	u8 byte;

	for (u32 i = 0; i < most && room(uart) && !(uart->mcr & MCR_LOOP) && next_byte(pc, &byte); i++)
		push(&uart->rx, byte);
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

	if (uart->rx.count)
		byte = pop(&uart->rx);
	if (uart->rx.count == 0)
		uart->looped = false;
	if (uart->ier & IER_RX)
		refill(pc, UART_FIFO_BYTES);
	return byte;
}

/* A guest that polls is given one byte at a time: what it never reads stays with the host. */
static u32 read_line_status(struct pc *pc)
{
	struct uart *uart = &pc->uart;
	u32 value = LSR_THR_EMPTY | LSR_IDLE;

	if (uart->rx.count == 0 && (uart->ier & IER_RX || pc_now(pc) >= uart->quiet_until))
		refill(pc, 1);
	value |= (uart->rx.count ? LSR_DATA : 0) | (uart->overrun ? LSR_OVERRUN : 0);
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

static void write_modem(struct pc *pc, u32 value)
{
	struct uart *uart = &pc->uart;
	u32 before = modem_lines(uart);

	if (value & ~uart->mcr & MCR_LOOP && !uart->looped)
		take_back(uart);
	uart->mcr = value & MCR_WRITABLE;
	u32 after = modem_lines(uart), changed = (before ^ after) & (u32)~MSR_RING;

	if (before & ~after & MSR_RING)
		changed |= MSR_RING; /* ring reports only its end */
	uart->modem_delta |= (u8)(changed >> 4);
	if (uart->ier & IER_RX)
		refill(pc, UART_FIFO_BYTES);
}

/* ---- registers ---- */

static void write_data(struct pc *pc, u8 byte)
{
	struct uart *uart = &pc->uart;

	if (uart->mcr & MCR_LOOP)
		loop_back(uart, byte);
	else
		pc->host->console_put(pc->vm, byte);
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

	bool switched = (value ^ uart->fcr) & FCR_ENABLE, clear = value & FCR_ENABLE && value & FCR_CLEAR_RX;

	if (switched || clear)
		clear_receiver(pc, switched || !(uart->ier & IER_RX));
	uart->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
	if (uart->ier & IER_RX)
		refill(pc, UART_FIFO_BYTES);
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
		write_modem(pc, value);
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

	if (uart->rx.first >= UART_FIFO_BYTES || uart->ahead.first >= UART_FIFO_BYTES)
		return "uart: FIFO out of range";
	if (uart->ahead.count + (uart->looped ? 0 : uart->rx.count) > UART_FIFO_BYTES)
		return "uart: more is typed ahead than was taken";
	if (uart->ier & ~IER_WRITABLE || uart->mcr & ~MCR_WRITABLE || uart->fcr & ~FCR_KEPT)
		return "uart: a register holds what cannot be written";
	if ((pc->ioapic.lines >> IRQ_COM1 & 1) != wants_line(uart))
		return "uart: IRQ 4 differs from what the registers say";
	return NULL;
}
