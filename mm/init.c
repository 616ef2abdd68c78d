/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking the machine's memory; frames for the hypervisor itself; the machine's totals. */
#include "kernel/lib/log.h"
#include "mm/admit.h"
#include "mm/cipher.h"
#include "mm/platform.h"
#include "mm/pool.h"
#include "mm/rebalance.h"
#include "mm/state.h"
#include "mm/vm.h"
#include "mm/zone.h"

enum { ENTRY_BYTES = sizeof(struct frame) };

/* Is the frame table backed for this 2 MiB block because an earlier range touches it? */
static bool is_backed(u32 block)
{
	for (u32 i = 0; i < frame_range_count; i++) {
		u32 first = frame_ranges[i].first.n;

		if (block >= first / LARGE_PAGES && block <= (first + frame_ranges[i].pages - 1) / LARGE_PAGES)
			return true;
	}
	return false;
}

/* Back the table for every 2 MiB block that `range` touches; the frames for it come from the front of *take. */
static err_t back(const struct mm_range *range, struct mm_range *take)
{
	u32 first = range->first.n / LARGE_PAGES;
	u32 last = (range->first.n + range->pages - 1) / LARGE_PAGES;

	if (is_backed(first))
		first++;
	if (first <= last && is_backed(last))
		last--;
	if (first > last)
		return OK;
	return platform_back_table((u64)first * LARGE_PAGES * ENTRY_BYTES, (u64)(last - first + 1) * LARGE_PAGES * ENTRY_BYTES,
				   take);
}

static void lose(u32 pages)
{
	frame_counts.lost += pages;
}

/* Frames [first, first + pages) are ours now: overhead up to `used`, the rest free. */
static void enter(const struct mm_range *range, u32 used)
{
	u32 first = range->first.n;

	for (u32 i = 0; i < range->pages; i++) {
		CHECK(frame_state(first + i) == FRAME_ABSENT);
		frame_of(first + i)->zone = (u8)zone_of(first + i);
		frame_assign(first + i, FRAME_OVERHEAD, 0, FRAME_NO_PPN);
	}
	zones[zone_of(first)].all += range->pages;
	frame_counts.total += range->pages;
	frame_counts.of[CLASS_OVERHEAD] += used;
	frame_counts.of[CLASS_FREE] += range->pages - used;
	if (used < range->pages)
		zone_give(first + used, range->pages - used);
}

static err_t add_in_zone(struct mm_range range)
{
	struct mm_range rest = range;

	if (frame_range_count == FRAME_MAX_RANGES || back(&range, &rest)) {
		log_line("mm: %u pages at 0x%x000 are too few to describe themselves; left out", range.pages, range.first.n);
		lose(range.pages);
		return E_NO_MEMORY;
	}
	CHECK(rest.first.n >= range.first.n && rest.first.n - range.first.n == range.pages - rest.pages);
	frame_ranges[frame_range_count++] = range;
	enter(&range, range.pages - rest.pages);
	state_set_total(frame_counts.total);
	return OK;
}

err_t mm_add(struct mm_range range)
{
	err_t error = OK;

	if (range.pages && range.first.n == 0) { /* MPN 0 means "none" everywhere */
		lose(1);
		range.first.n++;
		range.pages--;
	}
	while (range.pages) {
		u32 pages = zone_run(range.first.n, range.pages);
		err_t piece = add_in_zone((struct mm_range){ range.first, pages });

		error = error ? error : piece;
		range.first.n += pages;
		range.pages -= pages;
	}
	return error;
}

/* The zero frame belongs to nobody: every EMPTY page that was read names it. */
static err_t make_zero_frame(void)
{
	frame_zero = cache_take();
	if (!frame_zero)
		return E_NO_MEMORY;
	platform_zero_frame((mpn_t){ frame_zero });
	frame_assign(frame_zero, FRAME_SHARED, 0, 0);
	frame_move(CLASS_FREE, CLASS_SHARED, 1);
	return OK;
}

err_t mm_init(const struct mm_range *ranges, u32 count, mpn_t last)
{
	frame_counts = (struct frame_counts){ 0 };
	frame_range_count = 0;
	/* Whole blocks, as they are backed. */
	frame_table = platform_frame_table((mpn_t){ last.n | (LARGE_PAGES - 1) }, ENTRY_BYTES);
	zone_init();
	cache_init();
	vm_table_init();
	pool_init();
	admit_init();
	rebalance_init();
	swap_reset();
	iopage_init();
	state_set_total(0);
	for (u32 i = 0; i < count; i++) {
		CHECK(ranges[i].pages == 0 || ranges[i].first.n + ranges[i].pages - 1 <= last.n);
		if (mm_add(ranges[i]))
			continue; /* counted as lost; what is left may be enough */
	}
	if (platform_has_cipher())
		cipher_start();
	return make_zero_frame();
}

/* ---- the hypervisor's own frames ---- */

static err_t give_overhead(u32 mpn, u32 order, mpn_t *first)
{
	if (!mpn)
		return E_NO_MEMORY;
	for (u32 i = 0; i < 1U << order; i++)
		frame_assign(mpn + i, FRAME_OVERHEAD, 0, FRAME_NO_PPN);
	frame_move(CLASS_FREE, CLASS_OVERHEAD, 1U << order);
	*first = (mpn_t){ mpn };
	return OK;
}

err_t mm_overhead_alloc(u32 order, mpn_t *first)
{
	if (order > ZONE_MAX_ORDER)
		return E_NO_MEMORY;
	return give_overhead(order ? zone_take(order, ZONES_ANY) : cache_take(), order, first);
}

err_t mm_low_alloc(u32 order, mpn_t *first)
{
	return order > ZONE_MAX_ORDER ? E_NO_MEMORY : give_overhead(zone_take(order, ZONES_LOW), order, first);
}

void mm_overhead_free(mpn_t first, u32 order)
{
	CHECK(order <= ZONE_MAX_ORDER && first.n % (1U << order) == 0);
	for (u32 i = 0; i < 1U << order; i++)
		CHECK(frame_state(first.n + i) == FRAME_OVERHEAD);
	frame_move(CLASS_OVERHEAD, CLASS_FREE, 1U << order);
	if (order)
		zone_give(first.n, 1U << order);
	else
		cache_give(first.n);
}

void mm_totals(struct mm_totals *totals)
{
	*totals = (struct mm_totals){
		.total = frame_counts.total,
		.free = frame_count(CLASS_FREE),
		.overhead = frame_count(CLASS_OVERHEAD),
		.private_ = frame_count(CLASS_PRIVATE),
		.shared_frames = frame_count(CLASS_SHARED),
		.debt_frames = frame_count(CLASS_DEBT),
		.reserved = frame_counts.lost,
		.state = state_now(),
	};
	admit_totals(totals);
}
