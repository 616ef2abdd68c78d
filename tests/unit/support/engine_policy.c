/* SPDX-License-Identifier: BSD-2-Clause */
/* What the policies do to pages: balloon, samples, history, sharing, lost tables. */
#include "tests/unit/support/engine_inside.h"
#include <string.h>

enum { MOST_GIVEN = 40, SCAN_STEPS = 16, MOST_COPIES = 16, SAMPLE_STEPS = 12, SAMPLE_ALL = 65536 };
#define SECOND_NS 1000000000ULL

/* ---- the balloon ---- */

/* Pinned, given up, in transit, at its limit: nothing has changed. */
static bool is_refusal(err_t error)
{
	engine_met.refused += error == E_STATE || error == E_RANGE;
	return error == E_STATE || error == E_RANGE || error == E_NOT_FOUND;
}

static void gave(u32 slot, u32 number, err_t error)
{
	if (error == OK || error == E_SUSPEND)
		model_give_up(slot, number, error == OK);
	else
		CHECK(error == E_NO_MEMORY || is_refusal(error));
}

void op_give_up(void)
{
	s32 slot = engine_some_vm();

	if (slot < 0 || engine_weather.calm)
		return;
	u32 number = engine_some_page((u32)slot);

	gave((u32)slot, number, mm_give_up(fake_vm((u32)slot), 0, engine_ppn((u32)slot, number)));
}

static void give_range(u32 slot, u32 number, u32 pages)
{
	u32 done = 0;
	err_t error = mm_balloon_give(fake_vm(slot), 1, engine_ppn(slot, number), pages, &done);

	for (u32 i = 0; i < done; i++)
		gave(slot, number + i, OK);
	if (error)
		gave(slot, number + done, error);
	if (error == E_SUSPEND)
		model_outcome(slot, 1, error);
}

static void take_range(u32 slot, u32 number, u32 pages)
{
	u32 done = 0;
	err_t error = mm_balloon_take(fake_vm(slot), 1, engine_ppn(slot, number), pages, &done);

	for (u32 i = 0; i < done; i++)
		model_take_back(slot, number + i);
	CHECK(error == OK || error == E_SUSPEND || is_refusal(error));
	if (error == E_SUSPEND)
		model_outcome(slot, 1, error);
}

/* The driver gives and takes pages in a row; a row does not go across the hole below 4 GiB. */
void op_balloon(void)
{
	s32 slot = engine_some_vm();

	if (slot < 0 || engine_weather.calm)
		return;
	const struct model_vm *vm = &engine_vms[slot];
	u32 number = engine_some_page((u32)slot), pages = 1 + engine_pick(MOST_GIVEN);
	u32 end = number < vm->low ? vm->low : vm->pages;

	pages = pages < end - number ? pages : end - number;
	if (engine_pick(2))
		give_range((u32)slot, number, pages);
	else
		take_range((u32)slot, number, pages);
}

void op_balloon_driver(void)
{
	s32 slot = engine_some_vm();

	if (slot < 0)
		return;
	struct mm_vm *vm = fake_vm((u32)slot);
	u32 choice = engine_pick(8);
	struct mm_balloon balloon;

	if (choice == 0)
		mm_balloon_bye(vm);
	else if (choice < 3)
		mm_balloon_hello(vm);
	else
		mm_balloon_set_target(vm, engine_pick(2 * ENGINE_PAGES));
	CHECK(mm_balloon_target(vm) <= engine_vms[slot].pages - engine_vms[slot].min);
	mm_balloon_look(vm, &balloon);
	CHECK(balloon.here || !balloon.answers);
	CHECK(balloon.size <= engine_vms[slot].pages);
}

/* ---- watching ---- */

void op_watch(void)
{
	s32 slot = engine_some_vm();

	if (slot < 0 || engine_weather.calm)
		return;
	bool guard = engine_pick(2) || engine_weather.sampling; /* a sample is the sampler's, who counts them */
	u32 number = engine_some_page((u32)slot);
	struct model_page *page = &engine_vms[slot].page[number];
	err_t error = mm_watch(fake_vm((u32)slot), engine_ppn((u32)slot, number), guard ? MM_WATCH_GUARDED : MM_WATCH_SAMPLED);

	CHECK(error == OK || error == E_NO_MEMORY || is_refusal(error));
	model_look_later((u32)slot, number);
	if (error)
		return;
	CHECK(page->pins == 0);
	page->sampled |= !guard;
	page->guarded = guard; /* who is sampled is no candidate any more */
}

/* The scanner reads what has changed, the sweep what was touched, and both watch pages of their own. */
static void read_history(u32 slot, u32 number)
{
	struct model_page *page = &engine_vms[slot].page[number];
	struct mm_history seen;
	err_t error = mm_history(fake_vm(slot), engine_ppn(slot, number), &seen);

	if (error == E_NO_MEMORY)
		return;
	CHECK(error == OK);
	CHECK(seen.changed || engine_weather.sharing || !(page->changed || page->pins));
	CHECK(seen.touched || engine_weather.sampling || !page->touched);
	CHECK(seen.sampled == page->sampled || engine_weather.sampling);
	CHECK(seen.guarded || !page->guarded || engine_weather.sharing || engine_weather.sampling);
	page->changed = page->touched = false;
}

void op_history(void)
{
	s32 slot = engine_some_vm();

	if (slot < 0)
		return;
	u32 number = engine_some_page((u32)slot);

	read_history((u32)slot, number);
	model_look_later((u32)slot, number);
}

