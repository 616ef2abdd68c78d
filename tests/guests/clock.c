/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest sees of its time: `look` tells the paravirtual clock, the TSC, and whether the guest was stopped since the last look. */
#include "tests/guests/lib/guest.h"
#include <string.h>

void guest_main(void)
{
	char line[64];

	if (!pvclock_is_there())
		die("no paravirtual clock");
	pvclock_register(0);
	say("clock: ready\n");
	interrupts_enable();
	for (u32 looks = 1;; looks++) {
		do
			console_line(line, sizeof(line));
		while (strcmp(line, "look") != 0);
		say("clock: look %u, ns %llu, tsc %llu, %s\n", looks, pvclock_ns(0), rdtsc(),
		    pvclock_was_stopped(0) ? "stopped" : "not stopped");
	}
}
