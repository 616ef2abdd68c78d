/* SPDX-License-Identifier: BSD-2-Clause */
/* Single pages of the identity mapping, and memory that nobody has touched. */
#include "tests/guests/lib/guest.h"

enum { TABLES = 24, ENTRIES = 512 };
#define PAGE_LARGE BIT(7)
#define LARGE_BYTES (2ULL << 20)
#define ADDRESS_BITS 0x000ffffffffff000ULL

static u64 *table_of(u64 entry)
{
	return (u64 *)(entry & ADDRESS_BITS);
}

static void split(u64 *large)
{
	static u64 tables[TABLES][ENTRIES] __attribute__((aligned(PAGE_SIZE)));
	static u32 used;

	if (used == TABLES)
		die("no page table left");
	u64 *table = tables[used++];
	for (u64 i = 0; i < ENTRIES; i++)
		table[i] = (*large & ~PAGE_LARGE) + i * PAGE_SIZE;
	*large = (u64)table | PAGE_PRESENT | PAGE_WRITE | PAGE_USER;
}

u64 *page_entry(u64 linear)
{
	u64 *pdpt = table_of(*table_of(cr3_read()));
	u64 *large = &table_of(pdpt[linear >> 30])[linear / LARGE_BYTES % ENTRIES];

	if (*large & PAGE_LARGE)
		split(large);
	return &table_of(*large)[linear / PAGE_SIZE % ENTRIES];
}

void page_set(u64 linear, u64 entry)
{
	*page_entry(linear) = entry;
	invlpg(linear);
}

void pages_for_user(void)
{
	u64 *pml4 = table_of(cr3_read()), *pdpt = table_of(pml4[0]);

	pml4[0] |= PAGE_USER;
	for (u32 i = 0; i < 4; i++) {
		pdpt[i] |= PAGE_USER;
		for (u32 j = 0; j < ENTRIES; j++)
			table_of(pdpt[i])[j] |= PAGE_USER;
	}
	cr3_write(cr3_read());
}

u64 memory_end(void)
{
	struct guest_region all = guest_free_memory();

	return all.base + all.bytes;
}

u8 *fresh_pages(u32 count)
{
	static u64 taken;
	struct guest_region all = guest_free_memory();

	if ((taken + count) * PAGE_SIZE > all.bytes)
		die("no fresh page left");
	taken += count;
	return (u8 *)(all.base + (taken - count) * PAGE_SIZE);
}
