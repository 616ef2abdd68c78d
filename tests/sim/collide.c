/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Collision safety: what sharing does when the key of a page is worse than it is.  Keys of 32 bits down to none, instead of mm/key.c's: no page
 * is ever lost, less and less is found.
 */
#include "mm/share.h"
#include "tests/sim/guest.h"
#include "tests/sim/report.h"

enum {
	SEED = 4,
	VMS = 4, /* of one operating system, in one group */
	VM_MB = 32,
	COMMON_PERCENT = 30, /* the same in all of them */
	TWICE_PERCENT = 10,  /* once more in the same VM */
	ZERO_PERCENT = 10,
	PASSES = 4,
	GROUP = 1,
	STEP_PAGES = 4,
	WRITES_IN = 16, /* one in so many pages is written again before the last pass */
};
static const u32 widths[] = { 32, 20, 16, 12, 8, 4, 0 };
static u32 width;

/* Instead of mm/key.c: as good as any, but so many bits of it. */
u32 share_key(const u8 secret[SHARE_SECRET_BYTES], const void *bytes, bool simd)
{
	const u64 *words = bytes;
	u64 key = 0;

	(void)secret, (void)simd;
	for (u32 i = 0; i < PAGE_SIZE / sizeof(u64); i++)
		key = (key ^ words[i]) * 0x9e3779b97f4a7c15ULL;
	return width ? (u32)(key >> (64 - width)) << (32 - width) : 0; /* buckets go by the high bits */
}

static u64 content_of(const struct guest *guest, u32 page)
{
	u32 kind = page % 100;

	if (kind < COMMON_PERCENT)
		return guest_common(1, page);
	if (kind < COMMON_PERCENT + TWICE_PERCENT)
		return guest_unique(guest, page / 200 * 200 + kind); /* 200 pages: two of each */
	return kind < COMMON_PERCENT + TWICE_PERCENT + ZERO_PERCENT ? 0 : guest_unique(guest, page);
}

static struct guest *guests[VMS];

static void begin(void)
{
	sim_machine(SEED, (VMS * VM_MB + 32) * SIM_MIB_PAGES, 0);
	CHECK(share_init() == OK);
	share_group_begin(GROUP, SHARE_FAST);
	for (u32 i = 0; i < VMS; i++) {
		struct mm_vm_config config = guest_config(i + 1, VM_MB);

		config.group = GROUP;
		guests[i] = guest_start(&config, SEED);
		for (u32 page = 0; page < guests[i]->pages; page++)
			guest_must_fill(guests[i], page, content_of(guests[i], page));
	}
}

static void pass(void)
{
	for (u32 i = 0; i < VMS; i++)
		mm_share_begin_pass(guests[i]->mm);
	while (mm_share_step(STEP_PAGES))
		sim_step_end();
	sim_work();
}

/* What is shared is written to: copies are made, and their contents are the writer's alone. */
static void write_some(void)
{
	for (u32 i = 0; i < VMS; i++) {
		for (u32 page = i; page < guests[i]->pages; page += WRITES_IN)
			guest_must_mark(guests[i], page, guest_unique(guests[i], page) ^ BIT(61));
	}
}

struct result {
	u64 saved, collisions, lost;
};

/* Pages that all hold but no frame is there for. */
static u64 saved(void)
{
	struct mm_totals totals;

	mm_totals(&totals);
	return (u64)VMS * VM_MB * SIM_MIB_PAGES - totals.private_ - (totals.shared_frames - 1);
}

static struct result run(void)
{
	struct result result = { 0 };

	begin();
	for (u32 i = 0; i < PASSES; i++)
		pass();
	result.saved = saved();
	write_some();
	pass();
	for (u32 i = 0; i < VMS; i++) {
		result.collisions += guests[i]->mm->scan.counts.collisions;
		result.lost += guest_lost(guests[i]) + guests[i]->lost;
		guest_end(guests[i]);
	}
	return result;
}

/* Pages less distinct contents that are not zeros. */
static u64 upper_bound(void)
{
	const u64 pages = VM_MB * SIM_MIB_PAGES;
	u64 common = 0, twice = 0, zero = 0;

	for (u32 page = 0; page < pages; page++) {
		u32 kind = page % 100;

		common += kind < COMMON_PERCENT;
		twice += kind >= COMMON_PERCENT && kind < COMMON_PERCENT + TWICE_PERCENT && page % 200 >= 100;
		zero += kind >= COMMON_PERCENT + TWICE_PERCENT && kind < COMMON_PERCENT + TWICE_PERCENT + ZERO_PERCENT;
	}
	return common * (VMS - 1) + VMS * (twice + zero);
}

int main(int argc, char **argv)
{
	const u64 bound = upper_bound();
	u64 lost = 0, most = 0;

	report_begin("collide", argc, argv, "key_bits,found_percent,collisions,lost");
	report_note("collide: seed %u, %u VMs of %u MB in one group, %u passes; what can be found is %llu pages", SEED, VMS,
		    VM_MB, PASSES, bound);
	report_note("  key bits  found %%  collisions  lost");
	for (u32 i = 0; i < ARRAY_SIZE(widths); i++) {
		width = widths[i];
		struct result result = run();
		double found = 100 * (double)result.saved / (double)bound;

		report_row("%u,%.2f,%llu,%llu", width, found, result.collisions, result.lost);
		report_note("%10u %8.2f %11llu %5llu", width, found, result.collisions, result.lost);
		lost += result.lost;
		most = max_u64(most, result.saved);
	}
	return report_claim(!lost && most == bound,
			    "pages lost with keys of any width: %llu; with %u bits all %llu of %llu are found", lost, widths[0],
			    most, bound);
}
