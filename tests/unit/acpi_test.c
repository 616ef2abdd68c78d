/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI's tables as firmware may hand them over: what is sound is read, and nothing that is damaged or malicious is trusted. */
#include "kernel/x86/acpi.h"
#include "tests/unit/support/firmware.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { XSDT = 64, SPCR = 256, SPCR_BYTES = 88 };

static struct acpi acpi;

static void seal_table(u32 at)
{
	u32 bytes;

	memcpy(&bytes, firmware + at + 4, sizeof(bytes));
	firmware_sum_up(at, bytes, 9);
}

static void put_roots(void)
{
	memcpy(firmware, "RSD PTR ", 8);
	firmware_put(15, 1, 2);
	firmware_put(20, 4, 36);
	firmware_put(24, 8, FIRMWARE_BASE + XSDT);
	firmware_sum_up(0, 20, 8);
	firmware_sum_up(0, 36, 32);
	firmware_table(XSDT, "XSDT", TABLE_HEADER + 8);
	firmware_put(XSDT + TABLE_HEADER, 8, FIRMWARE_BASE + SPCR);
	seal_table(XSDT);
}

/* COM2 by GSI 3 at 19200 baud. */
static int a_sound_machine(void **state)
{
	(void)state;
	firmware_reset();
	put_roots();
	firmware_table(SPCR, "SPCR", SPCR_BYTES);
	firmware_put(SPCR + 8, 1, 4);
	firmware_put(SPCR + 40, 1, 1);
	firmware_put(SPCR + 41, 1, 8);
	firmware_put(SPCR + 44, 8, 0x2f8);
	firmware_put(SPCR + 52, 1, 2);
	firmware_put(SPCR + 54, 4, 3);
	firmware_put(SPCR + 58, 1, 4);
	return 0;
}

static void read_all(void)
{
	seal_table(SPCR);
	acpi_read(&acpi, FIRMWARE_BASE);
	firmware_forget();
	assert_true(acpi.found);
}

static void is_refused(const char *reason)
{
	read_all();
	assert_non_null(acpi.serial.trouble);
	assert_non_null(strstr(acpi.serial.trouble, reason));
	assert_true(acpi.serial.base.address == 0);
}

static void in_memory(u64 address, u8 bits, u8 access)
{
	firmware_put(SPCR + 40, 1, 0);
	firmware_put(SPCR + 41, 1, bits);
	firmware_put(SPCR + 43, 1, access);
	firmware_put(SPCR + 44, 8, address);
	read_all();
}

static void a_port_is_read_with_its_interrupt_and_speed(void **state)
{
	(void)state;
	read_all();
	assert_null(acpi.serial.trouble);
	assert_int_equal(acpi.serial.base.space, ACPI_PORT);
	assert_true(acpi.serial.base.address == 0x2f8);
	assert_true(acpi.serial.has_gsi && !acpi.serial.has_isa_irq);
	assert_int_equal(acpi.serial.interrupt, 3);
	assert_int_equal(acpi.serial.baud, 19200);
	assert_int_equal(acpi.serial.clock_hz, 1843200);
}

static void a_later_revision_says_clock_and_exact_baud(void **state)
{
	(void)state;
	firmware_put(SPCR + 76, 4, 48000000);
	firmware_put(SPCR + 80, 4, 1500000);
	read_all();
	assert_int_equal(acpi.serial.clock_hz, 48000000);
	assert_int_equal(acpi.serial.baud, 1500000);
}

static void an_unknown_speed_stays_as_firmware_set_it(void **state)
{
	(void)state;
	for (u32 code = 0; code < 256; code++) {
		firmware_put(SPCR + 58, 1, code);
		read_all();
		assert_int_equal(acpi.serial.baud, code == 3   ? 9600
						   : code == 4 ? 19200
						   : code == 6 ? 57600
						   : code == 7 ? 115200
							       : 0);
	}
}

static void an_interrupt_of_the_8259s_is_one_of_sixteen(void **state)
{
	(void)state;
	firmware_put(SPCR + 52, 1, 1);
	firmware_put(SPCR + 53, 1, 4);
	read_all();
	assert_true(acpi.serial.has_isa_irq && !acpi.serial.has_gsi);
	assert_int_equal(acpi.serial.interrupt, 4);
	firmware_put(SPCR + 53, 1, 16);
	read_all();
	assert_true(!acpi.serial.has_isa_irq && !acpi.serial.has_gsi);
	assert_null(acpi.serial.trouble);
}

static void registers_in_memory_have_a_width_and_a_distance(void **state)
{
	static const struct {
		u8 bits, access, access_bytes, stride;
	} layouts[] = {
		{ 0, 0, 1, 1 }, { 8, 1, 1, 1 }, { 32, 3, 4, 4 }, { 32, 1, 1, 4 }, { 16, 2, 2, 2 }, { 8, 3, 4, 4 },
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(layouts); i++) {
		in_memory(0xfedc9000, layouts[i].bits, layouts[i].access);
		assert_null(acpi.serial.trouble);
		assert_int_equal(acpi.serial.base.space, ACPI_MEMORY);
		assert_int_equal(acpi.serial.access_bytes, layouts[i].access_bytes);
		assert_int_equal(acpi.serial.stride, layouts[i].stride);
	}
}

