/* SPDX-License-Identifier: BSD-2-Clause */
/* The loader's start list: from the firmware's call to the kernel's first instruction. */
#include "boot/boot.h"
#include "kernel/lib/check.h"
#include "kernel/lib/elf.h"
#include <string.h>

enum {
	STACK_PAGES = 4,
	CPUID_NX = 1 << 20,
	ADDRESS_SPACE_LOW = 1 << 20, /* where a start-up IPI can point: below 1 MiB */
};

#define CR4_LA57 BIT(12)

extern const u8 handover_start[], handover_end[];
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

struct boot boot;

static void check_machine(void)
{
	u64 cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	if (cpuid(0x80000000, 0).eax < 0x80000001 || !(cpuid(0x80000001, 0).edx & CPUID_NX))
		give_up("this processor has no execute-disable bit, or firmware switched it off");
	if (cr4 & CR4_LA57)
		give_up("firmware runs with 5-level paging: switch it off in its setup");
}

static void take_memory(void)
{
	boot.map = scratch_take(sizeof(*boot.map));
	boot.info = (void *)pages_take((sizeof(*boot.info) + PAGE_SIZE - 1) >> PAGE_SHIFT, BOOT_MEMORY_KERNEL, 0);
	boot.stack_top = pages_take(STACK_PAGES, BOOT_MEMORY_KERNEL, 0) + STACK_PAGES * PAGE_SIZE;
	boot.info->trampoline = pages_take(1, BOOT_MEMORY_TRAMPOLINE, ADDRESS_SPACE_LOW);
	boot.info->kept = page_keep();
	boot.info->magic = BOOTINFO_MAGIC;
	boot.info->version = BOOTINFO_VERSION;
	boot.info->bytes = sizeof(*boot.info);
}

/* Loader code, not data: firmware may enforce that data does not run. */
static void place_handover(void)
{
	u64 bytes = (u64)(handover_end - handover_start);
	EFI_PHYSICAL_ADDRESS page = 0;

	if (boot.services->AllocatePages(AllocateAnyPages, EfiLoaderCode, 1, &page) != EFI_SUCCESS ||
	    memmap_claim(boot.map, page, 1, BOOT_MEMORY_KERNEL) != OK)
		give_up("no memory for the switch to the kernel");
	CHECK(page > 0 && bytes > 0 && bytes <= PAGE_SIZE);
	memcpy((void *)page, handover_start, bytes);
	boot.handover_page = page;
}

static void describe(void)
{
	const struct bootinfo *info = boot.info;

	say("%u CPUs, %u IOAPICs, ACPI %s, framebuffer %ux%u, %u bytes of entropy", info->cpu_count, info->ioapic_count,
	    info->rsdp ? "present" : "absent", info->framebuffer.width, info->framebuffer.height, info->entropy_bytes);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	struct elf_image kernel;
	UINTN key;

	boot.image = image;
	boot.system = system;
	boot.services = system->BootServices;
	boot.services->SetWatchdogTimer(0, 0, 0, NULL);
	say("\r\nAerostat " AEROSTAT_VERSION);
	check_machine();
	take_memory();
	place_handover();
	kernel_load(&kernel);
	modules_load();
	cpus_find();
	framebuffer_find();
	entropy_gather();
	describe();
	if (memory_map_take(&key) != OK)
		give_up("firmware's memory map has too many entries or cannot be read");
	paging_build(&kernel);
	leave();
}
