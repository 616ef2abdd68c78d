/* SPDX-License-Identifier: BSD-2-Clause */
/* Audit of the swap area: each slot has one owner, which names it back. */
#include "mm/audit.h"
#include "mm/pmap.h"
#include "mm/slot.h"

enum { PIECE_SLOTS = 48 };

/* Under the VM's lock: is it still so, and does its page not name it? */
static bool is_lost(struct mm_vm *vm, u32 number, u32 owner)
{
	struct page page;

	if (slot_state(number) != SLOT_USED || slot_at(number)->owner != owner)
		return false;
	ppn_t ppn = { slot_at(number)->ppn };

	return !pmap_is_memory(vm, ppn) || !pmap_look(vm, ppn, &page) || entry_state(page_entry(&page)) != PAGE_SWAPPED ||
	       entry_frame(page_entry(&page)) != number + 1;
}

static void check_used(struct audit *audit, u32 number)
{
	u32 owner = __atomic_load_n(&slot_at(number)->owner, __ATOMIC_RELAXED);
	struct mm_vm *vm = owner && owner < VM_IDS ? vm_lock_id(owner) : NULL;

	if (!vm) {
		if (slot_state(number) == SLOT_USED && __atomic_load_n(&slot_at(number)->owner, __ATOMIC_RELAXED) == owner)
			audit_report(audit, "slot 0x%x: of VM %u, which does not exist", number, owner);
		return;
	}
	if (is_lost(vm, number, owner))
		audit_report(audit, "slot 0x%x: of VM %u page 0x%x, which does not name it", number, owner, slot_at(number)->ppn);
	vm_unlock(vm);
}

/* cursor: slot. */
bool audit_slots(struct audit *audit)
{
	u64 *cursor = &audit->public_->cursor;

	for (u32 i = 0; i < PIECE_SLOTS && *cursor < slot_count(); i++, ++*cursor) {
		u32 number = (u32)*cursor;

		if (slot_state(number) >= SLOT_STATES)
			audit_report(audit, "slot 0x%x: impossible state %u", number, slot_state(number));
		else if (!slot_map_agrees(number))
			audit_report(audit, "slot 0x%x: free, or the map says so", number);
		else if (slot_state(number) == SLOT_USED)
			check_used(audit, number);
	}
	return *cursor >= slot_count();
}

static bool slot_agrees(const struct mm_vm *vm, u64 number, u32 ppn, enum slot_state state)
{
	return number < slot_count() && slot_state((u32)number) == state && slot_at((u32)number)->owner == vm->id &&
	       slot_at((u32)number)->ppn == ppn;
}

const char *audit_swapped_fault(const struct mm_vm *vm, u64 entry, u32 ppn)
{
	if (!slot_agrees(vm, (u64)entry_frame(entry) - 1, ppn, SLOT_USED))
		return "swapped, but its slot is not its own";
	if (entry_ceiling(entry) != CEILING_NONE || entry_pins(entry) || (entry & (ENTRY_PINNED | ENTRY_GUARDED)))
		return "swapped, but accessible, pinned or guarded";
	return NULL;
}

const char *audit_io_fault(const struct mm_vm *vm, u64 entry, u32 ppn)
{
	const struct frame *frame = frame_of(entry_frame(entry));

	if ((frame->state != FRAME_WRITING && frame->state != FRAME_READING) || frame->owner != vm->id || frame->ppn != ppn)
		return "in transit, but not with a frame of its own";
	return slot_agrees(vm, frame->next, ppn, SLOT_MOVING) ? NULL : "in transit, but its slot is in no request for it";
}
