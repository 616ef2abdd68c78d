/* SPDX-License-Identifier: BSD-2-Clause */
/* log, log follow, vm log. */
#include "kernel/core/log.h"
#include "kernel/lib/check.h"
#include "kernel/shell/cmd.h"
#include "kernel/shell/shell.h"
#include "kernel/shell/tail.h"
#include <string.h>

enum { GUEST_LINES = 50, MOST_LINES = 1000000 };

enum cmd_result cmd_log(struct cmd *cmd);
enum cmd_result cmd_vm_log(struct cmd *cmd);

static struct tail tail; /* one command runs at a time */

static enum cmd_result go_on(struct cmd *cmd)
{
	if (!cmd->interrupted && !tail_step(&tail, cmd->out))
		return CMD_AGAIN;
	tail_stop(&tail, cmd->out);
	out_close(cmd->out);
	return CMD_DONE;
}

/* ---- the hypervisor's log ---- */

static u64 own_begin(void *context)
{
	(void)context;
	return log_begin();
}

static u64 own_end(void *context)
{
	(void)context;
	return log_end();
}

static u32 own_read(void *context, u64 position, u8 *to, u32 bytes)
{
	(void)context;
	return log_read(position, (char *)to, bytes);
}

static enum cmd_result follow(struct cmd *cmd)
{
	bool on = cmd->argc == 2 && strcmp(cmd->argv[1], "on") == 0;

	if (cmd->argc != 2 || (!on && strcmp(cmd->argv[1], "off") != 0)) {
		out_error(cmd->out, "log follow: on or off");
		return CMD_DONE;
	}
	shell_follow_log(on);
	out_line(cmd->out, "log follow: %s", cmd->argv[1]);
	out_member(cmd->out, "follow", on ? "true" : "false", false);
	return CMD_DONE;
}

static bool begin_own(struct cmd *cmd)
{
	static const struct tail_source source = { own_begin, own_end, own_read, NULL };
	u64 lines = MOST_LINES;

	if (cmd->argc == 2)
		out_error(cmd->out, "usage: log [LINES], log follow on|off");
	if (cmd->argc == 2 || (cmd->argc == 1 && !cmd_number(cmd, 0, "lines", 1, MOST_LINES, &lines)))
		return false;
	out_array(cmd->out, "lines");
	tail_begin(&tail, &source, lines);
	return true;
}

enum cmd_result cmd_log(struct cmd *cmd)
{
	if (cmd->argc > 0 && strcmp(cmd->argv[0], "follow") == 0)
		return follow(cmd);
	if (cmd->phase++ == 0 && !begin_own(cmd))
		return CMD_DONE;
	return go_on(cmd);
}

/* ---- a guest's console ---- */

static u64 guest_begin(void *context)
{
	return vm_console_begin(context);
}

static u64 guest_end(void *context)
{
	return vm_console_end(context);
}

/* vm_console_read gives what it still has: bytes from a later position would be taken for those asked for. */
static u32 guest_read(void *context, u64 position, u8 *to, u32 bytes)
{
	u32 count = vm_console_read(context, position, to, bytes);

	return vm_console_begin(context) <= position ? count : 0;
}

static bool begin_guest(struct cmd *cmd)
{
	const struct tail_source source = { guest_begin, guest_end, guest_read, cmd->vm };
	u64 lines = GUEST_LINES;

	if (cmd->argc > 1 && !cmd_number(cmd, 1, "lines", 1, MOST_LINES, &lines))
		return false;
	out_member(cmd->out, "vm", vm_config(cmd->vm)->name, true);
	out_array(cmd->out, "lines");
	tail_begin(&tail, &source, lines);
	return true;
}

enum cmd_result cmd_vm_log(struct cmd *cmd)
{
	if (cmd->phase++ == 0 && !begin_guest(cmd))
		return CMD_DONE;
	return go_on(cmd);
}
