/* SPDX-License-Identifier: BSD-2-Clause */
/* The screen's terminal: what bytes look like, and that no guest's bytes can hide what comes after them. */
#include "drivers/terminal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { COLUMNS = 20, ROWS = 5 };

static struct terminal terminal;

static int blank(void **state)
{
	(void)state;
	memset(&terminal, 0xa5, sizeof(terminal));
	terminal_init(&terminal, COLUMNS, ROWS);
	return 0;
}

static void say(const char *text)
{
	terminal_feed(&terminal, (const u8 *)text, (u32)strlen(text));
}

static u8 cell(u32 row, u32 column)
{
	const struct terminal_line *line = terminal_line(&terminal, row);

	return column < line->used ? line->cells[column] : ' ';
}

/* The row's text, without the blanks behind it. */
static void shows(u32 row, const char *text)
{
	char line[COLUMNS + 1];
	u32 length = COLUMNS;

	for (u32 i = 0; i < COLUMNS; i++)
		line[i] = (char)cell(row, i);
	while (length && line[length - 1] == ' ')
		length--;
	line[length] = 0;
	assert_string_equal(line, text);
}

static void cursor_is_at(u32 row, u32 column)
{
	assert_int_equal(terminal.row, row);
	assert_int_equal(terminal_cursor(&terminal), column);
}

static void lines_follow_one_another_and_scroll(void **state)
{
	(void)state;
	say("one\r\ntwo\r\nthree\r\nfour\r\nfive");
	shows(0, "one");
	shows(4, "five");
	say("\r\nsix");
	shows(0, "two");
	shows(4, "six");
	say("\nseven");
	shows(4, "   seven");
}

static void a_full_line_wraps_with_its_next_character(void **state)
{
	(void)state;
	say("12345678901234567890");
	cursor_is_at(0, COLUMNS - 1);
	say("\r\nnext");
	shows(1, "next");
	say("\r56789012345678901234x");
	shows(1, "56789012345678901234");
	shows(2, "x");
}

static void what_the_line_editor_writes_looks_right(void **state)
{
	(void)state;
	say("> helo\blo\b");
	shows(0, "> hello");
	say("\b\b\b\b\b\b\b\b\b\b\b\b");
	cursor_is_at(0, 0);
	say("\tx");
	shows(0, "> hello x");
	say("\t\t\t\t\ty");
	cursor_is_at(0, COLUMNS - 1);
	assert_int_equal(cell(0, COLUMNS - 1), 'y');
}

static void a_screen_is_cleared_and_written_anywhere(void **state)
{
	(void)state;
	say("old\r\nold\r\nold\x1b[2J\x1b[Hnew\x1b[2;4Hat\x1b[99;99Hz\x1b[3;1Hgone\x1b[1K\x1b[1;2H\x1b[K");
	shows(0, "n");
	shows(1, "   at");
	shows(2, "");
	assert_int_equal(cell(ROWS - 1, COLUMNS - 1), 'z');
	say("\x1b[2;1Hab\x1b[J");
	shows(0, "n");
	shows(1, "ab");
	shows(4, "");
	say("\x1b[1J");
	shows(0, "");
	shows(1, "");
}

static void the_cursor_moves_within_the_screen(void **state)
{
	(void)state;
	say("\x1b[3;10H\x1b[2A\x1b[3C\x1b[B\x1b[D");
	cursor_is_at(1, 11);
	say("\x1b[99A\x1b[99D");
	cursor_is_at(0, 0);
	say("\x1b[99B\x1b[99C");
	cursor_is_at(ROWS - 1, COLUMNS - 1);
	say("\x1b[5G");
	cursor_is_at(ROWS - 1, 4);
	say("\x1b[99999999999999999999;0H");
	cursor_is_at(ROWS - 1, 0);
}

static void reverse_goes_on_and_off(void **state)
{
	(void)state;
	say("a\x1b[7mb\x1b[mc\x1b[1;7md\x1b[27me\x1b[38;5;7mf");
	assert_int_equal(cell(0, 0), 'a');
	assert_int_equal(cell(0, 1), 'b' | TERMINAL_REVERSE);
	assert_int_equal(cell(0, 2), 'c');
	assert_int_equal(cell(0, 3), 'd' | TERMINAL_REVERSE);
	assert_int_equal(cell(0, 4), 'e');
	assert_int_equal(cell(0, 5), 'f');
}

