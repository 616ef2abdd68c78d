/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's side: background work, memory that runs short, failures, time, VMs that start and end. */
#include "tests/unit/support/engine_inside.h"

enum { BALLAST = 96, HOARD = 4096, MOST_ORDER = 9, MOST_RETIRED = 3, RELEASE_STEPS = 4 };

struct engine_weather engine_weather;

/* Frames that somebody else holds. */
static struct {
	mpn_t first;
	u32 order;
} ballast[BALLAST];
static u32 ballast_count;

void op_work(void)
{
	fake_work_wanted = 0;
	if (mm_work_step())
		fake_work_wanted = 1;
}

/* ---- memory that runs short ---- */

static void drop_ballast(u32 i)
{
	mm_overhead_free(ballast[i].first, ballast[i].order);
	ballast[i] = ballast[--ballast_count];
}

void op_ballast(void)
{
	if (ballast_count && (ballast_count >= engine_weather.ballast_limit || engine_pick(2))) {
		drop_ballast(engine_pick(ballast_count));
		return;
	}
	for (u32 i = 0; i < 8 && ballast_count < engine_weather.ballast_limit; i++) {
		u32 order = engine_pick(7);

		if (mm_overhead_alloc(order, &ballast[ballast_count].first))
			return;
		ballast[ballast_count++].order = order;
	}
}

/*
 * The nth allocation from now fails: all memory but n frames is taken while one other operation runs.  Not below a VM's promise for good: it
 * is given back at once.
 */
void op_shortage(void)
{
	static mpn_t hoard[MOST_ORDER + 1][HOARD];
	u32 count[MOST_ORDER + 1] = { 0 };
	u32 left = engine_pick(6), cpu = lock_cpu_id();

	for (s32 order = MOST_ORDER; order >= 0; order--) {
		while (count[order] < HOARD && mm_overhead_alloc((u32)order, &hoard[order][count[order]]) == OK)
			count[order]++;
	}
	for (; left && count[0]; left--)
		mm_overhead_free(hoard[0][--count[0]], 0);
	engine_met.short_frames++;
	for (u32 i = 1 + engine_pick(4); i; i--) {
		static void (*const meanwhile[])(void) = { op_access, op_copy,  op_pin,        op_hold,
							   op_scan,   op_watch, op_whole_page, op_sample };

		meanwhile[engine_pick(ARRAY_SIZE(meanwhile))]();
	}
	fake_cpu_set(cpu);
	for (u32 order = 0; order <= MOST_ORDER; order++) {
		while (count[order])
			mm_overhead_free(hoard[order][--count[order]], order);
	}
}

void op_weather(void)
{
	static const u32 fills[] = { 0, 0, 50, 3 };
	static const u32 limits[] = { 0, 0, 16, BALLAST };

	fake_fail_fills(fills[engine_pick(ARRAY_SIZE(fills))]);
	fake_settle_late(1 + engine_pick(4));
	engine_weather.calm = engine_pick(2);
	engine_weather.ballast_limit = engine_weather.calm ? 0 : limits[engine_pick(ARRAY_SIZE(limits))];
}

void op_time(void)
{
	fake_pass_time((u64)engine_pick(64) * 250000000);
}

void engine_settle(void)
{
	struct mm_totals totals;

	for (u32 cpu = 0; cpu < FAKE_CPUS; cpu++)
		engine_leave(cpu);
	while (ballast_count)
		drop_ballast(0);
	fake_settle_late(1);
	engine_settle_disk();
	mm_totals(&totals);
	CHECK(totals.debt_frames == 0);
	for (u32 slot = 0; slot < ENGINE_VMS; slot++) {
		for (u32 vcpu = 0; vcpu < ENGINE_VCPUS && engine_vms[slot].state == ALIVE; vcpu++) {
			u32 woken = fake_woken(slot, vcpu);

			CHECK(woken > 0 || !engine_vms[slot].waiting[vcpu] || totals.free == totals.reserved);
			engine_vms[slot].waiting[vcpu] = false;
		}
	}
}

/* ---- the life of VMs ---- */

/* Alone, in a fast group, or in a secure one: after each start another. */
void op_start(void)
{
	static const u32 groups[] = { 0, ENGINE_FAST, ENGINE_FAST, ENGINE_SECURE };
	u32 slot = engine_pick(engine_weather.vms), pages = 1 + engine_pick(ENGINE_PAGES);
	u32 low = pages > LARGE_PAGES && engine_pick(2) ? LARGE_PAGES : pages;
	struct model_vm *vm = &engine_vms[slot];
	char why[200];

	if (vm->state != ABSENT)
		return;
	u32 min = engine_pick(pages + 1), group = groups[engine_pick(ARRAY_SIZE(groups))];
	const struct mm_vm_config config = {
		.max_pages = pages,
		.low_pages = low,
		.min_pages = min,
		.shares = 1 + engine_pick(2000),
		.group = group,
		.id = slot + 1,
	};
	err_t error = mm_vm_init(fake_vm(slot), &config, why, sizeof(why));

	CHECK(error == OK || error == E_NO_MEMORY);
	if (error)
		return;
	*vm = (struct model_vm){ .state = ALIVE, .pages = pages, .low = low, .min = min, .group = group, .page = vm->page };
	model_begin(slot);
	engine_met.vms++;
}

static void kill(u32 slot)
{
	const struct mm_vm *vm = fake_vm(slot);

	engine_quiet(slot);
	engine_count_paging(slot);
	engine_met.copies += vm->copies;
	engine_met.popped += vm->balloon.popped;
	engine_met.merged += vm->scan.counts.merged;
	engine_met.zeros += vm->scan.counts.zeros;
	for (u32 user = 0; user < BATCH_USERS; user++)
		engine_met.cancelled += vm->batches[user].cancelled;
	engine_vms[slot].state = ENDING;
}

void op_kill(void)
{
	s32 slot = engine_some_vm();

	if (slot >= 0 && engine_pick(16) == 0)
		kill((u32)slot);
}

/* Nothing else is to be done with it. */
void engine_end_lost(void)
{
	for (u32 slot = 0; slot < ENGINE_VMS; slot++) {
		if (engine_vms[slot].state != ALIVE || !engine_vms[slot].lost)
			continue;
		engine_met.lost_vms++;
		kill(slot);
	}
}

void op_release(void)
{
	u32 slot = engine_pick(ENGINE_VMS);

	for (u32 i = 0; i < RELEASE_STEPS && engine_vms[slot].state == ENDING; i++) {
		if (mm_vm_release_step(fake_vm(slot)))
			engine_vms[slot].state = ABSENT;
	}
}

void engine_end_vms(void)
{
	for (u32 slot = 0; slot < ENGINE_VMS; slot++) {
		if (engine_vms[slot].state == ALIVE) {
			model_read_all(slot);
			kill(slot);
		}
		if (engine_vms[slot].state != ABSENT)
			fake_vm_end(slot);
		engine_vms[slot].state = ABSENT;
	}
}

/* The memory of one of its frames fails: the VM ends, and the frame is nobody's for ever. */
void op_failed_frame(void)
{
	s32 slot = engine_some_vm();

	if (slot < 0 || engine_weather.retired == MOST_RETIRED || engine_pick(64))
		return;
	u64 entry = engine_entry((u32)slot, engine_some_page((u32)slot));
	u32 mpn = entry_state(entry) == PAGE_PRIVATE ? entry_frame(entry) : 0;

	if (!mpn)
		return;
	CHECK(mm_frame_failed(fake_vm((u32)slot), (mpn_t){ mpn }));
	engine_weather.retired++;
	engine_met.retired++;
	kill((u32)slot);
}
