/* SPDX-License-Identifier: BSD-2-Clause */
/* Audit of candidates, and of pages that devices cannot reach. */
#include "mm/audit.h"
#include "mm/pmap.h"
#include "mm/zone.h"

enum { SEEN_WORDS = 64 }; /* bits by which a page that is a candidate twice is suspected */

const char *audit_low_fault(u64 entry)
{
	bool low = zone_of(entry_frame(entry)) == ZONE_LOW;

	if ((entry & ENTRY_LOW) && !low)
		return "LOW, but its frame is not";
	if (low && (entry & ENTRY_HOT_IO))
		return "HOT_IO, but its frame is low";
	return NULL;
}

static u32 candidacies(const struct mm_vm *vm, u32 ppn)
{
	u32 count = 0;

	for (u32 user = 0; user < BATCH_USERS; user++) {
		const struct batch *batch = &vm->batches[user];

		for (u32 i = 0; i < batch->count; i++)
			count += batch->candidates[i].ppn == ppn;
	}
	return count;
}

static bool keeps_promise(const struct mm_vm *vm, const struct candidate *candidate)
{
	struct page page;

	if (!pmap_look(vm, (ppn_t){ candidate->ppn }, &page))
		return true; /* the VM ends */
	u64 entry = page_entry(&page);

	return !(entry & ENTRY_GUARDED) || (entry_state(entry) == PAGE_PRIVATE && !(entry & ENTRY_PINNED) &&
					    entry_ceiling(entry) <= CEILING_READ && candidate->ceiling <= CEILING_READ);
}

static void check_candidate(struct audit *audit, const struct mm_vm *vm, const struct candidate *candidate)
{
	if (!pmap_is_memory(vm, (ppn_t){ candidate->ppn }))
		audit_report(audit, "VM %u: page 0x%x is a candidate, but no memory", vm->id, candidate->ppn);
	else if (!keeps_promise(vm, candidate))
		audit_report(audit, "VM %u: page 0x%x is a candidate, but accessible", vm->id, candidate->ppn);
}

static void check_once(struct audit *audit, const struct mm_vm *vm, u32 ppn, u64 seen[SEEN_WORDS])
{
	u64 *word = &seen[ppn / 64 % SEEN_WORDS];

	if ((*word & BIT(ppn % 64)) && candidacies(vm, ppn) > 1)
		audit_report(audit, "VM %u: page 0x%x is a candidate twice", vm->id, ppn);
	*word |= BIT(ppn % 64);
}

static void check_batch(struct audit *audit, const struct mm_vm *vm, u32 user, u64 seen[SEEN_WORDS])
{
	const struct batch *batch = &vm->batches[user];
	bool waits = batch->count && batch->epoch <= vm->last_epoch && batch->kept <= batch->next && batch->next <= batch->count;

	if (batch->count > BATCH_PAGES || (batch->closed && !waits)) {
		audit_report(audit, "VM %u: batch %u is out of order", vm->id, user);
		return;
	}
	/* Those before `next` are done, but for what committing them has added. */
	for (u32 i = 0; i < batch->count; i++) {
		if (batch->candidates[i].ppn == BATCH_STRUCK)
			continue;
		check_once(audit, vm, batch->candidates[i].ppn, seen);
		if (!batch->closed || i < batch->kept || i >= batch->next)
			check_candidate(audit, vm, &batch->candidates[i]);
	}
}

static void check_waiting(struct audit *audit, const struct mm_vm *vm)
{
	const struct iopage *iopage = &vm->iopage;

	if (iopage->waiting > IOPAGE_QUEUE || iopage->first >= IOPAGE_QUEUE || (iopage->ended && iopage->waiting)) {
		audit_report(audit, "VM %u: %u pages wait to move down", vm->id, iopage->waiting);
		return;
	}
	for (u32 i = 0; i < iopage->waiting; i++) {
		u32 ppn = iopage->queue[(iopage->first + i) % IOPAGE_QUEUE];

		if (!pmap_is_memory(vm, (ppn_t){ ppn }))
			audit_report(audit, "VM %u: page 0x%x waits to move down, but is no memory", vm->id, ppn);
	}
}

void audit_moves(struct audit *audit, const struct mm_vm *vm)
{
	u64 seen[SEEN_WORDS] = { 0 };

	for (u32 user = 0; user < BATCH_USERS; user++)
		check_batch(audit, vm, user, seen);
	check_waiting(audit, vm);
}
