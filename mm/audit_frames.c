/* SPDX-License-Identifier: BSD-2-Clause */
/* Audit of the frame table and of the free lists. */
#include "mm/audit.h"
#include "mm/pmap.h"
#include "mm/pool.h"
#include "mm/share.h"
#include "mm/zone.h"
#include <string.h>

enum { PIECE_FRAMES = 48 }; /* owned ones cost 300 instructions each */

/* ---- free memory, under its zone's lock ---- */

/* A head of a free block: returns the block's frames (1 if it is none any more). */
static u32 check_free(struct audit *audit, u32 mpn)
{
	struct zone *zone = &zones[zone_of(mpn)];
	const struct frame *frame = frame_of(mpn);
	u32 pages = 1;

	lock_acquire(&zone->lock);
	if (frame_state(mpn) == FRAME_FREE) {
		u32 order = frame->order;
		bool listed = frame->previous ? frame_of(frame->previous)->next == mpn
					      : order < ZONE_ORDERS && zone->heads[order] == mpn;

		if (order >= ZONE_ORDERS || mpn % (1U << order))
			audit_report(audit, "frame 0x%x: free block of impossible order %u", mpn, order);
		else
			pages = 1U << order;
		if (!listed || (frame->next && frame_of(frame->next)->previous != mpn))
			audit_report(audit, "frame 0x%x: free but not in its list", mpn);
		for (u32 i = 1; i < pages; i++) {
			if (frame_state(mpn + i) != FRAME_TAIL)
				audit_report(audit, "frame 0x%x: %s inside a free block", mpn + i,
					     frame_state_name(frame_state(mpn + i)));
		}
	}
	lock_release(&zone->lock);
	return pages;
}

/* A tail has its head below it. */
static void check_tail(struct audit *audit, u32 mpn)
{
	struct zone *zone = &zones[zone_of(mpn)];
	bool found = false;

	lock_acquire(&zone->lock);
	for (u32 order = 1; order < ZONE_ORDERS && !found; order++) {
		u32 head = mpn & ~((1U << order) - 1);

		found = head != mpn && frame_state(head) == FRAME_FREE && frame_of(head)->order >= order;
	}
	if (!found && frame_state(mpn) == FRAME_TAIL)
		audit_report(audit, "frame 0x%x: free but in no block", mpn);
	lock_release(&zone->lock);
}

/* ---- frames with an owner, under its lock ---- */

static bool owner_agrees(struct mm_vm *vm, u32 mpn, const struct frame *frame)
{
	struct page page;

	if (frame->state == FRAME_DEBT)
		return vm->debt_frames > 0;
	if (!pmap_is_memory(vm, (ppn_t){ frame->ppn }) || !pmap_look(vm, (ppn_t){ frame->ppn }, &page))
		return false;
	if (frame->state == FRAME_RESERVED)
		return page.block->reserve && page.block->reserve + page.index == mpn;
	bool transit = frame->state == FRAME_COPYING || frame->state == FRAME_WRITING || frame->state == FRAME_READING;
	u64 entry = page_entry(&page);

	return entry_frame(entry) == mpn && (transit ? entry_has_transit(entry) : entry_state(entry) == PAGE_PRIVATE);
}

static void check_owned(struct audit *audit, u32 mpn, enum frame_state seen)
{
	const struct frame *frame = frame_of(mpn);
	u32 owner = __atomic_load_n(&frame->owner, __ATOMIC_RELAXED);
	struct mm_vm *vm = owner && owner < VM_IDS ? vm_lock_id(owner) : NULL;

	if (!vm) {
		if (frame_state(mpn) == seen && __atomic_load_n(&frame->owner, __ATOMIC_RELAXED) == owner)
			audit_report(audit, "frame 0x%x: %s of VM %u, which does not exist", mpn, frame_state_name(seen), owner);
		return;
	}
	bool is_still = frame_state(mpn) == seen && frame->owner == owner;
	const char *fault = is_still && seen == FRAME_STORE ? store_frame_fault(vm, mpn) : NULL;

	if (fault)
		audit_report(audit, "frame 0x%x: %s", mpn, fault);
	if (is_still && seen != FRAME_STORE && !owner_agrees(vm, mpn, frame))
		audit_report(audit, "frame 0x%x: %s of VM %u page 0x%x, which does not name it", mpn, frame_state_name(seen),
			     owner, frame->ppn);
	vm_unlock(vm);
}

static void check_node(struct audit *audit, u32 mpn)
{
	const char *fault = share_fault(mpn);

	if (fault)
		audit_report(audit, "frame 0x%x: %s", mpn, fault);
}

static void check_pool(struct audit *audit, u32 mpn)
{
	const char *fault = pool_frame_fault(mpn);

	if (fault)
		audit_report(audit, "frame 0x%x: %s", mpn, fault);
}

