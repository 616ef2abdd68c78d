/* SPDX-License-Identifier: BSD-2-Clause */
/* The line editor's memory: the latest lines, and the one being written while the user looks at older ones. */
#include "kernel/shell/line.h"
#include "kernel/lib/check.h"
#include <string.h>

static char *slot(struct line_history *history, u32 back)
{
	CHECK(back <= LINE_HISTORY && back <= history->count);
	return back == 0 ? history->draft : history->text[(history->count - back) % LINE_HISTORY];
}

void line_keep(struct line *line)
{
	struct line_history *history = &line->history;

	history->back = 0;
	if (line->length == 0 || (history->count && strcmp(slot(history, 1), line->text) == 0))
		return;
	memcpy(history->text[history->count++ % LINE_HISTORY], line->text, line->length + 1);
}

void line_back(struct line *line)
{
	struct line_history *history = &line->history;

	if (history->back == min_u64(history->count, LINE_HISTORY))
		return;
	if (history->back == 0)
		memcpy(history->draft, line->text, line->length + 1);
	line_replace(line, slot(history, ++history->back));
}

void line_forward(struct line *line)
{
	struct line_history *history = &line->history;

	if (history->back > 0)
		line_replace(line, slot(history, --history->back));
}
