/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/lib/format.h"
#include "tests/guests/lib/guest.h"
#include <string.h>

const char *detail(const char *text, ...)
{
	static char buffer[200];
	va_list arguments;

	va_start(arguments, text);
	format_va(buffer, sizeof(buffer), text, arguments);
	va_end(arguments);
	return buffer;
}

void promises_run(const char *guest, const struct promise *list, u32 count)
{
	u32 kept = 0, broken = 0, skipped = 0;

	for (u32 i = 0; i < count; i++) {
		const char *what = list[i].check();

		if (!what) {
			kept++;
			say("ok %s\n", list[i].name);
		} else if (strncmp(what, "skip: ", 6) == 0) {
			skipped++;
			say("skip %s: %s\n", list[i].name, what + 6);
		} else {
			broken++;
			say("not ok %s: %s\n", list[i].name, what);
		}
	}
	say("%s: %u ok, %u not ok, %u skipped\n", guest, kept, broken, skipped);
}
