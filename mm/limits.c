/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/limits.h"
#include "mm/unshare.h"

#define SECOND_NS 1000000000ULL
enum { MOST_PAGES = 1000000000, MOST_PERMILLE = 1000 };

static struct mm_share_limits limits;
static struct pace all_pages, cpu_time;

err_t mm_share_set(const struct mm_share_limits *wanted)
{
	if (wanted->pages_vm > MOST_PAGES || wanted->pages_all > MOST_PAGES || wanted->cpu_permille > MOST_PERMILLE ||
	    wanted->interval_ns > MM_SHARE_LONGEST_NS)
		return E_RANGE;
	__atomic_store_n(&limits.pages_vm, wanted->pages_vm, __ATOMIC_RELAXED);
	__atomic_store_n(&limits.pages_all, wanted->pages_all, __ATOMIC_RELAXED);
	__atomic_store_n(&limits.cpu_permille, wanted->cpu_permille, __ATOMIC_RELAXED);
	__atomic_store_n(&limits.interval_ns, wanted->interval_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&all_pages.next_ns, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&cpu_time.next_ns, 0, __ATOMIC_RELAXED);
	platform_work();
	return OK;
}

bool limits_allow(void)
{
	return pace_allows(&all_pages) && pace_allows(&cpu_time);
}

bool limits_allow_vm(const struct mm_vm *vm)
{
	return !__atomic_load_n(&limits.pages_vm, __ATOMIC_RELAXED) || pace_allows(&vm->scan.pace);
}

/* 0: no limit, so nothing is to be waited for. */
static void spend(struct pace *pace, u64 amount, u64 per, u32 rate)
{
	if (rate && amount)
		pace_spend(pace, amount * per / rate);
}

void limits_spend(struct mm_vm *vm, u32 pages, u64 cpu_ns)
{
	CHECK(lock_is_mine(vm->lock));
	spend(&vm->scan.pace, pages, SECOND_NS, __atomic_load_n(&limits.pages_vm, __ATOMIC_RELAXED));
	spend(&all_pages, pages, SECOND_NS, __atomic_load_n(&limits.pages_all, __ATOMIC_RELAXED));
	spend(&cpu_time, cpu_ns, MOST_PERMILLE, __atomic_load_n(&limits.cpu_permille, __ATOMIC_RELAXED));
}

/* When the VM's next pass is due; UINT64_MAX: never by itself. */
static u64 pass_due_ns(const struct mm_vm *vm)
{
	u64 interval = __atomic_load_n(&limits.interval_ns, __ATOMIC_RELAXED);

	if (!interval || !unshare_allows(vm))
		return UINT64_MAX;
	return vm->scan.pass ? vm->scan.ended_ns + interval : 0;
}

bool limits_is_pass_due(const struct mm_vm *vm)
{
	u64 due = pass_due_ns(vm);

	return due != UINT64_MAX && platform_time_ns() >= due;
}

/* ---- when to come back ---- */

static u64 vm_ready_ns(const struct mm_vm *vm)
{
	bool busy = vm->scan.active || vm->batches[BATCH_SHARE].count || vm->scan.called_count;

	return max_u64(vm->scan.pace.next_ns, busy ? 0 : pass_due_ns(vm));
}

u64 mm_share_later(void)
{
	u64 later = UINT64_MAX;

	for (u32 id = 1; id <= vm_highest_id(); id++) {
		struct mm_vm *vm = vm_lock_id(id);

		if (!vm)
			continue;
		later = min_u64(later, vm_ready_ns(vm));
		vm_unlock(vm);
	}
	later = max_u64(later, __atomic_load_n(&all_pages.next_ns, __ATOMIC_RELAXED));
	return max_u64(later, __atomic_load_n(&cpu_time.next_ns, __ATOMIC_RELAXED));
}
