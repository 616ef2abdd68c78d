/* SPDX-License-Identifier: BSD-2-Clause */
/* Other CPUs: they start, share memory under a lock, wake each other by IPIs, and have one time.  `quit` ends it. */
#include "tests/guests/lib/guest.h"
#include <string.h>

enum { COUNT_TO = 100000, PINGS = 200, PING_US = 1000000, TSC_ROUNDS = 20000 };

static u32 ids[GUEST_MAX_CPUS];
static u32 cpu_count;

/* What all other CPUs do now; each does a phase once. */
enum phase { PHASE_WAIT, PHASE_COUNT, PHASE_TIME, PHASE_PINGS, PHASE_END };
static volatile u32 phase, arrived;

static volatile u32 lock, started;
static u64 counter, atomic_counter;
static volatile u64 last_tsc, tsc_backwards;
static volatile u32 pings_here, pongs;

static void count(void)
{
	for (u32 i = 0; i < COUNT_TO; i++) {
		while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
			cpu_pause();
		counter++;
		__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
		__atomic_fetch_add(&atomic_counter, 1, __ATOMIC_RELAXED);
	}
}

/* Everybody publishes its TSC under the lock: nobody may read an earlier one than was published before. */
static void compare_time(void)
{
	for (u32 i = 0; i < TSC_ROUNDS; i++) {
		while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
			cpu_pause();
		__asm__ volatile("lfence" : : : "memory");
		u64 now = rdtsc();
		if (now < last_tsc)
			tsc_backwards++;
		last_tsc = now;
		__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	}
}

static void ping(struct frame *frame)
{
	(void)frame;
	pings_here++;
	apic_eoi();
	apic_send(ids[0], ICR_FIXED | (VECTOR_IPI + 1));
}

static void pong(struct frame *frame)
{
	(void)frame;
	pongs++;
	apic_eoi();
}

static void answer_pings(void)
{
	while (phase == PHASE_PINGS)
		cpu_halt_until_interrupt();
}

static void other_cpu(void)
{
	static void (*const work[])(void) = { [PHASE_COUNT] = count, [PHASE_TIME] = compare_time, [PHASE_PINGS] = answer_pings };

	__atomic_fetch_add(&started, 1, __ATOMIC_RELEASE);
	for (u32 done = PHASE_WAIT; done != PHASE_END;) {
		u32 now = __atomic_load_n(&phase, __ATOMIC_ACQUIRE);

		if (now != done && now != PHASE_END) {
			work[now]();
			__atomic_fetch_add(&arrived, 1, __ATOMIC_RELEASE);
		}
		done = now;
		cpu_pause();
	}
}

static void everybody(enum phase now, void (*mine)(void))
{
	arrived = 0;
	__atomic_store_n(&phase, now, __ATOMIC_RELEASE);
	mine();
	while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) != cpu_count - 1)
		cpu_pause();
}

static const char *cpus_start_by_init_and_sipi(void)
{
	cpu_count = acpi_cpus(ids);
	EXPECT(cpu_count >= 2, "the MADT lists %u CPUs", cpu_count);
	EXPECT(ids[0] == apic_id(), "the first CPU has APIC ID %u, the MADT begins with %u", apic_id(), ids[0]);
	for (u32 i = 1; i < cpu_count; i++)
		EXPECT(cpu_start(ids[i], other_cpu), "APIC ID %u did not answer", ids[i]);
	wait_us(1000);
	EXPECT(started == cpu_count - 1, "%u of %u answered", started, cpu_count - 1);
	return NULL;
}

static const char *locked_and_atomic_counts_are_exact(void)
{
	everybody(PHASE_COUNT, count);
	EXPECT(counter == (u64)COUNT_TO * cpu_count, "counted %llu under the lock", counter);
	EXPECT(atomic_counter == counter, "counted %llu by atomic additions", atomic_counter);
	return NULL;
}

static const char *time_never_goes_back_between_cpus(void)
{
	everybody(PHASE_TIME, compare_time);
	EXPECT(tsc_backwards == 0, "%llu times", tsc_backwards);
	return NULL;
}

static const char *trouble;
static void send_pings(void)
{
	for (u32 i = 1; i < cpu_count && !trouble; i++)
		for (u32 n = 1; n <= PINGS && !trouble; n++) {
			u32 before = pongs;

			apic_send(ids[i], ICR_FIXED | VECTOR_IPI);
			for (u64 end = rdtsc() + tsc_hz / 1000000 * PING_US; pongs == before && rdtsc() < end;)
				cpu_pause();
			if (pongs == before)
				trouble = detail("no answer from APIC ID %u to ping %u", ids[i], n);
		}
	phase = PHASE_END;
	for (u32 i = 1; i < cpu_count; i++)
		apic_send(ids[i], ICR_FIXED | VECTOR_IPI); /* out of HLT */
}

static const char *ipis_wake_halted_cpus_and_come_back(void)
{
	interrupt_on(VECTOR_IPI, ping);
	interrupt_on(VECTOR_IPI + 1, pong);
	interrupts_enable();
	everybody(PHASE_PINGS, send_pings);
	return trouble;
}

void guest_main(void)
{
	static const struct promise list[] = {
		{ "cpus_start_by_init_and_sipi", cpus_start_by_init_and_sipi },
		{ "locked_and_atomic_counts_are_exact", locked_and_atomic_counts_are_exact },
		{ "time_never_goes_back_between_cpus", time_never_goes_back_between_cpus },
		{ "ipis_wake_halted_cpus_and_come_back", ipis_wake_halted_cpus_and_come_back },
	};
	char line[64];

	promises_run("smp", list, acpi_cpus(ids) < 2 ? 1 : ARRAY_SIZE(list));
	interrupts_enable();
	do
		console_line(line, sizeof(line));
	while (strcmp(line, "quit") != 0);
	power_off();
}
