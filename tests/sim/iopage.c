/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * I/O remapping off and on.  A guest sends from a set of buffers by a device that cannot reach above 4 GiB, where its memory lies; now and then
 * from anywhere.  Low frames are full of another guest's idle pages.  Half-way through the buffers are others.
 */
#include "tests/sim/guest.h"
#include "tests/sim/report.h"

enum {
	SEED = 5,
	LOW_MB = 32,
	HIGH_MB = 400,
	SENDER_MB = 200,
	IDLE_MB = 216, /* more than is left above 4 GiB */
	BUFFERS = 1024,
	TRANSFERS = 4000, /* a second */
	ANYWHERE_IN = 1000,
	CHANGE_SECOND = 60,
	END_SECOND = 120,
	THRESHOLD = 16,
	LOW_RESERVE_MB = 6,
	SETTLED_SECONDS = 20, /* at the end of each half */
	BORDER = 1 << (32 - PAGE_SHIFT),
};
enum { SENDER, IDLE, VMS };

struct run {
	u32 copies[END_SECOND];
	struct mm_iopage moves[VMS][END_SECOND];
	u64 lost;
};

static struct guest *guests[VMS];

static void begin(void)
{
	static const u32 sizes_mb[VMS] = { SENDER_MB, IDLE_MB };

	sim_machine(SEED, LOW_MB * SIM_MIB_PAGES, HIGH_MB * SIM_MIB_PAGES);
	for (u32 i = 0; i < VMS; i++) {
		const struct mm_vm_config config = guest_config(i + 1, sizes_mb[i]);

		guests[i] = guest_start(&config, SEED);
		for (u32 page = 0; page < guests[i]->pages; page++)
			guest_must_fill(guests[i], page, guest_unique(guests[i], page));
	}
}

/* As a driver does it: pinned while it is in flight, copied if the device cannot reach it. */
static bool send(struct guest *guest, u32 page)
{
	mpn_t mpn;

	while (mm_pin(guest->mm, 0, (ppn_t){ page }, MM_READ, &mpn) != OK)
		sim_work();
	bool copied = mpn.n >= BORDER;

	mm_unpin(guest->mm, (ppn_t){ page });
	if (copied)
		mm_copied(guest->mm, (ppn_t){ page });
	return copied;
}

static u32 send_second(u32 second)
{
	struct guest *guest = guests[SENDER];
	u32 first = second < CHANGE_SECOND ? 0 : guest->pages / 2;
	u32 copies = 0;

	for (u32 i = 0; i < TRANSFERS; i++) {
		bool anywhere = sim_below(&guest->random, ANYWHERE_IN) == 0;
		u32 page = anywhere ? sim_below(&guest->random, guest->pages) : first + sim_below(&guest->random, BUFFERS);

		copies += send(guest, page);
		sim_work();
	}
	return copies;
}

static void run(bool remap, struct run *run)
{
	begin();
	CHECK(mm_iopage_set(remap ? THRESHOLD : 0, remap ? LOW_RESERVE_MB * SIM_MIB_PAGES : 0) == OK);
	for (u32 second = 0; second < END_SECOND; second++) {
		run->copies[second] = send_second(second);
		sim_pass_ns(SIM_SECOND);
		for (u32 i = 0; i < VMS; i++)
			mm_iopage_look(guests[i]->mm, &run->moves[i][second]);
	}
	for (u32 i = 0; i < VMS; i++) {
		run->lost += guest_lost(guests[i]) + guests[i]->lost;
		guest_end(guests[i]);
	}
}

/* Copies a second when all has settled, of the worse half. */
static double settled(const struct run *run)
{
	u32 halves[2] = { 0 };

	for (u32 i = 1; i <= SETTLED_SECONDS; i++) {
		halves[0] += run->copies[CHANGE_SECOND - i];
		halves[1] += run->copies[END_SECOND - i];
	}
	return (double)(halves[0] > halves[1] ? halves[0] : halves[1]) / SETTLED_SECONDS;
}

int main(int argc, char **argv)
{
	static struct run off, on;

	report_begin("iopage", argc, argv, "second,copies_off,copies_on,moved_down,moved_up,hot");
	report_note(
		"iopage: seed %u, %u MB below 4 GiB and %u MB above, %u buffers, %u transfers a second, hot from %u copies on",
		SEED, LOW_MB, HIGH_MB, BUFFERS, TRANSFERS, THRESHOLD);
	run(false, &off);
	run(true, &on);
	for (u32 second = 0; second < END_SECOND; second++)
		report_row("%u,%u,%u,%llu,%llu,%llu", second + 1, off.copies[second], on.copies[second],
			   on.moves[SENDER][second].moved_down,
			   on.moves[SENDER][second].moved_up + on.moves[IDLE][second].moved_up, on.moves[SENDER][second].hot);
	return report_claim(!off.lost && !on.lost && settled(&on) * 100 < settled(&off),
			    "%.0f copies a second without, %.1f with remapping: %.0f times fewer; pages lost: %llu",
			    settled(&off), settled(&on), settled(&off) / settled(&on), off.lost + on.lost);
}
