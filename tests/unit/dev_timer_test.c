/* SPDX-License-Identifier: BSD-2-Clause */
/* Clocks, the LAPIC timer, and what the host is told about deadlines. */
#include "tests/unit/support/pc_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { LVT_TIMER_MSR = 0x832, INITIAL = 0x838, CURRENT = 0x839, DIVIDE = 0x83e, DIVIDE_1 = 0xb, TSC_DEADLINE = 0x6e0 };
enum { PERIODIC = 1 << LVT_TIMER_SHIFT, DEADLINE_MODE = 2 << LVT_TIMER_SHIFT, VECTOR = 0xec };
enum { MICROSECOND = 1000, MILLISECOND = 1000000, SECOND = 1000000000 }; /* in TSC ticks of the fake */

static void start(u32 lvt)
{
	fake_pc(2);
	fake_x2apic();
	msr_set(0, LVT_TIMER_MSR, lvt | VECTOR);
	msr_set(0, DIVIDE, DIVIDE_1);
}

static u32 fired(u32 vcpu)
{
	u32 count = 0;

	while (fake_take(vcpu) == VECTOR)
		count++;
	return count;
}

/* ---- conversion ---- */

static void clocks_do_not_drift_and_a_deadline_is_never_early(void **state)
{
	static const u64 khz[] = { 1000, 50000, 1000000, 2893437, 3500000, 5000001 };
	static const u64 hz[] = { 32768, 1193182, 3579545, 1000000000 };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(khz); i++) {
		for (u32 j = 0; j < ARRAY_SIZE(hz); j++) {
			struct clock clock;

			clock_init(&clock, hz[j], khz[i]);
			for (u64 seconds = 1; seconds < 1ULL << 31; seconds *= 7) {
				u64 ticks = clock_ticks(&clock, seconds * khz[i] * 1000);

				assert_in_range(seconds * hz[j] - ticks, 0, 1);
				assert_true(clock_ticks(&clock, clock_tsc(&clock, ticks)) >= ticks);
				assert_true(clock_tsc(&clock, ticks) <= seconds * khz[i] * 1000 + 1);
			}
		}
	}
}

/* ---- LAPIC timer ---- */

static void a_tsc_deadline_fires_once_at_its_time_and_reads_zero_afterwards(void **state)
{
	(void)state;
	start(DEADLINE_MODE);
	msr_set(0, TSC_DEADLINE, 5000);
	assert_int_equal(fake.deadline[0], 5000);
	assert_int_equal(msr(0, TSC_DEADLINE), 5000);
	fake_run_to(4999);
	assert_int_equal(fired(0), 0);
	fake_run_to(5000);
	assert_int_equal(fired(0), 1);
	assert_int_equal(msr(0, TSC_DEADLINE), 0);
	assert_int_equal(fake.deadline[0], 0);
	fake_audit();
}

static void a_deadline_in_the_past_is_announced_and_fires(void **state)
{
	(void)state;
	start(DEADLINE_MODE);
	fake_run_to(SECOND);
	msr_set(0, TSC_DEADLINE, 1);
	assert_int_equal(fake.deadline[0], 1);
	fake_run(0);
	assert_int_equal(fired(0), 1);
	msr_set(0, TSC_DEADLINE, 2 * SECOND);
	msr_set(0, TSC_DEADLINE, 0);
	assert_int_equal(fake.deadline[0], 0);
	fake_run(3ULL * SECOND);
	assert_int_equal(fired(0), 0);
}

static void a_deadline_beyond_all_time_is_never(void **state)
{
	(void)state;
	start(DEADLINE_MODE);
	msr_set(0, TSC_DEADLINE, UINT64_MAX - 1);
	assert_int_equal(fake.deadline[0], 0);
	fake_run(SECOND);
	assert_int_equal(fired(0), 0);
	fake_audit();
}

static void the_host_hears_only_of_deadlines_that_change(void **state)
{
	(void)state;
	start(DEADLINE_MODE);
	msr_set(0, TSC_DEADLINE, 5000);
	u32 calls = fake.deadline_calls[0];

	msr_set(0, TSC_DEADLINE, 5000);
	assert_int_equal(fake.deadline_calls[0], calls);
	msr_set(0, TSC_DEADLINE, 6000);
	assert_int_equal(fake.deadline_calls[0], calls + 1);
	fake.now = 5500;
	pc_timers(pc, 0, 5500); /* too early: told again, for the host's timer is spent */
	assert_int_equal(fake.deadline_calls[0], calls + 2);
	assert_int_equal(fake.deadline[0], 6000);
	assert_int_equal(fired(0), 0);
}

