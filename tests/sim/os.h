/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's operating system, as far as memory sees it: data (more than its memory may hold) lives in pages by second chance, and a
 * balloon driver asks for its target and gives or takes pages back, free ones first, then what the guest itself would drop.
 */
#pragma once
#include "tests/sim/guest.h"

struct os {
	struct guest *guest;
	u32 data;           /* pages of it */
	u32 system, common; /* the first so many are the same for all guests of this operating system */
	u32 zeroed;         /* pages that booting has cleared */
	u32 *page_of;       /* of each: its page + 1, 0: not in memory */
	u32 *data_of;       /* of each page: its data + 1, 0: free */
	bool *used;         /* since the hand was there */
	u32 *free;          /* a stack of free pages */
	u32 free_count, hand;
	bool has_driver;
	u32 *given; /* a stack of those in the balloon */
	u32 given_count;
	u64 hits, misses;
};

enum os_use { OS_WAITS, OS_HIT, OS_MISS }; /* for the host: try again; it was there; it had to be read from the guest's disk */

struct os *os_start(struct guest *guest, u32 data);
void os_end(struct os *os); /* and the guest's */
/* Booting clears all memory, a page at a time.  OS_HIT: all is done. */
enum os_use os_boot(struct os *os);
/* Use one page of data. */
enum os_use os_use(struct os *os, u32 data, bool write);
/* The balloon driver's look, up to `pages` pages at a time; it says hello with its first. */
void os_balloon(struct os *os, u32 pages);
