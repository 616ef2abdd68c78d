/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/pageout.h"
#include "mm/commit.h"
#include "mm/pmap.h"

enum {
	GUARDS = 6, /* pages that one step guards: 1,500 instructions each */
	LOOKS = 128,
	PATIENCE = 1024, /* fruitless looks beside one for each page */
};

/* ---- what is wanted ---- */

void mm_pageout_choose(struct mm_vm *vm, enum mm_victims victims)
{
	CHECK(victims == MM_VICTIMS_RANDOM || victims == MM_VICTIMS_COLDEST);
	lock_acquire(vm->lock);
	vm->pageout.victims = (struct victims){ .policy = victims, .index = HARVEST_PAGES };
	lock_release(vm->lock);
}

void pageout_want(struct mm_vm *vm, u64 pages)
{
	vm->pageout.wanted = pages;
	vm->pageout.fruitless = 0;
	if (pages)
		platform_work();
}

err_t mm_pageout(struct mm_vm *vm, u64 pages)
{
	if (pages > vm->max_pages)
		return E_RANGE;
	lock_acquire(vm->lock);
	err_t error = vm->release_phase ? E_STATE : OK;

	if (!error)
		pageout_want(vm, pages);
	lock_release(vm->lock);
	return error;
}

void mm_pageout_look(struct mm_vm *vm, struct mm_pageout *out)
{
	lock_acquire(vm->lock);
	const struct pageout *pageout = &vm->pageout;

	*out = (struct mm_pageout){
		.wanted = pageout->wanted,
		.zeros = pageout->lost[PAGEOUT_ZERO],
		.shared = pageout->lost[PAGEOUT_SHARED],
		.compressed = pageout->lost[PAGEOUT_COMPRESSED],
		.swapped = pageout->lost[PAGEOUT_SWAPPED],
		.cancelled = vm->batches[BATCH_PAGEOUT].cancelled,
		.refused = pageout->refused,
		.unmet = pageout->unmet,
	};
	lock_release(vm->lock);
}

void pageout_lost(struct mm_vm *vm, enum pageout_way way)
{
	struct pageout *pageout = &vm->pageout;

	CHECK(way < PAGEOUT_WAYS);
	pageout->lost[way]++;
	pageout->wanted -= pageout->wanted > 0;
	pageout->fruitless = 0;
}

void pageout_release(struct mm_vm *vm)
{
	vm->pageout.wanted = vm->pageout.compressing = 0;
	vm->batches[BATCH_PAGEOUT].count = 0;
	vm->batches[BATCH_PAGEOUT].closed = false;
}

static u64 needed(const struct mm_vm *vm)
{
	u64 under_way = vm->swap.writing + vm->batches[BATCH_PAGEOUT].count;

	return vm->pageout.wanted > under_way ? vm->pageout.wanted - under_way : 0;
}

/* From so many looks nothing has come: what is not being written yet cannot be met. */
static void note_fruitless(struct mm_vm *vm, u32 looks)
{
	struct pageout *pageout = &vm->pageout;

	pageout->fruitless += looks;
	if (pageout->fruitless <= vm->max_pages + PATIENCE)
		return;
	u64 writing = min_u64(vm->swap.writing, pageout->wanted);

	pageout->unmet += pageout->wanted - writing;
	pageout->wanted = writing;
}

/* ---- in ---- */

static bool is_full(const struct mm_vm *vm)
{
	return vm->batches[BATCH_PAGEOUT].count == BATCH_PAGES;
}

static void gather(struct mm_vm *vm)
{
	u32 looks = LOOKS, guarded = 0;
	struct page page;

	victim_begin(vm);
	while (looks && guarded < GUARDS && needed(vm) && !is_full(vm)) {
		u32 before = looks;

		if (victim_next(vm, &looks, &page) &&
		    batch_add(vm, BATCH_PAGEOUT, &page, (struct candidate){ .ceiling = CEILING_NONE }))
			guarded++;
		else
			note_fruitless(vm, before - looks);
	}
	if (is_full(vm) || !needed(vm) || !guarded)
		batch_close(vm, BATCH_PAGEOUT);
}

