/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages on their way to and from the swap area, sealed, through bounce buffers: no transfer names a frame of a VM, so a VM may end at any
 * time, and who needs a page that is being written has it at once.  Requests and buffers are there from the beginning: swapping out needs no
 * frame.  A request's slots are its own until it ends; the platform ends it at any time, swap_step does what follows.
 *
 * A write that fails: the page stays in memory, its slot is bad.  A read that fails or is not authentic: the page stays SWAPPED; after
 * SWAP_TRIES of them whoever needs it gets E_IO.  All but swap_step need the VM's lock.
 */
#pragma once
#include "mm/mm.h"

enum { SWAP_REQUESTS = 8, SWAP_OF_A_KIND = 6, SWAP_TRIES = 3 };

/* What is under way for one VM. */
struct swap {
	u32 filling;      /* request + 1 that takes pages to write, 0: none */
	u64 writing;      /* pages being written */
	u64 wait_arrival; /* vCPUs to wake when a page has come in, or has failed to */
	u64 wait_request; /* … when there is a request to read with */
};

struct page;

/* Off, until mm_swap_init. */
void swap_reset(void);
bool swap_is_on(void);

/* Is there a request with room?  (And a slot: that only swap_write can tell.) */
bool swap_can_write(const struct mm_vm *vm);
bool swap_can_read(void);

/* A PRIVATE page that nobody can reach is sealed and queued.  Within simd_begin.  False: no slot, or no request. */
bool swap_write(struct mm_vm *vm, struct page *page);
/* What is queued is written now. */
void swap_submit(struct mm_vm *vm);
/* Somebody needs a BUSY_IO page: OK: it was being written, and is PRIVATE again. */
err_t swap_meet(struct mm_vm *vm, struct page *page);
/* Somebody needs a SWAPPED page. */
err_t swap_read(struct mm_vm *vm, struct page *page);

/* Nobody needs a SWAPPED or BUSY_IO page's contents any more; its frame, if it has one, is PRIVATE and the caller's. */
void swap_forget(struct mm_vm *vm, u64 entry, ppn_t ppn);
/* The VM ends: nothing more is written for it. */
void swap_release(struct mm_vm *vm);

/* A piece of what follows a completion; false: there is none. */
bool swap_step(void);

/* Slots in requests.  For the audit. */
u64 swap_moving(void);
