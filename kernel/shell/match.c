/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/shell/match.h"
#include "kernel/lib/check.h"
#include <string.h>

static u32 advance(const struct match *match, u32 matched, char byte)
{
	CHECK(matched < MATCH_BYTES);
	while (matched > 0 && match->text[matched] != byte)
		matched = match->back[matched - 1];
	return match->text[matched] == byte ? matched + 1 : 0;
}

bool match_begin(struct match *match, const char *text)
{
	size_t length = strlen(text);

	if (length == 0 || length > MATCH_BYTES)
		return false;
	memcpy(match->text, text, length);
	match->length = (u32)length;
	match->matched = 0;
	match->back[0] = 0;
	for (u32 i = 1; i < match->length; i++)
		match->back[i] = (u16)advance(match, match->back[i - 1], text[i]);
	return true;
}

bool match_feed(struct match *match, u8 byte)
{
	CHECK(match->matched < match->length);
	match->matched = advance(match, match->matched, (char)byte);
	if (match->matched < match->length)
		return false;
	match->matched = 0;
	return true;
}
