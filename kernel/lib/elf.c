/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/lib/elf.h"
#include "kernel/lib/check.h"
#include <elf.h>
#include <string.h>

/* A part of the file, NULL if it is not all there. Results of it may be unaligned: headers are copied out. */
static const u8 *part(const u8 *file, u64 bytes, u64 offset, u64 length)
{
	if (offset > bytes || length > bytes - offset)
		return NULL;
	return file + offset;
}

static bool is_ours(const Elf64_Ehdr *header)
{
	static const u8 magic[] = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT };

	return memcmp(header->e_ident, magic, sizeof(magic)) == 0 && header->e_machine == EM_X86_64;
}

static const char *read_header(const u8 *file, u64 bytes, Elf64_Ehdr *header)
{
	const u8 *start = part(file, bytes, 0, sizeof(*header));

	if (!start)
		return "file too short";
	memcpy(header, start, sizeof(*header));
	return is_ours(header) ? NULL : "not a 64-bit x86 ELF file";
}

/* The checks keep every sum below from wrapping: sizes and addresses stay in the top 2 GiB or are refused. */
static const char *read_segment(const u8 *file, u64 bytes, const Elf64_Phdr *header, u64 floor, struct elf_segment *segment)
{
	u64 room = 0 - header->p_vaddr; /* up to the end of the address space */

	if (header->p_vaddr % PAGE_SIZE != 0)
		return "a segment does not start on a page";
	if (header->p_vaddr < floor || header->p_vaddr == 0 || header->p_memsz > room - PAGE_SIZE)
		return "a segment lies outside of the kernel's addresses";
	if (header->p_filesz > header->p_memsz)
		return "a segment has more bytes in the file than in memory";
	if ((header->p_flags & PF_W) && (header->p_flags & PF_X))
		return "a segment is both writable and executable";
	*segment = (struct elf_segment){
		.address = header->p_vaddr,
		.pages = (header->p_memsz + PAGE_SIZE - 1) >> PAGE_SHIFT,
		.bytes = part(file, bytes, header->p_offset, header->p_filesz),
		.file_bytes = header->p_filesz,
		.write = header->p_flags & PF_W,
		.execute = header->p_flags & PF_X,
	};
	return segment->bytes ? NULL : "a segment's bytes are not all in the file";
}

static u64 end_of(const struct elf_segment *segment)
{
	return segment->address + (segment->pages << PAGE_SHIFT);
}

static const char *add_segment(struct elf_image *image, const struct elf_segment *segment)
{
	struct elf_segment *last = image->segments + image->segment_count;

	if (image->segment_count == ELF_MAX_SEGMENTS)
		return "too many segments";
	if (image->segment_count > 0 && segment->address < end_of(last - 1))
		return "segments overlap or are not in order";
	*last = *segment;
	image->segment_count++;
	return NULL;
}

static const char *read_segments(const u8 *file, u64 bytes, const Elf64_Ehdr *header, u64 floor, struct elf_image *image)
{
	const u8 *table = part(file, bytes, header->e_phoff, (u64)header->e_phnum * sizeof(Elf64_Phdr));
	const char *why = NULL;

	if (!table || header->e_phentsize != sizeof(Elf64_Phdr))
		return "program headers are damaged";
	for (u32 i = 0; i < header->e_phnum && !why; i++) {
		Elf64_Phdr program;
		struct elf_segment segment;

		memcpy(&program, table + i * sizeof(program), sizeof(program));
		if (program.p_type != PT_LOAD || program.p_memsz == 0)
			continue;
		why = read_segment(file, bytes, &program, floor, &segment);
		if (!why)
			why = add_segment(image, &segment);
	}
	return why;
}

static bool entry_is_code(const struct elf_image *image)
{
	for (u32 i = 0; i < image->segment_count; i++) {
		const struct elf_segment *segment = &image->segments[i];

		if (segment->execute && image->entry - segment->address < segment->file_bytes)
			return true;
	}
	return false;
}

