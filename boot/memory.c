/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages from firmware. What the kernel keeps is claimed, so that the ranges of bootinfo name it by kind. */
#include "boot/boot.h"
#include "kernel/lib/check.h"
#include <string.h>

static u64 allocate(u64 pages, u64 limit)
{
	EFI_PHYSICAL_ADDRESS address = limit ? limit - 1 : 0;
	EFI_ALLOCATE_TYPE how = limit ? AllocateMaxAddress : AllocateAnyPages;

	CHECK(pages > 0);
	if (boot.services->AllocatePages(how, EfiLoaderData, pages, &address) != EFI_SUCCESS)
		return 0;
	/* Page 0 is nobody's: an address of 0 means "none" everywhere. Firmware keeps it from the others. */
	if (address == 0)
		return allocate(pages, limit);
	CHECK(address % PAGE_SIZE == 0);
	memset((void *)address, 0, pages << PAGE_SHIFT);
	return address;
}

u64 pages_try(u64 pages, enum boot_memory_kind kind, u64 limit)
{
	u64 address = allocate(pages, limit);

	if (address && memmap_claim(boot.map, address, pages, kind) != OK) {
		boot.services->FreePages(address, pages);
		return 0;
	}
	return address;
}

u64 pages_take(u64 pages, enum boot_memory_kind kind, u64 limit)
{
	u64 address = pages_try(pages, kind, limit);

	if (!address)
		give_up("no memory for %llu KiB (kind %u)", pages << PAGE_SHIFT >> 10, (u32)kind);
	return address;
}

u64 page_keep(void)
{
	static const u64 places[] = { 0x60000, 0x50000, 0x40000, 0x30000, 0x20000 };

	for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
		EFI_PHYSICAL_ADDRESS place = places[i];

		if (boot.services->AllocatePages(AllocateAddress, EfiLoaderData, 1, &place) != EFI_SUCCESS)
			continue;
		return memmap_claim(boot.map, place, 1, BOOT_MEMORY_KERNEL) == OK ? place : 0;
	}
	return 0;
}

void *scratch_take(u64 bytes)
{
	u64 address = allocate((bytes + PAGE_SIZE - 1) >> PAGE_SHIFT, 0);

	if (!address)
		give_up("no memory for %llu KiB of work space", bytes >> 10);
	return (void *)address;
}
