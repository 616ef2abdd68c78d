/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What sharing saves a VM: the sum over its shared pages of 1 - 1/references, in bytes, rounded down.  A reference that comes or goes changes the
 * sums of all VMs that name the frame, and a frame does not know them: so sums are not kept but walked, a bounded piece a call, when somebody asks.
 */
#pragma once
#include "kernel/lib/types.h"

struct saved {
	bool wanted;             /* a walk is under way */
	u64 page;                /* where */
	u64 pages, whole, parts; /* so far: shared pages, and their bytes / references: whole bytes, and parts of one */
	u64 last_pages, last_whole, last_parts; /* of the last walk that was completed */
};

struct mm_vm;

/* Go on with the walk, or begin one; true: it is completed. Needs the VM's lock. */
bool saved_walk(struct mm_vm *vm);
/* As of the last walk, and of the zero frame now. */
u64 saved_bytes(const struct mm_vm *vm);
