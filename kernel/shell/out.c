/* SPDX-License-Identifier: BSD-2-Clause */
/* The buffer, and lines of text. */
#include "kernel/shell/out.h"
#include "kernel/core/wire.h"
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"
#include <string.h>

static const char line_end[] = "\r\n";

void out_raw(struct out *out, const void *bytes, u32 count)
{
	if (count == 0)
		return;
	CHECK(count <= out_room(out));
	memcpy(out->buffer + out->end, bytes, count);
	out->end += count;
	out->at_line_start = out->buffer[out->end - 1] == '\n';
}

u32 out_room(const struct out *out)
{
	CHECK(out->begin <= out->end && out->end <= sizeof(out->buffer));
	return (u32)sizeof(out->buffer) - out->end;
}

void out_start_line(struct out *out)
{
	if (!out->at_line_start)
		out_raw(out, line_end, 2);
}

/* The wire keeps room for the log's lines of a panic, and what waits in it cannot be taken back by Ctrl-C. */
bool out_drain(struct out *out)
{
	u32 room = wire_room();
	u32 backlog = WIRE_OUT_BYTES - room;
	u32 most = backlog < OUT_BACKLOG_BYTES ? OUT_BACKLOG_BYTES - backlog : 0;
	u32 count = (u32)min_u64(out->end - out->begin, most);

	if (count)
		out->begin += wire_put((const u8 *)out->buffer + out->begin, count);
	CHECK(out->begin <= out->end);
	if (out->begin < out->end)
		return false;
	out->begin = out->end = 0;
	return true;
}

static bool is_plain(u8 byte)
{
	return byte == '\t' || (byte >= ' ' && byte < 0x7f);
}

void out_escaped(struct out *out, const void *bytes, u32 count)
{
	static const char digits[] = "0123456789abcdef";
	const u8 *from = bytes;
	u32 done = 0;

	for (u32 i = 0; i < count; i++) {
		const char text[] = { '\\', 'x', digits[from[i] >> 4], digits[from[i] & 15] };

		if (is_plain(from[i]))
			continue;
		out_raw(out, from + done, i - done);
		out_raw(out, text, sizeof(text));
		done = i + 1;
	}
	out_raw(out, from + done, count - done);
}

void out_begin(struct out *out, bool json)
{
	CHECK(!out->json && out->at_line_start);
	out->json = json;
	out->depth = 0;
}

void out_end(struct out *out)
{
	if (!out->json) {
		out_start_line(out);
		return;
	}
	if (out->depth == 0)
		out_object(out, NULL);
	while (out->depth)
		out_close(out);
	out_raw(out, line_end, 2);
	out->json = false;
}

void out_whole_line(struct out *out, const char *text, u32 bytes)
{
	if (out->json)
		return;
	out_escaped(out, text, bytes);
	out_raw(out, line_end, 2);
}

void out_line(struct out *out, const char *text, ...)
{
	char line[OUT_LINE_BYTES];
	va_list arguments;

	if (out->json)
		return;
	va_start(arguments, text);
	u32 bytes = format_va(line, sizeof(line), text, arguments);
	va_end(arguments);
	out_whole_line(out, line, bytes);
}

void out_error(struct out *out, const char *text, ...)
{
	char line[OUT_LINE_BYTES];
	va_list arguments;

	va_start(arguments, text);
	u32 bytes = format_va(line, sizeof(line), text, arguments);
	va_end(arguments);
	out_whole_line(out, line, bytes);
	out_member(out, "error", line, true);
}
