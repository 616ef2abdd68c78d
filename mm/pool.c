/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/pool.h"
#include "mm/platform.h"
#include "mm/zone.h"

enum { SLOTS_PER_PAGE = PAGE_SIZE / sizeof(u32), PAGES = POOL_MAX / SLOTS_PER_PAGE };

static u32 pages[PAGES]; /* MPNs: slots, each the MPN of a frame of the pool */
static u32 size;

void pool_init(void)
{
	size = 0;
}

u32 pool_size(void)
{
	return size;
}

static u32 *slot_at(u32 slot)
{
	CHECK(slot < POOL_MAX);
	return (u32 *)platform_frame((mpn_t){ pages[slot / SLOTS_PER_PAGE] }) + slot % SLOTS_PER_PAGE;
}

/* ---- making ---- */

u32 pool_wanted(u64 total)
{
	u64 part = total * POOL_PERCENT / 100;

	return (u32)min_u64(part < POOL_MIN ? POOL_MIN : part, POOL_MAX);
}

static void unmake(u32 frames, u32 page_count)
{
	for (u32 slot = 0; slot < frames; slot++) {
		frame_assign(*slot_at(slot), FRAME_OVERHEAD, 0, FRAME_NO_PPN);
		mm_overhead_free((mpn_t){ *slot_at(slot) }, 0);
	}
	while (page_count)
		mm_overhead_free((mpn_t){ pages[--page_count] }, 0);
}

static u32 take_block(u32 most, mpn_t *first)
{
	u32 order = ZONE_MAX_ORDER;

	for (;; order--) {
		if (1U << order <= most && mm_overhead_alloc(order, first) == OK)
			return 1U << order;
		if (order == 0)
			return 0;
	}
}

static u32 fill_all(u32 wanted)
{
	u32 filled = 0;
	mpn_t first;

	while (filled < wanted) {
		u32 frames = take_block(wanted - filled, &first);

		if (!frames)
			break;
		for (u32 i = 0; i < frames; i++)
			pool_fill(filled++, first.n + i);
	}
	return filled;
}

err_t pool_make(void)
{
	u32 wanted = pool_wanted(frame_counts.total);
	u32 needed = (wanted + SLOTS_PER_PAGE - 1) / SLOTS_PER_PAGE;
	u32 got = 0;
	mpn_t page;

	CHECK(!size && needed <= PAGES);
	while (got < needed && mm_overhead_alloc(0, &page) == OK) {
		platform_zero_frame(page);
		pages[got++] = page.n;
	}
	u32 filled = got == needed ? fill_all(wanted) : 0;

	if (filled < wanted) {
		unmake(filled, got);
		return E_NO_MEMORY;
	}
	size = wanted;
	return OK;
}

/* ---- drawing ---- */

struct drawn pool_draw(void)
{
	struct drawn drawn;

	CHECK(size >= POOL_MIN);
	do {
		drawn.slot = (u32)((platform_random() >> 32) * size >> 32);
		drawn.mpn = __atomic_exchange_n(slot_at(drawn.slot), 0, __ATOMIC_ACQUIRE);
	} while (!drawn.mpn);
	CHECK(frame_state(drawn.mpn) == FRAME_POOL && frame_of(drawn.mpn)->ppn == drawn.slot);
	frame_assign(drawn.mpn, FRAME_OVERHEAD, 0, FRAME_NO_PPN);
	return drawn;
}

void pool_fill(u32 slot, u32 mpn)
{
	platform_zero_frame((mpn_t){ mpn });
	frame_assign(mpn, FRAME_POOL, 0, slot);
	u32 was = __atomic_exchange_n(slot_at(slot), mpn, __ATOMIC_RELEASE);

	CHECK(mpn && !was);
}

u32 pool_exchange(u32 mpn)
{
	struct drawn drawn = pool_draw();

	pool_fill(drawn.slot, mpn);
	return drawn.mpn;
}

void pool_pretend(void)
{
	struct drawn drawn = pool_draw();

	pool_fill(drawn.slot, drawn.mpn);
}

/* ---- for the audit ---- */

static u32 slot_of(u32 mpn)
{
	return __atomic_load_n(&frame_of(mpn)->ppn, __ATOMIC_RELAXED);
}

const char *pool_frame_fault(u32 mpn)
{
	u32 slot = slot_of(mpn);
	bool is_there = slot < size && __atomic_load_n(slot_at(slot), __ATOMIC_RELAXED) == mpn;

	/* It may have been drawn meanwhile. */
	return is_there || frame_state(mpn) != FRAME_POOL || slot_of(mpn) != slot ? NULL : "of the pool, but not in its slot";
}

const char *pool_slot_fault(u32 slot)
{
	u32 mpn = __atomic_load_n(slot_at(slot), __ATOMIC_RELAXED), range = 0;

	if (!mpn)
		return "is empty";
	if (frame_is_ours(mpn, &range) && frame_state(mpn) == FRAME_POOL && slot_of(mpn) == slot)
		return NULL;
	return __atomic_load_n(slot_at(slot), __ATOMIC_RELAXED) == mpn ? "names a frame that is not there" : NULL;
}
