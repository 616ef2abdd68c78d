/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/shell/line.h"
#include "kernel/lib/check.h"
#include <string.h>

enum { CTRL = 0x1f, ESC = 0x1b, DEL = 0x7f };
enum escape { ESCAPE_NONE, ESCAPE_SEEN, ESCAPE_BRACKET };

/* ---- what the terminal shows ---- */

static void echo(const struct line *line, const char *bytes, u32 count)
{
	if (count)
		line->echo(line->context, bytes, count);
}

static void repeat(const struct line *line, char byte, u32 count)
{
	char piece[64];

	if (count == 0)
		return;
	memset(piece, byte, sizeof(piece));
	for (; count > sizeof(piece); count -= (u32)sizeof(piece))
		echo(line, piece, sizeof(piece));
	echo(line, piece, count);
}

static bool continues(char byte)
{
	return ((u8)byte & 0xc0) == 0x80;
}

/* Columns that the bytes take on the terminal. */
static u32 columns(const char *bytes, u32 count)
{
	u32 sum = 0;

	for (u32 i = 0; i < count; i++)
		sum += !continues(bytes[i]);
	return sum;
}

/* Show from the cursor on, blank out what was there before, and go back. */
static void show_tail(const struct line *line, u32 blanks)
{
	const char *tail = line->text + line->cursor;
	u32 bytes = line->length - line->cursor;

	echo(line, tail, bytes);
	repeat(line, ' ', blanks);
	repeat(line, '\b', columns(tail, bytes) + blanks);
}

void line_show(const struct line *line)
{
	echo(line, line->text, line->cursor);
	show_tail(line, 0);
}

/* ---- moving ---- */

static u32 before(const struct line *line, u32 at)
{
	while (at > 0 && continues(line->text[--at]))
		;
	return at;
}

static u32 after(const struct line *line, u32 at)
{
	if (at == line->length)
		return at;
	for (at++; at < line->length && continues(line->text[at]); at++)
		;
	return at;
}

static void move_to(struct line *line, u32 at)
{
	CHECK(at <= line->length);
	if (at < line->cursor)
		repeat(line, '\b', columns(line->text + at, line->cursor - at));
	else
		echo(line, line->text + line->cursor, at - line->cursor);
	line->cursor = at;
}

static void move_left(struct line *line)
{
	move_to(line, before(line, line->cursor));
}

static void move_right(struct line *line)
{
	move_to(line, after(line, line->cursor));
}

static void move_home(struct line *line)
{
	move_to(line, 0);
}

static void move_end(struct line *line)
{
	move_to(line, line->length);
}

/* ---- changing ---- */

static void cut(struct line *line, u32 from, u32 to)
{
	u32 gone = columns(line->text + from, to - from);

	move_to(line, from);
	memmove(line->text + from, line->text + to, line->length - to + 1);
	line->length -= to - from;
	show_tail(line, gone);
}

static void erase_left(struct line *line)
{
	cut(line, before(line, line->cursor), line->cursor);
}

static void erase_right(struct line *line)
{
	cut(line, line->cursor, after(line, line->cursor));
}

static void kill_left(struct line *line)
{
	line->overlong = false;
	cut(line, 0, line->cursor);
}

static void kill_right(struct line *line)
{
	cut(line, line->cursor, line->length);
}

static void kill_word(struct line *line)
{
	u32 at = line->cursor;

	while (at > 0 && line->text[at - 1] == ' ')
		at--;
	while (at > 0 && line->text[at - 1] != ' ')
		at--;
	cut(line, at, line->cursor);
}

void line_insert(struct line *line, const char *bytes, u32 count)
{
	if (line->overlong || count > LINE_BYTES - line->length) {
		line->overlong = true;
		return;
	}
	memmove(line->text + line->cursor + count, line->text + line->cursor, line->length - line->cursor + 1);
	memcpy(line->text + line->cursor, bytes, count);
	line->length += count;
	line->cursor += count;
	echo(line, bytes, count);
	show_tail(line, 0);
}

void line_clear(struct line *line)
{
	line->length = line->cursor = 0;
	line->text[0] = 0;
	line->overlong = false;
	line->history.back = 0;
}

