/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes that were typed and that nobody has used yet: input may be sent ahead of what reads it. */
#pragma once
#include "kernel/lib/types.h"

enum { INPUT_BYTES = 4096 };

struct input {
	u8 bytes[INPUT_BYTES];
	u32 count;
};

void input_fill(struct input *input); /* from the wire, as much as there is room for */
bool input_take(struct input *input, u8 *byte);
void input_drop(struct input *input, u32 count);
/* Where the last such byte stands, plus one; 0: nowhere. */
u32 input_find(const struct input *input, u8 byte);
/* Drop everything up to and with the last such byte; false: there is none. */
bool input_cut(struct input *input, u8 byte);
