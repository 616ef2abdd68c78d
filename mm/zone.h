/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Free memory: a buddy allocator for each zone, and in front of all of them a cache of single frames for each CPU.  A zone is a range of
 * frames that somebody must tell from the others (below 4 GiB, for devices with 32-bit DMA; later a node or a tier of memory): a row in
 * zone.c's table.  Blocks are naturally aligned, 4 KiB to 2 MiB, and never larger: so a buddy lies in the same 2 MiB, for which the frame
 * table is backed as a whole.
 *
 * Nothing here counts classes: a frame that is handed out is FRAME_CACHED, the caller gives it its role (frame_assign, frame_move).
 * Each zone has its lock (RANK_ZONE), taken here; nothing suspends.
 */
#pragma once
#include "mm/frame.h"

enum { ZONE_LOW, ZONE_HIGH, ZONES };
/* Which zones will do: a mask. SPARE: but none may go below what it keeps. */
enum { ZONES_LOW = 1 << ZONE_LOW, ZONES_ANY = (1 << ZONES) - 1, ZONES_SPARE = 1 << 7 };
_Static_assert(ZONES < 7, "masks fit a byte");
enum { ZONE_ORDERS = LARGE_SHIFT - PAGE_SHIFT + 1, ZONE_MAX_ORDER = ZONE_ORDERS - 1 };

struct zone {
	struct lock lock;
	u32 heads[ZONE_ORDERS]; /* MPN of the first free block, 0: none */
	u64 blocks[ZONE_ORDERS];
	u64 free; /* frames in the lists */
	u64 all;  /* frames that lie in it */
	u64 kept; /* of the free ones, for who can use no others */
};
extern struct zone zones[ZONES];

void zone_init(void);
/* The zone in which a frame lies by its number; its own entry says the same. */
u32 zone_of(u32 mpn);
u32 zone_run(u32 first, u32 pages);
bool zone_is_short(u32 zone, u64 more);

/* 2^order frames of one of the wanted zones, in the order of preference, or 0.  All become FRAME_CACHED, contents undefined. */
u32 zone_take(u32 order, u32 wanted);
/* Up to `count` single frames of any zones into mpns, under one lock each; returns how many. */
u32 zone_take_singles(u32 *mpns, u32 count);

/* Free the frames [first, first + pages), in the largest blocks that alignment allows; they may span blocks but not zones. */
void zone_give(u32 first, u32 pages);

/* ---- single frames through the cache of the CPU that calls ---- */

enum { CACHE_SLOTS = 16, CACHE_BATCH = 8, CACHE_CPUS = 256 };

/* A frame, or 0: neither in this CPU's cache, nor in a zone, nor in another CPU's cache. */
u32 cache_take(void);
/* Free one frame. */
void cache_give(u32 mpn);
void cache_init(void);
