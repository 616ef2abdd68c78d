/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/tsc.h"
#include "kernel/lib/check.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/paging.h"

enum {
	PM_HZ = 3579545,
	PIT_HZ = 1193182,
	PIT_CHANNEL2 = 0x42,
	PIT_COMMAND = 0x43,
	PIT_LATCH2 = 0x80,
	PIT_RATE2 = 0xb4, /* channel 2, both bytes, mode 2 */
	PORT_B = 0x61,
	PORT_B_GATE2 = 1,
	PORT_B_SPEAKER = 2,
	HPET_BYTES = 0x100,
	HPET_PERIOD = 0x04 / 4, /* femtoseconds */
	HPET_CONFIG = 0x10 / 4,
	HPET_COUNTER = 0xf0 / 4,
	WINDOWS_PER_SECOND = 50, /* a window of 20 ms: the 8254 wraps after 54 */
	SAMPLES = 8,
	STILL_READS = 100000,
	ATTEMPTS = 6,
	AGREE = 1000,
};

/* A clock that counts up through `mask` at `hz`. */
struct reference {
	const char *name;
	u32 (*read)(void);
	u64 hz;
	u32 mask;
};

static u16 pm_port;
static volatile u32 *hpet;

static u32 pm_read(void)
{
	return port_in32(pm_port);
}

static u32 hpet_read(void)
{
	return hpet[HPET_COUNTER];
}

static u32 pit_read(void)
{
	port_out8(PIT_COMMAND, PIT_LATCH2);
	u32 low = port_in8(PIT_CHANNEL2);
	u32 high = port_in8(PIT_CHANNEL2);

	return 0x10000 - (high << 8 | low);
}

static void pit_start(void)
{
	port_out8(PORT_B, (u8)((port_in8(PORT_B) & ~PORT_B_SPEAKER) | PORT_B_GATE2));
	port_out8(PIT_COMMAND, PIT_RATE2);
	port_out8(PIT_CHANNEL2, 0);
	port_out8(PIT_CHANNEL2, 0);
}

static u64 hpet_start(u64 base)
{
	hpet = paging_map_device(base, HPET_BYTES, PAGING_UNCACHED);
	hpet[HPET_CONFIG] |= 1;
	return hpet[HPET_PERIOD] ? 1000000000000000ULL / hpet[HPET_PERIOD] : 0;
}

struct moment {
	u64 tsc;
	u32 clock;
};

/* Both clocks at one moment: of a few tries the one that nothing delayed. */
static struct moment sample(const struct reference *reference)
{
	struct moment best = { 0, 0 };
	u64 shortest = UINT64_MAX;

	for (u32 i = 0; i < SAMPLES; i++) {
		u64 before = rdtsc();
		u32 clock = reference->read();
		u64 after = rdtsc();

		if (after - before >= shortest)
			continue;
		shortest = after - before;
		best = (struct moment){ before + shortest / 2, clock };
	}
	return best;
}

/* Returns kHz, 0 if the clock stands still. */
static u64 measure(const struct reference *reference, struct tsc_rate *rate)
{
	u64 window = reference->hz / WINDOWS_PER_SECOND;
	struct moment start = sample(reference);
	u32 counter = apic_counter();
	u32 last = start.clock;

	for (u32 still = 0; ((last - start.clock) & reference->mask) < window; still++) {
		u32 now = reference->read();

		if (now != last)
			still = 0;
		if (still > STILL_READS)
			return 0;
		last = now;
	}
	rate->apic_ticks = counter - apic_counter();
	struct moment end = sample(reference);

	rate->tsc = end.tsc - start.tsc;
	u64 clock = (end.clock - start.clock) & reference->mask;
	CHECK(clock >= window);
	return rate->tsc * reference->hz / clock / 1000;
}

static bool calibrate(const struct reference *reference, struct tsc_rate *rate)
{
	u64 previous = 0;

	for (u32 i = 0; i < ATTEMPTS; i++) {
		rate->khz = measure(reference, rate);
		if (rate->khz == 0)
			return false;
		u64 difference = max_u64(rate->khz, previous) - min_u64(rate->khz, previous);

		rate->agreed = difference < rate->khz / AGREE;
		if (rate->agreed)
			break;
		previous = rate->khz;
	}
	rate->source = reference->name;
	return true;
}

void tsc_calibrate(const struct tsc_sources *sources, struct tsc_rate *rate)
{
	struct reference pm = { "ACPI PM timer", pm_read, PM_HZ, sources->pm_timer_wide ? UINT32_MAX : 0xffffff };
	struct reference timer8254 = { "8254", pit_read, PIT_HZ, 0xffff };

	*rate = (struct tsc_rate){ 0 };
	apic_counter_start();
	pm_port = sources->pm_timer_port;
	if (pm_port && calibrate(&pm, rate))
		return;
	if (sources->hpet_base) {
		struct reference counter = { "HPET", hpet_read, hpet_start(sources->hpet_base), UINT32_MAX };

		if (counter.hz && calibrate(&counter, rate))
			return;
	}
	pit_start();
	if (!calibrate(&timer8254, rate))
		rate->khz = 0;
}
