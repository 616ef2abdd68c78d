/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/framebuffer.h"
#include "drivers/painter.h"
#include "kernel/core/boot.h"
#include "kernel/core/wire.h"
#include "kernel/lib/check.h"
#include "kernel/lib/lock.h"
#include "kernel/lib/log.h"
#include "kernel/x86/paging.h"

/* A byte costs at most about 120 instructions (a jump to the end of a line, and a character there). */
enum { BYTES_A_STEP = 64, DRAW_A_STEP = 8000, MAX_PIXELS_A_LINE = 32768, MAX_LINES = 16384 };

static struct lock lock = LOCK_INIT(RANK_CONSOLE, "screen");
static struct painter painter;
static struct terminal terminal;
static bool attached;

bool framebuffer_is_there(void)
{
	return attached;
}

bool framebuffer_step(void)
{
	u8 bytes[BYTES_A_STEP];

	CHECK(attached);
	lock_acquire(&lock);
	u32 count = wire_screen_take(bytes, sizeof(bytes));

	terminal_feed(&terminal, bytes, count);
	bool more = painter_step(&painter, &terminal, DRAW_A_STEP);

	lock_release(&lock);
	return more || count == sizeof(bytes);
}

void framebuffer_drain(void)
{
	while (attached && framebuffer_step())
		;
}

static void draw_all(void)
{
	while (painter_step(&painter, &terminal, DRAW_A_STEP))
		;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* nothing waits in the processor's write-combining buffers */
}

/*
 * The panic's first lines say the most and stay: what no longer fits is on the serial port alone.  A fault in here comes back in here,
 * and then the screen stays as it is.
 */
static void show_panic(const u8 *bytes, u32 count)
{
	static bool begun, busy;

	if (busy)
		return;
	busy = true;
	if (!begun)
		terminal_init(&terminal, painter.columns, painter.rows);
	begun = true;
	for (u32 i = 0; i < count && terminal.row + 1 < terminal.rows; i++)
		terminal_feed(&terminal, &bytes[i], 1);
	draw_all();
	busy = false;
}

static const struct wire_screen screen = { .drain = framebuffer_drain, .panic = show_panic };

static const char *trouble(const struct boot_framebuffer *from)
{
	if (from->base == 0 || from->format == BOOT_PIXELS_OTHER)
		return "firmware's is of a kind that is not drawn on";
	if (from->pixels_per_line < from->width || from->pixels_per_line > MAX_PIXELS_A_LINE || from->height > MAX_LINES)
		return "firmware describes one that cannot be";
	return NULL;
}

/* Pixels of the last line that are not seen may not be there. */
void framebuffer_init(void)
{
	const struct boot_framebuffer *from = &bootinfo.framebuffer;

	if (from->width == 0 || from->height == 0)
		return;
	const char *why = trouble(from);

	if (why) {
		log_line("screen: none: %s", why);
		return;
	}
	u64 pixels = (u64)from->pixels_per_line * (from->height - 1) + from->width;

	CHECK(!attached && pixels > 0);
	attached = painter_init(&painter, paging_map_device(from->base, pixels * sizeof(u32), PAGING_COMBINING), from->width,
				from->height, from->pixels_per_line);
	if (!attached) {
		log_line("screen: none: %u x %u pixels are too few", from->width, from->height);
		return;
	}
	terminal_init(&terminal, painter.columns, painter.rows);
	wire_attach_screen(&screen);
	log_line("screen: %u x %u pixels, %u x %u characters", from->width, from->height, painter.columns, painter.rows);
}
