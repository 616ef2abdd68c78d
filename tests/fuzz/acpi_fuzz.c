/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as the host's ACPI tables: only what was asked for is read, the work is bounded, and without a root nothing is found.  The input
 * is a list of tables; the harness adds what no random search would hit: checksums, lengths and the addresses in root and FADT.
 */
#include "kernel/lib/check.h"
#include "kernel/x86/acpi.h"
#include "tests/fuzz/input.h"
#include "tests/unit/support/firmware.h"

enum { TABLES = 16, ROOT_AT = 64, BROKEN = 1, BARE = 2, OLD = 4 };

/* One table of the input at `at`; returns its bytes. */
static u32 take_table(u32 at, u32 previous)
{
	static const char signatures[][5] = { "FACP", "SSDT", "HPET", "SPCR", "DSDT", "APIC", "XSDT", "RSDT" };
	u8 what = take_byte();
	size_t bytes;
	const u8 *from = take_bytes(take_value(2) % 1024, &bytes);
	u32 whole = TABLE_HEADER + (u32)bytes;

	memset(firmware + at, 0, TABLE_HEADER);
	if (bytes)
		memcpy(firmware + at + TABLE_HEADER, from, bytes);
	if ((what & 8) && bytes > 8)
		firmware_put(at + 40, 4, FIRMWARE_BASE + previous); /* a FADT's DSDT: the table before it */
	firmware_table(at, signatures[what % 8], whole);
	if (what & 16) {
		u8 mask = take_byte();

		firmware[at + take_byte() % whole] ^= mask;
	}
	return whole;
}

static void take_tables(u8 how)
{
	u32 places[TABLES], count = 0, at = 1024, width = how & OLD ? 4 : 8;

	for (; left.bytes && count < TABLES && at + TABLE_HEADER + 1024 < FIRMWARE_BYTES; count++) {
		places[count] = at;
		at += take_table(at, count ? places[count - 1] : 0);
	}
	for (u32 i = 0; i < count; i++)
		firmware_put(ROOT_AT + TABLE_HEADER + width * i, width, FIRMWARE_BASE + places[i]);
	firmware_table(ROOT_AT, how & OLD ? "RSDT" : "XSDT", TABLE_HEADER + width * count);
	memcpy(firmware, "RSD PTR ", 8);
	firmware[15] = how & OLD ? 0 : 2;
	firmware_put(16, 4, FIRMWARE_BASE + ROOT_AT);
	firmware_put(24, 8, FIRMWARE_BASE + ROOT_AT);
	firmware_sum_up(0, 20, 8);
	firmware_sum_up(0, 36, 32);
}

static void check_found(const struct acpi *acpi)
{
	static const struct acpi nothing;

	CHECK(acpi->found || memcmp(acpi, &nothing, sizeof(nothing)) == 0);
	CHECK(acpi->s5 || (acpi->s5_a == 0 && acpi->s5_b == 0));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	struct acpi acpi;

	take_from(data, bytes);
	firmware_reset();
	u8 how = take_byte();

	if (how & BARE) {
		const u8 *from = take_bytes(FIRMWARE_BYTES, &bytes);

		if (bytes)
			memcpy(firmware, from, bytes);
	} else {
		take_tables(how);
	}
	if (how & BROKEN)
		firmware[take_byte()] ^= 1;
	acpi_read(&acpi, FIRMWARE_BASE);
	check_found(&acpi);
	CHECK((how & (BARE | BROKEN)) || acpi.found);
	return 0;
}
