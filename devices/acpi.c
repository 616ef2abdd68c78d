/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI tables for guests: RSDP, FACS, then RSDT and XSDT, then the tables that they name.  There is no HPET: a LAPIC timer with TSC
 * deadline, the PM timer and the 8254 serve every system, and reading an HPET would be an exit where reading the TSC is none.
 */
#include "devices/acpi_tables.h"
#include "devices/bus.h"
#include "devices/ioapic.h"
#include "devices/pci.h"
#include "devices/pm.h"
#include "devices/reset.h"
#include "devices/rtc.h"
#include "devices/acpi/dsdt.h"
#include "kernel/lib/check.h"
#include <string.h>

enum { FACS_OFFSET = 64, RSDT_OFFSET = 128, XSDT_OFFSET = 192, TABLES_OFFSET = 272, MAX_TABLES = 4, TABLE_ALIGN = 16 };
enum { SCI = 9, COM1_IRQ = 4 };

/* The buffer being filled; `used` says where the next table goes. */
struct builder {
	u8 *bytes;
	size_t size, used;
	u64 tables[MAX_TABLES]; /* guest addresses, for RSDT and XSDT */
	u32 count;
};

static u8 checksum(const void *table, size_t bytes)
{
	const u8 *byte = table;
	u8 sum = 0;

	for (size_t i = 0; i < bytes; i++)
		sum = (u8)(sum + byte[i]);
	return (u8)(0 - sum);
}

static struct acpi_header header(const char *signature, u8 revision, size_t length)
{
	struct acpi_header made = {
		.length = (u32)length,
		.revision = revision,
		.oem_id = { 'A', 'E', 'R', 'O', ' ', ' ' },
		.oem_table_id = { 'A', 'E', 'R', 'O', 'S', 'T', 'A', 'T' },
		.oem_revision = 1,
		.creator_id = { 'A', 'E', 'R', 'O' },
		.creator_revision = 1,
	};

	memcpy(made.signature, signature, sizeof(made.signature));
	return made;
}

/* Put a finished table at `offset`, with its checksum. */
static void put_at(struct builder *builder, size_t offset, const void *table, size_t bytes)
{
	struct acpi_header *placed = (void *)(builder->bytes + offset);

	CHECK(offset + bytes <= builder->size && bytes >= sizeof(*placed));
	memcpy(placed, table, bytes);
	placed->checksum = 0;
	placed->checksum = checksum(placed, bytes);
}

static u64 put(struct builder *builder, const void *table, size_t bytes)
{
	u64 address = PC_ACPI_BASE + builder->used;

	put_at(builder, builder->used, table, bytes);
	builder->used += (bytes + TABLE_ALIGN - 1) / TABLE_ALIGN * TABLE_ALIGN;
	return address;
}

static void put_listed(struct builder *builder, const void *table, size_t bytes)
{
	CHECK(builder->count < MAX_TABLES);
	builder->tables[builder->count] = put(builder, table, bytes);
	builder->count++;
}

/* ---- the tables ---- */

static struct acpi_address io_address(u32 port, u8 bytes)
{
	static const u8 access[] = { [1] = ACPI_ACCESS_BYTE, [2] = ACPI_ACCESS_WORD, [4] = ACPI_ACCESS_DWORD };
	u8 width = bytes == 4 && port == PM_EVENT ? 2 : bytes; /* an event block is two registers of half its length */

	CHECK(width < ARRAY_SIZE(access));
	return (struct acpi_address){ ACPI_SPACE_IO, (u8)(bytes * 8), 0, access[width], port };
}

static void add_fadt(struct builder *builder, u64 dsdt)
{
	struct acpi_fadt fadt = {
		.header = header("FACP", 6, sizeof(fadt)),
		.facs = (u32)(PC_ACPI_BASE + FACS_OFFSET),
		.dsdt = (u32)dsdt,
		.profile = 4, /* enterprise server */
		.sci = SCI,
		.pm1a_event = PM_EVENT,
		.pm1a_control = PM_CONTROL,
		.pm_timer = PM_TIMER,
		.pm1_event_bytes = 4,
		.pm1_control_bytes = 2,
		.pm_timer_bytes = 4,
		.c2_latency = 101,  /* beyond these limits: */
		.c3_latency = 1001, /* no C2, no C3 */
		.century = RTC_CENTURY,
		.boot_flags = FADT_LEGACY_DEVICES | FADT_NO_VGA | FADT_NO_ASPM,
		.flags = FADT_WBINVD | FADT_C1 | FADT_NO_SLEEP_BUTTON | FADT_TIMER_32 | FADT_RESET,
		.reset_register = io_address(RESET_PORT, 1),
		.reset_value = RESET_VALUE,
		.minor = 3,
		.x_facs = PC_ACPI_BASE + FACS_OFFSET,
		.x_dsdt = dsdt,
		.x_pm1a_event = io_address(PM_EVENT, 4),
		.x_pm1a_control = io_address(PM_CONTROL, 2),
		.x_pm_timer = io_address(PM_TIMER, 4),
		.hypervisor = { 'A', 'E', 'R', 'O', 'S', 'T', 'A', 'T' },
	};

	put_listed(builder, &fadt, fadt.header.length);
}

