/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/kept.h"
#include "kernel/lib/check.h"
#include "kernel/lib/log.h"

#define MAGIC 0x4b45505430303031ULL      /* "KEPT0001" */
#define HASH_START 0xcbf29ce484222325ULL /* FNV-1a */
#define HASH_PRIME 0x100000001b3ULL

enum { LINE_BYTES = 200 };

static struct kept {
	u64 magic;
	u64 hash; /* of the text */
	u64 bytes;
	char text[PAGE_SIZE - 24];
} * kept;
_Static_assert(sizeof(struct kept) == PAGE_SIZE, "one page");

static u64 hash_more(u64 hash, const char *text, u64 bytes)
{
	for (u64 i = 0; i < bytes; i++)
		hash = (hash ^ (u8)text[i]) * HASH_PRIME;
	return hash;
}

static bool is_ours(void)
{
	return kept->magic == MAGIC && kept->bytes <= sizeof(kept->text) &&
	       kept->hash == hash_more(HASH_START, kept->text, kept->bytes);
}

static void show(void)
{
	char line[LINE_BYTES];
	u32 length = 0;

	for (u64 i = 0; i < kept->bytes; i++) {
		char c = kept->text[i];

		if (c >= ' ' && c <= '~' && length < sizeof(line) - 1)
			line[length++] = c;
		if ((c != '\n' && i + 1 < kept->bytes) || length == 0)
			continue;
		line[length] = 0;
		log_line("last panic: %s", line);
		length = 0;
	}
}

void kept_start(void *page)
{
	CHECK((u64)page % PAGE_SIZE == 0);
	kept = page;
	if (!kept)
		return;
	if (is_ours())
		show();
	kept->magic = MAGIC;
	kept->bytes = 0;
	kept->hash = HASH_START;
}

/* The hash follows each piece: a reset in the middle of a panic leaves what was there by then. */
void kept_add(const char *text, u32 bytes)
{
	if (!kept)
		return;
	u64 taken = min_u64(bytes, sizeof(kept->text) - kept->bytes);

	for (u64 i = 0; i < taken; i++)
		kept->text[kept->bytes + i] = text[i];
	kept->hash = hash_more(kept->hash, text, taken);
	kept->bytes += taken;
}
