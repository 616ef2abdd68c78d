/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/move.h"
#include "mm/debt.h"
#include "mm/frame.h"
#include "mm/reserve.h"
#include "mm/share.h"
#include "mm/zone.h"

_Static_assert((ZONES_ANY | ZONES_SPARE) <= UINT8_MAX, "zones are a candidate's kind");

static bool lies_in(u64 entry, u32 wanted)
{
	return wanted & BIT(frame_of(entry_frame(entry))->zone);
}

bool move_add(struct mm_vm *vm, struct page *page, u32 wanted)
{
	u64 entry = page_entry(page);

	ASSERT(lock_is_mine(vm->lock));
	CHECK(wanted & ZONES_ANY);
	if (entry_state(entry) != PAGE_PRIVATE || (entry & ENTRY_PINNED) || lies_in(entry, wanted))
		return false;
	return batch_add(vm, BATCH_MOVE, page, (struct candidate){ .kind = (u8)wanted, .ceiling = CEILING_NONE });
}

void move_close(struct mm_vm *vm)
{
	batch_close(vm, BATCH_MOVE);
}

u32 move_room(const struct mm_vm *vm)
{
	const struct batch *batch = &vm->batches[BATCH_MOVE];

	return batch->closed ? 0 : BATCH_PAGES - batch->count;
}

bool move_waits(const struct mm_vm *vm)
{
	return vm->batches[BATCH_MOVE].count > 0;
}

/* What the sharing table knows of the contents goes with them: the page does not change, so the scanner would not look at it again. */
static void hand_on_hint(u32 from, u32 to)
{
	if (frame_state(from) == FRAME_HINT)
		share_note(to, frame_of(from)->hash);
}

/* Prepare: a frame; then commit.  Nobody can reach the page, so nothing is owed for the old frame. */
static bool move(struct mm_vm *vm, struct page *page, u32 wanted)
{
	u32 from = entry_frame(page_entry(page));
	u32 to = reserve_take_own(vm, page, wanted);

	if (!to)
		to = zone_take(0, wanted);
	if (!to) {
		pmap_unguard(vm, page);
		return false;
	}
	platform_copy_frame((mpn_t){ to }, (mpn_t){ from });
	frame_assign(to, FRAME_PRIVATE, vm->id, page->ppn.n);
	frame_move(CLASS_FREE, CLASS_PRIVATE, 1);
	pmap_move(vm, page, to);
	hand_on_hint(from, to);
	debt_free_now(vm, from, page->ppn.n);
	return true;
}

void move_some(struct mm_vm *vm, u32 pages, move_told_t *told)
{
	struct candidate candidate;
	struct page page;

	if (!batch_is_settled(vm, BATCH_MOVE))
		return;
	while (pages && batch_next(vm, BATCH_MOVE, &candidate, &page)) {
		bool moved = move(vm, &page, candidate.kind);

		told(vm, &page, candidate.kind, moved);
		pages--;
	}
}
