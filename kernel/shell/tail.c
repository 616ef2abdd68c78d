/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/shell/tail.h"
#include "kernel/lib/check.h"

void tail_begin(struct tail *tail, const struct tail_source *source, u64 lines)
{
	CHECK(lines > 0);
	*tail = (struct tail){ .source = *source, .lines = lines };
	tail->end = tail->position = source->end(source->context);
}

/* ---- back ---- */

static u64 oldest(const struct tail *tail)
{
	return min_u64(tail->source.begin(tail->source.context), tail->end);
}

/* The line end at the very end of the text ends the last line and begins none. */
static void look_back(struct tail *tail)
{
	u8 piece[TAIL_PIECE_BYTES];
	u64 begin = oldest(tail);
	u32 count = (u32)min_u64(tail->position - min_u64(begin, tail->position), sizeof(piece));
	u64 from = tail->position - count;

	if (count == 0 || tail->source.read(tail->source.context, from, piece, count) < count) {
		tail->forward = true;
		return;
	}
	for (u32 i = count; i > 0; i--) {
		u64 at = from + i - 1;

		if (piece[i - 1] != '\n' || at + 1 == tail->end || --tail->lines)
			continue;
		tail->position = at + 1;
		tail->forward = true;
		return;
	}
	tail->position = from;
}

/* ---- forward ---- */

static void put(struct tail *tail, struct out *out, const u8 *bytes, u32 count)
{
	if (!tail->in_line) {
		out_string_begin(out, NULL);
		if (!out->json)
			out_raw(out, "  ", 2);
	}
	tail->in_line = true;
	out_string_bytes(out, bytes, count);
	if (!out->json)
		out_escaped(out, bytes, count);
}

static void end_line(struct tail *tail, struct out *out)
{
	put(tail, out, NULL, 0);
	out_string_end(out);
	if (!out->json)
		out_raw(out, "\r\n", 2);
	tail->in_line = false;
}

/* A CR waits for what comes after it: in front of a LF it belongs to the line's end. */
static void put_byte(struct tail *tail, struct out *out, u8 byte)
{
	static const u8 cr = '\r';

	if (tail->after_cr && byte != '\n')
		put(tail, out, &cr, 1);
	tail->after_cr = byte == '\r';
	if (byte == '\n')
		end_line(tail, out);
	else if (byte != '\r')
		put(tail, out, &byte, 1);
}

bool tail_step(struct tail *tail, struct out *out)
{
	u8 piece[TAIL_PIECE_BYTES];

	if (!tail->forward) {
		look_back(tail);
		return false;
	}
	tail->position = max_u64(tail->position, oldest(tail));
	u32 wanted = (u32)min_u64(tail->end - tail->position, sizeof(piece));
	u32 count = wanted ? tail->source.read(tail->source.context, tail->position, piece, wanted) : 0;

	for (u32 i = 0; i < count; i++)
		put_byte(tail, out, piece[i]);
	tail->position += count;
	if (tail->position < tail->end)
		return false;
	if (tail->in_line || tail->after_cr)
		put_byte(tail, out, '\n');
	return true;
}
