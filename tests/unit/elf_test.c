/* SPDX-License-Identifier: BSD-2-Clause */
/* Our own kernel's ELF file: what is sound is read, what is cut off, damaged or malicious is refused with its reason. */
#include "kernel/lib/elf.h"
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FLOOR 0xffffffff80000000ULL

enum { FILE_BYTES = 0x4000, PROGRAMS = 64, SECTIONS = 0x3000, SYMBOLS = 0x2000, NAMES = 0x2800, TEXT = 0x1000 };

static u8 file[FILE_BYTES];
static struct elf_image image;
static const char *why;

static Elf64_Ehdr *header(void)
{
	return (Elf64_Ehdr *)(void *)file;
}

static Elf64_Phdr *program(u32 i)
{
	return (Elf64_Phdr *)(void *)(file + PROGRAMS) + i;
}

static Elf64_Shdr *section(u32 i)
{
	return (Elf64_Shdr *)(void *)(file + SECTIONS) + i;
}

static Elf64_Sym *symbol(u32 i)
{
	return (Elf64_Sym *)(void *)(file + SYMBOLS) + i;
}

static void put_program(u32 i, u64 address, u64 offset, u64 filesz, u64 memsz, u32 flags)
{
	*program(i) = (Elf64_Phdr){ .p_type = PT_LOAD,
				    .p_flags = flags,
				    .p_offset = offset,
				    .p_vaddr = address,
				    .p_paddr = address,
				    .p_filesz = filesz,
				    .p_memsz = memsz,
				    .p_align = PAGE_SIZE };
}

static void put_symbol(u32 i, const char *name, u64 value, u64 size, u32 type)
{
	static u32 names_end;

	if (i == 1)
		names_end = 1;
	*symbol(i) = (Elf64_Sym){ .st_name = names_end,
				  .st_info = (u8)ELF64_ST_INFO(STB_GLOBAL, type),
				  .st_shndx = 1,
				  .st_value = value,
				  .st_size = size };
	memcpy(file + NAMES + names_end, name, strlen(name) + 1);
	names_end += (u32)strlen(name) + 1;
	section(2)->sh_size = names_end;
}

/* Text, data with a bss behind it, and a symbol table. */
static int sound(void **state)
{
	(void)state;
	memset(file, 0, sizeof(file));
	*header() = (Elf64_Ehdr){
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = FLOOR + 0x100010,
		.e_phoff = PROGRAMS,
		.e_shoff = SECTIONS,
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 3,
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 3,
	};
	put_program(0, FLOOR + 0x100000, TEXT, 0x800, 0x800, PF_R | PF_X);
	*program(1) = (Elf64_Phdr){ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W };
	put_program(2, FLOOR + 0x102000, TEXT + 0x800, 0x123, 0x2345, PF_R | PF_W);
	*section(1) = (Elf64_Shdr){ .sh_type = SHT_SYMTAB, .sh_offset = SYMBOLS, .sh_size = 6 * sizeof(Elf64_Sym), .sh_link = 2 };
	*section(2) = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_offset = NAMES };
	put_symbol(1, "start", FLOOR + 0x100000, 0x100, STT_FUNC);
	put_symbol(2, "label", FLOOR + 0x100100, 0, STT_NOTYPE);
	put_symbol(3, "middle", FLOOR + 0x100200, 0x80, STT_FUNC);
	put_symbol(4, "object", FLOOR + 0x100240, 8, STT_OBJECT);
	put_symbol(5, "outer", FLOOR + 0x100200, 0x100, STT_FUNC);
	return 0;
}

/* From a copy that ends where the file ends, at an odd address: ASan sees what reaches beyond, UBSan what is read unaligned. */
static err_t parse(u64 bytes)
{
	u8 *copy = malloc(bytes + 1);

	memcpy(copy + 1, file, bytes);
	err_t error = elf_parse(copy + 1, bytes, FLOOR, &image, &why);

	for (u32 i = 0; error == OK && i < image.segment_count; i++) { /* every byte it names is there */
		volatile u8 sum = 0;

		for (u64 k = 0; k < image.segments[i].file_bytes; k++)
			sum = (u8)(sum + image.segments[i].bytes[k]);
	}
	free(copy);
	return error;
}

