/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/ioapic.h"
#include "devices/pc.h"

/* Registers by memory address, and behind the index. */
enum { SELECT = 0x00, WINDOW = 0x10, EOI = 0x40 };
enum { ID = 0, VERSION = 1, ARBITRATION = 2, FIRST_ENTRY = 0x10 };
enum { VERSION_VALUE = 0x20 | (IOAPIC_PINS - 1) << 16 };

#define ENTRY_VECTOR 0xffULL
#define ENTRY_LOGICAL BIT(11)
#define ENTRY_REMOTE_IRR BIT(14)
#define ENTRY_LEVEL BIT(15)
#define ENTRY_MASKED BIT(16)
#define ENTRY_WRITABLE (BIT(56) * 0xff | ENTRY_MASKED | ENTRY_LEVEL | BIT(13) | ENTRY_LOGICAL | 0x7ff)

enum { MODE_SHIFT = 8, MODE_MASK = 7, DEST_SHIFT = 56 };

void ioapic_reset(struct pc *pc)
{
	pc->ioapic = (struct ioapic){ 0 };
	for (u32 pin = 0; pin < IOAPIC_PINS; pin++)
		pc->ioapic.entry[pin] = ENTRY_MASKED;
}

/* Send the pin's message. Remote IRR is set only if somebody took it, so that a level nobody heard is sent again. */
static void deliver(struct pc *pc, u32 pin)
{
	u64 *entry = &pc->ioapic.entry[pin];
	struct lapic_message message = {
		.dest = (u32)(*entry >> DEST_SHIFT),
		.vector = (u8)(*entry & ENTRY_VECTOR),
		.mode = (u8)(*entry >> MODE_SHIFT & MODE_MASK),
		.logical = *entry & ENTRY_LOGICAL,
		.level = *entry & ENTRY_LEVEL,
	};

	CHECK(!(*entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)));
	if (lapic_send(pc, &message) && message.level && lapic_mode_has_vector(message.mode))
		*entry |= ENTRY_REMOTE_IRR;
}

static void deliver_level(struct pc *pc, u32 pin)
{
	u64 entry = pc->ioapic.entry[pin];

	if (pc->ioapic.lines >> pin & 1 && (entry & (ENTRY_LEVEL | ENTRY_MASKED | ENTRY_REMOTE_IRR)) == ENTRY_LEVEL)
		deliver(pc, pin);
}

void ioapic_line(struct pc *pc, u32 pin, bool high)
{
	CHECK(pin < IOAPIC_PINS && lock_is_mine(&pc->lock));
	u32 bit = 1U << pin, before = pc->ioapic.lines;
	u64 entry = pc->ioapic.entry[pin];

	pc->ioapic.lines = high ? before | bit : before & ~bit;
	if (entry & ENTRY_LEVEL)
		deliver_level(pc, pin);
	else if (high && !(before & bit) && !(entry & ENTRY_MASKED))
		deliver(pc, pin); /* an edge while masked is lost, as in the 82093AA */
}

static void end_pin(struct pc *pc, u32 pin, u8 vector)
{
	u64 *entry = &pc->ioapic.entry[pin];

	if (!(*entry & ENTRY_REMOTE_IRR) || (*entry & ENTRY_VECTOR) != vector)
		return;
	*entry &= ~ENTRY_REMOTE_IRR;
	deliver_level(pc, pin);
}

void ioapic_eoi(struct pc *pc, u8 vector)
{
	CHECK(lock_is_mine(&pc->lock));
	for (u32 pin = 0; pin < IOAPIC_PINS; pin++)
		end_pin(pc, pin, vector);
}

/* ---- registers ---- */

static void write_entry(struct pc *pc, u32 index, u32 value)
{
	u32 pin = index / 2, shift = index % 2 * 32;
	u64 *entry = &pc->ioapic.entry[pin];
	u64 half = 0xffffffffULL << shift & ENTRY_WRITABLE;

	*entry = (*entry & ~half) | ((u64)value << shift & half);
	if (!(*entry & ENTRY_LEVEL))
		*entry &= ~ENTRY_REMOTE_IRR; /* system software clears it so where there is no EOI register */
	deliver_level(pc, pin);
}

static u32 read_register(const struct ioapic *ioapic)
{
	u32 index = ioapic->select - FIRST_ENTRY;

	if (index < 2 * IOAPIC_PINS)
		return (u32)(ioapic->entry[index / 2] >> (index % 2 * 32));
	switch (ioapic->select) {
	case ID:
	case ARBITRATION:
		return ioapic->id << 24;
	case VERSION:
		return VERSION_VALUE;
	default:
		return 0;
	}
}

u32 ioapic_read(struct pc *pc, u32 offset)
{
	CHECK(lock_is_mine(&pc->lock));
	if (offset == WINDOW)
		return read_register(&pc->ioapic);
	return offset == SELECT ? pc->ioapic.select : 0;
}

void ioapic_write(struct pc *pc, u32 offset, u32 value)
{
	u32 index = pc->ioapic.select - FIRST_ENTRY;

	CHECK(lock_is_mine(&pc->lock));
	if (offset == SELECT)
		pc->ioapic.select = value & 0xff;
	else if (offset == EOI)
		ioapic_eoi(pc, (u8)value);
	else if (offset == WINDOW && index < 2 * IOAPIC_PINS)
		write_entry(pc, index, value);
	else if (offset == WINDOW && pc->ioapic.select == ID)
		pc->ioapic.id = value >> 24 & 0xf;
}

const char *ioapic_audit(struct pc *pc)
{
	for (u32 pin = 0; pin < IOAPIC_PINS; pin++) {
		u64 entry = pc->ioapic.entry[pin];

		if (entry & ~(ENTRY_WRITABLE | ENTRY_REMOTE_IRR))
			return "ioapic: an entry holds what cannot be written";
		if (entry & ENTRY_REMOTE_IRR && !(entry & ENTRY_LEVEL))
			return "ioapic: remote IRR on an edge-triggered pin";
	}
	return pc->ioapic.select > 0xff || pc->ioapic.id > 0xf ? "ioapic: index or ID out of range" : NULL;
}
