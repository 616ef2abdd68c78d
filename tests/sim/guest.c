/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/guest.h"
#include <stdlib.h>

enum { WORDS = PAGE_SIZE / sizeof(u64), STEPS = 4, ROOM_PAGES = 64 };

static void *zeroed(size_t count, size_t bytes)
{
	void *at = calloc(count, bytes);

	CHECK(at);
	return at;
}

struct mm_vm_config guest_config(u32 id, u32 mb)
{
	u32 pages = mb * SIM_MIB_PAGES;

	return (struct mm_vm_config){ .max_pages = pages, .low_pages = pages, .min_pages = pages, .shares = 1, .id = id };
}

struct guest *guest_start(const struct mm_vm_config *config, u64 seed)
{
	struct guest *guest = zeroed(1, sizeof(*guest));
	u32 pages = (u32)config->max_pages;

	*guest = (struct guest){
		.id = config->id,
		.mm = sim_vm_start(config),
		.space = &sim_spaces[config->id],
		.pages = pages,
		.random = seed * SIM_IDS + config->id,
		.base = zeroed(pages, sizeof(u64)),
		.mark = zeroed(pages, sizeof(u64)),
		.seen = zeroed(pages, sizeof(u32)),
		.period = 1,
	};
	return guest;
}

void guest_end(struct guest *guest)
{
	sim_vm_end(guest->id);
	free(guest->base);
	free(guest->mark);
	free(guest->seen);
	free(guest);
}

/* ---- accesses ---- */

/* As a CPU does it: a fault, the hypervisor's step, and again.  What only the disk or another guest can bring is not waited for. */
static u64 *reach(struct guest *guest, u32 page, bool write)
{
	void *at = sim_reach(guest->space, page, write);

	for (u32 steps = 0; !at && steps < STEPS; steps++) {
		err_t error = mm_resolve(guest->mm, 0, (ppn_t){ page }, write ? MM_WRITE : MM_READ);

		CHECK(error == OK || error == E_SUSPEND || error == E_NO_MEMORY);
		guest->faults++;
		if (error)
			sim_work();
		else
			at = sim_reach(guest->space, page, write);
	}
	if (at && guest->seen[page] != guest->period) {
		guest->seen[page] = guest->period;
		guest->active++;
	}
	return at;
}

bool guest_read(struct guest *guest, u32 page)
{
	const u64 *words = reach(guest, page, false);

	if (!words)
		return false;
	guest->lost += guest_knows(guest, page) && words[0] != guest->mark[page];
	return true;
}

bool guest_mark(struct guest *guest, u32 page, u64 mark)
{
	u64 *words = reach(guest, page, true);

	if (!words)
		return false;
	guest->lost += guest_knows(guest, page) && words[0] != guest->mark[page];
	words[0] = guest->mark[page] = mark;
	return true;
}

static u64 word_of(u64 base, u32 index)
{
	return base ? (base + index) * 0x9e3779b97f4a7c15ULL : 0;
}

bool guest_fill(struct guest *guest, u32 page, u64 base)
{
	u64 *words = reach(guest, page, true);

	if (!words)
		return false;
	for (u32 i = 0; i < WORDS; i++)
		words[i] = word_of(base, i);
	guest->base[page] = base;
	guest->mark[page] = words[0];
	return true;
}

void guest_must_read(struct guest *guest, u32 page)
{
	bool done = guest_read(guest, page);

	CHECK(done);
}

void guest_must_mark(struct guest *guest, u32 page, u64 mark)
{
	bool done = guest_mark(guest, page, mark);

	CHECK(done);
}

void guest_must_fill(struct guest *guest, u32 page, u64 base)
{
	bool done = guest_fill(guest, page, base);

	CHECK(done);
}

/* ---- what is true ---- */

u32 guest_next_period(struct guest *guest)
{
	u32 active = guest->active;

	guest->period++;
	guest->active = 0;
	return active;
}

static bool is_lost(struct guest *guest, u32 page)
{
	const u64 *words;

	while (!(words = reach(guest, page, false))) {
		err_t error = mm_pageout(guest->mm, ROOM_PAGES); /* who looks at everything must leave what it has seen */

		CHECK(error == OK);
		sim_wait_disk();
	}
	for (u32 i = 1; i < WORDS; i++) {
		if (words[i] != word_of(guest->base[page], i))
			return true;
	}
	return words[0] != guest->mark[page];
}

u32 guest_lost(struct guest *guest)
{
	u32 lost = 0;

	for (u32 page = 0; page < guest->pages; page++)
		lost += guest_knows(guest, page) && is_lost(guest, page);
	return lost;
}

/* ---- the balloon ---- */

static bool move(struct guest *guest, u32 page, err_t (*way)(struct mm_vm *, u32, ppn_t, u32, u32 *))
{
	u32 done = 0;

	for (u32 steps = 0; steps < STEPS && !done; steps++) {
		err_t error = way(guest->mm, 0, (ppn_t){ page }, 1, &done);

		if (error && error != E_SUSPEND)
			return false;
		sim_step_end();
	}
	if (done)
		guest_forget(guest, page);
	return done;
}

bool guest_give(struct guest *guest, u32 page)
{
	return move(guest, page, mm_balloon_give);
}

bool guest_take(struct guest *guest, u32 page)
{
	return move(guest, page, mm_balloon_take);
}
