/* SPDX-License-Identifier: BSD-2-Clause */
/* What the terminal holds is what the pixels show, drawn in bounded steps and nowhere else. */
#include "drivers/painter.h"
#include "drivers/font.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { WIDTH = 165, HEIGHT = 84, STRIDE = 171, COLUMNS = 20, ROWS = 5, FOREIGN = 0x123456, BUDGET = 8000 };

static struct painter painter;
static struct terminal terminal;
static u32 *pixels; /* as many as there are, for the sanitizer */

static bool screen(u32 width, u32 height, u32 stride)
{
	size_t count = (size_t)stride * (height - 1) + width;

	free(pixels);
	pixels = malloc(count * sizeof(*pixels));
	for (size_t i = 0; i < count; i++)
		pixels[i] = FOREIGN;
	memset(&painter, 0xa5, sizeof(painter));
	if (!painter_init(&painter, pixels, width, height, stride))
		return false;
	terminal_init(&terminal, painter.columns, painter.rows);
	return true;
}

static int small_screen(void **state)
{
	(void)state;
	assert_true(screen(WIDTH, HEIGHT, STRIDE));
	return 0;
}

static void say(const char *text)
{
	terminal_feed(&terminal, (const u8 *)text, (u32)strlen(text));
}

static u32 draw_all(void)
{
	u32 steps = 1;

	while (painter_step(&painter, &terminal, BUDGET))
		steps++;
	return steps;
}

/* Is there that cell, pixel for pixel? */
static bool is_shown(u32 row, u32 column, u8 cell, u32 stride)
{
	const struct font *font = painter.font;
	const u16 *glyph = font->rows + ((u32)(cell & TERMINAL_CHARACTER) - ' ') * font->height;

	for (u32 y = 0; y < font->height; y++)
		for (u32 x = 0; x < font->width; x++) {
			bool light = (glyph[y] >> (15 - x) & 1) != (cell & TERMINAL_REVERSE ? 1 : 0);

			if (pixels[(row * font->height + y) * stride + column * font->width + x] !=
			    (u32)(light ? PAINTER_LIGHT : PAINTER_DARK))
				return false;
		}
	return true;
}

static u8 wanted(u32 row, u32 column)
{
	const struct terminal_line *line = terminal_line(&terminal, row);
	u8 cell = column < line->used ? line->cells[column] : ' ';

	return row == terminal.row && column == terminal_cursor(&terminal) ? cell ^ TERMINAL_REVERSE : cell;
}

static void text_cursor_and_reverse_are_drawn(void **state)
{
	(void)state;
	say("aerostat> \x1b[7mvm\x1b[m list");
	draw_all();
	assert_int_equal(painter.columns, COLUMNS);
	assert_int_equal(painter.rows, ROWS);
	assert_true(is_shown(0, 0, 'a', STRIDE));
	assert_true(is_shown(0, 10, 'v' | TERMINAL_REVERSE, STRIDE));
	assert_true(is_shown(0, 16, 't', STRIDE));
	assert_true(is_shown(0, 17, ' ' | TERMINAL_REVERSE, STRIDE));
	assert_true(is_shown(4, 19, ' ', STRIDE));
}

static void the_cursor_leaves_no_trace(void **state)
{
	(void)state;
	say("ab\b\b");
	draw_all();
	assert_true(is_shown(0, 0, 'a' | TERMINAL_REVERSE, STRIDE));
	say("\r\n");
	draw_all();
	assert_true(is_shown(0, 0, 'a', STRIDE));
	assert_true(is_shown(1, 0, ' ' | TERMINAL_REVERSE, STRIDE));
}

static void what_is_not_seen_of_a_line_is_never_written(void **state)
{
	(void)state;
	for (u32 i = 0; i < 50; i++)
		say("a line that is longer than the screen is wide\r\n");
	draw_all();
	for (u32 y = 0; y < HEIGHT - 1; y++)
		for (u32 x = WIDTH; x < STRIDE; x++)
			assert_int_equal(pixels[y * STRIDE + x], FOREIGN);
}

static void nothing_changed_nothing_drawn(void **state)
{
	(void)state;
	say("hello");
	draw_all();
	for (u32 i = 0; i < WIDTH; i++)
		pixels[i] = FOREIGN;
	say("\r\n\n");
	draw_all();
	assert_int_equal(pixels[0], FOREIGN);
	assert_int_equal(draw_all(), 1);
}

