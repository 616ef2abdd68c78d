/* SPDX-License-Identifier: BSD-2-Clause */
/* vm list, vm info. */
#include "kernel/lib/check.h"
#include "kernel/shell/cmd.h"
#include <string.h>

enum cmd_result cmd_vm_list(struct cmd *cmd);
enum cmd_result cmd_vm_info(struct cmd *cmd);

enum { CMDLINE_PIECE = 256 };

struct row {
	const char *name, *state, *why;
	const char *kernel, *initrd, *identity, *group, *autostart;
	struct vm_info info;
};

static void look(struct row *row, struct vm *vm)
{
	static const char *const identities[] = {
		[IDENTITY_KVM] = "kvm", [IDENTITY_VMWARE] = "vmware", [IDENTITY_NONE] = "none"
	};
	const struct config_vm *config = vm_config(vm);

	vm_info(vm, &row->info);
	CHECK((u32)config->identity < ARRAY_SIZE(identities));
	row->name = config->name;
	row->state = vm_state_text(row->info.state);
	row->why = row->info.why;
	row->kernel = config->kernel;
	row->initrd = config->initrd;
	row->identity = identities[config->identity];
	row->group = config->share_group;
	row->autostart = config->autostart ? "yes" : "no";
}

#define FIELD(key, head, kind, width, member)                        \
	{                                                            \
		key, head, kind, width, offsetof(struct row, member) \
	}
#define PAGES(name, head)                                                                   \
	{                                                                                   \
		"memory." #name, head, OUT_PAGES, 8, offsetof(struct row, info.memory.name) \
	}

/* ---- vm list ---- */

static const struct out_field list_fields[] = {
	FIELD("name", "NAME", OUT_NAME, 0, name),
	FIELD("state", "STATE", OUT_TEXT, 8, state),
	FIELD("vcpus", "VCPUS", OUT_U32, 5, info.vcpus),
	PAGES(max, "MAX"),
	PAGES(min, "MIN"),
	PAGES(resident, "RESIDENT"),
	PAGES(shared, "SHARED"),
	FIELD("memory.saved", "SAVED", OUT_SIZE, 8, info.memory.saved_bytes),
	PAGES(ballooned, "BALLOON"),
	PAGES(swapped, "SWAPPED"),
	PAGES(compressed, "COMPR"),
};

enum cmd_result cmd_vm_list(struct cmd *cmd)
{
	struct row row;

	if (cmd->phase++ == 0)
		out_table(cmd->out, "vms");
	if (cmd->cursor == vm_count) {
		out_table_end(cmd->out, "no VMs are configured");
		return CMD_DONE;
	}
	look(&row, vm_get((u32)cmd->cursor++));
	out_row(cmd->out, list_fields, ARRAY_SIZE(list_fields), &row);
	return CMD_AGAIN;
}

/* ---- vm info: one part a step ---- */

static const struct out_field general_fields[] = {
	FIELD("name", "name", OUT_TEXT, 0, name),
	FIELD("state", "state", OUT_TEXT, 0, state),
	FIELD("why", "how it ended", OUT_TEXT, 0, why),
	FIELD("kernel", "kernel", OUT_TEXT, 0, kernel),
	FIELD("initrd", "initrd", OUT_TEXT, 0, initrd),
	FIELD("identity", "identity", OUT_TEXT, 0, identity),
	FIELD("share_group", "share group", OUT_TEXT, 0, group),
	FIELD("autostart", "autostart", OUT_TEXT, 0, autostart),
	FIELD("uptime_ns", "uptime", OUT_NS, 0, info.uptime_ns),
	FIELD("vcpus", "vCPUs", OUT_U32, 0, info.vcpus),
};

static const struct out_field memory_fields[] = {
	PAGES(max, "memory max"),
	PAGES(min, "memory min"),
	FIELD("memory.shares", "shares", OUT_U64, 0, info.memory.shares),
	PAGES(resident, "resident"),
	FIELD("memory.private", "private", OUT_PAGES, 0, info.memory.private_),
	PAGES(shared, "shared"),
	FIELD("memory.saved", "saved", OUT_SIZE, 0, info.memory.saved_bytes),
	PAGES(ballooned, "ballooned"),
	PAGES(swapped, "swapped"),
	PAGES(compressed, "compressed"),
	PAGES(empty, "empty"),
	PAGES(pinned, "pinned"),
	PAGES(overhead, "overhead"),
	FIELD("memory.large_mappings", "2 MiB mappings", OUT_U64, 0, info.memory.large),
	FIELD("console.bytes", "console, bytes written", OUT_U64, 0, info.console_bytes),
	FIELD("console.lost", "bytes no longer kept", OUT_U64, 0, info.console_lost),
};