static void expect_refused(const char *words)
{
	assert_int_equal(parse(FILE_BYTES), E_INVALID);
	assert_non_null(why);
	if (!strstr(why, words))
		fail_msg("'%s' does not say '%s'", why, words);
}

static void a_sound_file_gives_its_segments(void **state)
{
	(void)state;
	assert_int_equal(parse(FILE_BYTES), OK);
	assert_null(why);
	assert_int_equal(image.segment_count, 2);
	assert_int_equal(image.entry, FLOOR + 0x100010);
	assert_int_equal(image.base, FLOOR + 0x100000);
	assert_int_equal(image.pages, 5); /* one of text, a gap, three of data */
	assert_int_equal(image.segments[0].pages, 1);
	assert_true(image.segments[0].execute && !image.segments[0].write);
	assert_int_equal(image.segments[1].pages, 3);
	assert_int_equal(image.segments[1].file_bytes, 0x123);
	assert_true(image.segments[1].write && !image.segments[1].execute);
}

static void a_file_cut_off_anywhere_is_refused_or_whole(void **state)
{
	u64 needed = TEXT + 0x800 + 0x123;

	(void)state;
	for (u64 bytes = 0; bytes < FILE_BYTES; bytes += bytes < 400 ? 1 : 61)
		assert_int_equal(parse(bytes), bytes >= needed ? OK : E_INVALID);
	assert_int_equal(parse(needed), OK);
	assert_int_equal(parse(needed - 1), E_INVALID);
	assert_string_equal(why, "a segment's bytes are not all in the file");
	assert_int_equal(parse(63), E_INVALID);
	assert_string_equal(why, "file too short");
	assert_int_equal(parse(64 + 100), E_INVALID);
	assert_string_equal(why, "program headers are damaged");
}

static void other_kinds_of_file_are_refused(void **state)
{
	static const u32 places[] = { 0, 1, 2, 3, EI_CLASS, EI_DATA, EI_VERSION };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
		sound(state);
		file[places[i]] ^= 3;
		expect_refused("not a 64-bit x86 ELF file");
	}
	sound(state);
	header()->e_machine = EM_386;
	expect_refused("not a 64-bit x86 ELF file");
}

static void program_headers_are_checked(void **state)
{
	static const u64 offsets[] = { FILE_BYTES, FILE_BYTES - 1, UINT64_MAX, UINT64_MAX - 10, 1ULL << 63 };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(offsets); i++) {
		sound(state);
		header()->e_phoff = offsets[i];
		expect_refused("program headers are damaged");
	}
	sound(state);
	header()->e_phentsize = 0;
	expect_refused("program headers are damaged");
	sound(state);
	header()->e_phnum = 0xffff;
	expect_refused("program headers are damaged");
	sound(state);
	header()->e_phnum = 0;
	expect_refused("entry is not in an executable segment");
}

static void segments_keep_to_their_place(void **state)
{
	static const struct {
		u64 address, offset, filesz, memsz;
		u32 flags;
		const char *words;
	} rows[] = {
		{ FLOOR + 0x102001, TEXT, 1, 1, PF_R, "does not start on a page" },
		{ FLOOR - PAGE_SIZE, TEXT, 1, 1, PF_R, "outside of the kernel's addresses" },
		{ 0x100000, TEXT, 1, 1, PF_R, "outside of the kernel's addresses" },
		{ 0, TEXT, 1, 1, PF_R, "outside of the kernel's addresses" },
		{ FLOOR + 0x102000, TEXT, 1, UINT64_MAX, PF_R, "outside of the kernel's addresses" },
		{ FLOOR + 0x102000, TEXT, 1, 0x7fefe000, PF_R, "outside of the kernel's addresses" },
		{ UINT64_MAX - PAGE_SIZE + 1, TEXT, 1, 1, PF_R, "outside of the kernel's addresses" },
		{ FLOOR + 0x102000, TEXT, 2, 1, PF_R, "more bytes in the file than in memory" },
		{ FLOOR + 0x102000, TEXT, 1, 1, PF_R | PF_W | PF_X, "both writable and executable" },
		{ FLOOR + 0x102000, FILE_BYTES, 1, 1, PF_R, "not all in the file" },
		{ FLOOR + 0x102000, UINT64_MAX, 2, 2, PF_R, "not all in the file" },
		{ FLOOR + 0x102000, 0, FILE_BYTES + 1, FILE_BYTES + 1, PF_R, "not all in the file" },
		{ FLOOR + 0x100000, TEXT, 1, 1, PF_R, "overlap or are not in order" },
		{ FLOOR + 0xff000, TEXT, 1, 1, PF_R, "overlap or are not in order" },
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		sound(state);
		put_program(2, rows[i].address, rows[i].offset, rows[i].filesz, rows[i].memsz, rows[i].flags);
		expect_refused(rows[i].words);
	}
}

