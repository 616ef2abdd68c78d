/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux bzImage by the 64-bit boot protocol (Documentation/arch/x86/boot.rst and zero-page.rst of Linux): long mode with the first
 * 4 GiB mapped identically, RSI at the boot parameters, entry at load address + 0x200.
 */
#include "kernel/load.h"
#include "devices/bus.h"
#include "kernel/lib/check.h"
#include "kernel/lib/ptab.h"
#include <string.h>

/* The setup header's place in the file and in the boot parameters alike. */
enum {
	SETUP_SECTS = 0x1f1,
	SYSSIZE = 0x1f4,
	BOOT_FLAG = 0x1fe,
	JUMP_LENGTH = 0x201,
	HEADER_MAGIC = 0x202,
	PROTOCOL_VERSION = 0x206,
	TYPE_OF_LOADER = 0x210,
	RAMDISK_IMAGE = 0x218,
	RAMDISK_SIZE = 0x21c,
	CMD_LINE_PTR = 0x228,
	INITRD_ADDR_MAX = 0x22c,
	KERNEL_ALIGNMENT = 0x230,
	RELOCATABLE = 0x234,
	XLOADFLAGS = 0x236,
	CMDLINE_SIZE = 0x238,
	PREF_ADDRESS = 0x258,
	INIT_SIZE = 0x260,
	HEADER_END = 0x268,
	/* boot parameters only */
	ACPI_RSDP = 0x070,
	E820_ENTRIES = 0x1e8,
	E820_TABLE = 0x2d0,
	E820_ENTRY_BYTES = 20,
	BOOT_PARAMS_BYTES = 4096,
};

enum {
	SECTOR = 512,
	VERSION_64BIT = 0x20c,
	XLF_KERNEL_64 = 1,
	LOADER_UNDEFINED = 0xff,
	ENTRY_64 = 0x200,
	/* where our own structures go, in conventional memory */
	BOOT_PARAMS_AT = 0x7000,
	CMDLINE_AT = 0x8000,
	TABLES_AT = 0x9000,
	STACK_AT = 0x7000, /* grows down */
	TABLE_COUNT = 6,
	LOWEST_KERNEL = 0x100000,
};

static u64 field(const u8 *base, u32 offset, u32 bytes)
{
	u64 value = 0;

	memcpy(&value, base + offset, bytes);
	return value;
}

static void set_field(u8 *base, u32 offset, u32 bytes, u64 value)
{
	memcpy(base + offset, &value, bytes);
}

bool load_is_linux(const struct load_file *file)
{
	return file->size >= HEADER_END && field(file->bytes, BOOT_FLAG, 2) == 0xaa55 &&
	       memcmp(file->bytes + HEADER_MAGIC, "HdrS", 4) == 0;
}

/* Its length is the jump over it. */
static u64 header_end(const u8 *file)
{
	return HEADER_MAGIC + field(file, JUMP_LENGTH, 1);
}

struct image {
	u64 setup_bytes, kernel_bytes, init_size, at;
};

static err_t examine(const struct load_input *input, struct image *image, char *why)
{
	const u8 *file = input->kernel.bytes;
	u64 sectors = field(file, SETUP_SECTS, 1);

	if (field(file, PROTOCOL_VERSION, 2) < VERSION_64BIT || !(field(file, XLOADFLAGS, 2) & XLF_KERNEL_64))
		return load_fail(why, E_UNSUPPORTED,
				 "%s: not a 64-bit Linux kernel (boot protocol %llx, needs 20c and a 64-bit entry)",
				 input->kernel_name, field(file, PROTOCOL_VERSION, 2));
	if (header_end(file) < HEADER_END)
		return load_fail(why, E_CORRUPT, "%s: truncated: its header ends at 0x%llx, protocol 20c has it up to 0x%x",
				 input->kernel_name, header_end(file), HEADER_END);
	image->setup_bytes = ((sectors ? sectors : 4) + 1) * SECTOR;
	u64 claimed = field(file, SYSSIZE, 4) * 16;
	if (image->setup_bytes >= input->kernel.size || claimed > input->kernel.size - image->setup_bytes + 15)
		return load_fail(why, E_CORRUPT, "%s: truncated: its header says %llu bytes, the file has %llu",
				 input->kernel_name, image->setup_bytes + claimed, input->kernel.size);
	image->kernel_bytes = input->kernel.size - image->setup_bytes;
	image->init_size = max_u64(field(file, INIT_SIZE, 4), image->kernel_bytes);
	if (image->kernel_bytes <= ENTRY_64)
		return load_fail(why, E_CORRUPT, "%s: truncated: no 64-bit entry point", input->kernel_name);
	return OK;
}

/* At the preferred address if it fits, else (relocatable kernels only) as low as its alignment allows. */
static err_t place(const struct load_input *input, struct image *image, char *why)
{
	const u8 *file = input->kernel.bytes;
	u64 alignment = field(file, KERNEL_ALIGNMENT, 4);

	image->at = field(file, PREF_ADDRESS, 8);
	if (image->at >= LOWEST_KERNEL && image->init_size <= input->low_bytes &&
	    image->at <= input->low_bytes - image->init_size)
		return OK;
	if (!field(file, RELOCATABLE, 1) || alignment == 0 || (alignment & (alignment - 1)) || alignment > (1U << 30))
		return load_fail(why, E_RANGE, "%s: must be loaded at 0x%llx, which is not in the guest's memory",
				 input->kernel_name, image->at);
	image->at = max_u64(LOWEST_KERNEL, alignment);
	if (image->init_size > input->low_bytes || image->at > input->low_bytes - image->init_size)
		return load_fail(why, E_RANGE, "%s: needs %llu MiB of memory to start, the guest has %llu MiB",
				 input->kernel_name, (image->at + image->init_size + 0xfffff) >> 20, input->low_bytes >> 20);
	return OK;
}

