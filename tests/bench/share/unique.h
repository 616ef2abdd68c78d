/* SPDX-License-Identifier: BSD-2-Clause */
/* The same pages for both sides: each is another one. */
#pragma once
#include "kernel/lib/types.h"

static inline void fill_unique(u64 *words, u64 number)
{
	u64 x = number * 0x9e3779b97f4a7c15ULL + 1;

	for (u32 i = 0; i < PAGE_SIZE / sizeof(u64); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		words[i] = x;
	}
}
