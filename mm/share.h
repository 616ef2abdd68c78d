/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sharing table: which contents are known, and which frames hold them.  Its nodes are frame-table entries: a HINT is a page's own frame
 * whose contents had this hash when they were looked at; a SHARED frame is read-only, counted, and belongs to a share group.  A hash never
 * decides: contents are compared in full (scan.c), after both pages are write-protected and the debt is settled.
 *
 * Buckets have locks of their own (RANK_BUCKET), taken here; a VM's lock may be held.  Nothing suspends or fails.
 */
#pragma once
#include "mm/vm.h"

enum {
	SHARE_GROUPS = 512, /* 1 … 255 have names; a VM alone is in group SHARE_ALONE + its id */
	SHARE_ALONE = 256,
	SHARE_SECRET_BYTES = 192,
	SHARE_CHAIN = 16, /* nodes in a bucket at most: what does not fit is not known, and not shared */
};

enum share_mode {
	SHARE_FAST,   /* shared frames may be read; a write copies */
	SHARE_SECURE, /* a candidate loses every right; any access copies, to a fresh random frame, whether it was merged or not */
};

/* Size the table for the memory that mm has now; once.  E_NO_MEMORY: nothing will be shared. */
err_t share_init(void);

/* Its secret is drawn.  A secure one needs the pool. */
void share_group_begin(u32 group, enum share_mode mode);
bool share_is_secure(u32 group);
bool share_group_is_begun(u32 group);
/* Its secret is drawn anew: no hash of before leads anywhere. */
void share_group_rotate(u32 group);
/* VM `id` belongs to this group now; its hints must be gone. */
void share_set_group(u32 id, u32 group);

/* 32 bits of a page's XXH3 with the group's secret.  Vector code if `simd`: inside simd_begin, where platform_has_simd says so. */
u32 share_hash(u32 group, const void *bytes, bool simd);
u32 share_key(const u8 secret[SHARE_SECRET_BYTES], const void *bytes, bool simd); /* key.c: a test may link another one */

/* ---- nodes ---- */

struct share_match {
	u32 mpn;     /* 0: these contents are not known */
	bool shared; /* else a hint: page `ppn` of VM `owner` */
	u32 owner, ppn;
};

/* Soon this hash will be looked for: its bucket comes near; then, which needs the bucket, what is in it. */
void share_expect(u32 hash);
void share_expect_node(u32 hash);
/* A VM's own frame has these contents now: whose else?  A shared frame before a hint.  If nobody's, the frame becomes a hint. */
struct share_match share_look(u32 mpn, u32 group, u32 hash);
/* A hint with this hash that is not `mpn` itself. */
struct share_match share_find_hint(u32 mpn, u32 group, u32 hash);
/* The frame becomes a hint whoever else has its contents. */
void share_note(u32 mpn, u32 hash);
/* The frame is no hint any more.  For anybody who takes it away from its page. */
void share_forget(u32 mpn);
/* A page's own frame, which nobody can write any more, becomes SHARED with the page's one reference; false: its bucket is full. */
bool share_promote(u32 mpn, u32 group, u32 hash);
/* A reference to the first shared frame with this hash behind the `skip` first ones, or 0. */
u32 share_take(u32 group, u32 hash, u32 skip);
/* One reference less, whose VM cannot reach the frame any more; the last one frees it. */
void share_release(u32 mpn);
/* The page that holds the only reference gets the frame for itself; false: there are others. */
bool share_take_back(u32 mpn, u32 owner, u32 ppn);

struct share_totals {
	u64 frames, references; /* shared frames and the pages that name them, the zero frame apart */
	u64 hints;
	u64 heads; /* of the table */
};
void share_totals(struct share_totals *totals);

/* Is the node where it should be?  NULL, or what is wrong. For the audit. */
const char *share_fault(u32 mpn);
