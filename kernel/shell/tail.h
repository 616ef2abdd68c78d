/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The latest lines of a ring of text that goes on being written: first back from its end to where they begin, then forward with output,
 * a piece a step.  CR LF ends a line as LF does.  As text each line stands behind two blanks, with what is not printable as \xNN, so
 * that nothing in it can pass for a prompt or a result; as JSON an array of strings.
 */
#pragma once
#include "kernel/shell/out.h"

enum { TAIL_PIECE_BYTES = 128 };

struct tail_source {
	u64 (*begin)(void *context); /* the oldest byte still kept */
	u64 (*end)(void *context);
	u32 (*read)(void *context, u64 position, u8 *to, u32 bytes);
	void *context;
};

struct tail {
	struct tail_source source;
	u64 position, end;
	u64 lines; /* still to be counted on the way back */
	bool forward;
	bool in_line; /* a line has begun */
	bool after_cr;
};

void tail_begin(struct tail *tail, const struct tail_source *source, u64 lines);
/* True: done. The array of strings is opened and closed by the caller. */
bool tail_step(struct tail *tail, struct out *out);
void tail_stop(struct tail *tail, struct out *out); /* before it is done: ends the line that has begun */
