/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/secure.h"
#include "mm/pool.h"
#include "mm/resolve.h"
#include "mm/retire.h"
#include "mm/zone.h"

/* ---- idle pages ---- */

static void join(struct mm_vm *vm, struct page *page, u32 shared, u32 drawn)
{
	/* As if the drawn frame were needed: they are equal. */
	platform_copy_frame((mpn_t){ entry_frame(page_entry(page)) }, (mpn_t){ shared });
	pmap_share(vm, page, shared, CEILING_NONE);
	frame_move(CLASS_OVERHEAD, CLASS_FREE, 1);
	cache_give(drawn);
	vm->scan.counts.merged++;
}

/* False: the table has no room for it. */
static bool stand_alone(struct mm_vm *vm, struct page *page, u32 hash, u32 drawn)
{
	platform_copy_frame((mpn_t){ drawn }, (mpn_t){ entry_frame(page_entry(page)) });
	frame_assign(drawn, FRAME_PRIVATE, vm->id, page->ppn.n);
	frame_move(CLASS_OVERHEAD, CLASS_PRIVATE, 1);
	if (share_promote(drawn, vm->group, hash)) {
		pmap_share(vm, page, drawn, CEILING_NONE);
		return true;
	}
	frame_assign(drawn, FRAME_OVERHEAD, 0, FRAME_NO_PPN);
	frame_move(CLASS_PRIVATE, CLASS_OVERHEAD, 1);
	return false;
}

void secure_merge(struct scan_work *work, struct page *page)
{
	struct mm_vm *vm = work->vm;
	u32 own = entry_frame(page_entry(page));

	CHECK(entry_ceiling(page_entry(page)) == CEILING_NONE && frame_state(own) == FRAME_PRIVATE);
	if (vm->failed_count) { /* it is about to end */
		pmap_unguard(vm, page);
		return;
	}
	u32 hash = share_hash(vm->group, platform_frame((mpn_t){ own }), work->simd);
	u32 shared = commit_find_equal(vm, own, hash);
	struct drawn drawn = pool_draw();

	if (shared) {
		join(vm, page, shared, drawn.mpn);
	} else if (!stand_alone(vm, page, hash, drawn.mpn)) {
		pool_fill(drawn.slot, drawn.mpn);
		pmap_unguard(vm, page);
		return;
	}
	frame_move(CLASS_PRIVATE, CLASS_OVERHEAD, 1);
	pool_fill(drawn.slot, own);
}

void secure_give(struct mm_vm *vm, u32 mpn)
{
	CHECK(frame_state(mpn) == FRAME_PRIVATE && frame_of(mpn)->owner == vm->id);
	frame_move(CLASS_PRIVATE, CLASS_FREE, 1);
	if (!retire_failed(vm, mpn))
		cache_give(pool_exchange(mpn));
}

/* ---- their first access ---- */

/* No right to the page is left anywhere since it was merged, so nothing is owed and nobody waits. */
err_t secure_break(struct mm_vm *vm, struct page *page)
{
	u32 shared = entry_frame(page_entry(page));
	u32 fresh = resolve_take_frame(vm, page);

	CHECK(entry_ceiling(page_entry(page)) == CEILING_NONE && frame_state(shared) == FRAME_SHARED);
	if (!fresh)
		return E_NO_MEMORY;
	frame_move(CLASS_FREE, CLASS_OVERHEAD, 1);
	u32 drawn = pool_exchange(fresh);

	platform_copy_frame((mpn_t){ drawn }, (mpn_t){ shared });
	frame_assign(drawn, FRAME_PRIVATE, vm->id, page->ppn.n);
	frame_move(CLASS_OVERHEAD, CLASS_PRIVATE, 1);
	pmap_unshare(vm, page, drawn);
	share_release(shared);
	vm->copies++;
	return OK;
}

void secure_released(u32 mpn, bool last)
{
	if (!last) {
		pool_pretend();
		return;
	}
	frame_move(CLASS_SHARED, CLASS_FREE, 1);
	cache_give(pool_exchange(mpn));
}
