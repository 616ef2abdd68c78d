/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI configuration by ports and by ECAM as systems probe it, sizing and decoding of BARs; the ports that reset the machine. */
#include "tests/unit/support/pc_fake.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ADDRESS = 0xcf8, CONFIG = 0xcfc, BAR0_BYTES = 0x4000, BAR5_BYTES = 0x10 };

static struct pci_function card;
static struct {
	u32 bar, offset, size, reads, writes;
	u64 value;
} seen;

static u64 card_read(struct pci_function *function, u32 bar, u32 offset, u32 size)
{
	assert_ptr_equal(function, &card);
	seen.bar = bar;
	seen.offset = offset;
	seen.size = size;
	seen.reads++;
	return 0x8877665544332211;
}

static void card_write(struct pci_function *function, u32 bar, u32 offset, u32 size, u64 value)
{
	(void)card_read(function, bar, offset, size);
	seen.value = value;
	seen.writes++;
}

static void start_with_card(u32 slot)
{
	fake_pc(1);
	card = (struct pci_function){ .bar_read = card_read, .bar_write = card_write };
	seen.reads = seen.writes = 0;
	pc_pci_set(&card, PCI_VENDOR, 2, 0x1af4);
	pc_pci_set(&card, PCI_DEVICE, 2, 0x1042);
	pc_pci_add_bar(&card, 0, BAR0_BYTES);
	pc_pci_add_bar(&card, 5, BAR5_BYTES);
	pc_pci_plug(pc, slot, &card);
}

static u32 in32(u16 port)
{
	return pc_port_read(pc, 0, port, 4);
}

static void out32(u16 port, u32 value)
{
	pc_port_write(pc, 0, port, 4, value);
}

static u32 config(u32 slot, u32 function, u32 offset)
{
	out32(ADDRESS, 1U << 31 | slot << 11 | function << 8 | (offset & 0xfc));
	return in32(CONFIG);
}

static void config_set(u32 slot, u32 offset, u32 value)
{
	(void)config(slot, 0, offset);
	out32(CONFIG, value);
}

static u64 ecam(u32 slot, u32 function, u32 offset)
{
	return PCI_ECAM_BASE + (slot << 15 | function << 12 | offset);
}

/* pci_check_type1() and pci_sanity_check() of Linux. */
static void linux_finds_configuration_type_1_and_a_host_bridge(void **state)
{
	(void)state;
	fake_pc(1);
	out8(0xcfb, 1);
	u32 before = in32(ADDRESS);

	out32(ADDRESS, 0x80000000);
	assert_int_equal(in32(ADDRESS), 0x80000000);
	out32(ADDRESS, before);
	assert_int_equal(config(0, 0, 8) >> 16, 0x0600);
	assert_int_equal(config(0, 0, 0), 0x00081b36);
	assert_int_equal(config(0, 0, 0xc) >> 16 & 0xff, 0); /* one function, no bridge to another bus */
	fake.resets = 0;
	out32(ADDRESS, 0xffffffff); /* the reset register lies inside: a 32-bit write is not for it */
	assert_int_equal(fake.resets, 0);
	assert_int_equal(in32(ADDRESS), 0x80fffffc);
}

static void where_nothing_is_configuration_reads_ones(void **state)
{
	(void)state;
	start_with_card(3);
	for (u32 slot = 0; slot < PCI_SLOTS; slot++)
		for (u32 function = 0; function < 8; function++) {
			bool there = function == 0 && (slot == 0 || slot == 3);

			assert_int_equal(config(slot, function, 0) != 0xffffffff, there);
			assert_int_equal(mmio32(ecam(slot, function, 0)) != 0xffffffff, there);
		}
	out32(ADDRESS, 0x80010000); /* another bus */
	assert_int_equal(in32(CONFIG), 0xffffffff);
	out32(CONFIG, 0);
	out32(ADDRESS, 3 << 11); /* not enabled */
	assert_int_equal(in32(CONFIG), 0xffffffff);
	assert_int_equal(mmio32(PCI_ECAM_BASE + PCI_ECAM_BYTES), 0xffffffff);
	assert_int_equal(mmio32(PCI_ECAM_BASE + PCI_ECAM_BYTES - 4), 0xffffffff);
	fake_audit();
}

