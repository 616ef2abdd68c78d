/* SPDX-License-Identifier: BSD-2-Clause */
#include "boot/memmap.h"
#include "kernel/lib/check.h"
#include <string.h>

#define ATTRIBUTE_RUNTIME BIT(63)
#define ATTRIBUTE_SPECIAL_PURPOSE BIT(18) /* meant for somebody: not for everybody */
#define ADDRESS_END BIT(52)               /* no processor has more physical address bits (SDM vol. 3A, 4.1.4) */

enum { KINDS = BOOT_MEMORY_RESERVED + 1 };

/* By EFI_MEMORY_TYPE; what the table does not name is reserved. Our own allocations are loader data below a claim. */
static const u8 kind_of_type[] = {
	[0] = BOOT_MEMORY_RESERVED,      /* EfiReservedMemoryType */
	[1] = BOOT_MEMORY_BOOT_SERVICES, /* EfiLoaderCode */
	[2] = BOOT_MEMORY_BOOT_SERVICES, /* EfiLoaderData */
	[3] = BOOT_MEMORY_BOOT_SERVICES, /* EfiBootServicesCode */
	[4] = BOOT_MEMORY_BOOT_SERVICES, /* EfiBootServicesData */
	[5] = BOOT_MEMORY_RUNTIME,       /* EfiRuntimeServicesCode */
	[6] = BOOT_MEMORY_RUNTIME,       /* EfiRuntimeServicesData */
	[7] = BOOT_MEMORY_FREE,          /* EfiConventionalMemory */
	[8] = BOOT_MEMORY_RESERVED,      /* EfiUnusableMemory */
	[9] = BOOT_MEMORY_ACPI,          /* EfiACPIReclaimMemory */
	[10] = BOOT_MEMORY_ACPI,         /* EfiACPIMemoryNVS */
};

static u32 kind_of(const struct memmap_descriptor *descriptor)
{
	if (descriptor->attribute & ATTRIBUTE_RUNTIME)
		return BOOT_MEMORY_RUNTIME;
	if (descriptor->type >= ARRAY_SIZE(kind_of_type) || (descriptor->attribute & ATTRIBUTE_SPECIAL_PURPOSE))
		return BOOT_MEMORY_RESERVED;
	return kind_of_type[descriptor->type];
}

err_t memmap_claim(struct memmap *map, u64 base, u64 pages, enum boot_memory_kind kind)
{
	CHECK(base % PAGE_SIZE == 0 && pages > 0 && base < ADDRESS_END);
	CHECK(kind > BOOT_MEMORY_BOOT_SERVICES && kind < BOOT_MEMORY_ACPI);
	if (map->claim_count == MEMMAP_MAX_CLAIMS)
		return E_NO_MEMORY;
	map->claims[map->claim_count++] = (struct memmap_claim){ base, pages, kind };
	return OK;
}

/* An entry that is not page-aligned loses its broken pages if it gives memory, and takes them whole if it withholds it. */
static err_t add(struct memmap *map, u64 base, u64 pages, u32 kind)
{
	bool gives = kind <= BOOT_MEMORY_BOOT_SERVICES;
	u64 end;

	if (pages == 0 || base >= ADDRESS_END)
		return OK;
	end = pages > (ADDRESS_END - base) >> PAGE_SHIFT ? ADDRESS_END : base + (pages << PAGE_SHIFT);
	base = gives ? (base + PAGE_SIZE - 1) & ~(u64)(PAGE_SIZE - 1) : base & ~(u64)(PAGE_SIZE - 1);
	end = gives ? end & ~(u64)(PAGE_SIZE - 1) : (end + PAGE_SIZE - 1) & ~(u64)(PAGE_SIZE - 1);
	if (base >= end)
		return OK;
	if (map->edge_count + 2 > ARRAY_SIZE(map->edges))
		return E_NO_MEMORY;
	map->edges[map->edge_count++] = (struct memmap_edge){ base, kind, +1 };
	map->edges[map->edge_count++] = (struct memmap_edge){ end, kind, -1 };
	return OK;
}

static err_t gather(struct memmap *map, const void *descriptors, u64 bytes, u64 stride)
{
	err_t error = OK;

	map->edge_count = 0;
	for (u64 at = 0; at + stride <= bytes && !error; at += stride) {
		struct memmap_descriptor descriptor;

		memcpy(&descriptor, (const u8 *)descriptors + at, sizeof(descriptor));
		error = add(map, descriptor.base, descriptor.pages, kind_of(&descriptor));
	}
	for (u32 i = 0; i < map->claim_count && !error; i++)
		error = add(map, map->claims[i].base, map->claims[i].pages, map->claims[i].kind);
	return error;
}

static void sift(struct memmap_edge *edges, u32 root, u32 count)
{
	for (u32 child; (child = 2 * root + 1) < count; root = child) {
		struct memmap_edge parent = edges[root];

		if (child + 1 < count && edges[child + 1].address > edges[child].address)
			child++;
		if (parent.address >= edges[child].address)
			return;
		edges[root] = edges[child];
		edges[child] = parent;
	}
}

/* Heap sort: no recursion, and bounded whatever firmware lists. */
static void sort(struct memmap_edge *edges, u32 count)
{
	for (u32 i = count / 2; i-- > 0;)
		sift(edges, i, count);
	for (u32 end = count; end-- > 1;) {
		struct memmap_edge last = edges[end];

		edges[end] = edges[0];
		edges[0] = last;
		sift(edges, 0, end);
	}
}

static u32 strongest(const u32 depth[KINDS])
{
	u32 kind = KINDS;

	while (kind-- > 1)
		if (depth[kind])
			return kind;
	return 0;
}

static err_t emit(struct boot_range ranges[BOOT_MAX_RANGES], u32 *count, u64 base, u64 end, u32 kind)
{
	struct boot_range *last = *count ? &ranges[*count - 1] : NULL;
	u64 pages = (end - base) >> PAGE_SHIFT;

	if (kind == 0 || pages == 0)
		return OK;
	if (last && last->kind == kind && last->base + (last->pages << PAGE_SHIFT) == base) {
		last->pages += pages;
		return OK;
	}
	if (*count == BOOT_MAX_RANGES)
		return E_NO_MEMORY;
	ranges[(*count)++] = (struct boot_range){ .base = base, .pages = pages, .kind = kind };
	return OK;
}

err_t memmap_build(struct memmap *map, const void *descriptors, u64 bytes, u64 stride, struct boot_range ranges[BOOT_MAX_RANGES],
		   u32 *count)
{
	u32 depth[KINDS] = { 0 };
	err_t error;

	*count = 0;
	if (stride < sizeof(struct memmap_descriptor))
		return E_INVALID;
	error = gather(map, descriptors, bytes, stride);
	sort(map->edges, map->edge_count);
	for (u32 i = 0; i < map->edge_count && !error; i++) {
		const struct memmap_edge *edge = &map->edges[i];

		CHECK(edge->kind < KINDS && (edge->change > 0 || depth[edge->kind] > 0));
		depth[edge->kind] += (u32)edge->change;
		if (i + 1 < map->edge_count && edge[1].address > edge->address)
			error = emit(ranges, count, edge->address, edge[1].address, strongest(depth));
	}
	return error;
}
