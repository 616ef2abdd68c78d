/* SPDX-License-Identifier: BSD-2-Clause */
/* What sampling, sharing and the balloon do to a page: take it back, watch it, read its history. */
#include "mm/watch.h"
#include "mm/debt.h"
#include "mm/resolve.h"

/* What was harvested for `pages` pages, from page `first` of the block, goes into the pmap. */
static void note_group(struct block *block, u32 first, u32 pages, const struct mm_harvest *seen)
{
	u64 *entries = pmap_entries(block) + first;
	u64 all = pages < HARVEST_PAGES ? BIT(pages) - 1 : ~0ULL;
	u64 changed = seen->known ? seen->changed & all : all;
	u64 touched = seen->known ? (seen->touched | seen->changed) & all : all;

	if (block->large && touched) {
		pmap_note_block(block, changed ? ENTRY_HISTORY : ENTRY_TOUCHED);
		return;
	}
	for (; touched; touched &= touched - 1) {
		u32 i = (u32)__builtin_ctzll(touched);

		entries[i] |= entry_noted(changed & BIT(i) ? ENTRY_HISTORY : ENTRY_TOUCHED);
	}
}

/* For pages of one block, or for all of its 2 MiB leaf. */
static void harvest(struct mm_vm *vm, struct page *page, u32 pages)
{
	struct mm_harvest seen;

	debt_publish(vm, platform_harvest(vm, page->ppn, pages, &seen));
	note_group(page->block, page->index, pages, &seen);
}

/*
 * Narrow the cache below `ceiling` without losing history: once the right to write is gone no dirty flag can come up any more, so the
 * harvest between the two is complete.  The VM's last epoch is the debt.
 */
static void narrow(struct mm_vm *vm, struct page *page, u32 pages, enum mm_ceiling ceiling)
{
	debt_publish(vm, platform_narrow(vm, page->ppn, pages, CEILING_READ));
	harvest(vm, page, pages);
	if (ceiling < CEILING_READ)
		debt_take_rights_of(vm, page->ppn, pages);
}

void watch_take_rights(struct mm_vm *vm, struct page *page, u32 pages)
{
	CHECK(pages <= HARVEST_PAGES && page->index + pages <= LARGE_PAGES);
	resolve_split(vm, page);
	narrow(vm, page, pages, CEILING_NONE);
}

/* Let the page's 2 MiB mapping go; E_STATE where background work has to pass by. */
static err_t begin(struct mm_vm *vm, struct page *page)
{
	if ((page_entry(page) & ENTRY_PINNED) || entry_state(page_entry(page)) == PAGE_BUSY)
		return E_STATE;
	resolve_split(vm, page);
	return OK;
}

static err_t find_idle(struct mm_vm *vm, ppn_t ppn, struct page *page)
{
	err_t error = pmap_find(vm, ppn, page);

	return error ? error : begin(vm, page);
}

/* The reference may go only when no CPU reads the shared frame as this page any more: the guest's driver asks again. */
static err_t give_up_shared(struct mm_vm *vm, struct page *page)
{
	u64 entry = page_entry(page);

	if (entry_state(entry) == PAGE_BUSY && entry_part(entry) == BUSY_COPY)
		return E_STATE;
	if (entry_state(entry) == PAGE_SHARED) {
		debt_take_rights(vm, page->ppn);
		pmap_drop_shared(vm, page, vm->last_epoch);
	}
	return resolve_drop(vm, page) ? OK : E_SUSPEND;
}

/* Nobody can reach its frame, if it has one: nothing is owed. */
static err_t give_up_swapped(struct mm_vm *vm, struct page *page)
{
	u64 old = page_entry(page);

	swap_forget(vm, old, page->ppn);
	pmap_take_away(vm, page, PAGE_BALLOONED, 0);
	if (entry_is_io(old))
		debt_free(vm, entry_frame(old), page->ppn.n, (struct mm_debt){ 0 });
	return OK;
}

static err_t give_up(struct mm_vm *vm, ppn_t ppn)
{
	struct page page;

	if (pmap_look(vm, ppn, &page) && entry_has_reference(page_entry(&page)))
		return give_up_shared(vm, &page);
	if (pmap_look(vm, ppn, &page) && (entry_state(page_entry(&page)) == PAGE_SWAPPED || entry_is_io(page_entry(&page))))
		return give_up_swapped(vm, &page);
	err_t error = find_idle(vm, ppn, &page);

	if (error)
		return error;
	u64 old = page_entry(&page);

	if (entry_state(old) == PAGE_BALLOONED)
		return E_STATE;
	bool reachable = entry_frame(old) && entry_state(old) <= PAGE_SHARED;

	if (reachable)
		narrow(vm, &page, 1, CEILING_NONE);
	pmap_take_away(vm, &page, PAGE_BALLOONED, reachable ? vm->last_epoch : 0);
	if (entry_state(old) == PAGE_COMPRESSED)
		store_free(vm, compress_place(old));
	if (entry_state(old) == PAGE_PRIVATE)
		debt_free(vm, entry_frame(old), ppn.n, (struct mm_debt){ vm->last_epoch });
	return OK;
}

