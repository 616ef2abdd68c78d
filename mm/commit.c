/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/commit.h"
#include "mm/debt.h"
#include "mm/frame.h"
#include "mm/secure.h"
#include "mm/unshare.h"
#include "mm/watch.h"

bool commit_is_zero(u32 mpn)
{
	const u64 *word = platform_frame((mpn_t){ mpn });

	for (u32 i = 0; i < PAGE_SIZE / 8; i += 8) {
		if (word[i] | word[i + 1] | word[i + 2] | word[i + 3] | word[i + 4] | word[i + 5] | word[i + 6] | word[i + 7])
			return false;
	}
	return true;
}

/* ---- into the batch ---- */

static struct candidate candidate_of(u32 hash, enum candidate_kind kind)
{
	return (struct candidate){ .hash = hash, .kind = kind, .ceiling = kind == CANDIDATE_JOIN ? CEILING_READ : CEILING_NONE };
}

void commit_add(struct mm_vm *vm, struct page *page, u32 hash, enum candidate_kind kind)
{
	if (!batch_add(vm, BATCH_SHARE, page, candidate_of(hash, kind)))
		pmap_note(page, ENTRY_CHANGED);
}

/* The frame of a page whose contents the table knows, or 0. */
static u32 find_known(struct mm_vm *vm, u32 ppn, struct page *page)
{
	if (!pmap_is_memory(vm, (ppn_t){ ppn }) || !pmap_look(vm, (ppn_t){ ppn }, page))
		return 0;
	u32 mpn = entry_frame(page_entry(page));

	return entry_state(page_entry(page)) == PAGE_PRIVATE && frame_state(mpn) == FRAME_HINT ? mpn : 0;
}

/* The page, if it is still as its hint tells, as far as the table knows. */
static bool find_hint(struct mm_vm *vm, u32 ppn, u32 hash, struct page *page)
{
	u32 mpn = find_known(vm, ppn, page);

	return mpn && frame_of(mpn)->hash == hash;
}

/* A shared frame may have the contents that this page's hint tells of. */
static void propose(struct mm_vm *vm, u32 ppn, u32 hash)
{
	struct scan *scan = &vm->scan;
	struct page page;

	if (!find_hint(vm, ppn, hash, &page))
		return;
	if (!batch_room(vm, BATCH_SHARE) && scan->called_count < SCAN_CALLED)
		scan->called[scan->called_count++] = ppn;
	else
		commit_add(vm, &page, hash, CANDIDATE_JOIN);
}

void commit_called(struct mm_vm *vm)
{
	struct scan *scan = &vm->scan;
	struct page page;

	CHECK(scan->called_count <= SCAN_CALLED);
	while (scan->called_count && batch_room(vm, BATCH_SHARE)) {
		u32 mpn = find_known(vm, scan->called[--scan->called_count], &page);

		if (mpn)
			commit_add(vm, &page, frame_of(mpn)->hash, CANDIDATE_JOIN);
	}
}

/* ---- out of it ---- */

/* The kernel's memcmp looks at single bytes. */
static bool is_equal(u32 a, u32 b)
{
	const u64 *left = platform_frame((mpn_t){ a });
	const u64 *right = platform_frame((mpn_t){ b });

	for (u32 i = 0; i < PAGE_SIZE / 8; i += 4) {
		if ((left[i] ^ right[i]) | (left[i + 1] ^ right[i + 1]) | (left[i + 2] ^ right[i + 2]) |
		    (left[i + 3] ^ right[i + 3]))
			return false;
	}
	return true;
}

/* Nobody can reach the page if its guard was CEILING_NONE: then its frame is free at once. */
static void share_with(struct mm_vm *vm, struct page *page, u32 shared, enum mm_ceiling guard)
{
	u32 old = entry_frame(page_entry(page));

	CHECK(old != shared && frame_is_private(old));
	if (guard > CEILING_NONE)
		debt_take_rights(vm, page->ppn);
	pmap_share(vm, page, shared, CEILING_READ);
	debt_free(vm, old, page->ppn.n, (struct mm_debt){ guard > CEILING_NONE ? vm->last_epoch : 0 });
	vm->scan.counts.merged++;
}

/* Different contents may have the same hash: try each frame that has it. */
u32 commit_find_equal(struct mm_vm *vm, u32 mpn, u32 hash)
{
	u32 shared;

	for (u32 skip = 0; (shared = share_take(vm->group, hash, skip)) != 0; skip++) {
		if (is_equal(mpn, shared))
			break;
		share_release(shared);
		vm->scan.counts.collisions++;
	}
	return shared;
}

static bool join(struct mm_vm *vm, struct page *page, u32 hash, enum mm_ceiling guard)
{
	u32 shared = commit_find_equal(vm, entry_frame(page_entry(page)), hash);

	if (shared)
		share_with(vm, page, shared, guard);
	return shared != 0;
}

/* Of two pages that are alike as far as their hashes tell, this one becomes the shared frame; false: its bucket is full. */
static bool become_shared(struct mm_vm *vm, struct page *page, u32 hash)
{
	u32 mpn = entry_frame(page_entry(page));

	if (!share_promote(mpn, vm->group, hash))
		return false;
	pmap_share(vm, page, mpn, CEILING_READ);
	return true;
}

