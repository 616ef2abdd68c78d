/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any file as our own kernel: segments that are read keep to their pages, in order, above the floor, within the file, never both writable
 * and executable, the entry is in code; a symbol's name is a string of the file.
 */
#include "kernel/lib/check.h"
#include "kernel/lib/elf.h"
#include "tests/fuzz/input.h"

static void check_image(const struct elf_image *image, const u8 *file, u64 bytes, u64 floor)
{
	u64 end = floor;
	bool entry_is_code = false;

	CHECK(image->segment_count >= 1 && image->segment_count <= ELF_MAX_SEGMENTS && image->base == image->segments[0].address);
	for (u32 i = 0; i < image->segment_count; i++) {
		const struct elf_segment *segment = &image->segments[i];

		CHECK(segment->address % PAGE_SIZE == 0 && segment->address >= end && segment->pages > 0);
		CHECK(segment->pages <= (0 - segment->address) >> PAGE_SHIFT && segment->file_bytes <= segment->pages
													       << PAGE_SHIFT);
		CHECK(segment->bytes >= file && segment->file_bytes <= bytes &&
		      segment->bytes <= file + (bytes - segment->file_bytes));
		CHECK(!(segment->write && segment->execute));
		end = segment->address + (segment->pages << PAGE_SHIFT);
		entry_is_code |= segment->execute && image->entry - segment->address < segment->pages << PAGE_SHIFT;
	}
	CHECK(entry_is_code && image->base + (image->pages << PAGE_SHIFT) == end);
}

static void check_symbol(const struct elf_symbols *symbols, u64 address)
{
	u64 offset;
	const char *name = elf_symbol_at(symbols, address, &offset);

	if (!name)
		return;
	CHECK(name >= symbols->names && name < symbols->names + symbols->names_bytes && offset <= address);
	touch_all(name, strlen(name) + 1);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	struct elf_image image;
	struct elf_symbols symbols;
	const char *why;

	take_from(data, bytes);
	u64 floor = take_byte() % 2 ? 0xffffffff80000000 : take_value(2) << PAGE_SHIFT;
	u64 address = take();
	const u8 *from = take_bytes(bytes, &bytes);
	u8 *file = copy_of(from, bytes);

	if (elf_parse(file, bytes, floor, &image, &why))
		CHECK(why && why[0]);
	else
		check_image(&image, file, bytes, floor);
	if (elf_symbols(file, bytes, &symbols) == OK) {
		check_symbol(&symbols, address);
		check_symbol(&symbols, ~0ULL);
	}
	free(file);
	return 0;
}
