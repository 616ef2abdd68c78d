/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any file as a guest's kernel, with any memory, initrd and modules: a plan stays within the guest's memory and never lays one thing over
 * another, copies only bytes that are there, and what it tells the kernel of them is true; a refusal is one bounded line.
 */
#include "devices/bus.h"
#include "kernel/lib/check.h"
#include "kernel/load.h"
#include "tests/fuzz/input.h"
#include <stdio.h>

#define NAME "\\guests\\kernel"
#define LOW_MOST (3ULL << 30)

enum { MIB = 1 << 20, EXTRA_MOST = 3 * PAGE_SIZE };

static struct load_plan plan;
static struct load_input input;
static char why[LOAD_WHY_BYTES];

/* ---- the copy phase: pieces of a page, as the VM's worker makes them ---- */

static bool in_memory(u64 to, u64 size)
{
	return to + size <= input.low_bytes || (to >= 4ULL << 30 && to + size <= (4ULL << 30) + input.high_bytes);
}

static void copy(const struct load_segment *segment)
{
	u64 piece;

	for (u64 done = 0; done < segment->size; done += piece) {
		u64 to = segment->to + done;

		piece = min_u64(segment->size - done, PAGE_SIZE - to % PAGE_SIZE);
		CHECK(in_memory(to, piece));
		touch_all(segment->from + done, piece);
	}
}

static void check_segments(void)
{
	CHECK(plan.segment_count <= LOAD_MAX_SEGMENTS);
	for (u32 i = 0; i < plan.segment_count; i++) {
		const struct load_segment *a = &plan.segments[i];

		CHECK(a->size > 0 && a->to + a->size > a->to && in_memory(a->to, a->size));
		for (u32 k = 0; k < i; k++)
			CHECK(a->to >= plan.segments[k].to + plan.segments[k].size || plan.segments[k].to >= a->to + a->size);
		copy(a);
	}
}

/* ---- what the guest is told: each protocol's own words ---- */

/* `bytes` that the guest finds at `address`: all of one segment. */
static const u8 *guest_bytes(u64 address, u64 bytes)
{
	for (u32 i = 0; i < plan.segment_count; i++) {
		const struct load_segment *segment = &plan.segments[i];

		if (address >= segment->to && bytes <= segment->size && address - segment->to <= segment->size - bytes)
			return segment->from + (address - segment->to);
	}
	CHECK(!"an address that the guest is told, where nothing is");
	return NULL;
}

static u64 told(u64 address, u32 bytes)
{
	u64 value = 0;

	memcpy(&value, guest_bytes(address, bytes), bytes);
	return value;
}

static void check_string(u64 address, const char *text)
{
	CHECK(memcmp(guest_bytes(address, strlen(text) + 1), text, strlen(text) + 1) == 0);
}

static void check_file(const struct load_file *file, u64 at, u64 bytes)
{
	CHECK(bytes == file->size && (bytes == 0 || guest_bytes(at, bytes) == file->bytes));
}

static void check_region(u64 base, u64 size, u64 type)
{
	CHECK(size > 0 && (type == LOAD_E820_RESERVED || (type == LOAD_E820_RAM && in_memory(base, size))));
}

static void check_acpi(u64 root)
{
	CHECK(root == (input.acpi.bytes ? PC_ACPI_BASE : 0));
	if (root)
		check_file(&input.acpi, root, input.acpi.size);
}

static void check_linux(void)
{
	u64 params = plan.start.rsi;
	u64 initrd = told(params + 0x218, 4), initrd_bytes = told(params + 0x21c, 4);

	CHECK(plan.start.mode == VCPU_LONG64 && told(params + 0x1e8, 1) >= 3 && told(params + 0x1e8, 1) <= LOAD_MAX_REGIONS);
	CHECK(guest_bytes(plan.start.rip, 1) > input.kernel.bytes && guest_bytes(plan.start.cr3, PAGE_SIZE));
	check_string(told(params + 0x228, 4), input.cmdline);
	check_acpi(told(params + 0x70, 8));
	for (u64 at = params + 0x2d0; at < params + 0x2d0 + told(params + 0x1e8, 1) * 20; at += 20)
		check_region(told(at, 8), told(at + 8, 8), told(at + 16, 4));
	if (input.initrd.bytes)
		check_file(&input.initrd, initrd, initrd_bytes);
	else
		CHECK(initrd == 0 && initrd_bytes == 0);
	/* Until it is unpacked the kernel uses all of init_size from its start. */
	u64 init_end = plan.start.rip - 0x200 + told(params + 0x260, 4);

	CHECK(init_end <= input.low_bytes && (initrd_bytes == 0 || initrd >= init_end));
	CHECK(initrd_bytes == 0 || initrd + initrd_bytes - 1 <= told(params + 0x22c, 4));
}

