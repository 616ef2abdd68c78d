/* SPDX-License-Identifier: BSD-2-Clause */
/* debug: faults on purpose.  A release build has the rows, to say in one line that it refuses, and nothing behind them. */
#include "kernel/core/provoke.h"
#include "kernel/lib/check.h"
#include "kernel/shell/cmd.h"

enum { WHY_BYTES = 240, HEX_DIGITS = 16 };

enum cmd_result cmd_debug(struct cmd *cmd);
enum cmd_result cmd_debug_entry(struct cmd *cmd);

static bool is_refused(struct cmd *cmd)
{
	if (!DEBUG_BUILD)
		out_error(cmd->out, "debug %s: this is a release build; only debug builds break themselves", cmd->command->sub);
	return !DEBUG_BUILD;
}

enum cmd_result cmd_debug(struct cmd *cmd)
{
	CHECK(cmd->command->sub);
	if (!is_refused(cmd))
		out_error(cmd->out, "debug %s: %s", cmd->command->sub, provoke(cmd->command->sub));
	return CMD_DONE;
}

static bool parse_hex(const char *text, u64 *value)
{
	u32 digits = 0;

	*value = 0;
	if (text[0] == '0' && text[1] == 'x')
		text += 2;
	for (; text[digits]; digits++) {
		char c = text[digits];
		u32 digit = c >= '0' && c <= '9' ? (u32)(c - '0') : c >= 'a' && c <= 'f' ? (u32)(c - 'a') + 10 : HEX_DIGITS;

		if (digit == HEX_DIGITS || digits == HEX_DIGITS)
			return false;
		*value = *value << 4 | digit;
	}
	return digits > 0;
}

enum cmd_result cmd_debug_entry(struct cmd *cmd)
{
	char why[WHY_BYTES] = "";
	u64 value;

	CHECK(cmd->vm && cmd->argc == 3);
	if (is_refused(cmd))
		return CMD_DONE;
	if (!parse_hex(cmd->argv[2], &value))
		out_error(cmd->out, "'%.40s': up to 16 hexadecimal digits, in small letters", cmd->argv[2]);
	else if (vm_break_entry(cmd->vm, cmd->argv[1], value, why, sizeof(why)))
		out_error(cmd->out, "%s", why);
	else
		cmd_say_state(cmd);
	return CMD_DONE;
}
