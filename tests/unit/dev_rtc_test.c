/* SPDX-License-Identifier: BSD-2-Clause */
/* The RTC as drivers read and set it: update in progress, formats, calendar, alarm, periodic and update interrupts, CMOS. */
#include "tests/unit/support/pc_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { MICROSECOND = 1000, MILLISECOND = 1000000, SECOND = 1000000000 };
enum { VECTOR = 0x58, START = 1700000000, DAY = 86400 }; /* 2023-11-14 22:13:20, a Tuesday */
enum { A_UIP = 0x80, B_SET = 0x80, B_PERIODIC = 0x40, B_ALARM = 0x20, B_UPDATE = 0x10, B_BINARY = 4, B_24 = 2, C_IRQ = 0x80 };

static u8 cmos(u32 index)
{
	out8(0x70, index);
	return in8(0x71);
}

static void cmos_set(u32 index, u32 value)
{
	out8(0x70, index);
	out8(0x71, value);
}

static void start(void)
{
	fake_pc(1);
	fake_x2apic();
	fake_ioapic_set(8, VECTOR);
}

static u32 number(u8 value)
{
	return cmos(RTC_B) & B_BINARY ? value : (value >> 4) * 10U + (value & 15);
}

/* As mc146818_get_time() of Linux reads it; 24 hours. */
static s64 read_clock(void)
{
	for (u32 tries = 0; cmos(RTC_A) & A_UIP; tries++) {
		assert_true(tries < 100);
		fake_run(100 * MICROSECOND);
	}
	struct tm date = {
		.tm_sec = (int)number(cmos(RTC_SECONDS)),
		.tm_min = (int)number(cmos(RTC_MINUTES)),
		.tm_hour = (int)number(cmos(RTC_HOURS)),
		.tm_mday = (int)number(cmos(RTC_DAY)),
		.tm_mon = (int)number(cmos(RTC_MONTH)) - 1,
		.tm_year = (int)(number(cmos(RTC_CENTURY)) * 100 + number(cmos(RTC_YEAR))) - 1900,
	};
	s64 seconds = timegm(&date);

	assert_int_equal(number(cmos(RTC_WEEKDAY)), date.tm_wday + 1);
	return seconds;
}

static u8 coded(u32 value)
{
	return (u8)(cmos(RTC_B) & B_BINARY ? value : value / 10 << 4 | value % 10);
}

/* As mc146818_set_time() of Linux writes it. */
static void set_clock(s64 seconds)
{
	time_t time = seconds;
	struct tm date;
	u8 b = cmos(RTC_B), a = cmos(RTC_A);

	gmtime_r(&time, &date);
	cmos_set(RTC_B, b | B_SET);
	cmos_set(RTC_A, a | 0x70);
	cmos_set(RTC_YEAR, coded((u32)date.tm_year % 100));
	cmos_set(RTC_MONTH, coded((u32)date.tm_mon + 1));
	cmos_set(RTC_DAY, coded((u32)date.tm_mday));
	cmos_set(RTC_HOURS, coded((u32)date.tm_hour));
	cmos_set(RTC_MINUTES, coded((u32)date.tm_min));
	cmos_set(RTC_SECONDS, coded((u32)date.tm_sec));
	cmos_set(RTC_CENTURY, coded((u32)(date.tm_year + 1900) / 100));
	cmos_set(RTC_B, b);
	cmos_set(RTC_A, a);
}

/* ---- the clock ---- */

static void it_shows_the_hosts_time_in_bcd_and_goes_on(void **state)
{
	(void)state;
	start();
	assert_int_equal(cmos(RTC_B), B_24);
	assert_int_equal(cmos(RTC_HOURS), 0x22);
	assert_int_equal(cmos(RTC_MINUTES), 0x13);
	assert_int_equal(cmos(RTC_SECONDS), 0x20);
	assert_int_equal(cmos(RTC_CENTURY), 0x20);
	assert_int_equal(cmos(RTC_D), 0x80); /* the battery is good */
	assert_int_equal(read_clock(), START);
	fake_run(100ULL * DAY * SECOND + MILLISECOND);
	assert_int_equal(read_clock(), START + 100LL * DAY);
	fake_audit();
}

static void every_day_for_a_century_is_a_date(void **state)
{
	(void)state;
	start();
	cmos_set(RTC_B, B_24 | B_BINARY);
	for (u32 day = 0; day < 100 * 366; day++) {
		assert_int_equal(read_clock(), START + (s64)day * DAY);
		fake_run((u64)DAY * SECOND);
	}
}

