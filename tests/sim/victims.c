/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random against coldest victims (mm/victim.c).  A VM may hold three quarters of its memory, the rest is in swap; what it reads back, for four
 * ways to use memory: a scan beside a working set, a loop, a Zipf distribution, a working set that moves.
 */
#include "tests/sim/guest.h"
#include "tests/sim/report.h"

enum {
	SEED = 55,
	VM_MB = 32,
	HELD_MB = 24,
	MACHINE_MB = 26, /* memory is short, so nothing is read ahead */
	PAGES = VM_MB * SIM_MIB_PAGES,
	ACCESSES = 120000,
	WINDOW = 4000, /* accesses in a row of the CSV */
	ACCESS_US = 50,
	LOOK_AFTER = 32,        /* accesses: then the excess is paged out */
	SETTLED = ACCESSES / 2, /* from here on it counts */
	WRITES_IN = 4,
	HOT_MB = 12,        /* the scan's working set */
	SCANS_IN = 4,       /* one access in so many is the scan's */
	LOOP_MB = 28,       /* more than it may hold */
	MOVING_MB = 20,     /* the working set that moves … */
	MOVE_AFTER = 20000, /* … after so many accesses */
};
#define SEEK_NS (100 * SIM_MS / 1000)
#define PAGE_NS (10 * SIM_MS / 1000)

static u32 scan(struct guest *guest, u32 access)
{
	u32 hot = HOT_MB * SIM_MIB_PAGES;

	return access % SCANS_IN ? sim_below(&guest->random, hot) : hot + access / SCANS_IN % (PAGES - hot);
}

static u32 loop(struct guest *guest, u32 access)
{
	(void)guest;
	return access % (LOOP_MB * SIM_MIB_PAGES);
}

/* Page x with a probability of about 1/x. */
static u32 zipf(struct guest *guest, u32 access)
{
	u32 octave = sim_below(&guest->random, __builtin_ctz(PAGES) + 1), size = octave ? 1U << (octave - 1) : 1;
	u32 rank = (octave ? size : 0) + sim_below(&guest->random, size);

	(void)access;
	return rank * 40503 % PAGES; /* odd: each rank has its page */
}

static u32 moving(struct guest *guest, u32 access)
{
	return (access / MOVE_AFTER * 11 * SIM_MIB_PAGES + sim_below(&guest->random, MOVING_MB * SIM_MIB_PAGES)) % PAGES;
}

static const struct {
	const char *name;
	u32 (*page)(struct guest *guest, u32 access);
	enum mm_victims better;
} workloads[] = {
	{ "scan", scan, MM_VICTIMS_RANDOM },
	{ "loop", loop, MM_VICTIMS_RANDOM },
	{ "zipf", zipf, MM_VICTIMS_COLDEST },
	{ "moving", moving, MM_VICTIMS_COLDEST },
};
enum { POLICIES = MM_VICTIMS_COLDEST + 1, WINDOWS = ACCESSES / WINDOW };

struct run {
	u32 reads[WINDOWS];
	u64 settled, settled_all, lost;
};

static void page_out_excess(struct guest *guest)
{
	struct mm_usage usage;

	mm_vm_usage(guest->mm, &usage);
	u64 held = HELD_MB * SIM_MIB_PAGES;
	err_t error = mm_pageout(guest->mm, usage.resident > held ? usage.resident - held : 0);

	CHECK(error == OK);
	sim_work();
}

static void use(struct guest *guest, u32 page, bool write)
{
	while (!(write ? guest_mark(guest, page, guest_unique(guest, page) ^ BIT(60)) : guest_read(guest, page))) {
		page_out_excess(guest);
		sim_wait_disk();
	}
	mm_progress(guest->mm, 0);
}

/* Pages that were waited for, or pages that were read in all: with its neighbours in the area. */
static u64 pages_read(bool all)
{
	struct mm_swap_totals totals;

	mm_swap_totals(&totals);
	return all ? totals.read : totals.read - totals.ahead;
}

static struct run run(u32 workload, enum mm_victims policy)
{
	struct mm_vm_config config = guest_config(1, VM_MB);
	struct run run = { 0 };

	config.min_pages = PAGES / 4;
	sim_machine(SEED, MACHINE_MB * SIM_MIB_PAGES, 0);
	sim_disk(2 * PAGES, SEEK_NS, PAGE_NS);
	mm_set_overcommit(true);
	CHECK(mm_swap_init() == OK);
	struct guest *guest = guest_start(&config, SEED);

	mm_pageout_choose(guest->mm, policy);
	for (u32 page = 0; page < PAGES; page++) {
		while (!guest_fill(guest, page, guest_unique(guest, page)))
			sim_wait_disk();
		if (page % LOOK_AFTER == 0)
			page_out_excess(guest);
	}
	for (u32 access = 0; access < ACCESSES; access++) {
		u64 before = pages_read(false), before_all = pages_read(true);

		use(guest, workloads[workload].page(guest, access), access % WRITES_IN == 0);
		sim_pass_ns(ACCESS_US * 1000ULL);
		if (access % LOOK_AFTER == 0)
			page_out_excess(guest);
		run.reads[access / WINDOW] += (u32)(pages_read(false) - before);
		run.settled += access >= SETTLED ? pages_read(false) - before : 0;
		run.settled_all += access >= SETTLED ? pages_read(true) - before_all : 0;
	}
	run.lost = guest_lost(guest) + guest->lost;
	guest_end(guest);
	return run;
}

static double per_thousand(u64 reads)
{
	return 1000.0 * (double)reads / (ACCESSES - SETTLED);
}

int main(int argc, char **argv)
{
	static struct run runs[ARRAY_SIZE(workloads)][POLICIES];
	u64 lost = 0;
	bool as_said = true;

	report_begin(
		"victims", argc, argv,
		"accesses,scan_random,scan_coldest,loop_random,loop_coldest,zipf_random,zipf_coldest,moving_random,moving_coldest");
	report_note("victims: seed %u, a VM of %u MB that may hold %u; pages read back for 1,000 accesses", SEED, VM_MB, HELD_MB);
	report_note("  workload  waited for: random  coldest   read in all: random  coldest");
	for (u32 i = 0; i < ARRAY_SIZE(workloads); i++) {
		for (u32 policy = 0; policy < POLICIES; policy++) {
			runs[i][policy] = run(i, policy);
			lost += runs[i][policy].lost;
		}
		const struct run *random = &runs[i][MM_VICTIMS_RANDOM], *coldest = &runs[i][MM_VICTIMS_COLDEST];

		report_note("  %8s %19.1f %8.1f %21.1f %8.1f", workloads[i].name, per_thousand(random->settled),
			    per_thousand(coldest->settled), per_thousand(random->settled_all),
			    per_thousand(coldest->settled_all));
		as_said = as_said && runs[i][workloads[i].better].settled < runs[i][!workloads[i].better].settled;
	}
	for (u32 w = 0; w < WINDOWS; w++)
		report_row("%u,%u,%u,%u,%u,%u,%u,%u,%u", (w + 1) * WINDOW, runs[0][0].reads[w], runs[0][1].reads[w],
			   runs[1][0].reads[w], runs[1][1].reads[w], runs[2][0].reads[w], runs[2][1].reads[w],
			   runs[3][0].reads[w], runs[3][1].reads[w]);
	return report_claim(
		!lost && as_said,
		"coldest victims page less on Zipf and when the working set moves, random ones on a loop and beside one; pages "
		"lost: %llu",
		lost);
}
