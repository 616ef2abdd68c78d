/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot version 1 (the specification's 0.6.96): ELF32 or the header's own address fields; EAX magic, EBX information. */
#include "kernel/load.h"
#include "devices/bus.h"
#include <string.h>

enum {
	HEADER_SEARCH_BYTES = 8192,
	HEADER_MAGIC = 0x1badb002,
	BOOT_MAGIC = 0x2badb002,
	NEEDS_VIDEO = 1 << 2,
	NEEDS_UNKNOWN = 0xfff8, /* bits 3-15: requirements that we do not know */
	HAS_ADDRESSES = 1 << 16,
	INFO_AT = 0x5000,
	INFO_MEMORY = 1 << 0,
	INFO_CMDLINE = 1 << 2,
	INFO_MODULES = 1 << 3,
	INFO_MAP = 1 << 6,
	INFO_LOADER = 1 << 9,
	KIB = 1024,
};

struct header {
	u32 magic, flags, checksum;
	u32 header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};
struct info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	u32 syms[4];
	u32 mmap_length, mmap_addr, drives_length, drives_addr, config_table, boot_loader_name;
	u32 rest[8];
};
struct module_entry {
	u32 start, end, string, reserved;
};
struct map_entry {
	u32 size;
	u64 base, length;
	u32 type;
} __attribute__((packed));

/* All at INFO_AT, so that addresses are offsets from it. */
struct info_page {
	struct info info;
	struct module_entry modules[CONFIG_MAX_MODULES];
	struct map_entry map[LOAD_MAX_REGIONS];
	char loader[16];
	char cmdline[CONFIG_CMDLINE_BYTES];
	char module_names[CONFIG_MAX_MODULES][CONFIG_PATH_BYTES];
};
_Static_assert(sizeof(struct info_page) <= PAGE_SIZE, "one page of multiboot information");

#define AT(member) ((u32)(INFO_AT + offsetof(struct info_page, member)))

bool load_is_multiboot(const struct load_file *file, u32 *header_offset)
{
	u32 words[3];
	u64 end = min_u64(file->size, HEADER_SEARCH_BYTES);

	if (end < sizeof(words))
		return false;
	const u8 *last = file->bytes + end - sizeof(words);
	for (const u8 *at = file->bytes; at <= last; at += 4) {
		u32 magic;

		__builtin_memcpy(&magic, at, sizeof(magic)); /* one load: two thousand places are looked at */
		if (magic != HEADER_MAGIC)
			continue;
		memcpy(words, at, sizeof(words));
		if (words[0] + words[1] + words[2] == 0) {
			*header_offset = (u32)(at - file->bytes);
			return true;
		}
	}
	return false;
}

/* The a.out kludge: the header itself says what to load where. */
static err_t load_by_addresses(const struct load_input *input, struct load_plan *plan, const struct header *header, u32 offset,
			       struct load_elf *out, char *why)
{
	u64 before = (u64)header->header_addr - header->load_addr;
	u64 from = offset - before;
	u64 size;

	if (header->header_addr < header->load_addr || before > offset ||
	    (header->load_end_addr && header->load_end_addr < header->load_addr))
		return load_fail(why, E_INVALID, "%s: its multiboot header's addresses contradict each other",
				 input->kernel_name);
	size = header->load_end_addr ? header->load_end_addr - header->load_addr : input->kernel.size - from;
	if (size > input->kernel.size - from)
		return load_fail(why, E_CORRUPT, "%s: truncated: %llu bytes to load from offset %llu, the file has %llu",
				 input->kernel_name, size, from, input->kernel.size);
	out->entry = header->entry_addr;
	out->end = max_u64(header->load_addr + size, header->bss_end_addr);
	if (out->end > input->low_bytes)
		return load_fail(why, E_RANGE, "%s: ends at 0x%llx, the guest has %llu MiB", input->kernel_name, out->end,
				 input->low_bytes >> 20);
	return load_add(input, plan, header->load_addr, input->kernel.bytes + from, size, "image", why);
}

