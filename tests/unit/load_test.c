/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest loaders: what a sound file becomes, what a broken one is told, and that no file makes a plan that leaves memory. */
#include "kernel/load.h"
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { MIB = 1 << 20, FILE_BYTES = 64 * 1024 };

static u8 file[FILE_BYTES], initrd[3 * PAGE_SIZE + 17], acpi[512];
static struct load_plan plan;
static char why[LOAD_WHY_BYTES];

static void put(u32 offset, u32 bytes, u64 value)
{
	memcpy(file + offset, &value, bytes);
}

static struct load_input input_of(u64 file_bytes, u64 memory)
{
	return (struct load_input){
		.kernel = { file, file_bytes },
		.initrd = { initrd, sizeof(initrd) },
		.kernel_name = "\\guests\\kernel",
		.cmdline = "console=ttyS0",
		.low_bytes = min_u64(memory, 3ULL << 30),
		.high_bytes = memory > 3ULL << 30 ? memory - (3ULL << 30) : 0,
		.acpi = { acpi, sizeof(acpi) },
	};
}

/* A bzImage with one setup sector, 40 KiB of kernel, that wants 1 MiB at 16 MiB. */
static struct load_input linux_input(u64 memory)
{
	memset(file, 0x90, sizeof(file));
	memset(file, 0, 0x300);
	put(0x1f1, 1, 1);
	put(0x1f4, 4, (40 * 1024) / 16);
	put(0x1fe, 2, 0xaa55);
	put(0x200, 2, 0x66eb);
	memcpy(file + 0x202, "HdrS", 4);
	put(0x206, 2, 0x20f);
	put(0x22c, 4, 0x7fffffff);
	put(0x230, 4, 0x200000);
	put(0x234, 1, 1);
	put(0x236, 2, 1);
	put(0x238, 4, 2047);
	put(0x258, 8, 16 * MIB);
	put(0x260, 4, MIB);
	return input_of(1024 + 40 * 1024, memory);
}

static struct load_input elf32_input(bool multiboot, bool pvh)
{
	Elf32_Ehdr header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, 1 }, .e_type = ET_EXEC,
			      .e_machine = EM_386, .e_version = 1, .e_entry = 0x100010, .e_phoff = sizeof(header),
			      .e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 2 };
	Elf32_Phdr headers[2] = {
		{ .p_type = PT_LOAD, .p_offset = 0x1000, .p_paddr = 0x100000, .p_filesz = 0x2000, .p_memsz = 0x5000 },
		{ .p_type = PT_NOTE, .p_offset = 0x800, .p_filesz = 20 },
	};

	memset(file, 0, sizeof(file));
	memcpy(file, &header, sizeof(header));
	memcpy(file + sizeof(header), headers, sizeof(headers));
	if (multiboot) {
		put(0x400, 4, 0x1badb002);
		put(0x404, 4, 3);
		put(0x408, 4, (u32)-(0x1badb002 + 3));
	}
	if (pvh) {
		u32 note[5] = { 4, 4, 18, 0, 0x100040 };

		memcpy(&note[3], "Xen", 4);
		memcpy(file + 0x800, note, sizeof(note));
	}
	return input_of(0x3000, 8 * MIB);
}

static const struct load_segment *segment_at(u64 to)
{
	for (u32 i = 0; i < plan.segment_count; i++)
		if (plan.segments[i].to == to)
			return &plan.segments[i];
	return NULL;
}

/* What vm_worker.c relies on. */
static void plan_is_sound(const struct load_input *input)
{
	for (u32 i = 0; i < plan.segment_count; i++) {
		const struct load_segment *a = &plan.segments[i];

		assert_true(a->size > 0 && a->to + a->size > a->to);
		assert_true(a->to + a->size <= input->low_bytes);
		for (u32 k = 0; k < i; k++) {
			const struct load_segment *b = &plan.segments[k];

			assert_true(a->to >= b->to + b->size || b->to >= a->to + a->size);
		}
		volatile u8 sum = 0; /* every source byte is there: ASan looks */
		for (u64 byte = 0; byte < a->size; byte += 61)
			sum = (u8)(sum + a->from[byte]);
		sum = (u8)(sum + a->from[a->size - 1]);
	}
}

