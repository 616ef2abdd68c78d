/* SPDX-License-Identifier: BSD-2-Clause */
/* The MADT: CPUs that firmware enabled, IOAPICs, where the ISA bus's interrupts go. ACPI 6.5, 5.2.12. */
#include "boot/boot.h"
#include "kernel/lib/check.h"
#include <string.h>

enum {
	MADT_HEADER_BYTES = 44,
	MADT_FLAGS_AT = 40,
	PCAT_COMPAT = 1,
	CPU_ENABLED = 1, /* "online capable" only means that one may be plugged in later */
	ISA_BUS = 0,
};

static u32 read32(const u8 *from)
{
	u32 value;

	memcpy(&value, from, sizeof(value));
	return value;
}

static void local_apic(const u8 *entry)
{
	if (read32(entry + 4) & CPU_ENABLED)
		cpu_add(entry[3]);
}

static void local_x2apic(const u8 *entry)
{
	if (read32(entry + 8) & CPU_ENABLED)
		cpu_add(read32(entry + 4));
}

static void ioapic(const u8 *entry)
{
	struct bootinfo *info = boot.info;

	if (info->ioapic_count < BOOT_MAX_IOAPICS)
		info->ioapics[info->ioapic_count++] =
			(struct boot_ioapic){ .base = read32(entry + 4), .first_gsi = read32(entry + 8) };
}

static void source_override(const u8 *entry)
{
	if (entry[2] == ISA_BUS && entry[3] < BOOT_ISA_IRQS)
		boot.info->isa_irqs[entry[3]] =
			(struct boot_isa_irq){ .gsi = read32(entry + 4), .flags = (u32)(entry[8] | entry[9] << 8) };
}

static const struct {
	void (*read)(const u8 *entry);
	u8 bytes;
} kinds[] = {
	[0] = { local_apic, 8 },
	[1] = { ioapic, 12 },
	[2] = { source_override, 10 },
	[9] = { local_x2apic, 16 },
};

void madt_read(const struct acpi_header *madt)
{
	const u8 *bytes = (const u8 *)madt;

	if (madt->length < MADT_HEADER_BYTES)
		return;
	boot.info->boot_has_8259 = read32(bytes + MADT_FLAGS_AT) & PCAT_COMPAT;
	for (u32 at = MADT_HEADER_BYTES; at + 2 <= madt->length;) {
		u8 kind = bytes[at], length = bytes[at + 1];

		if (length < 2 || length > madt->length - at)
			return;
		if (kind < ARRAY_SIZE(kinds) && kinds[kind].read && length >= kinds[kind].bytes)
			kinds[kind].read(bytes + at);
		at += length;
	}
}
