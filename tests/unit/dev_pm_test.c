/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI power management as ACPICA drives it: events and the SCI, the power button, the PM timer, S5. */
#include "tests/unit/support/pc_fake.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SECOND = 1000000000, VECTOR = 0x51, STATUS = PM_EVENT, ENABLE = PM_EVENT + 2 };
enum { TMR = 1, GBL = 1 << 5, BUTTON = 1 << 8, SLEEP_BUTTON = 1 << 9, RTC_EVENT = 1 << 10, WAK = 1 << 15, SLP_EN = 1 << 13 };

static u32 in16(u16 port)
{
	return pc_port_read(pc, 0, port, 2);
}

static void out16(u16 port, u32 value)
{
	pc_port_write(pc, 0, port, 2, value);
}

static void start(void)
{
	fake_pc(1);
	fake_x2apic();
	fake_ioapic_set(9, BIT(15) | VECTOR); /* the SCI: level */
}

static void the_pm_timer_counts_and_its_top_bit_raises_the_sci(void **state)
{
	(void)state;
	start();
	fake_run(SECOND);
	assert_in_range(pc_port_read(pc, 0, PM_TIMER, 4), 3579544, 3579545);
	assert_int_equal(pc_port_read(pc, 0, PM_TIMER + 1, 2), pc_port_read(pc, 0, PM_TIMER, 4) >> 8 & 0xffff);
	pc_port_write(pc, 0, PM_EVENT + 2, 2, 1);
	fake_run(598ULL * SECOND);
	assert_int_equal(fake_take(0), -1);
	fake_run(2ULL * SECOND);
	assert_int_equal(pc_interrupt_ack(pc, 0), VECTOR);
	assert_int_equal(pc_port_read(pc, 0, PM_EVENT, 2), 1);
	pc_port_write(pc, 0, PM_EVENT, 2, 1);
	msr_set(0, 0x80b, 0);
	assert_int_equal(fake_take(0), -1);
	assert_true(fake.deadline[0] > 1199ULL * SECOND);
	fake_audit();
}

/* init_acpi_pm_clocksource() of Linux: readings move forward, and wrap at 32 bits. */
static void the_pm_timer_never_goes_back(void **state)
{
	(void)state;
	start();
	fake_run(1199ULL * SECOND);
	u32 last = pc_port_read(pc, 0, PM_TIMER, 4), wraps = 0;

	for (u32 i = 0; i < 2000; i++) {
		fake_run(1000 * 1000);
		u32 value = pc_port_read(pc, 0, PM_TIMER, 4);

		assert_in_range(value - last, 3579, 3580);
		wraps += value < last;
		last = value;
	}
	assert_int_equal(wraps, 1);
	pc_port_write(pc, 0, PM_TIMER, 4, 0);
	assert_int_equal(pc_port_read(pc, 0, PM_TIMER, 4), last);
}

/* verify_pmtmr_rate() of Linux: against the 8254, within 5 %. */
static void pm_timer_and_8254_agree(void **state)
{
	(void)state;
	start();
	out8(0x61, (in8(0x61) & ~0x02U) | 0x01);
	out8(0x43, 0xb0);
	out8(0x42, 11932 & 0xff);
	out8(0x42, 11932 >> 8);
	u32 before = pc_port_read(pc, 0, PM_TIMER, 4), polls = 0;

	while (!(in8(0x61) & 0x20)) {
		fake_run(2000);
		assert_true(++polls < 10000);
	}
	assert_in_range(pc_port_read(pc, 0, PM_TIMER, 4) - before, 35795, 35795 + 20);
}

