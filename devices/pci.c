/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/pci.h"
#include "devices/pc.h"

/* The generic PCIe host bridge of Red Hat's range: no quirk of any system is keyed on it. */
enum { BRIDGE_VENDOR = 0x1b36, BRIDGE_DEVICE = 0x0008, CLASS_HOST_BRIDGE = 0x0600 };
enum { ONE_FUNCTION = 0x1000 };
#define ADDRESS_ENABLE (1U << 31)
#define ADDRESS_WRITABLE (ADDRESS_ENABLE | 0x00fffffc)

void pc_pci_set(struct pci_function *function, u32 offset, u32 size, u32 value)
{
	CHECK(size <= 4 && offset + size <= PCI_CONFIG_BYTES);
	for (u32 i = 0; i < size; i++)
		function->config[offset + i] = (u8)(value >> (8 * i));
}

void pc_pci_add_bar(struct pci_function *function, u32 bar, u32 bytes)
{
	u32 mask = ~(bytes - 1);

	CHECK(bar < PCI_BARS && bytes >= 16 && (bytes & (bytes - 1)) == 0);
	function->bar_bytes[bar] = bytes;
	for (u32 i = 0; i < 4; i++)
		function->writable[PCI_BAR0 + 4 * bar + i] = (u8)(mask >> (8 * i));
	function->writable[PCI_COMMAND] |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
}

void pc_pci_plug(struct pc *pc, u32 slot, struct pci_function *function)
{
	CHECK(slot < PCI_SLOTS && !pc->pci.slot[slot]);
	pc->pci.slot[slot] = function;
}

void pc_pci_reset(struct pc *pc)
{
	pc->pci = (struct pci){ 0 };
	pc_pci_set(&pc->pci.bridge, PCI_VENDOR, 2, BRIDGE_VENDOR);
	pc_pci_set(&pc->pci.bridge, PCI_DEVICE, 2, BRIDGE_DEVICE);
	pc_pci_set(&pc->pci.bridge, PCI_CLASS, 2, CLASS_HOST_BRIDGE);
	pc_pci_plug(pc, 0, &pc->pci.bridge);
}

/* ---- configuration space; `where` is an ECAM offset: bus, device, function, register in 12 bits ---- */

static struct pci_function *function_at(struct pc *pc, u32 where)
{
	u32 slot = where >> 15;

	return slot < PCI_SLOTS && !(where & (7 * ONE_FUNCTION)) ? pc->pci.slot[slot] : NULL;
}

/* Where there is no function, or behind the 256 bytes of a conventional one, reads give ones. */
static u64 config_read(struct pc *pc, u32 where, u32 size)
{
	const struct pci_function *function = function_at(pc, where);
	u32 offset = where % ONE_FUNCTION;
	u64 value = 0;

	for (u32 i = 0; i < size; i++)
		value |= (u64)(function && offset + i < PCI_CONFIG_BYTES ? function->config[offset + i] : 0xff) << (8 * i);
	return value;
}

static void config_write(struct pc *pc, u32 where, u32 size, u64 value)
{
	struct pci_function *function = function_at(pc, where);
	u32 offset = where % ONE_FUNCTION;

	for (u32 i = 0; function && i < size && offset + i < PCI_CONFIG_BYTES; i++) {
		u8 writable = function->writable[offset + i], *byte = &function->config[offset + i];

		*byte = (*byte & (u8)~writable) | ((u8)(value >> (8 * i)) & writable);
	}
}

u32 pc_pci_read_address(struct pc *pc, u16 port, u32 size)
{
	(void)port;
	return size == 4 ? pc->pci.address : UINT32_MAX;
}

void pc_pci_write_address(struct pc *pc, u16 port, u32 size, u32 value)
{
	(void)port;
	if (size == 4)
		pc->pci.address = value & ADDRESS_WRITABLE;
}

/* CF8's layout is ECAM's with the register in 8 bits instead of 12. */
static u32 selected(const struct pc *pc, u16 port)
{
	u32 address = pc->pci.address & ~ADDRESS_ENABLE;

	return (address >> 8) * ONE_FUNCTION + (address & 0xfc) + (port & 3);
}

