/* SPDX-License-Identifier: BSD-2-Clause */
/* How the machine is switched off by ACPI: a sound sleep package is used, a broken one or a broken table is not there. */
#include "kernel/x86/acpi.h"
#include "tests/unit/support/firmware.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOT = 0x100, FADT = 0x200, DSDT = 0x400, FADT_BYTES = 244 };

static struct acpi acpi;

/* A root with a FADT and, under it, a DSDT of these bytes of AML. */
static void read_machine(const void *aml, u32 bytes)
{
	memcpy(firmware + DSDT + TABLE_HEADER, aml, bytes);
	firmware_table(DSDT, "DSDT", TABLE_HEADER + bytes);
	firmware_put(FADT + 40, 4, FIRMWARE_BASE + DSDT);
	firmware_table(FADT, "FACP", FADT_BYTES);
	firmware_put(ROOT + TABLE_HEADER, 4, FIRMWARE_BASE + FADT);
	firmware_table(ROOT, "RSDT", TABLE_HEADER + 4);
	memcpy(firmware, "RSD PTR ", 8);
	firmware_put(16, 4, FIRMWARE_BASE + ROOT);
	firmware_sum_up(0, 20, 8);
	acpi_read(&acpi, FIRMWARE_BASE);
}

static int begin(void **state)
{
	(void)state;
	firmware_reset();
	return 0;
}

static void the_sleep_package_gives_its_two_numbers(void **state)
{
	(void)state;
	read_machine("..\x08_S5_\x12\x07\x04\x0a\x05\x0b\x07\x00", 15);
	assert_true(acpi.found && acpi.s5);
	assert_int_equal(acpi.s5_a, 5);
	assert_int_equal(acpi.s5_b, 7);
}

static void one_number_alone_is_that_of_the_first_register(void **state)
{
	(void)state;
	read_machine("..\x08_S5_\x12\x04\x01\x0a\x05", 12);
	assert_true(acpi.s5);
	assert_int_equal(acpi.s5_a, 5);
	assert_int_equal(acpi.s5_b, 0);
}

static void a_broken_sleep_package_says_nothing_at_all(void **state)
{
	(void)state;
	read_machine("..\x08_S5_\x12\x07\x04\x0a\x05\x5b\x07\x00", 15); /* the second is no number */
	assert_false(acpi.s5);
	assert_int_equal(acpi.s5_a, 0);
	read_machine("..\x08_S5_\x12\x07\x04\x0a\x05\x0b\x07", 14); /* it is cut off */
	assert_false(acpi.s5);
	assert_int_equal(acpi.s5_a, 0);
}

static void a_table_whose_sum_is_wrong_is_not_there(void **state)
{
	(void)state;
	firmware_put(FADT + 76, 4, 0x608);
	read_machine("..", 2);
	assert_int_equal(acpi.pm_timer_port, 0x608);
	firmware[FADT + 76] ^= 1;
	acpi_read(&acpi, FIRMWARE_BASE);
	assert_true(acpi.found);
	assert_int_equal(acpi.pm_timer_port, 0);
	firmware[8] ^= 1;
	acpi_read(&acpi, FIRMWARE_BASE);
	assert_false(acpi.found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_sleep_package_gives_its_two_numbers, begin),
		cmocka_unit_test_setup(one_number_alone_is_that_of_the_first_register, begin),
		cmocka_unit_test_setup(a_broken_sleep_package_says_nothing_at_all, begin),
		cmocka_unit_test_setup(a_table_whose_sum_is_wrong_is_not_there, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
