/* SPDX-License-Identifier: BSD-2-Clause */
/* 82093AA data sheet; the 8259A's initialisation words. */
#include "kernel/x86/ioapic.h"
#include "kernel/lib/check.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/irq.h"
#include "kernel/x86/paging.h"

enum {
	MAX_IOAPICS = 16,
	WINDOW_BYTES = 0x20,
	SELECT = 0x00 / 4,
	WINDOW = 0x10 / 4,
	REG_VERSION = 1,
	REG_TABLE = 0x10,
	ENTRY_ACTIVE_LOW = 1 << 13,
	ENTRY_LEVEL = 1 << 15,
	ENTRY_MASKED = 1 << 16,
	INTI_POLARITY = 3,
	INTI_ACTIVE_LOW = 3,
	INTI_TRIGGER = 3 << 2,
	INTI_LEVEL = 3 << 2,
	PIC_MASTER = 0x20,
	PIC_SLAVE = 0xa0,
	PIC_ICW1 = 0x11,
	PIC_MASTER_BASE = 0x20,
	PIC_SLAVE_BASE = 0x28,
};

static struct ioapic {
	volatile u32 *registers;
	u32 first_gsi, inputs;
} ioapics[MAX_IOAPICS];
static u32 ioapic_count;

static u32 read(const struct ioapic *ioapic, u32 reg)
{
	ioapic->registers[SELECT] = reg;
	return ioapic->registers[WINDOW];
}

static void write(const struct ioapic *ioapic, u32 reg, u32 value)
{
	ioapic->registers[SELECT] = reg;
	ioapic->registers[WINDOW] = value;
}

void ioapic_add(u64 base, u32 first_gsi)
{
	struct ioapic *ioapic = &ioapics[ioapic_count++];

	CHECK(ioapic_count <= MAX_IOAPICS);
	ioapic->registers = paging_map_device(base, WINDOW_BYTES, PAGING_UNCACHED);
	ioapic->first_gsi = first_gsi;
	ioapic->inputs = (read(ioapic, REG_VERSION) >> 16 & 0xff) + 1;
	for (u32 i = 0; i < ioapic->inputs; i++)
		write(ioapic, REG_TABLE + 2 * i, ENTRY_MASKED);
}

static struct ioapic *find(u32 gsi)
{
	for (u32 i = 0; i < ioapic_count; i++)
		if (gsi >= ioapics[i].first_gsi && gsi - ioapics[i].first_gsi < ioapics[i].inputs)
			return &ioapics[i];
	return NULL;
}

bool ioapic_route(u32 gsi, u32 flags, u32 vector, u32 apic_id)
{
	struct ioapic *ioapic = find(gsi);
	u32 low = vector;

	CHECK(vector >= IRQ_FIRST && vector < IRQ_SPURIOUS);
	if (!ioapic || apic_id > 0xff)
		return false;
	if ((flags & INTI_POLARITY) == INTI_ACTIVE_LOW)
		low |= ENTRY_ACTIVE_LOW;
	if ((flags & INTI_TRIGGER) == INTI_LEVEL)
		low |= ENTRY_LEVEL;
	u32 reg = REG_TABLE + 2 * (gsi - ioapic->first_gsi);
	write(ioapic, reg, ENTRY_MASKED);
	write(ioapic, reg + 1, apic_id << 24);
	write(ioapic, reg, low);
	return true;
}

/* Vectors first: even a masked 8259 can raise its spurious interrupt 7, which must not look like an exception. */
void pic_disable(void)
{
	static const struct {
		u16 port;
		u8 value;
	} words[] = {
		{ PIC_MASTER, PIC_ICW1 },
		{ PIC_SLAVE, PIC_ICW1 },
		{ PIC_MASTER + 1, PIC_MASTER_BASE },
		{ PIC_SLAVE + 1, PIC_SLAVE_BASE },
		{ PIC_MASTER + 1, 4 },
		{ PIC_SLAVE + 1, 2 },
		{ PIC_MASTER + 1, 1 },
		{ PIC_SLAVE + 1, 1 },
		{ PIC_MASTER + 1, 0xff },
		{ PIC_SLAVE + 1, 0xff },
	};

	for (u32 i = 0; i < ARRAY_SIZE(words); i++)
		port_out8(words[i].port, words[i].value);
}
