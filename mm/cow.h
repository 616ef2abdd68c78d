/* SPDX-License-Identifier: BSD-2-Clause */
/* A shared page gets its contents for itself.  All need the VM's lock. */
#pragma once
#include "mm/pmap.h"

/*
 * SHARED → PRIVATE.  E_SUSPEND: the page is BUSY until nobody can read the shared frame as this page any more, cow_finish goes on then;
 * E_NO_MEMORY: nothing has changed.
 */
err_t cow_break(struct mm_vm *vm, struct page *page);
/* A few of the copies that need wait no longer: the vCPU that wanted one may never come back for it. */
void cow_settle(struct mm_vm *vm);
/* A page whose frame is COPYING: PRIVATE if the debt is settled, else E_SUSPEND. */
err_t cow_finish(struct mm_vm *vm, struct page *page);
