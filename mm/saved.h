/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What sharing saves a VM, in bytes: its shared pages, less their parts of their frames.  A reference that comes or goes changes the sums of VMs
 * that the frame does not know: so they are not kept, but walked, a bounded piece a call, when somebody asks.
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
