/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/acpi.h"
#include "kernel/lib/check.h"
#include <string.h>

enum {
	RSDP_BYTES_V1 = 20,
	RSDP_BYTES = 36,
	RSDP_REVISION = 15,
	RSDP_RSDT = 16,
	RSDP_XSDT = 24,
	HEADER_BYTES = 36,
	HEADER_LENGTH = 4,
	TABLE_MAX_BYTES = 4 << 20,
	TABLES_MAX = 256,

	FADT_DSDT = 40,
	FADT_SMI_CMD = 48,
	FADT_ACPI_ENABLE = 52,
	FADT_PM1A_CNT = 64,
	FADT_PM1B_CNT = 68,
	FADT_PM_TMR = 76,
	FADT_FLAGS = 112,
	FADT_RESET_REG = 116,
	FADT_RESET_VALUE = 128,
	FADT_X_DSDT = 140,
	FADT_X_PM1A_CNT = 172,
	FADT_X_PM1B_CNT = 184,
	FADT_X_PM_TMR = 208,
	FADT_SLEEP_CONTROL = 244,
	FLAG_TIMER_WIDE = 1 << 8,
	FLAG_RESET = 1 << 10,

	HPET_ADDRESS = 40,

	SPCR_TYPE = 36,
	SPCR_BASE = 40,
	SPCR_INTERRUPT_KINDS = 52,
	SPCR_ISA_IRQ = 53,
	SPCR_GSI = 54,
	SPCR_BAUD = 58,
	SPCR_CLOCK = 76,
	SPCR_EXACT_BAUD = 80,
	SPCR_LEAST_BYTES = 76, /* what follows came with later revisions */
	SPCR_HAS_ISA_IRQ = 1,
	SPCR_HAS_GSI = 2,
	ISA_IRQS = 16,
	CLOCK_HZ = 1843200, /* a PC's, where the table does not say */
	SERIAL_REGISTERS = 8,
	MEMORY_BITS = 36, /* physical address bits that every processor with EPT has */

	REGISTER_BITS = 1, /* in a generic address structure */
	REGISTER_ACCESS = 3,
	REGISTER_ADDRESS = 4,

	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_WORD = 0x0b,
	AML_DWORD = 0x0c,
	AML_PACKAGE = 0x12,
	AML_ROOT = '\\',
};

struct table {
	const u8 *bytes; /* NULL: there is none */
	u32 length;
};

/* Little-endian, any alignment; what lies beyond the table's end is 0 (an older, shorter revision). */
static u64 get(const struct table *table, u32 offset, u32 bytes)
{
	u64 value = 0;

	CHECK(bytes <= sizeof(value));
	if (!table->bytes || offset > table->length || table->length - offset < bytes)
		return 0;
	memcpy(&value, table->bytes + offset, bytes);
	return value;
}

static bool sums_to_zero(const u8 *bytes, u32 count)
{
	u8 sum = 0;

	for (u32 i = 0; i < count; i++)
		sum = (u8)(sum + bytes[i]);
	return sum == 0;
}

static struct table open_table(u64 physical)
{
	struct table header = { acpi_reach(physical, HEADER_BYTES), HEADER_BYTES };
	struct table none = { NULL, 0 };

	if (physical == 0 || !header.bytes)
		return none;
	u32 length = (u32)get(&header, HEADER_LENGTH, 4);
	if (length < HEADER_BYTES || length > TABLE_MAX_BYTES)
		return none;
	struct table table = { acpi_reach(physical, length), length };
	return table.bytes && sums_to_zero(table.bytes, length) ? table : none;
}

static bool is_named(const struct table *table, const char *signature)
{
	return table->bytes && memcmp(table->bytes, signature, 4) == 0;
}

static struct acpi_register get_register(const struct table *table, u32 offset)
{
	return (struct acpi_register){ (u8)get(table, offset, 1), get(table, offset + REGISTER_ADDRESS, 8) };
}

/* A port block: the old 32-bit field, else the wide one if it names a port. */
static u16 get_port(const struct table *fadt, u32 field, u32 wide_field)
{
	u64 port = get(fadt, field, 4);
	struct acpi_register wide = get_register(fadt, wide_field);

	if (port == 0 && wide.space == ACPI_PORT)
		port = wide.address;
	return port <= UINT16_MAX ? (u16)port : 0;
}

/* ---- \_S5: Name (_S5, Package () { a, b, … }) in AML bytes (ACPI 20.2.5) ---- */

