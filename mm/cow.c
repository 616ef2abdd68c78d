/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/cow.h"
#include "mm/frame.h"
#include "mm/debt.h"
#include "mm/resolve.h"
#include "mm/secure.h"

enum { STEP_COPIES = 4 };

static bool take_back(struct mm_vm *vm, struct page *page)
{
	u32 mpn = entry_frame(page_entry(page));

	if (!share_take_back(mpn, vm->id, page->ppn.n))
		return false;
	/* Translations that are left grant reading of the same frame: nothing is owed. */
	pmap_unshare(vm, page, mpn);
	return true;
}

/* ---- copies that wait: as many as admission has counted frames for, since a shared frame goes only with the last of them ---- */

static void note(struct mm_vm *vm, u32 ppn)
{
	CHECK(vm->copying_count < VM_COPYING);
	vm->copying[vm->copying_count++] = ppn;
}

static void strike(struct mm_vm *vm, u32 ppn)
{
	u32 i = 0;

	while (i < vm->copying_count && vm->copying[i] != ppn)
		i++;
	CHECK(i < vm->copying_count);
	vm->copying[i] = vm->copying[--vm->copying_count];
}

void cow_settle(struct mm_vm *vm)
{
	struct page page;

	for (u32 i = vm->copying_count, copies = 0; i-- > 0 && copies < STEP_COPIES;) {
		CHECK(pmap_look(vm, (ppn_t){ vm->copying[i] }, &page));
		copies += cow_finish(vm, &page) == OK;
	}
}

err_t cow_break(struct mm_vm *vm, struct page *page)
{
	ASSERT(lock_is_mine(vm->lock));
	CHECK(entry_state(page_entry(page)) == PAGE_SHARED);
	/* Where the only page of a frame takes the same way as one of many: who measures it learns nothing. */
	if (share_is_secure(vm->group))
		return secure_break(vm, page);
	if (take_back(vm, page))
		return OK;
	if (vm->copying_count == VM_COPYING)
		return E_SUSPEND;
	u32 shared = entry_frame(page_entry(page));
	u32 mpn = resolve_take_frame(vm, page);

	if (!mpn)
		return E_NO_MEMORY;
	pmap_note(page, ENTRY_TOUCHED); /* its accessed flag goes with the translation */
	debt_take_rights(vm, page->ppn);
	frame_assign(mpn, FRAME_COPYING, vm->id, page->ppn.n);
	frame_of(mpn)->next = shared;
	frame_of(mpn)->epoch = (u32)vm->last_epoch;
	frame_move(CLASS_FREE, CLASS_PRIVATE, 1);
	pmap_begin_copy(vm, page, mpn);
	note(vm, page->ppn.n);
	vm->copies++;
	return cow_finish(vm, page);
}

err_t cow_finish(struct mm_vm *vm, struct page *page)
{
	u32 mpn = entry_frame(page_entry(page));
	u32 shared = frame_of(mpn)->next;

	CHECK(frame_state(mpn) == FRAME_COPYING && frame_state(shared) == FRAME_SHARED);
	if (!debt_is_passed(vm, frame_of(mpn)->epoch))
		return E_SUSPEND;
	platform_copy_frame((mpn_t){ mpn }, (mpn_t){ shared });
	share_release(shared);
	frame_set_state(mpn, FRAME_PRIVATE);
	pmap_end_copy(vm, page);
	strike(vm, page->ppn.n);
	return OK;
}
