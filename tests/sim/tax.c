/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Figure 7: what the idle-memory tax does.  Two VMs of equal shares want more than there is; one is idle, the other serves files.  Without
 * a tax both hold the same; at 75 % the idle one's memory goes to the busy one, whose misses it saves.
 *
 * The engine divides `POOL_MB` (mm/plan.c) by what it has sampled, and its balloons do the rest; the machine itself has more.
 */
#include "mm/plan.h"
#include "mm/sample.h"
#include "tests/sim/os.h"
#include "tests/sim/report.h"

enum {
	SEED = 7,
	VM_MB = 256,
	MIN_MB = VM_MB / 4,
	POOL_MB = 360,
	TAX_PERMILLE = 750,
	TAX_SECOND = 1200,
	END_SECOND = 3600,
	REBALANCE_SECONDS = 15,
	BALLOON_PAGES = 1024, /* that a driver moves in a second */
	IDLE_MB = 20,         /* what the idle VM touches */
	DATA_MB = 256,        /* the busy VM's files: page x of them is asked for with a probability of 1/√x */
	HIT_US = 250,
	MISS_US = 2000, /* more */
	WRITES_IN = 4,
	SETTLED_SECONDS = 300, /* over which the ends are measured */
};
enum { BUSY, IDLE, VMS };

static struct os *os[VMS];
static u64 random_state = SEED;

/* Operations of the busy VM in one second. */
static u32 serve(void)
{
	u32 operations = 0;

	for (u64 us = 0; us < SIM_SECOND / 1000; operations++) {
		u64 u = sim_random(&random_state) >> 32;
		u32 data = (u32)((u * u >> 32) * os[BUSY]->data >> 32);

		us += os_use(os[BUSY], data, operations % WRITES_IN == 0) == OS_HIT ? HIT_US : HIT_US + MISS_US;
	}
	return operations;
}

static void idle(void)
{
	for (u32 data = 0; data < IDLE_MB * SIM_MIB_PAGES; data++)
		os_use(os[IDLE], data, false);
}

static void rebalance(u32 tax)
{
	struct alloc_node nodes[1 + VMS] = { { .max = POOL_MB * SIM_MIB_PAGES, .shares = 1 } };
	struct reclaim_row rows[VMS];
	struct plan plan;

	for (u32 i = 0; i < VMS; i++) {
		struct mm_vm *mm = os[i]->guest->mm;
		struct mm_balloon balloon;
		struct mm_active active;
		struct mm_usage usage;

		mm_vm_usage(mm, &usage);
		mm_balloon_look(mm, &balloon);
		mm_active(mm, &active);
		nodes[1 + i] = (struct alloc_node){
			.min = usage.min,
			.max = usage.max,
			.shares = (u32)usage.shares,
			.active_permille = active.estimate * 1000 / SAMPLE_ONE,
			.tax_permille = tax,
		};
		rows[i] = (struct reclaim_row){
			.held = usage.resident,
			.balloon = balloon.size,
			.balloon_limit = usage.max - usage.min,
			.has_balloon = balloon.here,
			.answers = balloon.answers,
		};
	}
	plan_begin(&plan, nodes, 1, rows, VMS, POOL_MB * SIM_MIB_PAGES, MM_SOFT);
	while (plan_step(&plan))
		;
	for (u32 i = 0; i < VMS; i++)
		mm_balloon_set_target(os[i]->guest->mm, rows[i].balloon_target);
}

static double held_mb(u32 vm)
{
	struct mm_usage usage;

	mm_vm_usage(os[vm]->guest->mm, &usage);
	return (double)usage.resident / SIM_MIB_PAGES;
}

static double active_mb(u32 vm)
{
	struct mm_active active;

	mm_active(os[vm]->guest->mm, &active);
	return (double)active.estimate * VM_MB / SAMPLE_ONE;
}

static void begin(void)
{
	sim_machine(SEED, (VMS * VM_MB + 64) * SIM_MIB_PAGES, 0);
	for (u32 i = 0; i < VMS; i++) {
		struct mm_vm_config config = guest_config(i + 1, VM_MB);

		config.min_pages = MIN_MB * SIM_MIB_PAGES;
		os[i] = os_start(guest_start(&config, SEED), DATA_MB * SIM_MIB_PAGES);
		for (u32 data = 0; data < os[i]->guest->pages; data++)
			os_use(os[i], data, true);
	}
}

struct end {
	double operations, busy_mb, idle_mb;
};

static void add(struct end *end, u32 operations)
{
	end->operations += (double)operations / SETTLED_SECONDS;
	end->busy_mb += held_mb(BUSY) / SETTLED_SECONDS;
	end->idle_mb += held_mb(IDLE) / SETTLED_SECONDS;
}

static void run_second(u32 second, struct end ends[2])
{
	u32 tax = second < TAX_SECOND ? 0 : TAX_PERMILLE;
	u32 operations = serve();

	idle();
	sim_pass_ns(SIM_SECOND);
	for (u32 i = 0; i < VMS; i++) {
		while (mm_sample_step(os[i]->guest->mm, (second + 1) * SIM_SECOND))
			;
	}
	if (second % REBALANCE_SECONDS == 0)
		rebalance(tax);
	for (u32 i = 0; i < VMS; i++)
		os_balloon(os[i], BALLOON_PAGES);
	if (second >= TAX_SECOND - SETTLED_SECONDS && second < TAX_SECOND)
		add(&ends[0], operations);
	if (second >= END_SECOND - SETTLED_SECONDS)
		add(&ends[1], operations);
	if (second % 10 == 9)
		report_row("%u,%u,%.1f,%.1f,%.1f,%.1f,%u", second + 1, tax / 10, held_mb(BUSY), held_mb(IDLE), active_mb(BUSY),
			   active_mb(IDLE), operations);
}

int main(int argc, char **argv)
{
	struct end ends[2] = { 0 };
	u64 lost = 0;

	report_begin("tax", argc, argv, "second,tax_percent,busy_mb,idle_mb,busy_active_mb,idle_active_mb,operations");
	report_note("tax: seed %u, two VMs of %u MB, %u MB for both, equal shares; a miss costs %u us beside the %u of a hit",
		    SEED, VM_MB, POOL_MB, MISS_US, HIT_US);
	begin();
	for (u32 second = 0; second < END_SECOND; second++)
		run_second(second, ends);
	for (u32 i = 0; i < VMS; i++)
		lost += os[i]->guest->lost + guest_lost(os[i]->guest);
	double gain = 100 * (ends[1].operations / ends[0].operations - 1);

	return report_claim(
		!lost && gain > 30,
		"busy and idle hold %.0f and %.0f MB without a tax, %.0f and %.0f MB at %u %%; the busy one does %.0f %% more; "
		"pages lost: %llu",
		ends[0].busy_mb, ends[0].idle_mb, ends[1].busy_mb, ends[1].idle_mb, TAX_PERMILLE / 10, gain, lost);
}