void line_replace(struct line *line, const char *text)
{
	u32 length = (u32)strlen(text);
	u32 old = columns(line->text, line->length);

	move_home(line);
	memcpy(line->text, text, length + 1);
	line->length = line->cursor = length;
	echo(line, text, length);
	u32 new = columns(text, length);
	show_tail(line, old > new ? old - new : 0);
}

void line_init(struct line *line, void (*show)(void *context, const char *bytes, u32 count), void *context)
{
	memset(line, 0, sizeof(*line));
	line->echo = show;
	line->context = context;
}

/* ---- keys ---- */

/* The cursor goes behind the text first: a line may fill several of the terminal's, and what is said next stands below them. */
static enum line_event ended(struct line *line)
{
	move_end(line);
	echo(line, "\r\n", 2);
	if (line->overlong)
		return LINE_TOO_LONG;
	line_keep(line);
	return LINE_READY;
}

static enum line_event cancelled(struct line *line)
{
	move_end(line);
	echo(line, "^C\r\n", 4);
	line_clear(line);
	return LINE_CANCELLED;
}

static void (*const controls[CTRL + 1])(struct line *line) = {
	['A' & CTRL] = move_home,  ['B' & CTRL] = move_left,  ['D' & CTRL] = erase_right, ['E' & CTRL] = move_end,
	['F' & CTRL] = move_right, ['H' & CTRL] = erase_left, ['K' & CTRL] = kill_right,  ['N' & CTRL] = line_forward,
	['P' & CTRL] = line_back,  ['U' & CTRL] = kill_left,  ['W' & CTRL] = kill_word,
};

static const struct {
	char final;
	u8 parameter;
	void (*act)(struct line *line);
} sequences[] = {
	{ 'A', 0, line_back }, { 'B', 0, line_forward }, { 'C', 0, move_right },  { 'D', 0, move_left },
	{ 'H', 0, move_home }, { 'F', 0, move_end },     { '~', 1, move_home },   { '~', 7, move_home },
	{ '~', 4, move_end },  { '~', 8, move_end },     { '~', 3, erase_right },
};

static void escape(struct line *line, u8 byte)
{
	if (line->escape == ESCAPE_SEEN) {
		line->escape = byte == '[' || byte == 'O' ? ESCAPE_BRACKET : ESCAPE_NONE;
		line->parameter = 0;
		return;
	}
	if (byte >= '0' && byte <= '9') {
		line->parameter = (u8)(line->parameter * 10 + byte - '0');
		return;
	}
	if (byte == ';')
		return;
	line->escape = ESCAPE_NONE;
	for (u32 i = 0; i < ARRAY_SIZE(sequences) && !line->overlong; i++)
		if (byte == (u8)sequences[i].final && line->parameter == sequences[i].parameter)
			sequences[i].act(line);
}

static enum line_event control(struct line *line, u8 byte)
{
	bool act = !line->overlong || byte == ('U' & CTRL);

	if (byte == '\r' || byte == '\n')
		return ended(line);
	if (byte == ('C' & CTRL))
		return cancelled(line);
	if (byte == '\t')
		return line->overlong ? LINE_MORE : LINE_COMPLETE;
	if (byte == ESC)
		line->escape = ESCAPE_SEEN;
	else if (byte == DEL && act)
		erase_left(line);
	else if (byte <= CTRL && controls[byte] && act)
		controls[byte](line);
	return LINE_MORE;
}

enum line_event line_feed(struct line *line, u8 byte)
{
	bool second = line->after_cr && byte == '\n';
	char text = (char)byte;

	CHECK(line->cursor <= line->length && line->length <= LINE_BYTES && line->text[line->length] == 0);
	line->after_cr = byte == '\r';
	if (second)
		return LINE_MORE;
	if (line->escape && byte >= ' ' && byte < DEL) {
		escape(line, byte);
		return LINE_MORE;
	}
	line->escape = ESCAPE_NONE;
	if (byte < ' ' || byte == DEL)
		return control(line, byte);
	line_insert(line, &text, 1);
	return LINE_MORE;
}
