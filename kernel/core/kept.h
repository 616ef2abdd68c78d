/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A page that outlives a warm reset: the loader takes it at a fixed place and does not clear it.  A panic's text goes there beside the
 * wire, and the next start shows it in the log.  Firmware that clears memory, or power-on, leaves nothing that has our checksum.
 */
#pragma once
#include "kernel/lib/types.h"

/* Log what the last run left, each line once, and begin anew.  NULL: there is no page, and nothing will be kept. */
void kept_start(void *page);
/* Text of a panic, in pieces; what does not fit is cut off. No locks: the other CPUs have stopped. */
void kept_add(const char *text, u32 bytes);