/* cursor: slot of the pool.  One that is empty is looked at again: somebody may be about to fill it. */
bool audit_pool(struct audit *audit)
{
	for (u32 i = 0; i < PIECE_FRAMES && audit->public_->cursor < pool_size(); i++) {
		u32 slot = (u32)audit->public_->cursor;
		const char *fault = pool_slot_fault(slot);

		if (fault && ++audit->state.restarts < AUDIT_RESTARTS)
			return false;
		if (fault)
			audit_report(audit, "slot %u of the pool %s", slot, fault);
		audit->state.restarts = 0;
		audit->public_->cursor++;
	}
	return audit->public_->cursor == pool_size();
}

/* ---- every frame ---- */

/* Returns how many of the `most` frames from here on were looked at: a free block may go on in the next range. */
static u32 check_frame(struct audit *audit, u32 mpn, u32 most)
{
	enum frame_state state = frame_state(mpn);
	u32 pages = 1;

	if (state >= FRAME_STATES || state == FRAME_ABSENT) {
		audit_report(audit, "frame 0x%x: impossible state %u", mpn, state);
		return 1;
	}
	if (frame_of(mpn)->zone != zone_of(mpn))
		audit_report(audit, "frame 0x%x: in the wrong zone", mpn);
	if (state == FRAME_FREE)
		pages = check_free(audit, mpn);
	else if (state == FRAME_TAIL)
		check_tail(audit, mpn);
	else if (frame_class(state) == CLASS_PRIVATE || state == FRAME_RESERVED || state == FRAME_DEBT || state == FRAME_STORE)
		check_owned(audit, mpn, state);
	else if (state == FRAME_POOL)
		check_pool(audit, mpn);
	else if (state == FRAME_RETIRED && frame_of(mpn)->owner)
		audit_report(audit, "frame 0x%x: retired, but VM %u's", mpn, frame_of(mpn)->owner);
	if (state == FRAME_HINT || (state == FRAME_SHARED && mpn != frame_zero))
		check_node(audit, mpn);
	pages = (u32)min_u64(pages, most);
	audit->state.classes[frame_class(state)] += pages;
	return pages;
}

static bool sums_agree(const struct audit *audit)
{
	for (u32 kind = 0; kind < FRAME_CLASSES; kind++) {
		if (audit->state.classes[kind] != frame_count((enum frame_class)kind))
			return false;
	}
	return true;
}

static void report_sums(struct audit *audit)
{
	static const char *const names[FRAME_CLASSES] = { "free", "overhead", "private", "shared", "debt" };

	for (u32 kind = 0; kind < FRAME_CLASSES; kind++) {
		u64 found = audit->state.classes[kind];
		u64 counted = frame_count((enum frame_class)kind);

		if (found != counted)
			audit_report(audit, "%s: %llu frames, but the counter says %llu", names[kind], (unsigned long long)found,
				     (unsigned long long)counted);
	}
}

static u64 moves(void)
{
	return __atomic_load_n(&frame_counts.moves, __ATOMIC_RELAXED);
}

static void check_piece(struct audit *audit, const struct mm_range *range)
{
	struct mm_audit *public_ = audit->public_;

	audit->quiet = audit->state.restarts > 0;
	for (u32 i = 0; i < PIECE_FRAMES && public_->cursor < range->pages;) {
		u32 next = (u32)public_->cursor;
		u32 pages = check_frame(audit, range->first.n + next, range->pages - next);

		public_->cursor += pages;
		i += pages;
	}
	audit->quiet = false;
	if (public_->cursor >= range->pages) {
		public_->vm_cursor++;
		public_->cursor = 0;
	}
}

/*
 * vm_cursor: range; cursor: frame in it.  A frame's state and the counter of its class change one after the other, so sums are reported
 * only if they disagree, unmoved, each of AUDIT_RESTARTS times.
 */
bool audit_frames(struct audit *audit)
{
	struct mm_audit *public_ = audit->public_;
	struct audit_state *state = &audit->state;

	if (public_->vm_cursor == 0 && public_->cursor == 0)
		state->generation = moves();
	if (public_->vm_cursor < frame_range_count) {
		check_piece(audit, &frame_ranges[public_->vm_cursor]);
		return false;
	}
	bool moved = state->generation != moves();

	if (!moved && sums_agree(audit))
		return true;
	if (state->restarts < AUDIT_RESTARTS || moved) {
		if (!audit_again(audit, "memory"))
			return true;
		memset(state->classes, 0, sizeof(state->classes));
		public_->vm_cursor = 0;
		return false;
	}
	report_sums(audit);
	return true;
}

bool audit_zones(struct audit *audit)
{
	for (u32 i = 0; i < ZONES; i++) {
		struct zone *zone = &zones[i];
		u64 free = 0;

		lock_acquire(&zone->lock);
		for (u32 order = 0; order < ZONE_ORDERS; order++) {
			free += zone->blocks[order] << order;
			if (!zone->heads[order] != !zone->blocks[order])
				audit_report(audit, "%s: list of order %u and its length disagree", zone->lock.name, order);
		}
		if (free != zone->free)
			audit_report(audit, "%s: %llu frames in lists, but the counter says %llu", zone->lock.name,
				     (unsigned long long)free, (unsigned long long)zone->free);
		lock_release(&zone->lock);
	}
	return true;
}
