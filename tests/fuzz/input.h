/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fuzzer's input as a source of decisions: taken from its front, zeros once it is used up.  Take once in a full expression: in what order its
 * operands are evaluated, the compilers of fuzzer and replay do not agree.
 */
#pragma once
#include "kernel/lib/types.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes);

static struct {
	const u8 *at;
	size_t bytes;
} left;

static inline void take_from(const u8 *data, size_t bytes)
{
	left.at = data;
	left.bytes = bytes;
}

/* The next bytes where they are, at most `most` of them. */
static inline const u8 *take_bytes(size_t most, size_t *bytes)
{
	const u8 *from = left.at;

	*bytes = left.bytes < most ? left.bytes : most;
	left.at += *bytes;
	left.bytes -= *bytes;
	return from;
}

static inline u64 take_value(u32 width)
{
	u64 value = 0;
	size_t bytes;
	const u8 *from = take_bytes(width, &bytes);

	if (bytes)
		memcpy(&value, from, bytes);
	return value;
}

static inline u64 take(void)
{
	return take_value(8);
}

static inline u8 take_byte(void)
{
	return (u8)take_value(1);
}

/* A copy that ends where the bytes end, so that ASan sees what is read beyond; the caller frees it. */
static inline u8 *copy_of(const void *from, size_t bytes)
{
	u8 *copy = malloc(bytes ? bytes : 1);

	if (bytes)
		memcpy(copy, from, bytes);
	return copy;
}

/* Every byte of it is there: ASan looks. */
static inline void touch_all(const void *from, size_t bytes)
{
	volatile u8 sum = 0;

	for (size_t i = 0; i < bytes; i++)
		sum = (u8)(sum + ((const u8 *)from)[i]);
}