static void bit_7_of_the_index_masks_nmis_and_addresses_the_same(void **state)
{
	(void)state;
	start();
	out8(0x70, 0x80 | RTC_CENTURY);
	assert_int_equal(in8(0x71), 0x20);
	assert_int_equal(in8(0x70), 0xff); /* the index is write-only */
}

static void update_in_progress_is_seen_before_each_second_only(void **state)
{
	(void)state;
	start();
	fake_run(500ULL * MILLISECOND);
	assert_int_equal(cmos(RTC_A) & A_UIP, 0);
	fake_run_to(SECOND - 200 * MICROSECOND);
	assert_int_equal(cmos(RTC_A) & A_UIP, A_UIP);
	fake_run_to(SECOND + 40 * MICROSECOND);
	assert_int_equal(cmos(RTC_A) & A_UIP, 0);
	assert_int_equal(read_clock(), START + 1);
	cmos_set(RTC_A, 0xa6); /* UIP cannot be written */
	assert_int_equal(cmos(RTC_A), 0x26);
}

static void linux_sets_it_and_reads_it_back(void **state)
{
	static const s64 times[] = { 0, 951827696 /* 2000-02-29 */, 1700000000, 4102444799 /* 2099-12-31 */, 4107542400 };

	(void)state;
	for (u32 binary = 0; binary < 2; binary++) {
		start();
		cmos_set(RTC_B, B_24 | (binary ? B_BINARY : 0));
		for (u32 i = 0; i < ARRAY_SIZE(times); i++) {
			set_clock(times[i]);
			assert_int_equal(read_clock(), times[i]);
			fake_run(490ULL * MILLISECOND); /* out of the divider's reset half a second is left */
			assert_int_equal(read_clock(), times[i]);
			fake_run(20ULL * MILLISECOND);
			assert_int_equal(read_clock(), times[i] + 1);
			fake_audit();
		}
	}
}

static void while_set_it_stands_and_holds_what_is_written(void **state)
{
	(void)state;
	start();
	cmos_set(RTC_B, B_SET | B_24 | B_UPDATE);
	assert_int_equal(cmos(RTC_B), B_SET | B_24); /* SET clears the update interrupt's enable */
	fake_run(10ULL * SECOND);
	assert_int_equal(cmos(RTC_SECONDS), 0x20);
	assert_int_equal(cmos(RTC_A) & A_UIP, 0);
	assert_int_equal(cmos(RTC_C) & 0x10, 0);
	cmos_set(RTC_SECONDS, 0x77);
	assert_int_equal(cmos(RTC_SECONDS), 0x77);
	cmos_set(RTC_SECONDS, 0x30);
	cmos_set(RTC_B, B_24);
	fake_run(SECOND + MILLISECOND);
	assert_int_equal(cmos(RTC_SECONDS), 0x31);
}

static void twelve_hours_have_noon_and_midnight(void **state)
{
	static const struct {
		u32 hour;
		u8 bcd;
	} hours[] = { { 0, 0x12 }, { 1, 0x01 }, { 11, 0x11 }, { 12, 0x92 }, { 13, 0x81 }, { 23, 0x91 } };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(hours); i++) {
		start();
		cmos_set(RTC_HOURS, coded(hours[i].hour));
		cmos_set(RTC_B, 0);
		assert_int_equal(cmos(RTC_HOURS), hours[i].bcd);
		cmos_set(RTC_HOURS, hours[i].bcd);
		cmos_set(RTC_B, B_24);
		assert_int_equal(number(cmos(RTC_HOURS)), hours[i].hour);
	}
}

/* ---- interrupts ---- */

static void an_alarm_interrupts_once_at_its_time_and_c_says_why(void **state)
{
	(void)state;
	start();
	cmos_set(RTC_HOURS_ALARM, 0x22);
	cmos_set(RTC_MINUTES_ALARM, 0x13);
	cmos_set(RTC_SECONDS_ALARM, 0x23);
	cmos_set(RTC_B, B_24 | B_ALARM);
	fake_run_to(3ULL * SECOND - MILLISECOND);
	assert_int_equal(fake_take(0), -1);
	fake_run(2ULL * MILLISECOND);
	assert_int_equal(fake_take(0), VECTOR);
	assert_int_equal(cmos(RTC_C) & 0xa0, 0xa0);
	assert_int_equal(cmos(RTC_C), 0);
	fake_run(3600ULL * SECOND);
	assert_int_equal(fake_take(0), -1);
	fake_run((u64)DAY * SECOND);
	assert_int_equal(fake_take(0), VECTOR); /* tomorrow again */
	fake_audit();
}

