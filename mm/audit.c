/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every invariant of mm, a bounded piece a step, while the machine goes on: a piece looks under the lock of what it looks at.  What must
 * be summed over several steps restarts when its generation has moved.
 */
#include "mm/audit.h"
#include "kernel/lib/format.h"
#include "kernel/lib/log.h"
#include <stdarg.h>
#include <string.h>

enum { MAX_LINES = 64, LINE_BYTES = 160 };

_Static_assert(sizeof(struct audit_state) <= sizeof(((struct mm_audit *)NULL)->private_state), "fits its place");

void audit_report(struct audit *audit, const char *text, ...)
{
	char line[LINE_BYTES];
	va_list arguments;

	if (audit->quiet)
		return;
	if (audit->public_->findings++ >= MAX_LINES)
		return;
	va_start(arguments, text);
	format_va(line, sizeof(line), text, arguments);
	va_end(arguments);
	audit->finding(audit->context, line);
}

bool audit_again(struct audit *audit, const char *what)
{
	if (audit->state.restarts++ < AUDIT_RESTARTS)
		return true;
	log_line("audit: %s changed %u times while it was summed; not compared", what, AUDIT_RESTARTS);
	return false;
}

static bool (*const phases[])(struct audit *audit) = { audit_frames, audit_zones, audit_pool,    audit_blocks,
						       audit_slots,  audit_sums,  audit_balance, audit_machine };

void mm_audit_begin(struct mm_audit *public_)
{
	*public_ = (struct mm_audit){ 0 };
}

static void next_phase(struct audit *audit)
{
	u32 phase = audit->state.phase + 1;

	audit->public_->cursor = 0;
	audit->public_->vm_cursor = 0;
	audit->state = (struct audit_state){ .phase = phase };
}

bool mm_audit_step(struct mm_audit *public_, void (*finding)(void *context, const char *line), void *context)
{
	struct audit audit = { .public_ = public_, .finding = finding, .context = context };

	memcpy(&audit.state, public_->private_state, sizeof(audit.state));
	CHECK(audit.state.phase <= ARRAY_SIZE(phases));
	if (audit.state.phase == ARRAY_SIZE(phases))
		return false;
	if (phases[audit.state.phase](&audit))
		next_phase(&audit);
	memcpy(public_->private_state, &audit.state, sizeof(audit.state));
	return audit.state.phase < ARRAY_SIZE(phases);
}