/* acpi_ev_fixed_event_initialize() and acpi_enable_event() of ACPICA, which read back what they wrote. */
static void events_that_exist_can_be_enabled_and_the_others_cannot(void **state)
{
	(void)state;
	start();
	assert_int_equal(in16(PM_CONTROL) & 1, 1); /* ACPI mode, from the start */
	for (u32 bit = 0; bit < 16; bit++) {
		bool exists = BIT(bit) & (TMR | GBL | BUTTON | RTC_EVENT);

		out16(ENABLE, 1U << bit);
		assert_int_equal(in16(ENABLE), exists ? 1U << bit : 0);
	}
	out16(ENABLE, 0);
	out16(STATUS, 0xffff);
	assert_int_equal(in16(STATUS), 0);
	assert_int_equal(fake_take(0), -1);
	fake_audit();
}

static void the_power_button_raises_the_sci_until_its_status_is_cleared(void **state)
{
	(void)state;
	start();
	out16(ENABLE, BUTTON | GBL);
	pc_power_button(pc);
	fake_audit();
	assert_int_equal(pc_interrupt_ack(pc, 0), VECTOR);
	assert_int_equal(in16(STATUS), BUTTON);
	msr_set(0, 0x80b, 0);
	assert_int_equal(pc_interrupt_ack(pc, 0), VECTOR); /* not cleared: the level stands */
	out16(STATUS, TMR);
	assert_int_equal(in16(STATUS), BUTTON);
	out16(STATUS, BUTTON);
	msr_set(0, 0x80b, 0);
	assert_int_equal(pc_interrupt_ack(pc, 0), -1);
	assert_int_equal(in16(ENABLE), BUTTON | GBL);
	pc_power_button(pc);
	assert_int_equal(fake_take(0), VECTOR);
	fake_audit();
}

static void rtc_register(u32 index, u32 value)
{
	out8(0x70, index);
	out8(0x71, value);
}

/* rtc_wake_on() of Linux: who sleeps in S0 hears the alarm by the SCI; who has not asked for that hears IRQ 8 alone. */
static void an_rtc_alarm_is_an_event_for_who_enables_it(void **state)
{
	(void)state;
	start();
	rtc_register(RTC_HOURS_ALARM, 0xc0);
	rtc_register(RTC_MINUTES_ALARM, 0xc0);
	rtc_register(RTC_SECONDS_ALARM, 0xc0); /* every second */
	fake_run(3ULL * SECOND);
	assert_int_equal(in16(STATUS), 0); /* the alarm's interrupt is off, so IRQ 8 was not raised */
	rtc_register(RTC_B, RTC_B_24_HOURS | 0x20);
	fake_run(3ULL * SECOND);
	assert_int_equal(in16(STATUS), RTC_EVENT);
	assert_int_equal(pc_interrupt_ack(pc, 0), -1);
	out16(STATUS, RTC_EVENT);
	fake_run(3ULL * SECOND);
	assert_int_equal(in16(STATUS), 0); /* IRQ 8 stands until register C is read: no second alarm */
	out8(0x70, RTC_C);
	(void)in8(0x71);
	out16(ENABLE, RTC_EVENT);
	fake_run(SECOND);
	assert_int_equal(pc_interrupt_ack(pc, 0), VECTOR);
	out16(ENABLE, 0);
	msr_set(0, 0x80b, 0);
	assert_int_equal(pc_interrupt_ack(pc, 0), -1);
	fake_audit();
}

static void a_button_pressed_before_anybody_listens_waits(void **state)
{
	(void)state;
	start();
	pc_power_button(pc);
	assert_int_equal(fake_take(0), -1);
	assert_int_equal(in16(STATUS), BUTTON);
	out16(ENABLE, BUTTON);
	assert_int_equal(pc_interrupt_ack(pc, 0), VECTOR);
	assert_int_equal(fake.power_offs, 0); /* it is the guest that switches off */
}

