/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF executables of either class as guests bring them: one bounded reader, and PT_LOAD segments become plan segments. */
#include "kernel/load.h"
#include "kernel/lib/check.h"
#include <elf.h>
#include <string.h>

enum { MAX_PROGRAM_HEADERS = 64, MAX_NOTES = 256, XEN_NOTE_PHYS32_ENTRY = 18 };

/* What is common to both classes of a program header. */
struct segment {
	u64 type, offset, linked, to, file_bytes, memory_bytes;
};

static bool inside(const struct load_file *file, u64 offset, u64 bytes)
{
	return offset <= file->size && bytes <= file->size - offset;
}

bool load_is_elf(const struct load_file *file)
{
	return file->size >= sizeof(Elf32_Ehdr) && memcmp(file->bytes, ELFMAG, SELFMAG) == 0;
}

static bool read_segment64(const struct load_file *file, u64 at, struct segment *segment)
{
	Elf64_Phdr header;

	if (!inside(file, at, sizeof(header)))
		return false;
	memcpy(&header, file->bytes + at, sizeof(header));
	*segment = (struct segment){
		header.p_type, header.p_offset, header.p_vaddr, header.p_paddr, header.p_filesz, header.p_memsz,
	};
	return true;
}

static bool read_segment32(const struct load_file *file, u64 at, struct segment *segment)
{
	Elf32_Phdr header;

	if (!inside(file, at, sizeof(header)))
		return false;
	memcpy(&header, file->bytes + at, sizeof(header));
	*segment = (struct segment){
		header.p_type, header.p_offset, header.p_vaddr, header.p_paddr, header.p_filesz, header.p_memsz,
	};
	return true;
}

struct layout {
	bool wide;
	u64 first_header, entry;
	u32 header_bytes, headers;
};

static bool read_layout(const struct load_file *file, struct layout *layout)
{
	Elf64_Ehdr wide;
	Elf32_Ehdr narrow;

	memcpy(&narrow, file->bytes, sizeof(narrow));
	layout->wide = narrow.e_ident[EI_CLASS] == ELFCLASS64;
	if (layout->wide && file->size >= sizeof(wide)) {
		memcpy(&wide, file->bytes, sizeof(wide));
		*layout = (struct layout){ true, wide.e_phoff, wide.e_entry, wide.e_phentsize, wide.e_phnum };
		return wide.e_machine == EM_X86_64 && wide.e_phentsize >= sizeof(Elf64_Phdr);
	}
	*layout = (struct layout){ false, narrow.e_phoff, narrow.e_entry, narrow.e_phentsize, narrow.e_phnum };
	return narrow.e_ident[EI_CLASS] == ELFCLASS32 && (narrow.e_machine == EM_386 || narrow.e_machine == EM_X86_64) &&
	       narrow.e_phentsize >= sizeof(Elf32_Phdr);
}

/* Look for Xen's PHYS32_ENTRY among the notes of one PT_NOTE segment; `left` bounds the work that a file can cause. */
static u32 find_pvh_entry(const struct load_file *file, const struct segment *notes, u32 *left)
{
	u64 at = notes->offset;
	u64 end = notes->offset + notes->file_bytes;
	Elf32_Nhdr note;

	for (; at <= end && end - at >= sizeof(note) && *left > 0; --*left) {
		memcpy(&note, file->bytes + at, sizeof(note));
		u64 name = at + sizeof(note);
		u64 value = name + ((note.n_namesz + 3ULL) & ~3ULL);
		u64 next = value + ((note.n_descsz + 3ULL) & ~3ULL);

		if (next > end)
			return 0;
		if (note.n_type == XEN_NOTE_PHYS32_ENTRY && note.n_namesz == 4 && note.n_descsz >= 4 &&
		    memcmp(file->bytes + name, "Xen", 4) == 0) {
			u32 entry;

			memcpy(&entry, file->bytes + value, sizeof(entry));
			return entry;
		}
		at = next;
	}
	return 0;
}

/* Kernels that are linked high name their entry by its linked address: it is where that byte is loaded. */
static bool holds_entry(const struct segment *segment, u64 entry)
{
	return entry >= segment->linked && entry - segment->linked < segment->memory_bytes;
}

static err_t add_segment(const struct load_input *input, struct load_plan *plan, const struct segment *segment,
			 struct load_elf *elf, char *why)
{
	const struct load_file *file = &input->kernel;
	err_t error;

	if (!inside(file, segment->offset, segment->file_bytes) || segment->file_bytes > segment->memory_bytes)
		return load_fail(why, E_CORRUPT, "%s: truncated: a segment of %llu bytes at offset %llu, the file has %llu",
				 input->kernel_name, segment->file_bytes, segment->offset, file->size);
	if (segment->to > input->low_bytes || segment->memory_bytes > input->low_bytes - segment->to)
		return load_fail(why, E_RANGE, "%s: a segment of %llu KiB at 0x%llx does not fit in the guest's %llu MiB",
				 input->kernel_name, segment->memory_bytes >> 10, segment->to, input->low_bytes >> 20);
	error = load_add(input, plan, segment->to, file->bytes + segment->offset, segment->file_bytes, "a segment", why);
	elf->end = max_u64(elf->end, segment->to + segment->memory_bytes);
	return error;
}

err_t load_elf(const struct load_input *input, struct load_plan *plan, struct load_elf *elf, char *why)
{
	const struct load_file *file = &input->kernel;
	struct layout layout;
	u32 loaded = 0, notes_left = MAX_NOTES;

	memset(elf, 0, sizeof(*elf));
	if (!read_layout(file, &layout) || layout.headers > MAX_PROGRAM_HEADERS || layout.first_header > file->size)
		return load_fail(why, E_INVALID, "%s: not an x86 ELF executable with at most %u program headers",
				 input->kernel_name, MAX_PROGRAM_HEADERS);
	elf->entry = layout.entry;
	for (u32 i = 0; i < layout.headers; i++) {
		u64 at = layout.first_header + (u64)i * layout.header_bytes;
		struct segment segment = { 0 };
		err_t error = OK;

		if (!(layout.wide ? read_segment64 : read_segment32)(file, at, &segment))
			return load_fail(why, E_CORRUPT, "%s: truncated in its program headers", input->kernel_name);
		if (segment.type == PT_LOAD && segment.memory_bytes) {
			error = add_segment(input, plan, &segment, elf, why);
			if (holds_entry(&segment, layout.entry))
				elf->entry = segment.to + (layout.entry - segment.linked);
			loaded++;
		}
		if (segment.type == PT_NOTE && inside(file, segment.offset, segment.file_bytes) && !elf->pvh_entry)
			elf->pvh_entry = find_pvh_entry(file, &segment, &notes_left);
		if (error)
			return error;
	}
	if (!loaded)
		return load_fail(why, E_INVALID, "%s: an ELF file without a loadable segment", input->kernel_name);
	return OK;
}
