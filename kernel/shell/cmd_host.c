/* SPDX-License-Identifier: BSD-2-Clause */
/* help, version, cpu, trace, audit. */
#include "kernel/core/cpu.h"
#include "kernel/core/step.h"
#include "kernel/core/timer.h"
#include "kernel/core/trace.h"
#include "kernel/core/wire.h"
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"
#include "kernel/shell/cmd.h"
#include <string.h>

enum cmd_result cmd_help(struct cmd *cmd);
enum cmd_result cmd_version(struct cmd *cmd);
enum cmd_result cmd_cpu(struct cmd *cmd);
enum cmd_result cmd_trace(struct cmd *cmd);

/* ---- help ---- */

struct help_row {
	const char *usage, *help;
};

static const struct out_field help_fields[] = {
	{ "usage", "COMMAND", OUT_TEXT, 30, offsetof(struct help_row, usage) },
	{ "help", "", OUT_TEXT, 0, offsetof(struct help_row, help) },
};

static bool is_asked(const struct cmd *cmd, const struct command *command)
{
	return cmd->argc == 0 || (strcmp(command->name, cmd->argv[0]) == 0 &&
				  (cmd->argc == 1 || (command->sub && strcmp(command->sub, cmd->argv[1]) == 0)));
}

static bool any_is_asked(const struct cmd *cmd)
{
	for (u32 i = 0; i < command_count; i++)
		if (is_asked(cmd, &commands[i]))
			return true;
	return false;
}

enum cmd_result cmd_help(struct cmd *cmd)
{
	if (cmd->phase++ == 0) {
		if (!any_is_asked(cmd)) {
			out_error(cmd->out, "no command '%.40s%s%.40s': help lists all", cmd->argv[0], cmd->argc > 1 ? " " : "",
				  cmd->argc > 1 ? cmd->argv[1] : "");
			return CMD_DONE;
		}
		out_table(cmd->out, "commands");
	}
	if (cmd->cursor == command_count) {
		out_table_end(cmd->out, NULL);
		out_line(cmd->out, "--json behind a command's name: exactly one JSON object on one line.");
		return CMD_DONE;
	}
	const struct command *command = &commands[cmd->cursor++];
	char usage[OUT_LINE_BYTES / 4];

	cmd_usage_text(command, usage, sizeof(usage));
	struct help_row row = { usage, command->help };

	if (is_asked(cmd, command))
		out_row(cmd->out, help_fields, ARRAY_SIZE(help_fields), &row);
	return CMD_AGAIN;
}

/* ---- version ---- */

enum cmd_result cmd_version(struct cmd *cmd)
{
	const char *build = DEBUG_BUILD ? "debug" : "release";

	out_line(cmd->out, "aerostat %s, %s build", AEROSTAT_VERSION, build);
	out_member(cmd->out, "version", AEROSTAT_VERSION, true);
	out_member(cmd->out, "build", build, true);
	return CMD_DONE;
}

/* ---- cpu ---- */

struct cpu_row {
	u32 cpu, apic_id;
	u64 steps, idle_ns, worst_ns;
	const char *place;
};

static const struct out_field cpu_fields[] = {
	{ "cpu", "CPU", OUT_U32, 3, offsetof(struct cpu_row, cpu) },
	{ "apic_id", "APIC", OUT_U32, 4, offsetof(struct cpu_row, apic_id) },
	{ "steps", "STEPS", OUT_U64, 12, offsetof(struct cpu_row, steps) },
	{ "idle_ns", "IDLE(ns)", OUT_U64, 15, offsetof(struct cpu_row, idle_ns) },
	{ "longest_step_ns", "LONGEST(ns)", OUT_U64, 11, offsetof(struct cpu_row, worst_ns) },
	{ "longest_step_place", "PLACE", OUT_TEXT, 0, offsetof(struct cpu_row, place) },
};

