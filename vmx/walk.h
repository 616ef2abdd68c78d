/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's page tables, walked as the processor does: without paging, 32-bit, PAE and 4-level, with their rights and page
 * sizes.  SDM vol. 3A, 4.  Gather, then act: walk_find changes nothing (it may suspend), walk_mark sets accessed and dirty flags.
 */
#pragma once
#include "vmx/vcpu.h"

enum {
	WALK_WRITE = 1,
	WALK_USER = 2,  /* CPL 3 */
	WALK_FETCH = 4, /* code: the processor has fetched it already, so that no flag is left to set */
};

enum { WALK_LEVELS = 4 };

struct walk_entry {
	void *slot;  /* valid until the end of the step */
	u64 seen;    /* as it was read */
	u64 missing; /* flags to set */
};

struct walk {
	gpa_t address;
	u32 fault; /* the page fault's error code, after E_INVALID */
	u32 entry_bytes;
	u32 marks;
	struct walk_entry mark[WALK_LEVELS];
};

/*
 * OK: `address` is where the linear address leads.  E_INVALID: a page fault, `fault` is its error code.  E_NOT_FOUND: a paging
 * structure lies in no memory.  E_SUSPEND, E_NO_MEMORY: as from mm.
 */
err_t walk_find(struct vcpu *v, gva_t linear, u32 access, struct walk *walk);
/* Set what the access sets. False: the tables have changed meanwhile; walk again (some accessed flags may be set). */
bool walk_mark(const struct walk *walk);
