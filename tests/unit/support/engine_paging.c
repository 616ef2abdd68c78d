/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages that leave memory and come back: victims, compression, a disk that is slow, answers in any order, and fails. */
#include "tests/unit/support/engine_inside.h"

enum { MOST_OUT = 200, STEPS = 16, STEP_PAGES = 8, TRANSFERS = 6 };

/* A VM loses pages, now or a little later. */
void op_pageout(void)
{
	s32 slot = engine_some_vm();

	if (slot < 0 || engine_weather.calm)
		return;
	struct mm_vm *vm = fake_vm((u32)slot);
	u64 pages = engine_pick(MOST_OUT);
	err_t error = mm_pageout(vm, pages);

	CHECK(error == OK || (error == E_RANGE && pages > engine_vms[slot].pages));
	mm_pageout_choose(vm, engine_pick(2) ? MM_VICTIMS_RANDOM : MM_VICTIMS_COLDEST);
	if (engine_pick(8) == 0)
		mm_compress_set_limit(vm, engine_pick(64));
}

void op_pageout_steps(void)
{
	for (u32 i = 0; i < STEPS && mm_pageout_step(STEP_PAGES); i++) {
	}
}

/* Some transfers end. */
void op_disk(void)
{
	for (u32 i = engine_pick(TRANSFERS); i && fake_swap_end_one(); i--) {
	}
}

void op_disk_weather(void)
{
	static const u32 failures[] = { 0, 0, 0, 40, 2 };
	u32 writes = failures[engine_pick(ARRAY_SIZE(failures))];
	u32 reads = failures[engine_pick(ARRAY_SIZE(failures))];

	fake_swap_fail(writes, reads);
}

void engine_settle_disk(void)
{
	fake_swap_fail(0, 0);
	do
		fake_settle_everything();
	while (fake_swap_end_one());
}

void engine_count_paging(u32 slot)
{
	struct mm_pageout out;

	mm_pageout_look(fake_vm(slot), &out);
	engine_met.compressed += out.compressed;
	engine_met.swapped += out.swapped;
	engine_met.shared_first += out.shared;
}
