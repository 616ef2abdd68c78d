/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The free state: how urgently memory must be reclaimed.  Thresholds are the paper's 6/4/2/1 % up to 4 GiB; above, ESXi's sliding scale
 * (6 % of the first 4 GiB, 4 % up to 12, 2 % up to 28, 1 % of the rest) is "high", and soft, hard and low are 4/6, 2/6 and 1/6 of it.
 */
#pragma once
#include "mm/mm.h"

enum { FREE_STATES = 4 };

/* Thresholds in pages for a machine of `total` pages; free below at[s] falls to state s, free at at[s - 1] or more rises from it. */
void state_thresholds(u64 total, u64 at[FREE_STATES]);

/* The same for this machine. */
u64 state_threshold(enum mm_state state);

/* The machine's size has changed. */
void state_set_total(u64 total);

/* Free memory has changed: a few comparisons, unless the state changes. */
void state_note(void);
enum mm_state state_now(void);

/*
 * Frames that are set aside are free, but nobody else can have them at once.  So none is set aside unless plenty is left beside them, and
 * they are wanted back in time for tables and other VMs to find theirs without waiting.
 */
bool state_allows_reservations(void);
bool state_wants_reservations_back(void);
