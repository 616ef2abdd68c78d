/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hand-over from the UEFI application to the kernel: all that firmware knew.  Physical addresses throughout; the
 * kernel reaches them through the direct map.  The kernel copies it before it reuses anything of the loader.
 *
 * At entry: CPU in long mode, IF=0, DF=0, RDI = pointer to struct bootinfo in the direct map, RSP = a loader stack of 16 KiB in the direct map
 * CR3 = tables that map
 *   - the kernel image at its linked address (0xffffffff80000000 and up) with the rights of its ELF segments (W^X),
 *   - all memory of the memory map and the first 4 GiB at DIRECT_MAP_BASE, writable, not executable, 2 MiB pages (1 GiB where there are),
 *   - the page of the entry trampoline identically, executable, not writable (the kernel removes it),
 * with EFER.NXE, CR0.WP and CR4.PGE set.  Page-table pages are memory of kind BOOT_MEMORY_KERNEL.
 */
#pragma once
#include "kernel/lib/types.h"

#define BOOTINFO_MAGIC 0x5441545345524541ULL /* "AERESTAT" */
#define DIRECT_MAP_BASE 0xffff800000000000ULL
#define KERNEL_BASE 0xffffffff80000000ULL

enum {
	BOOTINFO_VERSION = 2,
	BOOT_MAX_RANGES = 512,
	BOOT_MAX_CPUS = 256,
	BOOT_MAX_MODULES = 128,
	BOOT_MAX_IOAPICS = 16,
	BOOT_ISA_IRQS = 16,
	BOOT_PATH_BYTES = 128,
	BOOT_ENTROPY_BYTES = 256,
};

enum boot_memory_kind {
	BOOT_MEMORY_FREE = 1,      /* conventional: free at once */
	BOOT_MEMORY_BOOT_SERVICES, /* free when every AP has answered on our own code; the loader's code too */
	BOOT_MEMORY_KERNEL,        /* kernel image, its page tables, bootinfo, boot stack */
	BOOT_MEMORY_MODULE,        /* guests' files and the configuration: read-only, kept */
	BOOT_MEMORY_TRAMPOLINE,    /* one page below 1 MiB for AP start */
	BOOT_MEMORY_ACPI,          /* ACPI tables and NVS: read, never reused */
	BOOT_MEMORY_RUNTIME,       /* never touched */
	BOOT_MEMORY_RESERVED,      /* everything else that firmware listed */
};

struct boot_range {
	u64 base; /* page-aligned; sorted, not overlapping, neighbours of one kind merged */
	u64 pages;
	u32 kind;
	u32 pad;
};

struct boot_cpu {
	u32 apic_id;
	u32 flags; /* bit 0: the boot CPU */
};

struct boot_ioapic {
	u64 base;
	u32 first_gsi;
	u32 pad;
};

/* Where an interrupt of the ISA bus arrives, by the MADT's overrides. */
struct boot_isa_irq {
	u32 gsi;   /* without an override its own number */
	u32 flags; /* MPS INTI flags of the override, 0: conforms to the bus */
};

struct boot_module {
	char path[BOOT_PATH_BYTES]; /* as the configuration names it */
	u64 base;                   /* page-aligned */
	u64 bytes;                  /* the rest of the last page is zero */
	u64 xxh64;                  /* XXH64 with seed 0 */
	u32 status;                 /* enum boot_module_status: kept in the list so that the kernel can name what failed */
	u32 pad;
};

enum boot_module_status { BOOT_MODULE_LOADED, BOOT_MODULE_MISSING, BOOT_MODULE_READ_ERROR, BOOT_MODULE_NO_MEMORY };

enum boot_pixel_format { BOOT_PIXELS_BGRX, BOOT_PIXELS_RGBX, BOOT_PIXELS_OTHER }; /* the first two: 32 bits each */

struct boot_framebuffer {
	u64 base; /* 0: none, or firmware keeps it to itself */
	u32 width, height, pixels_per_line;
	u32 format; /* enum boot_pixel_format */
};

struct bootinfo {
	u64 magic;
	u32 version;
	u32 bytes;                       /* sizeof(struct bootinfo) */
	u64 rsdp;                        /* ACPI root, 0: none */
	u64 kernel_base, kernel_pages;   /* physical, contiguous */
	u64 trampoline;                  /* physical address of a page below 1 MiB */
	u64 kept;                        /* a page at a fixed place, not cleared: what the last run left there; 0: none */
	u64 symbols_base, symbols_bytes; /* the kernel's ELF file as loaded, for .symtab (kind MODULE); 0: none */
	u64 cr3;
	struct boot_framebuffer framebuffer;
	u32 range_count, cpu_count, module_count, ioapic_count;
	u32 entropy_bytes; /* how many of entropy[] are filled */
	u32 boot_has_8259; /* MADT PCAT_COMPAT, 1 when there is no MADT */
	u8 entropy[BOOT_ENTROPY_BYTES];
	struct boot_range ranges[BOOT_MAX_RANGES];
	struct boot_cpu cpus[BOOT_MAX_CPUS];
	struct boot_ioapic ioapics[BOOT_MAX_IOAPICS];
	struct boot_isa_irq isa_irqs[BOOT_ISA_IRQS];
	struct boot_module modules[BOOT_MAX_MODULES]; /* [0] is \aerostat\aerostat.conf */
};