/* An integer object at *at; moves on. False: something else. */
static bool aml_integer(const struct table *aml, u32 *at, u8 *value)
{
	static const struct {
		u8 prefix, bytes;
	} sizes[] = { { AML_BYTE, 1 }, { AML_WORD, 2 }, { AML_DWORD, 4 } };
	u8 opcode = (u8)get(aml, (*at)++, 1);

	*value = opcode;
	if (opcode == AML_ZERO || opcode == AML_ONE)
		return *at <= aml->length;
	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (opcode != sizes[i].prefix)
			continue;
		*value = (u8)get(aml, *at, 1);
		*at += sizes[i].bytes;
		return *at <= aml->length;
	}
	return false;
}

/* All of it, or nothing: *a and *b are left alone then. */
static bool aml_sleep_package(const struct table *aml, u32 at, u8 *a, u8 *b)
{
	u8 values[2] = { 0 };

	if (get(aml, at, 1) != AML_PACKAGE)
		return false;
	u32 length_bytes = 1 + (u32)(get(aml, at + 1, 1) >> 6); /* PkgLength says so in its top bits */
	u32 elements_at = at + 1 + length_bytes;
	u64 elements = get(aml, elements_at, 1);

	at = elements_at + 1;
	for (u32 i = 0; i < ARRAY_SIZE(values) && i < elements; i++)
		if (!aml_integer(aml, &at, &values[i]))
			return false;
	*a = values[0];
	*b = values[1];
	return elements >= 1;
}

static bool aml_find_s5(const struct table *aml, u8 *a, u8 *b)
{
	for (u32 at = HEADER_BYTES + 2; at + 5 <= aml->length; at++) {
		const u8 *name = aml->bytes + at;
		bool defined = name[-1] == AML_NAME || (name[-1] == AML_ROOT && name[-2] == AML_NAME);

		if (memcmp(name, "_S5_", 4) == 0 && defined && aml_sleep_package(aml, at + 4, a, b))
			return true;
	}
	return false;
}

/* ---- tables ---- */

static void read_aml(struct acpi *acpi, const struct table *table)
{
	if (!acpi->s5 && table->bytes)
		acpi->s5 = aml_find_s5(table, &acpi->s5_a, &acpi->s5_b);
}

static void read_fadt(struct acpi *acpi, const struct table *fadt)
{
	u64 flags = get(fadt, FADT_FLAGS, 4);
	u64 wide_dsdt = get(fadt, FADT_X_DSDT, 8);
	struct table dsdt = open_table(wide_dsdt ? wide_dsdt : get(fadt, FADT_DSDT, 4));

	acpi->pm_timer_port = get_port(fadt, FADT_PM_TMR, FADT_X_PM_TMR);
	acpi->pm_timer_wide = flags & FLAG_TIMER_WIDE;
	acpi->smi_port = (u16)get(fadt, FADT_SMI_CMD, 4);
	acpi->enable_value = (u8)get(fadt, FADT_ACPI_ENABLE, 1);
	acpi->pm1a_control = get_port(fadt, FADT_PM1A_CNT, FADT_X_PM1A_CNT);
	acpi->pm1b_control = get_port(fadt, FADT_PM1B_CNT, FADT_X_PM1B_CNT);
	acpi->sleep_control = get_register(fadt, FADT_SLEEP_CONTROL);
	if (flags & FLAG_RESET) {
		acpi->reset = get_register(fadt, FADT_RESET_REG);
		acpi->reset_value = (u8)get(fadt, FADT_RESET_VALUE, 1);
	}
	read_aml(acpi, &dsdt);
}

static void read_hpet(struct acpi *acpi, const struct table *hpet)
{
	struct acpi_register base = get_register(hpet, HPET_ADDRESS);

	if (base.space == ACPI_MEMORY)
		acpi->hpet_base = base.address;
}

/* ---- SPCR: Microsoft's "Serial Port Console Redirection Table" 1.10; the interface types are DBG2's ---- */

/* How wide an access and how far apart registers are: of several readings that are about, the one that also suits sloppy tables. */
static bool read_spcr_layout(struct acpi_serial *serial, const struct table *spcr)
{
	static const u8 access_bytes[] = { 1, 1, 2, 4 };
	u64 access = get(spcr, SPCR_BASE + REGISTER_ACCESS, 1);
	u64 bits = get(spcr, SPCR_BASE + REGISTER_BITS, 1);

	if (access >= ARRAY_SIZE(access_bytes) || (bits != 0 && bits != 8 && bits != 16 && bits != 32))
		return false;
	serial->access_bytes = access_bytes[access];
	serial->stride = (u8)max_u64(bits / 8, serial->access_bytes);
	return serial->base.address % serial->access_bytes == 0;
}

