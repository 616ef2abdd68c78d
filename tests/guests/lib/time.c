/* SPDX-License-Identifier: BSD-2-Clause */
/* The TSC's rate against channel 2 of the 8254, and waiting. */
#include "tests/guests/lib/guest.h"

enum {
	PIT_HZ = 1193182,
	PIT_CHANNEL2 = 0x42,
	PIT_COMMAND = 0x43,
	PIT_GATE = 0x61, /* bit 0 gate of channel 2, bit 1 speaker, bit 5 its output */
	CALIBRATE_TICKS = PIT_HZ / 100,
	APIC_DIVIDE_BY_16 = 3,
};

u64 tsc_hz;
static u64 apic_timer_hz; /* with its divider at 16 */
static volatile u32 timer_fired;

u64 pit_measure(u32 pit_ticks)
{
	port_out8(PIT_GATE, (port_in8(PIT_GATE) & 0xfc) | 1);
	port_out8(PIT_COMMAND, 0xb0); /* channel 2, low and high byte, mode 0 */
	port_out8(PIT_CHANNEL2, (u8)pit_ticks);
	port_out8(PIT_CHANNEL2, (u8)(pit_ticks >> 8));
	u64 begin = rdtsc();
	while (!(port_in8(PIT_GATE) & 0x20))
		;
	return rdtsc() - begin;
}

void wait_us(u64 us)
{
	for (u64 end = rdtsc() + tsc_hz / 1000000 * us; rdtsc() < end;)
		cpu_pause();
}

void timer_arm(u64 us)
{
	if (cpu_has(FEATURE_TSC_DEADLINE)) {
		apic_deadline(us ? rdtsc() + tsc_hz / 1000000 * us : 0);
		return;
	}
	apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_16);
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
	apic_write(APIC_TIMER_INITIAL, (u32)(us * apic_timer_hz / 1000000));
}

static void timer(struct frame *frame)
{
	(void)frame;
	timer_fired = 1;
	apic_eoi();
}

bool wait_flag(const volatile u32 *flag, u64 us)
{
	interrupts_off();
	interrupt_on(VECTOR_TIMER, timer);
	timer_fired = 0;
	timer_arm(us);
	while (!*flag && !timer_fired)
		cpu_halt_until_interrupt();
	timer_arm(0);
	interrupts_enable();
	return *flag;
}

void time_init(void)
{
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_16);
	apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
	tsc_hz = pit_measure(CALIBRATE_TICKS) * PIT_HZ / CALIBRATE_TICKS;
	apic_timer_hz = (u64)(UINT32_MAX - apic_read(APIC_TIMER_CURRENT)) * PIT_HZ / CALIBRATE_TICKS;
	apic_write(APIC_TIMER_INITIAL, 0);
}
