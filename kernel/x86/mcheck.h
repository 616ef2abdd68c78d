/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine checks: what the processor's banks say, and what follows from it (SDM vol. 3B, 16.3 and 16.6).  Judging is pure; reading and
 * clearing the banks is for the CPU that got the exception, in any context.
 */
#pragma once
#include "kernel/lib/types.h"

/* What one bank says, the worse the later. */
enum mc_class {
	MC_SILENT,    /* nothing valid in it */
	MC_NOTED,     /* corrected, deferred, or not what was signalled: a line in the log */
	MC_OPTIONAL,  /* uncorrected and signalled, but nobody has used it (action optional) */
	MC_ELSEWHERE, /* another logical processor of this core must act */
	MC_FRAME,     /* uncorrected, in one page of memory, used by what ran here (action required); the rest is sound */
	MC_FATAL,
};

struct mc_bank {
	u64 status, address, misc; /* IA32_MCi_STATUS, _ADDR, _MISC; the last two only where the first says so, else 0 */
};

/* IA32_MCG_CAP and IA32_MCG_STATUS */
struct mc_global {
	u64 capabilities, status;
};

struct mc_verdict {
	struct mc_global global;
	enum mc_class kind; /* of the worst bank */
	u32 number;         /* its number, unless kind is MC_SILENT */
	struct mc_bank bank;
};

/* ---- pure ---- */
enum mc_class mc_classify(const struct mc_global *global, const struct mc_bank *bank);
void mc_weigh(struct mc_verdict *verdict, u32 number, const struct mc_bank *bank); /* one more bank */
/* May what was interrupted go on?  `others`: this exception comes to all CPUs, and there are others that may have caused it. */
bool mc_goes_on(const struct mc_verdict *verdict, bool others);

/* ---- this CPU ---- */
void mcheck_enable(void); /* all banks report; what they kept from before is logged and cleared */
void mcheck_judge(struct mc_verdict *verdict);
void mcheck_done(const struct mc_verdict *verdict); /* clears what was judged: from here on the next one can come */
/* One line for each bank that has something to say, or that none has. */
void mcheck_dump(void (*line)(const char *format, ...));
