/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/iopage.h"
#include "mm/frame.h"
#include "mm/move.h"
#include "mm/reserve.h"
#include "mm/watch.h"
#include "mm/zone.h"

enum {
	DEFAULT_THRESHOLD = 16,
	STEP_MOVES = 4,  /* pages copied in a step */
	STEP_FEEDS = 8,  /* pages guarded */
	STEP_GROUPS = 8, /* groups that turn out to have no entries */
};
#define REST_NS 1000000000ULL

static const u32 down = ZONES_LOW | ZONES_SPARE, up = (ZONES_ANY & ~ZONES_LOW) | ZONES_SPARE;

static u32 threshold;
static u64 waiting; /* in all queues */

void iopage_init(void)
{
	threshold = DEFAULT_THRESHOLD;
	waiting = 0;
}

err_t mm_iopage_set(u32 copies, u64 low_reserve)
{
	struct zone *low = &zones[ZONE_LOW];

	if (copies > ENTRY_MAX_COPIES || low_reserve > low->all)
		return E_RANGE;
	__atomic_store_n(&threshold, copies, __ATOMIC_RELAXED);
	__atomic_store_n(&low->kept, low_reserve, __ATOMIC_RELAXED);
	platform_work();
	return OK;
}

u64 iopage_waiting(void)
{
	return __atomic_load_n(&waiting, __ATOMIC_RELAXED);
}

void mm_iopage_look(struct mm_vm *vm, struct mm_iopage *iopage)
{
	lock_acquire(vm->lock);
	*iopage = vm->iopage.counts;
	iopage->hot = vm->iopage.hot;
	iopage->cancelled = vm->batches[BATCH_MOVE].cancelled;
	lock_release(vm->lock);
}

/* ---- the queue ---- */

static u32 *place(struct iopage *iopage, u32 number)
{
	return &iopage->queue[(iopage->first + number) % IOPAGE_QUEUE];
}

static bool is_queued(struct iopage *iopage, u32 ppn)
{
	for (u32 i = 0; i < iopage->waiting; i++) {
		if (*place(iopage, i) == ppn)
			return true;
	}
	return false;
}

void iopage_ask(struct mm_vm *vm, struct page *page)
{
	struct iopage *iopage = &vm->iopage;

	CHECK((page_entry(page) & ENTRY_HOT_IO) && !(page_entry(page) & ENTRY_PINNED));
	if (iopage->ended || is_queued(iopage, page->ppn.n))
		return;
	if (iopage->waiting == IOPAGE_QUEUE) {
		iopage->counts.overflow++;
		return;
	}
	*place(iopage, iopage->waiting++) = page->ppn.n;
	__atomic_fetch_add(&waiting, 1, __ATOMIC_RELAXED);
	platform_work();
}

static bool next_hot(struct mm_vm *vm, struct page *page)
{
	struct iopage *iopage = &vm->iopage;
	ppn_t ppn = { *place(iopage, 0) };

	CHECK(iopage->waiting > 0 && iopage->waiting <= IOPAGE_QUEUE);
	iopage->first = (iopage->first + 1) % IOPAGE_QUEUE;
	iopage->waiting--;
	__atomic_fetch_sub(&waiting, 1, __ATOMIC_RELAXED);
	return pmap_look(vm, ppn, page) && (page_entry(page) & ENTRY_HOT_IO);
}

/* ---- counting ---- */

static bool is_high(u64 entry)
{
	return entry_state(entry) == PAGE_PRIVATE && frame_of(entry_frame(entry))->zone != ZONE_LOW;
}

static void count_copy(struct mm_vm *vm, struct page *page)
{
	u32 enough = __atomic_load_n(&threshold, __ATOMIC_RELAXED);
	u32 copies = entry_copies(page_entry(page));

	if (copies < ENTRY_MAX_COPIES)
		pmap_count_copies(page, ++copies);
	if (!enough || copies < enough)
		return;
	if (!(page_entry(page) & ENTRY_HOT_IO))
		pmap_set_hot(vm, page, true);
	if (!(page_entry(page) & ENTRY_PINNED)) /* else when it is not */
		iopage_ask(vm, page);
}

static void decay(struct mm_vm *vm)
{
	struct page page;
	ppn_t ppn = pmap_nth_ppn(vm, vm->iopage.decay);

	CHECK(vm->iopage.decay < vm->max_pages);
	if (++vm->iopage.decay == vm->max_pages)
		vm->iopage.decay = 0;
	if (!pmap_look(vm, ppn, &page) || !is_high(page_entry(&page)))
		return;
	u32 copies = entry_copies(page_entry(&page)) / 2;

	pmap_count_copies(&page, copies);
	if ((page_entry(&page) & ENTRY_HOT_IO) && copies < __atomic_load_n(&threshold, __ATOMIC_RELAXED) / 2)
		pmap_set_hot(vm, &page, false);
}

