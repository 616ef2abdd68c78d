/* SPDX-License-Identifier: BSD-2-Clause */
/* The table, and how a line finds its row. */
#include "kernel/core/timer.h"
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"
#include "kernel/shell/cmd.h"
#include <string.h>

#define NS_PER_S 1000000000ULL

#define COMMAND(name, sub, arguments, least, most, flags, run, help) enum cmd_result run(struct cmd *cmd);
#include "kernel/shell/commands.def"
#undef COMMAND

const struct command commands[] = {
#define COMMAND(name, sub, arguments, least, most, flags, run, help) { name, sub, arguments, help, least, most, flags, run },
#include "kernel/shell/commands.def"
#undef COMMAND
};
const u32 command_count = ARRAY_SIZE(commands);

/* ---- saying what is valid ---- */

struct list {
	u32 used;
	char text[OUT_LINE_BYTES / 2];
};

static void append(struct list *list, const char *word)
{
	u32 length = (u32)strlen(word);

	if (list->used + length + sizeof(", ") > sizeof(list->text))
		return;
	if (list->used) {
		memcpy(list->text + list->used, ", ", 2);
		list->used += 2;
	}
	memcpy(list->text + list->used, word, length + 1);
	list->used += length;
}

static void unknown_command(struct cmd *cmd, const char *name)
{
	struct list list = { 0 };

	for (u32 i = 0; i < command_count; i++)
		if (i == 0 || strcmp(commands[i].name, commands[i - 1].name) != 0)
			append(&list, commands[i].name);
	out_error(cmd->out, "unknown command '%.40s': use one of %s", name, list.text);
}

static void unknown_sub(struct cmd *cmd, const char *name, const char *sub)
{
	struct list list = { 0 };

	for (u32 i = 0; i < command_count; i++)
		if (strcmp(commands[i].name, name) == 0)
			append(&list, commands[i].sub);
	if (sub)
		out_error(cmd->out, "%s: unknown '%.40s': use one of %s", name, sub, list.text);
	else
		out_error(cmd->out, "%s: use one of %s", name, list.text);
}

static void unknown_vm(struct cmd *cmd, const char *name)
{
	struct list list = { 0 };

	for (u32 i = 0; i < vm_count; i++)
		append(&list, vm_config(vm_get(i))->name);
	if (vm_count)
		out_error(cmd->out, "no VM '%.40s': there are %s", name, list.text);
	else
		out_error(cmd->out, "no VM '%.40s': none is configured", name);
}

void cmd_usage_text(const struct command *command, char *to, size_t bytes)
{
	format(to, bytes, "%s%s%s%s%s", command->name, command->sub ? " " : "", command->sub ? command->sub : "",
	       command->arguments[0] ? " " : "", command->arguments);
}

static void wrong_arguments(struct cmd *cmd)
{
	char usage[OUT_LINE_BYTES / 4];

	cmd_usage_text(cmd->command, usage, sizeof(usage));
	out_error(cmd->out, "usage: %s", usage);
}

/* ---- words to a row ---- */

static const struct command *find(const char *name, const char *sub)
{
	for (u32 i = 0; i < command_count; i++)
		if (strcmp(commands[i].name, name) == 0 && (!commands[i].sub || !sub || strcmp(commands[i].sub, sub) == 0))
			return &commands[i];
	return NULL;
}

/* The command's own words, and all of its arguments that are words. */
static bool take_words(struct cmd *cmd, const char **error)
{
	struct words *words = &cmd->words;
	u32 most = WORDS_MAX;

	while (words->count < most && words_next(words, error)) {
		if (words->count > 2)
			continue;
		const struct command *command = find(words->word[0], words->count > 1 ? words->word[1] : NULL);
		u32 own = command && command->sub ? 2 : 1;

		if (!command || words->count < own)
			continue;
		cmd->command = command;
		cmd->argv = words->word + own;
		if (command->flags & CMD_FREE_TEXT)
			most = own + command->most;
	}
	return *error == NULL;
}

static bool check_arguments(struct cmd *cmd)
{
	bool free_text = cmd->command->flags & CMD_FREE_TEXT;

	CHECK(cmd->argv > cmd->words.word && cmd->argv <= cmd->words.word + cmd->words.count);
	cmd->argc = cmd->words.count - (u32)(cmd->argv - cmd->words.word);
	cmd->rest = free_text && cmd->argc == cmd->command->most ? words_free_text(&cmd->words) : cmd->words.rest;
	cmd->out->json = cmd->words.json;
	if (cmd->argc < cmd->command->least || cmd->argc > cmd->command->most || (free_text && !*cmd->rest)) {
		wrong_arguments(cmd);
		return false;
	}
	if (!(cmd->command->flags & CMD_VM) || cmd->argc == 0)
		return true;
	cmd->vm = vm_find(cmd->argv[0]);
	if (!cmd->vm)
		unknown_vm(cmd, cmd->argv[0]);
	return cmd->vm != NULL;
}

bool cmd_parse(struct cmd *cmd, char *line, struct out *out)
{
	const char *error = NULL;

	*cmd = (struct cmd){ .out = out };
	words_init(&cmd->words, line);
	bool fine = take_words(cmd, &error);
	const struct words *words = &cmd->words;

	out_begin(out, words->json);
	if (!fine)
		out_error(out, "%s", error);
	else if (words->count == 0)
		return false;
	else if (!find(words->word[0], NULL))
		unknown_command(cmd, words->word[0]);
	else if (!cmd->command)
		unknown_sub(cmd, words->word[0], words->count > 1 ? words->word[1] : NULL);
	else
		return check_arguments(cmd);
	return false;
}

/* ---- what commands share ---- */

bool cmd_number(struct cmd *cmd, u32 index, const char *what, u64 least, u64 most, u64 *number)
{
	CHECK(index < cmd->argc && least <= most);
	const char *text = cmd->argv[index];
	u64 sum = 0;

	for (; *text >= '0' && *text <= '9' && sum <= most; text++)
		sum = sum * 10 + (u64)(*text - '0');
	if (!*text && text != cmd->argv[index] && sum >= least && sum <= most) {
		*number = sum;
		return true;
	}
	out_error(cmd->out, "%s '%.40s': a number from %llu to %llu", what, cmd->argv[index], least, most);
	return false;
}

void cmd_say_state(struct cmd *cmd)
{
	CHECK(cmd->vm != NULL);
	const char *name = vm_config(cmd->vm)->name;
	const char *state = vm_state_text(vm_state_of(cmd->vm));

	out_line(cmd->out, "%s: %s", name, state);
	out_member(cmd->out, "vm", name, true);
	out_member(cmd->out, "state", state, true);
}

void cmd_set_deadline(struct cmd *cmd, u64 seconds)
{
	cmd->until_ns = time_ns() + seconds * NS_PER_S;
}

bool cmd_is_late(const struct cmd *cmd)
{
	return time_ns() >= cmd->until_ns;
}