/* A character costs at least its pixels: no step draws more of them than the budget holds, and each draws one. */
static void a_step_draws_a_bounded_number_of_characters(void **state)
{
	static u8 before[ROWS][COLUMNS];
	u32 most = BUDGET / (8 * 16) + 1;
	bool more = true;

	(void)state;
	for (u32 i = 0; i < ROWS; i++)
		say("xxxxxxxxxxxxxxxxxxxx");
	while (more) {
		u32 drawn = 0;

		for (u32 row = 0; row < ROWS; row++)
			memcpy(before[row], painter.shown[row], COLUMNS);
		more = painter_step(&painter, &terminal, BUDGET);
		for (u32 i = 0; i < ROWS * COLUMNS; i++)
			drawn += before[i / COLUMNS][i % COLUMNS] != painter.shown[i / COLUMNS][i % COLUMNS];
		assert_in_range(drawn, more, most);
	}
}

static void a_flood_starves_no_row(void **state)
{
	(void)state;
	for (u32 i = 0; i < 3000; i++) {
		char line[COLUMNS + 1];

		memset(line, 'a' + (int)(i % 26), COLUMNS);
		line[COLUMNS] = 0;
		say(line);
		painter_step(&painter, &terminal, BUDGET);
		if (i == 2000)
			for (u32 row = 0; row < ROWS; row++)
				memset(painter.shown[row], '?', 1);
	}
	for (u32 row = 0; row < ROWS; row++)
		assert_int_not_equal(painter.shown[row][0], '?');
}

static void any_bytes_in_any_pieces_end_as_the_terminal_is(void **state)
{
	u32 seed = (u32)time(NULL);

	(void)state;
	printf("seed %u\n", seed);
	srand(seed);
	for (u32 round = 0; round < 300; round++) {
		for (u32 i = (u32)rand() % 200; i > 0; i--) {
			u8 byte = (u8)(rand() % 3 ? ' ' + rand() % 95 : "\x1b[27;mJKHAB\r\n\n\b\t"[rand() % 16]);

			terminal_feed(&terminal, &byte, 1);
			if (rand() % 4 == 0)
				painter_step(&painter, &terminal, (u32)rand() % BUDGET);
		}
		draw_all();
		for (u32 i = 0; i < ROWS * COLUMNS; i++)
			assert_true(is_shown(i / COLUMNS, i % COLUMNS, wanted(i / COLUMNS, i % COLUMNS), STRIDE));
	}
}

static void a_screen_of_many_pixels_gets_large_characters(void **state)
{
	(void)state;
	assert_true(screen(1920, 1200, 1920));
	assert_int_equal(painter.font->width, 8);
	assert_int_equal(painter.columns, 240);
	assert_true(screen(3840, 2160, 3840));
	assert_int_equal(painter.font->width, 16);
	assert_int_equal(painter.columns, 240);
	assert_int_equal(painter.rows, 67);
	say("\x1b[99;999Hx");
	draw_all();
	assert_true(is_shown(66, 239, 'x' | TERMINAL_REVERSE, 3840));
}

static void a_screen_beyond_all_maxima_is_used_as_far_as_they_go(void **state)
{
	(void)state;
	assert_true(screen(5120, 64, 5120));
	assert_int_equal(painter.columns, 256);
	assert_int_equal(painter.rows, 2);
}

static void a_screen_smaller_than_a_character_is_none(void **state)
{
	(void)state;
	assert_false(screen(7, 480, 7));
	assert_false(screen(640, 15, 640));
	assert_true(screen(8, 16, 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(text_cursor_and_reverse_are_drawn, small_screen),
		cmocka_unit_test_setup(the_cursor_leaves_no_trace, small_screen),
		cmocka_unit_test_setup(what_is_not_seen_of_a_line_is_never_written, small_screen),
		cmocka_unit_test_setup(nothing_changed_nothing_drawn, small_screen),
		cmocka_unit_test_setup(a_step_draws_a_bounded_number_of_characters, small_screen),
		cmocka_unit_test_setup(a_flood_starves_no_row, small_screen),
		cmocka_unit_test_setup(any_bytes_in_any_pieces_end_as_the_terminal_is, small_screen),
		cmocka_unit_test(a_screen_of_many_pixels_gets_large_characters),
		cmocka_unit_test(a_screen_beyond_all_maxima_is_used_as_far_as_they_go),
		cmocka_unit_test(a_screen_smaller_than_a_character_is_none),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(pixels);
	return failed;
}
