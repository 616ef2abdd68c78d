/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC by MSR or by memory, and the IOAPIC.  SDM vol. 3A, chapter 11. */
#include "tests/guests/lib/guest.h"

enum {
	APIC_BASE_X2 = 1 << 10,
	APIC_BASE_ON = 1 << 11,
	APIC_ICR_HIGH = 0x31,
	SVR_ON = 1 << 8,
	ICR_PENDING = 1 << 12,
	PIC_MASTER_DATA = 0x21,
	PIC_SLAVE_DATA = 0xa1,
	IOAPIC_ENTRY = 0x10,
};

static bool x2;

bool apic_x2(void)
{
	return x2;
}

static volatile u32 *xapic(u32 reg)
{
	return (volatile u32 *)(LAPIC_AT + reg * 16);
}

u32 apic_read(u32 reg)
{
	return x2 ? (u32)msr_read(MSR_X2APIC + reg) : *xapic(reg);
}

void apic_write(u32 reg, u32 value)
{
	if (x2)
		msr_write(MSR_X2APIC + reg, value);
	else
		*xapic(reg) = value;
}

u32 apic_id(void)
{
	return x2 ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

void apic_send(u32 apic, u32 icr)
{
	if (x2) {
		msr_write(MSR_X2APIC + APIC_ICR, (u64)apic << 32 | icr);
		return;
	}
	*xapic(APIC_ICR_HIGH) = apic << 24;
	*xapic(APIC_ICR) = icr;
	while (*xapic(APIC_ICR) & ICR_PENDING)
		cpu_pause();
}

void apic_deadline(u64 tsc)
{
	apic_write(APIC_LVT_TIMER, APIC_LVT_DEADLINE | VECTOR_TIMER);
	__asm__ volatile("mfence" : : : "memory"); /* the mode must be set before the deadline; SDM vol. 3A, 11.5.4.1 */
	msr_write(MSR_TSC_DEADLINE, tsc);
}

void apic_set_mode(bool to_x2)
{
	u64 base = msr_read(MSR_APIC_BASE) & ~(u64)(APIC_BASE_X2 | APIC_BASE_ON);

	if (msr_read(MSR_APIC_BASE) & APIC_BASE_X2)
		msr_write(MSR_APIC_BASE, base); /* from x2APIC the only way leads through "disabled"; SDM vol. 3A, 11.12.5 */
	msr_write(MSR_APIC_BASE, base | APIC_BASE_ON);
	if (to_x2)
		msr_write(MSR_APIC_BASE, base | APIC_BASE_ON | APIC_BASE_X2);
	x2 = to_x2;
	apic_write(APIC_TPR, 0);
	apic_write(APIC_SVR, SVR_ON | VECTOR_SPURIOUS);
}

void apic_init(void)
{
	port_out8(PIC_MASTER_DATA, 0xff);
	port_out8(PIC_SLAVE_DATA, 0xff);
	apic_set_mode(cpu_has(FEATURE_X2APIC));
}

static volatile u32 *ioapic(u32 offset)
{
	return (volatile u32 *)(IOAPIC_AT + offset);
}

u32 ioapic_get(u32 reg)
{
	*ioapic(0) = reg;
	return *ioapic(0x10);
}

static void ioapic_set(u32 reg, u32 value)
{
	*ioapic(0) = reg;
	*ioapic(0x10) = value;
}

void ioapic_route(u32 pin, u8 vector, u32 flags)
{
	ioapic_set(IOAPIC_ENTRY + pin * 2 + 1, apic_id() << 24);
	ioapic_set(IOAPIC_ENTRY + pin * 2, flags | vector);
}
