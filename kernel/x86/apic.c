/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/apic.h"
#include "kernel/lib/check.h"
#include "kernel/lib/log.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/irq.h"
#include "kernel/x86/paging.h"

/* Register offsets in the xAPIC page; an x2APIC's MSR is MSR_X2APIC + offset / 16 (SDM vol. 3A, table 11-1 and 11-6). */
enum apic_register {
	APIC_ID = 0x020,
	APIC_TPR = 0x080,
	APIC_EOI = 0x0b0,
	APIC_SPURIOUS = 0x0f0,
	APIC_ESR = 0x280,
	APIC_ICR = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_LVT_ERROR = 0x370,
	APIC_TIMER_INITIAL = 0x380,
	APIC_TIMER_CURRENT = 0x390,
	APIC_TIMER_DIVIDE = 0x3e0,
};

#define APIC_BASE_X2 BIT(10)
#define APIC_BASE_ENABLE BIT(11)
#define APIC_BASE_ADDRESS 0x000ffffffffff000ULL

enum {
	SPURIOUS_ENABLE = 1 << 8,
	LVT_MASKED = 1 << 16,
	LVT_NMI = 4 << 8,
	TIMER_TSC_DEADLINE = 2 << 17,
	DIVIDE_BY_16 = 3,
	ICR_NMI = 4 << 8,
	ICR_INIT = 5 << 8,
	ICR_STARTUP = 6 << 8,
	ICR_BUSY = 1 << 12,
	ICR_ASSERT = 1 << 14,
	ICR_OTHERS = 3 << 18,
	ICR_SPINS = 1000000,
};

static bool x2;
static volatile u32 *page;
static bool deadline;
static u64 ticks_per_tsc; /* 32.32 fixed point */

static u32 reg_read(u32 reg)
{
	return x2 ? (u32)msr_read(MSR_X2APIC + reg / 16) : page[reg / 4];
}

static void reg_write(u32 reg, u32 value)
{
	if (x2)
		msr_write(MSR_X2APIC + reg / 16, value);
	else
		page[reg / 4] = value;
}

/* Reading needs a write first (SDM vol. 3A, 11.5.3). An error here is ours: a bad vector or register. */
static void apic_error(void)
{
	reg_write(APIC_ESR, 0);
	log_line("apic: CPU with APIC ID %u has error status 0x%x", apic_id(), reg_read(APIC_ESR));
}

void apic_init(void)
{
	u64 base = msr_read(MSR_APIC_BASE);

	CHECK(base & APIC_BASE_ENABLE);
	x2 = (base & APIC_BASE_X2) || cpu_has(FEATURE_X2APIC);
	if (!x2)
		page = paging_map_device(base & APIC_BASE_ADDRESS, PAGE_SIZE, PAGING_UNCACHED);
	irq_set_handler(IRQ_ERROR, apic_error);
}

void apic_enable(void)
{
	u64 base = msr_read(MSR_APIC_BASE);

	/* A CPU comes out of INIT with its APIC enabled; once off it may not come back (SDM vol. 3A, 11.4.3). */
	CHECK(base & APIC_BASE_ENABLE);
	if (x2)
		msr_write(MSR_APIC_BASE, base | APIC_BASE_X2);
	reg_write(APIC_SPURIOUS, SPURIOUS_ENABLE | IRQ_SPURIOUS);
	reg_write(APIC_LVT_TIMER, LVT_MASKED);
	reg_write(APIC_LVT_LINT0, LVT_MASKED);
	reg_write(APIC_LVT_LINT1, LVT_NMI);
	reg_write(APIC_LVT_ERROR, IRQ_ERROR);
	reg_write(APIC_TPR, 0);
}

bool apic_is_x2(void)
{
	return x2;
}

u32 apic_id(void)
{
	u32 id = reg_read(APIC_ID);

	return x2 ? id : id >> 24;
}

void apic_eoi(void)
{
	reg_write(APIC_EOI, 0);
}

/* ---- IPIs ---- */

/* WRMSR to an x2APIC does not wait for earlier stores (SDM vol. 3A, 11.12.3): whoever is told must see what was written for him. */
static void send(u32 id, u32 command)
{
	if (x2) {
		__asm__ volatile("mfence; lfence" : : : "memory");
		msr_write(MSR_X2APIC + APIC_ICR / 16, (u64)id << 32 | command);
		return;
	}
	CHECK(id <= 0xff);
	for (u32 spins = 0; page[APIC_ICR / 4] & ICR_BUSY; spins++) {
		CHECK(spins < ICR_SPINS);
		cpu_pause();
	}
	page[APIC_ICR_HIGH / 4] = id << 24;
	page[APIC_ICR / 4] = command;
}

void apic_ipi(u32 id, u32 vector)
{
	CHECK(vector >= IRQ_FIRST && vector <= 0xff);
	send(id, ICR_ASSERT | vector);
}

void apic_nmi(u32 id)
{
	send(id, ICR_ASSERT | ICR_NMI);
}

void apic_nmi_others(void)
{
	send(0, ICR_OTHERS | ICR_ASSERT | ICR_NMI);
}

void apic_init_ipi(u32 id)
{
	send(id, ICR_ASSERT | ICR_INIT);
}

void apic_start_ipi(u32 id, u32 start_page)
{
	CHECK(start_page < 0x100);
	send(id, ICR_ASSERT | ICR_STARTUP | start_page);
}

/* ---- timer ---- */

void apic_timer_init(void)
{
	deadline = cpu_has(FEATURE_TSC_DEADLINE);
	reg_write(APIC_TIMER_DIVIDE, DIVIDE_BY_16);
	reg_write(APIC_LVT_TIMER, (deadline ? TIMER_TSC_DEADLINE : 0) | IRQ_TIMER);
	/* The mode's switch must be seen before the first deadline is (SDM vol. 3A, 11.5.4.1). */
	__asm__ volatile("mfence" : : : "memory");
	apic_timer_at(0);
}

bool apic_timer_is_deadline(void)
{
	return deadline;
}

void apic_timer_at(u64 tsc)
{
	if (deadline) {
		msr_write(MSR_TSC_DEADLINE, tsc);
		return;
	}
	u64 now = rdtsc();
	u64 left = tsc > now ? tsc - now : 0;
	u64 ticks = (u64)((unsigned __int128)left * ticks_per_tsc >> 32) + 1;

	CHECK(ticks_per_tsc != 0);
	reg_write(APIC_TIMER_INITIAL, tsc == 0 ? 0 : (u32)min_u64(ticks, UINT32_MAX));
}

void apic_counter_start(void)
{
	reg_write(APIC_TIMER_DIVIDE, DIVIDE_BY_16);
	reg_write(APIC_TIMER_INITIAL, UINT32_MAX);
}

u32 apic_counter(void)
{
	return reg_read(APIC_TIMER_CURRENT);
}

void apic_counter_calibrated(u64 ticks, u64 tsc)
{
	CHECK(tsc != 0 && ticks < BIT(32));
	reg_write(APIC_TIMER_INITIAL, 0);
	ticks_per_tsc = (ticks << 32) / tsc;
}
