/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes that were typed and that nobody has used yet: input may be sent ahead of what reads it. */
#pragma once
#include "kernel/lib/types.h"

enum { INPUT_BYTES = 4096 };

struct input {
	u8 bytes[INPUT_BYTES];
	u32 begin, end; /* bytes[begin … end - 1] are there */
	u32 looked;     /* before it, input_find has found nothing: no byte is looked at in every step */
};

void input_fill(struct input *input); /* from the wire, as much as there is room for */
bool input_take(struct input *input, u8 *byte);
void input_drop(struct input *input, u32 count);
u32 input_count(const struct input *input);
/* Is there such a byte?  *before: how many stand before it. Each byte is looked at once; another byte is looked for after input_look_again. */
bool input_find(struct input *input, u8 byte, u32 *before);
void input_look_again(struct input *input);
