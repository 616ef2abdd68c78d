/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/boot.h"
#include "kernel/lib/check.h"

struct bootinfo bootinfo;
static u64 frames_taken;
static mpa_t kept[BOOT_KEPT_FRAMES];
static u32 kept_count;
static bool closed;

/* A range as firmware may list it, in the order that the loader promises. */
static void check_ranges(void)
{
	u64 end = 0;

	for (u32 i = 0; i < bootinfo.range_count; i++) {
		const struct boot_range *range = &bootinfo.ranges[i];

		CHECK(range->base % PAGE_SIZE == 0 && range->base >= end);
		CHECK(range->kind >= BOOT_MEMORY_FREE && range->kind <= BOOT_MEMORY_RESERVED);
		end = range->base + (range->pages << PAGE_SHIFT);
		CHECK(end >= range->base);
	}
}

void boot_adopt(const struct bootinfo *from)
{
	CHECK(from->magic == BOOTINFO_MAGIC);
	CHECK(from->version == BOOTINFO_VERSION && from->bytes == sizeof(bootinfo));
	bootinfo = *from;
	CHECK(bootinfo.range_count <= BOOT_MAX_RANGES && bootinfo.module_count <= BOOT_MAX_MODULES);
	CHECK(bootinfo.cpu_count >= 1 && bootinfo.cpu_count <= BOOT_MAX_CPUS);
	CHECK(bootinfo.ioapic_count <= BOOT_MAX_IOAPICS && bootinfo.entropy_bytes <= BOOT_ENTROPY_BYTES);
	check_ranges();
}

static err_t take_kept(mpa_t *frame)
{
	if (kept_count == 0)
		return E_NO_MEMORY;
	*frame = kept[--kept_count];
	return OK;
}

/* From the end of the largest free range: large blocks at its start stay whole. */
err_t boot_take_frame(void *context, mpa_t *frame)
{
	struct boot_range *largest = NULL;

	(void)context;
	if (closed)
		return take_kept(frame);
	for (u32 i = 0; i < bootinfo.range_count; i++) {
		struct boot_range *range = &bootinfo.ranges[i];
		bool usable = range->kind == BOOT_MEMORY_FREE && range->base + (range->pages << PAGE_SHIFT) <= BIT(32);

		if (usable && range->pages > 1 && (!largest || range->pages > largest->pages))
			largest = range;
	}
	if (!largest)
		return E_NO_MEMORY;
	largest->pages--;
	*frame = (mpa_t){ largest->base + (largest->pages << PAGE_SHIFT) };
	frames_taken++;
	return OK;
}

void boot_keep_frames(void)
{
	CHECK(!closed);
	while (kept_count < BOOT_KEPT_FRAMES && boot_take_frame(NULL, &kept[kept_count]) == OK)
		kept_count++;
	closed = true;
}

u64 boot_frames_taken(void)
{
	return frames_taken;
}