err_t mm_give_up(struct mm_vm *vm, u32 vcpu, ppn_t ppn)
{
	if (!pmap_is_memory(vm, ppn))
		return E_NOT_FOUND;
	lock_acquire(vm->lock);
	err_t error = give_up(vm, ppn);

	if (error == E_SUSPEND)
		error = vm_wait(vm, vcpu, error);
	lock_release(vm->lock);
	return error;
}

err_t watch_guard(struct mm_vm *vm, struct page *page, enum mm_ceiling ceiling)
{
	if ((page_entry(page) & ENTRY_GUARDED) || hold_has(&vm->hold, page->ppn))
		return E_STATE;
	err_t error = begin(vm, page);

	if (error)
		return error;
	batch_strike(vm, page->ppn.n);
	compress_strike(vm, page->ppn.n);
	pmap_watch(vm, page, ENTRY_GUARDED, ceiling);
	narrow(vm, page, 1, ceiling);
	return OK;
}

err_t watch_sample(struct mm_vm *vm, struct page *page)
{
	err_t error = begin(vm, page);

	if (error)
		return error;
	/* A candidate whose ceiling rose since and falls now would seem settled, though a CPU may have loaded it meanwhile. */
	if (page_entry(page) & ENTRY_GUARDED) {
		batch_strike(vm, page->ppn.n);
		pmap_unguard(vm, page);
		pmap_note(page, ENTRY_CHANGED);
	}
	u64 old = page_entry(page);

	pmap_watch(vm, page, ENTRY_SAMPLED, CEILING_NONE);
	if (entry_state(old) <= PAGE_SHARED && entry_frame(old))
		narrow(vm, page, 1, CEILING_NONE);
	return OK;
}

static err_t guard_private(struct mm_vm *vm, struct page *page)
{
	return entry_state(page_entry(page)) == PAGE_PRIVATE ? watch_guard(vm, page, CEILING_READ) : E_STATE;
}

static err_t watch_page(struct mm_vm *vm, ppn_t ppn, enum mm_watch watch)
{
	struct page page;
	err_t error = pmap_find(vm, ppn, &page);

	if (error)
		return error;
	return watch == MM_WATCH_SAMPLED ? watch_sample(vm, &page) : guard_private(vm, &page);
}

u64 watch_group_count(const struct mm_vm *vm)
{
	return (vm->max_pages + HARVEST_PAGES - 1) / HARVEST_PAGES;
}

u64 *watch_harvest_group(struct mm_vm *vm, u64 number, u32 *pages, struct mm_harvest *seen)
{
	struct block *block = pmap_block(vm, (u32)(number / GROUPS_PER_BLOCK));
	u32 first = (u32)(number % GROUPS_PER_BLOCK) * HARVEST_PAGES;

	CHECK(number < watch_group_count(vm));
	*pages = (u32)min_u64(HARVEST_PAGES, vm->max_pages - number * HARVEST_PAGES);
	if (!block || !block->entries)
		return NULL;
	debt_publish(vm, platform_harvest(vm, pmap_nth_ppn(vm, number * HARVEST_PAGES), *pages, seen));
	note_group(block, first, *pages, seen);
	return pmap_entries(block) + first;
}

err_t mm_watch(struct mm_vm *vm, ppn_t ppn, enum mm_watch watch)
{
	CHECK(watch == MM_WATCH_SAMPLED || watch == MM_WATCH_GUARDED);
	if (!pmap_is_memory(vm, ppn))
		return E_NOT_FOUND;
	lock_acquire(vm->lock);
	err_t error = watch_page(vm, ppn, watch);

	lock_release(vm->lock);
	return error;
}

err_t mm_history(struct mm_vm *vm, ppn_t ppn, struct mm_history *history)
{
	struct page page;

	if (!pmap_is_memory(vm, ppn))
		return E_NOT_FOUND;
	*history = (struct mm_history){ 0 };
	lock_acquire(vm->lock);
	if (pmap_look(vm, ppn, &page)) {
		harvest(vm, &page, 1);
		u64 entry = page_entry(&page);

		*history = (struct mm_history){
			.touched = entry & ENTRY_TOUCHED,
			.changed = entry & (ENTRY_CHANGED | ENTRY_PINNED), /* a device may write to it at any time */
			.sampled = entry & ENTRY_SAMPLED,
			.guarded = entry & ENTRY_GUARDED,
		};
		pmap_forget(&page);
	}
	lock_release(vm->lock);
	return OK;
}
