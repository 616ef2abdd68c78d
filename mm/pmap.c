/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/pmap.h"
#include "mm/share.h"
#include "mm/zone.h"

/* ---- places ---- */

/* Number of the page in the VM's memory, as if there were no hole. */
static u32 linear(const struct mm_vm *vm, ppn_t ppn)
{
	return ppn.n < vm->low_pages ? ppn.n : ppn.n - PMAP_BORDER + vm->low_pages;
}

u32 pmap_block_count(const struct mm_vm *vm)
{
	return (u32)((vm->max_pages + LARGE_PAGES - 1) / LARGE_PAGES);
}

ppn_t pmap_block_ppn(const struct mm_vm *vm, u32 number)
{
	u32 first = number * LARGE_PAGES;

	return (ppn_t){ first < vm->low_pages ? first : first - vm->low_pages + PMAP_BORDER };
}

u32 pmap_block_pages(const struct mm_vm *vm, u32 number)
{
	return (u32)min_u64(LARGE_PAGES, vm->max_pages - (u64)number * LARGE_PAGES);
}

struct block *pmap_block(const struct mm_vm *vm, u32 number)
{
	CHECK(number / DIRECTORY_BLOCKS < VM_DIRECTORIES);
	u32 directory = vm->directories[number / DIRECTORY_BLOCKS];

	if (!directory)
		return NULL;
	return (struct block *)platform_frame((mpn_t){ directory }) + number % DIRECTORY_BLOCKS;
}

u64 *pmap_entries(const struct block *block)
{
	return platform_frame((mpn_t){ block->entries });
}

/* A zeroed frame for directory or entries, or 0. */
static u32 new_table(struct mm_vm *vm)
{
	mpn_t mpn;

	if (mm_overhead_alloc(0, &mpn))
		return 0;
	platform_zero_frame(mpn);
	vm->pmap_pages++;
	vm->generation++;
	return mpn.n;
}

static bool fill_in(struct mm_vm *vm, u32 *table)
{
	if (!*table)
		*table = new_table(vm);
	return *table != 0;
}

static bool place(const struct mm_vm *vm, ppn_t ppn, struct page *page)
{
	if (!page->block || !page->block->entries)
		return false;
	page->ppn = ppn;
	page->index = ppn.n % LARGE_PAGES;
	page->slot = pmap_entries(page->block) + page->index;
	ASSERT(pmap_is_memory(vm, ppn));
	return true;
}

bool pmap_look(const struct mm_vm *vm, ppn_t ppn, struct page *page)
{
	ASSERT(lock_is_mine(vm->lock));
	page->block = pmap_block(vm, linear(vm, ppn) / LARGE_PAGES);
	return place(vm, ppn, page);
}

err_t pmap_make(struct mm_vm *vm, ppn_t ppn, struct page *page)
{
	u32 number = linear(vm, ppn) / LARGE_PAGES;

	if (!fill_in(vm, &vm->directories[number / DIRECTORY_BLOCKS]) || !fill_in(vm, &pmap_block(vm, number)->entries))
		return E_NO_MEMORY;
	return pmap_look(vm, ppn, page) ? OK : E_NO_MEMORY;
}

/* ---- changes: one place where an entry and the counters that follow from it are written ---- */

static void tally(struct mm_vm *vm, struct block *block, enum tally which, u32 by)
{
	block->tally[which] = (u16)(block->tally[which] + by);
	vm->tally[which] += (u64)(s64)(s32)by;
	ASSERT(block->tally[which] <= LARGE_PAGES);
}

/* The tally of pages that `entry` belongs to; TALLY_PAGES: none. */
static enum tally tally_of(u64 entry)
{
	static const enum tally tallies[PAGE_STATES] = {
		[PAGE_EMPTY] = TALLY_ZERO,          [PAGE_PRIVATE] = TALLY_PRIVATE, [PAGE_SHARED] = TALLY_SHARED,
		[PAGE_BALLOONED] = TALLY_BALLOONED, [PAGE_SWAPPED] = TALLY_SWAPPED, [PAGE_COMPRESSED] = TALLY_COMPRESSED,
		[PAGE_BUSY] = TALLY_BUSY,           [PAGE_DEVICE] = TALLY_PAGES,
	};
	enum page_state state = entry_state(entry);

	CHECK(state < PAGE_STATES);
	if (state == PAGE_EMPTY && !entry_frame(entry))
		return TALLY_PAGES;
	return entry_has_transit(entry) ? TALLY_TRANSIT : tallies[state];
}

static void count_hot(struct mm_vm *vm, struct block *block, u32 by)
{
	block->hot = (block->hot + by) & 0x7fff;
	vm->iopage.hot += (u64)(s64)(s32)by;
	ASSERT(block->hot <= LARGE_PAGES);
}