static err_t load_image(const struct load_input *input, struct load_plan *plan, u32 offset, struct load_elf *image, char *why)
{
	struct header header = { 0 };

	memcpy(&header, input->kernel.bytes + offset, min_u64(sizeof(header), input->kernel.size - offset));
	if (header.flags & (NEEDS_VIDEO | NEEDS_UNKNOWN))
		return load_fail(why, E_UNSUPPORTED, "%s: its multiboot header requires features 0x%x; 0x3 are known",
				 input->kernel_name, header.flags & 0xffff);
	if (header.flags & HAS_ADDRESSES)
		return load_by_addresses(input, plan, &header, offset, image, why);
	if (!load_is_elf(&input->kernel))
		return load_fail(why, E_INVALID, "%s: neither an ELF nor multiboot load addresses", input->kernel_name);
	return load_elf(input, plan, image, why);
}

/* Modules go page-aligned behind the image, in their order. */
static err_t add_modules(const struct load_input *input, struct load_plan *plan, u64 end, struct info_page *page, char *why)
{
	u64 at = (max_u64(end, 0x100000) + PAGE_SIZE - 1) & ~(u64)(PAGE_SIZE - 1);

	for (u32 i = 0; i < CONFIG_MAX_MODULES && input->modules[i].bytes; i++) {
		const struct load_file *file = &input->modules[i];
		err_t error = load_add(input, plan, at, file->bytes, file->size, "a module", why);

		if (error)
			return error;
		size_t length = min_u64(strlen(input->module_names[i]), CONFIG_PATH_BYTES - 1);
		memcpy(page->module_names[i], input->module_names[i], length);
		page->modules[i] = (struct module_entry){ (u32)at, (u32)(at + file->size), AT(module_names[i]), 0 };
		page->info.mods_count = i + 1;
		at = (at + file->size + PAGE_SIZE - 1) & ~(u64)(PAGE_SIZE - 1);
	}
	return OK;
}

static void describe(const struct load_input *input, struct info_page *page)
{
	struct load_region regions[LOAD_MAX_REGIONS];
	u32 count = load_memory_map(input, regions);

	page->info.flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MAP | INFO_LOADER;
	page->info.mem_lower = (u32)(regions[0].size / KIB);
	page->info.mem_upper = (u32)((input->low_bytes - KIB * KIB) / KIB);
	page->info.cmdline = AT(cmdline);
	page->info.mods_addr = AT(modules);
	page->info.mmap_addr = AT(map);
	page->info.mmap_length = count * (u32)sizeof(struct map_entry);
	page->info.boot_loader_name = AT(loader);
	memcpy(page->loader, "Aerostat", sizeof("Aerostat"));
	for (u32 i = 0; i < count; i++)
		page->map[i] =
			(struct map_entry){ sizeof(struct map_entry) - 4, regions[i].base, regions[i].size, regions[i].type };
}

err_t load_multiboot(const struct load_input *input, struct load_plan *plan, u32 header_offset, char *why)
{
	struct info_page *page = load_blob(plan, sizeof(*page));
	size_t length = strlen(input->cmdline);
	struct load_elf image = { 0 };
	err_t error = load_image(input, plan, header_offset, &image, why);

	if (!error)
		error = load_check_entry(input, plan, image.entry, why);
	if (error)
		return error;
	if (length >= sizeof(page->cmdline))
		return load_fail(why, E_RANGE, "%s: the command line has %zu bytes, at most %zu are valid", input->kernel_name,
				 length, sizeof(page->cmdline) - 1);
	memcpy(page->cmdline, input->cmdline, length + 1);
	describe(input, page);
	error = load_add(input, plan, INFO_AT, page, sizeof(*page), "multiboot information", why);
	if (!error)
		error = load_add(input, plan, PC_ACPI_BASE, input->acpi.bytes, input->acpi.size, "ACPI tables", why);
	if (!error)
		error = add_modules(input, plan, image.end, page, why);
	plan->start = (struct vcpu_start){ .mode = VCPU_PROTECTED32, .rip = image.entry, .rax = BOOT_MAGIC, .rbx = INFO_AT };
	return error;
}
