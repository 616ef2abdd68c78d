/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/support/pc_hostile.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MOST_CALLS = 40, SOURCES = 3 + PC_MAX_VCPUS, FASTEST_NS = 100000, DAY_SECONDS = 86400 };

/* One draw in a full expression: in what order its operands are evaluated, compilers do not agree. */
u32 (*pc_hostile_draw)(u32 bytes);
static u64 tsc_khz;

static u32 below(u32 limit)
{
	return pc_hostile_draw(limit <= UINT8_MAX + 1 ? 1 : limit <= UINT16_MAX + 1 ? 2 : 4) % limit;
}

static u32 any32(void)
{
	return pc_hostile_draw(4);
}

static u64 any64(void)
{
	u64 value = any32();

	value = value << 32 ^ any32();

	return value >> below(64);
}

static u32 any_vcpu(void)
{
	return below(pc->vcpus);
}

static u32 any_size(void)
{
	return 1U << below(3);
}

/* Mostly ports that are somebody's. */
static u16 any_port(void)
{
	static const u16 ports[] = { 0x20,  0x21,  0xa0,  0xa1,  0x4d0, 0x4d1, 0x40,  0x41,  0x42,  0x43,  0x61,  0x64,
				     0x70,  0x71,  0x92,  0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x3ff, 0x600,
				     0x602, 0x604, 0x608, 0xcf8, 0xcf9, 0xcfc, 0xcfd, 0x43,  0x40,  0x71,  0x71,  0x70 };

	if (below(20) == 0)
		return (u16)pc_hostile_draw(2);
	u16 port = ports[below(ARRAY_SIZE(ports))];

	return (u16)(port + (below(10) == 0 ? below(4) : 0));
}

static u64 any_address(void)
{
	static const u64 pages[] = { 0xfee00000, IOAPIC_BASE, PCI_ECAM_BASE,    PCI_WINDOW_BASE, PC_LOW_MEMORY_END - 4096,
				     0xfffff000, 1ULL << 40,  UINT64_MAX - 4095 };
	u64 page = pages[below(4) ? below(3) : below(ARRAY_SIZE(pages))];

	if (page == IOAPIC_BASE)
		return page + (below(4) ? below(5) * 16 : below(4096));
	return page + (below(4) ? below(64) * 16 : below(4096));
}

static u32 any_msr(void)
{
	static const u32 msrs[] = { 0x1b, 0x6e0, 0x808, 0x80b, 0x80f, 0x828, 0x830, 0x832, 0x835, 0x838, 0x839, 0x83e, 0x83f };

	return below(4) ? msrs[below(ARRAY_SIZE(msrs))] : 0x800 + below(0x41);
}

static u64 any_msr_value(u32 msr)
{
	if (msr == 0x6e0 && below(2))
		return fake.now + below(1000000);
	if (msr == 0x1b && below(4))
		return 0xfee00000 | (u64)below(4) << 10;
	if (msr == 0x80f && below(2))
		return SVR_ENABLE | 0xff;
	return below(3) ? any64() : any32() & any32();
}

/* ---- what can happen ---- */

static void port(void)
{
	u16 number = any_port();
	bool reads = below(3) == 0;
	u32 vcpu = any_vcpu(), size = any_size();

	if (reads)
		(void)pc_port_read(pc, vcpu, number, size);
	else
		pc_port_write(pc, vcpu, number, size, any32());
}

static void memory(void)
{
	gpa_t address = { any_address() };

	bool reads = below(2);
	u32 vcpu = any_vcpu(), size = 1U << below(4);

	if (reads)
		(void)pc_mmio_read(pc, vcpu, address, size);
	else
		pc_mmio_write(pc, vcpu, address, size, any64());
}

static void model_specific(void)
{
	u32 msr_number = any_msr();
	bool reads = below(3) == 0;
	u32 vcpu = any_vcpu();
	u64 value = reads ? 0 : any_msr_value(msr_number);
	err_t error = reads ? pc_msr_read(pc, vcpu, msr_number, &value) : pc_msr_write(pc, vcpu, msr_number, value);

	assert_true(error == OK || error == E_INVALID);
}

