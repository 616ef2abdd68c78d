/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Figure 8: five VMs on a machine that is 60 % overcommitted.  Booting clears all memory before any balloon driver is there; then the drivers
 * load, the guests take up their load, one of them, a database, becomes idle, and wakes again.  The engine decides everything.
 */
#include "mm/sample.h"
#include "mm/share.h"
#include "tests/sim/os.h"
#include "tests/sim/report.h"
#include <stdio.h>

enum {
	SEED = 8,
	MACHINE_MB = 1024,
	OVERHEAD_MB = 32, /* of each VM, as in the paper: ours needs less */
	SWAP_MB = 1024,
	TICK_MS = 10,
	TICKS = 1000 / TICK_MS, /* in a second */
	BOOT_MB = 8,            /* cleared in a second */
	DRIVER_SECONDS = 5,     /* after that its balloon driver loads */
	IDLE_SECOND = 600,
	WAKE_SECOND = 1500,
	END_SECOND = 2400,
	ROUND_SECONDS = 15,   /* in which a guest goes once round what it uses */
	BALLOON_PAGES = 2048, /* that a driver moves in a second */
	SHARE_SECONDS = 120,  /* between the beginnings of two passes */
	SHARE_PAGES = 20,     /* hashed in a tick */
	WRITES_IN = 4,
	THROTTLED_TICKS = 10, /* a VM that is slowed down runs in one of so many */
	COMMON_MB = 48,       /* of each operating system */
	GROUP = 1,
};
#define SEEK_NS (5 * SIM_MS)
#define PAGE_NS (100 * SIM_MS / 1000)

/* What they use at first, while the database is idle, and when it is not; the system that they run. */
static const struct {
	const char *name;
	u32 mb, active_mb[3], system;
} table[] = {
	{ "exchange", 256, { 180, 180, 180 }, 1 }, { "exchange-client", 256, { 120, 120, 120 }, 2 },
	{ "citrix", 320, { 220, 240, 220 }, 1 },   { "citrix-client", 320, { 160, 160, 160 }, 2 },
	{ "sql", 320, { 240, 30, 280 }, 1 },
};
enum { VMS = ARRAY_SIZE(table), SQL = VMS - 1 };

static struct vm {
	struct os *os;
	u32 data;    /* page of data that it uses */
	bool waits;  /* for it */
	u32 seconds; /* since it has booted */
} vms[VMS];

struct look {
	double allocated, active, ballooned, shared, swapped;
};

struct story {
	double peak_swapped, late_swapped, sql_before, sql_after;
	u32 good_seconds; /* in state high or soft */
	u64 lost;
};

/* ---- guests ---- */

static u32 active_pages(u32 vm, u32 second)
{
	u32 phase = second < IDLE_SECOND ? 0 : second < WAKE_SECOND ? 1 : 2;

	return table[vm].active_mb[phase] * SIM_MIB_PAGES;
}

/* A use that had to wait is tried again.  Page x of what it uses is asked for with a probability of 1/√x. */
static enum os_use step(struct vm *vm, u32 active)
{
	enum os_use used = os_boot(vm->os);

	if (used != OS_HIT)
		return used;
	if (!vm->waits) {
		u64 u = sim_random(&vm->os->guest->random) >> 32;

		vm->data = (u32)((u * u >> 32) * active >> 32);
	}
	used = os_use(vm->os, vm->data, vm->data >= vm->os->common && vm->data % WRITES_IN == 0);
	vm->waits = used == OS_WAITS;
	return used;
}

/* One tick of a guest; it ends early where it has to wait. */
static void run_guest(u32 index, u32 second, u32 tick)
{
	struct vm *vm = &vms[index];
	u32 active = active_pages(index, second);
	bool boots = vm->os->zeroed < vm->os->guest->pages;
	u32 steps = boots ? BOOT_MB * SIM_MIB_PAGES / TICKS : active / (ROUND_SECONDS * TICKS);

	if (mm_is_throttled(vm->os->guest->mm) && tick % THROTTLED_TICKS)
		return;
	for (u32 i = 0; i < steps && step(vm, active) != OS_WAITS; i++)
		;
	mm_progress(vm->os->guest->mm, 0);
}

/* ---- the machine ---- */

static void begin(void)
{
	mpn_t block;

	sim_machine(SEED, MACHINE_MB * SIM_MIB_PAGES, 0);
	sim_disk(SWAP_MB * SIM_MIB_PAGES, SEEK_NS, PAGE_NS);
	CHECK(mm_swap_init() == OK && share_init() == OK);
	share_group_begin(GROUP, SHARE_FAST);
	for (u32 i = 0; i < VMS * OVERHEAD_MB * SIM_MIB_PAGES / LARGE_PAGES; i++)
		CHECK(mm_overhead_alloc(LARGE_SHIFT - PAGE_SHIFT, &block) == OK);
	for (u32 i = 0; i < VMS; i++) {
		struct mm_vm_config config = guest_config(i + 1, table[i].mb);

		config.min_pages = config.max_pages / 2;
		config.shares = 10 * table[i].mb;
		config.group = GROUP;
		vms[i].os = os_start(guest_start(&config, SEED), (u32)config.max_pages);
		vms[i].os->system = table[i].system;
		vms[i].os->common = COMMON_MB * SIM_MIB_PAGES;
	}
}

