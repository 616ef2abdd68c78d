/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/victim.h"
#include "mm/watch.h"

enum { HARVEST_LOOKS = 16, ROUNDS = 2 };

static bool is_victim(const struct mm_vm *vm, const struct page *page)
{
	u64 entry = page_entry(page);

	return entry_state(entry) == PAGE_PRIVATE && !(entry & (ENTRY_PINNED | ENTRY_GUARDED)) && !hold_has(&vm->hold, page->ppn);
}

static bool take_looks(u32 *looks, u32 count)
{
	*looks -= *looks < count ? *looks : count;
	return *looks > 0;
}

/* ---- random ---- */

static bool next_random(struct mm_vm *vm, u32 *looks, struct page *page)
{
	do {
		ppn_t ppn = pmap_nth_ppn(vm, platform_random() % vm->max_pages);

		if (pmap_look(vm, ppn, page) && is_victim(vm, page)) {
			take_looks(looks, 1);
			return true;
		}
	} while (take_looks(looks, 1));
	return false;
}

/* ---- the clock ---- */

static void move_on(struct mm_vm *vm)
{
	struct victims *victims = &vm->pageout.victims;
	struct mm_harvest seen;
	u32 pages;

	victims->group = (victims->group + 1) % watch_group_count(vm);
	victims->idle++;
	victims->index = watch_harvest_group(vm, victims->group, &pages, &seen) ? 0 : HARVEST_PAGES;
	victims->blind |= !victims->index && !seen.known;
}

/* Accessed since the hand came by? It comes by now. */
static bool was_recent(struct page *page)
{
	bool recent = page_entry(page) & ENTRY_RECENT;

	*page->slot &= ~ENTRY_RECENT;
	return recent;
}

static bool next_in_group(struct mm_vm *vm, u32 *looks, struct page *page)
{
	struct victims *victims = &vm->pageout.victims;
	u64 first = victims->group * HARVEST_PAGES;

	while (*looks && victims->index < HARVEST_PAGES && first + victims->index < vm->max_pages) {
		ppn_t ppn = pmap_nth_ppn(vm, first + victims->index++);

		take_looks(looks, 1);
		CHECK(pmap_look(vm, ppn, page));
		if (!was_recent(page) && is_victim(vm, page)) {
			victims->idle = 0;
			return true;
		}
	}
	if (*looks)
		victims->index = HARVEST_PAGES;
	return false;
}

static bool next_coldest(struct mm_vm *vm, u32 *looks, struct page *page)
{
	struct victims *victims = &vm->pageout.victims;

	while (*looks) {
		if (victims->index < HARVEST_PAGES && next_in_group(vm, looks, page))
			return true;
		if (!*looks || victims->blind || victims->idle > ROUNDS * watch_group_count(vm))
			break;
		move_on(vm);
		take_looks(looks, HARVEST_LOOKS);
	}
	return false;
}

void victim_begin(struct mm_vm *vm)
{
	struct victims *victims = &vm->pageout.victims;
	struct mm_harvest seen;
	u32 pages;

	if (victims->index < HARVEST_PAGES && !watch_harvest_group(vm, victims->group, &pages, &seen))
		victims->index = HARVEST_PAGES;
}

bool victim_next(struct mm_vm *vm, u32 *looks, struct page *page)
{
	const struct victims *victims = &vm->pageout.victims;

	CHECK(lock_is_mine(vm->lock) && victims->index <= HARVEST_PAGES);
	if (victims->policy == MM_VICTIMS_COLDEST && next_coldest(vm, looks, page))
		return true;
	bool random = victims->policy == MM_VICTIMS_RANDOM || victims->blind || victims->idle > ROUNDS * watch_group_count(vm);

	return random && *looks && next_random(vm, looks, page);
}
