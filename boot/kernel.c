/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's file becomes its image in memory; the file stays, for symbols. */
#include "boot/boot.h"
#include "kernel/lib/check.h"
#include "kernel/lib/elf.h"
#include <string.h>

#define KERNEL_PATH "\\aerostat\\aerostat.elf"

void kernel_load(struct elf_image *image)
{
	struct boot_file file = file_load(NULL, KERNEL_PATH);
	struct bootinfo *info = boot.info;
	const char *why;

	if (file.status != BOOT_MODULE_LOADED)
		give_up("there is no kernel to start");
	if (elf_parse(file.bytes, file.size, KERNEL_BASE, image, &why) != OK)
		give_up(KERNEL_PATH ": %s", why);
	info->symbols_base = (u64)file.bytes;
	info->symbols_bytes = file.size;
	info->kernel_pages = image->pages;
	info->kernel_base = pages_take(image->pages, BOOT_MEMORY_KERNEL, 0);
	for (u32 i = 0; i < image->segment_count; i++) {
		const struct elf_segment *segment = &image->segments[i];
		u64 offset = segment->address - image->base;

		CHECK(offset + segment->file_bytes <= image->pages << PAGE_SHIFT);
		memcpy((u8 *)info->kernel_base + offset, segment->bytes, segment->file_bytes);
	}
	boot.kernel_entry = image->entry;
}
