/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI 6.3 tables as they lie in memory, and the PCI Firmware and SPCR ones; only what acpi.c fills has a name. */
#pragma once
#include "kernel/lib/types.h"

struct acpi_header {
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem_id[6], oem_table_id[8];
	u32 oem_revision;
	char creator_id[4];
	u32 creator_revision;
} __attribute__((packed));

/* Generic address structure (5.2.3.2). */
struct acpi_address {
	u8 space, bits, offset, access;
	u64 address;
} __attribute__((packed));

enum { ACPI_SPACE_IO = 1, ACPI_ACCESS_BYTE = 1, ACPI_ACCESS_WORD = 2, ACPI_ACCESS_DWORD = 3 };

struct acpi_rsdp {
	char signature[8];
	u8 checksum;
	char oem_id[6];
	u8 revision;
	u32 rsdt, length;
	u64 xsdt;
	u8 extended_checksum, reserved[3];
} __attribute__((packed));

struct acpi_facs {
	char signature[4];
	u32 length, hardware_signature, waking_vector, global_lock, flags;
	u64 x_waking_vector;
	u8 version, reserved[31];
} __attribute__((packed));

struct acpi_fadt {
	struct acpi_header header;
	u32 facs, dsdt;
	u8 reserved0, profile;
	u16 sci;
	u32 smi_command;
	u8 acpi_enable, acpi_disable, s4bios, pstate_control;
	u32 pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer, gpe0, gpe1;
	u8 pm1_event_bytes, pm1_control_bytes, pm2_control_bytes, pm_timer_bytes, gpe0_bytes, gpe1_bytes, gpe1_base, cst;
	u16 c2_latency, c3_latency, flush_size, flush_stride;
	u8 duty_offset, duty_width, day_alarm, month_alarm, century;
	u16 boot_flags;
	u8 reserved1;
	u32 flags;
	struct acpi_address reset_register;
	u8 reset_value;
	u16 arm_flags;
	u8 minor;
	u64 x_facs, x_dsdt;
	struct acpi_address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control, x_pm_timer, x_gpe0, x_gpe1,
		sleep_control, sleep_status;
	char hypervisor[8];
} __attribute__((packed));

enum {
	FADT_LEGACY_DEVICES = 1 << 0, /* boot flags: there are devices on the ISA bus, */
	FADT_NO_VGA = 1 << 2,         /* no VGA to be probed, */
	FADT_NO_ASPM = 1 << 4,        /* no ASPM; MSI is allowed, there is no 8042 */
	FADT_WBINVD = 1 << 0,
	FADT_C1 = 1 << 2,
	FADT_NO_SLEEP_BUTTON = 1 << 5,
	FADT_TIMER_32 = 1 << 8,
	FADT_RESET = 1 << 10,
};

struct acpi_madt {
	struct acpi_header header;
	u32 lapic, flags;
} __attribute__((packed));

struct acpi_madt_lapic {
	u8 type, length, processor, id;
	u32 flags;
} __attribute__((packed));

struct acpi_madt_ioapic {
	u8 type, length, id, reserved;
	u32 address, first_gsi;
} __attribute__((packed));

struct acpi_madt_override {
	u8 type, length, bus, irq;
	u32 gsi;
	u16 flags;
} __attribute__((packed));

struct acpi_madt_nmi {
	u8 type, length, processor;
	u16 flags;
	u8 lint;
} __attribute__((packed));

enum {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_NMI = 4,
	MADT_HAS_PICS = 1,
	MADT_ENABLED = 1,
	MADT_LEVEL_HIGH = 0xd,
	MADT_ALL_PROCESSORS = 0xff,
};

struct acpi_mcfg {
	struct acpi_header header;
	u64 reserved, base;
	u16 segment;
	u8 first_bus, last_bus;
	u32 reserved1;
} __attribute__((packed));

struct acpi_spcr {
	struct acpi_header header;
	u8 interface, reserved[3];
	struct acpi_address base;
	u8 interrupts, irq;
	u32 gsi;
	u8 baud, parity, stop_bits, flow_control, terminal, language;
	u16 pci_device, pci_vendor;
	u8 pci_bus, pci_slot, pci_function;
	u32 pci_flags;
	u8 pci_segment;
	u32 reserved1;
} __attribute__((packed));

enum { SPCR_PIC_AND_IOAPIC = 3, SPCR_115200 = 7, SPCR_ANSI = 3 };

_Static_assert(sizeof(struct acpi_header) == 36 && sizeof(struct acpi_rsdp) == 36, "ACPI 6.3, 5.2.5.3 and 5.2.6");
_Static_assert(sizeof(struct acpi_fadt) == 276 && sizeof(struct acpi_facs) == 64, "ACPI 6.3, 5.2.9 and 5.2.10");
_Static_assert(sizeof(struct acpi_mcfg) == 60 && sizeof(struct acpi_spcr) == 80, "PCI Firmware 3.2, SPCR 2");
