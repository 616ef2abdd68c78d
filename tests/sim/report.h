/* SPDX-License-Identifier: BSD-2-Clause */
/* What an experiment leaves behind: build/sim/NAME.csv, and lines that end with its claim. */
#pragma once
#include "kernel/lib/types.h"

/* NAME.csv in the folder that the command line names; `columns` is its first line. */
void report_begin(const char *name, int argc, char **argv, const char *columns);
void report_row(const char *text, ...) PRINTF(1, 2);
void report_note(const char *text, ...) PRINTF(1, 2);
/* The closing line; returns what main returns. */
int report_claim(bool holds, const char *text, ...) PRINTF(2, 3);
