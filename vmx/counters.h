/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exits by reason: how many took how many cycles, from the exit to the next entry.  Each reason has a histogram whose buckets are
 * quarters of an octave from 32 cycles up: a count costs about a dozen instructions and percentiles are right within 12 %.
 */
#pragma once
#include "vmx/exit.h"

enum { BUCKETS_PER_OCTAVE = 4, FIRST_OCTAVE = 5 };

/* A bucket's number; what is out of range goes to the first or last. */
static inline u32 counters_bucket(u32 cycles)
{
	u32 octave = 31 ^ (u32)__builtin_clz(cycles | 1);
	u32 quarter = cycles >> ((octave - 2) & 31); /* 4 … 7 */
	u32 bucket = octave * BUCKETS_PER_OCTAVE + quarter - (FIRST_OCTAVE + 1) * BUCKETS_PER_OCTAVE;

	if (__builtin_expect(bucket >= CYCLE_BUCKETS, 0))
		return octave < FIRST_OCTAVE ? 0 : CYCLE_BUCKETS - 1;
	return bucket;
}

static inline void counters_add(struct exit_cycles *of_reason, u32 cycles)
{
	of_reason->bucket[counters_bucket(cycles)]++;
}

void counters_stat(const struct exit_cycles *of_reason, struct exit_stat *stat); /* all but the name */