/* Count `entry` in (by = 1) or out (by = -1). */
static void count(struct mm_vm *vm, struct block *block, u32 index, u64 entry, u32 by)
{
	enum tally which = tally_of(entry);

	if (which != TALLY_PAGES)
		tally(vm, block, which, by);
	vm->references += entry_has_reference(entry) ? (u64)(s64)(s32)by : 0;
	if (which != TALLY_PRIVATE)
		return;
	if (block->reserve && entry_frame(entry) == block->reserve + index)
		tally(vm, block, TALLY_IN_PLACE, by);
	if (entry_ceiling(entry) != CEILING_ALL)
		tally(vm, block, TALLY_NARROWED, by);
	if (entry & ENTRY_PINNED)
		tally(vm, block, TALLY_PINNED, by);
	if (entry & ENTRY_HOT_IO)
		count_hot(vm, block, by);
}

static void change(struct mm_vm *vm, struct block *block, u32 index, u64 *slot, u64 entry)
{
	u64 old = *slot;

	ASSERT(lock_is_mine(vm->lock));
	count(vm, block, index, old, (u32)-1);
	count(vm, block, index, entry, 1);
	vm->sample.touched += (old & ~entry & ENTRY_SAMPLED) != 0;
	*slot = entry;
	vm->generation++;
}

static void set(struct mm_vm *vm, struct page *page, u64 entry)
{
	change(vm, page->block, page->index, page->slot, entry);
}

static void reference_zero(u32 by)
{
	u32 was = __atomic_fetch_add(&frame_of(frame_zero)->references, by, __ATOMIC_RELAXED);

	CHECK(was + by != UINT32_MAX);
}

void pmap_make_private(struct mm_vm *vm, struct page *page, u32 mpn)
{
	u64 old = page_entry(page);

	CHECK(entry_state(old) != PAGE_PRIVATE && (entry_state(old) != PAGE_EMPTY || !entry_frame(old)));
	frame_assign(mpn, FRAME_PRIVATE, vm->id, page->ppn.n);
	frame_move(CLASS_FREE, CLASS_PRIVATE, 1);
	/* History goes on; contents that were given up have changed, even if the next access only reads. */
	u64 history = (old & ENTRY_HISTORY) | (entry_state(old) == PAGE_BALLOONED ? ENTRY_CHANGED : 0);

	set(vm, page, entry_make(PAGE_PRIVATE, CEILING_ALL, history, mpn));
}

void pmap_name_zero(struct mm_vm *vm, struct page *page)
{
	u64 old = page_entry(page);

	CHECK((old & ~(ENTRY_HISTORY | ENTRY_RECENT | ENTRY_WATCHED)) == PAGE_EMPTY);
	reference_zero(1);
	set(vm, page, entry_make(PAGE_EMPTY, CEILING_READ, old & ENTRY_HISTORY, frame_zero));
}

/* What goes with a page into another state: its history; a sample stays one until it is accessed. */
static u64 kept(u64 entry)
{
	return entry & (ENTRY_HISTORY | ENTRY_SAMPLED);
}

void pmap_take_away(struct mm_vm *vm, struct page *page, enum page_state state, u64 epoch)
{
	u64 old = page_entry(page);

	CHECK(!(old & ENTRY_PINNED) && !page->block->large);
	if (entry_state(old) == PAGE_EMPTY && entry_frame(old))
		reference_zero((u32)-1);
	/* Giving a page up, or finding it all zeros, is no access to it; that it is BUSY is one's doing. */
	set(vm, page, entry_make(state, CEILING_NONE, state == PAGE_BUSY ? old & ENTRY_HISTORY : kept(old), (u32)epoch));
}

void pmap_share(struct mm_vm *vm, struct page *page, u32 mpn, enum mm_ceiling ceiling)
{
	u64 old = page_entry(page);

	CHECK(entry_state(old) == PAGE_PRIVATE && !(old & ENTRY_PINNED) && !page->block->large && ceiling <= CEILING_READ);
	set(vm, page, entry_make(PAGE_SHARED, old & ENTRY_SAMPLED ? CEILING_NONE : ceiling, kept(old), mpn));
}

/* Its contents are its own: if nobody has accessed it, it stays a sample. */
static u64 own_entry(u64 old, u32 mpn)
{
	return entry_make(PAGE_PRIVATE, old & ENTRY_SAMPLED ? CEILING_NONE : CEILING_ALL, kept(old), mpn);
}

