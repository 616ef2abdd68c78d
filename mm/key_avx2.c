/* SPDX-License-Identifier: BSD-2-Clause */
/* The only code of mm/ that is compiled for vector registers (the Makefile says how). */
#include "mm/key.h"

#define XXH_INLINE_ALL
#define XXH_FORCE_MEMORY_ACCESS 1
#define XXH_VECTOR XXH_AVX2
#include <xxhash.h>

u64 key_avx2(const u8 secret[SHARE_SECRET_BYTES], const void *bytes)
{
	return XXH3_64bits_withSecret(bytes, PAGE_SIZE, secret, SHARE_SECRET_BYTES);
}
