/* SPDX-License-Identifier: BSD-2-Clause */
/* Start list: which devices carry the console. */
#pragma once

/* COM1, from the first line on: nothing is known of the machine yet. */
void console_begin(void);
/* ACPI's tables are read: the serial port that firmware names, with all that was said so far. */
void console_find(void);
/* While the machine starts, between the list's rows: the screen shows what was said. */
void console_show(void);
/* Take input: interrupts can come; and from now on the screen is drawn by a task. */
void console_listen(void);
