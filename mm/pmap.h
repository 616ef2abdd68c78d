/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pmap: what is true of a VM's memory.  A page of 512 entries for each 2 MiB of guest memory, found through a directory of blocks;
 * both come at first touch.  Every change of an entry goes through the functions below, which keep the counters of block and VM.
 *
 * All need the VM's lock.  A struct page is a place in the pmap; it and every pointer here die with the step.
 */
#pragma once
#include "mm/entry.h"
#include "mm/vm.h"

struct page {
	struct block *block;
	u64 *slot; /* its entry */
	ppn_t ppn;
	u32 index; /* in its block */
};

enum { PMAP_BORDER = 1 << (32 - PAGE_SHIFT) }; /* memory goes on at 4 GiB */

/* Is this page memory? (a hole and everything above memory is the devices'.) */
static inline bool pmap_is_memory(const struct mm_vm *vm, ppn_t ppn)
{
	if (ppn.n < vm->low_pages)
		return true;
	return ppn.n >= PMAP_BORDER && ppn.n - PMAP_BORDER < vm->max_pages - vm->low_pages;
}

/* Blocks are numbered without the hole. */
u32 pmap_block_count(const struct mm_vm *vm);
ppn_t pmap_block_ppn(const struct mm_vm *vm, u32 number);
/* Page `number` of the VM's memory, counted without the hole. */
static inline ppn_t pmap_nth_ppn(const struct mm_vm *vm, u64 number)
{
	return (ppn_t){ pmap_block_ppn(vm, (u32)(number / LARGE_PAGES)).n + (u32)(number % LARGE_PAGES) };
}
/* Pages of memory in block `number`: less than LARGE_PAGES only at the end. */
u32 pmap_block_pages(const struct mm_vm *vm, u32 number);
/* The block, or NULL if its directory page does not exist. */
struct block *pmap_block(const struct mm_vm *vm, u32 number);
u64 *pmap_entries(const struct block *block);

/* Find a page that is memory, if its directory and entries exist. */
bool pmap_look(const struct mm_vm *vm, ppn_t ppn, struct page *page);
/* The same, making its directory and entries (E_NO_MEMORY: nothing changed). */
err_t pmap_make(struct mm_vm *vm, ppn_t ppn, struct page *page);
/* Find a page that is memory, whether it was ever touched or not. */
static inline err_t pmap_find(struct mm_vm *vm, ppn_t ppn, struct page *page)
{
	return __builtin_expect(pmap_look(vm, ppn, page), 1) ? OK : pmap_make(vm, ppn, page);
}

static inline u64 page_entry(const struct page *page)
{
	return *page->slot;
}

static inline ppn_t page_block_ppn(const struct page *page)
{
	return (ppn_t){ page->ppn.n - page->index };
}

/* ---- changes ---- */

/* EMPTY, or BUSY and BALLOONED whose epoch is settled, → PRIVATE with all rights; the frame must be zeroed and reachable by nobody. */
void pmap_make_private(struct mm_vm *vm, struct page *page, u32 mpn);
/* EMPTY without a frame → EMPTY that names the zero frame, read-only. */
void pmap_name_zero(struct mm_vm *vm, struct page *page);
/* The page names no frame any more (its old one is the caller's): BUSY or BALLOONED until `epoch`; EMPTY when nothing is owed. */
void pmap_take_away(struct mm_vm *vm, struct page *page, enum page_state state, u64 epoch);
/* PRIVATE → SHARED: it names `mpn`, a reference to which is the page's; its old frame is the caller's. */
void pmap_share(struct mm_vm *vm, struct page *page, u32 mpn, enum mm_ceiling ceiling);
/* SHARED → PRIVATE: `mpn` is its own.  The reference is the caller's. */
void pmap_unshare(struct mm_vm *vm, struct page *page, u32 mpn);
/* SHARED → BUSY: the reference goes when `epoch` is settled. */
void pmap_drop_shared(struct mm_vm *vm, struct page *page, u64 epoch);
/* SHARED → BUSY: `mpn`, COPYING for this page, will have its contents; → PRIVATE: it has them. */
void pmap_begin_copy(struct mm_vm *vm, struct page *page, u32 mpn);
void pmap_end_copy(struct mm_vm *vm, struct page *page);
/* PRIVATE, guarded with CEILING_NONE → COMPRESSED: an object at quarter `part` of the store's frame; its own is the caller's, or the store's. */
void pmap_compress(struct mm_vm *vm, struct page *page, u32 mpn, u32 part);
/* PRIVATE or SWAPPED → BUSY: `mpn`, WRITING or READING, is the page's; → PRIVATE again. */
void pmap_begin_io(struct mm_vm *vm, struct page *page, u32 mpn);
void pmap_end_io(struct mm_vm *vm, struct page *page);
/* BUSY → SWAPPED: its contents are in `slot` only; its frame is the caller's. */
void pmap_swap(struct mm_vm *vm, struct page *page, u32 slot);
/* A candidate that nobody can reach → PRIVATE in `mpn`, which holds its contents; marks and history stay. Its old frame is the caller's. */
void pmap_move(struct mm_vm *vm, struct page *page, u32 mpn);
/* The page is copied often for devices, or no longer. */
void pmap_set_hot(struct mm_vm *vm, struct page *page, bool hot);
/* The ceiling falls and the mark is set (before the cache is narrowed). */
void pmap_watch(struct mm_vm *vm, struct page *page, u64 mark, enum mm_ceiling ceiling);
/* No candidate any more; a sample stays one. */
void pmap_unguard(struct mm_vm *vm, struct page *page);
/* No sample any more, though nobody has accessed it. */
void pmap_unsample(struct mm_vm *vm, struct page *page);
/* First the marks that this access cancels go, then the ceiling rises to what the state and the marks that are left allow. */
void pmap_raise(struct mm_vm *vm, struct page *page, enum mm_access access);
void pmap_pin(struct mm_vm *vm, struct page *page);
void pmap_unpin(struct mm_vm *vm, struct page *page);
/* The 2 MiB mapping is in force, or no longer. */
void pmap_set_large(struct mm_vm *vm, struct block *block, bool large);
/* The reservation is gone: no frame of the block is in its place. */
void pmap_forget_reserve(struct mm_vm *vm, struct block *block);
/* Release: entry [index] of the block becomes EMPTY; returns what it was. */
u64 pmap_clear(struct mm_vm *vm, struct block *block, u32 index);

/* History changes no counter. */
static inline void pmap_note(struct page *page, u64 history)
{
	*page->slot |= entry_noted(history);
}

static inline void pmap_forget(struct page *page)
{
	*page->slot &= ~ENTRY_HISTORY;
}

/* Nor do copies. */
static inline void pmap_count_copies(struct page *page, u32 copies)
{
	*page->slot = entry_with_copies(*page->slot, copies);
}

/* What a 2 MiB leaf's flags say holds for all its pages. */
void pmap_note_block(struct block *block, u64 history);
