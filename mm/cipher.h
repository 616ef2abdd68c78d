/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages that leave the machine's memory: AES-128-GCM under a key drawn at boot, a page and its place at a time.  Called only where platform_has_cipher,
 * within simd_begin and simd_end.  A call is some 10,600 instructions.  Nothing suspends; any CPU, no lock.
 *
 * The nonce is (slot, writes).  Whoever keeps the slots gives `writes` once for a slot, however often that is written: two texts under one
 * nonce would tell each other, and let tags be forged.
 */
#pragma once
#include "kernel/lib/types.h"

enum { CIPHER_KEY_BYTES = 16, CIPHER_TAG_BYTES = 16 };

void cipher_start(void); /* draws the key; once at boot */
void cipher_use_key(const u8 key[CIPHER_KEY_BYTES]);

/* One page each; `to` may be `from`.  Slots are 32 bits. */
void cipher_seal(void *to, const void *from, u64 slot, u64 writes, u8 tag[CIPHER_TAG_BYTES]);
/* False: not what was sealed for that slot at that count; nothing is written then. */
MUST_CHECK bool cipher_open(void *to, const void *from, u64 slot, u64 writes, const u8 tag[CIPHER_TAG_BYTES]);
