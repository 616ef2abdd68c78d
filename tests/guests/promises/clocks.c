/* SPDX-License-Identifier: BSD-2-Clause */
/* Time: the TSC, the LAPIC's timer in its three modes, the paravirtual clock, and whether all clocks agree. */
#include "tests/guests/promises/promises.h"

enum { PIT_HZ = 1193182, PM_HZ = 3579545, PM_MASK = 0xffffff, RTC_INDEX = 0x70, RTC_DATA = 0x71, LEAF_TIMING = 0x40000010 };
enum { TIMER_ONE_SHOT = 0, TIMER_PERIODIC = 1 << 17, DIVIDE_BY_1 = 0xb, LATE_US = 1000, PERIODS = 20 };

static u64 ticks_of_us(u64 us)
{
	return tsc_hz * us / 1000000;
}

/* Within one percent? */
static bool agree(u64 a, u64 b)
{
	u64 apart = a > b ? a - b : b - a;

	return apart * 100 <= b;
}

/* ---- TSC ---- */

static const char *tsc_never_goes_back(void)
{
	u64 last = rdtsc();

	for (u32 i = 0; i < 2000; i++) {
		if (i % 100 == 0)
			exit_ways[i / 100 % exit_way_count].leave();
		u64 now = i % 3 ? rdtsc() : msr_read(MSR_TSC);

		EXPECT(now >= last, "0x%llx after 0x%llx", now, last);
		last = now;
	}
	return NULL;
}

static const char *tsc_adjust_moves_the_tsc_and_tells(void)
{
	const u64 jump = 1ULL << 40, soon = ticks_of_us(LATE_US);

	if (!cpu_has(CPU_FEATURE(7, 1, 1)))
		return SKIP("no TSC_ADJUST");
	EXPECT(msr_read(MSR_TSC_ADJUST) == 0, "it begins with 0x%llx", msr_read(MSR_TSC_ADJUST));
	u64 before = rdtsc();
	msr_write(MSR_TSC_ADJUST, jump);
	u64 after = rdtsc();
	EXPECT(after - before >= jump && after - before < jump + soon, "the TSC moved by 0x%llx", after - before);
	msr_write(MSR_TSC, 5 * jump);
	u64 written = rdtsc(), adjust = msr_read(MSR_TSC_ADJUST);
	msr_write(MSR_TSC_ADJUST, 0);
	u64 back = rdtsc();
	EXPECT(written - 5 * jump < soon, "the TSC is 0x%llx after writing 0x%llx", written, 5 * jump);
	EXPECT(adjust + back - written < 2 * soon, "TSC_ADJUST is 0x%llx after that", adjust);
	EXPECT(back >= after - jump && back - before < 2 * soon, "without adjustment it is 0x%llx, was 0x%llx", back, before);
	return NULL;
}

/* ---- rates ---- */

static u64 tsc_hz_by_pm_timer(void)
{
	u16 port = (u16)acpi_fadt_field(FADT_PM_TIMER, 4);
	u32 begin = port_in32(port), passed = 0;
	u64 tsc = rdtsc();

	while (passed < PM_HZ / 25)
		passed = (port_in32(port) - begin) & PM_MASK;
	return (rdtsc() - tsc) * PM_HZ / passed;
}

static u8 rtc_second(void)
{
	port_out8(RTC_INDEX, 0);
	return port_in8(RTC_DATA);
}

static u64 tsc_hz_by_rtc(void)
{
	u64 tsc[2];

	for (u32 i = 0; i < 2; i++) {
		u8 before = rtc_second();

		while (rtc_second() == before)
			;
		tsc[i] = rdtsc();
	}
	return tsc[1] - tsc[0];
}

static const char *pit_pm_timer_rtc_and_tsc_agree(void)
{
	u64 pit = pit_measure(PIT_HZ / 25) * 25;

	if (!acpi_fadt_field(FADT_PM_TIMER, 4))
		return SKIP("no PM timer");
	u64 pm = tsc_hz_by_pm_timer(), rtc = tsc_hz_by_rtc(), told = (u64)cpuid(LEAF_TIMING, 0).a * 1000;

	EXPECT(agree(pm, pit), "TSC by the PM timer %llu Hz, by the 8254 %llu Hz", pm, pit);
	EXPECT(agree(rtc, pit), "TSC by the RTC %llu Hz, by the 8254 %llu Hz", rtc, pit);
	EXPECT(!pvclock_is_there() || agree(told, pit), "TSC by CPUID %llu Hz, by the 8254 %llu Hz", told, pit);
	return NULL;
}

