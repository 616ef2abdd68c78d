/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of VMs; a VM's beginning; its usage.  (Its end is release.c.) */
#include "mm/vm.h"
#include "kernel/lib/format.h"
#include "mm/admit.h"
#include "mm/alloc.h"
#include "mm/frame.h"
#include "mm/rebalance.h"
#include "mm/share.h"
#include "mm/work.h"

enum { STORE_PART = 4 }; /* of max: what compressed pages may fill at most, until somebody says otherwise */

struct vm_slot vm_slots[VM_IDS];
static u32 highest_id; /* that was ever in use: who looks for work looks no further */

void vm_table_init(void)
{
	for (u32 id = 0; id < VM_IDS; id++) {
		vm_slots[id].vm = NULL;
		lock_init(&vm_slots[id].lock, RANK_VM, "memory of a VM");
	}
}

struct mm_vm *vm_lock_id(u32 id)
{
	CHECK(id < VM_IDS);
	struct vm_slot *slot = &vm_slots[id];

	if (!__atomic_load_n(&slot->vm, __ATOMIC_RELAXED))
		return NULL;
	lock_acquire(&slot->lock);
	if (slot->vm)
		return slot->vm;
	lock_release(&slot->lock);
	return NULL;
}

void vm_unlock(struct mm_vm *vm)
{
	lock_release(vm->lock);
}

u32 vm_highest_id(void)
{
	return __atomic_load_n(&highest_id, __ATOMIC_RELAXED);
}

struct mm_vm *vm_lock_next(u32 *cursor, bool (*has_work)(struct mm_vm *vm))
{
	u32 last = vm_highest_id();
	u32 id = __atomic_load_n(cursor, __ATOMIC_RELAXED);

	for (u32 looked = 0; looked < last; looked++) {
		id = id < last ? id + 1 : 1;
		struct mm_vm *vm = vm_lock_id(id);

		if (!vm)
			continue;
		if (has_work(vm)) {
			__atomic_store_n(cursor, id, __ATOMIC_RELAXED);
			return vm;
		}
		vm_unlock(vm);
	}
	return NULL;
}

size_t mm_vm_bytes(void)
{
	return sizeof(struct mm_vm);
}

u32 mm_vm_id(const struct mm_vm *vm)
{
	return vm->id;
}

/* ---- begin ---- */

static err_t check_config(const struct mm_vm_config *config, char *why, size_t why_bytes)
{
	const u64 most = (u64)VM_DIRECTORIES * DIRECTORY_BLOCKS * LARGE_PAGES;
	const u64 border = 1ULL << (32 - PAGE_SHIFT);

	CHECK(config->id > 0 && config->id < VM_IDS);
	CHECK(config->shares <= ALLOC_MAX_SHARES);
	if (!config->max_pages || config->max_pages > most || config->min_pages > config->max_pages) {
		format(why, why_bytes, "memory of %llu KiB is out of range: 4 KiB to %llu KiB, min at most max",
		       (unsigned long long)config->max_pages * (PAGE_SIZE / 1024), (unsigned long long)most * (PAGE_SIZE / 1024));
		return E_INVALID;
	}
	if (config->low_pages > config->max_pages || config->low_pages > border ||
	    (config->low_pages < config->max_pages && config->low_pages % LARGE_PAGES)) {
		format(why, why_bytes, "memory below 4 GiB must end at a multiple of 2 MiB");
		return E_INVALID;
	}
	return OK;
}