static void run_second(u32 second)
{
	for (u32 tick = 0; tick < TICKS; tick++) {
		for (u32 i = 0; i < VMS; i++)
			run_guest(i, second, tick);
		mm_share_step(SHARE_PAGES);
		sim_pass_ns(TICK_MS * SIM_MS);
		sim_work();
	}
	for (u32 i = 0; i < VMS; i++) {
		struct mm_vm *mm = vms[i].os->guest->mm;

		while (mm_sample_step(mm, (second + 1) * SIM_SECOND))
			;
		if (second % SHARE_SECONDS == i)
			mm_share_begin_pass(mm);
		vms[i].seconds += vms[i].os->zeroed == vms[i].os->guest->pages;
		if (vms[i].seconds > DRIVER_SECONDS)
			os_balloon(vms[i].os, BALLOON_PAGES);
	}
}

/* ---- what is seen ---- */

static double mb(u64 pages)
{
	return (double)pages / SIM_MIB_PAGES;
}

static struct look look(u32 vm)
{
	struct mm_active active;
	struct mm_usage usage;

	mm_vm_usage(vms[vm].os->guest->mm, &usage);
	mm_active(vms[vm].os->guest->mm, &active);
	return (struct look){
		.allocated = mb(usage.resident),
		.active = mb((u64)active.estimate * usage.max / SAMPLE_ONE),
		.ballooned = mb(usage.ballooned),
		.shared = mb(usage.shared),
		.swapped = mb(usage.swapped),
	};
}

static void note(struct story *story, u32 second)
{
	static const char *const states[] = { "high", "soft", "hard", "low" };
	struct look all = { 0 }, one = { 0 };
	struct mm_totals totals;
	char text[400];
	int used = 0;

	mm_totals(&totals);
	for (u32 i = 0; i < VMS; i++) {
		one = look(i);
		all = (struct look){ all.allocated + one.allocated, all.active + one.active, all.ballooned + one.ballooned,
				     all.shared + one.shared, all.swapped + one.swapped };
		used += snprintf(text + used, sizeof(text) - (size_t)used, ",%.1f,%.1f,%.1f,%.1f,%.1f", one.allocated, one.active,
				 one.ballooned, one.shared, one.swapped);
	}
	story->good_seconds += totals.state <= MM_SOFT;
	story->peak_swapped = all.swapped > story->peak_swapped ? all.swapped : story->peak_swapped;
	if (second == WAKE_SECOND - 1) {
		story->sql_before = one.allocated;
		story->late_swapped = all.swapped;
	}
	story->sql_after = one.allocated;
	if (second % 5 == 4)
		report_row("%u,%s,%.1f,%.1f,%.1f,%.1f,%.1f,%.1f%s", second + 1, states[totals.state], mb(totals.free),
			   all.allocated, all.active, all.ballooned, all.shared, all.swapped, text);
}

/* Pages of zeros that were about to be paged out. */
static double zeros_mb(void)
{
	u64 zeros = 0;

	for (u32 i = 0; i < VMS; i++) {
		struct mm_pageout pageout;

		mm_pageout_look(vms[i].os->guest->mm, &pageout);
		zeros += pageout.zeros;
	}
	return mb(zeros);
}

int main(int argc, char **argv)
{
	struct story story = { 0 };

	report_begin("overcommit", argc, argv,
		     "second,state,free,allocated,active,ballooned,shared,swapped"
		     ",a1,c1,b1,h1,s1,a2,c2,b2,h2,s2,a3,c3,b3,h3,s3,a4,c4,b4,h4,s4,a5,c5,b5,h5,s5");
	report_note(
		"overcommit: seed %u, five VMs of 1472 MB and %u MB of overhead on %u MB; the database is idle from %u s to %u s",
		SEED, VMS * OVERHEAD_MB, MACHINE_MB, IDLE_SECOND, WAKE_SECOND);
	begin();
	for (u32 second = 0; second < END_SECOND; second++) {
		run_second(second);
		note(&story, second);
	}
	double zeros = zeros_mb();

	for (u32 i = 0; i < VMS; i++)
		story.lost += vms[i].os->guest->lost + guest_lost(vms[i].os->guest);
	return report_claim(
		!story.lost && zeros > story.peak_swapped && story.sql_after > story.sql_before &&
			story.good_seconds * 10 > END_SECOND * 9,
		"%.0f MB of zeros dropped instead of swapped, %.0f MB in swap at the peak and %.0f before the change; the database "
		"grows from %.0f to %.0f MB; %.1f %% of the time in high or soft; pages lost: %llu",
		zeros, story.peak_swapped, story.late_swapped, story.sql_before, story.sql_after,
		100.0 * story.good_seconds / END_SECOND, story.lost);
}
