/* SPDX-License-Identifier: BSD-2-Clause */
/* Device memory: the LAPIC page, the IOAPIC, PCI configuration space and BARs. Everything else reads as ones. */
#include "devices/pc.h"

/* A LAPIC answers at its own base, and not at all by memory in x2APIC mode or when it is off. */
static inline struct lapic *lapic_at(struct pc *pc, u32 vcpu, u64 page)
{
	struct lapic *lapic = &pc->lapic[vcpu];
	u64 base = page | LAPIC_BASE_ENABLE | (lapic->base & LAPIC_BASE_BSP);

	return lapic->base == base ? lapic : NULL;
}

static u64 mask_of(u32 size)
{
	return UINT64_MAX >> (64 - 8 * size);
}

static u64 locked_read(struct pc *pc, u64 address, u32 size)
{
	u64 value;

	lock_acquire(&pc->lock);
	if ((address & ~(u64)(PAGE_SIZE - 1)) == IOAPIC_BASE)
		value = ioapic_read(pc, (u32)(address - IOAPIC_BASE));
	else
		value = pc_pci_mmio_read(pc, address, size);
	lock_release(&pc->lock);
	return value;
}

u64 pc_mmio_read(struct pc *pc, u32 vcpu, gpa_t address, u32 size)
{
	u64 page = address.a & ~(u64)(PAGE_SIZE - 1);

	CHECK(vcpu < pc->vcpus && size >= 1 && size <= 8);
	struct lapic *lapic = lapic_at(pc, vcpu, page);

	if (lapic)
		return lapic_mmio_read(pc, lapic, (u32)(address.a - page)) & mask_of(size);
	return locked_read(pc, address.a, size) & mask_of(size);
}

void pc_mmio_write(struct pc *pc, u32 vcpu, gpa_t address, u32 size, u64 value)
{
	u64 page = address.a & ~(u64)(PAGE_SIZE - 1);

	CHECK(vcpu < pc->vcpus && size >= 1 && size <= 8);
	struct lapic *lapic = lapic_at(pc, vcpu, page);

	value &= mask_of(size);
	if (lapic) {
		lapic_mmio_write(pc, lapic, (u32)(address.a - page), (u32)value);
		return;
	}
	lock_acquire(&pc->lock);
	if (page == IOAPIC_BASE)
		ioapic_write(pc, (u32)(address.a - IOAPIC_BASE), (u32)value);
	else
		pc_pci_mmio_write(pc, address.a, size, value);
	lock_release(&pc->lock);
}
