/* SPDX-License-Identifier: BSD-2-Clause */
/* The line editor against a terminal of one endless line: what it shows is always what it holds. */
#include "kernel/shell/line.h"
#include "tests/unit/support/terminal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct line line;
static u32 most_echo; /* of one byte */

static void begin(void)
{
	terminal_clear();
	most_echo = 0;
	line_init(&line, terminal_show, NULL);
}

static enum line_event keys(const char *bytes, u32 count)
{
	enum line_event event = LINE_MORE;

	for (u32 i = 0; i < count; i++) {
		u32 before = terminal.echo;

		event = line_feed(&line, (u8)bytes[i]);
		most_echo = (u32)max_u64(most_echo, terminal.echo - before);
	}
	return event;
}

static enum line_event type(const char *text)
{
	return keys(text, (u32)strlen(text));
}

/* Typed, then Enter: the line. */
static const char *entered(const char *text)
{
	static char result[LINE_BYTES + 1];

	assert_int_equal(type(text), LINE_MORE);
	assert_string_equal(terminal_text(), line.text);
	assert_int_equal(type("\r"), LINE_READY);
	strcpy(result, line.text);
	line_clear(&line);
	return result;
}

static void keys_edit_the_line_and_the_terminal_shows_it(void **state)
{
	static const struct {
		const char *typed, *line;
	} cases[] = {
		{ "abc", "abc" },
		{ "abc\x7f\bx", "ax" },
		{ "\x7f", "" },
		{ "bc\x01"
		  "a",
		  "abc" },
		{ "ac\x1b[Db", "abc" },
		{ "abx\x1b[D\x1b[3~c", "abc" },
		{ "abx\x02\x04"
		  "c",
		  "abc" },
		{ "ab\x1b[H\x1b[C\x1b[CC", "abC" },
		{ "b\x1bOHa\x1bOFc", "abc" },
		{ "b\x1b[1~a\x1b[4~c", "abc" },
		{ "b\x1b[7~a\x1b[8~c", "abc" },
		{ "one two  three\x17"
		  "3",
		  "one two  3" },
		{ "one two \x17\x17x", "x" },
		{ "one two\x02\x02\x02\x15x", "xtwo" },
		{ "one two\x01\x06\x06\x06\x0b!", "one!" },
		{ "a\x1b[5~b\x1b[1;5Cc", "abc" },
		{ "a\x1b"
		  "bc",
		  "ac" },
		{ "\xc3\xa4\xc3\xb6\x1b[D\x7f.", ".\xc3\xb6" },
		{ "\xe2\x82\xacx\x01\x04", "x" },
		{ "a\x0c\x1c\x1e"
		  "b",
		  "ab" },
	};

	(void)state;
	begin();
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(entered(cases[i].typed), cases[i].line);
}

static void cr_lf_and_crlf_each_end_one_line(void **state)
{
	(void)state;
	begin();
	assert_int_equal(type("a\r"), LINE_READY);
	line_clear(&line);
	assert_int_equal(type("\n"), LINE_MORE);
	assert_int_equal(type("\n"), LINE_READY);
	assert_int_equal(line.length, 0);
	line_clear(&line);
	assert_int_equal(type("b\n"), LINE_READY);
	assert_string_equal(line.text, "b");
	line_clear(&line);
	assert_int_equal(type("\r"), LINE_READY);
	assert_int_equal(type("\r"), LINE_READY);
}

static void a_line_longer_than_1024_bytes_is_refused_whole(void **state)
{
	(void)state;
	begin();
	for (u32 i = 0; i < LINE_BYTES; i++)
		type("x");
	assert_int_equal(type("\r"), LINE_READY);
	assert_int_equal(line.length, LINE_BYTES);
	line_clear(&line);
	for (u32 i = 0; i < LINE_BYTES + 1; i++)
		type("y");
	assert_int_equal(type("\x7f\x7f\x7f z\x1b[D\t\x01"), LINE_MORE);
	assert_int_equal(type("\n"), LINE_TOO_LONG);
	line_clear(&line);
	assert_string_equal(entered("ok"), "ok");
	for (u32 i = 0; i < LINE_BYTES + 1; i++)
		type("y");
	assert_string_equal(entered("\x15"
				    "fresh"),
			    "fresh");
}

