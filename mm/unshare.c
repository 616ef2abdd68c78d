/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/unshare.h"
#include "mm/cow.h"
#include "mm/debt.h"
#include "mm/frame.h"
#include "mm/resolve.h"
#include "mm/share.h"

enum { STEP_CHANGES = 8 };

void unshare_begin(struct mm_vm *vm, u32 to)
{
	CHECK(lock_is_mine(vm->lock) && to > 0 && to < SHARE_GROUPS);
	batch_drop(vm, BATCH_SHARE);
	vm->scan.active = false;
	vm->unshare = (struct unshare){ .active = true, .off = vm->unshare.off, .to = to };
	platform_work();
}

bool unshare_may_read_zeros(const struct mm_vm *vm)
{
	return !share_is_secure(vm->group) && !(vm->unshare.active && share_is_secure(vm->unshare.to));
}

/* ---- one page ---- */

/* Nobody in a secure group may read the one frame of zeros. */
static void leave_zero(struct mm_vm *vm, struct page *page)
{
	pmap_note(page, ENTRY_TOUCHED);
	debt_take_rights(vm, page->ppn);
	bool settled = platform_settled(vm, (struct mm_debt){ vm->last_epoch });

	pmap_take_away(vm, page, settled ? PAGE_EMPTY : PAGE_BUSY, settled ? 0 : vm->last_epoch);
}

static err_t finish(struct mm_vm *vm, struct page *page)
{
	if (entry_part(page_entry(page)) == BUSY_COPY)
		return cow_finish(vm, page);
	return resolve_drop(vm, page) ? OK : E_SUSPEND;
}

/* What nobody knows any more counts as changed, so that the next pass looks at it. */
static err_t come_apart(struct mm_vm *vm, struct page *page)
{
	u64 entry = page_entry(page);
	err_t error = OK;

	if (entry_state(entry) == PAGE_PRIVATE) {
		share_forget(entry_frame(entry));
		pmap_note(page, ENTRY_CHANGED);
	} else if (entry_state(entry) == PAGE_SHARED) {
		pmap_note(page, ENTRY_CHANGED);
		error = cow_break(vm, page);
	} else if (entry_has_reference(entry)) {
		error = finish(vm, page);
	} else if (entry_state(entry) == PAGE_EMPTY && entry_frame(entry) && !unshare_may_read_zeros(vm)) {
		leave_zero(vm, page);
	}
	return error;
}

/* ---- rounds ---- */

static void end_round(struct mm_vm *vm)
{
	struct unshare *unshare = &vm->unshare;

	unshare->cursor = 0;
	unshare->wait_epoch = vm->last_epoch;
	if (vm->references || (vm->tally[TALLY_ZERO] && !unshare_may_read_zeros(vm)))
		return; /* copies under way: another round */
	unshare->active = false;
	vm->group = unshare->to;
	share_set_group(vm->id, vm->group);
}

static bool waits_for_memory(const struct mm_vm *vm)
{
	return vm->unshare.no_memory && frame_count(CLASS_FREE) <= __atomic_load_n(&frame_counts.set_aside, __ATOMIC_RELAXED);
}

bool unshare_has_work(struct mm_vm *vm)
{
	return !waits_for_memory(vm) && platform_settled(vm, (struct mm_debt){ vm->unshare.wait_epoch });
}

/* Whole blocks that were never touched are one look. */
static void skip(struct mm_vm *vm)
{
	struct unshare *unshare = &vm->unshare;

	unshare->cursor = min_u64((unshare->cursor / LARGE_PAGES + 1) * LARGE_PAGES, vm->max_pages);
}

void unshare_step(struct mm_vm *vm, u32 looks)
{
	struct unshare *unshare = &vm->unshare;
	struct page page;

	CHECK(unshare->active && unshare->cursor <= vm->max_pages);
	cow_settle(vm);
	for (u32 changes = 0; looks && changes < STEP_CHANGES && unshare->cursor < vm->max_pages; looks--) {
		if (!pmap_look(vm, pmap_nth_ppn(vm, unshare->cursor), &page)) {
			skip(vm);
			continue;
		}
		u64 generation = vm->generation;
		err_t error = come_apart(vm, &page);

		unshare->no_memory = error == E_NO_MEMORY;
		if (unshare->no_memory)
			return;
		if (error && entry_state(page_entry(&page)) == PAGE_SHARED) { /* as many copies wait as may */
			unshare->wait_epoch = vm->last_epoch;
			return;
		}
		unshare->cursor++;
		changes += vm->generation != generation;
	}
	if (unshare->cursor == vm->max_pages)
		end_round(vm);
}

/* ---- who asks for it ---- */

void mm_share_allow(struct mm_vm *vm, bool yes)
{
	lock_acquire(vm->lock);
	vm->unshare.off = !yes;
	if (!yes && !vm->unshare.active)
		unshare_begin(vm, vm->group);
	lock_release(vm->lock);
}

err_t mm_share_move(struct mm_vm *vm, u32 group)
{
	err_t error = E_STATE;

	if (group >= SHARE_ALONE || (group && !share_group_is_begun(group)))
		return E_NOT_FOUND;
	lock_acquire(vm->lock);
	if (!vm->unshare.active) {
		if (!group)
			share_group_begin(SHARE_ALONE + vm->id, SHARE_FAST);
		unshare_begin(vm, group ? group : SHARE_ALONE + vm->id);
		error = OK;
	}
	lock_release(vm->lock);
	return error;
}

void mm_unshare_group(u32 group)
{
	share_group_rotate(group);
	for (u32 id = 1; id <= vm_highest_id(); id++) {
		struct mm_vm *vm = vm_lock_id(id);

		if (!vm)
			continue;
		if (vm->group == group && !vm->unshare.active)
			unshare_begin(vm, group);
		vm_unlock(vm);
	}
}

void mm_share_look(struct mm_vm *vm, struct mm_sharing *sharing)
{
	lock_acquire(vm->lock);
	*sharing = (struct mm_sharing){
		.group = vm->group < SHARE_ALONE ? vm->group : 0,
		.secure = share_is_secure(vm->group),
		.allowed = !vm->unshare.off,
		.coming_apart = vm->unshare.active,
		.counts = vm->scan.counts,
		.copies = vm->copies,
	};
	lock_release(vm->lock);
}
