/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/shell/follow.h"
#include "kernel/core/log.h"
#include "kernel/lib/check.h"

enum { PIECE_BYTES = 512 };

bool follow_set(struct follow *follow, bool on)
{
	bool was = follow->on;

	if (on && !was)
		follow->position = log_end();
	follow->on = on;
	return was;
}

static void say_lost(struct follow *follow, struct out *out)
{
	u64 begin = log_begin();

	CHECK(follow->position <= log_end());
	if (begin <= follow->position)
		return;
	out_line(out, "[%llu bytes of the log lost]", begin - follow->position);
	follow->position = begin;
}

/* A line that is not complete yet waits. A piece holds every line, which has at most 288 bytes. */
bool follow_show(struct follow *follow, struct out *out)
{
	char piece[PIECE_BYTES];
	u32 from = 0;

	if (!follow->on || follow->position == log_end())
		return false;
	out_start_line(out);
	say_lost(follow, out);
	u32 count = log_read(follow->position, piece, sizeof(piece));

	for (u32 i = 0; i < count; i++) {
		if (piece[i] != '\n')
			continue;
		out_escaped(out, piece + from, i - from);
		out_raw(out, "\r\n", 2);
		from = i + 1;
	}
	follow->position += from;
	return from > 0;
}
