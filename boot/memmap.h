/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Firmware's memory map and our own claims become bootinfo's ranges: sorted, disjoint, neighbours of one kind merged.  Firmware's list
 * may be unsorted, overlapping or wrong; where two entries disagree the more careful kind wins (the order of enum boot_memory_kind).
 * Pure: boot links it and so do host tests.  UEFI 2.10, 7.2.3 (GetMemoryMap).
 */
#pragma once
#include "boot/bootinfo.h"
#include "kernel/lib/error.h"

enum {
	MEMMAP_MAX_CLAIMS = 320, /* modules, page-table chunks, kernel, stack … */
	MEMMAP_MAX_INPUTS = 2048,
};

/* EFI_MEMORY_DESCRIPTOR, which may grow at its end: firmware gives the stride. */
struct memmap_descriptor {
	u32 type;
	u32 pad;
	u64 base, virtual_base;
	u64 pages;
	u64 attribute;
};

struct memmap_claim {
	u64 base, pages;
	u32 kind;
};

struct memmap_edge {
	u64 address;
	u32 kind;
	s32 change; /* +1: begins here, -1: ends here */
};

/* What the work needs; about 110 KiB, so the caller allocates it. */
struct memmap {
	u32 claim_count, edge_count;
	struct memmap_claim claims[MEMMAP_MAX_CLAIMS];
	struct memmap_edge edges[2 * MEMMAP_MAX_INPUTS];
};

/* Note that we hold these pages. E_NO_MEMORY: the list is full. */
err_t memmap_claim(struct memmap *map, u64 base, u64 pages, enum boot_memory_kind kind);

/*
 * `descriptors` of `bytes` in all, one each `stride` bytes.  Fills ranges and *count; E_INVALID: the stride is too small,
 * E_NO_MEMORY: more than MEMMAP_MAX_INPUTS entries or BOOT_MAX_RANGES ranges.
 */
err_t memmap_build(struct memmap *map, const void *descriptors, u64 bytes, u64 stride, struct boot_range ranges[BOOT_MAX_RANGES],
		   u32 *count);
