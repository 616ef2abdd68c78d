/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our own kernel's ELF file: its segments for the loader, its symbols for backtraces.  64-bit little-endian x86-64 executables whose
 * segments keep to their own pages and are never both writable and executable; anything else is refused with the reason.
 * Nothing is copied: results point into the file, which the caller keeps.  Pure: no allocation, no locks, cannot suspend.
 */
#pragma once
#include "kernel/lib/error.h"
#include "kernel/lib/types.h"

enum { ELF_MAX_SEGMENTS = 8 };

struct elf_segment {
	u64 address;     /* linked, page-aligned */
	u64 pages;       /* of memory; what the file does not fill is zero */
	const u8 *bytes; /* its part of the file */
	u64 file_bytes;  /* at most pages * PAGE_SIZE */
	bool write, execute;
};

struct elf_image {
	u64 entry;
	u64 base;  /* lowest segment's address */
	u64 pages; /* from base to the end of the highest segment, gaps included */
	u32 segment_count;
	struct elf_segment segments[ELF_MAX_SEGMENTS]; /* by rising address */
};

/* E_INVALID with *why (a few words in lower case), or an image that lies wholly at or above `floor`. */
err_t elf_parse(const u8 *file, u64 bytes, u64 floor, struct elf_image *image, const char **why);

struct elf_symbols {
	const u8 *table; /* struct Elf64_Sym entries */
	u64 count;
	const char *names; /* ends with a zero byte */
	u64 names_bytes;
};

/* The symbol table of a file; E_NOT_FOUND: stripped, E_INVALID: damaged. */
err_t elf_symbols(const u8 *file, u64 bytes, struct elf_symbols *symbols);
/*
 * The function or assembly label that holds `address`, NULL if none does; *offset is the distance from its start.  Looks at every
 * symbol once (about 20 instructions each): for panics and dumps, not for steps.
 */
const char *elf_symbol_at(const struct elf_symbols *symbols, u64 address, u64 *offset);
