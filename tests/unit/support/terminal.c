/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/support/terminal.h"
#include "kernel/lib/check.h"
#include <string.h>

struct terminal terminal;

void terminal_clear(void)
{
	memset(&terminal, 0, sizeof(terminal));
}

static void show_byte(char byte)
{
	bool continues = ((u8)byte & 0xc0) == 0x80;

	if (byte == '\b') {
		CHECK(terminal.column > 0);
		terminal.column--;
	} else if (byte == '\n') {
		memset(terminal.cell, 0, sizeof(terminal.cell[0]) * terminal.used);
		terminal.used = 0;
		terminal.lines++;
	} else if (byte == '\r') {
		terminal.column = 0;
	} else if (continues && terminal.column > 0) {
		strncat(terminal.cell[terminal.column - 1], &byte, strlen(terminal.cell[terminal.column - 1]) < 4);
	} else {
		CHECK(terminal.column < TERMINAL_COLUMNS);
		memset(terminal.cell[terminal.column], 0, 5);
		terminal.cell[terminal.column++][0] = byte;
		terminal.used = (u32)max_u64(terminal.used, terminal.column);
	}
}

void terminal_show(void *context, const char *bytes, u32 count)
{
	(void)context;
	terminal.echo += count;
	for (u32 i = 0; i < count; i++)
		show_byte(bytes[i]);
}

const char *terminal_text(void)
{
	static char text[sizeof(terminal.cell)];
	u32 length = 0;

	for (u32 i = 0; i < terminal.used; i++)
		for (const char *byte = terminal.cell[i]; *byte; byte++)
			text[length++] = *byte;
	while (length && text[length - 1] == ' ')
		length--;
	text[length] = 0;
	return text;
}
