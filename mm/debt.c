/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/debt.h"
#include "mm/frame.h"
#include "mm/reserve.h"
#include "mm/retire.h"
#include "mm/share.h"
#include "mm/zone.h"

/* Entries and frames keep 32 bits of an epoch: whole again relative to the last one, which is never 2^32 removals ahead of them. */
static struct mm_debt whole_epoch(const struct mm_vm *vm, u32 low)
{
	return (struct mm_debt){ vm->last_epoch - (u32)((u32)vm->last_epoch - low) };
}

void debt_publish(struct mm_vm *vm, struct mm_debt debt)
{
	if (!debt.epoch)
		return;
	CHECK(debt.epoch >= vm->last_epoch);
	vm->last_epoch = debt.epoch;
}

void debt_take_rights_of(struct mm_vm *vm, ppn_t ppn, u32 pages)
{
	do
		debt_publish(vm, platform_narrow(vm, ppn, pages, CEILING_NONE));
	while ((u32)vm->last_epoch == 0);
}

void debt_take_rights(struct mm_vm *vm, ppn_t ppn)
{
	debt_take_rights_of(vm, ppn, 1);
}

bool debt_is_passed(struct mm_vm *vm, u32 handle)
{
	return !handle || platform_settled(vm, whole_epoch(vm, handle));
}

bool debt_is_passed_16(struct mm_vm *vm, u16 low)
{
	return platform_settled(vm, (struct mm_debt){ vm->last_epoch - (u16)((u16)vm->last_epoch - low) });
}

static void enqueue(struct mm_vm *vm, u32 mpn, enum frame_class was, u32 ppn)
{
	struct frame *frame = frame_of(mpn);

	frame_assign(mpn, FRAME_DEBT, vm->id, ppn);
	frame->epoch = (u32)vm->last_epoch;
	frame->next = 0;
	if (vm->debt_last)
		frame_of(vm->debt_last)->next = mpn;
	else
		vm->debt_first = mpn;
	vm->debt_last = mpn;
	vm->debt_frames++;
	frame_move(was, CLASS_DEBT, 1);
	platform_work();
}

/* Free for everybody, or again for its page where the reservation still stands.  It counts as free already. */
static void release(struct mm_vm *vm, u32 mpn, u32 ppn)
{
	if (retire_failed(vm, mpn))
		return;
	if (ppn == FRAME_NO_PPN || !reserve_put_back(vm, mpn, ppn))
		cache_give(mpn);
}

void debt_free(struct mm_vm *vm, u32 mpn, u32 ppn, struct mm_debt debt)
{
	CHECK(lock_is_mine(vm->lock) && frame_is_private(mpn) && frame_of(mpn)->owner == vm->id);
	share_forget(mpn);
	debt_publish(vm, debt);
	if (debt.epoch) {
		enqueue(vm, mpn, CLASS_PRIVATE, ppn);
		return;
	}
	frame_move(CLASS_PRIVATE, CLASS_FREE, 1);
	release(vm, mpn, ppn);
}

void debt_free_now(struct mm_vm *vm, u32 mpn, u32 ppn)
{
	CHECK(lock_is_mine(vm->lock) && frame_class(frame_state(mpn)) == CLASS_PRIVATE && frame_of(mpn)->owner == vm->id);
	share_forget(mpn);
	frame_move(CLASS_PRIVATE, CLASS_FREE, 1);
	if (!retire_failed(vm, mpn) && !reserve_put_back(vm, mpn, ppn))
		zone_give(mpn, 1);
}

void mm_overhead_free_after(u32 vm_id, mpn_t table, struct mm_debt debt)
{
	CHECK(vm_id > 0 && vm_id < VM_IDS);
	struct mm_vm *vm = vm_slots[vm_id].vm;

	CHECK(vm && lock_is_mine(vm->lock) && frame_state(table.n) == FRAME_OVERHEAD);
	debt_publish(vm, debt);
	if (debt.epoch)
		enqueue(vm, table.n, CLASS_OVERHEAD, FRAME_NO_PPN);
	else
		mm_overhead_free(table, 0);
}

/* The oldest frames whose epoch is passed leave the queue; returns how many. */
static u32 take_settled(struct mm_vm *vm, u32 mpns[DEBT_BATCH])
{
	u32 count = 0;

	while (vm->debt_first && count < DEBT_BATCH) {
		const struct frame *frame = frame_of(vm->debt_first);

		CHECK(frame->state == FRAME_DEBT && frame->owner == vm->id && vm->debt_frames > count);
		if (!platform_settled(vm, whole_epoch(vm, frame->epoch)))
			break;
		mpns[count++] = vm->debt_first;
		vm->debt_first = frame->next;
	}
	if (!vm->debt_first)
		vm->debt_last = 0;
	vm->debt_frames -= count;
	return count;
}

u32 debt_settle(struct mm_vm *vm)
{
	u32 mpns[DEBT_BATCH];

	CHECK(lock_is_mine(vm->lock));
	u32 count = take_settled(vm, mpns);

	if (count)
		frame_move(CLASS_DEBT, CLASS_FREE, count);
	for (u32 i = 0; i < count; i++)
		release(vm, mpns[i], frame_of(mpns[i])->ppn);
	return count;
}
