/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The I/O APIC: 24 pins, version 0x20 with the EOI register (Intel 82093AA data sheet; ICH9, 13.5). Called with the PC's lock.
 * Polarity is recorded and ignored: a line that is "high" is asserted, whatever its voltage would be.
 */
#pragma once
#include "kernel/lib/types.h"

struct pc;

enum { IOAPIC_PINS = 24 };
#define IOAPIC_BASE 0xfec00000ULL

struct ioapic {
	u64 entry[IOAPIC_PINS];
	u32 lines;  /* levels of the inputs, one bit each */
	u32 select; /* IOREGSEL */
	u32 id;
};

void ioapic_reset(struct pc *pc);
u32 ioapic_read(struct pc *pc, u32 offset);
void ioapic_write(struct pc *pc, u32 offset, u32 value);

void ioapic_line(struct pc *pc, u32 pin, bool high);
/* A LAPIC ended a level-triggered interrupt: pins with this vector may interrupt again. */
void ioapic_eoi(struct pc *pc, u8 vector);
const char *ioapic_audit(struct pc *pc);
