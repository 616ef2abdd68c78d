/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GCM (NIST SP 800-38D) over OpenSSL's assembly for AES-NI and PCLMULQDQ, out of Debian's libcrypto.a: it wants no canary, no memory, no red
 * zone and no other part of that library.  Its names are in no header; known answers in cipher_test say that they are what they were.
 */
#include "mm/cipher.h"
#include "kernel/lib/check.h"
#include "mm/platform.h"
#include <string.h>

enum { BLOCK = 16, COUNTER_BYTES = 4, BLOCKS = PAGE_SIZE / BLOCK, MAX_ROUND_KEYS = 15, POWERS = 16 };

union block {
	u8 bytes[BLOCK];
	u64 words[BLOCK / 8];
} __attribute__((aligned(16)));

struct round_keys {
	union block keys[MAX_ROUND_KEYS];
	u32 rounds;
};

int aesni_set_encrypt_key(const u8 *key, int bits, struct round_keys *keys);
void aesni_encrypt(const u8 *from, u8 *to, const struct round_keys *keys);
void aesni_ctr32_encrypt_blocks(const void *from, void *to, size_t blocks, const struct round_keys *keys,
				const u8 counter[BLOCK]);
void gcm_init_clmul(union block powers[POWERS], const u64 hash_key[2]);
void gcm_gmult_clmul(u8 hash[BLOCK], const union block powers[POWERS]);
void gcm_ghash_clmul(u8 hash[BLOCK], const union block powers[POWERS], const void *from, size_t bytes);

/* What that code knows of the processor: no choices, so that it does the same everywhere. */
extern const u32 OPENSSL_ia32cap_P[4];
const u32 OPENSSL_ia32cap_P[4];

static struct {
	struct round_keys round;
	union block powers[POWERS]; /* of the hash's key */
} boot_key;

void cipher_use_key(const u8 key[CIPHER_KEY_BYTES])
{
	union block hash_key = { 0 };

	CHECK(aesni_set_encrypt_key(key, CIPHER_KEY_BYTES * 8, &boot_key.round) == 0);
	aesni_encrypt(hash_key.bytes, hash_key.bytes, &boot_key.round);
	for (u32 i = 0; i < ARRAY_SIZE(hash_key.words); i++)
		hash_key.words[i] = __builtin_bswap64(hash_key.words[i]);
	gcm_init_clmul(boot_key.powers, hash_key.words);
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

/* Every number of slot and count is a nonce of its own; behind it blocks are counted, from 1 for the tag's and 2 for the text's first. */
static union block counter_of(u64 slot, u64 writes, u8 count)
{
	union block counter = { 0 };
	u32 low = (u32)slot;

	CHECK(slot == low);
	_Static_assert(sizeof(low) + sizeof(writes) + COUNTER_BYTES == BLOCK, "GCM's nonce of 96 bits");
	memcpy(counter.bytes, &low, sizeof(low));
	memcpy(counter.bytes + sizeof(low), &writes, sizeof(writes));
	counter.bytes[BLOCK - 1] = count;
	return counter;
}

static void crypt(void *to, const void *from, u64 slot, u64 writes)
{
	union block counter = counter_of(slot, writes, 2);

	aesni_ctr32_encrypt_blocks(from, to, BLOCKS, &boot_key.round, counter.bytes);
}

static union block tag_of(const void *sealed, u64 slot, u64 writes)
{
	union block counter = counter_of(slot, writes, 1);
	union block hash = { 0 };

	gcm_ghash_clmul(hash.bytes, boot_key.powers, sealed, PAGE_SIZE);
	hash.words[1] ^= __builtin_bswap64(PAGE_SIZE * 8); /* the lengths: no other data, so much text */
	gcm_gmult_clmul(hash.bytes, boot_key.powers);
	aesni_encrypt(counter.bytes, counter.bytes, &boot_key.round);
	for (u32 i = 0; i < ARRAY_SIZE(hash.words); i++)
		hash.words[i] ^= counter.words[i];
	return hash;
}

void cipher_seal(void *to, const void *from, u64 slot, u64 writes, u8 tag[CIPHER_TAG_BYTES])
{
	crypt(to, from, slot, writes);
	union block made = tag_of(to, slot, writes);

	memcpy(tag, made.bytes, CIPHER_TAG_BYTES);
}

bool cipher_open(void *to, const void *from, u64 slot, u64 writes, const u8 tag[CIPHER_TAG_BYTES])
{
	union block right = tag_of(from, slot, writes), given;

	memcpy(given.bytes, tag, CIPHER_TAG_BYTES);
	/* How long it takes does not say where they differ. */
	if ((right.words[0] ^ given.words[0]) | (right.words[1] ^ given.words[1]))
		return false;
	crypt(to, from, slot, writes);
	return true;
}
