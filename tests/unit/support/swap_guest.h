/* SPDX-License-Identifier: BSD-2-Clause */
/* Guests whose pages each hold something of their own, on a machine with a swap area. */
#pragma once
#include "mm/pmap.h"
#include "tests/unit/support/platform_fake.h"

/* A machine of some 3,000 frames with so many slots. */
void swap_machine(u64 seed, u32 slots);
/* Write to the page what only it holds in this `round`. */
void swap_fill(u32 slot, u32 page, u32 round);
/* CHECK that a read finds that, bringing it back if need be. */
void swap_expect(u32 slot, u32 page, u32 round);
/* All work that is to be done now. */
void swap_settle(void);
/* The same, and all transfers end, until nothing is under way. */
void swap_run(void);
/* The VM loses so many pages, and they are gone. */
void swap_out(u32 slot, u64 pages);
struct mm_pageout swap_pageout(u32 slot);
u64 swap_entry(u32 slot, u32 page);
enum page_state swap_state(u32 slot, u32 page);
/* A page in this state; UINT32_MAX: there is none. */
u32 swap_find(u32 slot, u32 pages, enum page_state state);
u32 swap_count(u32 slot, u32 pages, enum page_state state);