static void the_sci_reaches_the_8259_too(void **state)
{
	(void)state;
	fake_pc(1);
	static const u8 words[] = { 0x38, 2, 1, 0 };

	out8(0x20, 0x11);
	out8(0x21, 0x30);
	out8(0x21, 4);
	out8(0x21, 1);
	out8(0x21, 0);
	out8(0xa0, 0x11);
	for (u32 i = 0; i < sizeof(words); i++)
		out8(0xa1, words[i]);
	out16(ENABLE, BUTTON);
	pc_power_button(pc);
	assert_int_equal(pc_interrupt_ack(pc, 0), 0x39);
	fake_audit();
}

/* acpi_hw_legacy_sleep(): the type first, then the same with SLP_EN; in words or in bytes. */
static void s5_switches_off(void **state)
{
	(void)state;
	start();
	u32 control = (in16(PM_CONTROL) & ~(7U << 10)) | PM_S5_TYPE << 10;

	out16(STATUS, WAK);
	out16(PM_CONTROL, control);
	assert_int_equal(fake.power_offs, 0);
	assert_int_equal(in16(PM_CONTROL), control);
	out16(PM_CONTROL, control | SLP_EN);
	assert_int_equal(fake.power_offs, 1);
	assert_int_equal(in16(PM_CONTROL) & SLP_EN, 0); /* it is write-only */
	out8(PM_CONTROL + 1, (control | SLP_EN) >> 8);
	assert_int_equal(fake.power_offs, 2);
	pc_port_write(pc, 0, PM_CONTROL, 4, control | SLP_EN);
	assert_int_equal(fake.power_offs, 3);
	pc_port_write(pc, 0, ENABLE, 4, (control | SLP_EN) << 16);
	assert_int_equal(fake.power_offs, 4);
	assert_int_equal(fake.resets, 0);
}

static void other_sleep_types_do_nothing(void **state)
{
	(void)state;
	start();
	for (u32 type = 0; type < 8; type++)
		if (type != PM_S5_TYPE)
			out16(PM_CONTROL, type << 10 | SLP_EN | 1);
	out8(PM_CONTROL, 0xff); /* the low byte alone */
	assert_int_equal(fake.power_offs, 0);
	assert_int_equal(in16(PM_CONTROL) & 1, 1);
}

static void any_width_at_any_place_is_a_window_on_the_same_bytes(void **state)
{
	(void)state;
	start();
	out16(ENABLE, BUTTON | TMR);
	pc_power_button(pc);
	out16(PM_CONTROL, PM_S5_TYPE << 10);
	u64 all = in16(STATUS) | (u64)in16(ENABLE) << 16 | (u64)in16(PM_CONTROL) << 32;

	for (u32 at = 0; at < 8; at++)
		for (u32 size = 1; size <= 4; size *= 2)
			assert_int_equal(pc_port_read(pc, 0, (u16)(PM_EVENT + at), size),
					 all >> (8 * at) & (UINT32_MAX >> (32 - 8 * size)));
	for (u32 at = 0; at < 8; at++)
		for (u32 size = 1; size <= 4; size *= 2) {
			pc_port_write(pc, 0, (u16)(PM_EVENT + at), size, 0);
			fake_audit();
		}
	assert_int_equal(in16(STATUS), BUTTON);
	assert_int_equal(in16(ENABLE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pm_timer_counts_and_its_top_bit_raises_the_sci),
		cmocka_unit_test(the_pm_timer_never_goes_back),
		cmocka_unit_test(pm_timer_and_8254_agree),
		cmocka_unit_test(events_that_exist_can_be_enabled_and_the_others_cannot),
		cmocka_unit_test(the_power_button_raises_the_sci_until_its_status_is_cleared),
		cmocka_unit_test(an_rtc_alarm_is_an_event_for_who_enables_it),
		cmocka_unit_test(a_button_pressed_before_anybody_listens_waits),
		cmocka_unit_test(the_sci_reaches_the_8259_too),
		cmocka_unit_test(s5_switches_off),
		cmocka_unit_test(other_sleep_types_do_nothing),
		cmocka_unit_test(any_width_at_any_place_is_a_window_on_the_same_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, fake_pc_free);
}
