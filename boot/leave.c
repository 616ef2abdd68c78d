/* SPDX-License-Identifier: BSD-2-Clause */
/* The last steps in firmware's world. UEFI 2.10, 7.4.6. */
#include "boot/boot.h"
#include "kernel/lib/check.h"

enum { MAP_BYTES = 256 * 1024, TRIES = 16 };

typedef void handover_fn(u64 bootinfo, u64 cr3, u64 stack_top, u64 entry); /* does not return */

err_t memory_map_take(UINTN *key)
{
	static void *buffer;
	UINTN bytes = MAP_BYTES, stride;
	UINT32 version;

	if (!buffer)
		buffer = scratch_take(MAP_BYTES);
	if (boot.services->GetMemoryMap(&bytes, buffer, key, &stride, &version) != EFI_SUCCESS)
		return E_IO;
	return memmap_build(boot.map, buffer, bytes, stride, boot.info->ranges, &boot.info->range_count);
}

/* From the first attempt on firmware may be half gone: no allocation, no console, only the map again (and a halt at the end). */
void leave(void)
{
	handover_fn *handover = (handover_fn *)boot.handover_page;

	CHECK(boot.tables.a && boot.stack_top && boot.handover_page && boot.kernel_entry);
	for (u32 i = 0; i < TRIES; i++) {
		UINTN key;

		if (memory_map_take(&key) != OK || boot.services->ExitBootServices(boot.image, key) != EFI_SUCCESS)
			continue;
		handover(DIRECT_MAP_BASE + (u64)boot.info, boot.tables.a, DIRECT_MAP_BASE + boot.stack_top, boot.kernel_entry);
	}
	for (;;)
		__asm__ volatile("cli; hlt");
}
