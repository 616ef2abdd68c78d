/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How far the sampled fraction lies from the truth: for several sizes of the sample, many periods whose active fraction is drawn anew.
 * The truth lies within the reported 95 % interval in at least 95 % of them; the sweep of accessed flags beside it is exact.
 */
#include "mm/sample.h"
#include "tests/sim/guest.h"
#include "tests/sim/report.h"
#include <stdlib.h>

enum {
	SEED = 1900,
	VM_MB = 64, /* precision depends on the sample's size, not on the VM's */
	PERIODS = 2000,
	CONFIDENCE_PERMILLE = 950,
};
static const u32 samples[] = { 25, 50, 100, 200, 400, 1000 };

struct result {
	u32 covered, sweep_exact;
	double width, error, worst; /* fractions; sums but the last */
};

/* Page i of a random cyclic order is active for i < active: any subset would do, its size is what is estimated. */
static void touch_active(struct guest *guest, u32 active)
{
	u32 first = sim_below(&guest->random, guest->pages);

	for (u32 i = 0; i < active; i++) {
		u32 page = (first + i) % guest->pages;

		if (i % 3)
			guest_must_read(guest, page);
		else
			guest_must_mark(guest, page, 1);
	}
}

static void run_period(struct guest *guest, u64 now_ns, struct result *result)
{
	struct mm_active active;

	touch_active(guest, sim_below(&guest->random, guest->pages + 1));
	while (mm_sample_step(guest->mm, now_ns))
		;
	mm_active(guest->mm, &active);
	u32 truth = (u32)((u64)guest_next_period(guest) * SAMPLE_ONE / guest->pages);
	double error = (double)abs((s32)(active.raw - truth)) / SAMPLE_ONE;

	result->covered += active.low <= truth && truth <= active.high;
	result->sweep_exact += active.swept == truth;
	result->width += (double)(active.high - active.low) / SAMPLE_ONE;
	result->error += error;
	result->worst = error > result->worst ? error : result->worst;
}

static struct result run(u32 sample)
{
	const struct mm_vm_config config = guest_config(1, VM_MB);
	struct result result = { 0 };

	sim_machine(SEED + sample, (VM_MB + 64) * SIM_MIB_PAGES, 0);
	CHECK(mm_sample_set(sample, SIM_SECOND) == OK);
	struct guest *guest = guest_start(&config, SEED + sample);

	for (u32 page = 0; page < guest->pages; page++)
		guest_must_mark(guest, page, 1);
	while (mm_sample_step(guest->mm, 0))
		;
	while (mm_sample_step(guest->mm, SIM_SECOND))
		; /* the period in which the guest began is over */
	guest_next_period(guest);
	for (u32 period = 0; period < PERIODS; period++)
		run_period(guest, (period + 2) * SIM_SECOND, &result);
	guest_end(guest);
	return result;
}

int main(int argc, char **argv)
{
	u32 least_covered = PERIODS, exact = 0;

	report_begin("sampling", argc, argv,
		     "pages,coverage_percent,mean_width_points,mean_error_points,worst_error_points,sweep_exact_percent");
	report_note("sampling: seed %u, a VM of %u MB, %u periods for each size; a uniform fraction of it active", SEED, VM_MB,
		    PERIODS);
	report_note("  pages  in the 95 %% interval  mean width  mean error  worst error  sweep exact");
	for (u32 i = 0; i < ARRAY_SIZE(samples); i++) {
		struct result result = run(samples[i]);
		double coverage = 100.0 * result.covered / PERIODS, width = 100 * result.width / PERIODS;
		double error = 100 * result.error / PERIODS, swept = 100.0 * result.sweep_exact / PERIODS;

		report_row("%u,%.2f,%.2f,%.2f,%.2f,%.2f", samples[i], coverage, width, error, 100 * result.worst, swept);
		report_note("  %5u %19.2f %% %11.2f %11.2f %12.2f %10.2f %%", samples[i], coverage, width, error,
			    100 * result.worst, swept);
		least_covered = result.covered < least_covered ? result.covered : least_covered;
		exact += result.sweep_exact;
	}
	return report_claim(
		least_covered * 1000ULL >= (u64)PERIODS * CONFIDENCE_PERMILLE && exact == PERIODS * ARRAY_SIZE(samples),
		"the truth lies in the 95 %% interval in at least %.2f %% of the periods, for every size; the sweep is exact",
		100.0 * least_covered / PERIODS);
}
