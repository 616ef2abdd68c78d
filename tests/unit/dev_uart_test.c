/* SPDX-License-Identifier: BSD-2-Clause */
/* The 16550 as the drivers of Linux and FreeBSD probe, start and run it; nothing sent or typed is lost. */
#include "tests/unit/support/pc_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { DATA = PC_COM1, IER, FCR, LCR, MCR, LSR, MSR, SCR, IIR = FCR };
enum { MILLISECOND = 1000000, VECTOR = 0x24 };
enum { DTR = 1, RTS = 2, OUT1 = 4, OUT2 = 8, LOOP = 0x10, DR = 1, OE = 2, THRE = 0x20, TEMT = 0x40 };
enum { RDI = 1, THRI = 2, RLSI = 4, MSI = 8, NO_INT = 1, DLAB = 0x80 };

/* IRQ 4 as Linux has it: edge-triggered at the IOAPIC. */
static void start(void)
{
	fake_pc(1);
	fake_x2apic();
	fake_ioapic_set(4, VECTOR);
}

static void open_port(void)
{
	start();
	out8(FCR, 0x81); /* FIFO on, interrupt at 8 */
	out8(LCR, 3);
	out8(MCR, DTR | RTS | OUT2);
	out8(IER, RDI | RLSI);
}

static u32 take_irqs(void)
{
	u32 count = 0;

	while (fake_take(0) == VECTOR)
		count++;
	return count;
}

static bool output_is(const char *text)
{
	return fake.output_bytes == strlen(text) && memcmp(fake.output, text, strlen(text)) == 0;
}

static void send(const char *text)
{
	while (*text)
		out8(DATA, (u8)*text++);
}

/* ---- probing ---- */

/* autoconfig() of Linux's 8250.c, step by step. */
static void linux_finds_a_16550a(void **state)
{
	(void)state;
	start();
	out8(IER, 0);
	assert_int_equal(in8(IER) & 0xf, 0);
	out8(IER, 0xf);
	assert_int_equal(in8(IER) & 0xf, 0xf);
	out8(IER, 0);
	u8 lcr = in8(LCR), mcr = in8(MCR);

	out8(MCR, LOOP | OUT2 | RTS);
	assert_int_equal(in8(MSR) & 0xf0, 0x90);
	out8(MCR, mcr);
	out8(LCR, 0xbf); /* of a 16650 the FIFO register would be another here */
	out8(FCR, 0);
	out8(LCR, 0);
	out8(FCR, 1);
	assert_int_equal(in8(IIR) >> 6, 3);
	out8(LCR, 0x80);
	assert_int_not_equal(in8(IIR), 0); /* not a 16850's EFR */
	out8(LCR, 0xbf);
	assert_int_not_equal(in8(IIR), 0);
	out8(LCR, 0);
	out8(IER, 0x40);
	assert_int_equal(in8(IER) & 0x40, 0); /* nor XScale's */
	out8(LCR, lcr);
}

/* size_fifo() of Linux: count what comes back by loopback. */
static void its_fifo_holds_16_bytes(void **state)
{
	(void)state;
	start();
	out8(LCR, 0);
	out8(FCR, 7);
	out8(MCR, LOOP);
	out8(LCR, 0x80);
	out8(DATA, 1);
	out8(IER, 0);
	assert_int_equal(in8(DATA), 1);
	out8(LCR, 3);
	for (u32 i = 0; i < 256; i++)
		out8(DATA, i);
	u32 count = 0;

	while (count < 256 && in8(LSR) & DR) {
		assert_int_equal(in8(DATA), count);
		count++;
	}
	assert_int_equal(count, 16);
	assert_int_equal(fake.output_bytes, 0);
}

/* ns8250_bus_probe() of FreeBSD sends by loopback until the receiver says overrun. */
static void an_overrun_in_loopback_is_reported_once(void **state)
{
	(void)state;
	start();
	out8(FCR, 7);
	out8(MCR, LOOP | DTR | RTS);
	u32 sent = 0;

	while (!(in8(LSR) & OE) && sent < 100) {
		out8(DATA, 0x5a);
		sent++;
	}
	assert_int_equal(sent, 17);
	assert_int_equal(in8(LSR) & OE, 0);
	out8(FCR, 7);
	assert_int_equal(in8(LSR) & DR, 0);
}

