/* SPDX-License-Identifier: BSD-2-Clause */
/* As much of ACPI as a guest needs to find its CPUs and to switch itself off.  ACPI 6.4, 5.2. */
#include "tests/guests/lib/guest.h"
#include <string.h>

enum {
	BIOS_AREA = 0xe0000,
	BIOS_AREA_END = 0x100000,
	RSDP_CHECKED_BYTES = 20,
	RSDP_RSDT = 16,
	RSDP_XSDT = 24,
	MADT_ENTRIES = 44,
	MADT_LOCAL_APIC = 0,
	MADT_LOCAL_X2APIC = 9,
	SLEEP_ENABLE = 1 << 13,
	SLEEP_TYPE_SHIFT = 10,
	AML_PACKAGE = 0x12,
	AML_BYTE = 0x0a,
};

static u64 number_at(const void *at, u32 bytes)
{
	u64 value = 0;

	memcpy(&value, at, bytes);
	return value;
}

bool acpi_sums_to_zero(const void *start, u32 bytes)
{
	const u8 *at = start;
	u8 sum = 0;

	for (u32 i = 0; i < bytes; i++)
		sum = (u8)(sum + at[i]);
	return sum == 0;
}

const void *acpi_rsdp(void)
{
	for (u64 at = BIOS_AREA; at < BIOS_AREA_END; at += 16)
		if (memcmp((const void *)at, "RSD PTR ", 8) == 0 && acpi_sums_to_zero((const void *)at, RSDP_CHECKED_BYTES))
			return (const void *)at;
	return NULL;
}

const struct acpi_header *acpi_table(u32 index)
{
	const u8 *rsdp = acpi_rsdp();

	if (!rsdp)
		return NULL;
	u64 xsdt = rsdp[15] >= 2 ? number_at(rsdp + RSDP_XSDT, 8) : 0;
	u32 width = xsdt ? 8 : 4;
	const struct acpi_header *root = (const void *)(xsdt ? xsdt : number_at(rsdp + RSDP_RSDT, 4));

	if (sizeof(*root) + (index + 1) * width > root->length)
		return NULL;
	return (const void *)number_at((const u8 *)(root + 1) + index * width, width);
}

const struct acpi_header *acpi_find(const char *signature)
{
	const struct acpi_header *table;

	for (u32 i = 0; (table = acpi_table(i)); i++)
		if (memcmp(table->signature, signature, 4) == 0)
			return table;
	return NULL;
}

u64 acpi_fadt_field(u32 offset, u32 bytes)
{
	const struct acpi_header *fadt = acpi_find("FACP");

	return fadt && offset + bytes <= fadt->length ? number_at((const u8 *)fadt + offset, bytes) : 0;
}

u32 acpi_cpus(u32 ids[GUEST_MAX_CPUS])
{
	const struct acpi_header *madt = acpi_find("APIC");
	u32 count = 0;

	if (!madt)
		return 0;
	const u8 *end = (const u8 *)madt + madt->length;
	for (const u8 *at = (const u8 *)madt + MADT_ENTRIES; at + 2 <= end && at[1] && count < GUEST_MAX_CPUS; at += at[1]) {
		if (at[0] == MADT_LOCAL_APIC && (at[4] & 1))
			ids[count++] = at[3];
		if (at[0] == MADT_LOCAL_X2APIC && (at[8] & 1))
			ids[count++] = (u32)number_at(at + 4, 4);
	}
	return count;
}

/* The first element of the package named _S5_, without an AML interpreter: the name is followed by PackageOp, length, count. */
static u32 sleep_type_s5(void)
{
	const struct acpi_header *dsdt = (const void *)acpi_fadt_field(FADT_DSDT, 4);

	if (!dsdt)
		die("no DSDT");
	const u8 *at = (const u8 *)(dsdt + 1);
	for (const u8 *end = (const u8 *)dsdt + dsdt->length - 8; at < end; at++) {
		if (memcmp(at, "_S5_", 4) != 0 || at[4] != AML_PACKAGE)
			continue;
		at += 5;
		at += (*at >> 6) + 2; /* the package's length and count */
		return *at == AML_BYTE ? at[1] : *at;
	}
	die("no _S5_ in the DSDT");
}

void power_off(void)
{
	u16 port = (u16)acpi_fadt_field(FADT_PM1A_CONTROL, 4);

	port_out16(port, (u16)(SLEEP_ENABLE | sleep_type_s5() << SLEEP_TYPE_SHIFT));
	wait_us(1000000);
	die("still on after power off by port 0x%x", port);
}