/* More came than the console's ring of 4 KiB holds, faster than it is read. */
static void say_input_lost(struct out *out)
{
	u64 lost = wire_lost();

	if (lost)
		out_line(out, "console: %llu bytes of input lost", lost);
	out_number(out, "input_lost", lost);
}

enum cmd_result cmd_cpu(struct cmd *cmd)
{
	if (cmd->phase++ == 0) {
		out_line(cmd->out, "TSC: %llu kHz", tsc_khz);
		out_number(cmd->out, "tsc_khz", tsc_khz);
		out_number(cmd->out, "uptime_ns", time_ns());
		out_table(cmd->out, "cpus");
	}
	if (cmd->cursor == cpu_count) {
		out_table_end(cmd->out, NULL);
		say_input_lost(cmd->out);
		return CMD_DONE;
	}
	u32 cpu = (u32)cmd->cursor++;
	struct step_worst worst = step_worst(cpu);
	struct cpu_row row = { cpu,
			       cpu_get(cpu)->apic_id,
			       step_count(cpu),
			       time_tsc_to_ns(step_idle_ticks(cpu)),
			       time_tsc_to_ns(worst.ticks),
			       worst.place };

	out_row(cmd->out, cpu_fields, ARRAY_SIZE(cpu_fields), &row);
	return CMD_AGAIN;
}

/* ---- trace ---- */

enum { TRACE_DEFAULT = 20 };

struct trace_row {
	u32 cpu;
	u64 number, tsc;
	const char *kind;
	u64 a, b;
	const char *task; /* of a task's step: its name, else empty */
};

static const struct out_field trace_fields[] = {
	{ "cpu", "CPU", OUT_U32, 3, offsetof(struct trace_row, cpu) },
	{ "number", "NUMBER", OUT_U64, 10, offsetof(struct trace_row, number) },
	{ "tsc", "TSC", OUT_U64, 16, offsetof(struct trace_row, tsc) },
	{ "event", "EVENT", OUT_TEXT, 9, offsetof(struct trace_row, kind) },
	{ "a", "A", OUT_HEX, 18, offsetof(struct trace_row, a) },
	{ "b", "B", OUT_HEX, 18, offsetof(struct trace_row, b) },
	{ "task", "TASK", OUT_TEXT, 12, offsetof(struct trace_row, task) },
};

/* number[0]: events wanted, [1]: CPU, [2]: where it ends for this CPU; cursor: the event. */
static void begin_cpu(struct cmd *cmd)
{
	u64 end = trace_end((u32)cmd->number[1]);

	cmd->number[2] = end;
	cmd->cursor = end > cmd->number[0] ? end - cmd->number[0] : 0;
}

static bool begin_trace(struct cmd *cmd)
{
	cmd->number[0] = TRACE_DEFAULT;
	if (cmd->argc > 0 && !cmd_number(cmd, 0, "events", 1, TRACE_EVENTS, &cmd->number[0]))
		return false;
	out_table(cmd->out, "events");
	begin_cpu(cmd);
	return true;
}

enum cmd_result cmd_trace(struct cmd *cmd)
{
	struct trace_event event;

	if (cmd->phase++ == 0 && !begin_trace(cmd))
		return CMD_DONE;
	if (cmd->cursor == cmd->number[2] || cmd->interrupted) {
		if (!cmd->interrupted && ++cmd->number[1] < cpu_count) {
			begin_cpu(cmd);
			return CMD_AGAIN;
		}
		out_table_end(cmd->out, "no events");
		return CMD_DONE;
	}
	u32 cpu = (u32)cmd->number[1];
	u64 number = cmd->cursor++;

	if (trace_read(cpu, number, &event)) {
		struct trace_row row = { cpu,
					 number,
					 event.tsc,
					 trace_kind_text(event.kind),
					 event.a,
					 event.b,
					 event.kind == TRACE_TASK ? (const char *)event.a : "" };

		out_row(cmd->out, trace_fields, ARRAY_SIZE(trace_fields), &row);
	}
	return CMD_AGAIN;
}
