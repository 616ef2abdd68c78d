/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest loaders: what a sound file becomes, what a broken one is told, and that no file makes a plan that leaves memory. */
#include "devices/bus.h"
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
	Elf32_Ehdr header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, 1 },
			      .e_type = ET_EXEC,
			      .e_machine = EM_386,
			      .e_version = 1,
			      .e_entry = 0x100010,
			      .e_phoff = sizeof(header),
			      .e_phentsize = sizeof(Elf32_Phdr),
			      .e_phnum = 2 };
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
		put(0x408, 4, (u32) - (0x1badb002 + 3));
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
	put(0x201, 1, 0x20);
	assert_int_equal(load_plan(&input, &plan, why), E_CORRUPT);
	assert_non_null(strstr(why, "its header ends at 0x222"));
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

static void an_entry_outside_of_what_is_loaded_is_told(void **state)
{
	static const struct {
		bool multiboot;
		u32 offset;
		u64 entry;
	} rows[] = { { true, 0x18, 0x102000 },    { true, 0x18, 0xfffff },    { true, 0x18, 0x5000 },
		     { true, 0x18, 0xffffffff },  { false, 0x810, 0x102000 }, { false, 0x810, 0x104000 },
		     { false, 0x810, 0xffffffff } };
	char words[80];

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct load_input input = elf32_input(rows[i].multiboot, !rows[i].multiboot);

		put(rows[i].offset, 4, rows[i].entry);
		assert_int_equal(load_plan(&input, &plan, why), E_CORRUPT);
		snprintf(words, sizeof(words), "damaged: its entry 0x%llx is not in what it loads", rows[i].entry);
		assert_non_null(strstr(why, words));
	}
}

static void a_long_path_leaves_room_for_the_reason(void **state)
{
	struct load_input input = elf32_input(true, false);
	char path[CONFIG_PATH_BYTES];

	(void)state;
	memset(path, 'p', sizeof(path));
	path[sizeof(path) - 1] = 0;
	input.kernel_name = path;
	input.kernel.size = 0x2000;
	assert_int_equal(load_plan(&input, &plan, why), E_CORRUPT);
	assert_non_null(strstr(why, "ppp: truncated: a segment of 8192 bytes at offset 4096, the file has 8192"));
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
	u32 header[8] = {
		0x1badb002, 1 << 16, (u32) - (0x1badb002 + (1 << 16)), 0x100100, 0x100000, 0x101000, 0x103000, 0x100200
	};
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

static void an_entry_by_linked_address_becomes_a_physical_one(void **state)
{
	struct load_input input = elf32_input(true, false);

	(void)state;
	put(0x18, 4, 0xc0100010);     /* e_entry of a kernel that is linked at 3 GiB */
	put(0x34 + 8, 4, 0xc0100000); /* p_vaddr */
	assert_int_equal(load_plan(&input, &plan, why), OK);
	assert_int_equal(plan.start.rip, 0x100010);
	put(0x18, 4, 0x100020); /* one that names it physically all the same */
	assert_int_equal(load_plan(&input, &plan, why), OK);
	assert_int_equal(plan.start.rip, 0x100020);
}

/* A kernel of 64 bits with its note; what Linux's vmlinux and FreeBSD's kernel are. */
static struct load_input elf64_input(u64 memory)
{
	Elf64_Ehdr header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, 1 },
			      .e_type = ET_EXEC,
			      .e_machine = EM_X86_64,
			      .e_version = 1,
			      .e_entry = 0xffffffff81000000,
			      .e_phoff = sizeof(header),
			      .e_phentsize = sizeof(Elf64_Phdr),
			      .e_phnum = 3 };
	Elf64_Phdr headers[3] = {
		{ .p_type = PT_LOAD,
		  .p_offset = 0x1000,
		  .p_vaddr = 0xffffffff81000000,
		  .p_paddr = 16 * MIB,
		  .p_filesz = 0x2000,
		  .p_memsz = 0x2000 },
		{ .p_type = PT_LOAD,
		  .p_offset = 0x3000,
		  .p_vaddr = 0xffffffff81200000,
		  .p_paddr = 18 * MIB,
		  .p_filesz = 0x10,
		  .p_memsz = MIB },
		{ .p_type = PT_NOTE, .p_offset = 0x800, .p_filesz = 16 + 24 },
	};
	u32 notes[10] = { 4, 0, 17, 0, 4, 8, 18, 0, 0x1000040, 0 };

	memset(file, 0, sizeof(file));
	memcpy(file, &header, sizeof(header));
	memcpy(file + sizeof(header), headers, sizeof(headers));
	memcpy(&notes[3], "Xen", 4);
	memcpy(&notes[7], "Xen", 4);
	memcpy(file + 0x800, notes, sizeof(notes));
	return input_of(0x3010, memory);
}

