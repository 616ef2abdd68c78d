/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Progress.  An instruction may need many pages, and what was brought in first could be gone before the last is there, for ever.  So what a
 * vCPU was suspended for, and what it gets from then on, is neither swapped, shared nor moved until it has retired an instruction.
 * If HOLD_PAGES are not enough, who has waited longest takes from the others: one always gets on.  Under the VM's lock.
 */
#pragma once
#include "mm/mm.h"

enum { HOLD_PAGES = 32 };

struct hold {
	u32 count; /* oldest first; 0 is seen without the lock */
	struct {
		u32 ppn, vcpu;
	} pages[HOLD_PAGES];
};

void hold_add(struct hold *hold, u32 vcpu, ppn_t ppn);
bool hold_has(const struct hold *hold, ppn_t ppn);
/* Has this vCPU been suspended since it last got on? */
bool hold_is_waiting(const struct hold *hold, u32 vcpu);
