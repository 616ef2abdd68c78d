/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A terminal's whole screen, drawn over and over in place.  A terminal says its size when it is asked, by keys of its own; one that
 * does not answer has 24 lines of 80.  ECMA-48, and xterm's second screen where there is one: what was there before comes back.
 */
#pragma once
#include "kernel/shell/out.h"

enum { SCREEN_LEAST_COLUMNS = 40, SCREEN_MOST_COLUMNS = 250, SCREEN_LEAST_ROWS = 6, SCREEN_MOST_ROWS = 200 };

struct screen {
	u32 rows, columns; /* of the picture; the terminal's own count from the next one on */
	u32 terminal_rows, terminal_columns;
	u32 line;         /* of the picture that is being drawn */
	u8 sequence;      /* how much of an escape sequence has come in */
	u32 parameter[2]; /* its numbers */
};

void screen_enter(struct screen *screen, struct out *out);
void screen_leave(struct out *out);

/* A picture: begin, its lines (what is too wide or too low for the screen is cut), end. */
void screen_begin(struct screen *screen, struct out *out);
void screen_line(struct screen *screen, struct out *out, const char *text, ...) PRINTF(3, 4);
void screen_end(struct out *out);
u32 screen_lines_left(const struct screen *screen);
bool screen_has_changed(const struct screen *screen); /* the terminal has another size than the picture */

/* Is the byte part of an escape sequence?  Else it is a key. */
bool screen_takes(struct screen *screen, u8 byte);
