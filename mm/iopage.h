/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages that devices cannot reach.  A device with 32-bit DMA gets a page above 4 GiB through a copy in a low bounce buffer.  Copies are
 * counted in the page's entry; a page that is copied often is HOT_IO, waits in its VM's queue, and is moved to a low frame.  When low frames
 * are short, pages that no device uses are moved up.
 *
 * Counts decay by a hand that goes round the VM's pages, one page a copy, and halves what it finds: a count is at most about twice the page's
 * copies among as many as the VM has pages.
 */
#pragma once
#include "mm/platform.h"

enum { IOPAGE_QUEUE = 64 };

struct iopage {                  /* of a VM, under its lock */
	u64 hot;                 /* pages that are HOT_IO */
	u64 decay;               /* the page that the hand is at */
	u32 first, waiting;      /* of the queue */
	u32 queue[IOPAGE_QUEUE]; /* PPNs that should move down, a ring */
	u64 group, looked;       /* moving up: the next group of pages, and how many this round has seen */
	u64 progress;            /* pages and reservations that this round has moved */
	bool insist;             /* a round over pages that were not accessed did not help: now the others, too */
	bool ended;              /* the VM is being released */
	u64 rest_until_ns;       /* nothing in this VM can move up */
	struct mm_iopage counts;
};

struct page;

void iopage_init(void);
/* The page is HOT_IO and not pinned: it should move down. */
void iopage_ask(struct mm_vm *vm, struct page *page);
bool iopage_has_work(const struct mm_vm *vm);
void iopage_step(struct mm_vm *vm);
void iopage_release(struct mm_vm *vm);
/* Pages of all VMs that wait to move down. */
u64 iopage_waiting(void);
