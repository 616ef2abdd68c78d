/* SPDX-License-Identifier: BSD-2-Clause */
/* The page that outlives a reset: what a panic put there is shown once, and nothing else ever is. */
#include "kernel/core/kept.h"
#include "kernel/lib/types.h"
#include "tests/unit/support/host.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HEADER = 24, BYTES_OFFSET = 16, ROUNDS = 2000 };

static u8 page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static const char *next_start(void)
{
	host_last_log[0] = 0;
	kept_start(page);
	return host_last_log;
}

static void fresh(void)
{
	memset(page, 0xaa, sizeof(page));
	assert_string_equal(next_start(), "");
}

static void add(const char *text)
{
	kept_add(text, (u32)strlen(text));
}

static void text_is_shown_once(void **state)
{
	(void)state;
	fresh();
	add("first\r\nsecond ");
	add("half\r\n");
	assert_string_equal(next_start(), "last panic: second half");
	assert_string_equal(next_start(), "");
}

static void a_panic_that_was_cut_short_shows_what_it_had(void **state)
{
	(void)state;
	fresh();
	add("a line without an end");
	assert_string_equal(next_start(), "last panic: a line without an end");
}

static void no_panic_shows_nothing(void **state)
{
	(void)state;
	fresh();
	assert_string_equal(next_start(), "");
	memset(page, 0, sizeof(page));
	assert_string_equal(next_start(), "");
	kept_start(NULL);
	add("nowhere");
}

static void what_does_not_fit_is_cut_off(void **state)
{
	(void)state;
	fresh();
	for (u32 i = 0; i < PAGE_SIZE; i++)
		add("0123456\n");
	assert_string_equal(next_start(), "last panic: 0123456");
}

static void terminal_control_is_left_out(void **state)
{
	(void)state;
	fresh();
	add("\x1b[2Jclear\x07\n");
	assert_string_equal(next_start(), "last panic: [2Jclear");
}

static void a_changed_byte_shows_nothing(void **state)
{
	(void)state;
	srand(1);
	for (u32 i = 0; i < ROUNDS; i++) {
		fresh();
		add("panic: on CPU 0:\r\n");
		u32 at = (u32)rand() % (HEADER + 18);
		u8 flip = (u8)(1 + rand() % 255);

		page[at] ^= flip;
		assert_string_equal(next_start(), "");
	}
	fresh();
	u64 bytes = ~0ULL; /* a length beyond the page */
	memcpy(page + BYTES_OFFSET, &bytes, sizeof(bytes));
	assert_string_equal(next_start(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_shown_once),           cmocka_unit_test(a_panic_that_was_cut_short_shows_what_it_had),
		cmocka_unit_test(no_panic_shows_nothing),       cmocka_unit_test(what_does_not_fit_is_cut_off),
		cmocka_unit_test(terminal_control_is_left_out), cmocka_unit_test(a_changed_byte_shows_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
