/* SPDX-License-Identifier: BSD-2-Clause */
/* PVH: an ELF whose Xen note names a 32-bit entry; EBX points at hvm_start_info (xen/include/public/arch-x86/hvm/start_info.h). */
#include "kernel/load.h"
#include "devices/bus.h"
#include <string.h>

enum {
	START_INFO_AT = 0x6000, /* below the areas that kernels place in conventional memory */
	START_MAGIC = 0x336ec578,
	START_VERSION = 1,
};

struct start_info {
	u32 magic, version, flags, modules;
	u64 module_list, cmdline, rsdp, memory_map;
	u32 memory_map_entries, reserved;
};
struct module_entry {
	u64 address, size, cmdline, reserved;
};
struct map_entry {
	u64 address, size;
	u32 type, reserved;
};

/* All in one page at START_INFO_AT, so that addresses are offsets from it. */
struct start_page {
	struct start_info info;
	struct module_entry initrd;
	struct map_entry map[LOAD_MAX_REGIONS];
	char cmdline[CONFIG_CMDLINE_BYTES];
};
_Static_assert(sizeof(struct start_info) == 56 && sizeof(struct start_page) <= PAGE_SIZE, "the PVH start structures");

static void describe(const struct load_input *input, struct start_page *page)
{
	struct load_region regions[LOAD_MAX_REGIONS];

	page->info = (struct start_info){
		.magic = START_MAGIC,
		.version = START_VERSION,
		.cmdline = START_INFO_AT + offsetof(struct start_page, cmdline),
		.rsdp = input->acpi.bytes ? PC_ACPI_BASE : 0,
		.memory_map = START_INFO_AT + offsetof(struct start_page, map),
		.memory_map_entries = load_memory_map(input, regions),
	};
	for (u32 i = 0; i < page->info.memory_map_entries; i++)
		page->map[i] = (struct map_entry){ regions[i].base, regions[i].size, regions[i].type, 0 };
}

static err_t add_initrd(const struct load_input *input, struct load_plan *plan, u64 floor, struct start_page *page, char *why)
{
	u64 at;

	if (!input->initrd.bytes || input->initrd.size == 0)
		return OK;
	at = load_place_high(input, plan, input->initrd.size, floor, UINT32_MAX);
	if (at == 0)
		return load_fail(why, E_RANGE, "%s: the initrd (%llu KiB) does not fit beside the kernel in %llu MiB",
				 input->kernel_name, input->initrd.size >> 10, input->low_bytes >> 20);
	page->initrd = (struct module_entry){ .address = at, .size = input->initrd.size };
	page->info.modules = 1;
	page->info.module_list = START_INFO_AT + offsetof(struct start_page, initrd);
	return load_add(input, plan, at, input->initrd.bytes, input->initrd.size, "initrd", why);
}

err_t load_pvh(const struct load_input *input, struct load_plan *plan, char *why)
{
	struct start_page *page = load_blob(plan, sizeof(*page));
	size_t length = strlen(input->cmdline);
	struct load_elf elf;
	err_t error = load_elf(input, plan, &elf, why);

	if (error)
		return error;
	if (!elf.pvh_entry)
		return load_fail(why, E_UNSUPPORTED, "%s: an ELF without a PVH entry note or a multiboot header",
				 input->kernel_name);
	error = load_check_entry(input, plan, elf.pvh_entry, why);
	if (error)
		return error;
	if (length >= sizeof(page->cmdline))
		return load_fail(why, E_RANGE, "%s: the command line has %zu bytes, at most %zu are valid", input->kernel_name,
				 length, sizeof(page->cmdline) - 1);
	memcpy(page->cmdline, input->cmdline, length + 1);
	describe(input, page);
	error = load_add(input, plan, START_INFO_AT, page, sizeof(*page), "start information", why);
	if (!error)
		error = load_add(input, plan, PC_ACPI_BASE, input->acpi.bytes, input->acpi.size, "ACPI tables", why);
	if (!error)
		error = add_initrd(input, plan, elf.end, page, why);
	plan->start = (struct vcpu_start){ .mode = VCPU_PROTECTED32, .rip = elf.pvh_entry, .rbx = START_INFO_AT };
	return error;
}