static void an_empty_segment_is_passed_over(void **state)
{
	(void)state;
	put_program(2, 5, UINT64_MAX, 0, 0, PF_R | PF_W | PF_X);
	assert_int_equal(parse(FILE_BYTES), OK);
	assert_int_equal(image.segment_count, 1);
}

static void at_most_8_segments_are_taken(void **state)
{
	(void)state;
	for (u32 i = 0; i < ELF_MAX_SEGMENTS + 1; i++)
		put_program(i, FLOOR + 0x100000 + i * 0x1000, TEXT, 0x800, 0x800, PF_R | PF_X);
	header()->e_phnum = ELF_MAX_SEGMENTS;
	assert_int_equal(parse(FILE_BYTES), OK);
	assert_int_equal(image.segment_count, ELF_MAX_SEGMENTS);
	header()->e_phnum = ELF_MAX_SEGMENTS + 1;
	expect_refused("too many segments");
}

static void the_entry_must_be_code_in_the_file(void **state)
{
	static const u64 entries[] = { 0, FLOOR, FLOOR + 0x100800, FLOOR + 0xfffff, FLOOR + 0x102000, UINT64_MAX };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(entries); i++) {
		sound(state);
		header()->e_entry = entries[i];
		expect_refused("entry is not in an executable segment");
	}
	sound(state);
	header()->e_entry = FLOOR + 0x1007ff;
	assert_int_equal(parse(FILE_BYTES), OK);
}

/* ---- symbols ---- */

static struct elf_symbols symbols;

static const char *name_at(u64 address)
{
	u64 offset;
	const char *name = elf_symbol_at(&symbols, FLOOR + address, &offset);

	return name ? name : "";
}

static void an_address_has_the_name_of_the_function_that_holds_it(void **state)
{
	u64 offset;

	(void)state;
	assert_int_equal(elf_symbols(file, FILE_BYTES, &symbols), OK);
	assert_int_equal(symbols.count, 6);
	assert_string_equal(name_at(0x100000), "start");
	assert_string_equal(name_at(0x1000ff), "start");
	assert_string_equal(name_at(0x100100), "label");
	assert_string_equal(name_at(0x1001ff), "label"); /* assembly's labels have no size: up to the next */
	assert_string_equal(name_at(0x100200), "outer"); /* the larger of two at one address */
	assert_string_equal(name_at(0x100245), "outer"); /* data names no code */
	assert_string_equal(name_at(0x100300), "");
	assert_string_equal(name_at(0xfffff), "");
	assert_string_equal(elf_symbol_at(&symbols, FLOOR + 0x100012, &offset), "start");
	assert_int_equal(offset, 0x12);
}

static void a_stripped_file_has_none(void **state)
{
	(void)state;
	section(1)->sh_type = SHT_PROGBITS;
	assert_int_equal(elf_symbols(file, FILE_BYTES, &symbols), E_NOT_FOUND);
	header()->e_shnum = 0;
	assert_int_equal(elf_symbols(file, FILE_BYTES, &symbols), E_NOT_FOUND);
}

