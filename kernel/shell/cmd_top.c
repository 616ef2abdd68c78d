/* SPDX-License-Identifier: BSD-2-Clause */
/* top: what the VMs take of processors and memory, drawn again every second.  One line a step. */
#include "kernel/core/cpu.h"
#include "kernel/core/timer.h"
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"
#include "kernel/shell/cmd.h"
#include "kernel/shell/screen.h"
#include <string.h>

enum cmd_result cmd_top(struct cmd *cmd);

enum { SECONDS = 1, SIZE_BYTES = 24, BAR_BYTES = 42, BAR_LEAST = 4, LINES_BELOW = 1 };

struct row {
	const char *name, *state;
	u64 run_ns;
	struct vm_info info;
};

static void look(struct row *row, struct vm *vm)
{
	vm_info(vm, &row->info);
	row->name = row->info.config->name;
	row->state = vm_state_text(row->info.state);
	row->run_ns = 0;
	for (u32 i = 0; i < row->info.vcpus; i++)
		row->run_ns += row->info.vcpu[i].run_ns;
}

/* ---- top --json: one snapshot ---- */

#define FIELD(key, kind, member)                                  \
	{                                                         \
		key, NULL, kind, 0, offsetof(struct row, member), \
	}

static const struct out_field fields[] = {
	FIELD("name", OUT_NAME, name),
	FIELD("state", OUT_TEXT, state),
	FIELD("vcpus", OUT_U32, info.vcpus),
	FIELD("run_ns", OUT_U64, run_ns),
	FIELD("uptime_ns", OUT_U64, info.uptime_ns),
	FIELD("memory.max", OUT_PAGES, info.memory.max),
	FIELD("memory.resident", OUT_PAGES, info.memory.resident),
	FIELD("memory.shared", OUT_PAGES, info.memory.shared),
	FIELD("memory.saved", OUT_SIZE, info.memory.saved_bytes),
	FIELD("memory.ballooned", OUT_PAGES, info.memory.ballooned),
	FIELD("memory.swapped", OUT_PAGES, info.memory.swapped),
	FIELD("memory.compressed", OUT_PAGES, info.memory.compressed),
};

static enum cmd_result snapshot(struct cmd *cmd)
{
	struct row row;

	if (cmd->phase++ == 0) {
		struct mm_totals totals;

		mm_totals(&totals);
		out_number(cmd->out, "time_ns", time_ns());
		out_number(cmd->out, "cpus", cpu_count);
		out_number(cmd->out, "total", totals.total << PAGE_SHIFT);
		out_number(cmd->out, "free", totals.free << PAGE_SHIFT);
		out_table(cmd->out, "vms");
	}
	if (cmd->cursor == vm_count) {
		out_table_end(cmd->out, NULL);
		return CMD_DONE;
	}
	look(&row, vm_get((u32)cmd->cursor++));
	out_row(cmd->out, fields, ARRAY_SIZE(fields), &row);
	return CMD_AGAIN;
}

/* ---- the picture ---- */

static struct screen screen;
static struct seen {
	u64 run_ns, at_ns;
} seen[CONFIG_MAX_VMS]; /* when each line was drawn last: the next one shows what happened since */

/* "[####    ]", `width` in all. */
static void bar(char to[BAR_BYTES], u32 width, u64 part, u64 whole)
{
	u32 room = width - 2;
	u32 full = whole ? (u32)min_u64(part * room / whole, room) : 0;

	CHECK(width >= BAR_LEAST && width < BAR_BYTES);
	memset(to, ' ', width);
	memset(to + 1, '#', full);
	to[0] = '[';
	to[width - 1] = ']';
	to[width] = 0;
}

/* Two of them share what the texts of a line leave. */
static u32 bar_width(u32 texts)
{
	u32 room = screen.columns > texts ? (screen.columns - texts) / 2 : 0;

	return (u32)min_u64(max_u64(room, BAR_LEAST), BAR_BYTES - 1);
}

static u32 vm_bar_width(const struct out *out)
{
	return bar_width(out->name_width + sizeof("  stopping  " /* bar */ " 100%  " /* bar */ "  99.9M of 99.9M"));
}

