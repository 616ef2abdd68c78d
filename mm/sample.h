/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much of its memory a VM uses.  The paper's estimator: in each period some pages, chosen at random, lose every right; those that are
 * accessed are counted, by whom and what for is the same.  Three averages of the fraction, a slow one, a fast one and a fast one that
 * includes the period under way; the largest wins, so the estimate goes up quickly and down slowly.
 * And a sweep over the accessed flags where the processor has them: exact to the page.
 */
#pragma once
#include "mm/platform.h"

enum { SAMPLE_ONE = 1 << 16 }; /* a fraction of 1 */

struct sample_averages {
	u32 slow, fast; /* fractions */
	bool begun;
};

struct sample {
	u32 list;           /* MPN of the page that holds the chosen PPNs, 0: not sampled */
	u32 wanted, chosen; /* pages of this period; chosen so far */
	u32 touched;        /* of them */
	u32 undone;         /* ending a period: entries of the list whose mark is gone */
	bool ending;
	u64 period_begin_ns; /* the VM's time */
	struct sample_averages averages;
	u32 last_touched, last_chosen; /* of the period before */
	/* The sweep. */
	u64 sweep_group;   /* the next group of pages */
	u64 sweep_touched; /* pages seen touched in this sweep */
	u32 sweep_active;  /* fraction, of the last one */
	bool sweep_known;
};

struct mm_vm;
void sample_release(struct mm_vm *vm); /* its list is given back; for the VM's end */

/* A period is over in which `touched` of `chosen` pages were. */
void sample_add(struct sample_averages *averages, u32 touched, u32 chosen);
/* The largest of the three, while `touched` of `chosen` pages are in the period under way. */
u32 sample_estimate(const struct sample_averages *averages, u32 touched, u32 chosen);

/*
 * Where the true fraction lies with at least 95 % probability when `touched` of `chosen` pages were: Wilson's score interval with correction
 * for continuity (E. B. Wilson 1927; R. G. Newcombe 1998, method 4).
 */
struct sample_interval {
	u32 low, high;
};
struct sample_interval sample_interval(u32 touched, u32 chosen);
