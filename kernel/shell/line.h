/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The line editor.  Pure: bytes of the terminal go in one at a time, what the terminal shall show comes out through `echo`, as plain
 * characters, backspaces and blanks.  CR, LF and CRLF end a line.  A line longer than LINE_BYTES is refused whole: what follows is
 * swallowed up to its end.  One byte makes at most 3 * LINE_BYTES + 8 bytes of echo.
 */
#pragma once
#include "kernel/lib/types.h"

enum { LINE_BYTES = 1024, LINE_HISTORY = 16 };

enum line_event {
	LINE_MORE,      /* nothing to do */
	LINE_READY,     /* text is a line; line_clear when done with it */
	LINE_TOO_LONG,  /* text is its beginning; line_clear */
	LINE_CANCELLED, /* Ctrl-C */
	LINE_COMPLETE,  /* Tab: line_insert what completes the word before the cursor */
};

struct line_history {
	char text[LINE_HISTORY][LINE_BYTES + 1];
	u32 count; /* lines ever kept; the newest is text[(count - 1) % LINE_HISTORY] */
	u32 back;  /* how far the user has gone back, 0: the line being written */
	char draft[LINE_BYTES + 1];
};

struct line {
	char text[LINE_BYTES + 1]; /* always ends in 0 */
	u32 length, cursor;        /* bytes; the cursor never stands inside a UTF-8 sequence */
	bool overlong, after_cr;
	u8 escape; /* of an escape sequence: what was seen of it */
	u8 parameter;
	void (*echo)(void *context, const char *bytes, u32 count);
	void *context;
	struct line_history history;
};

void line_init(struct line *line, void (*echo)(void *context, const char *bytes, u32 count), void *context);
enum line_event line_feed(struct line *line, u8 byte);
void line_clear(struct line *line);
void line_insert(struct line *line, const char *bytes, u32 count);
void line_show(const struct line *line); /* the whole line again, the cursor where it was */

/* ---- between the editor's files ---- */

void line_replace(struct line *line, const char *text);
void line_back(struct line *line); /* an older line of the history */
void line_forward(struct line *line);
void line_keep(struct line *line); /* add the line to the history */