static void ports_and_ecam_show_the_same_bytes_in_any_width(void **state)
{
	(void)state;
	start_with_card(1);
	for (u32 offset = 0; offset < PCI_CONFIG_BYTES; offset++)
		card.config[offset] = (u8)(offset ^ 0x5a);
	for (u32 offset = 0; offset < PCI_CONFIG_BYTES; offset++) {
		u32 shift = 8 * (offset & 3), word = config(1, 0, offset);

		assert_int_equal(mmio32(ecam(1, 0, offset & ~3U)), word);
		assert_int_equal(in8((u16)(CONFIG + (offset & 3))), word >> shift & 0xff);
		assert_int_equal(pc_mmio_read(pc, 0, (gpa_t){ ecam(1, 0, offset) }, 1), word >> shift & 0xff);
		if ((offset & 3) < 3)
			assert_int_equal(pc_port_read(pc, 0, (u16)(CONFIG + (offset & 3)), 2), word >> shift & 0xffff);
	}
	/* What lies behind the register is ones. */
	assert_int_equal(pc_port_read(pc, 0, CONFIG + 3, 2) >> 8, 0xff);
	assert_int_equal(mmio32(ecam(1, 0, PCI_CONFIG_BYTES)), 0xffffffff);
	assert_int_equal(pc_mmio_read(pc, 0, (gpa_t){ ecam(1, 0, PCI_CONFIG_BYTES - 4) }, 8) >> 32, 0xffffffff);
}

static void sizing_a_bar_gives_its_size(void **state)
{
	(void)state;
	start_with_card(2);
	for (u32 bar = 0; bar < 6; bar++) {
		u32 offset = PCI_BAR0 + 4 * bar, bytes = bar == 0 ? BAR0_BYTES : bar == 5 ? BAR5_BYTES : 0;

		config_set(2, offset, 0xffffffff);
		u32 mask = config(2, 0, offset);

		assert_int_equal(mask & 0xf, 0); /* 32-bit memory */
		assert_int_equal(bytes ? ~mask + 1 : mask, bytes);
		config_set(2, offset, 0);
	}
	config_set(2, 0x30, 0xfffff800); /* no ROM */
	assert_int_equal(config(2, 0, 0x30), 0);
	config_set(0, PCI_BAR0, 0xffffffff); /* nor a BAR of the bridge */
	assert_int_equal(config(0, 0, PCI_BAR0), 0);
	fake_audit();
}

