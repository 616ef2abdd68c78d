/* SPDX-License-Identifier: BSD-2-Clause */
/* Says hello, repeats each line typed on COM1; `quit` powers off, `tsc` tells the time. */
#include "tests/guests/lib/guest.h"
#include <string.h>

void guest_main(void)
{
	char line[512];

	say("hello: %llu KiB, tsc %llu kHz, command line \"%s\"\n", guest_memory_bytes() >> 10, tsc_hz / 1000, guest_cmdline);
	say("hello: ready\n");
	interrupts_enable();
	for (;;) {
		console_line(line, sizeof(line));
		if (strcmp(line, "quit") == 0)
			break;
		if (strcmp(line, "tsc") == 0)
			say("tsc: %llu\n", rdtsc());
		else
			say("echo: %s\n", line);
	}
	say("hello: bye\n");
	power_off();
}
