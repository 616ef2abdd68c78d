/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fault becomes a frame.  The hot paths are short on purpose (they are measured): one lock, no division, no log; a fill of what the pmap
 * has already, or a frame out of the reservation or the CPU's cache, zeroed before anybody can see it.
 */
#include "mm/resolve.h"
#include "mm/cow.h"
#include "mm/debt.h"
#include "mm/reserve.h"
#include "mm/share.h"
#include "mm/unshare.h"
#include "mm/zone.h"

/* ---- frames ---- */

u32 resolve_take_frame(struct mm_vm *vm, struct page *page)
{
	u32 mpn = reserve_take(vm, page);

	if (!mpn && (debt_settle(vm) || reserve_break_one(vm)))
		mpn = reserve_take(vm, page);
	return mpn;
}

static err_t give_frame(struct mm_vm *vm, struct page *page)
{
	u32 mpn = resolve_take_frame(vm, page);

	if (!mpn)
		return E_NO_MEMORY;
	platform_zero_frame((mpn_t){ mpn });
	pmap_make_private(vm, page, mpn);
	return OK;
}

/* ---- one action a state, where the ceiling refuses the access ---- */

/* The zero frame leaves the page: nobody may see the new frame while another CPU could still see the old one. */
static err_t leave_zero(struct mm_vm *vm, struct page *page)
{
	pmap_note(page, ENTRY_TOUCHED); /* its accessed flag goes with the translation */
	debt_take_rights(vm, page->ppn);
	if (platform_settled(vm, (struct mm_debt){ vm->last_epoch })) {
		pmap_take_away(vm, page, PAGE_EMPTY, 0);
		return OK;
	}
	pmap_take_away(vm, page, PAGE_BUSY, vm->last_epoch);
	return E_SUSPEND;
}

/* CPUs that look at the same time are fewer than the references that are left then. */
static bool is_zero_full(void)
{
	return __atomic_load_n(&frame_of(frame_zero)->references, __ATOMIC_RELAXED) >= FRAME_FULL;
}

static err_t on_empty(struct mm_vm *vm, struct page *page, enum mm_access access)
{
	bool zero = entry_frame(page_entry(page)) != 0;

	if (access == MM_WRITE || (!zero && is_zero_full()) || !unshare_may_read_zeros(vm)) {
		err_t error = zero ? leave_zero(vm, page) : OK;

		return error ? error : give_frame(vm, page);
	}
	if (zero)
		pmap_raise(vm, page, access);
	else
		pmap_name_zero(vm, page);
	return OK;
}

static err_t on_private(struct mm_vm *vm, struct page *page, enum mm_access access)
{
	pmap_raise(vm, page, access);
	return OK;
}

static err_t on_compressed(struct mm_vm *vm, struct page *page, enum mm_access access)
{
	(void)access;
	return compress_expand(vm, page);
}

/* The balloon pops for this page. */
static err_t on_ballooned(struct mm_vm *vm, struct page *page, enum mm_access access)
{
	(void)access;
	if (!debt_is_passed(vm, entry_frame(page_entry(page))))
		return E_SUSPEND;
	err_t error = give_frame(vm, page);

	vm->balloon.popped += !error;
	return error;
}

static err_t on_shared(struct mm_vm *vm, struct page *page, enum mm_access access)
{
	if (access == MM_WRITE || share_is_secure(vm->group))
		return cow_break(vm, page);
	if (entry_ceiling(page_entry(page)) < CEILING_READ)
		pmap_raise(vm, page, access);
	return OK;
}

/* A write has taken the zero frame away.  Whoever comes first gets the page its frame: else reading and writing could alternate for ever. */
static err_t busy_epoch(struct mm_vm *vm, struct page *page)
{
	if (!debt_is_passed(vm, entry_frame(page_entry(page))))
		return E_SUSPEND;
	return give_frame(vm, page);
}

/* The guest gave up a shared page, and touches it before its reference could go. */
static err_t busy_drop(struct mm_vm *vm, struct page *page)
{
	return resolve_drop(vm, page) ? give_frame(vm, page) : E_SUSPEND;
}

bool resolve_drop(struct mm_vm *vm, struct page *page)
{
	u64 entry = page_entry(page);

	CHECK(entry_state(entry) == PAGE_BUSY && entry_part(entry) == BUSY_DROP);
	if (!debt_is_passed_16(vm, (u16)(entry >> ENTRY_EPOCH_SHIFT)))
		return false;
	share_release(entry_frame(entry));
	pmap_take_away(vm, page, PAGE_BALLOONED, 0);
	return true;
}

static err_t on_busy(struct mm_vm *vm, struct page *page, enum mm_access access)
{
	static err_t (*const parts[])(struct mm_vm * vm, struct page * page) = {
		[BUSY_EPOCH] = busy_epoch,
		[BUSY_COPY] = cow_finish,
		[BUSY_DROP] = busy_drop,
		[BUSY_IO] = swap_meet,
	};
	u32 part = entry_part(page_entry(page));

	CHECK(part < ARRAY_SIZE(parts));
	err_t error = parts[part](vm, page);

	/* A sample stays one until it is accessed, which is now. */
	if (!error && entry_ceiling(page_entry(page)) < ceiling_for(access))
		pmap_raise(vm, page, access);
	return error;
}

