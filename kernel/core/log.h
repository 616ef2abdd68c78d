/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log's back end: a ring of the latest 64 KiB of lines, each "[   1.234567] text\n".  Positions count bytes since start.
 * Until log_wire_stop, lines also go out on the wire.
 */
#pragma once
#include "kernel/lib/log.h"

enum { LOG_BYTES = 64 * 1024 };

u64 log_begin(void); /* oldest byte still kept; may be inside a line once the ring has wrapped */
u64 log_end(void);
/* Copy up to `bytes` from `position` on; fewer at the end; 0 if it is no longer (or not yet) there. */
u32 log_read(u64 position, char *to, u32 bytes);
void log_wire_stop(void); /* right before the first prompt */