/* The hint's page is to join the frame that is shared now: one of this VM at once, if there is room, another VM's after this step. */
static void call_partner(struct scan_work *work, u32 hash, const struct share_match *other)
{
	struct page mine;

	if (other->owner != work->vm->id) {
		work->partner = *other;
		work->hash = hash;
	} else if (find_hint(work->vm, other->ppn, hash, &mine)) {
		batch_keep(work->vm, BATCH_SHARE, &mine, candidate_of(hash, CANDIDATE_JOIN)); /* if not: in a later pass */
	}
}

static void commit_join(struct scan_work *work, struct candidate *candidate, struct page *page)
{
	struct mm_vm *vm = work->vm;
	u32 mpn = entry_frame(page_entry(page));

	if (join(vm, page, candidate->hash, candidate->ceiling))
		return;
	/* Has it been written between its hash and its guard? */
	bool written = page_entry(page) & ENTRY_CHANGED;
	u32 hash = written ? share_hash(vm->group, platform_frame((mpn_t){ mpn }), work->simd) : candidate->hash;
	struct share_match other = share_find_hint(mpn, vm->group, hash);
	bool alike = hash == candidate->hash && other.mpn;

	if (alike && become_shared(vm, page, hash)) {
		call_partner(work, hash, &other);
		return;
	}
	if (!alike) {
		vm->scan.counts.stale++;
		share_note(mpn, hash);
	}
	pmap_unguard(vm, page);
}

/* It is settled that nobody can reach the page, and its frame holds zeros. */
static void make_empty(struct mm_vm *vm, struct page *page)
{
	u32 own = entry_frame(page_entry(page));

	CHECK(entry_ceiling(page_entry(page)) == CEILING_NONE);
	pmap_take_away(vm, page, PAGE_EMPTY, 0);
	if (share_is_secure(vm->group))
		secure_give(vm, own);
	else
		debt_free(vm, own, page->ppn.n, (struct mm_debt){ 0 });
	vm->scan.counts.zeros++;
}

static void commit_zero(struct scan_work *work, struct candidate *candidate, struct page *page)
{
	(void)candidate;
	if (commit_is_zero(entry_frame(page_entry(page))))
		make_empty(work->vm, page);
	else
		pmap_unguard(work->vm, page);
}

static void commit_idle(struct scan_work *work, struct candidate *candidate, struct page *page)
{
	(void)candidate;
	if (commit_is_zero(entry_frame(page_entry(page))))
		make_empty(work->vm, page);
	else
		secure_merge(work, page);
}

static void (*const commits[])(struct scan_work *work, struct candidate *candidate, struct page *page) = {
	[CANDIDATE_JOIN] = commit_join,
	[CANDIDATE_ZERO] = commit_zero,
	[CANDIDATE_IDLE] = commit_idle,
};

void commit_some(struct scan_work *work)
{
	const struct batch *batch = &work->vm->batches[BATCH_SHARE];
	struct candidate candidate;
	struct page page;

	if (!batch_is_settled(work->vm, BATCH_SHARE))
		return;
	for (u32 i = batch->next; i < batch->count && i < batch->next + work->pages; i++)
		share_expect(batch->candidates[i].hash);
	while (work->pages && !work->partner.mpn && batch_next(work->vm, BATCH_SHARE, &candidate, &page)) {
		CHECK(candidate.kind < ARRAY_SIZE(commits));
		commits[candidate.kind](work, &candidate, &page);
		work->pages--;
	}
}

/* ---- for who takes a page's frame away ---- */

enum commit_result commit_try_share(struct scan_work *work, struct page *page)
{
	struct mm_vm *vm = work->vm;
	u32 mpn = entry_frame(page_entry(page));

	ASSERT(lock_is_mine(vm->lock));
	CHECK((page_entry(page) & ENTRY_GUARDED) && entry_ceiling(page_entry(page)) == CEILING_NONE && !work->partner.mpn);
	if (commit_is_zero(mpn)) {
		make_empty(vm, page);
		return COMMIT_FREED;
	}
	/* Who measures how long its page takes to come back would learn whether another one is like it. */
	if (share_is_secure(vm->group) || !unshare_allows(vm))
		return COMMIT_NOTHING;
	u32 hash = share_hash(vm->group, platform_frame((mpn_t){ mpn }), work->simd);

	if (join(vm, page, hash, CEILING_NONE))
		return COMMIT_FREED;
	struct share_match other = share_find_hint(mpn, vm->group, hash);

	if (!other.mpn || !become_shared(vm, page, hash))
		return COMMIT_NOTHING;
	work->partner = other;
	work->hash = hash;
	return COMMIT_SHARED;
}

void commit_tell_partner(const struct scan_work *work)
{
	if (!work->partner.mpn)
		return;
	struct mm_vm *partner = vm_lock_id(work->partner.owner);

	/* The hint's page may be gone, or changed: then nothing comes of it. */
	if (!partner)
		return;
	if (partner->group == work->group && unshare_allows(partner))
		propose(partner, work->partner.ppn, work->hash);
	vm_unlock(partner);
}