void mm_copied(struct mm_vm *vm, ppn_t ppn)
{
	struct page page;

	CHECK(pmap_is_memory(vm, ppn));
	lock_acquire(vm->lock);
	CHECK(!vm->iopage.ended);
	vm->iopage.counts.copies++;
	/* It may have moved, or been given up, since it was copied. */
	if (pmap_look(vm, ppn, &page) && is_high(page_entry(&page)))
		count_copy(vm, &page);
	decay(vm);
	lock_release(vm->lock);
}

/* ---- down ---- */

static bool can_feed_down(const struct mm_vm *vm)
{
	return vm->iopage.waiting && !zone_is_short(ZONE_LOW, 1);
}

/* One that is passed by now stays hot: its next copy, or the end of its last pin, asks again. */
static void feed_down(struct mm_vm *vm)
{
	struct page page;

	for (u32 i = 0; i < STEP_FEEDS && can_feed_down(vm) && move_room(vm); i++) {
		if (next_hot(vm, &page))
			move_add(vm, &page, down);
	}
}

/* ---- up ---- */

/* Low frames are missing, for who waits or for what should be kept, and there are others instead. */
static bool wants_room(void)
{
	bool others = false;

	if (!zone_is_short(ZONE_LOW, min_u64(iopage_waiting(), BATCH_PAGES)))
		return false;
	for (u32 zone = 0; zone < ZONES && !others; zone++)
		others = (up & BIT(zone)) && !zone_is_short(zone, 1);
	return others;
}

static bool can_feed_up(const struct mm_vm *vm)
{
	return wants_room() && platform_time_ns() >= vm->iopage.rest_until_ns;
}

/* A page that was not accessed is no device's.  When that is not enough: one that was never moved for them. */
static bool may_move_up(const struct mm_vm *vm, u64 entry)
{
	if (entry_state(entry) != PAGE_PRIVATE || is_high(entry) || (entry & (ENTRY_PINNED | ENTRY_GUARDED)))
		return false;
	return !(entry & ENTRY_TOUCHED) || (vm->iopage.insist && !(entry & ENTRY_LOW));
}

static void feed_group(struct mm_vm *vm, u64 number, const u64 *entries, u32 pages)
{
	struct page page;

	vm->iopage.progress += reserve_break_in(vm, (u32)(number / GROUPS_PER_BLOCK), ZONES_LOW);
	for (u32 i = 0, fed = 0; i < pages && fed < STEP_FEEDS && move_room(vm); i++) {
		if (!may_move_up(vm, entries[i]))
			continue;
		CHECK(pmap_look(vm, pmap_nth_ppn(vm, number * HARVEST_PAGES + i), &page));
		fed += move_add(vm, &page, up);
	}
}

/* A round over all of the VM that moves nothing is followed by one that insists, and that by a rest. */
static bool is_round_over(struct mm_vm *vm)
{
	struct iopage *iopage = &vm->iopage;
	bool helped = iopage->progress > 0;

	if (iopage->looked < watch_group_count(vm))
		return false;
	iopage->looked = iopage->progress = 0;
	if (helped)
		return false;
	iopage->insist = !iopage->insist;
	if (iopage->insist)
		return false;
	iopage->rest_until_ns = platform_time_ns() + REST_NS;
	return true;
}

static void feed_up(struct mm_vm *vm)
{
	struct iopage *iopage = &vm->iopage;
	u64 *entries = NULL;
	u32 pages;
	struct mm_harvest seen;

	for (u32 i = 0; i < STEP_GROUPS && !entries && !is_round_over(vm); i++) {
		u64 number = iopage->group;

		iopage->group = (number + 1) % watch_group_count(vm);
		iopage->looked++;
		entries = watch_harvest_group(vm, number, &pages, &seen);
		if (entries)
			feed_group(vm, number, entries, pages);
	}
}

/* ---- steps ---- */

static void told(struct mm_vm *vm, struct page *page, u32 where, bool moved)
{
	struct iopage *iopage = &vm->iopage;

	if (!moved) {
		iopage->counts.failed++;
		if (page_entry(page) & ENTRY_HOT_IO)
			iopage_ask(vm, page);
	} else if (where & ZONES_LOW) {
		iopage->counts.moved_down++;
	} else {
		iopage->counts.moved_up++;
		iopage->progress++;
	}
}

bool iopage_has_work(const struct mm_vm *vm)
{
	return !vm->iopage.ended && (move_waits(vm) || can_feed_down(vm) || can_feed_up(vm));
}

void iopage_step(struct mm_vm *vm)
{
	if (vm->iopage.ended)
		return;
	move_some(vm, STEP_MOVES, told);
	feed_down(vm);
	if (move_room(vm) && can_feed_up(vm))
		feed_up(vm);
	move_close(vm);
}

void iopage_release(struct mm_vm *vm)
{
	struct iopage *iopage = &vm->iopage;

	__atomic_fetch_sub(&waiting, iopage->waiting, __ATOMIC_RELAXED);
	iopage->waiting = 0;
	iopage->ended = true;
}
