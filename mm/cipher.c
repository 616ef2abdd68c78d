/* SPDX-License-Identifier: BSD-2-Clause */
/* AES-GCM by Intel's library (libipsec-mb), whose SSE code wants AES-NI and PCLMULQDQ, no canary, no memory and no red zone. */
#include "mm/cipher.h"
#include "kernel/lib/check.h"
#include "mm/platform.h"
#include <intel-ipsec-mb.h>
#include <string.h>

enum { NONCE_BYTES = 12 };

/*
 * aes_gcm_pre_128_sse is aes_keyexp_128_enc_sse and this one, but its file names the library's code for every processor: 3 MiB.
 * The library's headers do not declare it; known answers in cipher_test say whether it still is what it was.
 */
void aes_gcm_precomp_128_sse(struct gcm_key_data *key);

static struct gcm_key_data boot_key;

void cipher_use_key(const u8 key[CIPHER_KEY_BYTES])
{
	aes_keyexp_128_enc_sse(key, boot_key.expanded_keys);
	aes_gcm_precomp_128_sse(&boot_key);
}

void cipher_start(void)
{
	u64 key[CIPHER_KEY_BYTES / 8] = { platform_random(), platform_random() };

	simd_begin();
	cipher_use_key((const u8 *)key);
	simd_end();
	memset(key, 0, sizeof(key));
	__asm__ volatile("" : : "r"(key) : "memory"); /* the line above is no dead store */
}

/* Every number of slot and count is a nonce of its own. */
static void make_nonce(u8 nonce[NONCE_BYTES], u64 slot, u64 writes)
{
	u32 low = (u32)slot;

	CHECK(slot == low);
	memcpy(nonce, &low, sizeof(low));
	memcpy(nonce + sizeof(low), &writes, sizeof(writes));
}

void cipher_seal(void *to, const void *from, u64 slot, u64 writes, u8 tag[CIPHER_TAG_BYTES])
{
	struct gcm_context_data context;
	u8 nonce[NONCE_BYTES];

	make_nonce(nonce, slot, writes);
	aes_gcm_enc_128_sse(&boot_key, &context, to, from, PAGE_SIZE, nonce, nonce, 0, tag, CIPHER_TAG_BYTES);
}

/* How long it takes does not say where the first difference is. */
static bool is_equal(const u8 *a, const u8 *b)
{
	u8 difference = 0;

	for (u32 i = 0; i < CIPHER_TAG_BYTES; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}

bool cipher_open(void *to, const void *from, u64 slot, u64 writes, const u8 tag[CIPHER_TAG_BYTES])
{
	struct gcm_context_data context;
	u8 nonce[NONCE_BYTES], found[CIPHER_TAG_BYTES];

	make_nonce(nonce, slot, writes);
	aes_gcm_dec_128_sse(&boot_key, &context, to, from, PAGE_SIZE, nonce, nonce, 0, found, CIPHER_TAG_BYTES);
	if (is_equal(found, tag))
		return true;
	memset(to, 0, PAGE_SIZE);
	return false;
}
