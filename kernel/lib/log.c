/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/lib/log.h"
#include "kernel/lib/format.h"

enum { LINE_BYTES = 320 };

void log_line(const char *text, ...)
{
	char line[LINE_BYTES];
	va_list arguments;

	va_start(arguments, text);
	u32 bytes = format_va(line, sizeof(line), text, arguments);
	va_end(arguments);
	log_write(line, bytes);
}