static void damaged_symbol_tables_are_refused(void **state)
{
	(void)state;
	header()->e_shentsize = 1;
	assert_int_equal(elf_symbols(file, FILE_BYTES, &symbols), E_INVALID);
	sound(state);
	header()->e_shoff = UINT64_MAX - 5;
	assert_int_equal(elf_symbols(file, FILE_BYTES, &symbols), E_INVALID);
	sound(state);
	section(1)->sh_link = 3;
	assert_int_equal(elf_symbols(file, FILE_BYTES, &symbols), E_INVALID);
	sound(state);
	section(1)->sh_size = FILE_BYTES;
	assert_int_equal(elf_symbols(file, FILE_BYTES, &symbols), E_INVALID);
	sound(state);
	section(2)->sh_size = 0;
	assert_int_equal(elf_symbols(file, FILE_BYTES, &symbols), E_INVALID);
	sound(state);
	section(2)->sh_size--; /* the last name has no end */
	assert_int_equal(elf_symbols(file, FILE_BYTES, &symbols), E_INVALID);
	sound(state);
	assert_int_equal(elf_symbols(file, 63, &symbols), E_INVALID);
}

static void names_beyond_the_table_and_undefined_symbols_are_passed_over(void **state)
{
	(void)state;
	symbol(1)->st_name = 0xffffffff;
	symbol(2)->st_shndx = SHN_UNDEF;
	symbol(3)->st_name = 0;
	symbol(5)->st_shndx = SHN_ABS;
	assert_int_equal(elf_symbols(file, FILE_BYTES, &symbols), OK);
	for (u64 address = 0x100000; address < 0x100400; address += 16)
		assert_string_equal(name_at(address), "");
}

static void a_symbol_near_the_end_of_addresses_does_not_wrap(void **state)
{
	u64 offset;

	(void)state;
	symbol(1)->st_value = UINT64_MAX - 1;
	symbol(1)->st_size = UINT64_MAX;
	assert_int_equal(elf_symbols(file, FILE_BYTES, &symbols), OK);
	assert_string_equal(elf_symbol_at(&symbols, UINT64_MAX, &offset), "start");
	assert_int_equal(offset, 1);
}

/* ---- any damage at all ---- */

static void random_damage_never_reaches_outside(void **state)
{
	static const u64 values[] = { 0, 1, 0xff, 0xfff, 0x1000, 0x7fffffff, 0xffffffff, 1ULL << 63, UINT64_MAX };
	u32 accepted = 0;

	print_message("seed 7\n");
	srand(7);
	for (u32 round = 0; round < 1200; round++) {
		u64 bytes = rand() % 4 ? FILE_BYTES : (u64)(rand() % FILE_BYTES);

		sound(state);
		for (u32 hits = 1 + (u32)rand() % 3; hits; hits--) {
			u32 area = (u32)rand() % 3;
			u32 at = area == 0   ? (u32)rand() % (PROGRAMS + 3 * 56)
				 : area == 1 ? SECTIONS + (u32)rand() % 192
					     : SYMBOLS + (u32)rand() % 144;
			u64 value = values[(u32)rand() % ARRAY_SIZE(values)];

			memcpy(file + at, &value, (size_t[]){ 1, 2, 4, 8 }[rand() % 4]);
		}
		accepted += parse(bytes) == OK;
		u8 *copy = malloc(bytes ? bytes : 1);

		memcpy(copy, file, bytes);
		if (elf_symbols(copy, bytes, &symbols) == OK) {
			for (u64 address = 0x100000; address < 0x100300; address += 64)
				(void)strlen(name_at(address));
		}
		free(copy);
	}
	assert_true(accepted > 30);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, sound)
	const struct CMUnitTest tests[] = {
		TEST(a_sound_file_gives_its_segments),
		TEST(a_file_cut_off_anywhere_is_refused_or_whole),
		TEST(other_kinds_of_file_are_refused),
		TEST(program_headers_are_checked),
		TEST(segments_keep_to_their_place),
		TEST(an_empty_segment_is_passed_over),
		TEST(at_most_8_segments_are_taken),
		TEST(the_entry_must_be_code_in_the_file),
		TEST(an_address_has_the_name_of_the_function_that_holds_it),
		TEST(a_stripped_file_has_none),
		TEST(damaged_symbol_tables_are_refused),
		TEST(names_beyond_the_table_and_undefined_symbols_are_passed_over),
		TEST(a_symbol_near_the_end_of_addresses_does_not_wrap),
		TEST(random_damage_never_reaches_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
