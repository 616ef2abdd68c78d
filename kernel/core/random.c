/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/random.h"
#include "kernel/core/cpu.h"
#include "kernel/lib/check.h"
#include <string.h>

enum { BLOCK_WORDS = 16, KEY_WORDS = 8, DOUBLE_ROUNDS = 10, DRAWS = BLOCK_WORDS / 2 };

static u32 key[KEY_WORDS];
static bool seeded;

static struct stream {
	u64 counter;
	u32 drawn; /* numbers used up of the block */
	u64 block[DRAWS];
} streams[MAX_CPUS];

static u32 rotate(u32 value, u32 bits)
{
	return value << bits | value >> (32 - bits);
}

static void quarter(u32 *a, u32 *b, u32 *c, u32 *d)
{
	*a += *b;
	*d = rotate(*d ^ *a, 16);
	*c += *d;
	*b = rotate(*b ^ *c, 12);
	*a += *b;
	*d = rotate(*d ^ *a, 8);
	*c += *d;
	*b = rotate(*b ^ *c, 7);
}

/* The ChaCha20 block function; the stream's number stands in the nonce. */
static void block(u32 out[BLOCK_WORDS], u64 counter, u64 stream)
{
	u32 in[BLOCK_WORDS] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	u32 x[BLOCK_WORDS];

	memcpy(&in[4], key, sizeof(key));
	memcpy(&in[12], &counter, sizeof(counter));
	memcpy(&in[14], &stream, sizeof(stream));
	memcpy(x, in, sizeof(x));
	for (u32 round = 0; round < DOUBLE_ROUNDS; round++) {
		for (u32 i = 0; i < 4; i++)
			quarter(&x[i], &x[4 + i], &x[8 + i], &x[12 + i]);
		for (u32 i = 0; i < 4; i++)
			quarter(&x[i], &x[4 + (i + 1) % 4], &x[8 + (i + 2) % 4], &x[12 + (i + 3) % 4]);
	}
	for (u32 i = 0; i < BLOCK_WORDS; i++)
		out[i] = x[i] + in[i];
}

/* Absorb: each piece is added to the key, and the key is replaced by the block that it makes. */
void random_seed(const u8 *entropy, u32 bytes)
{
	CHECK(!seeded);
	for (u32 at = 0; at < bytes; at += sizeof(key)) {
		u32 out[BLOCK_WORDS];
		u8 *into = (u8 *)key;

		for (u32 i = 0; i < sizeof(key) && at + i < bytes; i++)
			into[i] ^= entropy[at + i];
		block(out, at, UINT64_MAX);
		memcpy(key, out, sizeof(key));
	}
	seeded = true;
}

u64 random_u64(void)
{
	u32 cpu = cpu_index();
	struct stream *stream = &streams[cpu];

	CHECK(seeded);
	if (stream->counter == 0 || stream->drawn == DRAWS) {
		block((u32 *)stream->block, stream->counter++, cpu);
		stream->drawn = 0;
	}
	u64 number = stream->block[stream->drawn];
	stream->block[stream->drawn++] = 0;
	return number;
}