static void identity_cannot_be_written(void **state)
{
	(void)state;
	start_with_card(1);
	for (u32 offset = 0; offset < PCI_CONFIG_BYTES; offset += 4)
		config_set(1, offset, 0xffffffff);
	assert_int_equal(config(1, 0, 0), 0x10421af4);
	assert_int_equal(config(1, 0, PCI_COMMAND), PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	fake_audit();
}

static void a_bar_decodes_where_it_is_put_and_only_when_enabled(void **state)
{
	(void)state;
	start_with_card(1);
	config_set(1, PCI_BAR0, PCI_WINDOW_BASE + 0x10000);
	assert_int_equal(mmio32(PCI_WINDOW_BASE + 0x10008), 0xffffffff);
	config_set(1, PCI_COMMAND, PCI_COMMAND_MEMORY);
	assert_int_equal(mmio32(PCI_WINDOW_BASE + 0x10008), 0x44332211);
	assert_int_equal(seen.offset, 8);
	pc_mmio_write(pc, 0, (gpa_t){ PCI_WINDOW_BASE + 0x13ff8 }, 8, 0x1122334455667788);
	assert_int_equal(seen.value, 0x1122334455667788);
	assert_int_equal(seen.bar, 0);
	assert_int_equal(seen.size, 8);
	config_set(1, PCI_BAR0 + 20, PCI_WINDOW_BASE + 0x20000);
	assert_int_equal(pc_mmio_read(pc, 0, (gpa_t){ PCI_WINDOW_BASE + 0x2000f }, 1), 0x11);
	assert_int_equal(seen.bar, 5);
	u32 reads = seen.reads;

	/* Neither in front of it, nor behind, nor across its end. */
	assert_int_equal(mmio32(PCI_WINDOW_BASE + 0x10000 - 4), 0xffffffff);
	assert_int_equal(mmio32(PCI_WINDOW_BASE + 0x14000), 0xffffffff);
	assert_int_equal(pc_mmio_read(pc, 0, (gpa_t){ PCI_WINDOW_BASE + 0x13ffc }, 8), UINT64_MAX);
	assert_int_equal(seen.reads, reads);
}

static void hostile_places_of_bars_and_addresses_wrap_nowhere(void **state)
{
	static const u64 addresses[] = { 0xfffffff0, 0xffffffff, 0x100000000, UINT64_MAX, UINT64_MAX - 7, 1ULL << 52, 0 };

	(void)state;
	start_with_card(1);
	config_set(1, PCI_COMMAND, PCI_COMMAND_MEMORY);
	config_set(1, PCI_BAR0, 0xffffffff);
	config_set(1, PCI_BAR0 + 20, 0xffffffff);
	for (u32 i = 0; i < ARRAY_SIZE(addresses); i++)
		for (u32 size = 1; size <= 8; size *= 2) {
			u64 value = pc_mmio_read(pc, 0, (gpa_t){ addresses[i] }, size);

			assert_true(value == UINT64_MAX >> (64 - 8 * size) || addresses[i] <= 0xffffffff);
			pc_mmio_write(pc, 0, (gpa_t){ addresses[i] }, size, 0);
		}
	/* Over the IOAPIC and the ECAM, which win. */
	u32 reads = seen.reads;

	config_set(1, PCI_BAR0, IOAPIC_BASE);
	(void)mmio32(IOAPIC_BASE + 0x10);
	config_set(1, PCI_BAR0, (u32)PCI_ECAM_BASE);
	assert_int_equal(mmio32(ecam(1, 0, 0)), 0x10421af4);
	assert_int_equal(seen.reads, reads);
	fake_audit();
}

static void a_reset_unplugs_and_forgets(void **state)
{
	(void)state;
	start_with_card(1);
	out32(ADDRESS, 0x80000800);
	pc_reset(pc);
	assert_int_equal(in32(ADDRESS), 0);
	assert_int_equal(config(1, 0, 0), 0xffffffff);
	assert_int_equal(config(0, 0, 0), 0x00081b36);
}

/* ---- ways to reset ---- */

static void each_way_to_reset_resets(void **state)
{
	(void)state;
	fake_pc(1);
	out8(0xcf9, 2); /* as Linux does: choose the kind, then do it */
	assert_int_equal(fake.resets, 0);
	assert_int_equal(in8(0xcf9), 2);
	out8(0xcf9, 6); /* and the FADT's register, at once */
	assert_int_equal(fake.resets, 1);
	out8(0x64, 0xfe);
	assert_int_equal(fake.resets, 2);
	out8(0x92, 1);
	assert_int_equal(fake.resets, 3);
	assert_int_equal(fake.power_offs, 0);
}

static void other_keyboard_commands_and_a20_do_not_reset(void **state)
{
	(void)state;
	fake_pc(1);
	out8(0x64, 0xd1);
	out8(0x60, 0xdf);
	out8(0x64, 0xff); /* a pulse of nothing */
	out8(0x64, 0xaa);
	out8(0x92, 2);
	assert_int_equal(in8(0x92), 2);
	assert_int_equal(fake.resets, 0);
}

/* kb_wait() and its kin spin until the input buffer is empty; probes wait for output that never comes, and count. */
static void an_absent_keyboard_controller_lets_everybody_go_on(void **state)
{
	(void)state;
	fake_pc(1);
	assert_int_equal(in8(0x64) & 3, 0);
	out8(0x64, 0xaa);
	assert_int_equal(in8(0x64) & 3, 0);
	assert_int_equal(in8(0x60), 0xff);
}

static void port_80_takes_and_says_nothing(void **state)
{
	(void)state;
	fake_pc(1);
	for (u32 i = 0; i < 256; i++)
		out8(0x80, i);
	assert_int_equal(in8(0x80), 0xff);
	fake_audit();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_finds_configuration_type_1_and_a_host_bridge),
		cmocka_unit_test(where_nothing_is_configuration_reads_ones),
		cmocka_unit_test(ports_and_ecam_show_the_same_bytes_in_any_width),
		cmocka_unit_test(sizing_a_bar_gives_its_size),
		cmocka_unit_test(identity_cannot_be_written),
		cmocka_unit_test(a_bar_decodes_where_it_is_put_and_only_when_enabled),
		cmocka_unit_test(hostile_places_of_bars_and_addresses_wrap_nowhere),
		cmocka_unit_test(a_reset_unplugs_and_forgets),
		cmocka_unit_test(each_way_to_reset_resets),
		cmocka_unit_test(other_keyboard_commands_and_a20_do_not_reset),
		cmocka_unit_test(an_absent_keyboard_controller_lets_everybody_go_on),
		cmocka_unit_test(port_80_takes_and_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, fake_pc_free);
}
