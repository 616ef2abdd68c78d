/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sharing scanner.  A pass looks at the pages that have changed since the last one, in an order that no guest knows; a page whose
 * contents the sharing table knows becomes a candidate: write-protected, and queued until no CPU can write to it any more.  Then it is
 * compared in full with the shared frames of its hash and joins one.  If there is none yet, but a hint, it becomes one itself, and the
 * hint's page a candidate.  Two VMs are never locked together: what one finds about another is proposed to it.
 */
#pragma once
#include "mm/pace.h"

enum { SCAN_CALLED = 128 };

/* What the scanner knows of a VM; under its lock. */
struct scan {
	u64 group, stride, done; /* groups of pages: the one under way, the order of the pass, how many it has seen */
	u64 due;                 /* pages of the group that are still to be looked at */
	u64 group_epoch;         /* until it is settled, a page of the group may be written unseen */
	u32 pass;
	bool active;  /* a pass is under way */
	u64 ended_ns; /* when the last one was over */
	struct pace pace;
	u32 called_count;
	u32 called[SCAN_CALLED]; /* pages whose contents became known while the batch took none */
	struct mm_scan_counts counts;
};
