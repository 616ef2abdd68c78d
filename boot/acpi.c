/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI's root and its tables, as far as the loader needs them: to find the MADT. ACPI 6.5, 5.2.5 to 5.2.8. */
#include "boot/boot.h"
#include "kernel/lib/check.h"
#include <string.h>

enum { RSDP_OLD_BYTES = 20, RSDP_BYTES = 36, TABLE_MAX_BYTES = 1 << 20 };

struct rsdp {
	char signature[8];
	u8 checksum;
	char oem_id[6];
	u8 revision;
	u32 rsdt;
	u32 length;
	u64 xsdt;
	u8 extended_checksum;
	u8 reserved[3];
} __attribute__((packed));

_Static_assert(sizeof(struct rsdp) == RSDP_BYTES && sizeof(struct acpi_header) == 36, "as the specification says");

static bool sums_to_zero(const void *bytes, u32 length)
{
	u8 sum = 0;

	for (u32 i = 0; i < length; i++)
		sum = (u8)(sum + ((const u8 *)bytes)[i]);
	return sum == 0;
}

static u64 configuration_table(const EFI_GUID *guid)
{
	for (UINTN i = 0; i < boot.system->NumberOfTableEntries; i++)
		if (memcmp(&boot.system->ConfigurationTable[i].VendorGuid, guid, sizeof(*guid)) == 0)
			return (u64)boot.system->ConfigurationTable[i].VendorTable;
	return 0;
}

static bool is_rsdp(u64 address)
{
	const struct rsdp *rsdp = (const void *)address;

	return address && memcmp(rsdp->signature, "RSD PTR ", 8) == 0 && sums_to_zero(rsdp, RSDP_OLD_BYTES);
}

u64 acpi_root(void)
{
	static const EFI_GUID guids[] = { ACPI_20_TABLE_GUID, ACPI_TABLE_GUID };

	for (u32 i = 0; i < ARRAY_SIZE(guids); i++) {
		u64 rsdp = configuration_table(&guids[i]);

		if (is_rsdp(rsdp))
			return rsdp;
	}
	return 0;
}

static const struct acpi_header *usable(u64 address, const char signature[4])
{
	const struct acpi_header *table = (const void *)address;

	if (!address || memcmp(table->signature, signature, 4) != 0)
		return NULL;
	if (table->length < sizeof(*table) || table->length > TABLE_MAX_BYTES || !sums_to_zero(table, table->length))
		return NULL;
	return table;
}

const struct acpi_header *acpi_table(u64 address, const char signature[4])
{
	const struct rsdp *rsdp = (const void *)address;
	bool wide = rsdp->revision >= 2 && rsdp->xsdt;
	const struct acpi_header *list = wide ? usable(rsdp->xsdt, "XSDT") : usable(rsdp->rsdt, "RSDT");
	u32 width = wide ? 8 : 4;

	CHECK(is_rsdp(address));
	for (u32 at = sizeof(*list); list && at + width <= list->length; at += width) {
		u64 entry = 0;
		const struct acpi_header *table;

		memcpy(&entry, (const u8 *)list + at, width);
		table = usable(entry, signature);
		if (table)
			return table;
	}
	return NULL;
}