static const struct {
	struct acpi_madt_ioapic ioapic;
	struct acpi_madt_override timer, sci;
	struct acpi_madt_nmi nmi;
} __attribute__((packed)) madt_tail = {
	.ioapic = { MADT_IOAPIC, sizeof(struct acpi_madt_ioapic), 0, 0, (u32)IOAPIC_BASE, 0 },
	.timer = { MADT_OVERRIDE, sizeof(struct acpi_madt_override), 0, 0, 2, 0 },
	.sci = { MADT_OVERRIDE, sizeof(struct acpi_madt_override), 0, SCI, SCI, MADT_LEVEL_HIGH },
	.nmi = { MADT_NMI, sizeof(struct acpi_madt_nmi), MADT_ALL_PROCESSORS, 0, 1 },
};

/* IDs are below 255, so xAPIC entries name processors for x2APIC systems too (ACPI 6.3, 5.2.12.12). */
static void add_madt(struct builder *builder, u32 vcpus)
{
	struct {
		struct acpi_madt madt;
		u8 entries[PC_MAX_VCPUS * sizeof(struct acpi_madt_lapic) + sizeof(madt_tail)];
	} __attribute__((packed)) table;
	u8 *at = table.entries;

	for (u32 i = 0; i < vcpus; i++) {
		struct acpi_madt_lapic entry = { MADT_LAPIC, sizeof(entry), (u8)i, (u8)i, MADT_ENABLED };

		memcpy(at, &entry, sizeof(entry));
		at += sizeof(entry);
	}
	memcpy(at, &madt_tail, sizeof(madt_tail));
	at += sizeof(madt_tail);
	table.madt = (struct acpi_madt){
		.header = header("APIC", 4, (size_t)(at - (u8 *)&table)),
		.lapic = 0xfee00000U,
		.flags = MADT_HAS_PICS,
	};
	put_listed(builder, &table, table.madt.header.length);
}

static void add_mcfg(struct builder *builder)
{
	struct acpi_mcfg mcfg = { .header = header("MCFG", 1, sizeof(mcfg)), .base = PCI_ECAM_BASE };

	put_listed(builder, &mcfg, sizeof(mcfg));
}

static void add_spcr(struct builder *builder)
{
	struct acpi_spcr spcr = {
		.header = header("SPCR", 2, sizeof(spcr)),
		.base = io_address(PC_COM1, 1),
		.interrupts = SPCR_PIC_AND_IOAPIC,
		.irq = COM1_IRQ,
		.gsi = COM1_IRQ,
		.baud = SPCR_115200,
		.stop_bits = 1,
		.terminal = SPCR_ANSI,
		.pci_device = 0xffff,
		.pci_vendor = 0xffff,
	};

	put_listed(builder, &spcr, sizeof(spcr));
}

/* ---- what names them ---- */

static void add_roots(struct builder *builder)
{
	struct {
		struct acpi_header header;
		u32 entries[MAX_TABLES];
	} __attribute__((packed)) rsdt = { .header = header("RSDT", 1, sizeof(rsdt)) };
	struct {
		struct acpi_header header;
		u64 entries[MAX_TABLES];
	} __attribute__((packed)) xsdt = { .header = header("XSDT", 1, sizeof(xsdt)) };

	CHECK(builder->count == MAX_TABLES);
	for (u32 i = 0; i < MAX_TABLES; i++) {
		rsdt.entries[i] = (u32)builder->tables[i];
		xsdt.entries[i] = builder->tables[i];
	}
	_Static_assert(RSDT_OFFSET + sizeof(rsdt) <= XSDT_OFFSET && XSDT_OFFSET + sizeof(xsdt) <= TABLES_OFFSET, "overlap");
	put_at(builder, RSDT_OFFSET, &rsdt, sizeof(rsdt));
	put_at(builder, XSDT_OFFSET, &xsdt, sizeof(xsdt));
}

static void add_rsdp(struct builder *builder)
{
	struct acpi_rsdp rsdp = {
		.signature = { 'R', 'S', 'D', ' ', 'P', 'T', 'R', ' ' },
		.oem_id = { 'A', 'E', 'R', 'O', ' ', ' ' },
		.revision = 2,
		.rsdt = (u32)(PC_ACPI_BASE + RSDT_OFFSET),
		.length = sizeof(rsdp),
		.xsdt = PC_ACPI_BASE + XSDT_OFFSET,
	};

	rsdp.checksum = checksum(&rsdp, offsetof(struct acpi_rsdp, length));
	rsdp.extended_checksum = checksum(&rsdp, sizeof(rsdp));
	memcpy(builder->bytes, &rsdp, sizeof(rsdp));
}

err_t pc_acpi_build(const struct pc_config *config, u8 *buffer, size_t bytes)
{
	struct builder builder = { .bytes = buffer, .size = bytes, .used = TABLES_OFFSET };
	struct acpi_facs facs = { .signature = { 'F', 'A', 'C', 'S' }, .length = sizeof(facs), .version = 2 };
	size_t others = sizeof(struct acpi_fadt) + sizeof(struct acpi_mcfg) + sizeof(struct acpi_spcr) +
			sizeof(struct acpi_madt) + PC_MAX_VCPUS * sizeof(struct acpi_madt_lapic) + sizeof(madt_tail);

	CHECK(config->vcpus >= 1 && config->vcpus <= PC_MAX_VCPUS);
	if (bytes < TABLES_OFFSET + sizeof(dsdt_aml_code) + others + (MAX_TABLES + 1) * TABLE_ALIGN)
		return E_RANGE;
	memset(buffer, 0, bytes);
	memcpy(buffer + FACS_OFFSET, &facs, sizeof(facs));
	add_fadt(&builder, put(&builder, dsdt_aml_code, sizeof(dsdt_aml_code)));
	add_madt(&builder, config->vcpus);
	add_mcfg(&builder);
	add_spcr(&builder);
	add_roots(&builder);
	add_rsdp(&builder);
	return OK;
}
