/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages that nobody has used for a while, kept as LZ4 in a quarter or half of a frame of their own VM (store.h): nearer than a disk.
 *
 * A page is compressed in eight pieces, one a call: a whole one may take 80,000 instructions, and a step has 20,000.  It comes back in one.
 * What is kept between the pieces is the VM's own.  All need the VM's lock; compress_page is called within simd_begin and simd_end.
 */
#pragma once
#include "mm/entry.h"
#include "mm/store.h"

struct page;

enum { COMPRESS_PIECES = 8, COMPRESS_PIECE = PAGE_SIZE / COMPRESS_PIECES, COMPRESS_ORDER = 3 };

struct compressor {
	u32 work;                    /* MPN of 2^COMPRESS_ORDER frames for LZ4 and what it makes, 0: none yet */
	u32 ppn, piece, bytes;       /* the page between two pieces, and how far it is; piece 0: none */
	u64 done, refused, expanded; /* pages */
};

enum compress_result {
	COMPRESS_REFUSED, /* more than half is left of it, or there is no room: the page is as it was */
	COMPRESS_MORE,    /* call again with this page, as long as it is guarded */
	COMPRESS_DONE,    /* COMPRESSED; its frame is free, or serves the store */
};

/* One piece of a page that is guarded with CEILING_NONE and settled: nobody can reach it. */
enum compress_result compress_page(struct mm_vm *vm, struct page *page);
/* Is this page between two pieces? */
bool compress_is_under_way(const struct mm_vm *vm, u32 ppn);
/* The page may have changed since its last piece. */
void compress_strike(struct mm_vm *vm, u32 ppn);

/* COMPRESSED → PRIVATE.  E_NO_MEMORY: no frame, nothing changed. */
err_t compress_expand(struct mm_vm *vm, struct page *page);
static inline struct store_place compress_place(u64 entry)
{
	return (struct store_place){ entry_frame(entry), entry_part(entry) };
}

/* Of a VM that ends. */
void compress_release(struct mm_vm *vm);
/* Frames that the VM holds for all this. */
u64 compress_frames(const struct mm_vm *vm);
