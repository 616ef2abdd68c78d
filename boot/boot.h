/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the loader's files tell each other.  One CPU, firmware's page tables (all memory identically mapped), interrupts as firmware likes.
 * Everything allocates before ExitBootServices; a wish that firmware does not grant ends the loader with one line, except where a
 * function says otherwise.
 */
#pragma once
#include "boot/bootinfo.h"
#include "boot/memmap.h"
#include "kernel/lib/error.h"
#include "kernel/lib/types.h"
#include <efi.h>

struct boot {
	EFI_HANDLE image;
	EFI_SYSTEM_TABLE *system;
	EFI_BOOT_SERVICES *services;
	struct bootinfo *info; /* at its final place, identically mapped */
	struct memmap *map;
	mpa_t tables;      /* root of the kernel's page tables */
	u64 stack_top;     /* physical */
	u64 handover_page; /* physical, identically mapped in both worlds */
	u64 kernel_entry;  /* linked address */
};

extern struct boot boot;

/* ---- console.c ---- */
/* One line, or with a leading '\r' and no end, one that will be written over. */
void say(const char *text, ...) PRINTF(1, 2);
void say_part(const char *text, ...) PRINTF(1, 2);
/* Print the line, wait for a key or 10 s, return to firmware. */
NORETURN void give_up(const char *text, ...) PRINTF(1, 2);

/* ---- memory.c ---- */
/* Zeroed pages of that kind, below `limit` (exclusive; 0: anywhere). Returns the physical address, 0: no memory. */
u64 pages_try(u64 pages, enum boot_memory_kind kind, u64 limit);
/* The same, giving up if there are none. */
u64 pages_take(u64 pages, enum boot_memory_kind kind, u64 limit);
/* A page as the last run left it, always at the same place: the first of a few below 1 MiB that firmware gives. 0: none. */
u64 page_keep(void);
/* Pages that only the loader needs: boot-services memory afterwards. */
void *scratch_take(u64 bytes);

/* ---- files.c ---- */
struct boot_file {
	const u8 *bytes;
	u64 size;
	u64 xxh64;
	enum boot_module_status status;
};

/* Read a file of the loader's own volume with progress; `owner` (may be NULL) is printed before the path. */
struct boot_file file_load(const char *owner, const char *path);

/* ---- modules.c ---- */
/* The configuration and what it names, into bootinfo. */
void modules_load(void);

/* ---- acpi.c ---- */
struct acpi_header {
	char signature[4];
	u32 length; /* with this header */
	u8 revision, checksum;
	char oem_id[6], oem_table_id[8];
	u32 oem_revision, creator_id, creator_revision;
} __attribute__((packed));

/* RSDP by firmware's configuration tables, 0: none. */
u64 acpi_root(void);
/* The first table with that signature and a right checksum, NULL: none. */
const struct acpi_header *acpi_table(u64 rsdp, const char signature[4]);

/* ---- cpus.c, madt.c, entropy.c, gop.c: each fills its part of bootinfo ---- */
void madt_read(const struct acpi_header *madt);
void cpus_find(void);
void cpu_add(u32 apic_id);
void entropy_gather(void);
void framebuffer_find(void);

/* ---- kernel.c ---- */
/* Load the kernel's file and its segments; fills bootinfo's kernel and symbols. Returns the image for paging. */
struct elf_image;
void kernel_load(struct elf_image *image);

/* ---- paging.c ---- */
void paging_build(const struct elf_image *image);

/* ---- leave.c ---- */
/* The memory map as it is now, into bootinfo; its key for ExitBootServices. */
err_t memory_map_take(UINTN *key);
NORETURN void leave(void);

/* ---- cpuid ---- */
struct cpuid {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
	return r;
}
