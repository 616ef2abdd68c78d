/* SPDX-License-Identifier: BSD-2-Clause */
/* A 16550 whose registers lie in memory, and the wire that it carries. */
#include "drivers/uart.h"
#include "kernel/core/timer.h"
#include "kernel/core/wire.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/paging.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { REGISTERS = 8, DATA = 0, DIVISOR_HIGH = 1, LINE = 3, STATUS = 5, SCRATCH = 7, CAN_SEND = 0x60 };

/* One register every four bytes; what is read is what was written last. */
static u32 registers[2][REGISTERS];

void *paging_map_device(u64 physical, u64 bytes, enum paging_type type)
{
	assert_int_equal(type, PAGING_UNCACHED);
	assert_true(bytes == sizeof(registers[0]));
	return registers[physical - 1];
}

void apic_ipi(u32 to, u32 vector)
{
	(void)to;
	(void)vector;
}

u32 apic_id(void)
{
	return 0;
}

u64 time_tsc(void)
{
	return 0;
}

u64 time_ns_to_tsc(u64 ns)
{
	return ns;
}

void timer_program(u64 deadline)
{
	(void)deadline;
}

static struct uart_place place(u64 address, u32 baud)
{
	return (struct uart_place){
		.in_memory = true, .address = address, .access_bytes = 4, .stride = 4, .clock_hz = 1843200, .baud = baud
	};
}

static int two_of_them(void **state)
{
	(void)state;
	memset(registers, 0, sizeof(registers));
	registers[0][STATUS] = registers[1][STATUS] = CAN_SEND;
	return 0;
}

static void it_is_set_up_at_its_speed_with_all_bits_of_each_register(void **state)
{
	struct uart_place at = place(1, 300);

	(void)state;
	memset(registers[0], 0xff, sizeof(registers[0]));
	registers[0][STATUS] = CAN_SEND;
	assert_true(uart_init(&at));
	assert_int_equal(registers[0][DATA], 384 & 0xff);
	assert_int_equal(registers[0][DIVISOR_HIGH], 384 >> 8);
	assert_int_equal(registers[0][LINE], 3);
}

static void a_speed_of_zero_leaves_the_divisor_alone(void **state)
{
	struct uart_place at = place(1, 0);

	(void)state;
	registers[0][DATA] = 0x5a;
	assert_true(uart_init(&at));
	assert_int_equal(registers[0][DATA], 0x5a);
	assert_int_equal(registers[0][LINE], 3);
}

static void a_port_that_comes_late_gets_all_that_was_said(void **state)
{
	struct uart_place first = place(1, 115200), second = place(2, 115200);

	(void)state;
	assert_true(uart_init(&first));
	wire_put((const u8 *)"x", 1);
	assert_int_equal(registers[0][DATA], 'x');
	assert_true(uart_init(&second));
	assert_int_equal(registers[1][DATA], 'x');
	wire_put((const u8 *)"y", 1);
	assert_int_equal(registers[0][DATA], 'x');
	assert_int_equal(registers[1][DATA], 'y');
}

static void where_nobody_answers_the_one_before_stays(void **state)
{
	struct uart_place first = place(1, 115200), nobody = place(2, 115200);

	(void)state;
	assert_true(uart_init(&first));
	registers[1][STATUS] = 0xff;
	assert_false(uart_init(&nobody));
	wire_put((const u8 *)"z", 1);
	assert_int_equal(registers[0][DATA], 'z');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(it_is_set_up_at_its_speed_with_all_bits_of_each_register, two_of_them),
		cmocka_unit_test_setup(a_speed_of_zero_leaves_the_divisor_alone, two_of_them),
		cmocka_unit_test_setup(a_port_that_comes_late_gets_all_that_was_said, two_of_them),
		cmocka_unit_test_setup(where_nobody_answers_the_one_before_stays, two_of_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
