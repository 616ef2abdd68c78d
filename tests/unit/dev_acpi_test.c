/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACPI tables as an operating system walks them, that they say what the devices do, and what iasl thinks of them. */
#include "devices/acpi_tables.h"
#include "tests/unit/support/pc_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { MAX_SEEN = 16 };

static u8 buffer[PC_ACPI_BYTES];

static void build(u32 vcpus)
{
	struct pc_config config = { .vcpus = vcpus, .tsc_khz = 1000000, .memory_bytes = 128 << 20 };

	memset(buffer, 0xcc, sizeof(buffer));
	assert_int_equal(pc_acpi_build(&config, buffer, sizeof(buffer)), OK);
}

/* Everything is found through guest addresses. */
static const void *at(u64 address, u64 bytes)
{
	assert_in_range(address, PC_ACPI_BASE, PC_ACPI_BASE + sizeof(buffer) - bytes);
	return buffer + (address - PC_ACPI_BASE);
}

static u8 sum(const void *table, u32 bytes)
{
	const u8 *byte = table;
	u8 total = 0;

	for (u32 i = 0; i < bytes; i++)
		total = (u8)(total + byte[i]);
	return total;
}

static const struct acpi_header *table_at(u64 address)
{
	const struct acpi_header *table = at(address, sizeof(*table));

	assert_int_equal(address % 16, 0);
	(void)at(address, table->length);
	assert_int_equal(sum(table, table->length), 0);
	return table;
}

static u64 entry_of(const struct acpi_header *xsdt, u32 index)
{
	u64 address;

	memcpy(&address, (const u8 *)(xsdt + 1) + index * sizeof(address), sizeof(address));
	return address;
}

static const struct acpi_header *xsdt_of(void)
{
	const struct acpi_rsdp *rsdp = at(PC_ACPI_BASE, sizeof(*rsdp));

	return table_at(rsdp->xsdt);
}

static const void *find(const char *signature)
{
	const struct acpi_header *xsdt = xsdt_of();

	for (u32 i = 0; i < (xsdt->length - sizeof(*xsdt)) / 8; i++)
		if (memcmp(table_at(entry_of(xsdt, i))->signature, signature, 4) == 0)
			return table_at(entry_of(xsdt, i));
	fail_msg("no %s", signature);
	return NULL;
}

/* ---- structure ---- */

static void the_root_is_found_and_both_roots_agree(void **state)
{
	(void)state;
	build(1);
	const struct acpi_rsdp *rsdp = at(PC_ACPI_BASE, sizeof(*rsdp));

	assert_memory_equal(rsdp->signature, "RSD PTR ", 8);
	assert_int_equal(sum(rsdp, 20), 0);
	assert_int_equal(sum(rsdp, 36), 0);
	assert_int_equal(rsdp->length, 36);
	assert_int_equal(PC_ACPI_BASE % 16, 0);
	const struct acpi_header *rsdt = table_at(rsdp->rsdt), *xsdt = xsdt_of();
	u32 count = (u32)(rsdt->length - sizeof(*rsdt)) / 4;

	assert_memory_equal(rsdt->signature, "RSDT", 4);
	assert_memory_equal(xsdt->signature, "XSDT", 4);
	assert_int_equal((xsdt->length - sizeof(*xsdt)) / 8, count);
	for (u32 i = 0; i < count; i++) {
		u32 narrow;

		memcpy(&narrow, (const u8 *)(rsdt + 1) + i * sizeof(narrow), sizeof(narrow));
		assert_int_equal(narrow, entry_of(xsdt, i));
	}
}

static void no_table_overlaps_another_and_all_lie_below_one_mebibyte(void **state)
{
	u64 begin[MAX_SEEN], end[MAX_SEEN];
	u32 count = 0;

	(void)state;
	build(PC_MAX_VCPUS);
	const struct acpi_rsdp *rsdp = at(PC_ACPI_BASE, sizeof(*rsdp));
	const struct acpi_header *xsdt = xsdt_of();
	const struct acpi_fadt *fadt = find("FACP");
	u64 addresses[MAX_SEEN] = { rsdp->rsdt, rsdp->xsdt, fadt->dsdt };
	u32 tables = 3;

	for (u32 i = 0; i < (xsdt->length - sizeof(*xsdt)) / 8; i++)
		addresses[tables++] = entry_of(xsdt, i);
	begin[count] = PC_ACPI_BASE;
	end[count++] = PC_ACPI_BASE + sizeof(*rsdp);
	begin[count] = fadt->facs;
	end[count++] = fadt->facs + sizeof(struct acpi_facs);
	for (u32 i = 0; i < tables; i++) {
		begin[count] = addresses[i];
		end[count++] = addresses[i] + table_at(addresses[i])->length;
	}
	for (u32 i = 0; i < count; i++) {
		assert_true(end[i] <= 0x100000);
		for (u32 k = 0; k < i; k++)
			assert_true(end[i] <= begin[k] || end[k] <= begin[i]);
	}
}