void pmap_unshare(struct mm_vm *vm, struct page *page, u32 mpn)
{
	u64 old = page_entry(page);

	CHECK(entry_state(old) == PAGE_SHARED && frame_state(mpn) == FRAME_PRIVATE && frame_of(mpn)->owner == vm->id);
	set(vm, page, own_entry(old, mpn));
}

void pmap_drop_shared(struct mm_vm *vm, struct page *page, u64 epoch)
{
	u64 old = page_entry(page);

	CHECK(entry_state(old) == PAGE_SHARED);
	set(vm, page,
	    entry_with_part(entry_make(PAGE_BUSY, CEILING_NONE, kept(old), entry_frame(old)), BUSY_DROP) |
		    (epoch & 0xffff) << ENTRY_EPOCH_SHIFT);
}

void pmap_begin_copy(struct mm_vm *vm, struct page *page, u32 mpn)
{
	u64 old = page_entry(page);

	CHECK(!(old & ENTRY_PINNED) && !page->block->large && frame_of(mpn)->owner == vm->id &&
	      frame_of(mpn)->ppn == page->ppn.n);
	set(vm, page, entry_with_part(entry_make(PAGE_BUSY, CEILING_NONE, kept(old), mpn), BUSY_COPY));
}

void pmap_end_copy(struct mm_vm *vm, struct page *page)
{
	u64 old = page_entry(page);

	CHECK(entry_state(old) == PAGE_BUSY && entry_part(old) == BUSY_COPY && frame_state(entry_frame(old)) == FRAME_PRIVATE);
	set(vm, page, own_entry(old, entry_frame(old)));
}

void pmap_compress(struct mm_vm *vm, struct page *page, u32 mpn, u32 part)
{
	u64 old = page_entry(page);

	CHECK(entry_state(old) == PAGE_PRIVATE && (old & ENTRY_GUARDED) && entry_ceiling(old) == CEILING_NONE);
	CHECK(!(old & ENTRY_PINNED) && !page->block->large);
	set(vm, page, entry_with_part(entry_make(PAGE_COMPRESSED, CEILING_NONE, kept(old), mpn), part));
}

void pmap_begin_io(struct mm_vm *vm, struct page *page, u32 mpn)
{
	u64 old = page_entry(page);

	CHECK(entry_state(old) == PAGE_PRIVATE ? entry_frame(old) == mpn : entry_state(old) == PAGE_SWAPPED);
	CHECK(!(old & ENTRY_PINNED) && !page->block->large && frame_of(mpn)->owner == vm->id &&
	      frame_of(mpn)->ppn == page->ppn.n);
	set(vm, page, entry_with_part(entry_make(PAGE_BUSY, CEILING_NONE, kept(old), mpn), BUSY_IO));
}

/* Recent: what came in unasked is not the first to go again. */
void pmap_end_io(struct mm_vm *vm, struct page *page)
{
	u64 old = page_entry(page);

	CHECK(entry_is_io(old) && frame_state(entry_frame(old)) == FRAME_PRIVATE);
	set(vm, page,
	    entry_make(PAGE_PRIVATE, old & ENTRY_SAMPLED ? CEILING_NONE : CEILING_ALL, kept(old) | ENTRY_RECENT,
		       entry_frame(old)));
}

void pmap_swap(struct mm_vm *vm, struct page *page, u32 slot)
{
	u64 old = page_entry(page);

	CHECK(entry_is_io(old) && slot < UINT32_MAX);
	set(vm, page, entry_make(PAGE_SWAPPED, CEILING_NONE, kept(old), slot + 1));
}

void pmap_move(struct mm_vm *vm, struct page *page, u32 mpn)
{
	const u64 of_frame = ENTRY_LOW | (u64)UINT32_MAX << ENTRY_FRAME_SHIFT;
	u64 old = page_entry(page);
	bool low = frame_of(mpn)->zone == ZONE_LOW;
	/* Copies were the old frame's. */
	u64 entry = entry_with_copies(old & ~(of_frame | ENTRY_GUARDED), 0) | (u64)mpn << ENTRY_FRAME_SHIFT;

	CHECK(entry_state(old) == PAGE_PRIVATE && (old & ENTRY_GUARDED) && entry_ceiling(old) == CEILING_NONE);
	CHECK(!(old & ENTRY_PINNED) && !page->block->large && frame_state(mpn) == FRAME_PRIVATE);
	CHECK(frame_of(mpn)->owner == vm->id && frame_of(mpn)->ppn == page->ppn.n);
	if (low)
		entry = (entry & ~ENTRY_HOT_IO) | ENTRY_LOW;
	set(vm, page, entry_with_ceiling(entry, entry & ENTRY_SAMPLED ? CEILING_NONE : CEILING_ALL));
}

