/* SPDX-License-Identifier: BSD-2-Clause */
/* Background work takes rights of a page away.  Needs the VM's lock. */
#pragma once
#include "mm/pmap.h"

/*
 * Guard a PRIVATE page: any access above `ceiling` cancels it.  E_STATE: it is pinned, guarded or held.  When the VM's last epoch is settled, its
 * contents change only with the mark.
 */
err_t watch_guard(struct mm_vm *vm, struct page *page, enum mm_ceiling ceiling);
/* Every right to these pages of one block goes; their history is kept, the last epoch is the debt. */
void watch_take_rights(struct mm_vm *vm, struct page *page, u32 pages);
/* Take every right away until the page is accessed.  E_STATE: it is pinned or in transit, so it is in use. */
err_t watch_sample(struct mm_vm *vm, struct page *page);
/*
 * A group is HARVEST_PAGES pages (less at the end of memory): harvest group `number` of the VM and note in its entries what was seen.
 * The entries, or NULL: no page of it was ever touched.  *pages: how many it has.
 */
enum { GROUPS_PER_BLOCK = LARGE_PAGES / HARVEST_PAGES };
u64 watch_group_count(const struct mm_vm *vm);
u64 *watch_harvest_group(struct mm_vm *vm, u64 number, u32 *pages, struct mm_harvest *seen);
