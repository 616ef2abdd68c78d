/* SPDX-License-Identifier: BSD-2-Clause */
/* COM1: output waits for the transmitter, input comes by interrupt through IOAPIC pin 4. */
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"
#include "tests/guests/lib/guest.h"

enum {
	COM1 = 0x3f8,
	UART_DATA = COM1,
	UART_IER = COM1 + 1,
	UART_FCR = COM1 + 2,
	UART_LCR = COM1 + 3,
	UART_MCR = COM1 + 4,
	UART_LSR = COM1 + 5,
	LSR_RECEIVED = 1,
	LSR_EMPTY = 0x20,
	COM1_PIN = 4,
	INPUT_BYTES = 4096,
};

static volatile u32 input_begin, input_end;
static char input[INPUT_BYTES];

static void put(char c)
{
	while (!(port_in8(UART_LSR) & LSR_EMPTY))
		cpu_pause();
	port_out8(UART_DATA, (u8)c);
}

static void put_text(const char *text)
{
	while (*text)
		put(*text++);
}

/* A line at a time, so that lines of several CPUs do not mix. */
static void say_va(const char *text, va_list arguments)
{
	static volatile u32 lock;
	char line[512];

	format_va(line, sizeof(line), text, arguments);
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		cpu_pause();
	put_text(line);
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

void say(const char *text, ...)
{
	va_list arguments;

	va_start(arguments, text);
	say_va(text, arguments);
	va_end(arguments);
}

void die(const char *text, ...)
{
	va_list arguments;

	interrupts_off();
	put_text("guest died: ");
	va_start(arguments, text);
	say_va(text, arguments);
	va_end(arguments);
	put('\n');
	cpu_halt_forever();
}

/* For kernel/lib, which we are linked with. */
void check_failed(const char *file, int line, const char *what)
{
	die("%s:%d: %s", file, line, what);
}

static void input_ready(struct frame *frame)
{
	(void)frame;
	while (port_in8(UART_LSR) & LSR_RECEIVED) {
		char c = (char)port_in8(UART_DATA);

		if (input_end - input_begin < INPUT_BYTES) {
			input[input_end % INPUT_BYTES] = c;
			input_end++;
		}
	}
	apic_eoi();
}

static char get(void)
{
	interrupts_off();
	while (input_begin == input_end)
		cpu_halt_until_interrupt();
	char c = input[input_begin % INPUT_BYTES];
	input_begin++;
	interrupts_enable();
	return c;
}

void console_line(char *to, u32 bytes)
{
	static bool listening;
	u32 length = 0;

	if (!listening) {
		listening = true;
		interrupt_on(VECTOR_CONSOLE, input_ready);
		ioapic_route(COM1_PIN, VECTOR_CONSOLE, 0);
		port_out8(UART_IER, 1);
	}
	for (;;) {
		char c = get();

		if (c == '\r' || c == '\n')
			break;
		if (length + 1 < bytes)
			to[length++] = c;
	}
	to[length] = 0;
}

void console_init(void)
{
	port_out8(UART_IER, 0);
	port_out8(UART_LCR, 0x80);
	port_out8(UART_DATA, 1); /* 115200 */
	port_out8(UART_IER, 0);
	port_out8(UART_LCR, 3);
	port_out8(UART_FCR, 7);
	port_out8(UART_MCR, 0xb); /* DTR, RTS, and OUT2, which lets interrupts through */
}