static void unknown_sequences_leave_nothing(void **state)
{
	(void)state;
	say("a\x1b[?25l\x1b[?1049hb\x1b(Bc\x1b"
	    "7\x1b"
	    "8d\x1b]0;title\ae\x1bP1;2|data\x1b\\f\x1b[1;2;3;4;5;6;7;8;9;10;11zg\x1b[>0ch\x1b[6ni\x1b[1 qj");
	shows(0, "abcdefghij");
	cursor_is_at(0, 10);
}

static void a_character_of_more_bytes_is_one_sign(void **state)
{
	static const char umlaut[] = { 'm', (char)0xc3, (char)0xbc, 'd', (char)0xe2, (char)0x82, (char)0xac, 0x7f, 0 };
	static const char sign[] = { 'm', TERMINAL_UNKNOWN, 'd', TERMINAL_UNKNOWN, 0 };

	(void)state;
	say(umlaut);
	shows(0, sign);
}

static void an_open_sequence_hides_nothing_of_the_next_line(void **state)
{
	static const char *const openings[] = { "\x1b",  "\x1b[", "\x1b[12;", "\x1b[?", "\x1b]", "\x1b]0;title",
						"\x1bP", "\x1b^", "\x1b_",    "\x1bX",  "\x1b(" };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(openings); i++) {
		blank(NULL);
		say(openings[i]);
		say("\r\naerostat> ");
		shows(1, "aerostat>");
	}
}

/* ---- a simple model: all cells in one array, moved when it scrolls; escape sequences are found whole ---- */

static struct {
	u8 cells[ROWS][COLUMNS];
	int row, column; /* column may be COLUMNS */
	u8 reverse;
} model;

static void model_line_feed(void)
{
	if (model.row < ROWS - 1) {
		model.row++;
		return;
	}
	memmove(model.cells[0], model.cells[1], sizeof(model.cells) - sizeof(model.cells[0]));
	memset(model.cells[ROWS - 1], ' ', COLUMNS);
}

static int clamp(int value, int most)
{
	return value < 0 ? 0 : value > most ? most : value;
}

static void model_blank(int from, int to)
{
	for (int i = from; i < to; i++)
		model.cells[i / COLUMNS][i % COLUMNS] = ' ';
}

static void model_sequence(char final, int a, int b)
{
	int at = clamp(model.column, COLUMNS - 1);
	int here = model.row * COLUMNS + at;
	int n = a ? a : 1;

	switch (final) {
	case 'A':
		model.row = clamp(model.row - n, ROWS - 1);
		model.column = at;
		break;
	case 'B':
		model.row = clamp(model.row + n, ROWS - 1);
		model.column = at;
		break;
	case 'C':
		model.column = clamp(at + n, COLUMNS - 1);
		break;
	case 'D':
		model.column = clamp(at - n, COLUMNS - 1);
		break;
	case 'G':
		model.column = clamp(n - 1, COLUMNS - 1);
		break;
	case 'H':
		model.row = clamp(n - 1, ROWS - 1);
		model.column = clamp((b ? b : 1) - 1, COLUMNS - 1);
		break;
	case 'J':
		model_blank(a == 0 ? here : 0, a == 1 ? here + 1 : ROWS * COLUMNS);
		break;
	case 'K':
		model_blank(a == 0 ? here : here - at, a == 1 ? here + 1 : here - at + COLUMNS);
		break;
	case 'm':
		model.reverse = a == 7 || (a != 0 && a != 27 && model.reverse) ? TERMINAL_REVERSE : 0;
		break;
	default:
		break;
	}
}

static void model_byte(u8 byte)
{
	int at = clamp(model.column, COLUMNS - 1);

	if (byte == '\r')
		model.column = 0;
	else if (byte == '\n')
		model_line_feed();
	else if (byte == '\b')
		model.column = clamp(at - 1, COLUMNS - 1);
	else if (byte == '\t')
		model.column = clamp(at / 8 * 8 + 8, COLUMNS - 1);
	if (byte < ' ' || (byte > 0x7e && byte < 0xc0))
		return;
	if (model.column == COLUMNS) {
		model.column = 0;
		model_line_feed();
	}
	model.cells[model.row][model.column++] = (u8)((byte > 0x7e ? TERMINAL_UNKNOWN : byte) | model.reverse);
}

static void both_say_a_byte(u8 byte)
{
	terminal_feed(&terminal, &byte, 1);
	model_byte(byte);
}