static void read_spcr_interrupt(struct acpi_serial *serial, const struct table *spcr)
{
	u64 kinds = get(spcr, SPCR_INTERRUPT_KINDS, 1);
	u64 irq = get(spcr, SPCR_ISA_IRQ, 1);

	serial->has_gsi = kinds & SPCR_HAS_GSI;
	serial->has_isa_irq = !serial->has_gsi && (kinds & SPCR_HAS_ISA_IRQ) && irq < ISA_IRQS;
	serial->interrupt = (u32)(serial->has_gsi ? get(spcr, SPCR_GSI, 4) : irq);
}

static void read_spcr_speed(struct acpi_serial *serial, const struct table *spcr)
{
	static const u32 bauds[] = { [3] = 9600, [4] = 19200, [6] = 57600, [7] = 115200 };
	u64 code = get(spcr, SPCR_BAUD, 1);

	serial->baud = (u32)get(spcr, SPCR_EXACT_BAUD, 4);
	if (serial->baud == 0 && code < ARRAY_SIZE(bauds))
		serial->baud = bauds[code];
	serial->clock_hz = (u32)get(spcr, SPCR_CLOCK, 4);
	if (serial->clock_hz == 0)
		serial->clock_hz = CLOCK_HZ;
}

static bool is_16550(u64 type)
{
	static const u8 types[] = { 0x00, 0x01, 0x12 };

	for (u32 i = 0; i < ARRAY_SIZE(types); i++)
		if (type == types[i])
			return true;
	return false;
}

/* Its address is looked at here as a number; whether something else is there, its user must know. */
static const char *spcr_trouble(struct acpi_serial *serial, const struct table *spcr)
{
	if (spcr->length < SPCR_LEAST_BYTES)
		return "the table is too short";
	if (!is_16550(get(spcr, SPCR_TYPE, 1)))
		return "its port is no 16550";
	if (serial->base.space != ACPI_PORT && serial->base.space != ACPI_MEMORY)
		return "its port is neither an I/O port nor memory";
	if (serial->base.space == ACPI_PORT)
		return serial->base.address > UINT16_MAX - (SERIAL_REGISTERS - 1) ? "its I/O port does not exist" : NULL;
	if (!read_spcr_layout(serial, spcr))
		return "its registers are laid out in an unknown way";
	return serial->base.address >= BIT(MEMORY_BITS) ? "its address does not exist" : NULL;
}

static void read_spcr(struct acpi *acpi, const struct table *spcr)
{
	struct acpi_serial *serial = &acpi->serial;
	struct acpi_register base = get_register(spcr, SPCR_BASE);

	memset(serial, 0, sizeof(*serial));
	if (base.address == 0 && spcr->length >= SPCR_LEAST_BYTES)
		return; /* firmware's console is switched off */
	serial->base = base;
	read_spcr_interrupt(serial, spcr);
	read_spcr_speed(serial, spcr);
	serial->trouble = spcr_trouble(serial, spcr);
	if (serial->trouble)
		serial->base.address = 0;
}

/* ---- the list of tables ---- */

static const struct {
	const char *signature;
	void (*read)(struct acpi *acpi, const struct table *table);
} readers[] = {
	{ "FACP", read_fadt },
	{ "SSDT", read_aml },
	{ "HPET", read_hpet },
	{ "SPCR", read_spcr },
};

static void read_list(struct acpi *acpi, const struct table *list, u32 entry_bytes)
{
	u32 count = (list->length - HEADER_BYTES) / entry_bytes;

	for (u32 i = 0; i < count && i < TABLES_MAX; i++) {
		struct table table = open_table(get(list, HEADER_BYTES + i * entry_bytes, entry_bytes));

		acpi->damaged += !table.bytes;
		for (u32 j = 0; j < ARRAY_SIZE(readers); j++)
			if (is_named(&table, readers[j].signature))
				readers[j].read(acpi, &table);
	}
}

void acpi_read(struct acpi *acpi, u64 physical)
{
	struct table rsdp = { acpi_reach(physical, RSDP_BYTES), RSDP_BYTES };

	memset(acpi, 0, sizeof(*acpi));
	if (physical == 0 || !rsdp.bytes || memcmp(rsdp.bytes, "RSD PTR ", 8) != 0 || !sums_to_zero(rsdp.bytes, RSDP_BYTES_V1))
		return;
	struct table xsdt = { NULL, 0 };

	if (get(&rsdp, RSDP_REVISION, 1) >= 2 && sums_to_zero(rsdp.bytes, RSDP_BYTES))
		xsdt = open_table(get(&rsdp, RSDP_XSDT, 8));
	if (is_named(&xsdt, "XSDT")) {
		acpi->found = true;
		read_list(acpi, &xsdt, 8);
		return;
	}
	struct table rsdt = open_table(get(&rsdp, RSDP_RSDT, 4));
	if (is_named(&rsdt, "RSDT")) {
		acpi->found = true;
		read_list(acpi, &rsdt, 4);
	}
}
