/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/terminal.h"
#include <string.h>

enum { ESC = 0x1b, CONTROLS = 0x20, TAB = 8, MAX_PARAMETER = 9999, DEL = 0x7f, UTF8_LEAD = 0xc0 };
enum state { PLAIN, ESCAPE, SEQUENCE, STRING };

_Static_assert(TERMINAL_MAX_ROWS % 64 == 0, "whole words of changed");

static void mark(struct terminal *t)
{
	t->changed[t->row / 64] |= BIT(t->row % 64);
}

static void mark_all(struct terminal *t)
{
	for (u32 i = 0; i < ARRAY_SIZE(t->changed); i++)
		t->changed[i] = ~0ULL;
}

void terminal_init(struct terminal *t, u32 columns, u32 rows)
{
	CHECK(columns > 0 && columns <= TERMINAL_MAX_COLUMNS && rows > 0 && rows <= TERMINAL_MAX_ROWS);
	memset(t, 0, offsetof(struct terminal, lines));
	t->columns = columns;
	t->rows = rows;
	for (u32 i = 0; i < rows; i++)
		t->lines[i].used = 0;
	mark_all(t);
}

/* ---- characters ---- */

static void line_feed(struct terminal *t)
{
	if (t->row + 1 < t->rows) {
		t->row++;
		return;
	}
	t->top = t->top + 1 < t->rows ? t->top + 1 : 0;
	terminal_line(t, t->row)->used = 0;
	mark_all(t);
}

static void put(struct terminal *t, u8 character)
{
	if (t->column == t->columns) {
		t->column = 0;
		line_feed(t);
	}
	struct terminal_line *line = terminal_line(t, t->row);

	ASSERT(t->column < t->columns && line->used <= t->columns);
	if (line->used < t->column)
		memset(line->cells + line->used, ' ', t->column - line->used);
	line->cells[t->column] = character | t->reverse;
	t->column++;
	line->used = (u32)max_u64(line->used, t->column);
	mark(t);
}

static void carriage_return(struct terminal *t)
{
	t->column = 0;
}

static void backspace(struct terminal *t)
{
	u32 at = terminal_cursor(t);

	t->column = at > 0 ? at - 1 : 0;
}

static void tabulator(struct terminal *t)
{
	t->column = (u32)min_u64((terminal_cursor(t) / TAB + 1) * TAB, t->columns - 1);
}

static void (*const controls[CONTROLS])(struct terminal *) = {
	['\b'] = backspace, ['\t'] = tabulator, ['\n'] = line_feed,
	['\v'] = line_feed, ['\f'] = line_feed, ['\r'] = carriage_return,
};

/* ---- sequences: ESC [ parameters final ---- */

static u32 parameter(const struct terminal *t, u32 index)
{
	return index < t->count ? t->parameters[index] : 0;
}

/* How far, or which row or column from 1: nothing and 0 mean 1. */
static u32 distance(const struct terminal *t, u32 index)
{
	return (u32)max_u64(parameter(t, index), 1);
}

static void go(struct terminal *t, u64 row, u64 column)
{
	t->row = (u32)min_u64(row, t->rows - 1);
	t->column = (u32)min_u64(column, t->columns - 1);
}

static void up(struct terminal *t)
{
	go(t, t->row - min_u64(t->row, distance(t, 0)), terminal_cursor(t));
}

static void down(struct terminal *t)
{
	go(t, t->row + distance(t, 0), terminal_cursor(t));
}

static void right(struct terminal *t)
{
	go(t, t->row, terminal_cursor(t) + distance(t, 0));
}

static void left(struct terminal *t)
{
	u32 at = terminal_cursor(t);

	go(t, t->row, at - min_u64(at, distance(t, 0)));
}

static void to_column(struct terminal *t)
{
	go(t, t->row, distance(t, 0) - 1);
}

static void to_place(struct terminal *t)
{
	go(t, distance(t, 0) - 1, distance(t, 1) - 1);
}