/* serial8250_do_startup(): UART_BUG_THRE and UART_BUG_TXEN must not be found, or Linux polls by a timer. */
static void the_transmitter_interrupts_at_once_when_enabled(void **state)
{
	(void)state;
	start();
	for (u32 i = 0; i < 2; i++) {
		out8(IER, THRI);
		assert_int_equal(in8(IIR) & 0xf, 2);
		assert_int_equal(in8(IIR) & 0xf, NO_INT); /* reading it ends it */
		out8(IER, 0);
	}
	out8(MCR, OUT2);
	out8(IER, THRI);
	assert_int_equal(in8(LSR) & (THRE | TEMT), THRE | TEMT);
	assert_int_equal(in8(IIR) & NO_INT, 0);
	assert_int_equal(take_irqs(), 1);
}

static void what_is_not_there_reads_as_ones(void **state)
{
	static const u16 ports[] = { 0x2f8, 0x3e8, 0x2e8, 0x3f0, 0x400 };

	(void)state;
	start();
	for (u32 i = 0; i < ARRAY_SIZE(ports); i++)
		for (u32 reg = 0; reg < 8; reg++)
			assert_int_equal(in8((u16)(ports[i] + reg)), 0xff);
}

static void registers_hold_what_they_can(void **state)
{
	(void)state;
	start();
	out8(SCR, 0xa5);
	assert_int_equal(in8(SCR), 0xa5);
	out8(MCR, 0xff);
	assert_int_equal(in8(MCR), 0x1f);
	out8(MCR, 0);
	out8(LCR, DLAB | 3);
	out8(DATA, 0x0c);
	out8(IER, 0x34);
	assert_int_equal(in8(DATA), 0x0c);
	assert_int_equal(in8(IER), 0x34);
	out8(LCR, 0x43); /* break changes nothing here */
	assert_int_equal(in8(LCR), 0x43);
	assert_int_equal(in8(IER), 0);
	out8(LSR, 0);
	assert_int_equal(in8(LSR), THRE | TEMT);
	assert_int_equal(fake.output_bytes, 0);
	assert_int_equal(in8(MSR) & 0xf0, 0xb0);
}

/* ---- sending ---- */

static void a_polled_byte_is_out_at_once_and_without_an_interrupt(void **state)
{
	(void)state;
	start();
	u32 before = fake.interrupts[0];

	for (u32 i = 0; i < 1000; i++) {
		assert_int_equal(in8(LSR) & THRE, THRE);
		out8(DATA, 'a' + i % 26);
	}
	assert_int_equal(fake.output_bytes, 1000);
	for (u32 i = 0; i < 1000; i++)
		assert_int_equal(fake.output[i], 'a' + i % 26);
	assert_int_equal(fake.interrupts[0], before);
}

/* serial8250_interrupt() of Linux: sixteen bytes an interrupt, until there is nothing more to send. */
static void an_interrupt_driven_driver_sends_everything(void **state)
{
	u32 left = 1000, interrupts = 0;

	(void)state;
	open_port();
	out8(IER, RDI | RLSI | THRI);
	while (fake_take(0) == VECTOR) {
		interrupts++;
		for (u32 passes = 0; !(in8(IIR) & NO_INT); passes++) {
			assert_true(passes < 100);
			assert_int_equal(in8(LSR) & THRE, THRE);
			for (u32 i = 0; i < 16 && left; i++, left--)
				out8(DATA, 'x');
			if (!left)
				out8(IER, RDI | RLSI);
		}
		fake_audit();
	}
	assert_int_equal(left, 0);
	assert_int_equal(fake.output_bytes, 1000);
	assert_in_range(interrupts, 1, 70);
}

/* An edge-triggered controller that saw the line high must see it fall before the next byte's interrupt. */
static void each_byte_sent_makes_an_edge(void **state)
{
	(void)state;
	open_port();
	out8(IER, THRI);
	assert_int_equal(take_irqs(), 1);
	for (u32 i = 0; i < 10; i++) {
		out8(DATA, '0' + i);
		assert_int_equal(take_irqs(), 1);
	}
	assert_true(output_is("0123456789"));
}

/* ---- receiving ---- */

static void typed_bytes_interrupt_and_all_arrive(void **state)
{
	char got[64] = { 0 };
	u32 count = 0;

	(void)state;
	open_port();
	fake_type("the quick brown fox jumps over the lazy dog");
	assert_int_equal(fake_take(0), VECTOR);
	assert_int_equal(in8(IIR) & 0xf, 4);
	while (in8(LSR) & DR)
		got[count++] = (char)in8(DATA);
	assert_string_equal(got, "the quick brown fox jumps over the lazy dog");
	assert_int_equal(in8(IIR) & 0xf, NO_INT);
	assert_int_equal(take_irqs(), 0);
	fake_type("x"); /* below the trigger: the time-out is at once */
	assert_int_equal(fake_take(0), VECTOR);
	assert_int_equal(in8(IIR) & 0xf, 0xc);
	assert_int_equal(in8(DATA), 'x');
	fake_audit();
}