/* ---- out ---- */

/* Who joins a page that has become shared frees its own: that counts, so that no VM loses too much. */
static bool share(struct scan_work *work, struct page *page)
{
	if (commit_try_share(work, page) == COMMIT_NOTHING)
		return false;
	pageout_lost(work->vm, entry_state(page_entry(page)) == PAGE_EMPTY ? PAGEOUT_ZERO : PAGEOUT_SHARED);
	return true;
}

static void swap_out(struct mm_vm *vm, struct page *page)
{
	if (swap_write(vm, page))
		return;
	pmap_unguard(vm, page);
	vm->pageout.refused++;
	note_fruitless(vm, 1);
}

/* Piece by piece, a step each. */
static void compress(struct mm_vm *vm, struct page *page)
{
	enum compress_result result = compress_page(vm, page);

	vm->pageout.compressing = result == COMPRESS_MORE ? page->ppn.n + 1 : 0;
	if (result == COMPRESS_DONE)
		pageout_lost(vm, PAGEOUT_COMPRESSED);
	else if (result == COMPRESS_REFUSED)
		swap_out(vm, page);
}

/* The page between two pieces, if nobody has needed it meanwhile. */
static bool find_compressing(struct mm_vm *vm, struct page *page)
{
	ppn_t ppn = { vm->pageout.compressing - 1 };

	return vm->pageout.compressing && compress_is_under_way(vm, ppn.n) && pmap_look(vm, ppn, page) &&
	       entry_state(page_entry(page)) == PAGE_PRIVATE && (page_entry(page) & ENTRY_GUARDED) &&
	       entry_ceiling(page_entry(page)) == CEILING_NONE;
}

/* It is settled that nobody can reach the page. */
static void page_out(struct scan_work *work, struct page *page)
{
	struct mm_vm *vm = work->vm;

	CHECK(entry_ceiling(page_entry(page)) == CEILING_NONE);
	if (vm->pageout.wanted <= vm->swap.writing)
		pmap_unguard(vm, page);
	else if (!share(work, page))
		compress(vm, page);
}

/* The batch stays as it is until there is a request to write with. */
static bool can_commit(struct mm_vm *vm)
{
	return batch_is_settled(vm, BATCH_PAGEOUT) && (!swap_is_on() || swap_can_write(vm));
}

static void commit(struct scan_work *work)
{
	struct candidate candidate;
	struct page page;

	if (find_compressing(work->vm, &page)) {
		compress(work->vm, &page);
		return;
	}
	work->vm->pageout.compressing = 0;
	while (can_commit(work->vm) && work->pages && !work->partner.mpn) {
		if (!batch_next(work->vm, BATCH_PAGEOUT, &candidate, &page)) {
			swap_submit(work->vm);
			return;
		}
		page_out(work, &page);
		work->pages--;
	}
}

/* ---- steps ---- */

/* A batch that is not settled yet will be soon: then somebody must look again. */
static bool has_work(struct mm_vm *vm)
{
	if (vm->batches[BATCH_PAGEOUT].closed)
		return can_commit(vm) || !batch_is_settled(vm, BATCH_PAGEOUT);
	return needed(vm) || vm->batches[BATCH_PAGEOUT].count;
}

bool mm_pageout_step(u32 pages)
{
	static u32 cursor;
	struct scan_work work = { .vm = vm_lock_next(&cursor, has_work), .pages = pages };

	if (!work.vm)
		return false;
	work.group = work.vm->group;
	work.simd = platform_has_simd();
	if (work.vm->batches[BATCH_PAGEOUT].closed) {
		simd_begin();
		commit(&work);
		simd_end();
	} else {
		gather(work.vm);
	}
	vm_unlock(work.vm);
	commit_tell_partner(&work);
	return true;
}