static err_t on_swapped(struct mm_vm *vm, struct page *page, enum mm_access access)
{
	(void)access;
	return swap_read(vm, page);
}

static err_t on_device(struct mm_vm *vm, struct page *page, enum mm_access access)
{
	(void)vm, (void)page, (void)access;
	return E_NOT_FOUND;
}

static err_t (*const actions[])(struct mm_vm *vm, struct page *page, enum mm_access access) = {
	[PAGE_EMPTY] = on_empty,         [PAGE_PRIVATE] = on_private, [PAGE_SHARED] = on_shared,
	[PAGE_BALLOONED] = on_ballooned, [PAGE_SWAPPED] = on_swapped, [PAGE_COMPRESSED] = on_compressed,
	[PAGE_BUSY] = on_busy,           [PAGE_DEVICE] = on_device,
};
_Static_assert(ARRAY_SIZE(actions) == PAGE_STATES, "an action for every state");

static err_t allow(struct mm_vm *vm, struct page *page, enum mm_access access)
{
	enum page_state state = entry_state(page_entry(page));

	CHECK(state < PAGE_STATES);
	return actions[state](vm, page, access);
}

/* What a vCPU was suspended for, and whatever it gets from then on, stays until it gets on. */
static void hold(struct mm_vm *vm, u32 vcpu, const struct page *page, err_t error)
{
	bool waits = error == E_SUSPEND || error == E_NO_MEMORY;

	if (waits || (!error && hold_is_waiting(&vm->hold, vcpu)))
		hold_add(&vm->hold, vcpu, page->ppn);
}

err_t resolve_page(struct mm_vm *vm, u32 vcpu, struct page *page, enum mm_access access)
{
	if (entry_ceiling(page_entry(page)) < ceiling_for(access)) {
		err_t error = allow(vm, page, access);

		hold(vm, vcpu, page, error);
		if (error)
			return error;
		if (entry_ceiling(page_entry(page)) < ceiling_for(access)) /* a sample that was copied */
			pmap_raise(vm, page, access);
	}
	pmap_note(page, access == MM_WRITE ? ENTRY_HISTORY : ENTRY_TOUCHED);
	ASSERT(entry_ceiling(page_entry(page)) >= ceiling_for(access));
	return OK;
}

/* ---- large mappings ---- */

/*
 * No copy: all frames are in their place.  What the small leaves' flags say goes with them, and a CPU may write through a stale small
 * translation, whose dirty flag is set, unseen by the new leaf: so all pages count as changed.
 */
static err_t promote(struct mm_vm *vm, struct page *page)
{
	struct block *block = page->block;
	err_t error = platform_fill(vm, page_block_ppn(page), (mpn_t){ block->reserve }, LARGE_PAGES, CEILING_ALL);

	if (error || block->large)
		return error;
	pmap_note_block(block, ENTRY_HISTORY);
	pmap_set_large(vm, block, true);
	return OK;
}

void resolve_split(struct mm_vm *vm, struct page *page)
{
	struct mm_harvest seen;

	if (!page->block->large)
		return;
	debt_publish(vm, platform_harvest(vm, page->ppn, 1, &seen));
	/* Written between the harvest and the split that follows: nobody would know, so it counts as changed. */
	pmap_note_block(page->block, seen.known && !seen.touched ? ENTRY_CHANGED : ENTRY_HISTORY);
	pmap_set_large(vm, page->block, false);
}

/*
 * A fetch that faults on a large mapping: its leaf is not executable (some processors must not have such), so this one page gets a small
 * leaf, and the platform refuses to make the block large again.  Where a small leaf is, the block is not large: else nobody would know
 * which flags to harvest.
 */
static err_t fill(struct mm_vm *vm, struct page *page, enum mm_access access)
{
	struct block *block = page->block;
	u64 entry = page_entry(page);

	if (access != MM_EXECUTE && reserve_is_whole(block) && !promote(vm, page))
		return OK;
	err_t error = platform_fill(vm, page->ppn, (mpn_t){ entry_frame(entry) }, 1, entry_ceiling(entry));

	if (!error && block->large) {
		pmap_note_block(block, ENTRY_HISTORY); /* the large leaf's flags are gone */
		pmap_set_large(vm, block, false);
	}
	return error;
}

err_t mm_resolve(struct mm_vm *vm, u32 vcpu, ppn_t ppn, enum mm_access access)
{
	struct page page;

	if (!pmap_is_memory(vm, ppn))
		return E_NOT_FOUND;
	lock_acquire(vm->lock);
	err_t error = pmap_find(vm, ppn, &page);

	if (!error)
		error = resolve_page(vm, vcpu, &page, access);
	if (!error)
		error = fill(vm, &page, access);
	if (error)
		error = vm_wait(vm, vcpu, error);
	lock_release(vm->lock);
	return error;
}