/* All tables are lost; what they alone knew is read before, if anybody wants to know. */
void op_drop(void)
{
	s32 slot = engine_some_vm();

	if (slot < 0)
		return;
	for (u32 number = 0; number < engine_vms[slot].pages; number++)
		read_history((u32)slot, number);
	fake_drop_all((u32)slot);
}

/* ---- active memory ---- */

static void look_at_estimate(struct mm_vm *vm)
{
	struct mm_active active;

	mm_active(vm, &active);
	CHECK(active.estimate <= SAMPLE_ALL && active.swept <= SAMPLE_ALL && active.high <= SAMPLE_ALL);
	CHECK(active.low <= active.raw && active.raw <= active.high);
}

static void set_sampling(void)
{
	u32 pages = 1 + engine_pick(1024);
	u64 seconds = 1 + engine_pick(40);

	CHECK(mm_sample_set(pages, seconds * SECOND_NS) == OK);
}

void op_sample(void)
{
	s32 slot = engine_some_vm();

	if (slot < 0 || !engine_weather.sampling)
		return;
	if (engine_pick(32) == 0)
		set_sampling();
	engine_vms[slot].ns += engine_pick(20) * SECOND_NS;
	for (u32 i = 0; i < SAMPLE_STEPS && mm_sample_step(fake_vm((u32)slot), engine_vms[slot].ns); i++) {
	}
	look_at_estimate(fake_vm((u32)slot));
}

/* ---- sharing ---- */

void op_scan(void)
{
	s32 slot = engine_some_vm();

	if (!engine_weather.sharing)
		return;
	if (slot >= 0 && !engine_weather.calm && engine_pick(8) == 0)
		mm_share_begin_pass(fake_vm((u32)slot));
	u32 pages = 1 + engine_pick(8);

	for (u32 i = 0; i < SCAN_STEPS; i++)
		(void)mm_share_step(pages);
}

/* What is shared comes apart; a VM goes to another group while it runs; limits. */
void op_sharing_rules(void)
{
	static const u32 groups[] = { 0, ENGINE_FAST, ENGINE_SECURE };
	s32 slot = engine_some_vm();
	u32 choice = engine_pick(8);

	if (slot < 0 || !engine_weather.sharing)
		return;
	u32 group = groups[engine_pick(ARRAY_SIZE(groups))], limit = engine_pick(2) * 500;
	struct mm_share_limits limits = { .pages_vm = limit, .interval_ns = limit * SECOND_NS };

	if (choice == 0) {
		mm_unshare_group(ENGINE_FAST);
	} else if (choice == 1) {
		CHECK(mm_share_set(&limits) == OK);
	} else if (choice < 4) {
		err_t error = mm_share_move(fake_vm((u32)slot), group);

		CHECK(error == OK || error == E_STATE);
	} else {
		mm_share_allow(fake_vm((u32)slot), choice != 4);
	}
}

/* ---- what a VM may have ---- */

void op_params(void)
{
	s32 slot = engine_some_vm();
	struct mm_vm_params params;
	struct mm_decision decisions[4];
	char why[200];

	if (slot < 0)
		return;
	struct model_vm *vm = &engine_vms[slot];

	mm_vm_params(fake_vm((u32)slot), &params);
	CHECK(params.min_pages == vm->min);
	params.min_pages = engine_pick(vm->pages + 1);
	params.shares = engine_pick(3000);
	params.max_pages = vm->pages - engine_pick(vm->pages - (u32)params.min_pages + 1);
	params.tax_permille = engine_pick(MM_MAX_TAX);
	err_t error = mm_vm_set(fake_vm((u32)slot), &params, why, sizeof(why));

	CHECK(error == OK || error == E_NO_MEMORY || error == E_INVALID);
	if (!error)
		vm->min = (u32)params.min_pages;
	for (u32 i = mm_why(fake_vm((u32)slot), decisions, ARRAY_SIZE(decisions)); i; i--)
		CHECK(decisions[i - 1].times > 0 && decisions[i - 1].first_ns <= decisions[i - 1].last_ns);
}

/* ---- pages that devices cannot reach ---- */

/* A driver copies what its device cannot reach, a few pages more often than others. */
void op_copied(void)
{
	s32 slot = engine_some_vm();

	for (u32 i = 0; slot >= 0 && !engine_weather.calm && i < MOST_COPIES; i++) {
		u32 number = engine_pick(4) ? engine_pick(8) * 37 % engine_vms[slot].pages : engine_some_page((u32)slot);

		mm_copied(fake_vm((u32)slot), engine_ppn((u32)slot, number));
	}
}

void op_low_reserve(void)
{
	static const u32 reserves[] = { 0, 0, 200, 1500 };
	u32 reserve = engine_weather.calm ? 0 : reserves[engine_pick(ARRAY_SIZE(reserves))];

	CHECK(mm_iopage_set(engine_pick(6), reserve) == OK);
	CHECK(mm_iopage_set(1, UINT32_MAX) == E_RANGE);
}

/* ---- what is told of it ---- */

void op_usage(void)
{
	s32 slot = engine_some_vm();
	struct mm_totals totals;
	struct mm_usage usage;

	mm_totals(&totals);
	CHECK(totals.total == totals.free + totals.overhead + totals.private_ + totals.shared_frames + totals.debt_frames);
	if (slot < 0)
		return;
	mm_vm_usage(fake_vm((u32)slot), &usage);
	CHECK(usage.max == engine_vms[slot].pages && usage.min == engine_vms[slot].min);
	CHECK(usage.max == usage.resident + usage.ballooned + usage.swapped + usage.compressed + usage.empty);
	CHECK(usage.private_ + usage.shared == usage.resident && usage.pinned <= ENGINE_PINS);
}