static bool enter_table(struct mm_vm *vm)
{
	struct vm_slot *slot = &vm_slots[vm->id];
	bool was_free;

	lock_acquire(&slot->lock);
	was_free = !slot->vm;
	if (was_free)
		__atomic_store_n(&slot->vm, vm, __ATOMIC_RELAXED);
	lock_release(&slot->lock);
	u32 seen = __atomic_load_n(&highest_id, __ATOMIC_RELAXED);

	while (was_free && seen < vm->id &&
	       !__atomic_compare_exchange_n(&highest_id, &seen, vm->id, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return was_free;
}

err_t mm_vm_init(struct mm_vm *vm, const struct mm_vm_config *config, char *why, size_t why_bytes)
{
	static u64 serials;
	struct promise promise;
	err_t error = check_config(config, why, why_bytes);

	if (error)
		return error;
	error = admit_promise(config, &promise, why, why_bytes);
	if (error)
		return error;
	*vm = (struct mm_vm){
		.lock = &vm_slots[config->id].lock,
		.id = config->id,
		.low_pages = (u32)config->low_pages,
		.max_pages = config->max_pages,
		.min_pages = config->min_pages,
		.shares = config->shares,
		.group = config->group ? config->group : SHARE_ALONE + config->id,
		.limit_pages = config->max_pages,
		.tax_permille = MM_TAX_OF_HOST,
		.balloon_permille = BALLOON_PERMILLE,
		.balloon.limit = config->max_pages * BALLOON_PERMILLE / 1000,
		.balance.target = config->max_pages,
		.promise = promise,
		.serial = __atomic_add_fetch(&serials, 1, __ATOMIC_RELAXED),
		.store.limit = config->max_pages / STORE_PART,
	};
	if (enter_table(vm)) {
		if (!config->group)
			share_group_begin(vm->group, SHARE_FAST);
		share_set_group(vm->id, vm->group);
		rebalance_want(REBALANCE_VMS);
		return OK;
	}
	admit_return(&promise);
	format(why, why_bytes, "VM number %u is in use", config->id);
	return E_EXISTS;
}

/* ---- waiting ---- */

err_t vm_suspend(struct mm_vm *vm, enum wait wait_for)
{
	vm->wait_for = wait_for;
	return E_SUSPEND;
}

err_t vm_wait(struct mm_vm *vm, u32 vcpu, err_t error)
{
	enum wait wait_for = vm->wait_for;

	CHECK(vcpu < VM_MAX_VCPUS);
	CHECK(lock_is_mine(vm->lock));
	vm->wait_for = WAIT_SETTLED;
	if (error == E_SUSPEND && wait_for == WAIT_ARRIVAL) {
		vm->swap.wait_arrival |= BIT(vcpu);
	} else if (error == E_SUSPEND && wait_for == WAIT_REQUEST) {
		vm->swap.wait_request |= BIT(vcpu);
		platform_work(); /* one may be idle by now */
	} else if (error == E_SUSPEND) {
		/* The epoch of the first who waits: later debts must not put its wake-up off for ever. */
		if (!vm->wait_settled)
			vm->wait_epoch = vm->last_epoch;
		vm->wait_settled |= BIT(vcpu);
		platform_work();
	} else if (error == E_NO_MEMORY) {
		work_wait_frame(vm, vcpu);
	}
	return error;
}

/* ---- usage ---- */

void mm_vm_usage(struct mm_vm *vm, struct mm_usage *usage)
{
	lock_acquire(vm->lock);
	u64 private = vm->tally[TALLY_PRIVATE] + vm->tally[TALLY_TRANSIT];
	u64 zero = vm->tally[TALLY_ZERO];
	u64 shared = vm->tally[TALLY_SHARED];
	u64 elsewhere = vm->tally[TALLY_BALLOONED] + vm->tally[TALLY_SWAPPED] + vm->tally[TALLY_COMPRESSED];

	if (!saved_walk(vm))
		platform_work();
	*usage = (struct mm_usage){
		.max = vm->max_pages,
		.min = vm->min_pages,
		.shares = vm->shares,
		.target = vm->balance.target,
		.resident = private + zero + shared,
		.private_ = private,
		.shared = zero + shared,
		.ballooned = vm->tally[TALLY_BALLOONED],
		.swapped = vm->tally[TALLY_SWAPPED],
		.compressed = vm->tally[TALLY_COMPRESSED],
		.empty = vm->max_pages - private - zero - shared - elsewhere,
		.pinned = vm->tally[TALLY_PINNED],
		.saved_bytes = saved_bytes(vm),
		.active_permille = rebalance_active(vm),
		.overhead = admit_overhead_held(vm),
		.large = vm->large_blocks,
	};
	lock_release(vm->lock);
}
