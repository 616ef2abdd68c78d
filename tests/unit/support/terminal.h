/* SPDX-License-Identifier: BSD-2-Clause */
/* A terminal of one endless line: characters overwrite, \b moves left, CR LF begins a new line, a UTF-8 sequence takes one column. */
#pragma once
#include "kernel/lib/types.h"

enum { TERMINAL_COLUMNS = 2048 };

struct terminal {
	char cell[TERMINAL_COLUMNS][5];
	u32 column, used, lines;
	u32 echo; /* bytes shown, ever */
};
extern struct terminal terminal;

void terminal_clear(void);
void terminal_show(void *context, const char *bytes, u32 count);
/* What it shows, without blanks at the end. */
const char *terminal_text(void);
