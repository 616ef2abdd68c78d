/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest's boot is compared with: the first VM of the configuration on the bare machine.  Our loader, our plan of the load and the same
 * entry as in a VM; only the memory map is the machine's own.  It takes the place of the kernel in an image, says the time-stamp counter at
 * the entry of Linux on COM1, and is gone.
 */
#include "boot/bootinfo.h"
#include "kernel/lib/check.h"
#include "kernel/lib/config.h"
#include "kernel/lib/format.h"
#include "kernel/load.h"
#include "kernel/x86/cpu.h"
#include <string.h>

NORETURN void kernel_main(const struct bootinfo *info);
void __stack_chk_fail(void);

enum {
	COM1 = 0x3f8,
	LINE_STATUS = 5,
	TRANSMITTER_EMPTY = 0x20,
	LINE_BYTES = 240,
	RAM = LOAD_E820_RAM,
	RESERVED = LOAD_E820_RESERVED
};
enum { E820_COUNT = 0x1e8, E820_TABLE = 0x2d0, E820_MOST = 128, TABLE_ENTRIES = 512 };

struct e820 {
	u64 base, bytes;
	u32 type;
} __attribute__((packed));

u64 __stack_chk_guard;
static struct config config;
static struct load_plan plan;

/* ---- words on the wire ---- */

static void say(const char *text, ...)
{
	char line[LINE_BYTES];
	va_list arguments;

	va_start(arguments, text);
	u32 count = format_va(line, sizeof(line), text, arguments);
	va_end(arguments);
	for (u32 i = 0; i < count; i++) {
		while (!(port_in8(COM1 + LINE_STATUS) & TRANSMITTER_EMPTY))
			;
		port_out8(COM1, (u8)line[i]);
	}
}

NORETURN static void stop(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

void check_failed(const char *file, int line, const char *what)
{
	say("bare: %s:%d: CHECK(%s) failed\r\n", file, line, what);
	stop();
}

void __stack_chk_fail(void)
{
	check_failed(__FILE__, __LINE__, "stack");
}

/* ---- files and memory ---- */

static void *at(u64 physical)
{
	return (void *)(DIRECT_MAP_BASE + physical);
}

static struct load_file file_of(const struct bootinfo *info, const char *path)
{
	for (u32 i = 0; i < info->module_count; i++)
		if (strcmp(info->modules[i].path, path) == 0 && info->modules[i].status == BOOT_MODULE_LOADED)
			return (struct load_file){ at(info->modules[i].base), info->modules[i].bytes };
	return (struct load_file){ 0 };
}

/* Firmware's boot services have ended, and nothing comes back to the loader. */
static bool is_free(const struct boot_range *range)
{
	return range->kind == BOOT_MEMORY_FREE || range->kind == BOOT_MEMORY_BOOT_SERVICES;
}

/* How far memory is free from `address` on. */
static u64 free_end(const struct bootinfo *info, u64 address)
{
	u64 end = address;

	for (u32 i = 0; i < info->range_count; i++) {
		const struct boot_range *range = &info->ranges[i];

		if (is_free(range) && range->base <= end && end < range->base + range->pages * PAGE_SIZE)
			end = range->base + range->pages * PAGE_SIZE;
	}
	return end;
}

/* When Linux runs nothing of ours or the loader's is needed any more. */
static u32 type_of(u32 kind)
{
	return kind == BOOT_MEMORY_ACPI || kind == BOOT_MEMORY_RUNTIME || kind == BOOT_MEMORY_RESERVED ? RESERVED : RAM;
}

/* The boot parameters' memory map becomes the machine's. */
static void tell_memory(const struct bootinfo *info, u8 *params)
{
	struct e820 *table = (struct e820 *)(params + E820_TABLE);
	u32 count = 0;

	for (u32 i = 0; i < info->range_count; i++) {
		const struct boot_range *range = &info->ranges[i];
		struct e820 *last = count ? &table[count - 1] : NULL;
		u64 bytes = range->pages * PAGE_SIZE;

		if (last && last->type == type_of(range->kind) && last->base + last->bytes == range->base) {
			last->bytes += bytes;
			continue;
		}
		CHECK(count < E820_MOST);
		table[count++] = (struct e820){ range->base, bytes, type_of(range->kind) };
	}
	params[E820_COUNT] = (u8)count;
}

/* ---- the load ---- */

static void make_plan(const struct bootinfo *info, const struct config_vm *vm)
{
	char why[LOAD_WHY_BYTES];
	struct load_input input = {
		.kernel = file_of(info, vm->kernel),
		.initrd = file_of(info, vm->initrd),
		.kernel_name = vm->kernel,
		.cmdline = vm->cmdline,
		.low_bytes = free_end(info, 16 << 20), /* where Linux prefers to be; the initrd goes to its end */
	};

	CHECK(input.kernel.bytes && input.initrd.bytes && load_is_linux(&input.kernel));
	if (load_plan(&input, &plan, why)) {
		say("bare: %s\r\n", why);
		stop();
	}
}

/* Nothing that is still needed is overwritten: every target is free memory. */
static void copy_all(const struct bootinfo *info)
{
	for (u32 i = 0; i < plan.segment_count; i++) {
		const struct load_segment *segment = &plan.segments[i];

		CHECK(segment->to + segment->size <= free_end(info, segment->to));
		memcpy(at(segment->to), segment->from, segment->size);
	}
}

/* Linux's identity mapping, and ours for the instructions that are left. */
NORETURN static void enter(void)
{
	u64 *root = at(plan.start.cr3);
	u64 *ours = at(cr3_read() & ~(u64)(PAGE_SIZE - 1));

	root[TABLE_ENTRIES - 1] = ours[TABLE_ENTRIES - 1];
	say("bare: entry at tick %llu\r\n", rdtsc());
	__asm__ volatile("mov %0, %%cr3; mov %1, %%rsp; jmp *%2"
			 :
			 : "r"(plan.start.cr3), "r"(plan.start.rsp), "r"(plan.start.rip), "S"(plan.start.rsi)
			 : "memory");
	__builtin_unreachable();
}

void kernel_main(const struct bootinfo *info)
{
	struct load_file text = file_of(info, info->modules[0].path);

	CHECK(info->magic == BOOTINFO_MAGIC && text.bytes);
	config_parse(&config, info->modules[0].path, (const char *)text.bytes, text.size);
	CHECK(config.vm_count > 0 && !config.vms[0].error);
	make_plan(info, &config.vms[0]);
	copy_all(info);
	tell_memory(info, at(plan.start.rsi));
	enter();
}
