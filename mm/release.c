/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a VM, a bounded piece a call: tables, debts, pages, pmap, name. */
#include "mm/admit.h"
#include "mm/debt.h"
#include "mm/frame.h"
#include "mm/rebalance.h"
#include "mm/reserve.h"
#include "mm/retire.h"
#include "mm/share.h"
#include "mm/work.h"
#include "mm/zone.h"

enum { RELEASE_PAGES = 8 }; /* entries that one step clears: with the end of a reservation under 20,000 instructions */

enum release_phase { RELEASE_TABLES, RELEASE_DEBTS, RELEASE_PAGES_OF_BLOCKS, RELEASE_DIRECTORIES, RELEASE_NAME, RELEASE_DONE };

static bool drop_tables(struct mm_vm *vm)
{
	bool more;

	sample_release(vm);
	pageout_release(vm);
	swap_release(vm);
	work_forget(vm);
	compress_release(vm);
	vm->unshare = (struct unshare){ .off = true };
	vm->saved.wanted = false;
	iopage_release(vm);
	debt_publish(vm, platform_drop(vm, &more));
	if (!more)
		vm->copying_count = 0; /* they go with their pages */
	return !more;
}

/* Frames that waited, and the tables' last epoch: from here on nobody reaches any frame of the VM. */
static bool settle_debts(struct mm_vm *vm)
{
	debt_settle(vm);
	return !vm->debt_first && platform_settled(vm, (struct mm_debt){ vm->last_epoch });
}

/* What the page holds of frames; its debts are settled. */
static void free_page(struct mm_vm *vm, struct block *block, u32 index, u32 ppn)
{
	u64 old = pmap_clear(vm, block, index);
	u32 mpn = entry_frame(old);
	bool copying = entry_state(old) == PAGE_BUSY && entry_part(old) == BUSY_COPY;
	bool io = entry_is_io(old);

	if (entry_has_reference(old))
		share_release(copying ? frame_of(mpn)->next : mpn);
	if (io || entry_state(old) == PAGE_SWAPPED)
		swap_forget(vm, old, (ppn_t){ ppn });
	if (copying || io || entry_state(old) == PAGE_PRIVATE)
		debt_free_now(vm, mpn, ppn);
	if (entry_state(old) == PAGE_COMPRESSED)
		store_free(vm, compress_place(old));
}

static void free_entries(struct mm_vm *vm, struct block *block)
{
	mm_overhead_free((mpn_t){ block->entries }, 0);
	vm->pmap_pages--;
	vm->generation++;
	block->entries = 0;
}

/* release_cursor counts pages of memory. */
static bool release_pages(struct mm_vm *vm)
{
	u32 number = vm->release_cursor / LARGE_PAGES;
	u32 first = vm->release_cursor % LARGE_PAGES;

	if (number == pmap_block_count(vm))
		return true;
	struct block *block = pmap_block(vm, number);

	if (!block || !block->entries) {
		vm->release_cursor = (number + 1) * LARGE_PAGES;
		return false;
	}
	pmap_set_large(vm, block, false);
	for (u32 i = first; i < first + RELEASE_PAGES; i++) {
		/* After the last piece the reservation may take several steps: the entries stay cleared. */
		free_page(vm, block, i, pmap_block_ppn(vm, number).n + i);
	}
	if (first + RELEASE_PAGES < LARGE_PAGES) {
		vm->release_cursor += RELEASE_PAGES;
	} else if (reserve_release(vm, number)) {
		free_entries(vm, block);
		vm->release_cursor += RELEASE_PAGES;
	}
	return false;
}

static bool release_directories(struct mm_vm *vm)
{
	for (u32 i = 0; i < VM_DIRECTORIES; i++) {
		if (!vm->directories[i])
			continue;
		mm_overhead_free((mpn_t){ vm->directories[i] }, 0);
		vm->directories[i] = 0;
		vm->pmap_pages--;
		vm->generation++;
		return false;
	}
	return true;
}

static bool release_name(struct mm_vm *vm)
{
	CHECK(!vm->store.frames && !vm->store.objects && !vm->compressor.work);
	CHECK(!vm->pmap_pages && !vm->set_aside && !vm->debt_first && !vm->large_blocks);
	for (u32 i = 0; i < TALLIES; i++)
		CHECK(!vm->tally[i]);
	__atomic_store_n(&vm_slots[vm->id].vm, NULL, __ATOMIC_RELAXED);
	return true;
}

static bool (*const phases[])(struct mm_vm *vm) = {
	[RELEASE_TABLES] = drop_tables,
	[RELEASE_DEBTS] = settle_debts,
	[RELEASE_PAGES_OF_BLOCKS] = release_pages,
	[RELEASE_DIRECTORIES] = release_directories,
	[RELEASE_NAME] = release_name,
};
_Static_assert(ARRAY_SIZE(phases) == RELEASE_DONE, "every phase has its step");

bool mm_vm_release_step(struct mm_vm *vm)
{
	struct lock *lock = vm->lock;
	struct promise promise = vm->promise;
	bool done;

	lock_acquire(lock);
	CHECK(vm->release_phase < RELEASE_DONE && vm_slots[vm->id].vm == vm);
	if (phases[vm->release_phase](vm))
		vm->release_phase++;
	done = vm->release_phase == RELEASE_DONE;
	lock_release(lock);
	if (done) {
		admit_return(&promise);
		rebalance_want(REBALANCE_VMS);
	}
	return done;
}
