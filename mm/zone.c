/* SPDX-License-Identifier: BSD-2-Clause */
/* The buddy allocator.  Free blocks are heads in a doubly linked list per order; a block's other frames are FRAME_TAIL. */
#include "mm/zone.h"

struct zone zones[ZONES];

static const char *const names[ZONES] = { [ZONE_LOW] = "zone below 4 GiB", [ZONE_HIGH] = "zone above 4 GiB" };

void zone_init(void)
{
	for (u32 i = 0; i < ZONES; i++) {
		zones[i] = (struct zone){ 0 };
		lock_init(&zones[i].lock, RANK_ZONE, names[i]);
	}
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
	zone->free += 1ULL << order;
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
	zone->free -= 1ULL << order;
	return mpn;
}

/* ---- whole blocks and ranges ---- */

u32 zone_take(u32 order)
{
	CHECK(order < ZONE_ORDERS);
	for (u32 i = ZONES; i-- > 0;) {
		struct zone *zone = &zones[i];
		u32 mpn;

		lock_acquire(&zone->lock);
		mpn = take_block(zone, order);
		for (u32 frame = 0; mpn && frame < 1U << order; frame++)
			frame_set_state(mpn + frame, FRAME_CACHED);
		lock_release(&zone->lock);
		if (mpn)
			return mpn;
	}
	return 0;
}

u32 zone_take_singles(u32 *mpns, u32 count)
{
	u32 taken = 0;

	for (u32 i = ZONES; i-- > 0 && taken < count;) {
		struct zone *zone = &zones[i];
		u32 mpn;

		lock_acquire(&zone->lock);
		while (taken < count && (mpn = take_block(zone, 0)) != 0) {
			frame_set_state(mpn, FRAME_CACHED);
			mpns[taken++] = mpn;
		}
		lock_release(&zone->lock);
	}
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

	CHECK(first && pages && zone_of(first + pages - 1) == zone_of(first));
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
