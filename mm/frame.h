/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frame table: 16 bytes per MPN, a virtual array backed only where memory is.  An entry says what its frame is; the same 16 bytes
 * are the node of the free lists, of the debt queues and of the sharing table, so nothing is allocated when a frame changes its role.
 *
 * Who may change an entry: whoever owns the frame.  FREE and TAIL belong to their zone's lock; RESERVED, PRIVATE, WRITING, READING, COPYING,
 * DEBT and STORE to the owner's VM lock; HINT to that and the bucket's lock, SHARED to the bucket's; POOL to whoever took it out of its slot;
 * CACHED to whoever took it out of the cache's slot.
 * `state` alone is read without the lock (buddies, audit).
 */
#pragma once
#include "kernel/lib/check.h"
#include "mm/mm.h"

enum frame_state {
	FRAME_ABSENT,   /* no memory, or not ours */
	FRAME_FREE,     /* the first frame of a free block of 2^order */
	FRAME_TAIL,     /* a free block's other frames */
	FRAME_CACHED,   /* free, in a CPU's cache or between a zone and its new owner */
	FRAME_RESERVED, /* free, but set aside for one page of its owner, so that the guest block can become one large mapping */
	FRAME_OVERHEAD, /* the hypervisor's: tables, entries, control blocks */
	FRAME_PRIVATE,  /* one page of one VM */
	FRAME_HINT,     /* the same, and in the sharing table: its contents were seen there */
	FRAME_WRITING,  /* of a BUSY page: its contents go to slot `next` of the swap area */
	FRAME_READING,  /* of a BUSY page: it will hold what slot `next` holds */
	FRAME_COPYING,  /* of a BUSY page: it will hold what the shared frame `next` holds, when `epoch` is settled */
	FRAME_SHARED,   /* read-only for all who name it; in the sharing table, but for the zero frame */
	FRAME_DEBT,     /* given back, but some CPU may still hold a translation or a pointer */
	FRAME_POOL,     /* in slot `ppn` of the secure groups' pool */
	FRAME_STORE,    /* compressed pages of its owner (store.h) */
	FRAME_RETIRED,  /* its memory has failed: nobody's, for ever */
	FRAME_STATES,
};

/* The terms of the machine's equation: total = their sum. */
enum frame_class { CLASS_FREE, CLASS_OVERHEAD, CLASS_PRIVATE, CLASS_SHARED, CLASS_DEBT, FRAME_CLASSES, CLASS_NONE };

enum { FRAME_NO_PPN = 0xffffffff, FRAME_FULL = 0xffffff00, FRAME_MAX_RANGES = 1024 };

struct frame {
	u8 state; /* enum frame_state */
	u8 zone;
	u16 owner; /* VM id; SHARED: share group; 0: none */
	union {
		u32 ppn;        /* a VM's: which page of the owner (FRAME_NO_PPN: a table) */
		u32 references; /* SHARED: pmap entries that name it; FRAME_FULL: no more may */
		u32 order;      /* FREE */
		u32 quarters;   /* STORE: which are taken, a bit each */
	};
	u32 next; /* FREE: list of its order; DEBT: queue of its VM; HINT, SHARED: chain of its bucket; STORE: list of its kind. MPN, 0 ends */
	union {
		u32 previous; /* FREE, STORE */
		u32 epoch;    /* DEBT, COPYING: low half of the epoch to wait for */
		u32 hash;     /* HINT, SHARED: low half of the contents' key */
	};
};
_Static_assert(sizeof(struct frame) == 16, "0.39 % of memory");

extern struct frame *frame_table;
extern u32 frame_zero; /* MPN of the one frame of zeros */

/* The memory that mm has taken, as offered: the frame table is backed for the 2 MiB blocks that these touch. */
extern struct mm_range frame_ranges[FRAME_MAX_RANGES];
extern u32 frame_range_count;

static inline struct frame *frame_of(u32 mpn)
{
	return &frame_table[mpn];
}

static inline enum frame_state frame_state(u32 mpn)
{
	return (enum frame_state)__atomic_load_n(&frame_table[mpn].state, __ATOMIC_RELAXED);
}

static inline void frame_set_state(u32 mpn, enum frame_state state)
{
	__atomic_store_n(&frame_table[mpn].state, (u8)state, __ATOMIC_RELAXED);
}

/* The frame becomes `state`, for `ppn` of VM `owner`. */
static inline void frame_assign(u32 mpn, enum frame_state state, u32 owner, u32 ppn)
{
	struct frame *frame = &frame_table[mpn];

	__atomic_store_n(&frame->owner, (u16)owner, __ATOMIC_RELAXED); /* the audit looks, then locks */
	__atomic_store_n(&frame->ppn, ppn, __ATOMIC_RELAXED);
	__atomic_store_n(&frame->state, (u8)state, __ATOMIC_RELAXED);
}

/* One page's own frame, known to the sharing table or not. */
static inline bool frame_is_private(u32 mpn)
{
	enum frame_state state = frame_state(mpn);

	return state == FRAME_PRIVATE || state == FRAME_HINT;
}

enum frame_class frame_class(enum frame_state state);
const char *frame_state_name(enum frame_state state);

/* ---- counters: pages of each class, and of all; `moves` is the generation that the audit watches ---- */

struct frame_counts {
	u64 total;
	u64 of[FRAME_CLASSES];
	u64 moves;
	u64 set_aside; /* RESERVED frames: free, but only after their block is broken */
	u64 lost;      /* offered, never usable */
};
extern struct frame_counts frame_counts;

static inline u64 frame_count(enum frame_class kind)
{
	return __atomic_load_n(&frame_counts.of[kind], __ATOMIC_RELAXED);
}

/* `frames` frames have changed their class.  Keeps the machine's free state up to date. */
void frame_move(enum frame_class from, enum frame_class to, u32 frames);

/* Is it memory that mm has taken?  For the audit: a walk over the ranges, `hint` is where the last one was found. */
bool frame_is_ours(u32 mpn, u32 *hint);
