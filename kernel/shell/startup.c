/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/shell/startup.h"
#include "kernel/lib/check.h"
#include "kernel/lib/log.h"
#include "kernel/modules.h"
#include <string.h>

void startup_begin(struct startup *startup, const char *path)
{
	const struct boot_module *module = path[0] ? module_find(path) : NULL;

	startup->at = startup->end = NULL;
	if (module && !module_trouble(module)) { /* else the configuration's reader has said so */
		startup->at = (const char *)module_bytes(module);
		startup->end = startup->at + module->bytes;
	}
}

void startup_end(struct startup *startup)
{
	startup->at = startup->end;
}

/* Up to the line's end, which is passed over. */
static u32 take_line(struct startup *startup, const char **text)
{
	const char *from = startup->at;
	const char *newline = memchr(from, '\n', (size_t)(startup->end - from));
	const char *to = newline ? newline : startup->end;

	startup->at = newline ? newline + 1 : startup->end;
	while (from < to && (*from == ' ' || *from == '\t'))
		from++;
	while (to > from && to[-1] == '\r')
		to--;
	CHECK(startup->at <= startup->end && from <= to);
	*text = from;
	return (u32)(to - from);
}

char *startup_next(struct startup *startup)
{
	while (startup->at < startup->end) {
		const char *text;
		u32 bytes = take_line(startup, &text);

		if (bytes == 0 || *text == '#' || *text == ';')
			continue;
		if (bytes > LINE_BYTES) {
			log_line("startup: a line is longer than %u bytes: passed over", (u32)LINE_BYTES);
			continue;
		}
		memcpy(startup->line, text, bytes);
		startup->line[bytes] = 0;
		return startup->line;
	}
	return NULL;
}
