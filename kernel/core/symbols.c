/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/symbols.h"
#include "kernel/lib/check.h"
#include <elf.h>
#include <string.h>

static const u8 *base;
static u64 size;
static Elf64_Shdr table, strings; /* sh_size 0: there is none */

/* Everything in the file is read through here: the offsets come from a file. */
static bool copy(void *to, u64 offset, u64 bytes)
{
	CHECK(bytes > 0 && bytes <= PAGE_SIZE);
	if (offset > size || size - offset < bytes)
		return false;
	memcpy(to, base + offset, bytes);
	return true;
}

static bool section(const Elf64_Ehdr *header, u32 index, Elf64_Shdr *to)
{
	return index < header->e_shnum && copy(to, header->e_shoff + (u64)index * sizeof(*to), sizeof(*to));
}

void symbols_init(const u8 *file, u64 bytes)
{
	Elf64_Ehdr header;

	base = file;
	size = file ? bytes : 0;
	table.sh_size = strings.sh_size = 0;
	if (!copy(&header, 0, sizeof(header)) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return;
	for (u32 i = 0; i < header.e_shnum; i++) {
		Elf64_Shdr candidate;

		if (!section(&header, i, &candidate) || candidate.sh_type != SHT_SYMTAB)
			continue;
		if (section(&header, candidate.sh_link, &strings))
			table = candidate;
		return;
	}
}

/* A name that ends within the string table. */
static const char *name_at(u32 offset)
{
	char last;

	if (offset >= strings.sh_size || !copy(&last, strings.sh_offset + strings.sh_size - 1, 1) || last != 0)
		return NULL;
	return (const char *)base + strings.sh_offset + offset;
}

static bool may_contain(const Elf64_Sym *symbol, u64 address)
{
	return ELF64_ST_TYPE(symbol->st_info) != STT_SECTION && ELF64_ST_TYPE(symbol->st_info) != STT_FILE &&
	       symbol->st_shndx != SHN_UNDEF && symbol->st_shndx != SHN_ABS && address >= symbol->st_value;
}

/* The nearest one below: labels of assembly have no size. */
const char *symbols_find(u64 address, u64 *offset)
{
	Elf64_Sym best = { 0 };

	for (u64 at = 0; at + sizeof(best) <= table.sh_size; at += sizeof(best)) {
		Elf64_Sym symbol;

		if (!copy(&symbol, table.sh_offset + at, sizeof(symbol)))
			break;
		if (may_contain(&symbol, address) && symbol.st_value >= best.st_value)
			best = symbol;
	}
	*offset = address - best.st_value;
	return best.st_value ? name_at(best.st_name) : NULL;
}