static err_t add_initrd(const struct load_input *input, struct load_plan *plan, const struct image *image, u8 *params, char *why)
{
	u64 size = input->initrd.size;
	u64 limit = field(input->kernel.bytes, INITRD_ADDR_MAX, 4) + 1;
	u64 at;

	if (!input->initrd.bytes || size == 0)
		return OK;
	at = load_place_high(input, plan, size, image->at + image->init_size, limit);
	if (at == 0 || size > UINT32_MAX)
		return load_fail(why, E_RANGE, "%s: the initrd (%llu KiB) does not fit beside the kernel in %llu MiB",
				 input->kernel_name, size >> 10, input->low_bytes >> 20);
	set_field(params, RAMDISK_IMAGE, 4, at);
	set_field(params, RAMDISK_SIZE, 4, size);
	return load_add(input, plan, at, input->initrd.bytes, size, "initrd", why);
}

static err_t add_cmdline(const struct load_input *input, struct load_plan *plan, u8 *params, char *why)
{
	u64 length = strlen(input->cmdline);
	u64 most = min_u64(field(input->kernel.bytes, CMDLINE_SIZE, 4), PAGE_SIZE - 1);
	char *copy = load_blob(plan, length + 1);

	if (length > most || !copy)
		return load_fail(why, E_RANGE, "%s: the command line has %llu bytes, at most %llu are valid", input->kernel_name,
				 length, most);
	memcpy(copy, input->cmdline, length);
	set_field(params, CMD_LINE_PTR, 4, CMDLINE_AT);
	return load_add(input, plan, CMDLINE_AT, copy, length + 1, "command line", why);
}

/* One root, one table of four gibibytes, four tables of 2 MiB leaves: guest-physical 0 … 4 GiB mapped identically. */
static err_t add_tables(const struct load_input *input, struct load_plan *plan, char *why)
{
	u64 *tables = load_blob(plan, TABLE_COUNT * PAGE_SIZE);

	CHECK(tables);
	tables[0] = (TABLES_AT + PAGE_SIZE) | pt_x86.table;
	for (u32 gib = 0; gib < 4; gib++)
		tables[PT_ENTRIES + gib] = (TABLES_AT + (2 + gib) * PAGE_SIZE) | pt_x86.table;
	for (u32 i = 0; i < 4 * PT_ENTRIES; i++)
		tables[2 * PT_ENTRIES + i] = pt_leaf(&pt_x86, (mpa_t){ (u64)i << LARGE_SHIFT }, 2, pt_x86.all, 0);
	plan->start.cr3 = TABLES_AT;
	return load_add(input, plan, TABLES_AT, tables, TABLE_COUNT * PAGE_SIZE, "page tables", why);
}

static void describe_memory(const struct load_input *input, u8 *params)
{
	struct load_region regions[LOAD_MAX_REGIONS];
	u32 count = load_memory_map(input, regions);

	for (u32 i = 0; i < count; i++) {
		u32 at = E820_TABLE + i * E820_ENTRY_BYTES;

		set_field(params, at, 8, regions[i].base);
		set_field(params, at + 8, 8, regions[i].size);
		set_field(params, at + 16, 4, regions[i].type);
	}
	set_field(params, E820_ENTRIES, 1, count);
}

err_t load_linux(const struct load_input *input, struct load_plan *plan, char *why)
{
	const u8 *file = input->kernel.bytes;
	u8 *params = load_blob(plan, BOOT_PARAMS_BYTES);
	struct image image = { 0 };
	err_t error = examine(input, &image, why);

	CHECK(params);
	if (!error)
		error = place(input, &image, why);
	if (error)
		return error;

	u64 copied = min_u64(min_u64(header_end(file), E820_TABLE), input->kernel.size);
	memcpy(params + SETUP_SECTS, file + SETUP_SECTS, copied - SETUP_SECTS);
	set_field(params, TYPE_OF_LOADER, 1, LOADER_UNDEFINED);
	set_field(params, RAMDISK_IMAGE, 8, 0); /* address and size */
	set_field(params, ACPI_RSDP, 8, input->acpi.bytes ? PC_ACPI_BASE : 0);
	describe_memory(input, params);

	error = load_add(input, plan, image.at, file + image.setup_bytes, image.kernel_bytes, "kernel", why);
	if (!error)
		error = load_add(input, plan, BOOT_PARAMS_AT, params, BOOT_PARAMS_BYTES, "boot parameters", why);
	if (!error)
		error = add_cmdline(input, plan, params, why);
	if (!error)
		error = add_tables(input, plan, why);
	if (!error)
		error = load_add(input, plan, PC_ACPI_BASE, input->acpi.bytes, input->acpi.size, "ACPI tables", why);
	if (!error)
		error = add_initrd(input, plan, &image, params, why);
	plan->start.mode = VCPU_LONG64;
	plan->start.rip = image.at + ENTRY_64;
	plan->start.rsp = STACK_AT;
	plan->start.rsi = BOOT_PARAMS_AT;
	return error;
}