void pmap_set_hot(struct mm_vm *vm, struct page *page, bool hot)
{
	u64 old = page_entry(page);

	CHECK(entry_state(old) == PAGE_PRIVATE && frame_of(entry_frame(old))->zone != ZONE_LOW);
	set(vm, page, hot ? old | ENTRY_HOT_IO : old & ~ENTRY_HOT_IO);
}

void pmap_watch(struct mm_vm *vm, struct page *page, u64 mark, enum mm_ceiling ceiling)
{
	u64 old = page_entry(page);

	CHECK((mark & ~ENTRY_WATCHED) == 0 && !(old & ENTRY_PINNED) && !page->block->large);
	if (entry_ceiling(old) < ceiling)
		ceiling = entry_ceiling(old);
	set(vm, page, entry_with_ceiling(old | mark, ceiling));
}

void pmap_unguard(struct mm_vm *vm, struct page *page)
{
	u64 entry = page_entry(page) & ~ENTRY_GUARDED;

	CHECK(entry_state(entry) == PAGE_PRIVATE);
	set(vm, page, entry_with_ceiling(entry, entry & ENTRY_SAMPLED ? CEILING_NONE : CEILING_ALL));
}

void pmap_unsample(struct mm_vm *vm, struct page *page)
{
	u64 entry = page_entry(page) & ~ENTRY_SAMPLED;
	enum mm_ceiling ceiling = CEILING_NONE;

	if (entry_state(entry) == PAGE_PRIVATE)
		ceiling = CEILING_ALL;
	else if (entry_state(entry) == PAGE_SHARED && !share_is_secure(vm->group))
		ceiling = CEILING_READ;

	/* A candidate stays one: whoever guarded it wants no more than this. */
	set(vm, page, entry_with_ceiling(entry, entry & ENTRY_GUARDED ? CEILING_NONE : ceiling));
}

void pmap_raise(struct mm_vm *vm, struct page *page, enum mm_access access)
{
	u64 old = page_entry(page);
	u64 cancelled = old & ~(access == MM_WRITE ? ENTRY_WATCHED : ENTRY_SAMPLED);
	bool all = entry_state(old) == PAGE_PRIVATE && !(cancelled & ENTRY_GUARDED);

	CHECK(entry_frame(old) && entry_state(old) <= PAGE_SHARED);
	set(vm, page, cancelled);
	set(vm, page, entry_with_ceiling(cancelled, all ? CEILING_ALL : CEILING_READ));
}

void pmap_pin(struct mm_vm *vm, struct page *page)
{
	u64 old = page_entry(page);

	CHECK(entry_state(old) == PAGE_PRIVATE && entry_pins(old) < ENTRY_MAX_PINS);
	set(vm, page, (old | ENTRY_PINNED) + ENTRY_PIN_ONE);
}

void pmap_unpin(struct mm_vm *vm, struct page *page)
{
	u64 old = page_entry(page);

	CHECK(entry_state(old) == PAGE_PRIVATE && entry_pins(old) > 0);
	old = (old - ENTRY_PIN_ONE) | entry_noted(ENTRY_HISTORY); /* devices set no dirty flag */
	set(vm, page, entry_pins(old) ? old : old & ~ENTRY_PINNED);
}

void pmap_set_large(struct mm_vm *vm, struct block *block, bool large)
{
	if (block->large == large)
		return;
	CHECK(!large || (block->tally[TALLY_IN_PLACE] == LARGE_PAGES && !block->tally[TALLY_NARROWED]));
	block->large = large ? 1 : 0;
	vm->large_blocks += large ? 1 : (u64)-1;
	vm->generation++;
}

void pmap_forget_reserve(struct mm_vm *vm, struct block *block)
{
	CHECK(block->reserve && !block->large);
	vm->tally[TALLY_IN_PLACE] -= block->tally[TALLY_IN_PLACE];
	block->tally[TALLY_IN_PLACE] = 0;
	block->reserve = 0;
	vm->generation++;
}

void pmap_note_block(struct block *block, u64 history)
{
	u64 *entries = pmap_entries(block);

	CHECK(block->tally[TALLY_PRIVATE] == LARGE_PAGES && !(history & ~ENTRY_HISTORY));
	for (u32 i = 0; i < LARGE_PAGES; i++)
		entries[i] |= entry_noted(history);
}

u64 pmap_clear(struct mm_vm *vm, struct block *block, u32 index)
{
	u64 *slot = pmap_entries(block) + index;
	u64 old = *slot;

	if (entry_state(old) == PAGE_EMPTY && entry_frame(old))
		reference_zero((u32)-1);
	change(vm, block, index, slot, PAGE_EMPTY);
	return old;
}