static void a_buffer_that_is_too_small_is_refused_and_left_alone(void **state)
{
	struct pc_config config = { .vcpus = PC_MAX_VCPUS, .tsc_khz = 1000000 };

	(void)state;
	for (u32 bytes = 0; bytes < PC_ACPI_BYTES; bytes += 64) {
		u8 *room = malloc(bytes + 1); /* ASan watches its end */

		room[0] = 0xcc;
		if (pc_acpi_build(&config, room, bytes) == E_RANGE)
			assert_int_equal(room[0], 0xcc);
		else
			assert_true(bytes > 1024);
		free(room);
	}
}

/* ---- contents ---- */

static void fadt_names_the_ports_that_answer(void **state)
{
	(void)state;
	build(1);
	fake_pc(1);
	const struct acpi_fadt *fadt = find("FACP");

	assert_int_equal(fadt->header.revision, 6);
	assert_int_equal(fadt->header.length, 276);
	assert_int_equal(fadt->sci, 9);
	assert_int_equal(fadt->smi_command | fadt->acpi_enable, 0); /* always in ACPI mode */
	assert_int_equal(fadt->x_pm1a_event.address, fadt->pm1a_event);
	assert_int_equal(fadt->x_pm1a_control.address, fadt->pm1a_control);
	assert_int_equal(fadt->x_pm_timer.address, fadt->pm_timer);
	assert_int_equal(fadt->x_dsdt, fadt->dsdt);
	assert_int_equal(fadt->x_facs, fadt->facs);
	assert_memory_equal(table_at(fadt->dsdt)->signature, "DSDT", 4);
	const struct acpi_facs *facs = at(fadt->facs, sizeof(*facs));

	assert_memory_equal(facs->signature, "FACS", 4);
	assert_int_equal(fadt->facs % 64, 0);
	assert_int_equal(pc_port_read(pc, 0, (u16)fadt->pm1a_control, 2) & 1, 1); /* SCI_EN */
	fake_run(1000000000);
	assert_in_range(pc_port_read(pc, 0, (u16)fadt->pm_timer, 4), 3579544, 3579545);
	assert_true(fadt->flags & FADT_RESET);
	out8((u16)fadt->reset_register.address, fadt->reset_value);
	assert_int_equal(fake.resets, 1);
	/* Power button: fixed, so its flag is clear; no sleep button, no 8042, no VGA. */
	assert_int_equal(fadt->flags & (1 << 4), 0);
	assert_true(fadt->flags & FADT_NO_SLEEP_BUTTON);
	assert_int_equal(fadt->boot_flags & 2, 0);
	assert_true(fadt->boot_flags & FADT_NO_VGA);
	out8(0x70, fadt->century);
	assert_int_equal(in8(0x71), 0x20);
}

/* What the MADT's entries say, by walking them. */
struct madt_seen {
	u32 lapics, ids, ioapics, overrides, nmis;
	struct acpi_madt_override timer, sci;
};

static struct madt_seen walk_madt(void)
{
	const struct acpi_madt *madt = find("APIC");
	const u8 *entry = (const u8 *)(madt + 1), *end = (const u8 *)madt + madt->header.length;
	struct madt_seen seen = { 0 };

	assert_int_equal(madt->lapic, 0xfee00000);
	assert_int_equal(madt->flags, 1);
	for (; entry < end; entry += entry[1]) {
		static const u8 lengths[] = { 8, 12, 10, 0, 6 };

		assert_true(entry[0] < ARRAY_SIZE(lengths) && entry[1] == lengths[entry[0]] && entry + entry[1] <= end);
		seen.lapics += entry[0] == MADT_LAPIC && entry[4] == 1;
		seen.ids |= entry[0] == MADT_LAPIC ? 1U << entry[3] : 0;
		seen.ioapics += entry[0] == MADT_IOAPIC;
		seen.nmis += entry[0] == MADT_NMI;
		seen.overrides += entry[0] == MADT_OVERRIDE;
		if (entry[0] == MADT_OVERRIDE)
			memcpy(entry[3] == 0 ? &seen.timer : &seen.sci, entry, sizeof(seen.timer));
	}
	assert_ptr_equal(entry, end);
	return seen;
}

static void madt_lists_each_vcpu_the_ioapic_and_how_irqs_are_wired(void **state)
{
	(void)state;
	for (u32 vcpus = 1; vcpus <= PC_MAX_VCPUS; vcpus++) {
		build(vcpus);
		struct madt_seen seen = walk_madt();

		assert_int_equal(seen.lapics, vcpus);
		assert_int_equal(seen.ids, (1U << vcpus) - 1);
		assert_int_equal(seen.ioapics, 1);
		assert_int_equal(seen.nmis, 1);
		assert_int_equal(seen.overrides, 2);
		assert_int_equal(seen.timer.irq, 0);
		assert_int_equal(seen.timer.gsi, 2);
		assert_int_equal(seen.sci.irq, 9);
		assert_int_equal(seen.sci.gsi, 9);
		assert_int_equal(seen.sci.flags, 0xd); /* level, active high */
	}
}