/* ---- the LAPIC's timer ---- */

static volatile u32 fired;
static volatile u64 fired_at;

static void timer(struct frame *frame)
{
	(void)frame;
	fired_at = rdtsc();
	fired = fired + 1;
	apic_eoi();
}

static void timer_mode(u32 lvt)
{
	interrupt_on(VECTOR_TIMER, timer);
	interrupts_off();
	apic_write(APIC_TIMER_INITIAL, 0);
	apic_write(APIC_LVT_TIMER, lvt | VECTOR_TIMER);
	fired = 0;
}

static void timer_quiet(void)
{
	interrupts_off();
	apic_write(APIC_TIMER_INITIAL, 0);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
}

/* Counts per second, undivided. */
static u64 timer_hz(u32 divide)
{
	timer_mode(APIC_LVT_MASKED);
	apic_write(APIC_TIMER_DIVIDE, divide);
	apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
	u64 begin = rdtsc();
	wait_us(2000);
	u32 count = UINT32_MAX - apic_read(APIC_TIMER_CURRENT);
	u64 passed = rdtsc() - begin;

	apic_write(APIC_TIMER_INITIAL, 0);
	return count * tsc_hz / passed;
}

static const char *the_timer_divides_as_it_is_told(void)
{
	static const u8 codes[] = { 0xb, 0x0, 0x1, 0x2, 0x3, 0x8, 0x9, 0xa }; /* by 1, 2, 4 … 128 */
	u64 whole = timer_hz(codes[0]);

	EXPECT(whole > 1000000, "it counts with %llu Hz", whole);
	for (u32 i = 1; i < ARRAY_SIZE(codes); i++) {
		u64 hz = timer_hz(codes[i]);

		EXPECT(agree(hz << i, whole), "divided by %u it counts with %llu Hz, of %llu", 1U << i, hz, whole);
	}
	timer_quiet();
	return NULL;
}

static void sleep_until_fired(u32 times, u64 us)
{
	u64 end = rdtsc() + ticks_of_us(us);

	while (fired < times && rdtsc() < end)
		__asm__ volatile("sti; nop; cli" : : : "memory");
}

static const char *in_time(u64 begin, u64 us)
{
	u64 expected = ticks_of_us(us), passed = fired_at - begin;

	EXPECT(passed + expected / 100 >= expected, "it fired after %llu ticks instead of %llu", passed, expected);
	EXPECT(passed <= expected + ticks_of_us(LATE_US), "it fired after %llu ticks instead of %llu", passed, expected);
	return NULL;
}

static const char *one_shot_fires_once_in_time(void)
{
	u64 hz = timer_hz(DIVIDE_BY_1);

	timer_mode(TIMER_ONE_SHOT);
	u64 begin = rdtsc();
	apic_write(APIC_TIMER_INITIAL, (u32)(hz / 200));
	EXPECT(apic_read(APIC_TIMER_CURRENT) > hz / 400, "it begins with %u", apic_read(APIC_TIMER_CURRENT));
	sleep_until_fired(2, 12000);
	u32 count = apic_read(APIC_TIMER_CURRENT);
	timer_quiet();
	EXPECT(fired == 1, "it fired %u times", fired);
	EXPECT(count == 0, "its count is %u afterwards", count);
	return in_time(begin, 5000);
}

static const char *periodic_fires_every_period(void)
{
	u64 hz = timer_hz(DIVIDE_BY_1);

	timer_mode(TIMER_PERIODIC);
	u64 begin = rdtsc();
	apic_write(APIC_TIMER_INITIAL, (u32)(hz / 1000));
	sleep_until_fired(PERIODS, 2 * PERIODS * 1000);
	timer_quiet();
	EXPECT(fired == PERIODS, "it fired %u times", fired);
	return in_time(begin, PERIODS * 1000);
}

static const char *a_masked_timer_is_silent(void)
{
	u64 hz = timer_hz(DIVIDE_BY_1);

	timer_mode(APIC_LVT_MASKED);
	apic_write(APIC_TIMER_INITIAL, (u32)(hz / 10000));
	sleep_until_fired(1, 500);
	timer_quiet();
	EXPECT(fired == 0, "it fired %u times", fired);
	return NULL;
}

