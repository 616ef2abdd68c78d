/* SPDX-License-Identifier: BSD-2-Clause */
/* printf into a buffer: what it prints, where it cuts, and the size notation that messages use. */
#include "kernel/lib/format.h"
#include "kernel/lib/error.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void numbers_and_texts_print_as_in_c(void **state)
{
	char ours[200], theirs[200];

	(void)state;
#define SAME(...)                                                             \
	do {                                                                  \
		u32 length = format(ours, sizeof(ours), __VA_ARGS__);         \
		int expected = snprintf(theirs, sizeof(theirs), __VA_ARGS__); \
		assert_string_equal(ours, theirs);                            \
		assert_int_equal(length, expected);                           \
	} while (0)
	SAME("plain");
	SAME("%%");
	SAME("%d %i %d", 0, -1, -2147483647);
	SAME("%u %u", 0U, 4294967295U);
	SAME("%lld %llu", -9223372036854775807LL, 18446744073709551615ULL);
	SAME("%x %X %08x %#x", 0xbeefU, 0xbeefU, 0xbeefU, 0xbeefU);
	SAME("0x%llx 0x%016llx", 0xffff800000000000ULL, 0x1234ULL);
	SAME("%5d|%-5d|%05d|%+d", 42, 42, 42, 42);
	SAME("%s|%10s|%-10s|%.3s|%.*s", "text", "text", "text", "text", 2, "text");
	SAME("%c%c", 'a', 'b');
	SAME("%zu", (size_t)123456);
	SAME("%hhx", (unsigned char)0xab);
	SAME("%.40s", "");
#undef SAME
}

static void what_does_not_fit_is_cut_and_ended(void **state)
{
	(void)state;
	for (size_t bytes = 1; bytes < 30; bytes++) {
		char *to = malloc(bytes); /* ASan stands behind it */
		u32 length = format(to, bytes, "%s-%u", "abcdefghij", 1234567890U);

		assert_int_equal(length, bytes - 1 < 21 ? bytes - 1 : 21);
		assert_int_equal(strlen(to), length);
		assert_memory_equal(to, "abcdefghij-1234567890", length);
		free(to);
	}
}

static void long_texts_pass_the_inner_buffer_whole(void **state)
{
	char text[3000], ours[3100];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	for (u32 length = 480; length < sizeof(text); length += 97) {
		text[length] = 0;
		assert_int_equal(format(ours, sizeof(ours), "<%s>", text), length + 2);
		assert_int_equal(ours[length + 1], '>');
		text[length] = 'x';
	}
}

static u32 through_list(char *to, size_t bytes, const char *text, ...) PRINTF(3, 4);
static u32 through_list(char *to, size_t bytes, const char *text, ...)
{
	va_list arguments;

	va_start(arguments, text);
	u32 length = format_va(to, bytes, text, arguments);

	va_end(arguments);
	return length;
}

static void a_list_of_arguments_prints_the_same(void **state)
{
	char ours[40];

	(void)state;
	assert_int_equal(through_list(ours, sizeof(ours), "%u %s", 5U, "five"), 6);
	assert_string_equal(ours, "5 five");
}

static void every_error_has_a_text(void **state)
{
	(void)state;
	for (u32 i = 0; i <= E_CORRUPT; i++) {
		const char *text = err_text((err_t)i);

		assert_true(strlen(text) > 1);
		for (u32 k = 0; k < i; k++)
			assert_string_not_equal(text, err_text((err_t)k));
	}
	assert_string_equal(err_text(E_NO_MEMORY), "out of memory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_and_texts_print_as_in_c),
		cmocka_unit_test(what_does_not_fit_is_cut_and_ended),
		cmocka_unit_test(long_texts_pass_the_inner_buffer_whole),
		cmocka_unit_test(a_list_of_arguments_prints_the_same),
		cmocka_unit_test(every_error_has_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
