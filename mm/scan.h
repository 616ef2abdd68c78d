/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sharing scanner.  A pass looks at the pages that have changed since the last one, in an order that no guest knows; a page whose
 * contents the sharing table knows becomes a candidate: write-protected, and queued until no CPU can write to it any more.  Then it is
 * compared in full with the shared frames of its hash and joins one.  If there is none yet, but a hint, it becomes one itself, and the
 * hint's page a candidate.  Two VMs are never locked together: what one finds about another is proposed to it.
 */
#pragma once
#include "mm/pace.h"

/* What the scanner knows of a VM; under its lock. */
struct scan {
	u64 start, stride, done; /* groups of pages: where the pass began, its order, how many it has seen */
	u64 in_use;              /* pages of the group that have been accessed since the last harvest, as far as hardware tells */
	u64 group_epoch;         /* until it is settled, a page of the group may be written unseen */
	u32 pass;
	u32 index;    /* next page of the group; HARVEST_PAGES: the group is done */
	bool active;  /* a pass is under way */
	u64 ended_ns; /* when the last one was over */
	struct pace pace;
	struct mm_scan_counts counts;
};
