/* SPDX-License-Identifier: BSD-2-Clause */
/* Background work: settle debts, hand back reservations when memory is short, wake who waited, page out. One VM a step. */
#include "mm/work.h"
#include "mm/cow.h"
#include "mm/debt.h"
#include "mm/frame.h"
#include "mm/rebalance.h"
#include "mm/reserve.h"
#include "mm/state.h"

u32 work_waiting;
static u32 turn; /* of the kinds of work */

void work_wait_frame(struct mm_vm *vm, u32 vcpu)
{
	if (!vm->wait_frame)
		__atomic_fetch_add(&work_waiting, 1, __ATOMIC_RELAXED);
	vm->wait_frame |= BIT(vcpu);
	platform_work();
}

static u64 stop_waiting_for_frames(struct mm_vm *vm)
{
	u64 vcpus = vm->wait_frame;

	if (vcpus)
		__atomic_fetch_sub(&work_waiting, 1, __ATOMIC_RELAXED);
	vm->wait_frame = 0;
	return vcpus;
}

void work_forget(struct mm_vm *vm)
{
	stop_waiting_for_frames(vm);
	vm->wait_settled = 0;
}

void work_wake(struct mm_vm *vm, u64 *vcpus)
{
	u64 who = *vcpus;

	CHECK(lock_is_mine(vm->lock));
	*vcpus = 0;
	for (u32 vcpu = 0; who; vcpu++, who >>= 1) {
		if (who & 1)
			platform_wake(vm, vcpu);
	}
}

static bool has_free_frames(void)
{
	return frame_count(CLASS_FREE) > __atomic_load_n(&frame_counts.set_aside, __ATOMIC_RELAXED);
}

/* Frames that are set aside are no help to who waits until their block is broken. */
static bool is_memory_short(void)
{
	return state_wants_reservations_back() || (__atomic_load_n(&work_waiting, __ATOMIC_RELAXED) && !has_free_frames());
}

static void work_on(struct mm_vm *vm)
{
	if (vm->debt_first)
		debt_settle(vm);
	else if (is_memory_short() && vm->set_aside)
		reserve_break_one(vm);
	if (vm->copying_count)
		cow_settle(vm);
	if (vm->saved.wanted)
		saved_walk(vm);
	if (vm->wait_settled && platform_settled(vm, (struct mm_debt){ vm->wait_epoch }))
		work_wake(vm, &vm->wait_settled);
	if (vm->wait_frame && has_free_frames()) {
		u64 vcpus = stop_waiting_for_frames(vm);

		work_wake(vm, &vcpus);
	}
	if (vm->swap.wait_request && swap_can_read())
		work_wake(vm, &vm->swap.wait_request);
	iopage_step(vm);
}

/* Is there something for another step?  What only time can bring (a frame that nobody has freed yet) calls platform_work. */
static bool has_more(struct mm_vm *vm)
{
	return vm->debt_first || vm->wait_settled || vm->copying_count || vm->saved.wanted ||
	       (is_memory_short() && vm->set_aside) || (vm->wait_frame && has_free_frames()) ||
	       (vm->swap.wait_request && swap_can_read()) || iopage_has_work(vm);
}

static bool serve_vms(void)
{
	static u32 cursor;
	struct mm_vm *vm = vm_lock_next(&cursor, has_more);

	if (!vm)
		return false;
	work_on(vm);
	vm_unlock(vm);
	return true;
}

static bool pageout_step(void)
{
	return mm_pageout_step(1);
}

/* What needs doing, in turn: none of it waits for the end of another. */
bool mm_work_step(void)
{
	static bool (*const kinds[])(void) = { serve_vms, swap_step, pageout_step, rebalance_step };
	u32 first = __atomic_add_fetch(&turn, 1, __ATOMIC_RELAXED);

	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[(first + i) % ARRAY_SIZE(kinds)]())
			return true;
	}
	return false;
}
