/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/timer.h"
#include "kernel/core/machine.h"
#include "kernel/lib/check.h"
#include "kernel/lib/log.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/irq.h"
#include "kernel/x86/tsc.h"

enum { FRACTION_BITS = 32, NS_PER_MS = 1000000, US_PER_MS = 1000 };

u64 tsc_khz;
static u64 start_tsc;
static u64 ns_per_tick, ticks_per_ns; /* fixed point, FRACTION_BITS */

static u64 scale(u64 value, u64 factor)
{
	return (u64)((unsigned __int128)value * factor >> FRACTION_BITS);
}

u64 time_tsc(void)
{
	return rdtsc();
}

u64 time_tsc_to_ns(u64 ticks)
{
	return scale(ticks, ns_per_tick);
}

u64 time_ns_to_tsc(u64 ns)
{
	return scale(ns, ticks_per_ns);
}

u64 time_ns(void)
{
	return time_tsc_to_ns(rdtsc() - start_tsc);
}

void timer_program(u64 deadline_tsc)
{
	apic_timer_at(deadline_tsc);
}

void time_wait_us(u64 us)
{
	u64 end = rdtsc() + us * tsc_khz / US_PER_MS;

	CHECK(tsc_khz != 0);
	while (rdtsc() < end)
		cpu_pause();
}

void time_begin(void)
{
	start_tsc = rdtsc();
}

void time_init(void)
{
	struct tsc_rate rate;
	struct tsc_sources sources = {
		.pm_timer_port = machine_acpi.pm_timer_port,
		.pm_timer_wide = machine_acpi.pm_timer_wide,
		.hpet_base = machine_acpi.hpet_base,
	};

	tsc_calibrate(&sources, &rate);
	CHECK(rate.khz != 0 && rate.tsc != 0);
	tsc_khz = rate.khz;
	ns_per_tick = ((u64)NS_PER_MS << FRACTION_BITS) / tsc_khz;
	ticks_per_ns = (tsc_khz << FRACTION_BITS) / NS_PER_MS;
	apic_counter_calibrated(rate.apic_ticks, rate.tsc);
	irq_set_handler(IRQ_TIMER, timer_interrupt);
	log_line("tsc: %llu kHz by the %s%s; timer: %s", tsc_khz, rate.source,
		 rate.agreed ? "" : " (measurements differ by more than 0.1 %)",
		 cpu_has(FEATURE_TSC_DEADLINE) ? "TSC deadline" : "one-shot");
	if (!cpu_has(FEATURE_INVARIANT_TSC))
		log_line("tsc: this processor does not promise that it runs at one rate");
}

void time_init_cpu(void)
{
	apic_timer_init();
}
