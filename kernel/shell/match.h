/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds a text in bytes that come one at a time (Knuth, Morris, Pratt): the work for a byte is bounded, whatever a guest prints. */
#pragma once
#include "kernel/lib/types.h"

enum { MATCH_BYTES = 256 };

struct match {
	u16 back[MATCH_BYTES]; /* how much of the text is matched still when the byte behind this one does not fit */
	char text[MATCH_BYTES];
	u32 length, matched;
};

bool match_begin(struct match *match, const char *text); /* false: empty, or too long */
bool match_feed(struct match *match, u8 byte);           /* true: it ends here */
