/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/support/shell_json.h"
#include <string.h>

struct reader {
	const char *at, *end;
};

static bool value(struct reader *r);

static bool take(struct reader *r, char wanted)
{
	if (r->at == r->end || *r->at != wanted)
		return false;
	r->at++;
	return true;
}

static void blanks(struct reader *r)
{
	while (take(r, ' '))
		;
}

static u32 digits(struct reader *r)
{
	u32 count = 0;

	for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
		count++;
	return count;
}

static bool number(struct reader *r)
{
	const char *first = r->at;
	u32 whole;

	take(r, '-');
	whole = digits(r);
	if (whole == 0 || (whole > 1 && *first == '0'))
		return false;
	return !take(r, '.') || digits(r) > 0;
}

static bool escape(struct reader *r)
{
	if (!take(r, 'u')) {
		bool known = r->at < r->end && strchr("\"\\/bfnrt", *r->at);

		r->at++;
		return known;
	}
	for (u32 i = 0; i < 4; i++, r->at++)
		if (r->at == r->end || !strchr("0123456789abcdefABCDEF", *r->at))
			return false;
	return true;
}

static bool string(struct reader *r)
{
	if (!take(r, '"'))
		return false;
	while (r->at < r->end && *r->at != '"') {
		char byte = *r->at++;

		if (byte < ' ' || byte > '~' || (byte == '\\' && !escape(r)))
			return false;
	}
	return take(r, '"');
}

static bool list(struct reader *r, char close, bool keys)
{
	blanks(r);
	if (take(r, close))
		return true;
	do {
		blanks(r);
		if (keys && !(string(r) && take(r, ':')))
			return false;
		blanks(r);
		if (!value(r))
			return false;
		blanks(r);
	} while (take(r, ','));
	return take(r, close);
}

static bool word(struct reader *r, const char *text)
{
	size_t length = strlen(text);

	if ((size_t)(r->end - r->at) < length || memcmp(r->at, text, length) != 0)
		return false;
	r->at += length;
	return true;
}

static bool value(struct reader *r)
{
	if (take(r, '{'))
		return list(r, '}', true);
	if (take(r, '['))
		return list(r, ']', false);
	if (r->at < r->end && *r->at == '"')
		return string(r);
	return word(r, "true") || word(r, "false") || word(r, "null") || number(r);
}

bool json_is_valid(const char *text, u32 bytes)
{
	struct reader r = { text, text + bytes };

	return value(&r) && r.at == r.end;
}
