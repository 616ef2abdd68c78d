/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/shell/input.h"
#include "kernel/core/wire.h"
#include "kernel/lib/check.h"
#include <string.h>

u32 input_count(const struct input *input)
{
	CHECK(input->begin <= input->end && input->end <= INPUT_BYTES);
	return input->end - input->begin;
}

void input_fill(struct input *input)
{
	u32 count = input_count(input);

	if (input->begin > 0 && input->end == INPUT_BYTES) {
		memmove(input->bytes, input->bytes + input->begin, count);
		input->looked -= (u32)min_u64(input->looked, input->begin);
		input->begin = 0;
		input->end = count;
	}
	input->end += wire_take(input->bytes + input->end, INPUT_BYTES - input->end);
}

void input_drop(struct input *input, u32 count)
{
	CHECK(count <= input_count(input));
	input->begin += count;
	if (input->begin == input->end)
		input->begin = input->end = input->looked = 0;
}

bool input_take(struct input *input, u8 *byte)
{
	if (input_count(input) == 0)
		return false;
	*byte = input->bytes[input->begin];
	input_drop(input, 1);
	return true;
}

void input_look_again(struct input *input)
{
	input->looked = input->begin;
}

bool input_find(struct input *input, u8 byte, u32 *before)
{
	input->looked = (u32)max_u64(input->looked, input->begin);
	while (input->looked < input->end && input->bytes[input->looked] != byte)
		input->looked++;
	*before = input->looked - input->begin;
	return input->looked < input->end;
}