static void linux_starts_at_its_64_bit_entry_with_boot_parameters(void **state)
{
	struct load_input input = linux_input(128 * MIB);

	(void)state;
	assert_int_equal(load_plan(&input, &plan, why), OK);
	plan_is_sound(&input);
	assert_int_equal(plan.start.mode, VCPU_LONG64);
	assert_int_equal(plan.start.rip, 16 * MIB + 0x200);
	assert_ptr_equal(segment_at(16 * MIB)->from, file + 1024);
	const u8 *params = segment_at(plan.start.rsi)->from;
	u32 ramdisk[2], cmdline;
	memcpy(ramdisk, params + 0x218, 8);
	memcpy(&cmdline, params + 0x228, 4);
	assert_ptr_equal(segment_at(ramdisk[0])->from, initrd);
	assert_int_equal(ramdisk[1], sizeof(initrd));
	assert_string_equal((const char *)segment_at(cmdline)->from, "console=ttyS0");
	assert_int_equal(params[0x1e8], 3);
	assert_int_equal(params[0x210], 0xff);
}

static void linux_page_tables_map_four_gibibytes_identically(void **state)
{
	struct load_input input = linux_input(128 * MIB);

	(void)state;
	assert_int_equal(load_plan(&input, &plan, why), OK);
	const struct load_segment *tables = segment_at(plan.start.cr3);
	for (u64 address = 0; address < 4ULL << 30; address += 123 * PAGE_SIZE) {
		u64 table = plan.start.cr3;

		for (u32 level = 4; level > 1; level--) {
			u64 entry;

			assert_in_range(table, tables->to, tables->to + tables->size - PAGE_SIZE);
			memcpy(&entry, tables->from + (table - tables->to) + 8 * ((address >> (12 + 9 * (level - 1))) & 511), 8);
			assert_int_equal(entry & 3, 3);
			if (level == 2)
				assert_int_equal(entry & 0xfffffffe00000, address & ~(u64)(2 * MIB - 1));
			table = entry & 0xffffffffff000;
		}
	}
}

static void linux_moves_low_when_its_preferred_place_is_outside_memory(void **state)
{
	struct load_input input = linux_input(8 * MIB);

	(void)state;
	assert_int_equal(load_plan(&input, &plan, why), OK);
	plan_is_sound(&input);
	assert_int_equal(plan.start.rip, 2 * MIB + 0x200);
}

static void memory_above_four_gibibytes_is_reported_as_such(void **state)
{
	struct load_input input = linux_input(5ULL << 30);
	struct load_region regions[LOAD_MAX_REGIONS];

	(void)state;
	assert_int_equal(load_memory_map(&input, regions), 4);
	assert_int_equal(regions[3].base, 4ULL << 30);
	assert_int_equal(regions[3].size, 2ULL << 30);
}

static void every_refusal_names_the_file_and_the_reason(void **state)
{
	struct load_input input = linux_input(128 * MIB);

	(void)state;
	input.kernel.size = 20 * 1024;
	assert_int_equal(load_plan(&input, &plan, why), E_CORRUPT);
	assert_non_null(strstr(why, "\\guests\\kernel: truncated"));
	input = linux_input(128 * MIB);
	put(0x236, 2, 0);
	assert_int_equal(load_plan(&input, &plan, why), E_UNSUPPORTED);
	assert_non_null(strstr(why, "not a 64-bit Linux kernel"));
	input = linux_input(8 * MIB);
	put(0x260, 4, 64 * MIB);
	assert_int_equal(load_plan(&input, &plan, why), E_RANGE);
	assert_non_null(strstr(why, "needs 66 MiB of memory to start, the guest has 8 MiB"));
	input = linux_input(128 * MIB);
	input.initrd.size = 200 * MIB;
	assert_int_equal(load_plan(&input, &plan, why), E_RANGE);
	assert_non_null(strstr(why, "the initrd"));
	memset(file, 0, sizeof(file));
	input = input_of(4096, 128 * MIB);
	assert_int_equal(load_plan(&input, &plan, why), E_INVALID);
	assert_non_null(strstr(why, "neither a Linux bzImage nor a PVH or multiboot ELF"));
	input = elf32_input(false, false);
	assert_int_equal(load_plan(&input, &plan, why), E_UNSUPPORTED);
	assert_non_null(strstr(why, "without a PVH entry"));
}

static void a_command_line_longer_than_the_kernel_takes_is_refused(void **state)
{
	struct load_input input = linux_input(128 * MIB);
	char line[1000];

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = 0;
	input.cmdline = line;
	put(0x238, 4, 255);
	assert_int_equal(load_plan(&input, &plan, why), E_RANGE);
	assert_non_null(strstr(why, "999 bytes, at most 255"));
}

