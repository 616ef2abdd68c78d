/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast the TSC really runs, against a clock of known rate: CPUID leaves 15H and 16H are not believed (docs: emulators lie there). */
#pragma once
#include "kernel/lib/types.h"

struct tsc_sources {
	u16 pm_timer_port;  /* ACPI, 0: none */
	bool pm_timer_wide; /* 32 bits instead of 24 */
	u64 hpet_base;      /* 0: none */
			    /* the 8254 is tried last; no table tells whether it is there */
};

struct tsc_rate {
	u64 khz;             /* 0: no clock answered */
	u64 apic_ticks, tsc; /* local APIC counter ticks during that many TSC ticks */
	const char *source;
	bool agreed; /* two measurements differed by less than 0.1 % */
};

/* Takes about 50 ms; bounded also when a clock stands still. The local APIC must be enabled. */
void tsc_calibrate(const struct tsc_sources *sources, struct tsc_rate *rate);
