/* SPDX-License-Identifier: BSD-2-Clause */
/* Output: the same rows as text and as one JSON object; whatever the bytes, it is valid. */
#include "kernel/core/wire.h"
#include "kernel/shell/out.h"
#include "kernel/vm.h"
#include "tests/unit/support/shell_json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A wire that takes what it has room for. */
static char taken[1 << 16];
static u32 taken_count, backlog;

u32 wire_room(void)
{
	return WIRE_OUT_BYTES - backlog;
}

u32 wire_put(const u8 *bytes, u32 count)
{
	memcpy(taken + taken_count, bytes, count);
	taken_count += count;
	backlog += count;
	return count;
}

static struct out out;

static void begin(bool json)
{
	memset(&out, 0, sizeof(out));
	out.at_line_start = true;
	out.name_width = 6;
	taken_count = backlog = 0;
	out_begin(&out, json);
}

static const char *end(void)
{
	out_end(&out);
	assert_true(out_drain(&out));
	taken[taken_count] = 0;
	return taken;
}

static const char *json_string(const void *bytes, u32 count)
{
	begin(true);
	out_string_begin(&out, "s");
	out_string_bytes(&out, bytes, count);
	out_string_end(&out);
	end();
	assert_true(json_is_valid(taken, taken_count - 2));
	taken[taken_count - 3] = 0;
	return taken + sizeof("{\"s\": ") - 1;
}