static void pvh_starts_at_its_note_with_start_information(void **state)
{
	struct load_input input = elf32_input(false, true);
	u32 magic;

	(void)state;
	assert_int_equal(load_plan(&input, &plan, why), OK);
	plan_is_sound(&input);
	assert_int_equal(plan.start.mode, VCPU_PROTECTED32);
	assert_int_equal(plan.start.rip, 0x100040);
	memcpy(&magic, segment_at(plan.start.rbx)->from, 4);
	assert_int_equal(magic, 0x336ec578);
}

static void multiboot_gets_its_magic_map_and_modules(void **state)
{
	struct load_input input = elf32_input(true, false);
	u32 info[14], module[4];

	(void)state;
	input.modules[0] = (struct load_file){ initrd, sizeof(initrd) };
	input.module_names[0] = "\\guests\\module";
	assert_int_equal(load_plan(&input, &plan, why), OK);
	plan_is_sound(&input);
	assert_int_equal(plan.start.rax, 0x2badb002);
	assert_int_equal(plan.start.rip, 0x100010);
	const struct load_segment *page = segment_at(plan.start.rbx);
	memcpy(info, page->from, sizeof(info));
	assert_int_equal(info[5], 1);
	memcpy(module, page->from + (info[6] - page->to), sizeof(module));
	assert_int_equal(module[0], 0x105000); /* behind .bss, which is not copied but belongs to the image */
	assert_int_equal(module[1] - module[0], sizeof(initrd));
	assert_string_equal((const char *)page->from + (module[2] - page->to), "\\guests\\module");
}

static void multiboot_by_addresses_loads_what_its_header_says(void **state)
{
	struct load_input input;

	(void)state;
	memset(file, 0, sizeof(file));
	u32 header[8] = { 0x1badb002, 1 << 16, (u32)-(0x1badb002 + (1 << 16)), 0x100100, 0x100000, 0x101000, 0x103000, 0x100200 };
	memcpy(file + 0x100, header, sizeof(header));
	input = input_of(0x2000, 8 * MIB);
	assert_int_equal(load_plan(&input, &plan, why), OK);
	plan_is_sound(&input);
	assert_int_equal(plan.start.rip, 0x100200);
	assert_int_equal(segment_at(0x100000)->size, 0x1000);
	header[5] = 0x110000;
	memcpy(file + 0x100, header, sizeof(header));
	assert_int_equal(load_plan(&input, &plan, why), E_CORRUPT);
}

/* The promise that matters: whatever the file says, the plan stays inside memory and reads only the file. */
static void no_mutation_of_a_file_makes_an_unsound_plan(void **state)
{
	u64 seed = (u64)time(NULL);
	u32 planned = 0;

	(void)state;
	printf("seed %llu\n", (unsigned long long)seed);
	srand48((long)seed);
	for (u32 round = 0; round < 30000; round++) {
		struct load_input input = round % 3 == 0 ? linux_input(64 * MIB) : elf32_input(round % 3 == 1, true);
		u32 headers = round % 3 == 0 ? 0x270 : 0x90;

		for (u32 flips = 0; flips < 1 + round % 4; flips++) {
			u32 at = (u32)lrand48() % headers;

			file[at] = (u8)lrand48();
			if (lrand48() % 4 == 0)
				put(at & ~3U, 4, (u64)0xffffffff - (u64)(lrand48() % 4096));
		}
		input.kernel.size = lrand48() % 8 == 0 ? (u64)lrand48() % input.kernel.size : input.kernel.size;
		u8 *exact = malloc(input.kernel.size + 1); /* so that ASan sees a read beyond the end */
		memcpy(exact, file, input.kernel.size);
		input.kernel.bytes = exact;
		if (load_plan(&input, &plan, why) == OK) {
			plan_is_sound(&input);
			planned++;
		} else {
			assert_true(why[0] != 0);
		}
		free(exact);
	}
	assert_true(planned > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_starts_at_its_64_bit_entry_with_boot_parameters),
		cmocka_unit_test(linux_page_tables_map_four_gibibytes_identically),
		cmocka_unit_test(linux_moves_low_when_its_preferred_place_is_outside_memory),
		cmocka_unit_test(memory_above_four_gibibytes_is_reported_as_such),
		cmocka_unit_test(every_refusal_names_the_file_and_the_reason),
		cmocka_unit_test(a_command_line_longer_than_the_kernel_takes_is_refused),
		cmocka_unit_test(pvh_starts_at_its_note_with_start_information),
		cmocka_unit_test(multiboot_gets_its_magic_map_and_modules),
		cmocka_unit_test(multiboot_by_addresses_loads_what_its_header_says),
		cmocka_unit_test(no_mutation_of_a_file_makes_an_unsound_plan),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
