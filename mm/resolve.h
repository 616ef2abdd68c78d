/* SPDX-License-Identifier: BSD-2-Clause */
/* The one way to a page's frame, for guests' faults, the hypervisor's own accesses and pins.  Needs the VM's lock. */
#pragma once
#include "mm/pmap.h"

/*
 * Make the pmap allow `access` and note it in the history: afterwards the entry names a frame and its ceiling lets the access through.
 * E_SUSPEND: in transit.  E_NO_MEMORY: no frame.  E_NOT_FOUND: a device's page.  E_IO: it cannot be read.  The
 * caller asks to be woken (vm_wait) before it unlocks.  `vcpu`: for whom, so that it is held for it.
 */
err_t resolve_page(struct mm_vm *vm, u32 vcpu, struct page *page, enum mm_access access);
/* A frame for the page (0: none): out of the reservation or the cache, else what this VM's own debts and reservations give back at once. */
u32 resolve_take_frame(struct mm_vm *vm, struct page *page);
/* A BUSY page that the guest gave up while it was shared: BALLOONED, if nobody can read the shared frame as this page any more. */
bool resolve_drop(struct mm_vm *vm, struct page *page);
/* A mapping of 2 MiB becomes one of 4 KiB pages: what the hardware noted for the leaf holds for all of them. */
void resolve_split(struct mm_vm *vm, struct page *page);
