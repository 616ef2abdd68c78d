/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI: one bus, configuration by ports CF8/CFC and by ECAM (one bus, 1 MiB), and the decoding of memory BARs.  A function is a
 * configuration space with a mask of writable bits: sizing a BAR falls out of the mask.  Called with the PC's lock.
 */
#pragma once
#include "kernel/lib/types.h"

struct pc;

enum { PCI_SLOTS = 32, PCI_CONFIG_BYTES = 256, PCI_BARS = 6, PCI_ECAM_BYTES = 1 << 20 };
#define PCI_ECAM_BASE 0xe0000000ULL
#define PCI_WINDOW_BASE 0xc0000000ULL /* for BARs; the DSDT's _CRS says the same */
#define PCI_WINDOW_BYTES 0x20000000ULL

enum {
	PCI_VENDOR = 0x00,
	PCI_DEVICE = 0x02,
	PCI_COMMAND = 0x04,
	PCI_CLASS = 0x0a,
	PCI_BAR0 = 0x10,
	PCI_COMMAND_MEMORY = 2,
	PCI_COMMAND_MASTER = 4,
};

struct pci_function {
	u8 config[PCI_CONFIG_BYTES];
	u8 writable[PCI_CONFIG_BYTES];
	u32 bar_bytes[PCI_BARS]; /* 0: no such BAR */
	u64 (*bar_read)(struct pci_function *function, u32 bar, u32 offset, u32 size);
	void (*bar_write)(struct pci_function *function, u32 bar, u32 offset, u32 size, u64 value);
};

struct pci {
	u32 address; /* CF8 */
	struct pci_function *slot[PCI_SLOTS];
	struct pci_function bridge;
};

/* The host bridge alone; other devices are plugged after each reset. */
void pc_pci_reset(struct pc *pc);
/* Plug a single-function device; its storage stays the caller's. */
void pc_pci_plug(struct pc *pc, u32 slot, struct pci_function *function);
/* A 32-bit memory BAR of a power of two of at least 16 bytes. */
void pc_pci_add_bar(struct pci_function *function, u32 bar, u32 bytes);
void pc_pci_set(struct pci_function *function, u32 offset, u32 size, u32 value);

u32 pc_pci_read_address(struct pc *pc, u16 port, u32 size);
void pc_pci_write_address(struct pc *pc, u16 port, u32 size, u32 value);
u32 pc_pci_read_data(struct pc *pc, u16 port, u32 size);
void pc_pci_write_data(struct pc *pc, u16 port, u32 size, u32 value);

u64 pc_pci_mmio_read(struct pc *pc, u64 address, u32 size);
void pc_pci_mmio_write(struct pc *pc, u64 address, u32 size, u64 value);
const char *pc_pci_audit(struct pc *pc);