static void without_a_fifo_bytes_come_one_by_one(void **state)
{
	(void)state;
	open_port();
	out8(FCR, 0);
	fake_type("abc");
	for (u32 i = 0; i < 3; i++) {
		assert_int_equal(in8(IIR), 4);
		assert_int_equal(in8(DATA), "abc"[i]);
	}
	assert_int_equal(in8(LSR) & (DR | OE), 0);
	assert_int_equal(in8(DATA), 0);
}

static void a_polling_guest_takes_what_it_wants_and_leaves_the_rest(void **state)
{
	(void)state;
	start();
	fake_type("hello");
	assert_int_equal(take_irqs(), 0);
	assert_int_equal(in8(LSR) & DR, DR);
	assert_int_equal(in8(DATA), 'h');
	assert_int_equal(in8(LSR) & DR, DR);
	assert_int_equal(fake.input_first, 2);
	assert_int_equal(in8(DATA), 'e');
	assert_int_equal(in8(DATA), 0); /* not asked for: not taken */
	assert_int_equal(fake.input_first, 2);
}

/* serial8250_do_startup() clears the FIFOs, then reads the data register to be rid of what is there. */
static void what_was_typed_before_the_driver_started_arrives_after_it(void **state)
{
	(void)state;
	for (u32 polled = 0; polled < 2; polled++) {
		start();
		fake_type("date\r");
		if (polled)
			(void)in8(LSR); /* the early console did */
		out8(FCR, 1);
		out8(FCR, 7);
		out8(FCR, 0);
		for (u32 i = 0; i < 2; i++) {
			(void)in8(LSR);
			(void)in8(DATA);
			(void)in8(IIR);
			(void)in8(MSR);
			fake_run(MILLISECOND);
		}
		out8(FCR, 0x81);
		out8(MCR, OUT2);
		out8(IER, RDI | RLSI);
		assert_int_equal(fake_take(0), VECTOR);
		for (u32 i = 0; i < 5; i++)
			assert_int_equal(in8(DATA), "date\r"[i]);
		assert_int_equal(in8(LSR) & DR, 0);
		fake_audit();
	}
}

/* autoconfig() of Linux in all its steps, with a console that polls in between; the first byte was lost here once. */
static void probing_eats_nothing_that_was_typed(void **state)
{
	(void)state;
	start();
	fake_type("date and time, please");
	assert_int_equal(in8(LSR) & DR, DR);
	out8(IER, 0xf);
	assert_int_equal(in8(IER), 0xf);
	out8(IER, 0);
	out8(MCR, LOOP | OUT2 | RTS);
	out8(MCR, 0);
	out8(FCR, 1);
	(void)in8(LSR);
	out8(FCR, 7); /* size_fifo() */
	out8(MCR, LOOP);
	for (u32 i = 0; i < 256; i++)
		out8(DATA, i);
	for (u32 i = 0; i < 16; i++)
		assert_int_equal(in8(DATA), i);
	assert_int_equal(in8(LSR) & DR, 0);
	out8(MCR, 0);
	out8(FCR, 7);
	out8(FCR, 0);
	(void)in8(DATA);
	fake_run(20ULL * MILLISECOND);
	(void)in8(LSR); /* the console sends a line */
	out8(FCR, 7);
	out8(FCR, 0);
	(void)in8(DATA);
	out8(IER, RDI | RLSI); /* before the FIFO: so Linux does it */
	out8(FCR, 1);
	out8(FCR, 0x81);
	out8(MCR, OUT2);
	fake_audit();
	for (u32 i = 0; i < 21; i++)
		assert_int_equal(in8(DATA), "date and time, please"[i]);
	assert_int_equal(in8(LSR) & DR, 0);
}

static void a_polling_guest_hears_again_soon_after_clearing_its_receiver(void **state)
{
	(void)state;
	start();
	fake_type("y");
	out8(FCR, 7);
	assert_int_equal(in8(LSR) & DR, 0);
	fake_run(10ULL * MILLISECOND);
	assert_int_equal(in8(LSR) & DR, DR);
	assert_int_equal(in8(DATA), 'y');
}

static void clearing_the_receiver_of_a_running_port_drops_what_is_in_it(void **state)
{
	(void)state;
	open_port();
	fake_type("abcdefghijklmnopqrst");
	out8(FCR, 0x83);
	assert_int_equal(in8(DATA), 'q'); /* what waited with the host comes in its order */
	assert_int_equal(in8(DATA), 'r');
}

