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

/* A round trip is one instruction; NAME_without is all that the compiler puts around it. */
#define TRIP(name, instruction, ...)                                                           \
	static void name(void)                                                                 \
	{                                                                                      \
		u64 a = 0, c = 0, d = 0;                                                       \
                                                                                               \
		__VA_ARGS__;                                                                   \
		__asm__ volatile(instruction : "+a"(a), "+c"(c), "+d"(d) : : "rbx", "memory"); \
	}                                                                                      \
	static void name##_without(void)                                                       \
	{                                                                                      \
		u64 a = 0, c = 0, d = 0;                                                       \
                                                                                               \
		__VA_ARGS__;                                                                   \
		__asm__ volatile("" : "+a"(a), "+c"(c), "+d"(d) : : "rbx", "memory");          \
	}

TRIP(cpuid_leaf, "cpuid", (void)0)
TRIP(vmcall, "vmcall", a = VMCALL_UNKNOWN)
TRIP(read_msr, "rdmsr", c = MSR_APIC_BASE)
TRIP(read_port, "inb %%dx, %%al", d = PIC_MASTER_DATA)
TRIP(write_eoi, "wrmsr", c = MSR_X2APIC + APIC_EOI)
TRIP(write_deadline, "wrmsr", c = MSR_TSC_DEADLINE, a = d = UINT32_MAX)
TRIP(read_ioapic, "movl (%%rdx), %%eax", d = IOAPIC_AT + 0x10)
TRIP(read_lapic, "movl (%%rdx), %%eax", d = LAPIC_AT + APIC_ID * 16)

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

/* The median of what `trip` takes; rounds that touch a page count if there was an exit. */
static u64 median(void (*trip)(void), u32 rounds)
{
	u32 counted = 0;

	for (u32 i = 0; i < rounds; i++) {
		u64 begin = rdtsc();

		trip();
		ticks[counted] = rdtsc() - begin;
		counted += next_page == NULL || ticks[counted] > TOUCHED_ALREADY;
	}
	sort(ticks, counted);
	return counted ? ticks[counted / 2] : 0;
}

static void measure(const char *name, void (*trip)(void), void (*without)(void))
{
	u64 all = median(trip, ROUNDS);

	if (all)
		say("bench %s %llu\n", name, all - median(without, ROUNDS));
	else
		say("bench: %s: no round trip seen\n", name);
}

static void measure_pages(const char *name, void (*touch)(void), struct guest_region room)
{
	u64 pages = room.bytes / PAGE_SIZE;
	u64 all, without = median(nothing, ROUNDS);

	next_page = (volatile u8 *)room.base;
	all = median(touch, pages < ROUNDS ? (u32)pages : ROUNDS);
	next_page = NULL;
	if (all)
		say("bench %s %llu\n", name, all - without);
	else
		say("bench: %s: no page seen\n", name);
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
		void (*trip)(void), (*without)(void);
	} trips[] = {
		{ "cpuid", cpuid_leaf, cpuid_leaf_without },
		{ "vmcall", vmcall, vmcall_without },
		{ "rdmsr", read_msr, read_msr_without },
		{ "port_read", read_port, read_port_without },
		{ "x2apic_eoi", write_eoi, write_eoi_without },
		{ "tsc_deadline", write_deadline, write_deadline_without },
		{ "ioapic_read", read_ioapic, read_ioapic_without },
		{ "self_ipi", self_ipi, nothing },
	};

	interrupt_on(VECTOR_IPI, on_self_ipi);
	interrupts_enable();
	if (!apic_x2())
		die("bench needs x2APIC");
	apic_write(APIC_LVT_TIMER, APIC_LVT_DEADLINE | VECTOR_TIMER);
	for (u32 i = 0; i < ARRAY_SIZE(trips); i++)
		measure(trips[i].name, trips[i].trip, trips[i].without);
	measure_memory();
	interrupts_off();
	apic_set_mode(false);
	measure("lapic_read", read_lapic, read_lapic_without);
	say("bench: done\n");
}
