/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON, written as it comes: brackets, commas, strings.  ASCII only: everything else is escaped. */
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"
#include "kernel/shell/out.h"
#include <string.h>

enum { MAX_DEPTH = 16, REPLACEMENT = 0xfffd, LAST_CODE = 0x10ffff, SURROGATES = 0xd800, SURROGATES_END = 0xe000 };

static void text(struct out *out, const char *bytes)
{
	out_raw(out, bytes, (u32)strlen(bytes));
}

static void open(struct out *out, char bracket, bool array)
{
	CHECK(out->depth < MAX_DEPTH);
	out_raw(out, &bracket, 1);
	out->depth++;
	out->has_member &= ~(1U << out->depth);
	out->is_array &= ~(1U << out->depth);
	out->is_array |= (u32)array << out->depth;
}

/* Comma and key.  The command's own object opens with its first member. */
static void next(struct out *out, const char *key)
{
	if (out->depth == 0) {
		open(out, '{', false);
		if (!key)
			return;
	}
	CHECK(!key == !!(out->is_array & 1U << out->depth));
	if (out->has_member & 1U << out->depth)
		text(out, ", ");
	out->has_member |= 1U << out->depth;
	if (!key)
		return;
	text(out, "\"");
	text(out, key);
	text(out, "\": ");
}

void out_object(struct out *out, const char *key)
{
	if (!out->json)
		return;
	bool outermost = out->depth == 0 && !key;

	next(out, key);
	if (!outermost)
		open(out, '{', false);
}

void out_array(struct out *out, const char *key)
{
	if (!out->json)
		return;
	next(out, key);
	open(out, '[', true);
}

void out_close(struct out *out)
{
	if (!out->json)
		return;
	CHECK(out->depth > 0 && out->decoder.missing == 0);
	text(out, out->is_array & 1U << out->depth ? "]" : "}");
	out->depth--;
}

/* ---- strings ---- */

static void put_unit(struct out *out, u32 unit)
{
	char escaped[8];

	out_raw(out, escaped, format(escaped, sizeof(escaped), "\\u%04x", unit));
}

static void put_code(struct out *out, u32 code)
{
	char plain = (char)code;

	if (code == '"' || code == '\\')
		text(out, "\\");
	if (code >= ' ' && code < 0x7f)
		out_raw(out, &plain, 1);
	else if (code < 0x10000)
		put_unit(out, code);
	else {
		put_unit(out, SURROGATES + ((code - 0x10000) >> 10));
		put_unit(out, SURROGATES + 0x400 + ((code - 0x10000) & 0x3ff));
	}
}

static void abandon(struct out *out)
{
	if (out->decoder.missing)
		put_code(out, REPLACEMENT);
	out->decoder.missing = 0;
}

static void lead(struct out *out, u8 byte)
{
	static const struct {
		u8 mask, value;
		u32 missing, least;
	} leads[] = { { 0x80, 0, 0, 0 }, { 0xe0, 0xc0, 1, 0x80 }, { 0xf0, 0xe0, 2, 0x800 }, { 0xf8, 0xf0, 3, 0x10000 } };

	for (u32 i = 0; i < ARRAY_SIZE(leads); i++)
		if ((byte & leads[i].mask) == leads[i].value) {
			out->decoder = (struct out_decoder){ byte & (u8)~leads[i].mask, leads[i].least, leads[i].missing };
			if (out->decoder.missing == 0)
				put_code(out, byte);
			return;
		}
	put_code(out, REPLACEMENT);
}

static void continuation(struct out *out, u8 byte)
{
	struct out_decoder *decoder = &out->decoder;

	CHECK(decoder->missing > 0 && decoder->missing < 4);
	decoder->code = decoder->code << 6 | (byte & 0x3f);
	if (--decoder->missing)
		return;
	bool valid = decoder->code >= decoder->least && decoder->code <= LAST_CODE &&
		     (decoder->code < SURROGATES || decoder->code >= SURROGATES_END);
	put_code(out, valid ? decoder->code : REPLACEMENT);
}

void out_string_begin(struct out *out, const char *key)
{
	if (!out->json)
		return;
	next(out, key);
	text(out, "\"");
	out->decoder.missing = 0;
}

/* How many bytes at the beginning stand for themselves. */
static u32 plain_run(const u8 *bytes, u32 count)
{
	u32 run = 0;

	while (run < count && bytes[run] >= ' ' && bytes[run] < 0x7f && bytes[run] != '"' && bytes[run] != '\\')
		run++;
	return run;
}

void out_string_bytes(struct out *out, const void *bytes, u32 count)
{
	const u8 *from = bytes;

	for (u32 i = 0, run; i < count && out->json; i += run ? run : 1) {
		run = 0;
		if (out->decoder.missing && (from[i] & 0xc0) == 0x80) {
			continuation(out, from[i]);
			continue;
		}
		abandon(out);
		run = plain_run(from + i, count - i);
		out_raw(out, from + i, run);
		if (run == 0)
			lead(out, from[i]);
	}
}

void out_string_end(struct out *out)
{
	if (!out->json)
		return;
	abandon(out);
	text(out, "\"");
}

/* ---- members ---- */

void out_member(struct out *out, const char *key, const char *value, bool quoted)
{
	if (!out->json)
		return;
	if (quoted) {
		out_string_begin(out, key);
		out_string_bytes(out, value, (u32)strlen(value));
		out_string_end(out);
		return;
	}
	next(out, key);
	text(out, value);
}

void out_decimal(char to[OUT_DECIMAL_BYTES], u64 value)
{
	u32 digits = 1;

	for (u64 rest = value; rest >= 10; rest /= 10)
		digits++;
	to[digits] = 0;
	for (; digits > 0; value /= 10)
		to[--digits] = (char)('0' + value % 10);
}

void out_number(struct out *out, const char *key, u64 value)
{
	char digits[OUT_DECIMAL_BYTES];

	out_decimal(digits, value);
	out_member(out, key, digits, false);
}