static const char *parse(const u8 *file, u64 bytes, u64 floor, struct elf_image *image)
{
	Elf64_Ehdr header;
	const char *why = read_header(file, bytes, &header);

	if (!why)
		why = read_segments(file, bytes, &header, floor, image);
	if (why)
		return why;
	image->entry = header.e_entry;
	return entry_is_code(image) ? NULL : "its entry is not in an executable segment";
}

err_t elf_parse(const u8 *file, u64 bytes, u64 floor, struct elf_image *image, const char **why)
{
	memset(image, 0, sizeof(*image));
	*why = parse(file, bytes, floor, image);
	if (*why)
		return E_INVALID;
	image->base = image->segments[0].address;
	image->pages = (end_of(&image->segments[image->segment_count - 1]) - image->base) >> PAGE_SHIFT;
	CHECK(image->segment_count > 0 && image->base >= floor && image->pages > 0);
	return OK;
}

static err_t read_section(const u8 *file, u64 bytes, const Elf64_Ehdr *header, u32 index, Elf64_Shdr *section)
{
	const u8 *start;

	if (index >= header->e_shnum || header->e_shentsize != sizeof(*section))
		return E_INVALID;
	start = part(file, bytes, header->e_shoff, (u64)header->e_shnum * sizeof(*section));
	if (!start)
		return E_INVALID;
	memcpy(section, start + (u64)index * sizeof(*section), sizeof(*section));
	return OK;
}

static err_t use_table(const u8 *file, u64 bytes, const Elf64_Ehdr *header, const Elf64_Shdr *table, struct elf_symbols *symbols)
{
	Elf64_Shdr names;
	err_t error = read_section(file, bytes, header, table->sh_link, &names);

	if (error)
		return error;
	symbols->table = part(file, bytes, table->sh_offset, table->sh_size);
	symbols->count = table->sh_size / sizeof(Elf64_Sym);
	symbols->names = (const char *)part(file, bytes, names.sh_offset, names.sh_size);
	symbols->names_bytes = names.sh_size;
	if (!symbols->table || !symbols->names || names.sh_size == 0 || symbols->names[names.sh_size - 1] != 0)
		return E_INVALID;
	return OK;
}

err_t elf_symbols(const u8 *file, u64 bytes, struct elf_symbols *symbols)
{
	Elf64_Ehdr header;

	if (read_header(file, bytes, &header))
		return E_INVALID;
	for (u32 i = 0; i < header.e_shnum; i++) {
		Elf64_Shdr section;
		err_t error = read_section(file, bytes, &header, i, &section);

		if (error)
			return error;
		if (section.sh_type == SHT_SYMTAB)
			return use_table(file, bytes, &header, &section, symbols);
	}
	return E_NOT_FOUND;
}

/* Functions, and assembly's labels, which have neither type nor size. */
static bool names_code(const struct elf_symbols *symbols, const Elf64_Sym *symbol)
{
	u32 type = ELF64_ST_TYPE(symbol->st_info);

	return (type == STT_FUNC || type == STT_NOTYPE) && symbol->st_shndx != SHN_UNDEF && symbol->st_shndx < SHN_LORESERVE &&
	       symbol->st_name > 0 && symbol->st_name < symbols->names_bytes;
}

const char *elf_symbol_at(const struct elf_symbols *symbols, u64 address, u64 *offset)
{
	Elf64_Sym nearest = { 0 };

	for (u64 i = 0; i < symbols->count; i++) {
		Elf64_Sym symbol;

		memcpy(&symbol, symbols->table + i * sizeof(symbol), sizeof(symbol));
		if (!names_code(symbols, &symbol) || symbol.st_value > address || symbol.st_value < nearest.st_value)
			continue;
		if (symbol.st_value > nearest.st_value || symbol.st_size > nearest.st_size)
			nearest = symbol;
	}
	*offset = address - nearest.st_value;
	if (nearest.st_name == 0 || (nearest.st_size > 0 && *offset >= nearest.st_size))
		return NULL;
	CHECK(nearest.st_name < symbols->names_bytes);
	return symbols->names + nearest.st_name;
}
