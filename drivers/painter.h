/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Draws a terminal's cells on pixels of 32 bits: only those that differ from what is shown, within a budget, so that a step stays short
 * however much has changed.  The colours are greys: nobody needs to know in which order a pixel holds red, green and blue.
 */
#pragma once
#include "drivers/terminal.h"

struct font {
	u32 width, height;
	const u16 *rows; /* of one character after the other, from the blank on; the leftmost pixel is the highest bit */
};

struct painter {
	u32 *pixels;
	u32 stride; /* pixels from one line to the next */
	const struct font *font;
	u32 columns, rows;         /* what fits, and a terminal may have */
	u32 next_row, next_column; /* where to go on */
	u8 shown[TERMINAL_MAX_ROWS][TERMINAL_MAX_COLUMNS];
};

enum { PAINTER_LIGHT = 0xb0b0b0, PAINTER_DARK = 0 };

/* Choose the font and blank the screen. False: not even one character fits. */
bool painter_init(struct painter *painter, u32 *pixels, u32 width, u32 height, u32 stride);
/* Draw what has changed, in about `budget` instructions. True: there is more. */
bool painter_step(struct painter *painter, struct terminal *terminal, u32 budget);
