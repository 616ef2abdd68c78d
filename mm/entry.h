/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pmap entry: 64 bits that hold everything mm knows of one guest page.
 *
 *   0-3 state | 4-5 ceiling | 6-13 flags | 14-21 pin count | 22-29 copy count | 30-31 part | 32-63 MPN or handle
 *
 * The copy count is a PRIVATE page's: copies for devices that cannot reach its frame.
 *
 * EMPTY names no frame, or the zero frame (then somebody may hold a read-only translation or pointer to it).  BALLOONED keeps the low half
 * of an epoch as its handle: until it is settled a CPU may remember the old frame, so no new one may appear there.  BUSY says by `part`
 * what it waits for.  SWAPPED keeps its slot's number + 1.
 */
#pragma once
#include "kernel/lib/check.h"
#include "mm/platform.h"

enum page_state {
	PAGE_EMPTY,
	PAGE_PRIVATE,
	PAGE_SHARED,
	PAGE_BALLOONED,
	PAGE_SWAPPED,
	PAGE_COMPRESSED,
	PAGE_BUSY,
	PAGE_DEVICE,
	PAGE_STATES,
};

#define ENTRY_CHANGED BIT(6) /* written since the last harvest */
#define ENTRY_TOUCHED BIT(7) /* accessed since the last harvest */
#define ENTRY_GUARDED BIT(8) /* a sharing candidate: the first write cancels it */
#define ENTRY_SAMPLED BIT(9) /* a sample: the first access counts it */
#define ENTRY_PINNED BIT(10) /* pin count above 0: one mask tells background work to pass by */
#define ENTRY_HOT_IO BIT(11) /* copied often for devices: it should lie below 4 GiB */
#define ENTRY_LOW BIT(12)    /* its frame was moved below 4 GiB */
#define ENTRY_RECENT BIT(13) /* as TOUCHED, for the victims' clock */
#define ENTRY_WATCHED (ENTRY_GUARDED | ENTRY_SAMPLED)
#define ENTRY_HISTORY (ENTRY_CHANGED | ENTRY_TOUCHED)
#define ENTRY_FLAGS (0xffULL << 6)

/* What a BUSY page waits for. */
enum busy_part {
	BUSY_EPOCH, /* handle: low half of an epoch.  It has no contents */
	BUSY_COPY,  /* handle: a frame that will hold what a shared one holds, to which the page keeps its reference */
	BUSY_DROP, /* handle: a shared frame, whose reference goes when the epoch of which bits 14-29 are the low ones is settled */
	BUSY_IO,   /* handle: a frame that is WRITING or READING; nobody can reach it */
};

#define ENTRY_PIN_ONE BIT(14)
#define ENTRY_CEILING_SHIFT 4
#define ENTRY_EPOCH_SHIFT 14
#define ENTRY_COPIES_SHIFT 22
#define ENTRY_PART_SHIFT 30
#define ENTRY_PART (3ULL << ENTRY_PART_SHIFT)
#define ENTRY_FRAME_SHIFT 32
enum { ENTRY_MAX_PINS = 255, ENTRY_MAX_COPIES = 255 };

static inline u64 entry_make(enum page_state state, enum mm_ceiling ceiling, u64 flags, u32 frame)
{
	ASSERT((flags & ~ENTRY_FLAGS) == 0);
	return (u64)state | (u64)ceiling << ENTRY_CEILING_SHIFT | flags | (u64)frame << ENTRY_FRAME_SHIFT;
}

static inline enum page_state entry_state(u64 entry)
{
	return (enum page_state)(entry & 0xf);
}

static inline enum mm_ceiling entry_ceiling(u64 entry)
{
	return (enum mm_ceiling)(entry >> ENTRY_CEILING_SHIFT & 3);
}

static inline u32 entry_pins(u64 entry)
{
	return (u32)(entry >> 14 & 0xff);
}

static inline u32 entry_copies(u64 entry)
{
	return (u32)(entry >> ENTRY_COPIES_SHIFT & ENTRY_MAX_COPIES);
}

static inline u64 entry_with_copies(u64 entry, u32 copies)
{
	return (entry & ~((u64)ENTRY_MAX_COPIES << ENTRY_COPIES_SHIFT)) | (u64)copies << ENTRY_COPIES_SHIFT;
}

/* BUSY: enum busy_part; COMPRESSED: which quarter of the frame; PRIVATE: how often the scanner found it changed. */
static inline u32 entry_part(u64 entry)
{
	return (u32)(entry >> ENTRY_PART_SHIFT & 3);
}

static inline u64 entry_with_part(u64 entry, u32 part)
{
	return (entry & ~ENTRY_PART) | (u64)part << ENTRY_PART_SHIFT;
}

/* Does the page hold a reference to a shared frame? */
static inline bool entry_has_reference(u64 entry)
{
	enum page_state state = entry_state(entry);

	return state == PAGE_SHARED || (state == PAGE_BUSY && (entry_part(entry) == BUSY_COPY || entry_part(entry) == BUSY_DROP));
}

/* Is the page on its way from or to the swap area? */
static inline bool entry_is_io(u64 entry)
{
	return entry_state(entry) == PAGE_BUSY && entry_part(entry) == BUSY_IO;
}

/* Is it BUSY with a frame of its own? */
static inline bool entry_has_transit(u64 entry)
{
	return entry_state(entry) == PAGE_BUSY && (entry_part(entry) == BUSY_COPY || entry_part(entry) == BUSY_IO);
}

/* Who is TOUCHED is RECENT as well. */
static inline u64 entry_noted(u64 history)
{
	_Static_assert(ENTRY_TOUCHED << 6 == ENTRY_RECENT, "one shift");
	return history | (history & ENTRY_TOUCHED) << 6;
}

/* MPN, or the handle of a state that has no frame. */
static inline u32 entry_frame(u64 entry)
{
	return (u32)(entry >> ENTRY_FRAME_SHIFT);
}

static inline u64 entry_with_ceiling(u64 entry, enum mm_ceiling ceiling)
{
	return (entry & ~(3ULL << ENTRY_CEILING_SHIFT)) | (u64)ceiling << ENTRY_CEILING_SHIFT;
}

/* The least ceiling that lets this access through. */
static inline enum mm_ceiling ceiling_for(enum mm_access access)
{
	return access == MM_WRITE ? CEILING_ALL : CEILING_READ;
}
