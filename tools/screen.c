/* SPDX-License-Identifier: BSD-2-Clause */
/* What a screen of COLUMNS x ROWS characters shows after the bytes of its standard input, as a PGM picture: by the kernel's own code. */
#include "drivers/painter.h"
#include <stdio.h>
#include <stdlib.h>

enum { WIDTH = 8, HEIGHT = 16, BUDGET = 8000 };

/* What the kernel's sources call up for. */
void check_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, what);
	abort();
}

static struct painter painter;
static struct terminal terminal;

int main(int argc, char **argv)
{
	u32 columns = argc == 3 ? (u32)atoi(argv[1]) : 0;
	u32 rows = argc == 3 ? (u32)atoi(argv[2]) : 0;

	if (columns == 0 || columns > TERMINAL_MAX_COLUMNS || rows == 0 || rows > TERMINAL_MAX_ROWS) {
		fprintf(stderr, "usage: screen COLUMNS ROWS < BYTES > PICTURE.pgm\n");
		return 2;
	}
	u32 width = columns * WIDTH, height = rows * HEIGHT;
	u32 *pixels = calloc((size_t)width * height, sizeof(*pixels));

	if (!pixels || !painter_init(&painter, pixels, width, height, width))
		return 1;
	terminal_init(&terminal, columns, rows);
	for (int byte; (byte = getchar()) != EOF;)
		terminal_feed(&terminal, &(u8){ (u8)byte }, 1);
	while (painter_step(&painter, &terminal, BUDGET))
		;
	printf("P5\n%u %u\n255\n", width, height);
	for (size_t i = 0; i < (size_t)width * height; i++)
		putchar((int)(pixels[i] & 0xff));
	return ferror(stdout) != 0;
}
