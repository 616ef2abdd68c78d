/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/memory.h"
#include "kernel/core/boot.h"
#include "kernel/lib/check.h"
#include "kernel/lib/log.h"
#include "kernel/x86/paging.h"
#include "mm/mm.h"

enum { MIB_PAGES = 256 };

static bool is_free_later(u32 kind)
{
	return kind == BOOT_MEMORY_FREE || kind == BOOT_MEMORY_BOOT_SERVICES;
}

static struct mm_range range_of(const struct boot_range *range)
{
	CHECK(range->pages <= UINT32_MAX);
	return (struct mm_range){ mpn_of((mpa_t){ range->base }), (u32)range->pages };
}

static err_t take_from_mm(void *context, mpa_t *frame)
{
	mpn_t mpn;
	err_t error = mm_overhead_alloc(0, &mpn);

	(void)context;
	if (!error)
		*frame = mpa_of(mpn);
	return error;
}

static void log_memory(void)
{
	struct mm_totals totals;

	mm_totals(&totals);
	log_line("memory: %llu MiB, %llu MiB free", totals.total / MIB_PAGES, totals.free / MIB_PAGES);
}

void memory_init(void)
{
	static struct mm_range ranges[BOOT_MAX_RANGES];
	u32 count = 0;
	mpn_t last = { 0 };

	boot_keep_frames();
	for (u32 i = 0; i < bootinfo.range_count; i++) {
		struct boot_range *range = &bootinfo.ranges[i];

		if (!is_free_later(range->kind) || range->pages == 0)
			continue;
		last = mpn_of((mpa_t){ range->base + ((range->pages - 1) << PAGE_SHIFT) });
		if (range->kind == BOOT_MEMORY_FREE)
			ranges[count++] = range_of(range);
	}
	CHECK(count > 0);
	err_t error = mm_init(ranges, count, last);
	CHECK(error == OK);
	paging_set_source((struct paging_source){ take_from_mm, NULL });
	log_memory();
}

void memory_add_boot_services(void)
{
	for (u32 i = 0; i < bootinfo.range_count; i++) {
		if (bootinfo.ranges[i].kind != BOOT_MEMORY_BOOT_SERVICES)
			continue;
		err_t error = mm_add(range_of(&bootinfo.ranges[i]));

		if (error)
			log_line("memory: %llu pages at 0x%llx stay unused: %s", bootinfo.ranges[i].pages,
				 bootinfo.ranges[i].base, err_text(error));
	}
	log_memory();
}
