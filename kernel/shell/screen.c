/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/shell/screen.h"
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"

enum { ESC = 0x1b, NONE = 0, AFTER_ESC, FIRST_NUMBER, SECOND_NUMBER, NUMBER_MOST = 9999 };

static void put(struct out *out, const char *text)
{
	u32 count = 0;

	while (text[count])
		count++;
	out_raw(out, text, count);
}

/* The second screen, without a cursor, empty. */
void screen_enter(struct screen *screen, struct out *out)
{
	*screen = (struct screen){ .terminal_rows = 24, .terminal_columns = 80 };
	put(out, "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J");
}

/* Up and down again: so the prompt stands at the start of a line, and no line is left empty. */
void screen_leave(struct out *out)
{
	put(out, "\x1b[?25h\x1b[?1049l\x1b[A\r\n");
}

/* Over the last picture, line by line: nothing is wiped first, so nothing flickers. */
void screen_begin(struct screen *screen, struct out *out)
{
	screen->rows = screen->terminal_rows;
	screen->columns = screen->terminal_columns;
	screen->line = 0;
	put(out, "\x1b[H");
}

/* The last line of the screen stays empty: a line's end there would move the picture up. */
u32 screen_lines_left(const struct screen *screen)
{
	CHECK(screen->line < screen->rows);
	return screen->rows - 1 - screen->line;
}

/* A character in the last column would leave the cursor there, and the wiping behind it would take it away again. */
void screen_line(struct screen *screen, struct out *out, const char *text, ...)
{
	char line[SCREEN_MOST_COLUMNS];
	va_list arguments;

	if (screen_lines_left(screen) == 0)
		return;
	CHECK(screen->columns <= sizeof(line));
	va_start(arguments, text);
	u32 bytes = format_va(line, screen->columns, text, arguments);
	va_end(arguments);
	out_raw(out, line, bytes);
	put(out, "\x1b[K\r\n");
	screen->line++;
}

/* What is below goes; then: how far down right can the cursor go, and back. */
void screen_end(struct out *out)
{
	put(out, "\x1b[J\x1b"
		 "7\x1b[999;999H\x1b[6n\x1b"
		 "8");
}

bool screen_has_changed(const struct screen *screen)
{
	return screen->rows != screen->terminal_rows || screen->columns != screen->terminal_columns;
}

static void set_size(struct screen *screen)
{
	screen->terminal_rows = (u32)min_u64(max_u64(screen->parameter[0], SCREEN_LEAST_ROWS), SCREEN_MOST_ROWS);
	screen->terminal_columns = (u32)min_u64(max_u64(screen->parameter[1], SCREEN_LEAST_COLUMNS), SCREEN_MOST_COLUMNS);
}

/* ESC [ numbers letter; the answer to the question above is ESC [ row ; column R. */
bool screen_takes(struct screen *screen, u8 byte)
{
	if (byte == ESC) {
		screen->sequence = AFTER_ESC;
		return true;
	}
	if (screen->sequence == NONE)
		return false;
	if (screen->sequence == AFTER_ESC) {
		screen->sequence = byte == '[' || byte == 'O' ? FIRST_NUMBER : NONE;
		screen->parameter[0] = screen->parameter[1] = 0;
		return true;
	}
	u32 *number = &screen->parameter[screen->sequence - FIRST_NUMBER];

	if (byte >= '0' && byte <= '9') {
		*number = (u32)min_u64(*number * 10 + byte - '0', NUMBER_MOST);
	} else if (byte == ';') {
		screen->sequence = SECOND_NUMBER;
	} else {
		screen->sequence = NONE;
		if (byte == 'R' && screen->parameter[1])
			set_size(screen);
	}
	return true;
}