static const char *deadline_in(u64 us)
{
	timer_mode(APIC_LVT_DEADLINE);
	u64 begin = rdtsc(), deadline = begin + ticks_of_us(us);

	apic_deadline(deadline);
	EXPECT(us == 0 || msr_read(MSR_TSC_DEADLINE) == deadline, "the deadline reads 0x%llx", msr_read(MSR_TSC_DEADLINE));
	sleep_until_fired(2, 2 * us + 2 * LATE_US);
	u64 left = msr_read(MSR_TSC_DEADLINE);
	timer_quiet();
	EXPECT(fired == 1, "it fired %u times", fired);
	EXPECT(fired_at >= deadline, "it fired %llu ticks early", deadline - fired_at);
	EXPECT(left == 0, "the deadline reads 0x%llx when it is over", left);
	return in_time(begin, us);
}

static const char *a_deadline_fires_once_and_not_before(void)
{
	const char *trouble;

	if (!cpu_has(FEATURE_TSC_DEADLINE))
		return SKIP("no TSC deadline");
	trouble = deadline_in(5000);
	if (!trouble)
		trouble = deadline_in(0);
	if (trouble)
		return trouble;
	msr_write(MSR_TSC_ADJUST, 1ULL << 40);
	trouble = deadline_in(3000);
	msr_write(MSR_TSC_ADJUST, 0);
	return trouble;
}

static const char *a_deadline_is_disarmed_by_0_and_by_another_mode(void)
{
	if (!cpu_has(FEATURE_TSC_DEADLINE))
		return SKIP("no TSC deadline");
	timer_mode(APIC_LVT_DEADLINE);
	apic_deadline(rdtsc() + ticks_of_us(1000));
	apic_deadline(0);
	sleep_until_fired(1, 3000);
	EXPECT(fired == 0, "it fired after 0 was written");
	apic_deadline(rdtsc() + ticks_of_us(1000));
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
	sleep_until_fired(1, 3000);
	EXPECT(fired == 0, "it fired in one-shot mode");
	msr_write(MSR_TSC_DEADLINE, rdtsc() + ticks_of_us(1000));
	sleep_until_fired(1, 3000);
	timer_quiet();
	EXPECT(fired == 0 && msr_read(MSR_TSC_DEADLINE) == 0, "one-shot mode takes a deadline");
	return NULL;
}

/* ---- the paravirtual clock ---- */

static const char *pvclock_goes_as_the_tsc(void)
{
	if (!pvclock_is_there())
		return SKIP("no KVM clock");
	pvclock_register(0);
	EXPECT(pvclock_is_stable(0), "it is not flagged stable");
	u64 tsc = rdtsc(), begin = pvclock_ns(0), last = begin;

	for (u32 i = 0; i < 200; i++) {
		exit_ways[i % exit_way_count].leave();
		u64 now = pvclock_ns(0);

		EXPECT(now >= last, "%llu ns after %llu ns", now, last);
		last = now;
	}
	u64 by_tsc = (rdtsc() - tsc) * 1000000 / (tsc_hz / 1000);
	EXPECT(agree(last - begin, by_tsc), "%llu ns passed, by the TSC %llu", last - begin, by_tsc);
	msr_write(MSR_TSC_ADJUST, 1ULL << 40);
	u64 adjusted = pvclock_ns(0);
	msr_write(MSR_TSC_ADJUST, 0);
	EXPECT(adjusted >= last && adjusted - last < LATE_US * 1000, "it jumps by %llu ns with TSC_ADJUST", adjusted - last);
	return NULL;
}

static const struct promise list[] = {
	{ "tsc_never_goes_back", tsc_never_goes_back },
	{ "tsc_adjust_moves_the_tsc_and_tells", tsc_adjust_moves_the_tsc_and_tells },
	{ "pit_pm_timer_rtc_and_tsc_agree", pit_pm_timer_rtc_and_tsc_agree },
	{ "the_timer_divides_as_it_is_told", the_timer_divides_as_it_is_told },
	{ "one_shot_fires_once_in_time", one_shot_fires_once_in_time },
	{ "periodic_fires_every_period", periodic_fires_every_period },
	{ "a_masked_timer_is_silent", a_masked_timer_is_silent },
	{ "a_deadline_fires_once_and_not_before", a_deadline_fires_once_and_not_before },
	{ "a_deadline_is_disarmed_by_0_and_by_another_mode", a_deadline_is_disarmed_by_0_and_by_another_mode },
	{ "pvclock_goes_as_the_tsc", pvclock_goes_as_the_tsc },
};
PROMISES(clocks, list);
