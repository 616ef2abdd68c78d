/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any memory map from firmware, any claims: the ranges are sorted, disjoint, whole pages and merged, and at each place where something
 * begins or ends they say what the most careful of all entries there says.
 */
#include "boot/memmap.h"
#include "kernel/lib/check.h"
#include "tests/fuzz/input.h"

enum { MOST = 600, CLAIMS = 8 };
#define RUNTIME_ATTRIBUTE BIT(63)
#define SPECIAL_ATTRIBUTE BIT(18)
#define HIGHEST (1ULL << 52)

static struct memmap map;
static struct boot_range ranges[BOOT_MAX_RANGES];
static u32 count;

struct span {
	u64 base, pages;
	u32 kind;
};
static struct span spans[MOST + CLAIMS];
static u32 span_count;

/* UEFI 2.10, table 7.6, once more. */
static u32 kind_of(u32 type, u64 attribute)
{
	if (attribute & RUNTIME_ATTRIBUTE)
		return BOOT_MEMORY_RUNTIME;
	if (attribute & SPECIAL_ATTRIBUTE)
		return BOOT_MEMORY_RESERVED;
	if (type >= 1 && type <= 4)
		return BOOT_MEMORY_BOOT_SERVICES;
	if (type == 5 || type == 6)
		return BOOT_MEMORY_RUNTIME;
	return type == 7 ? BOOT_MEMORY_FREE : type == 9 || type == 10 ? BOOT_MEMORY_ACPI : BOOT_MEMORY_RESERVED;
}

/* Does it say anything of the page at `address`?  What gives memory must give the whole page. */
static bool covers(const struct span *span, u64 address)
{
	u64 first = span->base / PAGE_SIZE + (span->kind <= BOOT_MEMORY_BOOT_SERVICES && span->base % PAGE_SIZE);
	u64 pages = min_u64(span->pages, HIGHEST / PAGE_SIZE), page = address / PAGE_SIZE;

	if (span->base % PAGE_SIZE)
		pages = span->kind <= BOOT_MEMORY_BOOT_SERVICES ? pages - 1 : pages + 1;
	return span->pages && span->base < HIGHEST && page >= first && page - first < pages;
}

static void check_page(u64 address)
{
	u32 wanted = 0, kind = 0;

	address &= ~(u64)(PAGE_SIZE - 1);
	if (address >= HIGHEST)
		return;
	for (u32 i = 0; i < span_count; i++)
		if (covers(&spans[i], address))
			wanted = (u32)max_u64(wanted, spans[i].kind);
	for (u32 i = 0; i < count; i++)
		if (address >= ranges[i].base && address - ranges[i].base < ranges[i].pages << PAGE_SHIFT)
			kind = ranges[i].kind;
	CHECK(kind == wanted);
}

static void check_ranges(void)
{
	u64 end = 0;

	CHECK(count <= BOOT_MAX_RANGES);
	for (u32 i = 0; i < count; i++) {
		CHECK(ranges[i].base % PAGE_SIZE == 0 && ranges[i].pages > 0 && ranges[i].base >= end);
		CHECK(ranges[i].kind >= BOOT_MEMORY_FREE && ranges[i].kind <= BOOT_MEMORY_RESERVED);
		CHECK(i == 0 || ranges[i].base > end || ranges[i].kind != ranges[i - 1].kind);
		end = ranges[i].base + (ranges[i].pages << PAGE_SHIFT);
		CHECK(end <= HIGHEST && end > ranges[i].base);
	}
	for (u32 i = 0; i < span_count; i++) {
		u64 last = spans[i].base + (spans[i].pages << PAGE_SHIFT);

		check_page(spans[i].base);
		check_page(spans[i].base - 1);
		check_page(last);
		check_page(last - 1);
	}
}

/* Small numbers, so that entries meet, or any. */
static u64 take_number(u8 how, u32 shift)
{
	return how & 1 ? take() : (u64)take_byte() << shift;
}

static void take_claims(void)
{
	for (u32 i = take_byte() % CLAIMS; i > 0; i--) {
		u8 how = take_byte();
		u32 kind = BOOT_MEMORY_KERNEL + how / 2 % 3;
		u64 base = take_number(how, PAGE_SHIFT) % HIGHEST & ~(u64)(PAGE_SIZE - 1), pages = 1 + take_byte();

		CHECK(memmap_claim(&map, base, pages, (enum boot_memory_kind)kind) == OK);
		spans[span_count++] = (struct span){ base, pages, kind };
	}
}

static struct memmap_descriptor take_descriptor(void)
{
	u8 how = take_byte();
	struct memmap_descriptor one = { .type = how & 2 ? (u32)take_value(4) : how >> 4 };

	one.base = take_number(how, how & 4 ? 10 : PAGE_SHIFT);
	one.pages = take_number(how >> 3, 0);
	one.attribute = (how & 0xc0) == 0xc0 ? take() : 0;
	spans[span_count++] = (struct span){ one.base, one.pages, kind_of(one.type, one.attribute) };
	return one;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	take_from(data, bytes);
	u32 stride = (u32)sizeof(struct memmap_descriptor) + take_byte() % 24, listed = 0;
	u8 *list = malloc(MOST * stride);

	map.claim_count = span_count = 0;
	take_claims();
	for (; left.bytes && listed < MOST; listed++) {
		struct memmap_descriptor one = take_descriptor();

		memcpy(list + listed * stride, &one, sizeof(one));
	}
	u8 *exact = copy_of(list, listed * stride);

	if (memmap_build(&map, exact, listed * stride, stride, ranges, &count) == OK)
		check_ranges();
	else
		CHECK(span_count > BOOT_MAX_RANGES / 2 && count <= BOOT_MAX_RANGES);
	free(exact);
	free(list);
	return 0;
}
