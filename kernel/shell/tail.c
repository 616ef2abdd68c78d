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

	CHECK(tail->position <= tail->end && from <= tail->position);
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

static void begin_line(struct tail *tail, struct out *out)
{
	if (tail->in_line)
		return;
	out_string_begin(out, NULL);
	if (!out->json)
		out_raw(out, "  ", 2);
	tail->in_line = true;
}

static void put(struct tail *tail, struct out *out, const u8 *bytes, u32 count)
{
	begin_line(tail, out);
	out_string_bytes(out, bytes, count);
	if (!out->json)
		out_escaped(out, bytes, count);
}

static void end_line(struct tail *tail, struct out *out)
{
	begin_line(tail, out);
	out_string_end(out);
	if (!out->json)
		out_raw(out, "\r\n", 2);
	tail->in_line = false;
}

static u32 run_of_others(const u8 *bytes, u32 count)
{
	u32 run = 0;

	while (run < count && bytes[run] != '\r' && bytes[run] != '\n')
		run++;
	return run;
}

/* Returns how many bytes it took.  A CR waits for what comes after it: in front of a LF it belongs to the line's end. */
static u32 put_some(struct tail *tail, struct out *out, const u8 *bytes, u32 count)
{
	static const u8 cr = '\r';
	u32 run = run_of_others(bytes, count);

	if (tail->after_cr && bytes[0] != '\n')
		put(tail, out, &cr, 1);
	tail->after_cr = bytes[0] == '\r';
	if (bytes[0] == '\n')
		end_line(tail, out);
	else if (run)
		put(tail, out, bytes, run);
	return run ? run : 1;
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

	for (u32 i = 0; i < count;)
		i += put_some(tail, out, piece + i, count - i);
	tail->position += count;
	CHECK(count <= wanted && tail->position <= tail->end);
	if (tail->position < tail->end)
		return false;
	tail_stop(tail, out);
	return true;
}

void tail_stop(struct tail *tail, struct out *out)
{
	if (tail->in_line || tail->after_cr)
		end_line(tail, out);
}
