/* SPDX-License-Identifier: BSD-2-Clause */
/* poweroff, reboot: all guests are asked to stop, in parallel; who does not in time is killed; then the machine.  And sleep. */
#include "kernel/core/power.h"
#include "kernel/lib/check.h"
#include "kernel/shell/cmd.h"

enum { ASKED_SECONDS = 10, KILLED_SECONDS = 10, SLEEP_MOST_SECONDS = 86400 };

enum cmd_result cmd_poweroff(struct cmd *cmd);
enum cmd_result cmd_reboot(struct cmd *cmd);
enum cmd_result cmd_sleep(struct cmd *cmd);

/* A part of the way: true: the next one. */
typedef bool part(struct cmd *cmd);

static bool is_there(struct vm *vm)
{
	enum vm_state state = vm_state_of(vm);

	return state != VM_STOPPED && state != VM_FAILED;
}

static bool any_is_there(void)
{
	for (u32 i = 0; i < vm_count; i++)
		if (is_there(vm_get(i)))
			return true;
	return false;
}

/* One VM a step. A paused guest cannot hear the button; in one that still starts nobody could. */
static bool ask(struct cmd *cmd)
{
	char why[VM_WHY_BYTES];

	if (cmd->cursor == vm_count) {
		cmd->cursor = 0;
		cmd_set_deadline(cmd, ASKED_SECONDS);
		return true;
	}
	struct vm *vm = vm_get((u32)cmd->cursor++);
	bool runs = vm_state_of(vm) == VM_RUNNING || (vm_state_of(vm) == VM_PAUSED && vm_resume(vm, why, sizeof(why)) == OK);

	if (runs && vm_stop(vm, why, sizeof(why)))
		out_line(cmd->out, "%s", why);
	if (vm_state_of(vm) == VM_STARTING && vm_kill(vm, why, sizeof(why)))
		out_line(cmd->out, "%s", why);
	return false;
}

static bool wait_for_all(struct cmd *cmd)
{
	return !any_is_there() || cmd_is_late(cmd);
}

static bool kill_next(struct cmd *cmd)
{
	char why[VM_WHY_BYTES];

	if (cmd->cursor == 0)
		out_array(cmd->out, "killed");
	if (cmd->cursor == vm_count) {
		out_close(cmd->out);
		cmd_set_deadline(cmd, KILLED_SECONDS);
		return true;
	}
	struct vm *vm = vm_get((u32)cmd->cursor++);
	const char *name = vm_config(vm)->name;

	if (is_there(vm) && vm_kill(vm, why, sizeof(why)) == OK) {
		out_line(cmd->out, "%s: did not stop in %u s; killed", name, (u32)ASKED_SECONDS);
		out_member(cmd->out, NULL, name, true);
	}
	return false;
}

static part *const parts[] = { ask, wait_for_all, kill_next, wait_for_all };
enum { KILLING = 2 };

static enum cmd_result give_up(struct cmd *cmd)
{
	for (u32 i = 0; i < vm_count; i++)
		if (vm_state_of(vm_get(i)) == VM_STOPPING && vm_stop_give_up(vm_get(i)))
			continue;
	out_error(cmd->out, "interrupted; the guests that have not stopped go on");
	return CMD_DONE;
}

static enum cmd_result end_machine(struct cmd *cmd, const char *what, void (*how)(void))
{
	CHECK(cmd->phase < ARRAY_SIZE(parts));
	bool waits = parts[cmd->phase] == wait_for_all;

	if (cmd->interrupted && cmd->phase < KILLING)
		return give_up(cmd);
	if (!parts[cmd->phase](cmd))
		return waits ? CMD_WAIT : CMD_AGAIN;
	if (++cmd->phase < ARRAY_SIZE(parts))
		return CMD_AGAIN;
	out_line(cmd->out, "%s", what);
	out_member(cmd->out, "then", what, true);
	cmd->afterwards = how;
	return CMD_DONE;
}

static void off(void)
{
	power_off();
}

static void again(void)
{
	power_reboot();
}

enum cmd_result cmd_poweroff(struct cmd *cmd)
{
	return end_machine(cmd, "poweroff", off);
}

enum cmd_result cmd_reboot(struct cmd *cmd)
{
	return end_machine(cmd, "reboot", again);
}

enum cmd_result cmd_sleep(struct cmd *cmd)
{
	u64 seconds;

	if (cmd->phase++ == 0) {
		if (!cmd_number(cmd, 0, "seconds", 0, SLEEP_MOST_SECONDS, &seconds))
			return CMD_DONE;
		cmd_set_deadline(cmd, seconds);
		cmd->number[0] = seconds;
	}
	if (!cmd->interrupted && !cmd_is_late(cmd))
		return CMD_WAIT;
	if (cmd->interrupted)
		out_error(cmd->out, "sleep: interrupted");
	else
		out_number(cmd->out, "seconds", cmd->number[0]);
	return CMD_DONE;
}