/* One that works: so that interrupts arrive and are ended among all the nonsense. */
static void sensible(void)
{
	u32 vcpu = any_vcpu();

	if (below(3) == 0) {
		u32 pin = below(IOAPIC_PINS), vector = 0x20 + below(0xd0);
		u64 level = below(2), target = below(pc->vcpus);

		fake_ioapic_set(pin, vector + level * BIT(15) + target * BIT(56));
		return;
	}
	(void)pc_msr_write(pc, vcpu, 0x1b, 0xfee00000 | LAPIC_BASE_ENABLE);
	(void)pc_msr_write(pc, vcpu, 0x1b, 0xfee00000 | LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC);
	(void)pc_msr_write(pc, vcpu, 0x80f, SVR_ENABLE | 0xff);
	(void)pc_msr_write(pc, vcpu, 0x832, below(3) << LVT_TIMER_SHIFT | 0xe0);
	(void)pc_msr_write(pc, vcpu, 0x838, 1 + below(1000000));
}

static void processor(void)
{
	u32 vcpu = any_vcpu();

	switch (below(4)) {
	case 0:
		pc_set_cr8(pc, vcpu, (u8)below(16));
		break;
	case 1:
		pc_set_lapic_state(pc, vcpu, below(4) != 0);
		break;
	default:
		if (pc_interrupt_ack(pc, vcpu) >= 0 && below(2))
			(void)pc_msr_write(pc, vcpu, 0x80b, 0);
		break;
	}
	assert_true(pc_get_cr8(pc, vcpu) <= 15);
}

static void host(void)
{
	switch (below(3)) {
	case 0:
		pc_power_button(pc);
		break;
	case 1:
		fake_type("abc");
		break;
	default: /* a timer that comes early, or late and twice */
		pc_timers(pc, any_vcpu(), fake.now);
		break;
	}
}

static u64 ticks_of_ns(u64 ns)
{
	return ns * tsc_khz / 1000000;
}

/* However fast a guest lets its timers run, each source comes at most every 100 µs, plus once for each change of its programme. */
static void pass(void)
{
	u32 ns = below(2) ? below(10000) : below(20000000), before = fake.timer_calls;

	fake_run(ticks_of_ns(ns));
	assert_in_range(fake.timer_calls - before, 0, SOURCES * (ns / FASTEST_NS + 2));
}

static void sleep_long(void)
{
	u32 before = fake.timer_calls;

	fake_skip(ticks_of_ns((1 + below(365)) * (DAY_SECONDS * 1000000000ULL)));
	assert_in_range(fake.timer_calls - before, 0, 2 * SOURCES);
}

static u64 host_calls(void)
{
	u64 calls = 0;

	for (u32 i = 0; i < PC_MAX_VCPUS; i++)
		calls += fake.deadline_calls[i] + fake.interrupts[i] + fake.nmis[i] + fake.inits[i] + fake.sipis[i];
	return calls;
}

static void (*const deeds[])(void) = { port,           port,           port,     port,      memory, memory,
				       model_specific, model_specific, sensible, processor, host };

void pc_hostile_step(void)
{
	u64 before = host_calls();

	deeds[below(ARRAY_SIZE(deeds))]();
	assert_true(host_calls() - before <= MOST_CALLS);
	fake_audit();
	if (below(8) == 0)
		pass();
	else if (below(400) == 0)
		sleep_long();
	else if (below(1000) == 0)
		pc_reset(pc);
	fake_audit();
}

void pc_hostile_reset_works(void)
{
	pc_reset(pc);
	fake_audit();
	fake_x2apic();
	fake_ioapic_set(2, 0x40);
	out8(0x43, 0x34);
	out8(0x40, 11932 & 0xff);
	out8(0x40, 11932 >> 8);
	fake_run(ticks_of_ns(10100000));
	assert_int_equal(fake_take(0), 0x40);
	fake.output_bytes = 0;
	out8(PC_COM1, 'k');
	assert_int_equal(fake.output[0], 'k');
}

void pc_hostile_begin(u32 vcpus, u64 khz)
{
	tsc_khz = khz;
	fake_pc_khz(vcpus, khz);
}
