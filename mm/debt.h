/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debts: frames that some CPU may still reach by a stale translation or a pointer.  They wait in their VM's queue, in the order of their
 * epochs, and count as debt until platform_settled says that every CPU has passed.  All need the VM's lock; nobody ever waits here.
 */
#pragma once
#include "mm/vm.h"

enum { DEBT_BATCH = 32 }; /* frames that one call settles at most */

/* A PRIVATE frame leaves page `ppn`; free it when `debt` is settled (now, if nothing is owed). */
void debt_free(struct mm_vm *vm, u32 mpn, u32 ppn, struct mm_debt debt);

/* The same where nobody can reach it any more, past the cache into its zone. */
void debt_free_now(struct mm_vm *vm, u32 mpn, u32 ppn);

/*
 * Take every right to page `ppn` away from the cache; the VM's last epoch says when it is so.  Its low half, which entries keep as their
 * handle, is never 0: that says that nothing is owed.
 */
void debt_take_rights(struct mm_vm *vm, ppn_t ppn);
void debt_take_rights_of(struct mm_vm *vm, ppn_t ppn, u32 pages); /* in one block */

/* Note an epoch that this VM's CPUs owe. */
void debt_publish(struct mm_vm *vm, struct mm_debt debt);

/* Has the epoch whose low half (or whose low 16 bits: then a later one may stand for it) an entry keeps been passed? */
bool debt_is_passed(struct mm_vm *vm, u32 handle);
bool debt_is_passed_16(struct mm_vm *vm, u16 low);

/* Free up to DEBT_BATCH frames whose epoch is passed; returns how many. */
u32 debt_settle(struct mm_vm *vm);
