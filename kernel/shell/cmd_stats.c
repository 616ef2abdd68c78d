/* SPDX-License-Identifier: BSD-2-Clause */
/* stats: VM exits by reason, of one VM or summed over all. */
#include "kernel/lib/check.h"
#include "kernel/shell/cmd.h"

enum cmd_result cmd_stats(struct cmd *cmd);

static const struct out_field fields[] = {
	{ "reason", "EXIT", OUT_TEXT, 24, offsetof(struct exit_stat, reason) },
	{ "count", "COUNT", OUT_U64, 12, offsetof(struct exit_stat, count) },
	{ "min_cycles", "MIN", OUT_U64, 10, offsetof(struct exit_stat, min_cycles) },
	{ "median_cycles", "MEDIAN", OUT_U64, 10, offsetof(struct exit_stat, median_cycles) },
	{ "p99_cycles", "P99", OUT_U64, 10, offsetof(struct exit_stat, p99_cycles) },
};

static struct exit_stat sum;
static u64 most; /* the highest count of one VM: its median and p99 stand for all */

static void add(struct vm *vm, u32 reason)
{
	struct exit_stat stat;

	vm_exit_stat(vm, reason, &stat);
	if (stat.count == 0)
		return;
	u64 least = sum.count ? min_u64(sum.min_cycles, stat.min_cycles) : stat.min_cycles;
	u64 count = sum.count + stat.count;

	if (stat.count > most) {
		most = stat.count;
		sum = stat;
	}
	sum.count = count;
	sum.min_cycles = least;
}

/* One VM's counters of one reason a step; cursor: the reason, number[0]: the VM. */
static void add_next(struct cmd *cmd)
{
	bool first = cmd->number[0] == 0;

	CHECK(cmd->cursor < EXIT_REASONS);
	if (first) {
		sum = (struct exit_stat){ 0 };
		most = 0;
	}
	if (cmd->vm)
		add(cmd->vm, (u32)cmd->cursor);
	else if (vm_count)
		add(vm_get((u32)cmd->number[0]), (u32)cmd->cursor);
	if (!cmd->vm && ++cmd->number[0] < vm_count)
		return;
	if (sum.count)
		out_row(cmd->out, fields, ARRAY_SIZE(fields), &sum);
	cmd->number[0] = 0;
	cmd->cursor++;
}

enum cmd_result cmd_stats(struct cmd *cmd)
{
	if (cmd->phase++ == 0) {
		if (cmd->vm)
			out_member(cmd->out, "vm", vm_config(cmd->vm)->name, true);
		out_table(cmd->out, "exits");
	}
	if (cmd->cursor == EXIT_REASONS) {
		out_table_end(cmd->out, "no exits");
		return CMD_DONE;
	}
	add_next(cmd);
	return CMD_AGAIN;
}