static void dont_care_alarms_repeat(void **state)
{
	static const struct {
		u8 hour, minute, second;
		u32 period;
	} alarms[] = { { 0xff, 0xff, 0x10, 60 }, { 0xff, 0x05, 0x00, 3600 }, { 0xc0, 0xc0, 0xc0, 1 }, { 0x03, 0xff, 0xff, 1 } };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(alarms); i++) {
		start();
		cmos_set(RTC_HOURS_ALARM, alarms[i].hour);
		cmos_set(RTC_MINUTES_ALARM, alarms[i].minute);
		cmos_set(RTC_SECONDS_ALARM, alarms[i].second);
		cmos_set(RTC_B, B_24 | B_ALARM);
		u64 last = 0;

		for (u32 k = 0; k < 5; k++) {
			u64 expected = fake.deadline[0];

			assert_true(expected > fake.now);
			fake_run_to(expected);
			assert_int_equal(fake_take(0), VECTOR);
			assert_true(cmos(RTC_C) & 0x20);
			if (k > 0)
				assert_in_range(fake.now - last, alarms[i].period * (u64)SECOND - 40 * MICROSECOND,
						alarms[i].period * (u64)SECOND + 40 * MICROSECOND);
			last = fake.now;
		}
		fake_audit();
	}
}

static void an_alarm_that_no_time_matches_never_comes(void **state)
{
	(void)state;
	start();
	cmos_set(RTC_HOURS_ALARM, 0x25);
	cmos_set(RTC_B, B_24 | B_ALARM);
	assert_int_equal(fake.deadline[0], 0);
	cmos_set(RTC_HOURS_ALARM, 0xff);
	cmos_set(RTC_MINUTES_ALARM, 0x99);
	assert_int_equal(fake.deadline[0], 0);
	fake_audit();
}

/* Against a search second by second, from random times with random alarms. */
static void the_next_alarm_is_the_first_second_that_matches(void **state)
{
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (u32 round = 0; round < 400; round++) {
		u8 registers[RTC_CMOS_BYTES] = { [RTC_B] = B_24 | B_BINARY };
		u8 want[3] = { (u8)(rand() % 24), (u8)(rand() % 60), (u8)(rand() % 60) };
		s64 from = START + rand() % (400 * DAY), found = from + 1;

		for (u32 i = 0; i < 3; i++)
			if (rand() % 2)
				want[i] = 0xc0;
		registers[RTC_HOURS_ALARM] = want[0];
		registers[RTC_MINUTES_ALARM] = want[1];
		registers[RTC_SECONDS_ALARM] = want[2];
		while ((want[0] != 0xc0 && found / 3600 % 24 != want[0]) || (want[1] != 0xc0 && found / 60 % 60 != want[1]) ||
		       (want[2] != 0xc0 && found % 60 != want[2]))
			found++;
		assert_int_equal(rtc_next_alarm(registers, from), found);
	}
}

static void periodic_interrupts_have_the_rates_of_register_a(void **state)
{
	static const u32 hertz[] = { [1] = 256, [2] = 128, [3] = 8192, [6] = 1024, [10] = 64, [15] = 2 };

	(void)state;
	for (u32 rate = 0; rate < ARRAY_SIZE(hertz); rate++) {
		if (rate && !hertz[rate])
			continue;
		start();
		cmos_set(RTC_A, 0x20 | rate);
		cmos_set(RTC_B, B_24 | B_PERIODIC);
		u32 ticks = 0;

		for (u32 i = 0; i < 40000; i++) {
			fake_run(25 * MICROSECOND);
			if (fake_take(0) == VECTOR) {
				ticks++;
				assert_int_equal(cmos(RTC_C) & 0xc0, 0xc0);
			}
		}
		assert_in_range(ticks, hertz[rate] ? hertz[rate] - 1 : 0, hertz[rate]);
		fake_audit();
	}
}

static void nothing_more_comes_until_register_c_is_read(void **state)
{
	(void)state;
	start();
	cmos_set(RTC_B, B_24 | B_PERIODIC);
	fake_run(SECOND);
	assert_int_equal(fake_take(0), VECTOR);
	fake.timer_calls = 0;
	fake_run(SECOND);
	assert_int_equal(fake_take(0), -1);
	assert_int_equal(fake.timer_calls, 0); /* nor is the host woken for it */
	assert_int_equal(cmos(RTC_C) & 0xc0, 0xc0);
	fake_run(2ULL * MILLISECOND);
	assert_int_equal(fake_take(0), VECTOR);
}