static u32 inside_register(u16 port, u32 size)
{
	return (u32)min_u64(size, 4 - (port & 3U));
}

u32 pc_pci_read_data(struct pc *pc, u16 port, u32 size)
{
	u32 bytes = inside_register(port, size);

	CHECK(lock_is_mine(&pc->lock));
	if (!(pc->pci.address & ADDRESS_ENABLE))
		return UINT32_MAX;
	u64 beyond = ~0ULL << (8 * bytes);

	return (u32)(config_read(pc, selected(pc, port), bytes) | beyond);
}

void pc_pci_write_data(struct pc *pc, u16 port, u32 size, u32 value)
{
	CHECK(lock_is_mine(&pc->lock));
	if (pc->pci.address & ADDRESS_ENABLE)
		config_write(pc, selected(pc, port), inside_register(port, size), value);
}

/* ---- memory ---- */

static u32 config32(const struct pci_function *function, u32 offset)
{
	const u8 *byte = &function->config[offset];

	return byte[0] | (u32)byte[1] << 8 | (u32)byte[2] << 16 | (u32)byte[3] << 24;
}

static u64 bar_base(const struct pci_function *function, u32 bar)
{
	return config32(function, PCI_BAR0 + 4 * bar) & ~(u64)(function->bar_bytes[bar] - 1);
}

/* Is all of [address, address + size) in [base, base + bytes)? Any address is possible: nothing here may wrap. */
static bool inside(u64 address, u32 size, u64 base, u64 bytes)
{
	return address >= base && address - base < bytes && size <= bytes - (address - base);
}

/* The BAR that all of [address, address + size) lies in; the first slot wins where a guest lets two overlap. */
static struct pci_function *decode(struct pc *pc, u64 address, u32 size, u32 *bar, u32 *offset)
{
	for (u32 slot = 0; slot < PCI_SLOTS; slot++) {
		struct pci_function *function = pc->pci.slot[slot];

		if (!function || !(function->config[PCI_COMMAND] & PCI_COMMAND_MEMORY))
			continue;
		for (*bar = 0; *bar < PCI_BARS; ++*bar) {
			u64 base = bar_base(function, *bar);

			if (base == 0 || !inside(address, size, base, function->bar_bytes[*bar]))
				continue;
			*offset = (u32)(address - base);
			return function;
		}
	}
	return NULL;
}

u64 pc_pci_mmio_read(struct pc *pc, u64 address, u32 size)
{
	u32 bar, offset;

	CHECK(lock_is_mine(&pc->lock));
	if (inside(address, size, PCI_ECAM_BASE, PCI_ECAM_BYTES))
		return config_read(pc, (u32)(address - PCI_ECAM_BASE), size);
	struct pci_function *function = decode(pc, address, size, &bar, &offset);

	return function ? function->bar_read(function, bar, offset, size) : UINT64_MAX;
}

void pc_pci_mmio_write(struct pc *pc, u64 address, u32 size, u64 value)
{
	u32 bar, offset;

	CHECK(lock_is_mine(&pc->lock));
	if (inside(address, size, PCI_ECAM_BASE, PCI_ECAM_BYTES)) {
		config_write(pc, (u32)(address - PCI_ECAM_BASE), size, value);
		return;
	}
	struct pci_function *function = decode(pc, address, size, &bar, &offset);

	if (function)
		function->bar_write(function, bar, offset, size, value);
}

const char *pc_pci_audit(struct pc *pc)
{
	if (pc->pci.address & ~ADDRESS_WRITABLE)
		return "pci: CF8 holds what cannot be written";
	for (u32 slot = 0; slot < PCI_SLOTS; slot++) {
		const struct pci_function *function = pc->pci.slot[slot];

		for (u32 bar = 0; function && bar < PCI_BARS; bar++)
			if (function->bar_bytes[bar] && config32(function, PCI_BAR0 + 4 * bar) & (function->bar_bytes[bar] - 1))
				return "pci: a BAR is not aligned to its size";
	}
	return pc->pci.slot[0] == &pc->pci.bridge ? NULL : "pci: the host bridge has gone";
}
