/* SPDX-License-Identifier: BSD-2-Clause */
/* audit: every module's invariants, a piece a step.  What is found is kept until the end: the answer begins with the verdict. */
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"
#include "kernel/shell/cmd.h"
#include <string.h>

enum { FINDINGS = 64, FINDING_BYTES = 176 };

enum cmd_result cmd_audit(struct cmd *cmd);

static struct {
	struct mm_audit mm;
	u32 count; /* found; the first FINDINGS are kept */
	char text[FINDINGS][FINDING_BYTES];
} audit;

static void finding(void *context, const char *line)
{
	const char *where = context;

	if (audit.count < FINDINGS)
		format(audit.text[audit.count], FINDING_BYTES, "%s: %s", where, line);
	audit.count++;
}

static bool begin(struct cmd *cmd)
{
	(void)cmd;
	audit.count = 0;
	mm_audit_begin(&audit.mm);
	return true;
}

static bool audit_memory(struct cmd *cmd)
{
	static char where[] = "mm";

	(void)cmd;
	return !mm_audit_step(&audit.mm, finding, where);
}

static bool audit_devices(struct cmd *cmd)
{
	if (cmd->cursor == vm_count)
		return true;
	struct vm *vm = vm_get((u32)cmd->cursor++);
	const char *broken = vm_audit(vm);
	char where[CONFIG_NAME_BYTES + 16];

	format(where, sizeof(where), "devices of %s", vm_config(vm)->name);
	if (broken)
		finding(where, broken);
	return false;
}

static bool say_verdict(struct cmd *cmd)
{
	cmd->cursor = 0;
	out_line(cmd->out, audit.count ? "audit: broken" : "audit: ok");
	out_member(cmd->out, "audit", audit.count ? "broken" : "ok", true);
	if (audit.count) {
		out_number(cmd->out, "count", audit.count);
		out_array(cmd->out, "findings");
	}
	return true;
}

static bool say_findings(struct cmd *cmd)
{
	if (cmd->cursor < min_u64(audit.count, FINDINGS)) {
		const char *text = audit.text[cmd->cursor++];

		out_line(cmd->out, "  %s", text);
		out_member(cmd->out, NULL, text, true);
		return false;
	}
	if (audit.count > FINDINGS)
		out_line(cmd->out, "  and %u more", audit.count - FINDINGS);
	return true;
}

enum cmd_result cmd_audit(struct cmd *cmd)
{
	static bool (*const parts[])(struct cmd *) = { begin, audit_memory, audit_devices, say_verdict, say_findings };

	if (cmd->interrupted) {
		out_error(cmd->out, "audit: interrupted");
		return CMD_DONE;
	}
	CHECK(cmd->phase < ARRAY_SIZE(parts));
	if (parts[cmd->phase](cmd))
		cmd->phase++;
	return cmd->phase == ARRAY_SIZE(parts) ? CMD_DONE : CMD_AGAIN;
}
