/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A terminal's screen: bytes go in, a grid of characters comes out.  It knows CR, LF, BS, TAB, and of escape sequences those that move the
 * cursor, erase, and turn reverse video on and off; all others are swallowed.  A control character ends whatever sequence is open, so no
 * guest's bytes can hide the line that follows.  Pure: no device, no lock, bounded work a byte.  ECMA-48.
 */
#pragma once
#include "kernel/lib/check.h"
#include "kernel/lib/types.h"

enum { TERMINAL_MAX_COLUMNS = 256, TERMINAL_MAX_ROWS = 128, TERMINAL_PARAMETERS = 8 };

/* A cell: printable ASCII, or the sign for a character that is none; and whether it is reverse. */
enum { TERMINAL_UNKNOWN = 0x7f, TERMINAL_CHARACTER = 0x7f, TERMINAL_REVERSE = 0x80 };

struct terminal_line {
	u32 used; /* what lies beyond is blank */
	u8 cells[TERMINAL_MAX_COLUMNS];
};

struct terminal {
	u32 columns, rows;
	u32 row, column; /* the cursor; column == columns: it stands on the last one, and the next character begins a line */
	u32 top;         /* the line that is the screen's first row */
	u8 reverse;      /* 0 or TERMINAL_REVERSE, for what is written next */
	u8 state;
	bool foreign; /* the open sequence is none that we know */
	u32 count, parameters[TERMINAL_PARAMETERS];
	u64 changed[TERMINAL_MAX_ROWS / 64]; /* a bit for each row that may look different; who has looked clears it */
	struct terminal_line lines[TERMINAL_MAX_ROWS];
};

/* Blank; the numbers are bounded by the maxima (CHECK). */
void terminal_init(struct terminal *terminal, u32 columns, u32 rows);
void terminal_feed(struct terminal *terminal, const u8 *bytes, u32 count);

static inline struct terminal_line *terminal_line(struct terminal *terminal, u32 row)
{
	u32 at = terminal->top + row;

	ASSERT(row < terminal->rows && terminal->top < terminal->rows);
	return &terminal->lines[at < terminal->rows ? at : at - terminal->rows];
}

/* Where the cursor is seen. */
static inline u32 terminal_cursor(const struct terminal *terminal)
{
	return (u32)min_u64(terminal->column, terminal->columns - 1);
}
