/* SPDX-License-Identifier: BSD-2-Clause */
/* What mm knows of a VM's balloon; under its lock. */
#pragma once
#include "kernel/lib/types.h"

enum { BALLOON_PERMILLE = 650 }; /* of its size that a VM's balloon may hold, unless it is told otherwise */

struct balloon {
	bool here;  /* a driver speaks */
	bool dead;  /* it did not do what it was asked to in time, and has not since */
	u64 target; /* pages that it should hold */
	u64 limit;  /* pages that it may be asked to hold at most */
	/* It holds less than it should since then (0: it does not), and has to have this many 10 s later. */
	u64 behind_since_ns;
	u64 milestone;
	u64 popped; /* pages that the guest touched though it had given them up */
};

struct mm_vm;
/* All need the VM's lock. */
void balloon_ask(struct mm_vm *vm, u64 pages); /* as mm_balloon_set_target */
bool balloon_judge(struct mm_vm *vm);          /* does its driver do what it is asked to? */
void balloon_set_limit(struct mm_vm *vm, u64 pages);
