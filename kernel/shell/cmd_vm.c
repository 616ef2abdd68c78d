/* SPDX-License-Identifier: BSD-2-Clause */
/* vm start, stop, kill, reset, pause, resume, set: requests to a VM, and waiting for what comes of them. */
#include "kernel/core/timer.h"
#include "kernel/lib/check.h"
#include "kernel/shell/cmd.h"
#include <string.h>

enum { STOP_SECONDS = 30, STOP_MOST_SECONDS = 86400, SETTINGS_MAX = 20 };

enum cmd_result cmd_vm_start(struct cmd *cmd);
enum cmd_result cmd_vm_stop(struct cmd *cmd);
enum cmd_result cmd_vm_kill(struct cmd *cmd);
enum cmd_result cmd_vm_reset(struct cmd *cmd);
enum cmd_result cmd_vm_pause(struct cmd *cmd);
enum cmd_result cmd_vm_resume(struct cmd *cmd);
enum cmd_result cmd_vm_set(struct cmd *cmd);

static const char *name_of(const struct cmd *cmd)
{
	return vm_config(cmd->vm)->name;
}

/* False: it was refused, and why has been said. */
static bool request(struct cmd *cmd, err_t (*function)(struct vm *vm, char *why, size_t bytes))
{
	char why[VM_WHY_BYTES] = "";

	if (!function(cmd->vm, why, sizeof(why)))
		return true;
	out_error(cmd->out, "%s", why);
	return false;
}

static enum cmd_result say_end(struct cmd *cmd)
{
	struct vm_info info;

	vm_info(cmd->vm, &info);
	if (info.state == VM_FAILED)
		out_error(cmd->out, "%s failed: %s", name_of(cmd), info.why);
	else
		cmd_say_state(cmd);
	return CMD_DONE;
}

/* Requests whose effect comes later: begin, then look until the state is no longer one of the two that lead there. */
static enum cmd_result until_settled(struct cmd *cmd, err_t (*function)(struct vm *vm, char *why, size_t bytes))
{
	if (cmd->phase++ == 0 && !request(cmd, function))
		return CMD_DONE;
	enum vm_state state = vm_state_of(cmd->vm);

	if (cmd->interrupted) {
		cmd_say_state(cmd);
		return CMD_DONE;
	}
	return state == VM_STARTING || state == VM_STOPPING ? CMD_WAIT : say_end(cmd);
}

enum cmd_result cmd_vm_start(struct cmd *cmd)
{
	return until_settled(cmd, vm_start);
}

enum cmd_result cmd_vm_kill(struct cmd *cmd)
{
	return until_settled(cmd, vm_kill);
}

enum cmd_result cmd_vm_reset(struct cmd *cmd)
{
	return until_settled(cmd, vm_reset);
}

enum cmd_result cmd_vm_pause(struct cmd *cmd)
{
	return until_settled(cmd, vm_pause);
}

enum cmd_result cmd_vm_resume(struct cmd *cmd)
{
	return until_settled(cmd, vm_resume);
}

/* ---- stop ---- */

static bool begin_stop(struct cmd *cmd)
{
	u64 seconds = STOP_SECONDS;

	if (cmd->argc > 1 && !cmd_number(cmd, 1, "seconds", 0, STOP_MOST_SECONDS, &seconds))
		return false;
	cmd->number[0] = seconds;
	cmd_set_deadline(cmd, seconds);
	return request(cmd, vm_stop);
}

enum cmd_result cmd_vm_stop(struct cmd *cmd)
{
	if (cmd->phase++ == 0 && !begin_stop(cmd))
		return CMD_DONE;
	if (vm_state_of(cmd->vm) != VM_STOPPING)
		return say_end(cmd);
	if (!cmd->interrupted && !cmd_is_late(cmd))
		return CMD_WAIT;
	if (vm_stop_give_up(cmd->vm))
		return say_end(cmd);
	if (cmd->interrupted)
		out_error(cmd->out, "%s: interrupted; still running (vm kill %s)", name_of(cmd), name_of(cmd));
	else
		out_error(cmd->out, "%s: did not stop in %llu s; still running (vm kill %s)", name_of(cmd), cmd->number[0],
			  name_of(cmd));
	return CMD_DONE;
}

/* ---- set ---- */

/* A value may be longer than out_line takes. */
static void say_setting(struct cmd *cmd, const struct vm_setting *setting)
{
	const char *const parts[] = { name_of(cmd), ": ", setting->key, " = ", setting->value };

	out_member(cmd->out, setting->key, setting->value, true);
	if (cmd->out->json)
		return;
	for (u32 i = 0; i < ARRAY_SIZE(parts); i++)
		out_escaped(cmd->out, parts[i], (u32)strlen(parts[i]));
	out_start_line(cmd->out);
}

/* All settings are understood before the first takes effect. */
enum cmd_result cmd_vm_set(struct cmd *cmd)
{
	struct vm_setting settings[SETTINGS_MAX];
	char why[VM_WHY_BYTES] = "";

	CHECK(cmd->argc - 1 <= SETTINGS_MAX);
	for (u32 i = 1; i < cmd->argc; i++) {
		char *equals = strchr(cmd->argv[i], '=');

		if (!equals || equals == cmd->argv[i]) {
			out_error(cmd->out, "'%.40s': settings are KEY=VALUE, as memory.min=64M", cmd->argv[i]);
			return CMD_DONE;
		}
		*equals = 0;
		settings[i - 1] = (struct vm_setting){ cmd->argv[i], equals + 1 };
	}
	if (vm_set(cmd->vm, settings, cmd->argc - 1, why, sizeof(why))) {
		out_error(cmd->out, "%s", why);
		return CMD_DONE;
	}
	out_member(cmd->out, "vm", name_of(cmd), true);
	out_object(cmd->out, "set");
	for (u32 i = 0; i + 1 < cmd->argc; i++) {
		say_setting(cmd, &settings[i]);
	}
	out_close(cmd->out);
	return CMD_DONE;
}
