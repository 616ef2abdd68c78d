/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's first page tables, as bootinfo.h promises: its image with its segments' rights, the direct map, and the page that
 * switches over to them.  SDM vol. 3A, 4.5.
 */
#include "boot/boot.h"
#include "kernel/lib/check.h"
#include "kernel/lib/elf.h"
#include "kernel/lib/ptab.h"

#define LOW_BYTES BIT(32) /* mapped whatever the memory map says: tables, framebuffers and devices lie there */

enum { CHUNK_PAGES = 64, LEVEL_4K = 1, LEVEL_2M = 2, LEVEL_1G = 3, CPUID_PAGE_1G = 1 << 26 };

u64 *pt_entries(mpa_t table)
{
	return (u64 *)table.a;
}

/* Tables come in chunks: each chunk is one claim of the memory map. */
static mpa_t table_new(void)
{
	static u64 next, left;

	if (left == 0) {
		next = pages_take(CHUNK_PAGES, BOOT_MEMORY_KERNEL, 0);
		left = CHUNK_PAGES;
	}
	left--;
	next += PAGE_SIZE;
	return (mpa_t){ next - PAGE_SIZE };
}

static u64 level_bytes(u32 level)
{
	return pt_level_pages(level) << PAGE_SHIFT;
}

/* A slot that is taken stays: ranges of the direct map may share a large page. */
static void map(u64 address, mpa_t frame, u32 target, u64 rights, u64 extra)
{
	u32 level;
	u64 *slot;

	while (slot = pt_walk(&pt_x86, boot.tables, address, target, &level), level > target) {
		if (pt_is_present(&pt_x86, *slot))
			return;
		pt_link(&pt_x86, slot, table_new());
	}
	if (!pt_is_present(&pt_x86, *slot))
		pt_store(slot, pt_leaf(&pt_x86, frame, target, rights, extra));
}

static void map_kernel(const struct elf_image *image)
{
	for (u32 i = 0; i < image->segment_count; i++) {
		const struct elf_segment *segment = &image->segments[i];
		enum pt_rights rights = segment->execute ? PT_EXECUTE : segment->write ? PT_WRITE : PT_READ;

		for (u64 page = 0; page < segment->pages; page++) {
			u64 address = segment->address + (page << PAGE_SHIFT);
			mpa_t frame = { boot.info->kernel_base + (address - image->base) };

			map(address, frame, LEVEL_4K, pt_x86.leaf[rights], PT_X86_GLOBAL);
		}
	}
}

static void map_direct(u64 base, u64 end, u32 largest)
{
	for (u64 at = base & ~(level_bytes(LEVEL_2M) - 1), step; at < end; at += step) {
		bool whole = at % level_bytes(LEVEL_1G) == 0 && end - at >= level_bytes(LEVEL_1G);
		u32 level = whole ? largest : LEVEL_2M;

		step = level_bytes(level);
		map(DIRECT_MAP_BASE + at, (mpa_t){ at }, level, pt_x86.leaf[PT_WRITE], PT_X86_GLOBAL);
	}
}

/* Runtime and reserved ranges above 4 GiB are left out: nobody may touch them, and some are windows of many TiB. */
static void map_memory(void)
{
	u32 largest = cpuid(0x80000001, 0).edx & CPUID_PAGE_1G ? LEVEL_1G : LEVEL_2M;

	map_direct(0, LOW_BYTES, LEVEL_2M); /* memory types change within its GiBs */
	for (u32 i = 0; i < boot.info->range_count; i++) {
		const struct boot_range *range = &boot.info->ranges[i];

		if (range->kind < BOOT_MEMORY_RUNTIME)
			map_direct(max_u64(range->base, LOW_BYTES), range->base + (range->pages << PAGE_SHIFT), largest);
	}
}

void paging_build(const struct elf_image *image)
{
	CHECK(image->base >= KERNEL_BASE && boot.info->range_count > 0);
	boot.tables = table_new();
	boot.info->cr3 = boot.tables.a;
	map_kernel(image);
	map_memory();
	map(boot.handover_page, (mpa_t){ boot.handover_page }, LEVEL_4K, pt_x86.leaf[PT_EXECUTE], 0);
}
