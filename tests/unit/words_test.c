/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines become words: blanks, quotes, --json, and text that is left as it is. */
#include "kernel/shell/words.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The words of a line joined by '|', then '+' if --json was there, then '!' and what is wrong. */
static const char *cut(const char *text)
{
	static char line[2048], result[4096];
	struct words words;
	const char *error;

	snprintf(line, sizeof(line), "%s", text);
	words_init(&words, line);
	while (words_next(&words, &error))
		;
	result[0] = 0;
	for (u32 i = 0; i < words.count; i++)
		sprintf(result + strlen(result), "%s%s", i ? "|" : "", words.word[i]);
	sprintf(result + strlen(result), "%s%s%s", words.json ? "+" : "", error ? "!" : "", error ? error : "");
	return result;
}

static void blanks_separate_words(void **state)
{
	(void)state;
	assert_string_equal(cut(""), "");
	assert_string_equal(cut(" \t "), "");
	assert_string_equal(cut("vm  list\tx "), "vm|list|x");
}

static void json_counts_anywhere_behind_the_first_word_and_is_taken_out(void **state)
{
	(void)state;
	assert_string_equal(cut("vm list --json"), "vm|list+");
	assert_string_equal(cut("vm --json list --json x"), "vm|list|x+");
	assert_string_equal(cut("--json vm"), "--json|vm");
	assert_string_equal(cut("vm --jsonx -json x--json"), "vm|--jsonx|-json|x--json");
}

static void quotes_keep_blanks_and_go_away(void **state)
{
	(void)state;
	assert_string_equal(cut("set cmdline=\"a  b\" c"), "set|cmdline=a  b|c");
	assert_string_equal(cut("x \"\" y"), "x||y");
	assert_string_equal(cut("x \"--json\""), "x|--json");
	assert_string_equal(cut("x \"open word"), "x!a quote is not closed");
}

static void too_many_words_are_an_error_not_a_cut(void **state)
{
	char line[256] = "";

	(void)state;
	for (u32 i = 0; i < WORDS_MAX; i++)
		strcat(line, "w ");
	assert_null(strchr(cut(line), '!'));
	strcat(line, "--json "); /* is none of them */
	assert_non_null(strstr(cut(line), "w+"));
	strcat(line, "w");
	assert_non_null(strstr(cut(line), "!too many words"));
}

/* "send NAME TEXT": two words, then the text. */
static const char *text_of(const char *text, bool *json)
{
	static char line[256];
	struct words words;
	const char *error;

	snprintf(line, sizeof(line), "%s", text);
	words_init(&words, line);
	assert_true(words_next(&words, &error) && words_next(&words, &error));
	const char *rest = words_free_text(&words);
	*json = words.json;
	return rest;
}

static void free_text_is_the_rest_of_the_line_byte_for_byte(void **state)
{
	bool json;

	(void)state;
	assert_string_equal(text_of("send a  x \"y\"  --json ", &json), " x \"y\"  --json ");
	assert_false(json);
	assert_string_equal(text_of("send a", &json), "");
	assert_string_equal(text_of("send a ", &json), "");
}

static void json_counts_before_free_text_and_not_in_it(void **state)
{
	bool json;

	(void)state;
	assert_string_equal(text_of("send --json a x", &json), "x");
	assert_true(json);
	assert_string_equal(text_of("send a --json x", &json), "x");
	assert_true(json);
	assert_string_equal(text_of("send a --jsonx", &json), "--jsonx");
	assert_false(json);
	assert_string_equal(text_of("send a x --json", &json), "x --json");
	assert_false(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blanks_separate_words),
		cmocka_unit_test(json_counts_anywhere_behind_the_first_word_and_is_taken_out),
		cmocka_unit_test(quotes_keep_blanks_and_go_away),
		cmocka_unit_test(too_many_words_are_an_error_not_a_cut),
		cmocka_unit_test(free_text_is_the_rest_of_the_line_byte_for_byte),
		cmocka_unit_test(json_counts_before_free_text_and_not_in_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