static void a_one_shot_counts_down_at_the_divided_bus_clock(void **state)
{
	(void)state;
	start(0);
	msr_set(0, DIVIDE, 3); /* by 16 */
	msr_set(0, INITIAL, 1000);
	assert_in_range(fake.deadline[0], 16000, 16001);
	fake_run_to(8000);
	assert_in_range(msr(0, CURRENT), 499, 501);
	fake_run_to(16001);
	assert_int_equal(fired(0), 1);
	assert_int_equal(msr(0, CURRENT), 0);
	fake_run(SECOND);
	assert_int_equal(fired(0), 0);
	msr_set(0, INITIAL, 1000);
	msr_set(0, INITIAL, 0); /* stops it */
	assert_int_equal(fake.deadline[0], 0);
}

static void every_divider_divides_by_its_power_of_two(void **state)
{
	static const u32 codes[] = { 0xb, 0, 1, 2, 3, 8, 9, 0xa };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(codes); i++) {
		start(0);
		msr_set(0, DIVIDE, codes[i]);
		msr_set(0, INITIAL, 1000);
		assert_in_range(fake.deadline[0], 1000 << i, (1000 << i) + 1);
	}
}

static void a_periodic_timer_keeps_its_phase(void **state)
{
	(void)state;
	start(PERIODIC);
	msr_set(0, INITIAL, MILLISECOND);
	for (u64 i = 1; i <= 100; i++) {
		fake_run_to(i * (MILLISECOND + 1));
		assert_int_equal(fired(0), 1);
	}
	fake_audit();
}

static void missed_periodic_ticks_merge_into_one(void **state)
{
	(void)state;
	start(PERIODIC);
	msr_set(0, INITIAL, MILLISECOND);
	fake_skip(50ULL * MILLISECOND + 300);
	assert_int_equal(fired(0), 1);
	assert_in_range(fake.deadline[0], 51ULL * MILLISECOND, 51ULL * MILLISECOND + 60);
	assert_in_range(msr(0, CURRENT), MILLISECOND - 400, MILLISECOND - 200);
}

static void a_missed_one_shot_fires_once(void **state)
{
	(void)state;
	start(0);
	msr_set(0, INITIAL, 1000);
	fake_skip(SECOND);
	assert_int_equal(fired(0), 1);
	fake_run(SECOND);
	assert_int_equal(fired(0), 0);
}

static void no_period_is_so_short_that_it_floods_the_host(void **state)
{
	(void)state;
	start(PERIODIC);
	msr_set(0, INITIAL, 1);
	u32 before = fake.timer_calls;

	fake_run(100ULL * MILLISECOND);
	assert_in_range(fake.timer_calls - before, 500, 1001);
}

static void a_masked_timer_runs_silently_and_a_mode_change_stops_it(void **state)
{
	(void)state;
	start(LVT_MASKED | PERIODIC);
	msr_set(0, INITIAL, MILLISECOND);
	fake_run(3ULL * MILLISECOND);
	assert_int_equal(fired(0), 0);
	msr_set(0, LVT_TIMER_MSR, PERIODIC | VECTOR);
	fake_run(MILLISECOND + 1);
	assert_int_equal(fired(0), 1);
	msr_set(0, LVT_TIMER_MSR, DEADLINE_MODE | VECTOR);
	assert_int_equal(fake.deadline[0], 0);
	assert_int_equal(msr(0, CURRENT), 0);
	msr_set(0, INITIAL, 5); /* without effect in this mode */
	assert_int_equal(fake.deadline[0], 0);
	msr_set(0, TSC_DEADLINE, fake.now + 10);
	msr_set(0, LVT_TIMER_MSR, VECTOR);
	assert_int_equal(fake.deadline[0], 0);
	msr_set(0, TSC_DEADLINE, fake.now + 10); /* without effect in that mode */
	assert_int_equal(msr(0, TSC_DEADLINE), 0);
	fake_audit();
}

