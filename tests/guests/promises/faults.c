/* SPDX-License-Identifier: BSD-2-Clause */
/* What one instruction raises. */
#include "tests/guests/promises/promises.h"

struct operands {
	u32 number;
	u64 value;
};

static u64 raises(void (*instruction)(void *), u32 number, u64 value)
{
	struct operands operands = { number, value };

	return try_call(instruction, &operands);
}

static void write_msr(void *operands)
{
	const struct operands *o = operands;

	msr_write(o->number, o->value);
}

static void read_msr(void *operands)
{
	(void)msr_read(((const struct operands *)operands)->number);
}

static void write_cr4(void *operands)
{
	cr4_write(((const struct operands *)operands)->value);
}

static void write_cr8(void *operands)
{
	cr8_write(((const struct operands *)operands)->value);
}

static void write_xcr(void *operands)
{
	const struct operands *o = operands;

	xsetbv(o->number, o->value);
}

static void call(void *operands)
{
	((void (*)(void))((const struct operands *)operands)->value)();
}

u64 msr_write_raises(u32 msr, u64 value)
{
	return raises(write_msr, msr, value);
}

u64 msr_read_raises(u32 msr)
{
	return raises(read_msr, msr, 0);
}

u64 cr4_write_raises(u64 value)
{
	return raises(write_cr4, 0, value);
}

u64 cr8_write_raises(u64 value)
{
	return raises(write_cr8, 0, value);
}

u64 xsetbv_raises(u32 which, u64 value)
{
	return raises(write_xcr, which, value);
}

u64 code_raises(void (*code)(void))
{
	return raises(call, 0, (u64)code);
}