static void strings_are_escaped_and_invalid_utf8_is_replaced(void **state)
{
	static const struct {
		const char *bytes, *json;
	} cases[] = {
		{ "", "\"\"" },
		{ "a\"b\\c/", "\"a\\\"b\\\\c/\"" },
		{ "\t\n\x01\x7f", "\"\\u0009\\u000a\\u0001\\u007f\"" },
		{ "\xc3\xa4\xe2\x82\xac", "\"\\u00e4\\u20ac\"" },
		{ "\xf0\x9f\x98\x80", "\"\\ud83d\\ude00\"" },
		{ "\xf4\x8f\xbf\xbf", "\"\\udbff\\udfff\"" },
		{ "\xf4\x90\x80\x80", "\"\\ufffd\"" },
		{ "\xc0\x80", "\"\\ufffd\"" },
		{ "\xe0\x80\xaf", "\"\\ufffd\"" },
		{ "\xed\xa0\x80", "\"\\ufffd\"" },
		{ "\x80\xff", "\"\\ufffd\\ufffd\"" },
		{ "\xe2\x82", "\"\\ufffd\"" },
		{ "\xe2\x82x", "\"\\ufffdx\"" },
		{ "\xe2\xe2\x82\xac", "\"\\ufffd\\u20ac\"" },
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(json_string(cases[i].bytes, (u32)strlen(cases[i].bytes)), cases[i].json);
}

static void a_sequence_that_comes_in_pieces_is_one_character(void **state)
{
	(void)state;
	begin(true);
	out_string_begin(&out, "s");
	out_string_bytes(&out, "\xe2", 1);
	out_string_bytes(&out, "\x82", 1);
	out_string_bytes(&out, "\xac", 1);
	out_string_end(&out);
	assert_string_equal(end(), "{\"s\": \"\\u20ac\"}\r\n");
}

static void any_bytes_give_valid_json_and_plain_text(void **state)
{
	u32 seed = (u32)(getenv("SEED") ? atoi(getenv("SEED")) : 4711);
	u8 bytes[200];

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (u32 round = 0; round < 5000; round++) {
		for (u32 i = 0; i < sizeof(bytes); i++)
			bytes[i] = (u8)(rand() % 3 ? rand() : rand() % 64 + 0x80 + rand() % 2 * 0x40);
		json_string(bytes, sizeof(bytes));
		begin(false);
		out_escaped(&out, bytes, sizeof(bytes));
		assert_true(out_drain(&out));
		for (u32 i = 0; i < taken_count; i++)
			assert_true(taken[i] == '\t' || (taken[i] >= ' ' && taken[i] <= '~'));
	}
}

struct row {
	const char *name, *why;
	u32 count, active;
	u64 bytes, pages, time, address;
};

static const struct out_field fields[] = {
	{ "name", "NAME", OUT_NAME, 0, offsetof(struct row, name) },
	{ "count", "COUNT", OUT_U32, 5, offsetof(struct row, count) },
	{ "memory.bytes", "BYTES", OUT_SIZE, 6, offsetof(struct row, bytes) },
	{ "memory.pages", "PAGES", OUT_PAGES, 6, offsetof(struct row, pages) },
	{ "clock.time", "TIME", OUT_NS, 8, offsetof(struct row, time) },
	{ "active", "ACTIVE", OUT_PERMILLE, 6, offsetof(struct row, active) },
	{ "address", "ADDRESS", OUT_HEX, 8, offsetof(struct row, address) },
	{ "hidden", NULL, OUT_U32, 0, offsetof(struct row, count) },
	{ "why", "WHY", OUT_TEXT, 8, offsetof(struct row, why) },
};
static const struct row rows[] = {
	{ "web1", "a \"b\"", 7, 125, 1536, 32768, 1234567890, 0xfee00000 },
	{ "x", NULL, 0, 1000, 0, 0, 0, 0 },
};

static void rows_are_columns_in_text(void **state)
{
	(void)state;
	begin(false);
	out_table(&out, "rows");
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		out_row(&out, fields, ARRAY_SIZE(fields), &rows[i]);
	out_table_end(&out, "none");
	assert_string_equal(end(), "NAME    COUNT   BYTES   PAGES      TIME  ACTIVE  ADDRESS   WHY\r\n"
				   "web1        7    1.5K    128M    1.234s   12.5%  0xfee00000  a \"b\"\r\n"
				   "x           0       0       0    0.000s  100.0%  0x0\r\n");
}

static void a_table_without_rows_says_so(void **state)
{
	(void)state;
	begin(false);
	out_table(&out, "rows");
	out_table_end(&out, "no rows");
	assert_string_equal(end(), "no rows\r\n");
	begin(true);
	out_table(&out, "rows");
	out_table_end(&out, "no rows");
	assert_string_equal(end(), "{\"rows\": []}\r\n");
}

static void rows_are_an_array_of_objects_in_json(void **state)
{
	(void)state;
	begin(true);
	out_table(&out, "rows");
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		out_row(&out, fields, ARRAY_SIZE(fields), &rows[i]);
	out_table_end(&out, "none");
	out_line(&out, "text says nothing here");
	assert_string_equal(
		end(), "{\"rows\": [{\"name\": \"web1\", \"count\": 7, \"memory\": {\"bytes\": 1536, \"pages\": 134217728}, "
		       "\"clock\": {\"time\": 1234567890}, \"active\": 0.125, \"address\": \"0xfee00000\", \"hidden\": 7, "
		       "\"why\": \"a \\\"b\\\"\"}, {\"name\": \"x\", \"count\": 0, \"memory\": {\"bytes\": 0, \"pages\": 0}, "
		       "\"clock\": {\"time\": 0}, \"active\": 1.000, \"address\": \"0x0\", \"hidden\": 0, \"why\": \"\"}]}\r\n");
	assert_true(json_is_valid(taken, taken_count - 2));
}

static void a_record_is_lines_in_text_and_members_in_json(void **state)
{
	(void)state;
	begin(false);
	out_record(&out, fields, 3, &rows[0]);
	assert_string_equal(end(), "NAME:  web1\r\nCOUNT: 7\r\nBYTES: 1.5K\r\n");
	begin(true);
	out_record(&out, fields, 3, &rows[0]);
	out_number(&out, "more", 1);
	assert_string_equal(end(), "{\"name\": \"web1\", \"count\": 7, \"memory\": {\"bytes\": 1536}, \"more\": 1}\r\n");
}

/* The longest text of a VM: why it failed. */
static void a_long_value_is_not_cut(void **state)
{
	static const struct out_field field = { "why", "WHY", OUT_TEXT, 0, 0 };
	char text[VM_WHY_BYTES], *value = text;

	(void)state;
	memset(text, '\\', sizeof(text));
	text[sizeof(text) - 1] = 0;
	text[sizeof(text) - 2] = '!';
	for (u32 json = 0; json < 2; json++) {
		begin(json);
		out_record(&out, &field, 1, &value);
		assert_non_null(strchr(end(), '!'));
	}
}

static void sizes_are_short_and_never_round_up(void **state)
{
	static const struct {
		u64 bytes;
		const char *text;
	} cases[] = {
		{ 0, "0" },          { 1, "1B" },          { 1023, "1023B" },          { 1024, "1K" },
		{ 1536, "1.5K" },    { 102400, "100K" },   { 1048575, "1023K" },       { 1 << 20, "1M" },
		{ 8265728, "7.8M" }, { 3ULL << 40, "3T" }, { 5000ULL << 40, "5000T" }, { (1ULL << 30) - 1, "1023M" },
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		struct row row = { .bytes = cases[i].bytes };
		char wanted[32];

		begin(false);
		out_record(&out, &fields[2], 1, &row);
		snprintf(wanted, sizeof(wanted), "BYTES: %s\r\n", cases[i].text);
		assert_string_equal(end(), wanted);
	}
}

static void an_error_is_a_line_or_an_object(void **state)
{
	(void)state;
	begin(false);
	out_error(&out, "no VM '%s'\x1b[2J", "x");
	assert_string_equal(end(), "no VM 'x'\\x1b[2J\r\n");
	begin(true);
	out_error(&out, "no VM '%s'", "x");
	assert_string_equal(end(), "{\"error\": \"no VM 'x'\"}\r\n");
	begin(true);
	assert_string_equal(end(), "{}\r\n");
}

static void the_wire_gets_no_more_than_the_backlog_and_nothing_is_lost(void **state)
{
	char bytes[6000];

	(void)state;
	begin(false);
	memset(bytes, 'x', sizeof(bytes));
	bytes[sizeof(bytes) - 1] = '\n';
	out_raw(&out, bytes, sizeof(bytes));
	assert_false(out_drain(&out));
	assert_int_equal(backlog, OUT_BACKLOG_BYTES);
	assert_false(out_drain(&out));
	backlog = 100;
	assert_true(out_drain(&out));
	assert_int_equal(taken_count, sizeof(bytes));
	assert_memory_equal(taken, bytes, sizeof(bytes));
	assert_int_equal(out_room(&out), OUT_BUFFER_BYTES);
	assert_true(out.at_line_start);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_escaped_and_invalid_utf8_is_replaced),
		cmocka_unit_test(a_sequence_that_comes_in_pieces_is_one_character),
		cmocka_unit_test(any_bytes_give_valid_json_and_plain_text),
		cmocka_unit_test(rows_are_columns_in_text),
		cmocka_unit_test(a_table_without_rows_says_so),
		cmocka_unit_test(rows_are_an_array_of_objects_in_json),
		cmocka_unit_test(a_record_is_lines_in_text_and_members_in_json),
		cmocka_unit_test(a_long_value_is_not_cut),
		cmocka_unit_test(sizes_are_short_and_never_round_up),
		cmocka_unit_test(an_error_is_a_line_or_an_object),
		cmocka_unit_test(the_wire_gets_no_more_than_the_backlog_and_nothing_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