static void changing_the_divider_keeps_the_count(void **state)
{
	(void)state;
	start(0);
	msr_set(0, INITIAL, 1000);
	fake_run_to(400);
	msr_set(0, DIVIDE, 0); /* by 2 */
	assert_in_range(fake.deadline[0], 400 + 1200, 400 + 1204);
}

static void timers_of_two_vcpus_are_independent(void **state)
{
	(void)state;
	start(DEADLINE_MODE);
	msr_set(1, LVT_TIMER_MSR, DEADLINE_MODE | VECTOR);
	msr_set(0, TSC_DEADLINE, 5000);
	msr_set(1, TSC_DEADLINE, 3000);
	assert_int_equal(fake.deadline[0], 5000);
	assert_int_equal(fake.deadline[1], 3000);
	fake_run_to(4000);
	assert_int_equal(fired(0), 0);
	assert_int_equal(fired(1), 1);
}

/* ---- chipset and LAPIC share vCPU 0's deadline ---- */

static void the_earlier_of_pit_and_lapic_is_announced_and_neither_is_lost(void **state)
{
	(void)state;
	start(DEADLINE_MODE);
	fake_ioapic_set(2, 0x40);
	msr_set(0, TSC_DEADLINE, 15ULL * MILLISECOND);
	out8(0x43, 0x34); /* 8254: every 10 ms */
	out8(0x40, 11932 & 0xff);
	out8(0x40, 11932 >> 8);
	assert_in_range(fake.deadline[0], 9999 * MICROSECOND, 10002 * MICROSECOND);
	fake_run_to(11ULL * MILLISECOND);
	assert_int_equal(fake_take(0), 0x40);
	assert_int_equal(fake.deadline[0], 15ULL * MILLISECOND);
	fake_run_to(16ULL * MILLISECOND);
	assert_int_equal(fake_take(0), VECTOR);
	assert_in_range(fake.deadline[0], 19998 * MICROSECOND, 20003 * MICROSECOND);
	fake_audit();
}

/* ---- any sequence ---- */

/* Periodic interrupts never come more often than time allows, and never stop, whatever the host's delays are. */
static void random_delays_never_lose_a_periodic_timer(void **state)
{
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	start(PERIODIC);
	msr_set(0, INITIAL, MILLISECOND);
	u64 last = fake.now;

	for (u32 i = 0; i < 5000; i++) {
		u64 ticks = (u64)rand() % (4 * MILLISECOND);

		if (rand() % 2)
			fake_run(ticks);
		else
			fake_skip(ticks);
		if (fired(0))
			last = fake.now;
		assert_true(fake.now - last < 2 * MILLISECOND + 100 || fake.now < 2 * MILLISECOND);
		assert_true(fake.deadline[0] > fake.now && fake.deadline[0] <= fake.now + MILLISECOND + 2);
	}
	fake_audit();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_do_not_drift_and_a_deadline_is_never_early),
		cmocka_unit_test(a_tsc_deadline_fires_once_at_its_time_and_reads_zero_afterwards),
		cmocka_unit_test(a_deadline_in_the_past_is_announced_and_fires),
		cmocka_unit_test(a_deadline_beyond_all_time_is_never),
		cmocka_unit_test(the_host_hears_only_of_deadlines_that_change),
		cmocka_unit_test(a_one_shot_counts_down_at_the_divided_bus_clock),
		cmocka_unit_test(every_divider_divides_by_its_power_of_two),
		cmocka_unit_test(a_periodic_timer_keeps_its_phase),
		cmocka_unit_test(missed_periodic_ticks_merge_into_one),
		cmocka_unit_test(a_missed_one_shot_fires_once),
		cmocka_unit_test(no_period_is_so_short_that_it_floods_the_host),
		cmocka_unit_test(a_masked_timer_runs_silently_and_a_mode_change_stops_it),
		cmocka_unit_test(changing_the_divider_keeps_the_count),
		cmocka_unit_test(timers_of_two_vcpus_are_independent),
		cmocka_unit_test(the_earlier_of_pit_and_lapic_is_announced_and_neither_is_lost),
		cmocka_unit_test(random_delays_never_lose_a_periodic_timer),
	};

	return cmocka_run_group_tests(tests, NULL, fake_pc_free);
}
