/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking for candidates.  (What becomes of them is commit.c's.) */
#include "mm/scan.h"
#include "mm/commit.h"
#include "mm/debt.h"
#include "mm/frame.h"
#include "mm/limits.h"
#include "mm/share.h"
#include "mm/unshare.h"
#include "mm/watch.h"

enum { MAX_PATIENCE = 3, CACHE_LINE_BYTES = 64, EXPECTED_BYTES = 8 * CACHE_LINE_BYTES };

/* A page of which the hash is known, but not yet whether others have it. */
struct sighting {
	struct page page;
	u32 hash;
};

/* The table is in memory that no cache holds: some pages are hashed first, and their buckets come meanwhile. */
enum { SIGHTINGS = 8 };
struct sightings {
	struct sighting seen[SIGHTINGS];
	u32 count;
};

/* Of this state, and nobody keeps it where it is. */
static bool can_be_candidate(u64 entry)
{
	return entry_state(entry) == PAGE_PRIVATE && !(entry & (ENTRY_PINNED | ENTRY_GUARDED));
}

/* ---- a pass ---- */

static u64 gcd(u64 a, u64 b)
{
	while (b) {
		u64 rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* An order that nobody can foresee, and that meets each group once: in strides that have no divisor in common with n. */
static void begin_pass(struct mm_vm *vm)
{
	struct scan *scan = &vm->scan;
	u64 groups = watch_group_count(vm);

	scan->group = platform_random() % groups;
	do
		scan->stride = 1 + platform_random() % groups;
	while (gcd(scan->stride, groups) != 1);
	scan->done = scan->due = 0;
	scan->pass++;
	scan->active = true;
}

void mm_share_begin_pass(struct mm_vm *vm)
{
	lock_acquire(vm->lock);
	if (!vm->scan.active && unshare_allows(vm))
		begin_pass(vm);
	lock_release(vm->lock);
	platform_work();
}

/*
 * Is the page to be looked at?  What has changed since it was looked at; a page that was changed each time in every 4th, 16th, 64th pass only,
 * until it rests.
 */
static bool has_changed(const struct mm_vm *vm, u64 *slot)
{
	u32 patience = entry_part(*slot);

	if (!(*slot & ENTRY_CHANGED)) {
		*slot = entry_with_part(*slot, patience - 1);
		return false;
	}
	if (vm->scan.pass & ((1U << 2 * patience) - 1))
		return false;
	bool known = frame_state(entry_frame(*slot)) == FRAME_HINT;

	*slot = entry_with_part(*slot & ~ENTRY_CHANGED, known && patience < MAX_PATIENCE ? patience + 1 : patience);
	return true;
}

/* In a secure group what nobody uses is looked at, as far as hardware tells: the next access costs a copy. */
static u64 find_due(const struct mm_vm *vm, u64 *entries, u32 pages, const struct mm_harvest *seen)
{
	const u64 secure_due = seen->known ? ~(seen->touched | seen->changed) : ~0ULL;
	bool secure = share_is_secure(vm->group);
	u64 due = 0;

	for (u32 i = 0; i < pages; i++) {
		if (!can_be_candidate(entries[i]))
			continue;
		if (secure)
			due |= secure_due & BIT(i);
		else if ((entries[i] & (ENTRY_CHANGED | ENTRY_PART)) && has_changed(vm, &entries[i]))
			due |= BIT(i);
	}
	return due;
}

/*
 * Into the next group; false: the pass is over.  What is due is decided at once: what is written from now on counts as changed when the pages
 * have been looked at.
 */
static bool next_group(struct mm_vm *vm)
{
	struct scan *scan = &vm->scan;
	u64 groups = watch_group_count(vm);
	struct mm_harvest seen;
	u32 pages;

	CHECK(!scan->due && scan->done <= groups);
	if (scan->done == groups) {
		scan->active = false;
		scan->ended_ns = platform_time_ns();
		return false;
	}
	scan->done++;
	scan->group += scan->stride;
	if (scan->group >= groups)
		scan->group -= groups;
	u64 *entries = watch_harvest_group(vm, scan->group, &pages, &seen);

	if (entries)
		scan->due = find_due(vm, entries, pages, &seen);
	scan->group_epoch = vm->last_epoch;
	return true;
}

/* ---- one page ---- */

/* Memory that no cache holds is slow to begin with: a page's first lines come near while another one is worked on. */
static void expect_frame(u32 mpn)
{
	const u8 *bytes = platform_frame((mpn_t){ mpn });

	for (u32 i = 0; i < EXPECTED_BYTES; i += CACHE_LINE_BYTES)
		__builtin_prefetch(bytes + i);
}

static void expect_page(u64 entry)
{
	if (can_be_candidate(entry))
		expect_frame(entry_frame(entry));
}

static void look_at(struct scan_work *work, struct page *page, struct sightings *sightings)
{
	struct mm_vm *vm = work->vm;
	u32 mpn = entry_frame(page_entry(page));

	work->pages--;
	if (work->secure) {
		commit_add(vm, page, 0, CANDIDATE_IDLE);
		return;
	}
	vm->scan.counts.hashed++;
	if (commit_is_zero(mpn)) {
		commit_add(vm, page, 0, CANDIDATE_ZERO);
		return;
	}
	u32 hash = share_hash(vm->group, platform_frame((mpn_t){ mpn }), work->simd);

	share_expect(hash);
	sightings->seen[sightings->count++] = (struct sighting){ *page, hash };
}

/* Are their contents known? */
static void look_up(struct scan_work *work, struct sightings *sightings)
{
	struct mm_vm *vm = work->vm;

	for (u32 i = 0; i < sightings->count; i++)
		share_expect_node(sightings->seen[i].hash);
	for (u32 i = 0; i < sightings->count; i++) {
		struct sighting *sighting = &sightings->seen[i];

		struct share_match match = share_look(entry_frame(page_entry(&sighting->page)), vm->group, sighting->hash);

		if (!match.mpn)
			continue;
		if (match.shared)
			expect_frame(match.mpn);
		commit_add(vm, &sighting->page, sighting->hash, CANDIDATE_JOIN);
	}
}

/* The batch might not take all that may be found next. */
static bool is_full(const struct mm_vm *vm)
{
	return batch_room(vm, BATCH_SHARE) < SIGHTINGS;
}

/* The next pages of the group, as far as the step goes. */
static void scan_group(struct scan_work *work)
{
	struct scan *scan = &work->vm->scan;
	ppn_t first = pmap_nth_ppn(work->vm, scan->group * HARVEST_PAGES);
	struct sightings sightings = { .count = 0 };
	struct page page;

	for (u32 found = 0; scan->due && work->pages && found < SIGHTINGS;) {
		u32 at = (u32)__builtin_ctzll(scan->due);

		scan->due &= scan->due - 1;
		if (pmap_look(work->vm, (ppn_t){ first.n + at }, &page) && can_be_candidate(page_entry(&page))) {
			if (scan->due)
				expect_page(page.slot[(u32)__builtin_ctzll(scan->due) - at]);
			look_at(work, &page, &sightings);
			found++;
		}
	}
	look_up(work, &sightings);
}

/* Until a harvest is settled, a page may be written unseen: what is hashed then would not be looked at again. */
static bool is_group_settled(struct mm_vm *vm)
{
	const struct scan *scan = &vm->scan;

	return !scan->due || platform_settled(vm, (struct mm_debt){ scan->group_epoch });
}

static void scan_pages(struct scan_work *work)
{
	struct mm_vm *vm = work->vm;
	struct scan *scan = &vm->scan;

	while (scan->active && work->pages && work->looks && !is_full(work->vm)) {
		if (scan->due) {
			if (!is_group_settled(vm))
				return;
			scan_group(work);
		} else {
			work->looks--;
			if (!next_group(vm))
				return;
		}
	}
}

/* ---- steps ---- */

static bool has_work(struct mm_vm *vm)
{
	const struct batch *batch = &vm->batches[BATCH_SHARE];

	if (vm->release_phase || !limits_allow_vm(vm))
		return false;
	if (batch->closed)
		return batch_is_settled(vm, BATCH_SHARE);
	if (vm->scan.active)
		return is_group_settled(vm);
	return batch->count > 0 || vm->scan.called_count > 0 || limits_is_pass_due(vm);
}

static void step(struct scan_work *work)
{
	struct mm_vm *vm = work->vm;

	if (!vm->scan.active && limits_is_pass_due(vm))
		begin_pass(vm);
	if (!vm->batches[BATCH_SHARE].closed) {
		commit_called(vm);
		scan_pages(work);
	}
	if (is_full(vm) || !vm->scan.active)
		batch_close(vm, BATCH_SHARE);
	commit_some(work);
}

static bool comes_apart(struct mm_vm *vm)
{
	return !vm->release_phase && vm->unshare.active && unshare_has_work(vm);
}

/* What comes apart goes first. */
static bool take_apart(u32 looks)
{
	static u32 cursor;
	struct mm_vm *vm = vm_lock_next(&cursor, comes_apart);

	if (!vm)
		return false;
	unshare_step(vm, looks);
	vm_unlock(vm);
	return true;
}

bool mm_share_step(u32 pages)
{
	static u32 cursor;
	u64 begin_ns = platform_time_ns();

	if (take_apart(pages * HARVEST_PAGES))
		return true;
	if (!limits_allow())
		return false;
	struct scan_work work = { .vm = vm_lock_next(&cursor, has_work), .pages = pages, .looks = pages };

	if (!work.vm)
		return false;
	work.group = work.vm->group;
	work.secure = share_is_secure(work.group);
	work.simd = platform_has_simd();
	if (work.simd)
		simd_begin();
	step(&work);
	if (work.simd)
		simd_end();
	limits_spend(work.vm, pages - work.pages, platform_time_ns() - begin_ns);
	vm_unlock(work.vm);
	commit_tell_partner(&work);
	return true;
}
