/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/admit.h"
#include "kernel/lib/format.h"
#include "mm/frame.h"

enum {
	/* A VM's control blocks, devices and console ring, and the 32 frames that are held for a vCPU until it has made progress. */
	FIXED_PAGES = 64 + VM_COPYING,
	GIB_BLOCKS = 512,
	TOP_TABLES = 2, /* PML4 and PDPT: one each up to 512 GiB */
	KIB_PER_PAGE = PAGE_SIZE / 1024,
};

/* Nothing is taken under it; a VM's lock may be held. */
static struct lock lock;
/* Under it, beside the pools' needs: */
static u64 promised_overhead, promised_swap;
static u64 swap_pages; /* of the swap area */
static bool unsafe;

void admit_init(void)
{
	lock_init(&lock, RANK_ZONE, "admission");
	promised_overhead = promised_swap = swap_pages = 0;
	unsafe = false;
	pools_init();
}

/* ---- overhead ---- */

static u64 round_up(u64 count, u64 unit)
{
	return (count + unit - 1) / unit;
}

u64 admit_overhead_pages(const struct mm_vm_config *config)
{
	u64 low_blocks = round_up(config->low_pages, LARGE_PAGES);
	u64 high_blocks = round_up(config->max_pages - config->low_pages, LARGE_PAGES);
	u64 blocks = low_blocks + high_blocks;
	u64 directories = round_up(blocks, DIRECTORY_BLOCKS);
	/* Worst case of four-level tables: each 2 MiB in 4 KiB leaves. */
	u64 tables = blocks + round_up(low_blocks, GIB_BLOCKS) + round_up(high_blocks, GIB_BLOCKS) + TOP_TABLES;

	return FIXED_PAGES + directories + blocks + tables;
}

u64 admit_overhead_held(struct mm_vm *vm)
{
	return vm->pmap_pages + platform_table_pages(vm) + (vm->sample.list != 0) + compress_frames(vm);
}

/*
 * What VMs hold of the machine's overhead is part of their promise and must not count twice; neither do frames that they share: each is
 * named by a page that was promised.
 */
u64 admit_host_pages(void)
{
	u64 pages = frame_count(CLASS_OVERHEAD) + 1; /* the zero frame */

	for (u32 id = 1; id <= vm_highest_id(); id++) {
		struct mm_vm *vm = vm_lock_id(id);

		if (!vm)
			continue;
		u64 held = admit_overhead_held(vm);

		vm_unlock(vm);
		pages -= min_u64(pages, held);
	}
	return pages;
}

/* ---- promises ---- */

static u64 left_of(u64 all, u64 taken)
{
	return all > taken ? all - taken : 0;
}

u64 admit_lock(void)
{
	u64 host = admit_host_pages();

	lock_acquire(&lock);
	return left_of(frame_counts.total, host + promised_overhead);
}

void admit_unlock(void)
{
	lock_release(&lock);
}

/* What a VM of this size and min is promised. */
static struct promise promise_for(u64 size, u64 min, u64 overhead, u32 pool)
{
	bool overcommits = swap_pages || unsafe;

	return (struct promise){
		.memory = overcommits ? min : size,
		.swap = overcommits ? size - min : 0,
		.overhead = overhead,
		.pool = pool,
	};
}

static void add(const struct promise *promise)
{
	pools_count(promise->pool, 1);
	pools_change(promise->pool, 0, promise->memory);
	promised_overhead += promise->overhead;
	promised_swap += promise->swap;
}

static void subtract(const struct promise *promise)
{
	CHECK(promised_overhead >= promise->overhead && promised_swap >= promise->swap);
	pools_change(promise->pool, promise->memory, 0);
	pools_count(promise->pool, -1);
	promised_overhead -= promise->overhead;
	promised_swap -= promise->swap;
}

static unsigned long long kib(u64 pages)
{
	return pages * KIB_PER_PAGE;
}

static err_t refuse_memory(const struct pools_lack *lack, u64 overhead, u64 machine, char *why, size_t why_bytes)
{
	if (lack->pool) {
		format(why, why_bytes, "needs %llu KiB of pool %s, where %llu KiB are unreserved: %llu KiB short",
		       kib(lack->more), pools_get(lack->pool)->name, kib(lack->left), kib(lack->more - lack->left));
		return E_NO_MEMORY;
	}
	u64 left = left_of(machine, pools_needed()); /* for the overhead, too */

	format(why, why_bytes, "needs %llu KiB and %llu KiB overhead; %llu KiB are unreserved: %llu KiB short", kib(lack->more),
	       kib(overhead), kib(left), kib(lack->more + overhead - left));
	return E_NO_MEMORY;
}

