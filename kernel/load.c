/* SPDX-License-Identifier: BSD-2-Clause */
/* What the three loaders share: the memory map, placement without overlap, and the choice of the loader. */
#include "kernel/load.h"
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"
#include <string.h>

enum {
	CONVENTIONAL_END = 0x9fc00, /* as a PC's BIOS reports it: the EBDA begins here */
	FIRST_MIB = 0x100000,
};
#define HIGH_BASE (4ULL << 30)

err_t load_fail(char *why, err_t error, const char *format, ...)
{
	va_list arguments;

	CHECK(error != OK);
	va_start(arguments, format);
	format_va(why, LOAD_WHY_BYTES, format, arguments);
	va_end(arguments);
	return error;
}

u32 load_memory_map(const struct load_input *input, struct load_region regions[LOAD_MAX_REGIONS])
{
	u32 count = 0;

	regions[count++] = (struct load_region){ 0, CONVENTIONAL_END, LOAD_E820_RAM };
	regions[count++] = (struct load_region){ CONVENTIONAL_END, FIRST_MIB - CONVENTIONAL_END, LOAD_E820_RESERVED };
	regions[count++] = (struct load_region){ FIRST_MIB, input->low_bytes - FIRST_MIB, LOAD_E820_RAM };
	if (input->high_bytes)
		regions[count++] = (struct load_region){ HIGH_BASE, input->high_bytes, LOAD_E820_RAM };
	CHECK(count <= LOAD_MAX_REGIONS);
	return count;
}

static bool overlaps(const struct load_segment *segment, u64 to, u64 size)
{
	return to < segment->to + segment->size && segment->to < to + size;
}

static bool in_memory(const struct load_input *input, u64 to, u64 size)
{
	if (size > UINT64_MAX - to)
		return false;
	return to + size <= input->low_bytes || (to >= HIGH_BASE && to + size <= HIGH_BASE + input->high_bytes);
}

err_t load_add(const struct load_input *input, struct load_plan *plan, u64 to, const void *from, u64 size, const char *what,
	       char *why)
{
	if (size == 0)
		return OK;
	if (!in_memory(input, to, size))
		return load_fail(why, E_RANGE, "%s: %s (%llu KiB at 0x%llx) does not fit in the guest's %llu MiB",
				 input->kernel_name, what, size >> 10, to, (input->low_bytes + input->high_bytes) >> 20);
	for (u32 i = 0; i < plan->segment_count; i++)
		if (overlaps(&plan->segments[i], to, size))
			return load_fail(why, E_INVALID, "%s: %s at 0x%llx overlaps what is at 0x%llx", input->kernel_name, what,
					 to, plan->segments[i].to);
	if (plan->segment_count == LOAD_MAX_SEGMENTS)
		return load_fail(why, E_RANGE, "%s: more than %u segments", input->kernel_name, LOAD_MAX_SEGMENTS);
	plan->segments[plan->segment_count++] = (struct load_segment){ to, from, size };
	return OK;
}

err_t load_check_entry(const struct load_input *input, const struct load_plan *plan, u64 entry, char *why)
{
	CHECK(plan->segment_count <= LOAD_MAX_SEGMENTS);
	for (u32 i = 0; i < plan->segment_count; i++)
		if (overlaps(&plan->segments[i], entry, 1))
			return OK;
	return load_fail(why, E_CORRUPT, "%s: damaged: its entry 0x%llx is not in what it loads", input->kernel_name, entry);
}

void *load_blob(struct load_plan *plan, u64 size)
{
	u64 rounded = (size + 15) & ~15ULL;

	if (size > LOAD_BLOB_BYTES || rounded > LOAD_BLOB_BYTES - plan->blob_used)
		return NULL;
	void *room = plan->blob + plan->blob_used;
	memset(room, 0, rounded);
	plan->blob_used += (u32)rounded;
	return room;
}

u64 load_place_high(const struct load_input *input, const struct load_plan *plan, u64 size, u64 floor, u64 limit)
{
	u64 end = min_u64(limit, input->low_bytes);

	for (u32 tries = 0; tries <= LOAD_MAX_SEGMENTS; tries++) {
		if (end < size)
			return 0;
		u64 at = (end - size) & ~(u64)(PAGE_SIZE - 1);
		const struct load_segment *hit = NULL;

		for (u32 i = 0; i < plan->segment_count && !hit; i++)
			if (overlaps(&plan->segments[i], at, size))
				hit = &plan->segments[i];
		if (!hit)
			return at >= floor ? at : 0;
		end = hit->to;
	}
	return 0;
}

err_t load_plan(const struct load_input *input, struct load_plan *plan, char why[LOAD_WHY_BYTES])
{
	u32 header;

	why[0] = 0;
	plan->segment_count = 0;
	plan->blob_used = 0;
	memset(&plan->start, 0, sizeof(plan->start));
	if (input->low_bytes < 2 * FIRST_MIB)
		return load_fail(why, E_RANGE, "%s: a guest needs at least 2 MiB of memory", input->kernel_name);
	if (load_is_linux(&input->kernel))
		return load_linux(input, plan, why);
	if (load_is_multiboot(&input->kernel, &header))
		return load_multiboot(input, plan, header, why);
	if (load_is_elf(&input->kernel))
		return load_pvh(input, plan, why);
	return load_fail(why, E_INVALID, "%s: neither a Linux bzImage nor a PVH or multiboot ELF", input->kernel_name);
}
