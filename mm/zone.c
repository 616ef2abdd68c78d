/* SPDX-License-Identifier: BSD-2-Clause */
/* The buddy allocator.  Free blocks are heads in a doubly linked list per order; a block's other frames are FRAME_TAIL. */
#include "mm/zone.h"
#include "mm/platform.h"

struct zone zones[ZONES];

/* Without a gap, from the bottom up. */
static const struct {
	u32 first, last;
	const char *name;
} rows[ZONES] = {
	[ZONE_LOW] = { 0, (1U << (32 - PAGE_SHIFT)) - 1, "zone below 4 GiB" },
	[ZONE_HIGH] = { 1U << (32 - PAGE_SHIFT), UINT32_MAX, "zone above 4 GiB" },
};

/* Who takes any frame gets one that fewer others can use. */
static const u8 preference[] = { ZONE_HIGH, ZONE_LOW };
_Static_assert(ARRAY_SIZE(preference) == ZONES, "each zone has its turn");

void zone_init(void)
{
	for (u32 i = 0; i < ZONES; i++) {
		CHECK(rows[i].first == (i ? rows[i - 1].last + 1 : 0) && rows[i].last >= rows[i].first);
		zones[i] = (struct zone){ 0 };
		lock_init(&zones[i].lock, RANK_ZONE, rows[i].name);
	}
	CHECK(rows[ZONES - 1].last == UINT32_MAX);
}

u32 zone_of(u32 mpn)
{
	u32 zone = 0;

	while (mpn > rows[zone].last)
		zone++;
	return zone;
}

u32 zone_run(u32 first, u32 pages)
{
	return (u32)min_u64(pages, (u64)rows[zone_of(first)].last - first + 1);
}

static bool is_short(const struct zone *zone, u64 more)
{
	return __atomic_load_n(&zone->free, __ATOMIC_RELAXED) < __atomic_load_n(&zone->kept, __ATOMIC_RELAXED) + more;
}

bool zone_is_short(u32 zone, u64 more)
{
	CHECK(zone < ZONES);
	return is_short(&zones[zone], more);
}

static void count_free(struct zone *zone, u64 by)
{
	__atomic_store_n(&zone->free, zone->free + by, __ATOMIC_RELAXED);
}

/* ---- lists, under the zone's lock ---- */

static void push(struct zone *zone, u32 mpn, u32 order)
{
	struct frame *frame = frame_of(mpn);
	u32 second = zone->heads[order];

	frame->order = order;
	frame->previous = 0;
	frame->next = second;
	if (second)
		frame_of(second)->previous = mpn;
	zone->heads[order] = mpn;
	zone->blocks[order]++;
	frame_set_state(mpn, FRAME_FREE);
}

/* Out of its list; the caller says what the head frame is from now on. */
static void pull(struct zone *zone, u32 mpn)
{
	struct frame *frame = frame_of(mpn);
	u32 order = frame->order;

	CHECK(frame->state == FRAME_FREE && order < ZONE_ORDERS && zone->blocks[order] > 0);
	if (frame->previous)
		frame_of(frame->previous)->next = frame->next;
	else
		zone->heads[order] = frame->next;
	if (frame->next)
		frame_of(frame->next)->previous = frame->previous;
	zone->blocks[order]--;
}

/* One aligned block whose frames are all TAIL: join it with free buddies as far as they go. */
static void join(struct zone *zone, u32 mpn, u32 order)
{
	count_free(zone, 1ULL << order);
	while (order < ZONE_MAX_ORDER) {
		u32 buddy = mpn ^ (1U << order);

		if (frame_state(buddy) != FRAME_FREE || frame_of(buddy)->order != order)
			break;
		pull(zone, buddy);
		frame_set_state(buddy, FRAME_TAIL);
		mpn &= ~(1U << order);
		order++;
	}
	push(zone, mpn, order);
}

/* A block of exactly this order, or 0.  Splitting leaves the upper halves free, so that neighbours stay together. */
static u32 take_block(struct zone *zone, u32 order)
{
	u32 from = order;
	u32 mpn;

	while (from < ZONE_ORDERS && !zone->heads[from])
		from++;
	if (from == ZONE_ORDERS)
		return 0;
	mpn = zone->heads[from];
	pull(zone, mpn);
	while (from-- > order)
		push(zone, mpn + (1U << from), from);
	count_free(zone, -(1ULL << order));
	return mpn;
}

/* ---- whole blocks and ranges ---- */

/* Up to `count` blocks, 0 in `taken` stands for none.  A zone that falls below what it keeps is work for the mover. */
static u32 take_from(struct zone *zone, u32 order, bool spare, u32 *taken, u32 count)
{
	u32 got = 0;

	lock_acquire(&zone->lock);
	while (got < count && !(spare && is_short(zone, 1ULL << order)) && (taken[got] = take_block(zone, order)) != 0) {
		for (u32 frame = 0; frame < 1U << order; frame++)
			frame_set_state(taken[got] + frame, FRAME_CACHED);
		got++;
	}
	lock_release(&zone->lock);
	if (got && is_short(zone, 0))
		platform_work();
	return got;
}

u32 zone_take(u32 order, u32 wanted)
{
	u32 mpn = 0;

	CHECK(order < ZONE_ORDERS && (wanted & ZONES_ANY));
	for (u32 i = 0; i < ZONES && !mpn; i++) {
		if (wanted & BIT(preference[i]))
			take_from(&zones[preference[i]], order, wanted & ZONES_SPARE, &mpn, 1);
	}
	return mpn;
}

u32 zone_take_singles(u32 *mpns, u32 count)
{
	u32 taken = 0;

	for (u32 i = 0; i < ZONES && taken < count; i++)
		taken += take_from(&zones[preference[i]], 0, false, mpns + taken, count - taken);
	return taken;
}

/* The largest order of an aligned block that starts at mpn and fits. */
static u32 order_at(u32 mpn, u32 pages)
{
	u32 order = 0;

	while (order < ZONE_MAX_ORDER && mpn % (2U << order) == 0 && pages >= 2U << order)
		order++;
	return order;
}

void zone_give(u32 first, u32 pages)
{
	struct zone *zone = &zones[zone_of(first)];

	CHECK(first && pages && zone_run(first, pages) == pages);
	lock_acquire(&zone->lock);
	for (u32 done = 0; done < pages;) {
		u32 mpn = first + done;
		u32 order = order_at(mpn, pages - done);

		for (u32 i = 0; i < 1U << order; i++) {
			enum frame_state was = frame_state(mpn + i);

			CHECK(was != FRAME_FREE && was != FRAME_TAIL && was != FRAME_ABSENT);
			frame_assign(mpn + i, FRAME_TAIL, 0, 0);
		}
		join(zone, mpn, order);
		done += 1U << order;
	}
	lock_release(&zone->lock);
}
