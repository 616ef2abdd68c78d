/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an exit costs: the median of many round trips, in ticks of the time-stamp counter, as lines `bench NAME TICKS`.  Where a tick is an
 * instruction (Bochs) the figures are exact.  Its first module is memory that the hypervisor has written and we have not yet touched.
 */
#include "tests/guests/lib/guest.h"

enum {
	ROUNDS = 1000,
	VMCALL_UNKNOWN = 1000,
	PIC_MASTER_DATA = 0x21,
	MSR_SELF_IPI = MSR_X2APIC + APIC_SELF_IPI,
	TOUCHED_ALREADY = 100, /* ticks: no exit costs so little */
};

static u64 ticks[ROUNDS];
static u64 overhead; /* of measuring nothing */
static volatile u32 handled;
static volatile u8 *next_page; /* what the touching rounds touch */

static void sort(u64 *values, u32 count)
{
	for (u32 i = 1; i < count; i++) {
		u64 value = values[i];
		u32 at = i;

		for (; at > 0 && values[at - 1] > value; at--)
			values[at] = values[at - 1];
		values[at] = value;
	}
}

static void nothing(void)
{
}

static void cpuid_leaf(void)
{
	u32 a = 0, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

static void vmcall(void)
{
	u64 rax = VMCALL_UNKNOWN;

	__asm__ volatile("vmcall" : "+a"(rax) : : "memory");
}

static void read_msr(void)
{
	(void)msr_read(MSR_APIC_BASE);
}

static void read_port(void)
{
	(void)port_in8(PIC_MASTER_DATA);
}

static void write_eoi(void)
{
	msr_write(MSR_X2APIC + APIC_EOI, 0);
}

static void write_deadline(void)
{
	msr_write(MSR_TSC_DEADLINE, UINT64_MAX);
}

static void read_ioapic(void)
{
	(void)*(volatile u32 *)(IOAPIC_AT + 0x10);
}

static void read_lapic(void)
{
	(void)*(volatile u32 *)(LAPIC_AT + APIC_ID * 16);
}

static void on_self_ipi(struct frame *frame)
{
	(void)frame;
	apic_eoi();
	handled = 1;
}

static void self_ipi(void)
{
	handled = 0;
	msr_write(MSR_SELF_IPI, VECTOR_IPI);
	while (!handled)
		;
}

static void write_page(void)
{
	*next_page = 1;
	next_page += PAGE_SIZE;
}

static void read_page(void)
{
	(void)*next_page;
	next_page += PAGE_SIZE;
}

static void measure(const char *name, void (*trip)(void), u32 rounds)
{
	u32 counted = 0;

	for (u32 i = 0; i < rounds; i++) {
		u64 begin = rdtsc();

		trip();
		ticks[counted] = rdtsc() - begin - overhead;
		counted += next_page == NULL || ticks[counted] > TOUCHED_ALREADY;
	}
	sort(ticks, counted);
	if (!name)
		overhead = ticks[counted / 2];
	else if (counted)
		say("bench %s %llu\n", name, ticks[counted / 2]);
	else
		say("bench: %s: no round trip seen\n", name);
}

static void measure_pages(const char *name, void (*touch)(void), struct guest_region room)
{
	u64 pages = room.bytes / PAGE_SIZE;

	next_page = (volatile u8 *)room.base;
	measure(name, touch, pages < ROUNDS ? (u32)pages : ROUNDS);
	next_page = NULL;
}

static void measure_memory(void)
{
	struct guest_region room = guest_free_memory();
	u64 used = guest_module.bytes ? guest_module.base + guest_module.bytes - room.base : 0;
	u64 from = room.base + ((used + PAGE_SIZE - 1) & ~(u64)(PAGE_SIZE - 1));

	measure_pages("ept_fill_present", write_page, guest_module);
	measure_pages("ept_allocate", write_page, (struct guest_region){ from, ROUNDS * PAGE_SIZE });
	measure_pages("ept_fill_zero", read_page, (struct guest_region){ from + ROUNDS * PAGE_SIZE, ROUNDS * PAGE_SIZE });
}

void guest_main(void)
{
	static const struct {
		const char *name;
		void (*trip)(void);
	} trips[] = {
		{ "cpuid", cpuid_leaf },
		{ "vmcall", vmcall },
		{ "rdmsr", read_msr },
		{ "port_read", read_port },
		{ "x2apic_eoi", write_eoi },
		{ "tsc_deadline", write_deadline },
		{ "ioapic_read", read_ioapic },
		{ "self_ipi", self_ipi },
	};

	interrupt_on(VECTOR_IPI, on_self_ipi);
	interrupts_enable();
	if (!apic_x2())
		die("bench needs x2APIC");
	apic_write(APIC_LVT_TIMER, APIC_LVT_DEADLINE | VECTOR_TIMER);
	measure(NULL, nothing, ROUNDS);
	for (u32 i = 0; i < ARRAY_SIZE(trips); i++)
		measure(trips[i].name, trips[i].trip, ROUNDS);
	measure_memory();
	interrupts_off();
	apic_set_mode(false);
	measure("lapic_read", read_lapic, ROUNDS);
	say("bench: done\n");
}
