/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/painter.h"
#include "drivers/font.h"
#include <string.h>

/* About what looking at a row or a cell and drawing a pixel cost, in instructions. */
enum { ROW_COST = 15, CELL_COST = 13, PIXEL_COST = 6, CHARACTERS = TERMINAL_UNKNOWN - ' ' + 1 };

_Static_assert(ARRAY_SIZE(font_8x16) == CHARACTERS * 16, "printable ASCII and the sign for all else");
_Static_assert(ARRAY_SIZE(font_16x32) == CHARACTERS * 32, "likewise");

/* The first of the fonts, in rising size, with which the whole screen can be used. */
static const struct font *choose_font(u32 width, u32 height)
{
	for (u32 i = 0; i < ARRAY_SIZE(fonts); i++)
		if (width / fonts[i].width <= TERMINAL_MAX_COLUMNS && height / fonts[i].height <= TERMINAL_MAX_ROWS)
			return &fonts[i];
	return &fonts[ARRAY_SIZE(fonts) - 1];
}

bool painter_init(struct painter *painter, u32 *pixels, u32 width, u32 height, u32 stride)
{
	const struct font *font = choose_font(width, height);

	CHECK(stride >= width && pixels);
	painter->pixels = pixels;
	painter->stride = stride;
	painter->font = font;
	painter->columns = (u32)min_u64(width / font->width, TERMINAL_MAX_COLUMNS);
	painter->rows = (u32)min_u64(height / font->height, TERMINAL_MAX_ROWS);
	painter->next_row = painter->next_column = 0;
	if (painter->columns == 0 || painter->rows == 0)
		return false;
	for (u32 y = 0; y < height; y++)
		for (u32 x = 0; x < width; x++)
			pixels[(size_t)y * stride + x] = PAINTER_DARK;
	memset(painter->shown, ' ', sizeof(painter->shown));
	return true;
}

/* Two pixels at once, by two bits: a font's width is even. */
static const struct pair {
	u32 left, right;
} pairs[] = {
	{ PAINTER_DARK, PAINTER_DARK },
	{ PAINTER_DARK, PAINTER_LIGHT },
	{ PAINTER_LIGHT, PAINTER_DARK },
	{ PAINTER_LIGHT, PAINTER_LIGHT },
};

static void draw(struct painter *painter, u32 row, u32 column, u8 cell)
{
	const struct font *font = painter->font;
	u32 character = cell & TERMINAL_CHARACTER;
	u32 flip = cell & TERMINAL_REVERSE ? UINT32_MAX : 0;
	u32 *line = painter->pixels + (size_t)row * font->height * painter->stride + (size_t)column * font->width;

	CHECK(character >= ' ' && row < painter->rows && column < painter->columns);
	const u16 *glyph = font->rows + (size_t)(character - ' ') * font->height;

	for (u32 y = 0; y < font->height; y++, line += painter->stride) {
		u32 bits = glyph[y] ^ flip;
		struct pair *end = (struct pair *)(line + font->width);

		for (struct pair *to = (struct pair *)line; to != end; to++, bits <<= 2)
			*to = pairs[bits >> 14 & 3];
	}
}

/* From the next column on. False: the budget is used up. */
static bool draw_row(struct painter *painter, struct terminal *terminal, s64 *budget)
{
	u32 row = painter->next_row;
	const struct terminal_line *line = terminal_line(terminal, row);
	u32 cursor = row == terminal->row ? terminal_cursor(terminal) : UINT32_MAX;
	u8 *shown = painter->shown[row];

	ASSERT(painter->next_column < painter->columns);
	*budget -= painter->columns * CELL_COST;
	for (u32 column = painter->next_column; column < painter->columns; column++) {
		u8 cell = column < line->used ? line->cells[column] : ' ';

		if (column == cursor)
			cell ^= TERMINAL_REVERSE;
		if (shown[column] == cell)
			continue;
		painter->next_column = column;
		if (*budget < 0)
			return false;
		draw(painter, row, column, cell);
		shown[column] = cell;
		*budget -= painter->font->width * painter->font->height * PIXEL_COST;
	}
	painter->next_column = 0;
	return true;
}

/*
 * Round and round, and on from where the last step ended: in a flood that changes everything between two steps no cell starves.  A row is
 * done when it was looked at from its beginning.
 */
bool painter_step(struct painter *painter, struct terminal *terminal, u32 budget)
{
	s64 left = budget;
	bool more = false;

	CHECK(terminal->columns == painter->columns && terminal->rows == painter->rows);
	for (u32 i = 0; i < painter->rows; i++) {
		u32 row = painter->next_row;
		bool whole = painter->next_column == 0;

		left -= ROW_COST;
		if (terminal->changed[row / 64] & BIT(row % 64)) {
			if (left < 0 || !draw_row(painter, terminal, &left))
				return true;
			more = more || !whole;
			if (whole)
				terminal->changed[row / 64] &= ~BIT(row % 64);
		}
		painter->next_row = row + 1 < painter->rows ? row + 1 : 0;
	}
	return more;
}
