/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a VM keeps pages that it holds in compressed form: frames (FRAME_STORE) in quarters, an object in one quarter or in two that lie
 * together.  A frame holds objects of one VM only: how long it takes to expand one says nothing about another VM.  Frames with free
 * quarters are linked through the frame table, by the longest run that is free; an empty one is free memory at once.
 *
 * All need the VM's lock.  Nothing waits, and nobody but the hypervisor ever reaches a frame here: nothing is owed when it goes.
 */
#pragma once
#include "kernel/lib/types.h"

struct mm_vm;
struct frame;

enum { STORE_QUARTERS = 4, STORE_QUARTER_BYTES = PAGE_SIZE / STORE_QUARTERS };

struct store {
	u32 first[2]; /* frames whose longest free run is one quarter, two or more: MPN, 0: none */
	u64 frames, objects;
	u64 limit; /* of frames */
};

struct store_object {
	u32 ppn; /* whose contents these are */
	u32 bytes;
	u8 data[];
};

enum { STORE_MAX_BYTES = 2 * STORE_QUARTER_BYTES - sizeof(struct store_object) };

struct store_place {
	u32 mpn;
	u32 part; /* its first quarter */
};

/*
 * Keep `bytes` of data for page `ppn`, whose frame `own` holds nothing that is needed any more.  That becomes a frame of the store if no other
 * has room: then *donated.  False: the store is full, nothing has changed.
 */
bool store_put(struct mm_vm *vm, u32 ppn, const void *data, u32 bytes, u32 own, struct store_place *place, bool *donated);
const struct store_object *store_object(struct store_place place);
/* The object goes, and its frame with the last one. */
void store_free(struct mm_vm *vm, struct store_place place);

/* For the audit: what is wrong, or NULL. */
const char *store_entry_fault(const struct mm_vm *vm, u32 ppn, struct store_place place); /* of an entry that names the place */
const char *store_frame_fault(struct mm_vm *vm, u32 mpn);                                 /* of a frame of the store */
const char *store_fault(const struct mm_vm *vm);                                          /* of its counters and lists */
