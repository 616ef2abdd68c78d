/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/batch.h"
#include "mm/watch.h"

/* ---- in ---- */

static bool enter(struct mm_vm *vm, struct batch *batch, u32 at, struct page *page, struct candidate candidate)
{
	CHECK(candidate.ceiling <= CEILING_READ);
	if (vm->release_phase || at >= BATCH_PAGES || watch_guard(vm, page, candidate.ceiling))
		return false;
	candidate.ppn = page->ppn.n;
	batch->candidates[at] = candidate;
	return true;
}

bool batch_add(struct mm_vm *vm, enum batch_user user, struct page *page, struct candidate candidate)
{
	struct batch *batch = &vm->batches[user];

	ASSERT(lock_is_mine(vm->lock));
	if (batch->closed || !enter(vm, batch, batch->count, page, candidate))
		return false;
	batch->count++;
	return true;
}

bool batch_keep(struct mm_vm *vm, enum batch_user user, struct page *page, struct candidate candidate)
{
	struct batch *batch = &vm->batches[user];

	CHECK(batch->closed && batch->kept < batch->next);
	if (!enter(vm, batch, batch->kept, page, candidate))
		return false;
	batch->kept++;
	return true;
}

u32 batch_room(const struct mm_vm *vm, enum batch_user user)
{
	const struct batch *batch = &vm->batches[user];

	CHECK(batch->count <= BATCH_PAGES);
	return batch->closed ? 0 : BATCH_PAGES - batch->count;
}

void batch_close(struct mm_vm *vm, enum batch_user user)
{
	struct batch *batch = &vm->batches[user];

	CHECK(batch->count <= BATCH_PAGES);
	if (batch->closed || !batch->count)
		return;
	batch->closed = true;
	batch->epoch = vm->last_epoch;
	batch->next = batch->kept = 0;
}

void batch_strike(struct mm_vm *vm, u32 ppn)
{
	for (u32 user = 0; user < BATCH_USERS; user++) {
		struct batch *batch = &vm->batches[user];

		for (u32 i = 0; i < batch->count; i++) {
			if (batch->candidates[i].ppn == ppn)
				batch->candidates[i].ppn = BATCH_STRUCK;
		}
	}
}

/* ---- out ---- */

void batch_drop(struct mm_vm *vm, enum batch_user user)
{
	struct batch *batch = &vm->batches[user];
	struct page page;

	for (u32 i = 0; i < batch->count; i++) {
		u32 ppn = batch->candidates[i].ppn;

		/* One that was guarded again is struck. */
		if (ppn != BATCH_STRUCK && pmap_look(vm, (ppn_t){ ppn }, &page) && (page_entry(&page) & ENTRY_GUARDED))
			pmap_unguard(vm, &page);
	}
	batch->count = 0;
	batch->closed = false;
}

bool batch_is_settled(struct mm_vm *vm, enum batch_user user)
{
	const struct batch *batch = &vm->batches[user];

	return batch->closed && !vm->release_phase && platform_settled(vm, (struct mm_debt){ batch->epoch });
}

/* Not accessed since it was guarded.  If it was read where it must not be, the guard goes now, and the page is looked at again. */
static bool is_still_guarded(struct mm_vm *vm, const struct candidate *candidate, struct page *page)
{
	if (candidate->ppn == BATCH_STRUCK || !pmap_look(vm, (ppn_t){ candidate->ppn }, page))
		return false;
	u64 entry = page_entry(page);

	if (entry_state(entry) != PAGE_PRIVATE || !(entry & ENTRY_GUARDED))
		return false;
	if (entry_ceiling(entry) <= candidate->ceiling)
		return true;
	pmap_unguard(vm, page);
	pmap_note(page, ENTRY_CHANGED);
	return false;
}

bool batch_next(struct mm_vm *vm, enum batch_user user, struct candidate *candidate, struct page *page)
{
	struct batch *batch = &vm->batches[user];

	CHECK(batch->closed && batch->kept <= batch->next);
	while (batch->next < batch->count) {
		*candidate = batch->candidates[batch->next++];
		if (is_still_guarded(vm, candidate, page))
			return true;
		batch->cancelled++;
	}
	batch->count = batch->kept; /* what this batch brought forth is the beginning of the next one */
	batch->closed = false;
	return false;
}
