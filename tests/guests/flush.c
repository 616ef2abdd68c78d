/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One CPU spins on a page, without an exit of its own, while the other one changes it: what the hypervisor does to that page
 * meanwhile (protect, split, sample, move) must never leave the spinning CPU with a translation of yesterday.
 * Command line: rounds=N (0: for ever), gap=MICROSECONDS between two changes.
 */
#include "tests/guests/lib/guest.h"

enum { PATIENCE_US = 5000000, REPORT_EVERY = 10 };

static volatile u64 *watched;
static volatile u64 seen __attribute__((aligned(64)));
static volatile u64 stop_flag __attribute__((aligned(64)));

static void spin(void)
{
	interrupts_off();
	while (!stop_flag)
		seen = *watched;
}

static bool becomes_seen(u64 value)
{
	for (u64 end = rdtsc() + tsc_hz / 1000000 * PATIENCE_US; seen != value;)
		if (rdtsc() > end)
			return false;
	return true;
}

void guest_main(void)
{
	u64 rounds = guest_number("rounds", 0);
	u64 gap = guest_number("gap", 10000);
	u32 ids[GUEST_MAX_CPUS];
	const u32 never = 0;

	if (acpi_cpus(ids) < 2)
		die("flush needs two CPUs");
	watched = (volatile u64 *)guest_free_memory().base;
	if (!cpu_start(ids[1], spin))
		die("the second CPU did not start");
	say("flush: spinning on 0x%llx\n", (u64)watched);
	for (u64 round = 1; rounds == 0 || round <= rounds; round++) {
		*watched = round;
		if (!becomes_seen(round))
			die("round %llu: the other CPU still sees %llu", round, seen);
		if (round % REPORT_EVERY == 0)
			say("flush: %llu rounds seen\n", round);
		wait_flag(&never, gap);
	}
	stop_flag = 1;
	say("flush: done, all %llu rounds seen\n", rounds);
}
