/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as the host's ACPI tables: only what was asked for is read, the work is bounded, and without a root nothing is found.  The input
 * is a list of tables; the harness adds what no random search would hit: checksums, lengths and the addresses in root and FADT.
 */
#include "kernel/lib/check.h"
#include "kernel/x86/acpi.h"
#include "tests/fuzz/input.h"

#define BASE 0xe0000ULL

enum {
	TABLES = 16,
	PIECES = 4 * TABLES + 8,
	HEADER = 36,
	ROOT_AT = 64,
	MEMORY = 0x8000,
	REACHES_MOST = 2 + 2 * (2 + 2 * 256),
	BROKEN = 1,
	BARE = 2,
	OLD = 4
};

static u8 memory[MEMORY];
static u8 *reached[REACHES_MOST];
static u32 reaches;

/* Each a copy of its own that ends where it was asked to end. */
const u8 *acpi_reach(u64 physical, u64 bytes)
{
	CHECK(reaches < REACHES_MOST);
	if (physical < BASE || physical - BASE > MEMORY || bytes > MEMORY - (physical - BASE))
		return NULL;
	return reached[reaches++] = copy_of(memory + (physical - BASE), bytes);
}

static void put(u32 at, u32 bytes, u64 value)
{
	memcpy(memory + at, &value, bytes);
}

static void sum_up(u32 at, u32 bytes, u32 field)
{
	u8 sum = 0;

	memory[at + field] = 0;
	for (u32 i = 0; i < bytes; i++)
		sum = (u8)(sum + memory[at + i]);
	memory[at + field] = (u8)-sum;
}

static void finish_table(u32 at, u32 bytes, const char *signature)
{
	memcpy(memory + at, signature, 4);
	put(at + 4, 4, bytes);
	sum_up(at, bytes, 9);
}

/* One table of the input at `at`; returns its bytes. */
static u32 take_table(u32 at, u32 previous)
{
	static const char signatures[][5] = { "FACP", "SSDT", "HPET", "SPCR", "DSDT", "APIC", "XSDT", "RSDT" };
	u8 what = take_byte();
	size_t bytes;
	const u8 *from = take_bytes(take_value(2) % 1024, &bytes);
	u32 whole = HEADER + (u32)bytes;

	memset(memory + at, 0, HEADER);
	if (bytes)
		memcpy(memory + at + HEADER, from, bytes);
	if ((what & 8) && bytes > 8)
		put(at + 40, 4, BASE + previous); /* a FADT's DSDT: the table before it */
	finish_table(at, whole, signatures[what % 8]);
	if (what & 16) {
		u8 mask = take_byte();

		memory[at + take_byte() % whole] ^= mask;
	}
	return whole;
}

static void take_tables(u8 how)
{
	u32 places[TABLES], count = 0, at = 1024, width = how & OLD ? 4 : 8;

	for (; left.bytes && count < TABLES && at + HEADER + 1024 < MEMORY; count++) {
		places[count] = at;
		at += take_table(at, count ? places[count - 1] : 0);
	}
	for (u32 i = 0; i < count; i++)
		put(ROOT_AT + HEADER + width * i, width, BASE + places[i]);
	finish_table(ROOT_AT, HEADER + width * count, how & OLD ? "RSDT" : "XSDT");
	memcpy(memory, "RSD PTR ", 8);
	memory[15] = how & OLD ? 0 : 2;
	put(16, 4, BASE + ROOT_AT);
	put(24, 8, BASE + ROOT_AT);
	sum_up(0, 20, 8);
	sum_up(0, 36, 32);
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
	memset(memory, 0, sizeof(memory));
	reaches = 0;
	u8 how = take_byte();

	if (how & BARE) {
		const u8 *from = take_bytes(MEMORY, &bytes);

		if (bytes)
			memcpy(memory, from, bytes);
	} else {
		take_tables(how);
	}
	if (how & BROKEN)
		memory[take_byte()] ^= 1;
	acpi_read(&acpi, BASE);
	check_found(&acpi);
	CHECK((how & (BARE | BROKEN)) || acpi.found);
	for (u32 i = 0; i < reaches; i++)
		free(reached[i]);
	return 0;
}
