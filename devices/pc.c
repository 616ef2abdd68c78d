/* SPDX-License-Identifier: BSD-2-Clause */
/* The PC as a whole: power-on and reset, its interrupt lines, and one deadline per vCPU for the host. */
#include "devices/pc.h"
#include <string.h>

enum {
	PIT_HZ = 1193182,
	RTC_HZ = 32768,
	PM_HZ = 3579545,
	IOAPIC_PIN_PIT = 2, /* the MADT's override: pin 0 is where boards wire the 8259's output, here nothing */
	ANNOUNCE_TRIES = 16,
};

/* Deadlines later than this (36 years at 4 GHz) are never: the host can add its offset to any other without overflow. */
#define FOREVER BIT(62)

size_t pc_bytes(void)
{
	return sizeof(struct pc);
}

void pc_init(struct pc *pc, const struct pc_config *config)
{
	CHECK(config->host && config->vcpus >= 1 && config->vcpus <= PC_MAX_VCPUS);
	CHECK(config->tsc_khz > 0);
	memset(pc, 0, sizeof(*pc));
	lock_init(&pc->lock, RANK_PC, "pc");
	pc->host = config->host;
	pc->vm = config->vm;
	pc->vcpus = config->vcpus;
	pc->tsc_khz = config->tsc_khz;
	pc->memory_bytes = config->memory_bytes;
	clock_init(&pc->apic_clock, PC_APIC_BUS_KHZ * 1000ULL, pc->tsc_khz);
	clock_init(&pc->pit_clock, PIT_HZ, pc->tsc_khz);
	clock_init(&pc->rtc_clock, RTC_HZ, pc->tsc_khz);
	clock_init(&pc->pm_clock, PM_HZ, pc->tsc_khz);
	ports_init(pc);
	rtc_power_on(pc, config->rtc_unix_seconds);
	pc_reset(pc);
}

void pc_reset(struct pc *pc)
{
	lock_acquire(&pc->lock);
	for (u32 i = 0; i < pc->vcpus; i++)
		lapic_reset(pc, i, false);
	ioapic_reset(pc);
	pic_reset(pc);
	pit_reset(pc);
	rtc_reset(pc);
	pc_uart_reset(pc);
	pm_reset(pc);
	reset_reset(pc);
	pc_pci_reset(pc);
	pc->chipset_deadline = PC_NEVER;
	lock_release(&pc->lock);
	for (u32 i = 0; i < pc->vcpus; i++)
		pc_announce(pc, i);
}

void pc_line(struct pc *pc, u32 irq, bool high)
{
	CHECK(lock_is_mine(&pc->lock));
	CHECK(irq < IOAPIC_PINS && irq != IRQ_CASCADE);
	u32 pin = irq == IRQ_PIT ? IOAPIC_PIN_PIT : irq;

	if ((pc->ioapic.lines >> pin & 1) == high)
		return; /* both controllers act on changes only */
	if (irq < PIC_LINES)
		pic_line(pc, irq, high);
	ioapic_line(pc, pin, high);
}

/* ---- deadlines ---- */

static u64 next_deadline(const struct pc *pc, u32 vcpu)
{
	u64 next = __atomic_load_n(&pc->lapic[vcpu].deadline, __ATOMIC_SEQ_CST);

	if (vcpu == 0)
		next = min_u64(next, __atomic_load_n(&pc->chipset_deadline, __ATOMIC_SEQ_CST));
	return next > FOREVER ? 0 : next;
}

/*
 * Two CPUs may announce for vCPU 0 at once (its own timer, and a device that another vCPU programs), and their calls to the host
 * may pass each other.  Whoever sees that the truth has moved since it told tells again, so the last word is the truth.  A guest
 * that moves its own deadlines without pause may get one late.
 */
static __attribute__((noinline)) void tell(struct pc *pc, u32 vcpu)
{
	u64 *told = &pc->lapic[vcpu].told;

	for (u32 tries = 0; tries < ANNOUNCE_TRIES; tries++) {
		u64 next = next_deadline(pc, vcpu);

		if (__atomic_exchange_n(told, next, __ATOMIC_SEQ_CST) != next || tries > 0)
			pc->host->deadline(pc->vm, vcpu, next);
		if (next_deadline(pc, vcpu) == next)
			return;
	}
}

/* What is told already needs no word: if the truth moves now, who moves it announces that. */
void pc_announce(struct pc *pc, u32 vcpu)
{
	if (__atomic_load_n(&pc->lapic[vcpu].told, __ATOMIC_SEQ_CST) != next_deadline(pc, vcpu))
		tell(pc, vcpu);
}

void pc_chipset_timers_moved(struct pc *pc)
{
	CHECK(lock_is_mine(&pc->lock));
	u64 next = min_u64(pc->pit.next, min_u64(pc->rtc.next, pc->pm.next));

	if (next == pc->chipset_deadline)
		return;
	__atomic_store_n(&pc->chipset_deadline, next, __ATOMIC_SEQ_CST);
	pc_announce(pc, 0);
}

void pc_timers(struct pc *pc, u32 vcpu, u64 now)
{
	CHECK(vcpu < pc->vcpus);
	/* The host's timer has fired: whatever was told is forgotten, so what is not due yet is told again. */
	__atomic_store_n(&pc->lapic[vcpu].told, 0, __ATOMIC_SEQ_CST);
	lapic_timer_run(pc, &pc->lapic[vcpu], now);
	if (vcpu == 0 && now >= __atomic_load_n(&pc->chipset_deadline, __ATOMIC_SEQ_CST)) {
		lock_acquire(&pc->lock);
		pit_run(pc, now);
		rtc_run(pc, now);
		pm_run(pc, now);
		pc_chipset_timers_moved(pc);
		lock_release(&pc->lock);
	}
	pc_announce(pc, vcpu);
}

/* ---- what the host does to the devices ---- */

void pc_power_button(struct pc *pc)
{
	lock_acquire(&pc->lock);
	pm_power_button(pc);
	lock_release(&pc->lock);
}

void pc_console_input(struct pc *pc)
{
	lock_acquire(&pc->lock);
	pc_uart_input(pc);
	lock_release(&pc->lock);
}

void pc_set_lapic_state(struct pc *pc, u32 vcpu, bool init)
{
	CHECK(vcpu < pc->vcpus);
	lapic_reset(pc, vcpu, init);
	pc_announce(pc, vcpu);
}
