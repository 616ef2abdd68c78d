/* SPDX-License-Identifier: BSD-2-Clause */
/* In general registers: the kernel may use this anywhere. */
#include "mm/key.h"

#define XXH_INLINE_ALL
#define XXH_FORCE_MEMORY_ACCESS 1 /* no memcpy: freestanding, it would be a call */
#define XXH_VECTOR XXH_SCALAR
#include <xxhash.h>

u64 key_plain(const u8 secret[SHARE_SECRET_BYTES], const void *bytes)
{
	return XXH3_64bits_withSecret(bytes, PAGE_SIZE, secret, SHARE_SECRET_BYTES);
}

u32 share_key(const u8 secret[SHARE_SECRET_BYTES], const void *bytes, bool simd)
{
	return (u32)((simd ? key_avx2(secret, bytes) : key_plain(secret, bytes)) >> 32);
}