static void pvh_in_64_bits_gets_initrd_map_and_root_pointer(void **state)
{
	struct load_input input = elf64_input(5ULL << 30);
	u64 info[7], module[4], map[3];

	(void)state;
	assert_int_equal(load_plan(&input, &plan, why), OK);
	plan_is_sound(&input);
	assert_int_equal(plan.start.rip, 0x1000040);
	const struct load_segment *page = segment_at(plan.start.rbx);

	memcpy(info, page->from, sizeof(info));
	assert_int_equal(info[5 - 1], PC_ACPI_BASE); /* rsdp_paddr at 32 */
	assert_string_equal((const char *)page->from + (info[3] - page->to), "console=ttyS0");
	memcpy(module, page->from + (info[2] - page->to), sizeof(module));
	assert_ptr_equal(segment_at(module[0])->from, initrd);
	assert_int_equal(module[1], sizeof(initrd));
	assert_true(module[0] >= 19 * MIB); /* above .bss */
	assert_int_equal((u32)info[6], 4);
	memcpy(map, page->from + (info[5] - page->to) + 3 * sizeof(map), sizeof(map));
	assert_int_equal(map[0], 4ULL << 30);
	assert_int_equal(map[1], 2ULL << 30);
	assert_int_equal((u32)map[2], LOAD_E820_RAM);
}

/* A file cannot make the loader walk for ever, nor find an entry that it hides behind a heap of notes. */
static void notes_beyond_a_reasonable_number_are_not_read(void **state)
{
	struct load_input input = elf32_input(false, true);

	(void)state;
	memset(file + 0x800, 0, 0x2000);
	u32 note[5] = { 4, 4, 18, 0, 0x100040 };

	memcpy(&note[3], "Xen", 4);
	memcpy(file + 0x800 + 12 * 100, note, sizeof(note));
	put(0x34 + 32 + 16, 4, 0x1800); /* p_filesz of the notes */
	assert_int_equal(load_plan(&input, &plan, why), OK);
	memset(file + 0x800, 0, 0x2000);
	memcpy(file + 0x800 + 12 * 400, note, sizeof(note));
	assert_int_equal(load_plan(&input, &plan, why), E_UNSUPPORTED);
}

static void modules_lie_in_order_apart_and_page_aligned(void **state)
{
	static const u64 sizes[CONFIG_MAX_MODULES] = { 1, PAGE_SIZE, 0, PAGE_SIZE + 1 };
	static const char *const names[CONFIG_MAX_MODULES] = { "a", "b", "empty", "d" };
	struct load_input input = elf32_input(true, false);
	u32 info[14], last = 0, count = 0;

	(void)state;
	for (u32 i = 0; i < CONFIG_MAX_MODULES; i++) {
		input.modules[i] = (struct load_file){ initrd, sizes[i] };
		input.module_names[i] = names[i];
		count++;
	}
	assert_int_equal(load_plan(&input, &plan, why), OK);
	plan_is_sound(&input);
	const struct load_segment *page = segment_at(plan.start.rbx);

	memcpy(info, page->from, sizeof(info));
	assert_int_equal(info[5], count);
	for (u32 i = 0; i < count; i++) {
		u32 module[4];

		memcpy(module, page->from + (info[6] - page->to) + i * sizeof(module), sizeof(module));
		assert_int_equal(module[0] % PAGE_SIZE, 0);
		assert_true(module[0] >= last);
		assert_int_equal(module[1] - module[0], sizes[i]);
		assert_string_equal((const char *)page->from + (module[2] - page->to), names[i]);
		last = module[1];
	}
	input.modules[1].size = 8 * MIB;
	assert_int_equal(load_plan(&input, &plan, why), E_RANGE);
	assert_non_null(strstr(why, "a module"));
}

static void no_setup_sectors_means_four(void **state)
{
	struct load_input input = linux_input(128 * MIB);

	(void)state;
	put(0x1f1, 1, 0);
	put(0x1f4, 4, 0x100);
	assert_int_equal(load_plan(&input, &plan, why), OK);
	assert_ptr_equal(segment_at(16 * MIB)->from, file + 5 * 512);
}

