/* SPDX-License-Identifier: BSD-2-Clause */
/* What lower layers call up for, on the host: a broken invariant aborts, the log is kept for a test to look at. */
#include "kernel/lib/check.h"
#include "kernel/lib/log.h"
#include "tests/unit/support/host.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char host_last_log[256];

void check_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, what);
	abort();
}

void log_write(const char *line, size_t bytes)
{
	size_t kept = bytes < sizeof(host_last_log) ? bytes : sizeof(host_last_log) - 1;

	memcpy(host_last_log, line, kept);
	host_last_log[kept] = 0;
}

u64 host_number(const char *name, u64 otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}
