/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/support/pc_fake.h"
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct pc_fake fake;
struct pc *pc;

enum { RUN_LIMIT = 1000000 };

static u64 fake_tsc(void *vm)
{
	assert_ptr_equal(vm, &fake);
	return __atomic_load_n(&fake.now, __ATOMIC_RELAXED);
}

static void fake_deadline(void *vm, u32 vcpu, u64 tsc)
{
	assert_ptr_equal(vm, &fake);
	assert_true(vcpu < PC_MAX_VCPUS);
	if (fake.yields)
		sched_yield();
	__atomic_store_n(&fake.deadline[vcpu], tsc, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&fake.deadline_calls[vcpu], 1, __ATOMIC_SEQ_CST);
}

static void fake_interrupt(void *vm, u32 vcpu)
{
	(void)vm;
	__atomic_fetch_add(&fake.interrupts[vcpu], 1, __ATOMIC_SEQ_CST);
}

static void fake_nmi(void *vm, u32 vcpu)
{
	(void)vm;
	__atomic_fetch_add(&fake.nmis[vcpu], 1, __ATOMIC_SEQ_CST);
}

static void fake_init(void *vm, u32 vcpu)
{
	(void)vm;
	__atomic_fetch_add(&fake.inits[vcpu], 1, __ATOMIC_SEQ_CST);
}

static void fake_sipi(void *vm, u32 vcpu, u8 vector)
{
	(void)vm;
	fake.sipis[vcpu]++;
	fake.sipi_vector[vcpu] = vector;
}

static void fake_put(void *vm, u8 byte)
{
	(void)vm;
	fake.output[fake.output_bytes++ % FAKE_CONSOLE_BYTES] = byte;
}

static bool fake_take_byte(void *vm, u8 *byte)
{
	(void)vm;
	if (fake.input_first == fake.input_end)
		return false;
	*byte = fake.input[fake.input_first++ % FAKE_CONSOLE_BYTES];
	return true;
}

static void fake_power(void *vm, enum pc_power what)
{
	(void)vm;
	if (what == PC_POWER_OFF)
		fake.power_offs++;
	else
		fake.resets++;
}

static const struct bus_host host = {
	.tsc = fake_tsc,
	.deadline = fake_deadline,
	.interrupt = fake_interrupt,
	.nmi = fake_nmi,
	.init = fake_init,
	.sipi = fake_sipi,
	.console_put = fake_put,
	.console_take = fake_take_byte,
	.power = fake_power,
};

void fake_pc_khz(u32 vcpus, u64 tsc_khz)
{
	struct pc_config config = {
		.vm = &fake,
		.host = &host,
		.vcpus = vcpus,
		.tsc_khz = tsc_khz,
		.memory_bytes = 128 << 20,
		.rtc_unix_seconds = 1700000000, /* 2023-11-14 22:13:20, a Tuesday */
	};

	memset(&fake, 0, sizeof(fake));
	free(pc);
	pc = aligned_alloc(64, (pc_bytes() + 63) / 64 * 64);
	assert_non_null(pc);
	memset(pc, 0, pc_bytes());
	pc_init(pc, &config);
}

int fake_pc_free(void **state)
{
	(void)state;
	free(pc);
	pc = NULL;
	return 0;
}

void fake_pc(u32 vcpus)
{
	fake_pc_khz(vcpus, FAKE_TSC_KHZ);
}

/* The host forgets a deadline when it fires, so a PC that does not announce the next one loses it. */
static bool fire_next(u64 limit)
{
	u32 best = PC_MAX_VCPUS;

	for (u32 i = 0; i < pc->vcpus; i++)
		if (fake.deadline[i] && fake.deadline[i] <= limit &&
		    (best == PC_MAX_VCPUS || fake.deadline[i] < fake.deadline[best]))
			best = i;
	if (best == PC_MAX_VCPUS)
		return false;
	fake.now = max_u64(fake.now, fake.deadline[best]);
	fake.deadline[best] = 0;
	fake.timer_calls++;
	pc_timers(pc, best, fake.now);
	return true;
}

void fake_run_to(u64 tsc)
{
	for (u32 i = 0; fire_next(tsc); i++)
		assert_true(i < RUN_LIMIT);
	fake.now = max_u64(fake.now, tsc);
}

void fake_run(u64 ticks)
{
	fake_run_to(fake.now + ticks);
}

void fake_skip(u64 ticks)
{
	fake.now += ticks;
	fake_run_to(fake.now);
}

void fake_type(const char *text)
{
	while (*text)
		fake.input[fake.input_end++ % FAKE_CONSOLE_BYTES] = (u8)*text++;
	pc_console_input(pc);
}

void fake_audit(void)
{
	const char *broken = pc_audit(pc);

	if (broken)
		fail_msg("%s", broken);
}

u64 msr(u32 vcpu, u32 number)
{
	u64 value = 0;

	assert_int_equal(pc_msr_read(pc, vcpu, number, &value), OK);
	return value;
}

void msr_set(u32 vcpu, u32 number, u64 value)
{
	assert_int_equal(pc_msr_write(pc, vcpu, number, value), OK);
}

bool msr_refused(u32 vcpu, u32 number, u64 value)
{
	return pc_msr_write(pc, vcpu, number, value) == E_INVALID;
}

void fake_x2apic(void)
{
	for (u32 i = 0; i < pc->vcpus; i++) {
		msr_set(i, 0x1b, msr(i, 0x1b) | LAPIC_BASE_X2APIC);
		msr_set(i, 0x80f, SVR_ENABLE | 0xff);
	}
}

void fake_ioapic_set(u32 pin, u64 entry)
{
	mmio32_set(IOAPIC_BASE, 0x11 + 2 * pin);
	mmio32_set(IOAPIC_BASE + 0x10, (u32)(entry >> 32));
	mmio32_set(IOAPIC_BASE, 0x10 + 2 * pin);
	mmio32_set(IOAPIC_BASE + 0x10, (u32)entry);
}

u64 fake_ioapic_get(u32 pin)
{
	mmio32_set(IOAPIC_BASE, 0x11 + 2 * pin);
	u64 high = mmio32(IOAPIC_BASE + 0x10);

	mmio32_set(IOAPIC_BASE, 0x10 + 2 * pin);
	return high << 32 | mmio32(IOAPIC_BASE + 0x10);
}

int fake_take(u32 vcpu)
{
	int vector = pc_interrupt_ack(pc, vcpu);

	if (vector >= 0)
		msr_set(vcpu, 0x80b, 0);
	return vector;
}
