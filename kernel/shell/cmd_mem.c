/* SPDX-License-Identifier: BSD-2-Clause */
/* mem: the machine's memory and how the VMs hold it. */
#include "kernel/lib/check.h"
#include "kernel/shell/cmd.h"

enum cmd_result cmd_mem(struct cmd *cmd);

struct machine {
	const char *state;
	struct mm_totals totals;
};

#define TOTAL(key, label, member)                                                            \
	{                                                                                    \
		"machine." key, label, OUT_PAGES, 0, offsetof(struct machine, totals.member) \
	}

static const struct out_field machine_fields[] = {
	TOTAL("total", "total", total),
	TOTAL("free", "free", free),
	TOTAL("overhead", "overhead", overhead),
	TOTAL("private", "private", private_),
	TOTAL("shared_frames", "shared frames", shared_frames),
	TOTAL("debt", "waiting for a debt", debt_frames),
	TOTAL("unusable", "unusable, not in total", reserved),
	{ "machine.state", "state", OUT_TEXT, 0, offsetof(struct machine, state) },
};

struct row {
	const char *name;
	struct mm_usage usage;
};

#define PAGES(key, head, member)                                            \
	{                                                                   \
		key, head, OUT_PAGES, 8, offsetof(struct row, usage.member) \
	}

static const struct out_field vm_fields[] = {
	{ "name", "NAME", OUT_NAME, 0, offsetof(struct row, name) },
	PAGES("max", "MAX", max),
	PAGES("min", "MIN", min),
	{ "shares", "SHARES", OUT_U64, 6, offsetof(struct row, usage.shares) },
	PAGES("target", "TARGET", target),
	PAGES("resident", "RESIDENT", resident),
	PAGES("shared", "SHARED", shared),
	{ "saved", "SAVED", OUT_SIZE, 8, offsetof(struct row, usage.saved_bytes) },
	PAGES("ballooned", "BALLOON", ballooned),
	PAGES("swapped", "SWAPPED", swapped),
	PAGES("compressed", "COMPR", compressed),
	PAGES("empty", NULL, empty),
	PAGES("private", NULL, private_),
	PAGES("pinned", NULL, pinned),
	PAGES("overhead", NULL, overhead),
	{ "active", "ACTIVE", OUT_PERMILLE, 6, offsetof(struct row, usage.active_permille) },
};

static void show_machine(struct out *out)
{
	static const char *const states[] = { [MM_HIGH] = "high", [MM_SOFT] = "soft", [MM_HARD] = "hard", [MM_LOW] = "low" };
	struct machine machine;

	mm_totals(&machine.totals);
	CHECK((u32)machine.totals.state < ARRAY_SIZE(states));
	machine.state = states[machine.totals.state];
	out_record(out, machine_fields, ARRAY_SIZE(machine_fields), &machine);
}

enum cmd_result cmd_mem(struct cmd *cmd)
{
	struct vm_info info;

	if (cmd->phase++ == 0) {
		show_machine(cmd->out);
		out_table(cmd->out, "vms");
		return CMD_AGAIN;
	}
	if (cmd->cursor == vm_count) {
		out_table_end(cmd->out, "no VMs are configured");
		return CMD_DONE;
	}
	vm_info(vm_get((u32)cmd->cursor++), &info);
	struct row row = { info.config->name, info.memory };
	if (row.usage.target == 0)
		row.usage.target = row.usage.max;
	out_row(cmd->out, vm_fields, ARRAY_SIZE(vm_fields), &row);
	return CMD_AGAIN;
}