static void update_ended_comes_every_second_and_missed_ones_merge(void **state)
{
	(void)state;
	start();
	cmos_set(RTC_B, B_24 | B_UPDATE);
	for (u64 i = 1; i <= 5; i++) {
		fake_run_to(i * SECOND + 40 * MICROSECOND);
		assert_int_equal(fake_take(0), VECTOR);
		assert_int_equal(read_clock(), START + (s64)i);
		assert_int_equal(cmos(RTC_C) & 0x90, 0x90);
	}
	fake.timer_calls = 0;
	fake_skip(366ULL * DAY * SECOND);
	assert_int_equal(fake_take(0), VECTOR);
	assert_int_equal(fake.timer_calls, 1);
	assert_int_equal(cmos(RTC_C) & 0x90, 0x90);
	assert_int_equal(fake_take(0), -1);
	fake_audit();
}

static void flags_are_set_without_an_interrupt_where_none_is_enabled(void **state)
{
	(void)state;
	start();
	fake_run(2ULL * SECOND);
	assert_int_equal(fake_take(0), -1);
	assert_int_equal(cmos(RTC_C), 0x50); /* periodic and update, no IRQ */
	cmos_set(RTC_C, 0xff);
	cmos_set(RTC_D, 0);
	assert_int_equal(cmos(RTC_C), 0);
	assert_int_equal(cmos(RTC_D), 0x80);
}

/* ---- memory ---- */

static void cmos_keeps_bytes_and_says_how_much_memory_there_is(void **state)
{
	(void)state;
	start();
	for (u32 i = 0x40; i < RTC_CMOS_BYTES; i++)
		cmos_set(i, i ^ 0x5a);
	for (u32 i = 0x40; i < RTC_CMOS_BYTES; i++)
		assert_int_equal(cmos(i), i ^ 0x5a);
	assert_int_equal(cmos(0x15) | cmos(0x16) << 8, 640);
	assert_int_equal(cmos(0x17) | cmos(0x18) << 8, 0xffff); /* 127 MiB: as much as fits */
	assert_int_equal(cmos(0x34) | cmos(0x35) << 8, (128 - 16) * 16);
}

static void a_reset_keeps_time_and_memory_and_stops_interrupts(void **state)
{
	(void)state;
	start();
	cmos_set(0x40, 0x77);
	cmos_set(RTC_B, B_24 | B_PERIODIC);
	fake_run(5ULL * SECOND);
	pc_reset(pc);
	fake_audit();
	assert_int_equal(cmos(0x40), 0x77);
	assert_int_equal(cmos(RTC_B), B_24);
	assert_int_equal(fake.deadline[0], 0);
	assert_int_equal(read_clock(), START + 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_shows_the_hosts_time_in_bcd_and_goes_on),
		cmocka_unit_test(every_day_for_a_century_is_a_date),
		cmocka_unit_test(bit_7_of_the_index_masks_nmis_and_addresses_the_same),
		cmocka_unit_test(update_in_progress_is_seen_before_each_second_only),
		cmocka_unit_test(linux_sets_it_and_reads_it_back),
		cmocka_unit_test(while_set_it_stands_and_holds_what_is_written),
		cmocka_unit_test(twelve_hours_have_noon_and_midnight),
		cmocka_unit_test(an_alarm_interrupts_once_at_its_time_and_c_says_why),
		cmocka_unit_test(dont_care_alarms_repeat),
		cmocka_unit_test(an_alarm_that_no_time_matches_never_comes),
		cmocka_unit_test(the_next_alarm_is_the_first_second_that_matches),
		cmocka_unit_test(periodic_interrupts_have_the_rates_of_register_a),
		cmocka_unit_test(nothing_more_comes_until_register_c_is_read),
		cmocka_unit_test(update_ended_comes_every_second_and_missed_ones_merge),
		cmocka_unit_test(flags_are_set_without_an_interrupt_where_none_is_enabled),
		cmocka_unit_test(cmos_keeps_bytes_and_says_how_much_memory_there_is),
		cmocka_unit_test(a_reset_keeps_time_and_memory_and_stops_interrupts),
	};

	return cmocka_run_group_tests(tests, NULL, fake_pc_free);
}
