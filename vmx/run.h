/* SPDX-License-Identifier: BSD-2-Clause */
/* The way into the guest: all that is looked at between two entries. */
#pragma once
#include "kernel/core/step.h"
#include "vmx/vcpu.h"

static inline bool run_has_news(const struct vcpu *v)
{
	return (__atomic_load_n(&v->notices, __ATOMIC_RELAXED) | *v->yield) != 0;
}

/* The rare rest of run_enter: invalidates if `stale`, acts on the news, until there are none. */
enum exit_action run_prepare(struct vcpu *v, bool stale);

/*
 * EXIT_RESUME: enter the guest, now.  A CPU that sets a notice (or *yield) and then sees this CPU outside of the guest sends no
 * interrupt.  So the last look at both comes after step_enter_guest, which says "in the guest" and fences; an interrupt sent later
 * is pending at entry and exits at once.
 */
static inline enum exit_action run_enter(struct vcpu *v)
{
	bool stale = step_enter_guest(v->step, v->vm_id);

	if (__builtin_expect(stale | run_has_news(v), 0))
		return run_prepare(v, stale);
	if (DEBUG_BUILD)
		step_check_entry(v->vm_id);
	return EXIT_RESUME;
}