static void a_layout_that_cannot_be_is_refused(void **state)
{
	(void)state;
	in_memory(0xfedc9000, 8, 4);
	is_refused("laid out");
	in_memory(0xfedc9000, 24, 1);
	is_refused("laid out");
	in_memory(0xfedc9002, 32, 3);
	is_refused("laid out");
}

static void an_address_that_cannot_be_is_refused(void **state)
{
	(void)state;
	firmware_put(SPCR + 44, 8, 0xfff9);
	is_refused("I/O port");
	firmware_put(SPCR + 44, 8, 0x1000003f8);
	is_refused("I/O port");
	in_memory(1ULL << 36, 8, 1);
	is_refused("address");
	in_memory(~0ULL, 8, 1);
	is_refused("address");
	firmware_put(SPCR + 40, 1, 2);
	is_refused("neither");
}

static void what_is_no_16550_is_refused(void **state)
{
	(void)state;
	for (u32 type = 0; type < 256; type++) {
		firmware_put(SPCR + 36, 1, type);
		if (type == 0 || type == 1 || type == 0x12) {
			read_all();
			assert_null(acpi.serial.trouble);
		} else {
			is_refused("no 16550");
		}
	}
}

static void a_console_that_is_switched_off_is_no_trouble(void **state)
{
	(void)state;
	firmware_put(SPCR + 44, 8, 0);
	read_all();
	assert_null(acpi.serial.trouble);
	assert_true(acpi.serial.base.address == 0);
}

static void a_short_table_is_refused(void **state)
{
	(void)state;
	for (u32 bytes = TABLE_HEADER; bytes < 76; bytes++) {
		firmware_put(SPCR + 4, 4, bytes);
		is_refused("too short");
	}
}

static void a_damaged_table_is_passed_over_and_counted(void **state)
{
	(void)state;
	seal_table(SPCR);
	firmware[SPCR + 44]++;
	acpi_read(&acpi, FIRMWARE_BASE);
	assert_int_equal(acpi.damaged, 1);
	assert_true(acpi.serial.base.address == 0 && !acpi.serial.trouble);
	firmware_put(SPCR + 4, 4, FIRMWARE_BYTES);
	acpi_read(&acpi, FIRMWARE_BASE);
	assert_int_equal(acpi.damaged, 1);
}

/* Whatever the bytes, with a right checksum: a port that is taken is one that can be. */
static void any_bytes_give_a_place_that_can_be_or_none(void **state)
{
	u32 seed = (u32)time(NULL);

	(void)state;
	printf("seed %u\n", seed);
	srand(seed);
	for (u32 round = 0; round < 20000; round++) {
		a_sound_machine(NULL);
		for (u32 changes = (u32)rand() % 8; changes > 0; changes--)
			firmware[SPCR + 36 + rand() % (SPCR_BYTES - 36)] = (u8)rand();
		if (rand() % 4 == 0)
			firmware_put(SPCR + 4, 4, (u32)rand() % 120 + TABLE_HEADER);
		read_all();
		const struct acpi_serial *serial = &acpi.serial;

		assert_true(!serial->trouble || serial->base.address == 0);
		assert_true(!serial->has_isa_irq || (serial->interrupt < 16 && !serial->has_gsi));
		if (serial->base.address == 0)
			continue;
		assert_true(serial->base.space == ACPI_PORT ? serial->base.address <= 0xfff8 : serial->base.address < 1ULL << 36);
		assert_true(serial->base.space == ACPI_PORT || (serial->access_bytes && serial->stride >= serial->access_bytes));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_port_is_read_with_its_interrupt_and_speed, a_sound_machine),
		cmocka_unit_test_setup(a_later_revision_says_clock_and_exact_baud, a_sound_machine),
		cmocka_unit_test_setup(an_unknown_speed_stays_as_firmware_set_it, a_sound_machine),
		cmocka_unit_test_setup(an_interrupt_of_the_8259s_is_one_of_sixteen, a_sound_machine),
		cmocka_unit_test_setup(registers_in_memory_have_a_width_and_a_distance, a_sound_machine),
		cmocka_unit_test_setup(a_layout_that_cannot_be_is_refused, a_sound_machine),
		cmocka_unit_test_setup(an_address_that_cannot_be_is_refused, a_sound_machine),
		cmocka_unit_test_setup(what_is_no_16550_is_refused, a_sound_machine),
		cmocka_unit_test_setup(a_console_that_is_switched_off_is_no_trouble, a_sound_machine),
		cmocka_unit_test_setup(a_short_table_is_refused, a_sound_machine),
		cmocka_unit_test_setup(a_damaged_table_is_passed_over_and_counted, a_sound_machine),
		cmocka_unit_test(any_bytes_give_a_place_that_can_be_or_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
