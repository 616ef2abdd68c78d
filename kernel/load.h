/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest loaders: Linux bzImage (64-bit boot protocol), PVH ELF, multiboot version 1.  Pure: from the files' bytes they make a
 * plan (what to copy where, and how the vCPU starts); kernel/vm.c carries it out in steps.  The files are hostile input.
 */
#pragma once
#include "kernel/lib/config.h"
#include "kernel/lib/error.h"
#include "kernel/lib/types.h"
#include "vmx/vmx.h"

enum {
	LOAD_MAX_SEGMENTS = 32,
	LOAD_BLOB_BYTES = 44 * 1024, /* structures that the loader makes itself: boot parameters, page tables, strings */
	LOAD_MAX_REGIONS = 8,
	LOAD_WHY_BYTES = 240, /* the longest path and the longest reason */
};

struct load_file {
	const u8 *bytes; /* NULL: none */
	u64 size;
};

struct load_input {
	struct load_file kernel, initrd, modules[CONFIG_MAX_MODULES];
	const char *kernel_name; /* for messages */
	const char *module_names[CONFIG_MAX_MODULES];
	const char *cmdline;
	u64 low_bytes;         /* memory from 0 */
	u64 high_bytes;        /* memory from 4 GiB */
	struct load_file acpi; /* copied to PC_ACPI_BASE; RSDP at its start */
};

/* Copy `size` bytes to guest-physical `to`; what lies around them in guest memory is zero. */
struct load_segment {
	u64 to;
	const u8 *from;
	u64 size;
};

struct load_plan {
	struct vcpu_start start;
	u32 segment_count;
	struct load_segment segments[LOAD_MAX_SEGMENTS];
	u32 blob_used;
	u8 blob[LOAD_BLOB_BYTES] __attribute__((aligned(16)));
};

/* Recognise the kernel's format and plan the load. E_INVALID, E_CORRUPT or E_RANGE with one line in `why`. */
err_t load_plan(const struct load_input *input, struct load_plan *plan, char why[LOAD_WHY_BYTES]);

/* ---- between the loaders ---- */

enum { LOAD_E820_RAM = 1, LOAD_E820_RESERVED = 2 };
struct load_region {
	u64 base, size;
	u32 type;
};
/* The guest's memory map, as every protocol reports it; returns the number of regions. */
u32 load_memory_map(const struct load_input *input, struct load_region regions[LOAD_MAX_REGIONS]);

/* Add a segment; its target must lie in memory and overlap no other. */
err_t load_add(const struct load_input *input, struct load_plan *plan, u64 to, const void *from, u64 size, const char *what,
	       char *why);
/* E_CORRUPT unless a segment holds the address where the guest is to start. */
err_t load_check_entry(const struct load_input *input, const struct load_plan *plan, u64 entry, char *why);
/* Zeroed room in the blob, aligned to 16; NULL when it is used up. */
void *load_blob(struct load_plan *plan, u64 size);
/* The highest page-aligned address at which `size` bytes fit below `limit` and above `floor`, clear of all segments; 0: none. */
u64 load_place_high(const struct load_input *input, const struct load_plan *plan, u64 size, u64 floor, u64 limit);
err_t load_fail(char *why, err_t error, const char *format, ...) PRINTF(3, 4);

err_t load_linux(const struct load_input *input, struct load_plan *plan, char *why);
bool load_is_linux(const struct load_file *file);
err_t load_pvh(const struct load_input *input, struct load_plan *plan, char *why);
err_t load_multiboot(const struct load_input *input, struct load_plan *plan, u32 header_offset, char *why);
bool load_is_multiboot(const struct load_file *file, u32 *header_offset);

/* ELF32 and ELF64 executables for x86: add every PT_LOAD at its physical address. */
struct load_elf {
	u64 entry;     /* physical */
	u32 pvh_entry; /* XEN_ELFNOTE_PHYS32_ENTRY, 0: none */
	u64 end;       /* end of the highest segment in memory, .bss included */
};
bool load_is_elf(const struct load_file *file);
err_t load_elf(const struct load_input *input, struct load_plan *plan, struct load_elf *elf, char *why);
