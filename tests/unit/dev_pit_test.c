/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8254 and port 61h as systems use them: ticks, one-shots, calibration against the speaker's channel, latches. */
#include "tests/unit/support/pc_fake.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { VECTOR = 0xec, IRR_MASTER = 0x20, DAY_SECONDS = 86400 };
enum { MICROSECOND = 1000, MILLISECOND = 1000000, SECOND = 1000000000 }; /* in TSC ticks of the fake */

static u32 fired(u32 vcpu)
{
	u32 count = 0;

	while (fake_take(vcpu) == VECTOR)
		count++;
	return count;
}

static void pit_irq_to(u8 vector)
{
	fake_pc(1);
	fake_x2apic();
	fake_ioapic_set(2, vector);
}

static void pit_set(u32 channel, u32 mode, u32 count)
{
	out8(0x43, channel << 6 | 3 << 4 | mode << 1);
	out8((u16)(0x40 + channel), count & 0xff);
	out8((u16)(0x40 + channel), count >> 8);
}

static u32 pit_latched(u32 channel)
{
	out8(0x43, channel << 6);
	u32 low = in8((u16)(0x40 + channel));

	return low | (u32)in8((u16)(0x40 + channel)) << 8;
}

static bool out2(void)
{
	return in8(0x61) & 0x20;
}

static void channel_0_interrupts_at_its_rate_through_pin_2(void **state)
{
	(void)state;
	for (u32 mode = 2; mode <= 3; mode++) {
		pit_irq_to(VECTOR);
		pit_set(0, mode, 11932); /* 10 ms */
		u32 ticks = 0;

		for (u32 i = 0; i < 100; i++) {
			fake_run(10ULL * MILLISECOND);
			ticks += fired(0);
		}
		assert_in_range(ticks, 99, 100);
		fake_skip(SECOND);
		assert_int_equal(fired(0), 1);
		fake_audit();
	}
}

static void mode_0_interrupts_once(void **state)
{
	(void)state;
	pit_irq_to(VECTOR);
	pit_set(0, 0, 1193);
	fake_run(998 * MICROSECOND);
	assert_int_equal(fired(0), 0);
	fake_run(4 * MICROSECOND);
	assert_int_equal(fired(0), 1);
	fake_run(SECOND);
	assert_int_equal(fired(0), 0);
	pit_set(0, 0, 1193); /* its output falls, then rises again */
	fake_run(2ULL * MILLISECOND);
	assert_int_equal(fired(0), 1);
	fake_audit();
}

/* Event timers of FreeBSD count anew before the old count has ended: the old one must not interrupt between the two bytes. */
static void in_mode_0_half_a_count_stops_the_old_one(void **state)
{
	(void)state;
	pit_irq_to(VECTOR);
	pit_set(0, 0, 1193);
	fake_run(998 * MICROSECOND);
	out8(0x40, 1193 & 0xff);
	u32 held = pit_latched(0);

	fake_run(SECOND);
	assert_int_equal(fired(0), 0);
	assert_int_equal(fake.deadline[0], 0);
	assert_int_equal(pit_latched(0), held);
	out8(0x40, 1193 >> 8);
	fake_run(998 * MICROSECOND);
	assert_int_equal(fired(0), 0);
	fake_run(4 * MICROSECOND);
	assert_int_equal(fired(0), 1);
	out8(0x61, 1);
	pit_set(2, 0, 100);
	fake_run(MILLISECOND);
	assert_true(out2());
	out8(0x42, 100);
	assert_false(out2());
	fake_audit();
}

static void channel_2_measures_time_as_calibrations_expect(void **state)
{
	(void)state;
	fake_pc(1);
	out8(0x61, 0);
	out8(0x61, 1);        /* gate on, speaker off */
	pit_set(2, 0, 59659); /* 50 ms */
	assert_false(out2());
	fake_run(49990ULL * MICROSECOND);
	assert_false(out2());
	fake_run(20 * MICROSECOND);
	assert_true(out2());
	pit_set(2, 0, 0xffff);
	fake_run(MILLISECOND);
	assert_in_range(pit_latched(2), 0xffff - 1195, 0xffff - 1192);
}