static void check_pvh(void)
{
	u64 info = plan.start.rbx, modules = told(info + 12, 4);

	CHECK(plan.start.mode == VCPU_PROTECTED32 && told(info, 4) == 0x336ec578 && modules == (input.initrd.size > 0));
	check_string(told(info + 24, 8), input.cmdline);
	check_acpi(told(info + 32, 8));
	u64 map = told(info + 40, 8);

	for (u64 at = map; at < map + told(info + 48, 4) * 24; at += 24)
		check_region(told(at, 8), told(at + 8, 8), told(at + 16, 4));
	if (modules)
		check_file(&input.initrd, told(told(info + 16, 8), 8), told(told(info + 16, 8) + 8, 8));
}

static void check_multiboot(void)
{
	u64 info = plan.start.rbx, modules = told(info + 20, 4), list = told(info + 24, 4);

	CHECK(plan.start.mode == VCPU_PROTECTED32 && plan.start.rax == 0x2badb002 && plan.start.rip <= UINT32_MAX);
	check_string(told(info + 16, 4), input.cmdline);
	u64 map = told(info + 48, 4);

	for (u64 at = map; at < map + told(info + 44, 4); at += 4 + told(at, 4))
		check_region(told(at + 4, 8), told(at + 12, 8), told(at + 20, 4));
	for (u32 i = 0; i < CONFIG_MAX_MODULES; i++) {
		CHECK((i < modules) == (input.modules[i].bytes != NULL));
		if (i >= modules)
			continue;
		u64 start = told(list + 16 * i, 4), end = told(list + 16 * i + 4, 4);

		CHECK(start % PAGE_SIZE == 0 && end >= start);
		check_file(&input.modules[i], start, end - start);
		check_string(told(list + 16 * i + 8, 4), input.module_names[i]);
	}
}

static void check_plan(void)
{
	u32 header;

	check_segments();
	if (load_is_linux(&input.kernel))
		check_linux();
	else if (load_is_multiboot(&input.kernel, &header))
		check_multiboot();
	else
		check_pvh();
}

static void check_refusal(void)
{
	size_t length = strnlen(why, sizeof(why));

	CHECK(length < sizeof(why) && strncmp(why, NAME ": ", strlen(NAME) + 2) == 0);
	for (size_t i = 0; i < length; i++)
		CHECK(why[i] >= ' ' && why[i] <= '~');
}

/* ---- a machine for it: eight bytes of the input, the file is the rest ---- */

static struct load_file take_file(void)
{
	size_t size = (size_t)take_byte() * EXTRA_MOST / 255;

	return size ? (struct load_file){ calloc(1, size), size } : (struct load_file){ 0 };
}

static void take_machine(char *cmdline)
{
	u64 memory = 1ULL + take_byte();

	memory = max_u64(memory << take_byte() % 14 << 16, MIB);
	u8 modules = take_byte();

	memset(cmdline, 'c', CONFIG_CMDLINE_BYTES - 1);
	cmdline[min_u64(take_byte() * 5ULL, CONFIG_CMDLINE_BYTES - 1)] = 0;
	input = (struct load_input){
		.kernel_name = NAME,
		.cmdline = cmdline,
		.low_bytes = min_u64(memory, LOW_MOST),
		.high_bytes = memory > LOW_MOST ? memory - LOW_MOST : 0,
	};
	input.initrd = take_file();
	input.acpi = take_file();
	for (u32 i = 0; i < modules % (CONFIG_MAX_MODULES + 1); i++) {
		input.modules[i] = (struct load_file){ calloc(1, (size_t)modules * 50), (size_t)modules * 50 };
		input.module_names[i] = "\\guests\\module";
	}
	(void)take_value(2);
}

static void free_machine(void)
{
	free((void *)(uintptr_t)input.kernel.bytes);
	free((void *)(uintptr_t)input.initrd.bytes);
	free((void *)(uintptr_t)input.acpi.bytes);
	for (u32 i = 0; i < CONFIG_MAX_MODULES; i++)
		free((void *)(uintptr_t)input.modules[i].bytes);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	char cmdline[CONFIG_CMDLINE_BYTES] = "";

	take_from(data, bytes);
	take_machine(cmdline);
	const u8 *file = take_bytes(bytes, &bytes);

	input.kernel = (struct load_file){ copy_of(file, bytes), bytes };
	memset(why, 0x7f, sizeof(why));
	if (load_plan(&input, &plan, why))
		check_refusal();
	else
		check_plan();
	free_machine();
	return 0;
}
