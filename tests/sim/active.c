/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Figure 6: active memory against a toucher.  A program touches 50 MB of its guest's memory over and over, then 250 MB, and back; a little
 * else goes on beside it.  When it shrinks, the guest's zero-page thread clears what it freed, once.
 */
#include "mm/sample.h"
#include "tests/sim/guest.h"
#include "tests/sim/report.h"

enum {
	SEED = 6,
	VM_MB = 512,
	BACKGROUND_LEAST_MB = 10,
	BACKGROUND_MOST_MB = 20, /* at the start of its memory; the toucher's is behind it */
	TOUCH_ALL_SECONDS = 10,  /* the toucher goes once round its memory */
	LEVEL_SECONDS = 900,
	PERIOD_SECONDS = 30,
	SAMPLED_PAGES = 100,
	ROW_SECONDS = 10,
	NEAR_MB = VM_MB / 10, /* half the width of the interval for 100 pages, at worst */
};
static const u32 levels_mb[] = { 50, 250, 50, 250, 50 };

static struct guest *guest;
static u64 random_state = SEED;
static u32 background_mb, periods, exact_periods;

static u32 toucher_mb(u32 second)
{
	return levels_mb[second / LEVEL_SECONDS];
}

static void touch(u32 first, u32 pages)
{
	for (u32 i = 0; i < pages; i++)
		guest_must_mark(guest, first + i, 1);
}

static void run_second(u32 second)
{
	u32 part = toucher_mb(second) * SIM_MIB_PAGES / TOUCH_ALL_SECONDS;
	const u32 toucher = BACKGROUND_MOST_MB * SIM_MIB_PAGES;

	touch(toucher + second % TOUCH_ALL_SECONDS * part, part);
	if (second % PERIOD_SECONDS == 0)
		background_mb = BACKGROUND_LEAST_MB + sim_below(&random_state, BACKGROUND_MOST_MB - BACKGROUND_LEAST_MB + 1);
	touch(0, background_mb * SIM_MIB_PAGES);
	if (second % LEVEL_SECONDS == 0 && second && toucher_mb(second) < toucher_mb(second - 1))
		touch(toucher + toucher_mb(second) * SIM_MIB_PAGES,
		      (toucher_mb(second - 1) - toucher_mb(second)) * SIM_MIB_PAGES);
}

static double mb(u32 fraction)
{
	return (double)fraction * VM_MB / SAMPLE_ONE;
}

/* How long the estimate needs: up until it is near, down until it has gone half the way. */
struct march {
	u32 worst_up, worst_down;
	bool arrived;
};

static void follow(struct march *march, u32 second, double estimate_mb)
{
	u32 level = second / LEVEL_SECONDS;
	u32 since = (second % LEVEL_SECONDS) / PERIOD_SECONDS + 1;
	bool up = level && levels_mb[level] > levels_mb[level - 1];

	if (second % LEVEL_SECONDS == PERIOD_SECONDS - 1)
		march->arrived = level == 0;
	if (march->arrived)
		return;
	march->arrived =
		up ? estimate_mb + NEAR_MB >= levels_mb[level] : estimate_mb <= (levels_mb[level] + levels_mb[level - 1]) / 2.0;
	if (up)
		march->worst_up = since > march->worst_up ? since : march->worst_up;
	else
		march->worst_down = since > march->worst_down ? since : march->worst_down;
}

int main(int argc, char **argv)
{
	const struct mm_vm_config config = guest_config(1, VM_MB);
	struct march march = { 0 };
	struct mm_active active;
	double truth_mb = VM_MB;

	report_begin("active", argc, argv, "second,toucher_mb,truth_mb,raw_mb,low_mb,high_mb,estimate_mb,swept_mb");
	report_note("active: seed %u, a VM of %u MB, %u pages sampled in each %u s", SEED, VM_MB, SAMPLED_PAGES, PERIOD_SECONDS);
	sim_machine(SEED, (VM_MB + 64) * SIM_MIB_PAGES, 0);
	CHECK(mm_sample_set(SAMPLED_PAGES, PERIOD_SECONDS * SIM_SECOND) == OK);
	guest = guest_start(&config, SEED);
	touch(0, guest->pages);
	while (mm_sample_step(guest->mm, 0))
		;
	while (mm_sample_step(guest->mm, PERIOD_SECONDS * SIM_SECOND))
		; /* the period in which the guest began is over */
	guest_next_period(guest);
	for (u32 second = 0; second < ARRAY_SIZE(levels_mb) * LEVEL_SECONDS; second++) {
		run_second(second);
		while (mm_sample_step(guest->mm, (PERIOD_SECONDS + second + 1) * SIM_SECOND))
			;
		mm_active(guest->mm, &active);
		if (second % PERIOD_SECONDS == PERIOD_SECONDS - 1) {
			u32 truth = guest_next_period(guest);

			truth_mb = (double)truth / SIM_MIB_PAGES;
			periods++;
			exact_periods += active.swept == (u64)truth * SAMPLE_ONE / guest->pages;
			follow(&march, second, mb(active.estimate));
		}
		if (second % ROW_SECONDS == ROW_SECONDS - 1)
			report_row("%u,%u,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f", second + 1, toucher_mb(second), truth_mb,
				   mb(active.raw), mb(active.low), mb(active.high), mb(active.estimate), mb(active.swept));
	}
	guest_end(guest);
	return report_claim(
		exact_periods == periods && march.worst_up <= 4 && march.worst_down > march.worst_up,
		"up to the truth within %u periods of %u s, half the way down after %u; the sweep is exact in %u of %u",
		march.worst_up, PERIOD_SECONDS, march.worst_down, exact_periods, periods);
}