static void an_initrd_stays_below_the_kernels_limit_and_above_its_memory(void **state)
{
	(void)state;
	for (u32 limit = 17 * MIB; limit < 60 * MIB; limit += MIB / 2) {
		struct load_input input = linux_input(64 * MIB);

		put(0x22c, 4, limit - 1);
		put(0x260, 4, 20 * MIB); /* 16 … 36 MiB are the kernel's */
		err_t error = load_plan(&input, &plan, why);

		if (limit < 36 * MIB + sizeof(initrd)) {
			assert_int_equal(error, E_RANGE);
			continue;
		}
		assert_int_equal(error, OK);
		u32 at;

		memcpy(&at, segment_at(plan.start.rsi)->from + 0x218, sizeof(at));
		assert_in_range(at, 36 * MIB, limit - sizeof(initrd));
	}
}

/* Every length that a transfer can be cut at. */
static void no_truncated_file_is_read_beyond_its_end(void **state)
{
	(void)state;
	for (u32 kind = 0; kind < 4; kind++) {
		u64 whole = kind == 0 ? 1024 + 1024 : 0x3010;

		for (u64 bytes = 0; bytes <= whole; bytes += bytes < 0x400 ? 1 : 13) {
			struct load_input input = kind == 0   ? linux_input(64 * MIB)
						  : kind == 1 ? elf64_input(64 * MIB)
							      : elf32_input(kind == 2, true);
			u8 *exact = malloc(bytes + 1);

			memcpy(exact, file, bytes);
			input.kernel = (struct load_file){ exact, bytes };
			if (load_plan(&input, &plan, why) == OK)
				plan_is_sound(&input);
			else
				assert_non_null(strstr(why, "\\guests\\kernel: "));
			free(exact);
		}
	}
}

/* The promise that matters: whatever the file says, the plan stays inside memory and reads only the file. */
static void no_mutation_of_a_file_makes_an_unsound_plan(void **state)
{
	u64 seed = (u64)time(NULL);
	u32 planned = 0;

	(void)state;
	printf("seed %llu\n", (unsigned long long)seed);
	srand48((long)seed);
	for (u32 round = 0; round < 40000; round++) {
		u64 memory = lrand48() % 4 ? 64 * MIB : 2 * MIB + (u64)lrand48() % (8ULL << 30) / PAGE_SIZE * PAGE_SIZE;
		struct load_input input = round % 4 == 0   ? linux_input(memory)
					  : round % 4 == 1 ? elf64_input(memory)
							   : elf32_input(round % 4 == 2, true);
		static const u32 places[][2] = { { 0, 0x90 }, { 0, 0xf0 }, { 0x400, 0x20 }, { 0x800, 0x30 } };

		input.low_bytes = min_u64(memory, PC_LOW_MEMORY_END);
		input.high_bytes = memory - input.low_bytes;
		for (u32 i = 0; i < (u32)lrand48() % CONFIG_MAX_MODULES; i++) {
			input.modules[i] = (struct load_file){ initrd, (u64)lrand48() % sizeof(initrd) };
			input.module_names[i] = "\\guests\\module";
		}
		for (u32 flips = 0; flips < 1 + round % 4; flips++) {
			const u32 *place = places[lrand48() % 4];
			u32 at = round % 4 == 0 ? 0x1f0 + (u32)lrand48() % 0x80 : place[0] + (u32)lrand48() % place[1];

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
		cmocka_unit_test(an_entry_outside_of_what_is_loaded_is_told),
		cmocka_unit_test(a_long_path_leaves_room_for_the_reason),
		cmocka_unit_test(a_command_line_longer_than_the_kernel_takes_is_refused),
		cmocka_unit_test(pvh_starts_at_its_note_with_start_information),
		cmocka_unit_test(multiboot_gets_its_magic_map_and_modules),
		cmocka_unit_test(multiboot_by_addresses_loads_what_its_header_says),
		cmocka_unit_test(an_entry_by_linked_address_becomes_a_physical_one),
		cmocka_unit_test(pvh_in_64_bits_gets_initrd_map_and_root_pointer),
		cmocka_unit_test(notes_beyond_a_reasonable_number_are_not_read),
		cmocka_unit_test(modules_lie_in_order_apart_and_page_aligned),
		cmocka_unit_test(no_setup_sectors_means_four),
		cmocka_unit_test(an_initrd_stays_below_the_kernels_limit_and_above_its_memory),
		cmocka_unit_test(no_truncated_file_is_read_beyond_its_end),
		cmocka_unit_test(no_mutation_of_a_file_makes_an_unsound_plan),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