static void a_gate_stops_and_restarts_channel_2(void **state)
{
	(void)state;
	fake_pc(1);
	out8(0x61, 1);
	pit_set(2, 0, 10000);
	fake_run(MILLISECOND);
	out8(0x61, 0);
	u32 held = pit_latched(2);

	fake_run(50ULL * MILLISECOND);
	assert_int_equal(pit_latched(2), held);
	assert_false(out2());
	out8(0x61, 1);
	fake_run(MILLISECOND);
	assert_in_range(held - pit_latched(2), 1191, 1195);
	pit_set(2, 1, 1193); /* one-shot: waits for a rising gate */
	fake_run(10ULL * MILLISECOND);
	assert_true(out2());
	out8(0x61, 0);
	out8(0x61, 1);
	assert_false(out2());
	fake_run(1001 * MICROSECOND);
	assert_true(out2());
	pit_set(2, 3, 1194); /* square wave; its gate held low makes the output high */
	fake_run(750 * MICROSECOND);
	assert_false(out2());
	out8(0x61, 0);
	assert_true(out2());
	fake_audit();
}

static void a_latched_count_stands_until_it_is_read(void **state)
{
	(void)state;
	fake_pc(1);
	pit_set(0, 2, 0);
	fake_run(MILLISECOND);
	out8(0x43, 0);
	u32 low = in8(0x40);

	fake_run(MILLISECOND);
	out8(0x43, 0); /* ignored: the first latch is half read */
	u32 latched = low | (u32)in8(0x40) << 8;

	assert_in_range(0x10000 - latched, 1192, 1195);
	assert_in_range(0x10000 - pit_latched(0), 2384, 2390);
}

static void read_back_gives_status_then_count(void **state)
{
	(void)state;
	fake_pc(1);
	out8(0x43, 0x34);                  /* channel 0, both bytes, mode 2 */
	out8(0x43, 0xe2);                  /* status of channel 0 */
	assert_int_equal(in8(0x40), 0xf4); /* output high, no count yet */
	out8(0x40, 0x34);
	out8(0x40, 0x12);
	out8(0x43, 0xc2); /* both */
	assert_int_equal(in8(0x40), 0xb4);
	assert_int_equal(in8(0x40), 0x34);
	assert_int_equal(in8(0x40), 0x12);
	out8(0x43, 0x11); /* low byte only, mode 0, BCD */
	out8(0x40, 0x50);
	fake_run(10 * MICROSECOND); /* 11 ticks */
	assert_int_equal(in8(0x40), 0x39);
}

static void the_refresh_bit_toggles(void **state)
{
	(void)state;
	fake_pc(1);
	u32 changes = 0;
	u8 last = in8(0x61) & 0x10;

	for (u32 i = 0; i < 1000; i++) {
		fake_run(MICROSECOND);
		changes += (in8(0x61) & 0x10) != last;
		last = in8(0x61) & 0x10;
	}
	assert_in_range(changes, 64, 68); /* every 15.1 µs */
}

static void a_pit_too_fast_does_not_flood_the_host(void **state)
{
	(void)state;
	for (u32 mode = 0; mode < 8; mode++) {
		pit_irq_to(VECTOR);
		pit_set(0, mode, 1);
		fake.timer_calls = 0;
		fake_run(100ULL * MILLISECOND);
		assert_in_range(fake.timer_calls, 0, 1005);
		fake_audit();
	}
}

/* ---- what systems do at their start ---- */

/* quick_pit_calibrate() of Linux: the high byte of channel 2 must be seen long enough at each value, and fall without a gap. */
static void linux_calibrates_quickly(void **state)
{
	(void)state;
	fake_pc(1);
	out8(0x61, (in8(0x61) & ~0x02U) | 0x01);
	out8(0x43, 0xb0);
	out8(0x42, 0xff);
	out8(0x42, 0xff);
	(void)in8(0x42);
	assert_int_equal(in8(0x42), 0xff);
	u64 start = 0;

	for (u32 high = 0xff; high >= 0xff - 50; high--) {
		u32 seen = 0;

		for (;;) {
			fake_run(5ULL * MICROSECOND);
			(void)in8(0x42);
			if (in8(0x42) != high)
				break;
			seen++;
		}
		assert_true(seen > 5);
		if (high == 0xff)
			start = fake.now;
	}
	u64 expected = 50 * 256 * 1000000ULL / 1193; /* in ns: 50 values of the high byte */

	assert_in_range(fake.now - start, expected - 10 * MICROSECOND, expected + 10 * MICROSECOND);
}

/* pit_calibrate_tsc() of Linux: mode 0 on channel 2, then wait for its output at port 61h. */
static void linux_calibrates_slowly(void **state)
{
	(void)state;
	fake_pc_khz(1, 2893437);
	out8(0x61, (in8(0x61) & ~0x02U) | 0x01);
	out8(0x43, 0xb0);
	out8(0x42, 11932 & 0xff); /* 10 ms */
	out8(0x42, 11932 >> 8);
	u64 start = fake.now;
	u32 polls = 0;

	while (!out2()) {
		fake_run(2893);
		assert_true(++polls < 20000);
	}
	u64 khz = (fake.now - start) / 10;

	assert_in_range(khz, 2893437 - 1000, 2893437 + 1000);
}