/* ---- modem lines and the pin ---- */

static void loopback_returns_the_outputs_and_their_changes(void **state)
{
	static const u8 lines[][2] = { { DTR, 0x20 }, { RTS, 0x10 }, { OUT1, 0x40 }, { OUT2, 0x80 } };

	(void)state;
	start();
	out8(MCR, LOOP);
	(void)in8(MSR);
	for (u32 i = 0; i < ARRAY_SIZE(lines); i++) {
		out8(MCR, LOOP | lines[i][0]);
		assert_int_equal(in8(MSR), lines[i][1] | (lines[i][0] == OUT1 ? 0 : lines[i][1] >> 4));
		out8(MCR, LOOP);
		assert_int_equal(in8(MSR), lines[i][1] >> 4); /* ring reports its end only */
		assert_int_equal(in8(MSR), 0);
	}
	out8(IER, MSI);
	out8(MCR, LOOP | RTS);
	assert_int_equal(in8(IIR) & 0xf, 0);
	(void)in8(MSR);
	assert_int_equal(in8(IIR) & 0xf, NO_INT);
}

static void the_pin_is_connected_by_out2(void **state)
{
	(void)state;
	start();
	out8(IER, RDI);
	fake_type("a");
	assert_int_equal(take_irqs(), 0);
	assert_int_equal(in8(IIR) & 0xf, 4);
	out8(MCR, OUT2);
	assert_int_equal(take_irqs(), 1);
	out8(MCR, OUT2 | LOOP);
	fake_audit();
	out8(MCR, OUT2);
	assert_int_equal(take_irqs(), 1);
	out8(IER, 0);
	out8(IER, RDI);
	assert_int_equal(take_irqs(), 1);
}

static void a_line_error_comes_before_everything(void **state)
{
	(void)state;
	start();
	out8(FCR, 0);
	out8(MCR, LOOP);
	out8(IER, RDI | THRI | RLSI | MSI);
	out8(DATA, 'a');
	out8(DATA, 'b'); /* overrun */
	assert_int_equal(in8(IIR), 6);
	assert_int_equal(in8(LSR) & (DR | OE), DR | OE);
	assert_int_equal(in8(IIR), 4);
	assert_int_equal(in8(DATA), 'a');
	assert_int_equal(in8(IIR), 2);
	assert_int_equal(in8(IIR), 0); /* entering loopback dropped the modem's lines */
	(void)in8(MSR);
	assert_int_equal(in8(IIR), NO_INT);
}

static void string_output_by_words_sends_to_neighbouring_registers(void **state)
{
	(void)state;
	start();
	send("ok");
	pc_port_write(pc, 0, SCR, 2, 0x4277); /* the second byte falls off the device */
	assert_int_equal(in8(SCR), 0x77);
	assert_true(output_is("ok"));
	assert_int_equal(pc_port_read(pc, 0, LSR, 4), 0xff77b060);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_finds_a_16550a),
		cmocka_unit_test(its_fifo_holds_16_bytes),
		cmocka_unit_test(an_overrun_in_loopback_is_reported_once),
		cmocka_unit_test(the_transmitter_interrupts_at_once_when_enabled),
		cmocka_unit_test(what_is_not_there_reads_as_ones),
		cmocka_unit_test(registers_hold_what_they_can),
		cmocka_unit_test(a_polled_byte_is_out_at_once_and_without_an_interrupt),
		cmocka_unit_test(an_interrupt_driven_driver_sends_everything),
		cmocka_unit_test(each_byte_sent_makes_an_edge),
		cmocka_unit_test(typed_bytes_interrupt_and_all_arrive),
		cmocka_unit_test(without_a_fifo_bytes_come_one_by_one),
		cmocka_unit_test(a_polling_guest_takes_what_it_wants_and_leaves_the_rest),
		cmocka_unit_test(what_was_typed_before_the_driver_started_arrives_after_it),
		cmocka_unit_test(probing_eats_nothing_that_was_typed),
		cmocka_unit_test(a_polling_guest_hears_again_soon_after_clearing_its_receiver),
		cmocka_unit_test(clearing_the_receiver_of_a_running_port_drops_what_is_in_it),
		cmocka_unit_test(loopback_returns_the_outputs_and_their_changes),
		cmocka_unit_test(the_pin_is_connected_by_out2),
		cmocka_unit_test(a_line_error_comes_before_everything),
		cmocka_unit_test(string_output_by_words_sends_to_neighbouring_registers),
	};

	return cmocka_run_group_tests(tests, NULL, fake_pc_free);
}
