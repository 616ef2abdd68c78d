/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The slots of the swap area: a page of one VM each.  The table that says whose, and the bit map of free ones, are taken from memory once.
 * The key that seals is drawn at boot: what the area holds then is noise, and no slot is believed.
 *
 * A slot's fields belong to whoever has it, a SWAPPED page (its VM's lock) or a request; taking and giving back lock in here (RANK_SWAP).
 */
#pragma once
#include "kernel/lib/check.h"
#include "mm/mm.h"

enum slot_state {
	SLOT_FREE,
	SLOT_MOVING, /* of a request, until that has come to its end */
	SLOT_USED,   /* a SWAPPED page names it */
	SLOT_BAD,    /* a write failed: never used again */
	SLOT_STATES,
};

enum { SLOT_TAG_BYTES = 16, SLOT_RUN = 16, SLOT_NONE = 0xffffffff };

struct slot {
	u8 tag[SLOT_TAG_BYTES]; /* authenticates the contents */
	u64 writes;             /* never sealed twice with the same */
	u32 ppn;
	u16 owner;   /* VM id */
	u8 state;    /* enum slot_state */
	u8 failures; /* reads of what it holds now that failed */
};
_Static_assert(sizeof(struct slot) == 32, "0.8 % of the area");

/* No slots. */
void slot_reset(void);
/* A table for this many slots, or fewer if memory is small.  E_NO_MEMORY: for none. */
err_t slot_init(u64 slots);
u64 slot_count(void);
struct slot *slot_at(u32 number);

static inline enum slot_state slot_state(u32 number)
{
	return (enum slot_state)__atomic_load_n(&slot_at(number)->state, __ATOMIC_RELAXED);
}

static inline void slot_set_state(u32 number, enum slot_state state)
{
	__atomic_store_n(&slot_at(number)->state, (u8)state, __ATOMIC_RELAXED);
}

/* The longest run of free slots, `most` at most, that a bounded look finds becomes MOVING; SLOT_NONE: it found none. */
u32 slot_take(u32 most, u32 *count);
/* MOVING or USED slots are free again. */
void slot_give(u32 first, u32 count);
/* A MOVING slot could not be written. */
void slot_spoil(u32 number);
/* MOVING → USED, and back. */
void slot_settle(u32 number);
void slot_unsettle(u32 number);

struct slot_counts {
	u64 of[SLOT_STATES];
};
void slot_counts(struct slot_counts *counts);
/* Does the bit map agree with the slot's state?  For the audit. */
bool slot_map_agrees(u32 number);