/* timer_irq_works() of Linux and its like: enough ticks through pin 2 in ten of their periods. */
static void the_timer_check_of_io_apics_passes(void **state)
{
	(void)state;
	pit_irq_to(VECTOR);
	fake_ioapic_set(2, BIT(16) | VECTOR);
	pit_set(0, 2, 4773); /* HZ = 250 */
	fake_run(7ULL * MILLISECOND);
	assert_int_equal(fired(0), 0);
	fake_ioapic_set(2, VECTOR); /* unmasked while the line is high: the next edge comes */
	u32 ticks = 0;

	for (u32 i = 0; i < 40; i++) {
		fake_run(MILLISECOND);
		ticks += fired(0);
	}
	assert_in_range(ticks, 9, 10);
}

/* Before there is an IOAPIC: the 8259's input 0, and by LINT0 to the processor. */
static void ticks_reach_the_8259_too(void **state)
{
	(void)state;
	fake_pc(1);
	static const u8 words[] = { 0x30, 4, 1 };

	out8(IRR_MASTER, 0x11);
	for (u32 i = 0; i < sizeof(words); i++)
		out8(IRR_MASTER + 1, words[i]);
	pit_set(0, 3, 11932);
	u32 ticks = 0;

	for (u32 i = 0; i < 10; i++) {
		fake_run(10ULL * MILLISECOND);
		if (pc_interrupt_ack(pc, 0) == 0x30) {
			out8(IRR_MASTER, 0x20);
			ticks++;
		}
	}
	assert_in_range(ticks, 9, 10);
	fake_audit();
}

/* Linux's clock events: pit_set_oneshot() is mode 4, each event writes a count. */
static void mode_4_interrupts_once_a_count(void **state)
{
	(void)state;
	pit_irq_to(VECTOR);
	out8(0x43, 0x38);
	for (u32 i = 1; i <= 5; i++) {
		out8(0x40, (1193 * i) & 0xff);
		out8(0x40, (1193 * i) >> 8);
		fake_run((u64)i * MILLISECOND - 2 * MICROSECOND);
		assert_int_equal(fired(0), 0);
		fake_run(4 * MICROSECOND);
		assert_int_equal(fired(0), 1);
		fake_run(100ULL * MILLISECOND);
		assert_int_equal(fired(0), 0);
	}
	out8(0x40, 0xff);
	out8(0x40, 0xff);
	out8(0x43, 0x30); /* a new mode stops the running one */
	fake_run(SECOND);
	assert_int_equal(fired(0), 0);
	assert_int_equal(fake.deadline[0], 0);
	fake_audit();
}

/* FreeBSD and older systems read the time of day from channel 0. */
static void latched_counts_of_a_running_channel_fall_and_wrap(void **state)
{
	(void)state;
	fake_pc(1);
	pit_set(0, 2, 0);
	u32 last = pit_latched(0), wraps = 0;

	for (u32 i = 0; i < 2000; i++) {
		fake_run(100 * MICROSECOND);
		u32 value = pit_latched(0);

		wraps += value > last;
		assert_in_range((last - value) & 0xffff, 118, 121);
		last = value;
	}
	assert_int_equal(wraps, 4); /* from 65536, which reads 0, and every 54.9 ms */
}

/* ---- formats ---- */

static void bytes_go_where_the_access_mode_says(void **state)
{
	(void)state;
	fake_pc(1);
	out8(0x43, 0x14); /* channel 0, low byte only, mode 2 */
	out8(0x40, 0x20);
	assert_int_equal(in8(0x40), 0x20);
	assert_int_equal(in8(0x40), 0x20);
	out8(0x43, 0x24); /* high byte only */
	out8(0x40, 0x20);
	assert_int_equal(in8(0x40), 0x20);
	out8(0x43, 0x00); /* latched too */
	assert_int_equal(in8(0x40), 0x20);
	out8(0x43, 0x34); /* both, in turn, also when read without a latch */
	out8(0x40, 0x34);
	out8(0x40, 0x12);
	assert_int_equal(in8(0x40), 0x34);
	assert_int_equal(in8(0x40), 0x12);
	assert_int_equal(in8(0x40), 0x34);
	assert_int_equal(in8(0x43), 0xff);
}

