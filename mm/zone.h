/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Free memory: a buddy allocator for each of two zones (frames below and above 4 GiB, which devices with 32-bit DMA tell apart), and in
 * front of both a cache of single frames for each CPU.  Blocks are naturally aligned, 4 KiB to 2 MiB, and never larger: so a buddy
 * lies in the same 2 MiB, for which the frame table is backed as a whole.
 *
 * Nothing here counts classes: a frame that is handed out is FRAME_CACHED, the caller gives it its role (frame_assign, frame_move).
 * Each zone has its lock (RANK_ZONE), taken here; nothing suspends.
 */
#pragma once
#include "mm/frame.h"

enum { ZONE_LOW, ZONE_HIGH, ZONES };
enum { ZONE_ORDERS = LARGE_SHIFT - PAGE_SHIFT + 1, ZONE_MAX_ORDER = ZONE_ORDERS - 1 };

struct zone {
	struct lock lock;
	u32 heads[ZONE_ORDERS]; /* MPN of the first free block, 0: none */
	u64 blocks[ZONE_ORDERS];
	u64 free; /* frames in the lists */
};
extern struct zone zones[ZONES];

void zone_init(void);

static inline u32 zone_of(u32 mpn)
{
	return mpn >> (32 - PAGE_SHIFT) ? ZONE_HIGH : ZONE_LOW;
}

/* 2^order frames, high ones first, or 0.  All become FRAME_CACHED, contents undefined. */
u32 zone_take(u32 order);
/* Up to `count` single frames into mpns under one lock; returns how many. */
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
