/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A rebalance of 10 to 10,000 VMs on a machine of 16 TiB: from what each holds and uses to what it should hold and what is taken from it
 * (mm/plan.c).  Numbers only: no frame is behind them.  CPU time, median of several.
 */
#include "mm/plan.h"
#include "mm/state.h"
#include "tests/sim/platform_sim.h"
#include "tests/sim/report.h"
#include <stdlib.h>
#include <time.h>

enum {
	SEED = 16,
	MOST_VMS = 10000,
	POOLS = 100, /* at most; one for each 50 VMs */
	VMS_IN_POOL = 50,
	ROUNDS = 21,
	WANTED_US = 10000,
	HELD_PERCENT = 99, /* of the machine, before: memory is short */
};
#define MACHINE_PAGES (16ULL << (40 - PAGE_SHIFT))
static const u32 counts[] = { 10, 100, 1000, MOST_VMS };

static struct alloc_node nodes[1 + POOLS + MOST_VMS];
static struct reclaim_row rows[MOST_VMS];
static u64 random_state = SEED;

static u64 between(u64 low, u64 high)
{
	return low + sim_random(&random_state) % (high - low + 1);
}

/* VMs of very different sizes, whose maxima together are one and a half times the machine. */
static void make_vm(struct alloc_node *node, struct reclaim_row *row, u32 pool, u32 vms)
{
	u64 mean = MACHINE_PAGES * 3 / 2 / vms;
	u64 max = between(mean / 4, mean * 7 / 4), min = between(0, max / 3), held = between(min, max * HELD_PERCENT / 100);

	*node = (struct alloc_node){ .min = min,
				     .max = max,
				     .shares = (u32)between(1, 100000),
				     .active_permille = (u32)between(50, 1000),
				     .tax_permille = 750,
				     .parent = pool };
	*row = (struct reclaim_row){
		.held = held,
		.balloon = max - held,
		.balloon_limit = max * 65 / 100,
		.has_balloon = between(0, 9) > 0,
		.answers = true,
		.pages_out = true,
	};
}

static u32 make_machine(u32 vms)
{
	u32 pools = vms > VMS_IN_POOL ? (u32)min_u64(vms / VMS_IN_POOL, POOLS) : 0;

	nodes[0] = (struct alloc_node){ .max = MACHINE_PAGES, .shares = 1 };
	for (u32 i = 1; i <= pools; i++)
		nodes[i] = (struct alloc_node){ .max = MACHINE_PAGES, .shares = (u32)between(1000, 100000), .tax_permille = 750 };
	for (u32 i = 0; i < vms; i++)
		make_vm(&nodes[1 + pools + i], &rows[i], pools ? 1 + i % pools : 0, vms);
	return 1 + pools;
}

static double cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* Targets add up to the page, and nobody is below its min or above its max. */
static bool is_exact(u32 pools, u32 vms, u64 pages)
{
	u64 sum = 0;

	for (u32 i = 0; i < vms; i++) {
		const struct alloc_node *node = &nodes[pools + i];

		if (node->target < node->min || node->target > node->max)
			return false;
		sum += node->target;
	}
	return sum == pages;
}

struct cost {
	double median_us;
	u32 steps;
	bool exact;
};

static struct cost measure(u32 vms)
{
	struct cost cost = { .exact = true };
	u64 at[FREE_STATES], pages;
	double took[ROUNDS];

	state_thresholds(MACHINE_PAGES, at);
	pages = MACHINE_PAGES - at[MM_HIGH];
	for (u32 round = 0; round < ROUNDS; round++) {
		u32 pools = make_machine(vms);
		struct plan plan;

		took[round] = cpu_us();
		plan_begin(&plan, nodes, pools, rows, vms, pages, MM_SOFT);
		for (cost.steps = 1; plan_step(&plan); cost.steps++)
			;
		took[round] = cpu_us() - took[round];
		cost.exact = cost.exact && is_exact(pools, vms, pages);
	}
	qsort(took, ROUNDS, sizeof(took[0]), by_size);
	cost.median_us = took[ROUNDS / 2];
	return cost;
}

int main(int argc, char **argv)
{
	struct cost cost = { 0 };
	bool exact = true;

	report_begin("scale", argc, argv, "vms,rebalance_us,ns_per_vm,steps");
	report_note("scale: seed %u, 16 TiB, VMs in pools of %u; CPU time, median of %u", SEED, VMS_IN_POOL, ROUNDS);
	report_note("    VMs  rebalance us  ns per VM  steps");
	for (u32 i = 0; i < ARRAY_SIZE(counts); i++) {
		cost = measure(counts[i]);
		exact = exact && cost.exact;
		report_row("%u,%.1f,%.0f,%u", counts[i], cost.median_us, 1000 * cost.median_us / counts[i], cost.steps);
		report_note("%7u %13.1f %10.0f %6u", counts[i], cost.median_us, 1000 * cost.median_us / counts[i], cost.steps);
	}
	return report_claim(exact, "targets add up to the page within every min and max; %u VMs in %.1f ms: %u ms %s", MOST_VMS,
			    cost.median_us / 1000, WANTED_US / 1000, cost.median_us <= WANTED_US ? "met" : "not met");
}
