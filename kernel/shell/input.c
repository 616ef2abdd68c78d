/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/shell/input.h"
#include "kernel/core/wire.h"
#include "kernel/lib/check.h"
#include <string.h>

void input_fill(struct input *input)
{
	CHECK(input->count <= INPUT_BYTES);
	input->count += wire_take(input->bytes + input->count, INPUT_BYTES - input->count);
}

void input_drop(struct input *input, u32 count)
{
	CHECK(count <= input->count);
	input->count -= count;
	memmove(input->bytes, input->bytes + count, input->count);
}

bool input_take(struct input *input, u8 *byte)
{
	if (input->count == 0)
		return false;
	*byte = input->bytes[0];
	input_drop(input, 1);
	return true;
}

u32 input_find(const struct input *input, u8 byte)
{
	u32 end = input->count;

	while (end > 0 && input->bytes[end - 1] != byte)
		end--;
	return end;
}

bool input_cut(struct input *input, u8 byte)
{
	u32 end = input_find(input, byte);

	input_drop(input, end);
	return end > 0;
}
