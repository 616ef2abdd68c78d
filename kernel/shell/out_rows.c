/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of fields, as columns, as "label: value" lines, or as JSON. */
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"
#include "kernel/shell/out.h"
#include <string.h>

enum { VALUE_BYTES = 360, PREFIX_BYTES = 32, NS_PER_MS = 1000000 };

static u64 u64_at(const void *value)
{
	u64 number;

	memcpy(&number, value, sizeof(number));
	return number;
}

static u32 u32_at(const void *value)
{
	u32 number;

	memcpy(&number, value, sizeof(number));
	return number;
}

/* ---- one value as text ---- */

static void text_of_text(char *to, const void *value)
{
	const char *text;

	memcpy(&text, value, sizeof(text));
	format(to, VALUE_BYTES, "%s", text ? text : "");
}

static void text_of_u32(char *to, const void *value)
{
	out_decimal(to, u32_at(value));
}

static void text_of_u64(char *to, const void *value)
{
	out_decimal(to, u64_at(value));
}

static void append(char *to, const char *text)
{
	memcpy(to + strlen(to), text, strlen(text) + 1);
}

/* Three digits that say something: 4K, 1.5M, 128M. */
void out_size_text(char *to, u64 bytes)
{
	static const char units[] = "KMGT";
	u32 unit = 0;

	while (unit < 3 && bytes >> (10 * (unit + 2)))
		unit++;
	u64 whole = bytes >> (10 * (unit + 1));
	u64 tenths = (bytes >> (10 * unit)) % 1024 * 10 / 1024;

	char letter[] = { bytes < 1024 ? 'B' : units[unit], 0 };

	out_decimal(to, bytes < 1024 ? bytes : whole);
	if (bytes >= 1024 && whole < 100 && tenths > 0) {
		char decimal[] = { '.', (char)('0' + tenths), 0 };

		append(to, decimal);
	}
	if (bytes > 0)
		append(to, letter);
}

static void text_of_size(char *to, const void *value)
{
	out_size_text(to, u64_at(value));
}

static void text_of_pages(char *to, const void *value)
{
	out_size_text(to, u64_at(value) << PAGE_SHIFT);
}

static void text_of_permille(char *to, const void *value)
{
	u32 permille = u32_at(value);

	format(to, VALUE_BYTES, "%u.%u%%", permille / 10, permille % 10);
}

static void text_of_ns(char *to, const void *value)
{
	u64 ms = u64_at(value) / NS_PER_MS;

	format(to, VALUE_BYTES, "%llu.%03llus", ms / 1000, ms % 1000);
}

static void text_of_hex(char *to, const void *value)
{
	format(to, VALUE_BYTES, "0x%llx", u64_at(value));
}

/* ---- and as JSON, where it differs ---- */

static void json_of_pages(char *to, const void *value)
{
	out_decimal(to, u64_at(value) << PAGE_SHIFT);
}

static void json_of_permille(char *to, const void *value)
{
	format(to, VALUE_BYTES, "%u.%03u", u32_at(value) / 1000, u32_at(value) % 1000);
}

static const struct {
	void (*text)(char *to, const void *value);
	void (*json)(char *to, const void *value);
	bool quoted; /* in JSON; and stands to the left in a column */
} kinds[OUT_KINDS] = {
	[OUT_TEXT] = { text_of_text, text_of_text, true },
	[OUT_NAME] = { text_of_text, text_of_text, true },
	[OUT_U32] = { text_of_u32, text_of_u32, false },
	[OUT_U64] = { text_of_u64, text_of_u64, false },
	[OUT_SIZE] = { text_of_size, text_of_u64, false },
	[OUT_PAGES] = { text_of_pages, json_of_pages, false },
	[OUT_PERMILLE] = { text_of_permille, json_of_permille, false },
	[OUT_NS] = { text_of_ns, text_of_u64, false },
	[OUT_HEX] = { text_of_hex, text_of_hex, true },
};

static const void *value_of(const struct out_field *field, const void *row)
{
	CHECK((u32)field->kind < OUT_KINDS);
	return (const u8 *)row + field->offset;
}

/* ---- JSON: a dotted key opens an object that the following fields of the same prefix stay in ---- */

static u32 prefix_bytes(const char *key)
{
	const char *dot = strchr(key, '.');

	return dot ? (u32)(dot - key) : 0;
}