/* The wiring in the MADT is the wiring of pc_line(). */
static void irqs_arrive_at_the_pins_that_the_madt_names(void **state)
{
	(void)state;
	build(1);
	fake_pc(1);
	for (u32 irq = 0; irq < 16; irq++) {
		if (irq == IRQ_CASCADE)
			continue;
		u32 pin = irq == 0 ? walk_madt().timer.gsi : irq;

		lock_acquire(&pc->lock);
		pc_line(pc, irq, true);
		assert_int_equal(pc->ioapic.lines, 1U << pin);
		pc_line(pc, irq, false);
		lock_release(&pc->lock);
	}
}

static void mcfg_and_spcr_name_what_answers(void **state)
{
	(void)state;
	build(1);
	fake_pc(1);
	const struct acpi_mcfg *mcfg = find("MCFG");

	assert_int_equal(mcfg->base, PCI_ECAM_BASE);
	assert_int_equal(mcfg->last_bus - mcfg->first_bus, PCI_ECAM_BYTES / (1 << 20) - 1);
	assert_int_equal(mmio32(mcfg->base), 0x00081b36);
	const struct acpi_spcr *spcr = find("SPCR");

	assert_int_equal(spcr->base.address, PC_COM1);
	assert_int_equal(spcr->gsi, IRQ_COM1);
	out8((u16)spcr->base.address, '!');
	assert_int_equal(fake.output[0], '!');
}

static void the_window_for_bars_holds_no_other_device(void **state)
{
	(void)state;
	assert_true(PCI_WINDOW_BASE >= PC_LOW_MEMORY_END);
	assert_true(PCI_WINDOW_BASE + PCI_WINDOW_BYTES <= PCI_ECAM_BASE);
	assert_true(PCI_ECAM_BASE + PCI_ECAM_BYTES <= IOAPIC_BASE);
}

/* ---- iasl ---- */

static char folder[] = "/tmp/aerostat-acpi-XXXXXX";

static void write_table(const struct acpi_header *table)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%.4s.dat", folder, table->signature);
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(table, 1, table->length, file), table->length);
	assert_int_equal(fclose(file), 0);
}

static size_t read_file(const char *name, const char *suffix, u8 *bytes, size_t most)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s.%s", folder, name, suffix);
	FILE *file = fopen(path, "rb");

	assert_non_null(file);
	size_t count = fread(bytes, 1, most, file);

	fclose(file);
	return count;
}

static bool run(const char *format, const char *name)
{
	char command[256];

	snprintf(command, sizeof(command), format, folder, name, name);
	return system(command) == 0;
}

/* Taken apart and put together again it is the same table, but for who made it. */
static void round_trip(const char *name)
{
	static u8 ours[PC_ACPI_BYTES], theirs[PC_ACPI_BYTES];

	if (!run("cd %s && iasl -d %s.dat >%s.log 2>&1", name))
		fail_msg("iasl cannot read %s: see %s", name, folder);
	if (!run("cd %s && ! grep -Hi 'invalid\\|unknown\\|error' %s.dsl >%s.bad", name))
		fail_msg("iasl finds fault with %s: see %s", name, folder);
	if (!run("cd %s && iasl -we %s.dsl >%s.log 2>&1", name))
		fail_msg("iasl cannot make %s: see %s", name, folder);
	size_t size = read_file(name, "dat", ours, sizeof(ours));

	assert_int_equal(read_file(name, "aml", theirs, sizeof(theirs)), size);
	for (size_t i = 0; i < size; i++)
		if (i != offsetof(struct acpi_header, checksum) &&
		    (i < offsetof(struct acpi_header, creator_id) || i >= sizeof(struct acpi_header)))
			assert_int_equal(ours[i], theirs[i]);
}

static void iasl_understands_every_table(void **state)
{
	static const char *const names[] = { "FACP", "APIC", "MCFG", "SPCR", "DSDT" };

	(void)state;
	if (system("command -v iasl >/dev/null") != 0)
		skip();
	build(2);
	assert_non_null(mkdtemp(folder));
	const struct acpi_fadt *fadt = find("FACP");

	write_table(table_at(fadt->dsdt));
	for (u32 i = 0; i < ARRAY_SIZE(names) - 1; i++)
		write_table(find(names[i]));
	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		round_trip(names[i]);
	assert_true(run("rm -r %s", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_root_is_found_and_both_roots_agree),
		cmocka_unit_test(no_table_overlaps_another_and_all_lie_below_one_mebibyte),
		cmocka_unit_test(a_buffer_that_is_too_small_is_refused_and_left_alone),
		cmocka_unit_test(fadt_names_the_ports_that_answer),
		cmocka_unit_test(madt_lists_each_vcpu_the_ioapic_and_how_irqs_are_wired),
		cmocka_unit_test(irqs_arrive_at_the_pins_that_the_madt_names),
		cmocka_unit_test(mcfg_and_spcr_name_what_answers),
		cmocka_unit_test(the_window_for_bars_holds_no_other_device),
		cmocka_unit_test(iasl_understands_every_table),
	};

	return cmocka_run_group_tests(tests, NULL, fake_pc_free);
}
