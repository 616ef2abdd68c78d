/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is shared comes apart: each page of a VM gets a frame of its own, and its hints go; then it may belong to another group.  A piece in
 * each mm_share_step, before anything else, at no limited rate.  All need the VM's lock.
 */
#pragma once
#include "mm/pmap.h"

struct mm_vm;

/* From now on nothing of the VM is scanned, and then it is of group `to`. */
void unshare_begin(struct mm_vm *vm, u32 to);
bool unshare_has_work(struct mm_vm *vm);
void unshare_step(struct mm_vm *vm, u32 looks);

/* May a page of it name the one frame of zeros? */
bool unshare_may_read_zeros(const struct mm_vm *vm);

/* May its pages be shared now? */
static inline bool unshare_allows(const struct mm_vm *vm)
{
	return !vm->unshare.active && !vm->unshare.off;
}
