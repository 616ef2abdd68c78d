/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/report.h"
#include "kernel/lib/check.h"
#include <stdarg.h>
#include <stdio.h>

static const char *experiment;
static FILE *csv;

static void line_of(FILE *to, const char *text, va_list values)
{
	vfprintf(to, text, values);
	fputc('\n', to);
}

void report_begin(const char *name, int argc, char **argv, const char *columns)
{
	char path[200];

	experiment = name;
	snprintf(path, sizeof(path), "%s/%s.csv", argc > 1 ? argv[1] : "build/sim", name);
	csv = fopen(path, "w");
	if (!csv)
		perror(path);
	CHECK(csv);
	fprintf(csv, "%s\n", columns);
}

void report_row(const char *text, ...)
{
	va_list values;

	va_start(values, text);
	line_of(csv, text, values);
	va_end(values);
}

void report_note(const char *text, ...)
{
	va_list values;

	va_start(values, text);
	line_of(stdout, text, values);
	va_end(values);
}

int report_claim(bool holds, const char *text, ...)
{
	bool written = fclose(csv) == 0;
	va_list values;

	CHECK(written);
	printf("%s %s: ", holds ? "holds" : "FAILS", experiment);
	va_start(values, text);
	line_of(stdout, text, values);
	va_end(values);
	return !holds;
}
