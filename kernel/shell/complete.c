/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/shell/complete.h"
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"
#include "kernel/shell/cmd.h"
#include <string.h>

enum { PARTS = 24, MAX_LISTED = 64 };

/* The words before the cursor; the last one is being written and may be empty. */
struct parts {
	char text[LINE_BYTES + 1];
	const char *word[PARTS];
	u32 count; /* PARTS + 1: too many to complete anything */
};

/* Candidate number `index`; NULL: the end. An empty one does not count. */
typedef const char *source(const struct parts *parts, u32 index);

static void split(struct parts *parts, const struct line *line)
{
	char *at = parts->text;

	CHECK(line->cursor <= line->length && line->length <= LINE_BYTES);
	memcpy(parts->text, line->text, line->cursor);
	parts->text[line->cursor] = 0;
	for (parts->count = 0; parts->count <= PARTS;) {
		while (*at == ' ')
			at++;
		if (parts->count < PARTS)
			parts->word[parts->count] = at;
		parts->count++;
		while (*at && *at != ' ')
			at++;
		if (!*at)
			return;
		*at++ = 0;
	}
}

/* ---- sources ---- */

static const char *command_names(const struct parts *parts, u32 index)
{
	(void)parts;
	if (index == command_count)
		return NULL;
	return index && strcmp(commands[index].name, commands[index - 1].name) == 0 ? "" : commands[index].name;
}

/* Of the command that the word before names. */
static const char *subcommands(const struct parts *parts, u32 index)
{
	if (index == command_count)
		return NULL;
	return commands[index].sub && strcmp(commands[index].name, parts->word[parts->count - 2]) == 0 ? commands[index].sub : "";
}

static const char *vm_names(const struct parts *parts, u32 index)
{
	(void)parts;
	return index < vm_count ? vm_config(vm_get(index))->name : NULL;
}

/* Of `vm set`: what stands before the `=`. */
static const char *settings(const struct parts *parts, u32 index)
{
	(void)parts;
	return config_vm_key(index);
}

static source *source_for(const struct parts *parts)
{
	if (parts->count == 1)
		return command_names;
	for (u32 i = 0; i < command_count; i++) {
		const struct command *command = &commands[i];
		u32 own = command->sub ? 2 : 1;

		if (strcmp(command->name, parts->word[0]) != 0)
			continue;
		if (command->sub && parts->count == 2)
			return subcommands;
		if (command->sub && strcmp(command->sub, parts->word[1]) != 0)
			continue;
		if (command->flags & CMD_COMMAND)
			return parts->count == 2 ? command_names : subcommands;
		if ((command->flags & CMD_SETTINGS) && parts->count > own + 1)
			return settings;
		return (command->flags & CMD_VM) && parts->count == own + 1 ? vm_names : NULL;
	}
	return NULL;
}

/* ---- ---- */

struct found {
	const char *first;
	u32 common; /* bytes that all candidates begin with */
	u32 count;
	u32 typed;
};

static bool fits(const char *candidate, const char *typed)
{
	return candidate[0] && strncmp(candidate, typed, strlen(typed)) == 0;
}

static struct found match_all(const struct parts *parts, source *from, const char *typed)
{
	struct found match = { .typed = (u32)strlen(typed) };
	const char *candidate;

	for (u32 i = 0; (candidate = from(parts, i)); i++) {
		if (!fits(candidate, typed))
			continue;
		if (match.count++ == 0) {
			match.first = candidate;
			match.common = (u32)strlen(candidate);
		}
		while (strncmp(candidate, match.first, match.common) != 0)
			match.common--;
	}
	return match;
}

static void list(const struct parts *parts, source *from, const char *typed, struct out *out)
{
	const char *candidate;

	out_start_line(out);
	for (u32 i = 0; (candidate = from(parts, i)); i++)
		if (fits(candidate, typed)) {
			out_raw(out, candidate, (u32)strlen(candidate));
			out_raw(out, "  ", 2);
		}
	out_start_line(out);
}

bool complete_line(struct line *line, struct out *out)
{
	struct parts parts;

	split(&parts, line);
	source *from = parts.count <= PARTS ? source_for(&parts) : NULL;

	if (!from)
		return false;
	const char *typed = parts.word[parts.count - 1];
	struct found match = match_all(&parts, from, typed);

	if (match.count == 0)
		return false;
	CHECK(match.common >= match.typed);
	if (match.count == 1 || match.common > match.typed) {
		line_insert(line, match.first + match.typed, match.common - match.typed);
		if (match.count == 1)
			line_insert(line, from == settings ? "=" : " ", 1);
		return false;
	}
	list(&parts, from, typed, out);
	return true;
}