static bool show_general(struct cmd *cmd)
{
	struct row row;

	look(&row, cmd->vm);
	out_record(cmd->out, general_fields, ARRAY_SIZE(general_fields), &row);
	return true;
}

static bool show_memory(struct cmd *cmd)
{
	struct row row;

	look(&row, cmd->vm);
	out_record(cmd->out, memory_fields, ARRAY_SIZE(memory_fields), &row);
	return true;
}

/* Longer than a value of a record may be: out in pieces, one a step. */
static bool show_cmdline(struct cmd *cmd)
{
	static const char label[] = "command line:  ";
	const char *text = vm_config(cmd->vm)->cmdline + cmd->cursor;
	u32 count = 0;

	while (count < CMDLINE_PIECE && text[count])
		count++;
	if (cmd->cursor == 0) {
		out_string_begin(cmd->out, "cmdline");
		if (!cmd->out->json && count)
			out_raw(cmd->out, label, sizeof(label) - 1);
	}
	out_string_bytes(cmd->out, text, count);
	if (!cmd->out->json)
		out_escaped(cmd->out, text, count);
	cmd->cursor += count;
	if (count == CMDLINE_PIECE)
		return false;
	cmd->cursor = 0;
	out_string_end(cmd->out);
	if (!cmd->out->json)
		out_start_line(cmd->out);
	return true;
}

struct vcpu_row {
	u32 index, cpu;
	const char *state;
	u64 run_ns;
};

static const struct out_field vcpu_fields[] = {
	{ "vcpu", "VCPU", OUT_U32, 4, offsetof(struct vcpu_row, index) },
	{ "cpu", "CPU", OUT_U32, 3, offsetof(struct vcpu_row, cpu) },
	{ "state", "STATE", OUT_TEXT, 8, offsetof(struct vcpu_row, state) },
	{ "run_ns", "RUN", OUT_NS, 10, offsetof(struct vcpu_row, run_ns) },
};

static bool show_vcpus(struct cmd *cmd)
{
	struct vm_info info;

	vm_info(cmd->vm, &info);
	out_table(cmd->out, "vcpu");
	for (u32 i = 0; i < info.vcpus && info.vcpu[i].state; i++) {
		struct vcpu_row row = { i, info.vcpu[i].cpu, info.vcpu[i].state, info.vcpu[i].run_ns };

		out_row(cmd->out, vcpu_fields, ARRAY_SIZE(vcpu_fields), &row);
	}
	out_table_end(cmd->out, NULL);
	return true;
}

/* Every VM has the same ones: see devices/. */
static bool show_devices(struct cmd *cmd)
{
	static const char *const devices[] = { "lapic", "ioapic", "8259", "8254", "rtc", "16550", "pci", "acpi" };

	out_line(cmd->out, "devices: lapic ioapic 8259 8254 rtc 16550 pci acpi");
	out_array(cmd->out, "devices");
	for (u32 i = 0; i < ARRAY_SIZE(devices); i++)
		out_member(cmd->out, NULL, devices[i], true);
	out_close(cmd->out);
	return true;
}

static const struct out_field exit_fields[] = {
	{ "reason", "EXIT", OUT_TEXT, 24, offsetof(struct exit_stat, reason) },
	{ "count", "COUNT", OUT_U64, 12, offsetof(struct exit_stat, count) },
};

/* One reason a step. */
static bool show_exits(struct cmd *cmd)
{
	struct exit_stat stat;

	if (cmd->cursor == 0)
		out_table(cmd->out, "exits");
	if (cmd->cursor == EXIT_REASONS) {
		out_table_end(cmd->out, NULL);
		return true;
	}
	vm_exit_stat(cmd->vm, (u32)cmd->cursor++, &stat);
	if (stat.count)
		out_row(cmd->out, exit_fields, ARRAY_SIZE(exit_fields), &stat);
	return false;
}

enum cmd_result cmd_vm_info(struct cmd *cmd)
{
	static bool (*const parts[])(struct cmd *) = {
		show_general, show_cmdline, show_memory, show_vcpus, show_devices, show_exits,
	};

	CHECK(cmd->phase < ARRAY_SIZE(parts));
	if (parts[cmd->phase](cmd))
		cmd->phase++;
	return cmd->phase == ARRAY_SIZE(parts) ? CMD_DONE : CMD_AGAIN;
}
