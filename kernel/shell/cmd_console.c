/* SPDX-License-Identifier: BSD-2-Clause */
/* vm console, vm send, wait: a guest's console. */
#include "kernel/lib/check.h"
#include "kernel/shell/cmd.h"
#include "kernel/shell/match.h"
#include "kernel/shell/shell.h"
#include <string.h>

enum { SEND_SECONDS = 10, PIECE_BYTES = 128 };

enum cmd_result cmd_vm_console(struct cmd *cmd);
enum cmd_result cmd_vm_send(struct cmd *cmd);
enum cmd_result cmd_wait(struct cmd *cmd);

static const char *name_of(const struct cmd *cmd)
{
	return vm_config(cmd->vm)->name;
}

static bool is_off(const struct cmd *cmd)
{
	enum vm_state state = vm_state_of(cmd->vm);

	return state == VM_STOPPED || state == VM_FAILED;
}

enum cmd_result cmd_vm_console(struct cmd *cmd)
{
	if (cmd->out->json) {
		out_error(cmd->out, "vm console is for a terminal; vm log and vm send have --json");
		return CMD_DONE;
	}
	out_line(cmd->out, "attached to %s; Ctrl-] detaches", name_of(cmd));
	shell_attach(cmd->vm);
	return CMD_DONE;
}

/* ---- vm send ---- */

/* cursor: bytes of TEXT that the guest's input has; one more for Enter. */
static void type(struct cmd *cmd)
{
	u32 length = (u32)strlen(cmd->rest);
	static const u8 enter = '\r';

	if (cmd->cursor < length)
		cmd->cursor += vm_console_type(cmd->vm, (const u8 *)cmd->rest + cmd->cursor, length - (u32)cmd->cursor);
	if (cmd->cursor == length)
		cmd->cursor += vm_console_type(cmd->vm, &enter, 1);
}

enum cmd_result cmd_vm_send(struct cmd *cmd)
{
	u32 bytes = (u32)strlen(cmd->rest) + 1;

	if (cmd->phase++ == 0)
		cmd_set_deadline(cmd, SEND_SECONDS);
	enum vm_state state = vm_state_of(cmd->vm);

	if (state != VM_RUNNING && state != VM_STOPPING) {
		out_error(cmd->out, "%s is %s, not running", name_of(cmd), vm_state_text(state));
		return CMD_DONE;
	}
	type(cmd);
	if (cmd->cursor < bytes && !cmd->interrupted && !cmd_is_late(cmd))
		return CMD_WAIT;
	if (cmd->cursor < bytes) {
		out_error(cmd->out, "%s does not read its console: %llu of %u bytes typed", name_of(cmd), cmd->cursor, bytes);
		return CMD_DONE;
	}
	out_member(cmd->out, "vm", name_of(cmd), true);
	out_number(cmd->out, "typed", bytes);
	return CMD_DONE;
}

/* ---- wait ---- */

/* Up to where each VM's output has been searched: the next wait goes on behind what the last one found. */
static u64 searched[CONFIG_MAX_VMS];
static struct match match;

static u64 *searched_of(const struct vm *vm)
{
	u32 i = 0;

	while (vm_get(i) != vm)
		i++;
	CHECK(i < CONFIG_MAX_VMS);
	return &searched[i];
}

static bool begin_wait(struct cmd *cmd)
{
	if (!match_begin(&match, cmd->rest)) {
		out_error(cmd->out, "wait: at most %u bytes of text", (u32)MATCH_BYTES);
		return false;
	}
	cmd->cursor = max_u64(*searched_of(cmd->vm), vm_console_begin(cmd->vm));
	shell_listen(cmd->vm);
	return true;
}

/* A piece of the output; true: found. */
static bool search(struct cmd *cmd)
{
	u8 piece[PIECE_BYTES];
	u64 begin = vm_console_begin(cmd->vm);

	if (begin > cmd->cursor) {
		cmd->cursor = begin;
		match.matched = 0;
	}
	u32 wanted = (u32)min_u64(vm_console_end(cmd->vm) - cmd->cursor, sizeof(piece));
	u32 count = wanted ? vm_console_read(cmd->vm, cmd->cursor, piece, wanted) : 0;
	u32 used = 0;
	bool found = false;

	while (used < count && !found)
		found = match_feed(&match, piece[used++]);
	cmd->cursor += used;
	*searched_of(cmd->vm) = cmd->cursor;
	return found;
}

enum cmd_result cmd_wait(struct cmd *cmd)
{
	if (cmd->phase++ == 0 && !begin_wait(cmd))
		return CMD_DONE;
	bool off = is_off(cmd);

	if (search(cmd)) {
		out_member(cmd->out, "vm", name_of(cmd), true);
		out_number(cmd->out, "position", cmd->cursor);
		return CMD_DONE;
	}
	if (cmd->interrupted) {
		out_error(cmd->out, "wait: interrupted");
		return CMD_DONE;
	}
	if (cmd->cursor < vm_console_end(cmd->vm))
		return CMD_AGAIN;
	if (!off)
		return CMD_WAIT;
	out_error(cmd->out, "%s is %s and has not printed it", name_of(cmd), vm_state_text(vm_state_of(cmd->vm)));
	return CMD_DONE;
}
