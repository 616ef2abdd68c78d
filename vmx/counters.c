/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/counters.h"
#include "kernel/lib/check.h"

/* The middle of a bucket. */
static u64 cycles_of(u32 bucket)
{
	u32 octave = bucket / BUCKETS_PER_OCTAVE + FIRST_OCTAVE;
	u64 quarter = 1ULL << (octave - 2);

	return (BUCKETS_PER_OCTAVE + bucket % BUCKETS_PER_OCTAVE) * quarter + quarter / 2;
}

/* The bucket that holds the exit number `rank` (from 0) in the order of cycles. */
static u64 cycles_at(const struct exit_cycles *of_reason, u64 rank)
{
	u64 below = 0;

	for (u32 i = 0; i < CYCLE_BUCKETS; i++) {
		below += of_reason->bucket[i];
		if (rank < below)
			return cycles_of(i);
	}
	return 0;
}

void counters_stat(const struct exit_cycles *of_reason, struct exit_stat *stat)
{
	u64 count = 0;

	for (u32 i = 0; i < CYCLE_BUCKETS; i++)
		count += of_reason->bucket[i];
	stat->count = count;
	if (!count)
		return;
	stat->min_cycles = cycles_at(of_reason, 0);
	stat->median_cycles = cycles_at(of_reason, (count - 1) / 2);
	stat->p99_cycles = cycles_at(of_reason, count - 1 - (count - 1) / 100);
	CHECK(stat->min_cycles <= stat->median_cycles && stat->median_cycles <= stat->p99_cycles);
}

void vcpu_exit_stat(const struct vcpu *v, u32 reason, struct exit_stat *stat)
{
	CHECK(reason < EXIT_REASONS);
	*stat = (struct exit_stat){ .reason = exit_reason_name(reason) };
	if (stat->reason)
		counters_stat(&v->cycles[reason], stat);
}