static err_t refuse_swap(u64 more, u64 left, char *why, size_t why_bytes)
{
	format(why, why_bytes, "needs %llu KiB of swap (max less min); %llu KiB are unreserved: %llu KiB short", kib(more),
	       kib(left), kib(more - left));
	return E_NO_MEMORY;
}

/* Is the memory to be had, when none is promised for the VM now?  `machine`: pages for needs and new overhead. */
static err_t check_memory(const struct promise *promise, u64 machine, char *why, size_t why_bytes)
{
	struct pools_lack lack;

	if (!pools_get(promise->pool)) {
		format(why, why_bytes, "there is no pool %u", promise->pool);
		return E_NOT_FOUND;
	}
	if (pools_fit(promise->pool, 0, promise->memory, left_of(machine, promise->overhead), &lack))
		return OK;
	return refuse_memory(&lack, promise->overhead, machine, why, why_bytes);
}

static err_t check_swap(const struct promise *promise, char *why, size_t why_bytes)
{
	u64 left = left_of(swap_pages, promised_swap);

	return promise->swap <= left || unsafe ? OK : refuse_swap(promise->swap, left, why, why_bytes);
}

err_t admit_promise(const struct mm_vm_config *config, struct promise *promise, char *why, size_t why_bytes)
{
	u64 machine = admit_lock();

	*promise = promise_for(config->max_pages, config->min_pages, admit_overhead_pages(config), config->pool);
	err_t error = check_memory(promise, machine, why, why_bytes);

	if (!error)
		error = check_swap(promise, why, why_bytes);
	if (!error)
		add(promise);
	lock_release(&lock);
	return error;
}

/* Who wants no more than it has is never refused, however little is left. */
static err_t check_growth(const struct promise *now, const struct promise *next, u64 machine, char *why, size_t why_bytes)
{
	err_t error = OK;

	if (next->memory > now->memory || next->pool != now->pool)
		error = check_memory(next, machine, why, why_bytes);
	if (!error && next->swap > now->swap)
		error = check_swap(next, why, why_bytes);
	return error;
}

err_t admit_change(struct mm_vm *vm, u64 host, u64 min_pages, u32 pool, char *why, size_t why_bytes)
{
	CHECK(lock_is_mine(vm->lock));
	lock_acquire(&lock);
	struct promise next = promise_for(vm->max_pages, min_pages, vm->promise.overhead, pool);

	subtract(&vm->promise);
	err_t error = check_growth(&vm->promise, &next, left_of(frame_counts.total, host + promised_overhead), why, why_bytes);

	if (!error)
		vm->promise = next;
	add(&vm->promise);
	lock_release(&lock);
	return error;
}

void admit_return(const struct promise *promise)
{
	lock_acquire(&lock);
	subtract(promise);
	lock_release(&lock);
}

/* ---- the machine ---- */

void admit_set_swap(u64 pages)
{
	lock_acquire(&lock);
	swap_pages = pages;
	lock_release(&lock);
}

void admit_lose_swap(void)
{
	lock_acquire(&lock);
	swap_pages -= swap_pages > 0;
	lock_release(&lock);
}

void mm_set_overcommit(bool allow_unsafe)
{
	lock_acquire(&lock);
	unsafe = allow_unsafe;
	lock_release(&lock);
}

void admit_totals(struct mm_totals *totals)
{
	lock_acquire(&lock);
	totals->promised = pools_needed() + promised_overhead;
	totals->swap = swap_pages;
	totals->swap_promised = promised_swap;
	totals->uncovered = left_of(promised_swap, totals->swap);
	lock_release(&lock);
}

const char *admit_fault(void)
{
	u64 needed[MM_POOLS] = { 0 };
	struct promise sum = { 0 };

	for (u32 id = 1; id <= vm_highest_id(); id++) {
		struct mm_vm *vm = vm_lock_id(id);

		if (!vm)
			continue;
		needed[vm->promise.pool] += vm->promise.memory;
		sum.overhead += vm->promise.overhead;
		sum.swap += vm->promise.swap;
		vm_unlock(vm);
	}
	lock_acquire(&lock);
	const char *fault = pools_fault(needed);

	if (sum.overhead != promised_overhead)
		fault = "overhead";
	else if (sum.swap != promised_swap)
		fault = "swap";
	lock_release(&lock);
	return fault;
}