static void bcd_counts_in_decimal(void **state)
{
	(void)state;
	fake_pc(1);
	out8(0x43, 0x35); /* channel 0, both, mode 2, BCD */
	out8(0x40, 0x00);
	out8(0x40, 0x10);                /* 1000 */
	fake_run(9 * MICROSECOND + 500); /* 11 ticks */
	assert_int_equal(pit_latched(0), 0x0989);
	out8(0x40, 0);
	out8(0x40, 0); /* 10000 */
	fake_run(MICROSECOND);
	assert_int_equal(pit_latched(0), 0x9999);
	out8(0x40, 0xff); /* digits that are none make some count; nothing breaks */
	out8(0x40, 0xff);
	fake_run(SECOND);
	fake_audit();
}

static void status_says_mode_access_output_and_whether_it_counts(void **state)
{
	(void)state;
	fake_pc(1);
	static const u8 outputs[] = { 0, 0x80, 0x80, 0x80, 0x80, 0x80 }; /* after the mode was written */

	for (u32 mode = 0; mode < 6; mode++) {
		out8(0x43, 0x30 | mode << 1);
		out8(0x43, 0xe2);
		out8(0x43, 0xe2); /* a second one is ignored until it is read */
		assert_int_equal(in8(0x40), outputs[mode] | 0x40 | 0x30 | mode << 1);
	}
	pit_set(0, 6, 1000); /* modes 6 and 7 are 2 and 3 */
	out8(0x43, 0xe2);
	assert_int_equal(in8(0x40) & 0x4e, 2 << 1);
}

static void read_back_latches_the_channels_it_names(void **state)
{
	(void)state;
	fake_pc(1);
	for (u32 channel = 0; channel < 3; channel++)
		pit_set(channel, 2, 1000 * (channel + 1));
	out8(0x61, 1);
	out8(0x43, 0xd0 | 2 | 8); /* counts of 0 and 2 */
	fake_run(100 * MICROSECOND);
	u32 low = in8(0x40);

	assert_int_equal(low | (u32)in8(0x40) << 8, 1000);
	low = in8(0x42);
	assert_int_equal(low | (u32)in8(0x42) << 8, 3000);
	low = in8(0x41);
	assert_in_range(2000 - (low | (u32)in8(0x41) << 8), 118, 120);
}

/* ---- time that went without it ---- */

static void after_a_year_without_a_turn_one_tick_comes_and_the_rate_stays(void **state)
{
	(void)state;
	for (u32 mode = 2; mode <= 3; mode++) {
		pit_irq_to(VECTOR);
		pit_set(0, mode, 11932);
		fake.timer_calls = 0;
		fake_skip(365ULL * DAY_SECONDS * SECOND);
		assert_int_equal(fake.timer_calls, 1);
		assert_int_equal(fired(0), 1);
		assert_in_range(fake.deadline[0] - fake.now, 1, 10001 * MICROSECOND);
		assert_in_range(pit_latched(0), 1, 11932);
		fake_audit();
	}
	pit_irq_to(VECTOR);
	pit_set(0, 0, 11932);
	fake_skip(365ULL * DAY_SECONDS * SECOND);
	assert_int_equal(fired(0), 1);
	assert_int_equal(fake.deadline[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(channel_0_interrupts_at_its_rate_through_pin_2),
		cmocka_unit_test(mode_0_interrupts_once),
		cmocka_unit_test(in_mode_0_half_a_count_stops_the_old_one),
		cmocka_unit_test(channel_2_measures_time_as_calibrations_expect),
		cmocka_unit_test(a_gate_stops_and_restarts_channel_2),
		cmocka_unit_test(a_latched_count_stands_until_it_is_read),
		cmocka_unit_test(read_back_gives_status_then_count),
		cmocka_unit_test(the_refresh_bit_toggles),
		cmocka_unit_test(a_pit_too_fast_does_not_flood_the_host),
		cmocka_unit_test(linux_calibrates_quickly),
		cmocka_unit_test(linux_calibrates_slowly),
		cmocka_unit_test(the_timer_check_of_io_apics_passes),
		cmocka_unit_test(ticks_reach_the_8259_too),
		cmocka_unit_test(mode_4_interrupts_once_a_count),
		cmocka_unit_test(latched_counts_of_a_running_channel_fall_and_wrap),
		cmocka_unit_test(bytes_go_where_the_access_mode_says),
		cmocka_unit_test(bcd_counts_in_decimal),
		cmocka_unit_test(status_says_mode_access_output_and_whether_it_counts),
		cmocka_unit_test(read_back_latches_the_channels_it_names),
		cmocka_unit_test(after_a_year_without_a_turn_one_tick_comes_and_the_rate_stays),
	};

	return cmocka_run_group_tests(tests, NULL, fake_pc_free);
}