/* Of erasing: 0 from the cursor on, 1 up to it, 2 all. */
static void erase_line(struct terminal *t)
{
	struct terminal_line *line = terminal_line(t, t->row);
	u32 at = terminal_cursor(t);

	if (parameter(t, 0) == 0)
		line->used = (u32)min_u64(line->used, at);
	else if (parameter(t, 0) == 1)
		memset(line->cells, ' ', min_u64(line->used, at + 1));
	else
		line->used = 0;
	mark(t);
}

static void erase_screen(struct terminal *t)
{
	u32 what = parameter(t, 0);
	u32 from = what == 0 ? t->row + 1 : 0;
	u32 to = what == 1 ? t->row : t->rows;

	for (u32 row = from; row < to; row++)
		terminal_line(t, row)->used = 0;
	if (what < 2)
		erase_line(t);
	mark_all(t);
}

/* Of colours and the like only reverse is known; 38 and 48 have parameters of their own, which are none of these. */
static void appearance(struct terminal *t)
{
	for (u32 i = 0; i < (u32)max_u64(t->count, 1); i++) {
		u32 what = parameter(t, i);

		if (what == 38 || what == 48)
			return;
		if (what == 7)
			t->reverse = TERMINAL_REVERSE;
		else if (what == 0 || what == 27)
			t->reverse = 0;
	}
}

static const struct {
	u8 final;
	void (*act)(struct terminal *t);
} sequences[] = {
	{ 'A', up },       { 'B', down },     { 'C', right },        { 'D', left },       { 'G', to_column },
	{ 'H', to_place }, { 'f', to_place }, { 'J', erase_screen }, { 'K', erase_line }, { 'm', appearance },
};

static void finish(struct terminal *t, u8 final)
{
	t->state = PLAIN;
	for (u32 i = 0; i < ARRAY_SIZE(sequences) && !t->foreign; i++)
		if (sequences[i].final == final)
			sequences[i].act(t);
}

static void digit(struct terminal *t, u8 byte)
{
	if (t->count == 0)
		t->count = 1;
	if (t->count > TERMINAL_PARAMETERS)
		return;
	u32 *value = &t->parameters[t->count - 1];

	ASSERT(t->count > 0 && *value <= MAX_PARAMETER);
	*value = (u32)min_u64(*value * 10 + byte - '0', MAX_PARAMETER);
}

static void in_sequence(struct terminal *t, u8 byte)
{
	if (byte >= '0' && byte <= '9')
		digit(t, byte);
	else if (byte == ';')
		t->count = (u32)min_u64(max_u64(t->count, 1) + 1, TERMINAL_PARAMETERS + 1);
	else if (byte < '@')
		t->foreign = true;
	else
		finish(t, byte);
}

/* ESC and one more; what stands between them (as in ESC ( B) is passed over. */
static void in_escape(struct terminal *t, u8 byte)
{
	static const u8 strings[] = { ']', 'P', 'X', '^', '_' };

	if (byte < '0')
		return;
	t->state = byte == '[' ? SEQUENCE : memchr(strings, byte, sizeof(strings)) ? STRING : PLAIN;
	t->foreign = false;
	t->count = 0;
	memset(t->parameters, 0, sizeof(t->parameters));
}

/* ---- bytes ---- */

static void control(struct terminal *t, u8 byte)
{
	t->state = byte == ESC ? ESCAPE : PLAIN;
	if (controls[byte])
		controls[byte](t);
}

/* A character of more than one byte is one sign: its first byte counts, as in the line editor. */
static void take(struct terminal *t, u8 byte)
{
	if (byte < CONTROLS)
		control(t, byte);
	else if (byte >= DEL && byte < UTF8_LEAD)
		return;
	else if (t->state == SEQUENCE)
		in_sequence(t, byte);
	else if (t->state == ESCAPE)
		in_escape(t, byte);
	else if (t->state == PLAIN)
		put(t, byte < DEL ? byte : TERMINAL_UNKNOWN);
}

/* Where the cursor was and where it is look different. */
void terminal_feed(struct terminal *t, const u8 *bytes, u32 count)
{
	mark(t);
	for (u32 i = 0; i < count; i++)
		take(t, bytes[i]);
	mark(t);
	CHECK(t->row < t->rows && t->column <= t->columns && t->top < t->rows);
}
