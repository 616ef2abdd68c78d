/* SPDX-License-Identifier: BSD-2-Clause */
/* The key of a page's contents: XXH3 with a secret, in two builds of the same result. */
#pragma once
#include "mm/share.h"

u64 key_plain(const u8 secret[SHARE_SECRET_BYTES], const void *bytes);
u64 key_avx2(const u8 secret[SHARE_SECRET_BYTES], const void *bytes); /* only inside simd_begin, where platform_has_simd */
