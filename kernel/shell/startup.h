/* SPDX-License-Identifier: BSD-2-Clause */
/* The startup file: console commands, one a line, run as if they were typed.  Empty lines and lines that begin with # or ; are passed over. */
#pragma once
#include "kernel/shell/line.h"

struct startup {
	const char *at, *end; /* in the module; equal: nothing left */
	char line[LINE_BYTES + 1];
};

void startup_begin(struct startup *startup, const char *path); /* a missing file is a line in the log */
char *startup_next(struct startup *startup);                   /* the next command, to be cut up; NULL: none */
void startup_end(struct startup *startup);
