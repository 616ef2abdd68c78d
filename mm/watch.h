/* SPDX-License-Identifier: BSD-2-Clause */
/* Background work takes rights of a page away.  Needs the VM's lock. */
#pragma once
#include "mm/pmap.h"

/* Let the page's 2 MiB mapping go; E_STATE where background work has to pass by. */
err_t watch_begin(struct mm_vm *vm, struct page *page);
/*
 * Guard a PRIVATE page: any access above `ceiling` cancels it.  E_STATE: it is pinned or guarded.  When the VM's last epoch is settled, its
 * contents change only with the mark.
 */
err_t watch_guard(struct mm_vm *vm, struct page *page, enum mm_ceiling ceiling);
