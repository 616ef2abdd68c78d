/* SPDX-License-Identifier: BSD-2-Clause */
/* What mm/ asks of the machine (mm/platform.h), answered with EPT, the direct map and steps. Contracts are in that header. */
#include "mm/platform.h"
#include "boot/bootinfo.h"
#include "kernel/core/random.h"
#include "kernel/core/step.h"
#include "kernel/core/timer.h"
#include "kernel/lib/check.h"
#include "kernel/mm_work.h"
#include "kernel/sched.h"
#include "kernel/vm_internal.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/paging.h"
#include <string.h>

static struct vm_space *space_of(struct mm_vm *vm)
{
	return CONTAINER_OF(vm, struct vm_space, mm);
}

err_t platform_fill(struct mm_vm *vm, ppn_t ppn, mpn_t mpn, u32 pages, enum mm_ceiling ceiling)
{
	return ept_fill(&space_of(vm)->ept, ppn, mpn, pages, ceiling);
}

struct mm_debt platform_narrow(struct mm_vm *vm, ppn_t ppn, u32 pages, enum mm_ceiling ceiling)
{
	return ept_narrow(&space_of(vm)->ept, ppn, pages, ceiling);
}

struct mm_debt platform_harvest(struct mm_vm *vm, ppn_t ppn, u32 pages, struct mm_harvest *seen)
{
	return ept_harvest(&space_of(vm)->ept, ppn, pages, seen);
}

struct mm_debt platform_drop(struct mm_vm *vm, bool *more)
{
	return ept_drop(&space_of(vm)->ept, more);
}

bool platform_settled(struct mm_vm *vm, struct mm_debt debt)
{
	return step_settled(mm_vm_id(vm), debt.epoch);
}

u64 platform_table_pages(struct mm_vm *vm)
{
	return space_of(vm)->ept.table_pages;
}

void *platform_frame(mpn_t mpn)
{
	return (void *)(DIRECT_MAP_BASE + mpa_of(mpn).a);
}

void platform_zero_frame(mpn_t mpn)
{
	void *to = platform_frame(mpn);
	u64 words = PAGE_SIZE / 8;

	__asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(0ULL) : "memory");
}

void platform_copy_frame(mpn_t to_mpn, mpn_t from_mpn)
{
	void *to = platform_frame(to_mpn);
	const void *from = platform_frame(from_mpn);
	u64 words = PAGE_SIZE / 8;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

static u8 *frame_table;

void *platform_frame_table(mpn_t last, size_t entry_bytes)
{
	CHECK(!frame_table);
	frame_table = paging_reserve(((u64)last.n + 1) * entry_bytes);
	return frame_table;
}

/* Page-table pages for the array come out of the same range, in front of what they map. */
static err_t take_first(void *context, mpa_t *frame)
{
	struct mm_range *range = context;

	if (range->pages == 0)
		return E_NO_MEMORY;
	*frame = mpa_of(range->first);
	range->first.n++;
	range->pages--;
	return OK;
}

err_t platform_back_table(u64 offset, u64 bytes, struct mm_range *take)
{
	struct paging_source source = { take_first, take };

	for (u64 at = offset & ~(u64)(PAGE_SIZE - 1); at < offset + bytes; at += PAGE_SIZE) {
		if (paging_is_mapped((u64)frame_table + at))
			continue; /* by an attempt that ended halfway */
		mpa_t frame;
		err_t error = take_first(take, &frame);

		if (error)
			return error;
		platform_zero_frame(mpn_of(frame));
		error = paging_map((u64)frame_table + at, frame, PT_WRITE, PAGING_CACHED, source);
		if (error)
			return error;
	}
	return OK;
}

/* ---- swap: no disk, no slots ---- */

u64 platform_swap_slots(void)
{
	return 0;
}

void platform_swap_write(u32 slot, mpn_t buffer, u32 pages, u32 request)
{
	(void)slot, (void)buffer, (void)pages, (void)request;
	CHECK(!"there is no swap area");
}

void platform_swap_read(u32 slot, mpn_t buffer, u32 pages, u32 request)
{
	(void)slot, (void)buffer, (void)pages, (void)request;
	CHECK(!"there is no swap area");
}

u64 platform_time_ns(void)
{
	return time_ns();
}

u64 platform_random(void)
{
	return random_u64();
}

/* SSE4.1 came before AES-NI: every processor with that has what the cipher's code needs. */
bool platform_has_cipher(void)
{
	return cpu_has(FEATURE_AES) && cpu_has(FEATURE_PCLMULQDQ);
}

/* While its files are copied nobody runs the VM: then the worker is who waits. */
void platform_wake(struct mm_vm *vm, u32 vcpu)
{
	struct vm *owner = space_of(vm)->vm;

	if (owner->phase == PHASE_RUN)
		vm_vcpu_wake(owner, vcpu);
	else
		sched_wake(&owner->worker);
}

/* ---- mm's background work is a task like any other ---- */

static enum task_result work(struct task *task)
{
	(void)task;
	return mm_work_step() ? TASK_AGAIN : TASK_WAIT;
}

static struct task worker = { .name = "mm", .step = work, .weight = 500 };

static void rebalance(struct timer *timer)
{
	sched_wake(&worker);
	timer_arm(timer, time_tsc() + time_ns_to_tsc(MM_BALANCE_NS));
}

static struct timer balance_timer = { .expired = rebalance };

void mm_work_start(void)
{
	sched_add(&worker, SCHED_ANY_CPU);
	rebalance(&balance_timer);
}

void platform_work(void)
{
	sched_wake(&worker);
}