static enum cmd_result draw_head(struct cmd *cmd)
{
	struct mm_totals totals;
	char memory[BAR_BYTES], used[SIZE_BYTES], total[SIZE_BYTES];

	screen_begin(&screen, cmd->out);
	u32 width = vm_bar_width(cmd->out);

	mm_totals(&totals);
	bar(memory, width, totals.total - totals.free, totals.total);
	out_size_text(used, (totals.total - totals.free) << PAGE_SHIFT);
	out_size_text(total, totals.total << PAGE_SHIFT);
	screen_line(&screen, cmd->out, "aerostat %s   %u CPU%s   up %llu s   memory %s of %s %s", AEROSTAT_VERSION, cpu_count,
		    cpu_count > 1 ? "s" : "", time_ns() / 1000000000, used, total, memory);
	screen_line(&screen, cmd->out, "%s", "");
	screen_line(&screen, cmd->out, "%-*s  %-8s  %-*s  %-*s", (int)cmd->out->name_width, "NAME", "STATE", (int)width + 5,
		    "CPU", (int)width, "MEMORY");
	cmd->cursor = 0;
	cmd->phase++;
	return CMD_AGAIN;
}

/* Percent of one processor since this VM's line was drawn last. */
static u64 percent_since(struct seen *last, u64 run_ns)
{
	struct seen now = { run_ns, time_ns() };
	u64 passed = last->at_ns && run_ns >= last->run_ns ? now.at_ns - last->at_ns : 0;
	u64 percent = passed ? (run_ns - last->run_ns) * 100 / passed : 0;

	*last = now;
	return percent;
}

static void draw_vm(struct out *out, u32 index)
{
	struct row row;
	char cpu[BAR_BYTES], memory[BAR_BYTES], resident[SIZE_BYTES], max[SIZE_BYTES];
	u32 width = vm_bar_width(out);

	look(&row, vm_get(index));
	u64 percent = percent_since(&seen[index], row.run_ns);

	bar(cpu, width, percent, 100ULL * row.info.vcpus);
	bar(memory, width, row.info.memory.resident, row.info.memory.max);
	out_size_text(resident, row.info.memory.resident << PAGE_SHIFT);
	out_size_text(max, row.info.memory.max << PAGE_SHIFT);
	screen_line(&screen, out, "%-*s  %-8s  %s %3llu%%  %s  %s of %s", (int)out->name_width, row.name, row.state, cpu, percent,
		    memory, resident, max);
}

static enum cmd_result draw_row(struct cmd *cmd)
{
	u64 left = vm_count - cmd->cursor;

	if (left && screen_lines_left(&screen) > LINES_BELOW) {
		draw_vm(cmd->out, (u32)cmd->cursor++);
		return CMD_AGAIN;
	}
	if (left)
		screen_line(&screen, cmd->out, "and %llu more; q leaves", left);
	else
		screen_line(&screen, cmd->out, "q leaves");
	screen_end(cmd->out);
	cmd_set_deadline(cmd, SECONDS);
	cmd->phase++;
	return CMD_AGAIN;
}

static enum cmd_result wait(struct cmd *cmd)
{
	if (!cmd_is_late(cmd) && !screen_has_changed(&screen))
		return cmd->key ? CMD_AGAIN : CMD_WAIT;
	cmd->phase = 1;
	return CMD_AGAIN;
}

static enum cmd_result begin(struct cmd *cmd)
{
	memset(seen, 0, sizeof(seen));
	screen_enter(&screen, cmd->out);
	cmd->phase++;
	return CMD_AGAIN;
}

static bool is_over(struct cmd *cmd)
{
	bool is_key = cmd->key && !screen_takes(&screen, cmd->key);

	return cmd->interrupted || (is_key && (cmd->key == 'q' || cmd->key == 'Q'));
}

enum cmd_result cmd_top(struct cmd *cmd)
{
	static enum cmd_result (*const parts[])(struct cmd *) = { begin, draw_head, draw_row, wait };

	if (cmd->out->json)
		return snapshot(cmd);
	if (cmd->phase > 0 && is_over(cmd)) {
		screen_leave(cmd->out);
		return CMD_DONE;
	}
	CHECK(cmd->phase < ARRAY_SIZE(parts));
	return parts[cmd->phase](cmd);
}