static void json_fields(struct out *out, const struct out_field *fields, u32 count, const void *row)
{
	const char *inside = "";
	u32 inside_bytes = 0;

	for (u32 i = 0; i < count; i++) {
		const struct out_field *field = &fields[i];
		u32 bytes = prefix_bytes(field->key);
		char value[VALUE_BYTES];

		if (bytes != inside_bytes || strncmp(field->key, inside, bytes) != 0) {
			char prefix[PREFIX_BYTES] = "";

			CHECK(bytes < sizeof(prefix));
			memcpy(prefix, field->key, bytes);
			if (inside_bytes)
				out_close(out);
			if (bytes)
				out_object(out, prefix);
			inside = field->key;
			inside_bytes = bytes;
		}
		kinds[field->kind].json(value, value_of(field, row));
		out_member(out, field->key + (bytes ? bytes + 1 : 0), value, kinds[field->kind].quoted);
	}
	if (inside_bytes)
		out_close(out);
}

/* ---- text ---- */

/* By hand: a row has a dozen cells, and formatting them all would make a long step. */
struct columns {
	u32 used;
	char text[OUT_LINE_BYTES];
};

static void begin(struct columns *line)
{
	line->used = 0;
	line->text[0] = 0;
}

static void put(struct columns *line, const char *bytes, u32 count)
{
	CHECK(count <= sizeof(line->text) - line->used);
	memcpy(line->text + line->used, bytes, count);
	line->used += count;
}

static void put_blanks(struct columns *line, u32 count)
{
	CHECK(count <= sizeof(line->text) - line->used);
	memset(line->text + line->used, ' ', count);
	line->used += count;
}

static void cell(struct columns *line, const struct out *out, const struct out_field *field, const char *value)
{
	u32 width = field->kind == OUT_NAME ? out->name_width : field->width;
	u32 length = (u32)strlen(value);
	u32 blanks = width > length ? width - length : 0;
	bool left = kinds[field->kind].quoted;

	put_blanks(line, (line->used ? 2 : 0) + (left ? 0 : blanks));
	put(line, value, length);
	put_blanks(line, left ? blanks : 0);
}

static void put_line(struct out *out, struct columns *line)
{
	while (line->used && line->text[line->used - 1] == ' ')
		line->used--;
	out_whole_line(out, line->text, line->used);
}

void out_table(struct out *out, const char *key)
{
	out->heading = false;
	out_array(out, key);
}

/* With the first row. */
static void heading(struct out *out, const struct out_field *fields, u32 count)
{
	struct columns line;

	if (out->heading)
		return;
	out->heading = true;
	begin(&line);
	for (u32 i = 0; i < count; i++)
		if (fields[i].head)
			cell(&line, out, &fields[i], fields[i].head);
	put_line(out, &line);
}

void out_row(struct out *out, const struct out_field *fields, u32 count, const void *row)
{
	struct columns line;
	char value[VALUE_BYTES];

	if (out->json) {
		out_object(out, NULL);
		json_fields(out, fields, count, row);
		out_close(out);
		return;
	}
	heading(out, fields, count);
	begin(&line);
	for (u32 i = 0; i < count; i++) {
		if (!fields[i].head)
			continue;
		kinds[fields[i].kind].text(value, value_of(&fields[i], row));
		cell(&line, out, &fields[i], value);
	}
	put_line(out, &line);
}

void out_table_end(struct out *out, const char *none)
{
	out_close(out);
	if (!out->heading && none)
		out_line(out, "%s", none);
}

static u32 longest_label(const struct out_field *fields, u32 count)
{
	size_t longest = 0;

	for (u32 i = 0; i < count; i++)
		longest = max_u64(longest, fields[i].head ? strlen(fields[i].head) : 0);
	return (u32)longest;
}

void out_record(struct out *out, const struct out_field *fields, u32 count, const void *row)
{
	char value[VALUE_BYTES];

	if (out->json) {
		json_fields(out, fields, count, row);
		return;
	}
	u32 longest = longest_label(fields, count);

	for (u32 i = 0; i < count; i++) {
		struct columns line;

		begin(&line);
		if (!fields[i].head)
			continue;
		kinds[fields[i].kind].text(value, value_of(&fields[i], row));
		if (!value[0])
			continue;
		put(&line, fields[i].head, (u32)strlen(fields[i].head));
		put(&line, ":", 1);
		put_blanks(&line, longest + 2 - line.used);
		put(&line, value, (u32)strlen(value));
		put_line(out, &line);
	}
}