static void history_gives_older_lines_and_the_unfinished_one_back(void **state)
{
	char text[16];

	(void)state;
	begin();
	entered("one");
	entered("two");
	entered("two");
	entered("");
	assert_string_equal(entered("\x1b[A\x1b[A"), "one");
	assert_string_equal(entered("draft\x10\x10\x0e\x0e!"), "draft!");
	assert_string_equal(entered("\x0e"), "");
	for (u32 i = 0; i < LINE_HISTORY + 5; i++) {
		snprintf(text, sizeof(text), "line %u", i);
		entered(text);
	}
	for (u32 i = 0; i < LINE_HISTORY + 5; i++)
		type("\x1b[A");
	assert_string_equal(entered(""), "line 5");
}

static void ctrl_c_cancels_and_tab_asks_for_completion(void **state)
{
	(void)state;
	begin();
	assert_int_equal(type("abc\t"), LINE_COMPLETE);
	line_insert(&line, "def", 3);
	assert_string_equal(terminal_text(), "abcdef");
	assert_int_equal(type("\x03"), LINE_CANCELLED);
	assert_int_equal(line.length, 0);
	assert_string_equal(entered("x"), "x");
}

static void a_line_shown_again_has_its_cursor_where_it_was(void **state)
{
	(void)state;
	begin();
	type("abc\x02");
	terminal_show(NULL, "\r\n", 2);
	line_show(&line);
	assert_string_equal(terminal_text(), "abc");
	type("X");
	assert_string_equal(terminal_text(), "abXc");
	assert_string_equal(line.text, "abXc");
}

static void random_keys_keep_terminal_and_line_alike_within_the_bound_of_echo(void **state)
{
	static const char *const some[] = {
		"\x1b[A",  "\x1b[B", "\x1b[C",   "\x1b[D", "\x1b[H", "\x1b[F",
		"\x1b[3~", "\x01",   "\x05",     "\x17",   "\x15",   "\x0b",
		"\x7f",    "\x04",   "\xc3\xa4", " ",      "word",   "a long piece of text to fill it up ",
		"\x03"
	};
	u32 seed = (u32)(getenv("SEED") ? atoi(getenv("SEED")) : 77);

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	begin();
	for (u32 i = 0; i < 30000; i++) {
		u32 choice = (u32)rand() % (u32)(rand() % 8 ? ARRAY_SIZE(some) - 1 : ARRAY_SIZE(some));
		enum line_event event = type(some[rand() % 2 ? ARRAY_SIZE(some) - 2 : choice]);

		if (rand() % 100 == 0)
			event = type("\r");
		if (event != LINE_MORE)
			line_clear(&line);
		assert_true(line.length <= LINE_BYTES && strlen(line.text) == line.length);
		if (i % 16 == 0) {
			char text[LINE_BYTES + 1];
			u32 length = (u32)strlen(strcpy(text, line.text));

			while (length && text[length - 1] == ' ')
				text[--length] = 0;
			assert_string_equal(terminal_text(), text);
		}
	}
	assert_in_range(most_echo, LINE_BYTES, 3 * LINE_BYTES + 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_edit_the_line_and_the_terminal_shows_it),
		cmocka_unit_test(cr_lf_and_crlf_each_end_one_line),
		cmocka_unit_test(a_line_longer_than_1024_bytes_is_refused_whole),
		cmocka_unit_test(history_gives_older_lines_and_the_unfinished_one_back),
		cmocka_unit_test(ctrl_c_cancels_and_tab_asks_for_completion),
		cmocka_unit_test(a_line_shown_again_has_its_cursor_where_it_was),
		cmocka_unit_test(random_keys_keep_terminal_and_line_alike_within_the_bound_of_echo),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