static void both_say_a_sequence(void)
{
	static const char finals[] = "ABCDGHJKmZ";
	char text[32];
	char final = finals[rand() % (int)(sizeof(finals) - 1)];
	int a = rand() % 4 ? rand() % 30 : 0, b = rand() % 30;

	if (final == 'H')
		snprintf(text, sizeof(text), "\x1b[%d;%dH", a, b);
	else if (a == 0 && rand() % 2)
		snprintf(text, sizeof(text), "\x1b[%c", final);
	else
		snprintf(text, sizeof(text), "\x1b[%d%c", a = final == 'J' || final == 'K' ? a % 3 : a, final);
	say(text);
	model_sequence(final, a, b);
}

static void it_looks_as_the_simple_model_does(void **state)
{
	u32 seed = (u32)time(NULL);

	(void)state;
	printf("seed %u\n", seed);
	srand(seed);
	memset(&model, 0, sizeof(model));
	memset(model.cells, ' ', sizeof(model.cells));
	for (u32 round = 0; round < 200000; round++) {
		int what = rand() % 8;

		if (what == 0)
			both_say_a_sequence();
		else if (what == 1)
			both_say_a_byte((u8) "\r\n\b\t\a"[rand() % 5]);
		else
			both_say_a_byte((u8)(rand() % 16 ? ' ' + rand() % 95 : 0x7f + rand() % 129));
		cursor_is_at((u32)model.row, (u32)clamp(model.column, COLUMNS - 1));
		for (u32 i = 0; i < ROWS * COLUMNS; i++)
			assert_int_equal(cell(i / COLUMNS, i % COLUMNS), model.cells[i / COLUMNS][i % COLUMNS]);
	}
}

/* Whatever is said, a row that looks different afterwards is marked; so is where the cursor was and is. */
static void no_change_goes_unmarked(void **state)
{
	static u8 before[ROWS][COLUMNS];
	u32 seed = (u32)time(NULL);

	(void)state;
	printf("seed %u\n", seed);
	srand(seed);
	for (u32 round = 0; round < 100000; round++) {
		u8 bytes[8];
		u32 row = terminal.row;

		memset(terminal.changed, 0, sizeof(terminal.changed));
		for (u32 i = 0; i < ROWS * COLUMNS; i++)
			before[i / COLUMNS][i % COLUMNS] = cell(i / COLUMNS, i % COLUMNS);
		for (u32 i = 0; i < sizeof(bytes); i++)
			bytes[i] = rand() % 3 ? (u8) "\x1b[12;7mJKHA\r\n\b\tx]"[rand() % 17] : (u8)rand();
		terminal_feed(&terminal, bytes, sizeof(bytes));
		assert_true(terminal.changed[0] & BIT(row));
		assert_true(terminal.changed[0] & BIT(terminal.row));
		for (u32 i = 0; i < ROWS * COLUMNS; i++) {
			u8 now = cell(i / COLUMNS, i % COLUMNS);

			assert_true((now & TERMINAL_CHARACTER) >= ' ');
			if (now != before[i / COLUMNS][i % COLUMNS])
				assert_true(terminal.changed[0] & BIT(i / COLUMNS));
		}
	}
}

static void the_largest_screen_works_to_its_corners(void **state)
{
	(void)state;
	terminal_init(&terminal, TERMINAL_MAX_COLUMNS, TERMINAL_MAX_ROWS);
	say("\x1b[999;999Hx\x1b[Hy");
	for (u32 i = 0; i < 1000; i++)
		say("\r\n\x1b[999Cz");
	assert_int_equal(cell(TERMINAL_MAX_ROWS - 1, TERMINAL_MAX_COLUMNS - 1), 'z');
	terminal_init(&terminal, 1, 1);
	say("abc\x1b[2J\r\n\td\x1b[1K");
	assert_int_equal(cell(0, 0), ' ');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(lines_follow_one_another_and_scroll, blank),
		cmocka_unit_test_setup(a_full_line_wraps_with_its_next_character, blank),
		cmocka_unit_test_setup(what_the_line_editor_writes_looks_right, blank),
		cmocka_unit_test_setup(a_screen_is_cleared_and_written_anywhere, blank),
		cmocka_unit_test_setup(the_cursor_moves_within_the_screen, blank),
		cmocka_unit_test_setup(reverse_goes_on_and_off, blank),
		cmocka_unit_test_setup(unknown_sequences_leave_nothing, blank),
		cmocka_unit_test_setup(a_character_of_more_bytes_is_one_sign, blank),
		cmocka_unit_test_setup(an_open_sequence_hides_nothing_of_the_next_line, blank),
		cmocka_unit_test_setup(it_looks_as_the_simple_model_does, blank),
		cmocka_unit_test_setup(no_change_goes_unmarked, blank),
		cmocka_unit_test_setup(the_largest_screen_works_to_its_corners, blank),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
