/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any keys at the console's line: typed-ahead input arrives whole and in order, what the terminal shows is what the line holds, echo is
 * bounded; the line's words are those of a second, simpler reader.
 */
#include "kernel/core/wire.h"
#include "kernel/lib/check.h"
#include "kernel/shell/input.h"
#include "kernel/shell/line.h"
#include "kernel/shell/words.h"
#include "tests/fuzz/input.h"
#include "tests/unit/support/terminal.h"

static struct input input;
static struct line line;
static bool raw; /* any bytes, and no terminal that would understand them */

/* ---- keys ---- */

/* What bytes from 0x80 stand for where the terminal has to understand them. */
static const char *const keys[] = {
	"\x1b[A",
	"\x1b[B",
	"\x1b[C",
	"\x1b[D",
	"\x1b[H",
	"\x1b[F",
	"\x1b[3~",
	"\x1b[1~",
	"\x1bOF",
	"\x1b[200",
	"\xc3\xa4",
	"\xe2\x82\xac",
	"\xf0\x9f\x8e\x88",
	"a long piece of text to fill the line ",
	"\"two words\" ",
	"--json ",
	"\r\n",
	"\x15",
};

static void show(void *context, const char *bytes, u32 count)
{
	terminal.echo += raw ? count : 0;
	if (!raw)
		terminal_show(context, bytes, count);
}

static u8 wire[64 * 1024];
static u32 wire_bytes, wire_taken, wire_seen;

static void type(const char *text, u32 count)
{
	if (count > sizeof(wire) - wire_bytes)
		return;
	memcpy(wire + wire_bytes, text, count);
	wire_bytes += count;
}

static void take_keys(void)
{
	wire_bytes = wire_taken = wire_seen = 0;
	while (left.bytes) {
		char byte = (char)take_byte();

		if (raw || (u8)byte < 0x80)
			type(&byte, 1);
		else
			type(keys[(u8)byte % ARRAY_SIZE(keys)], (u32)strlen(keys[(u8)byte % ARRAY_SIZE(keys)]));
	}
}

/* In pieces, as an interrupt brings them. */
u32 wire_take(u8 *bytes, u32 count)
{
	u32 taken = (u32)min_u64(min_u64(count, wire_bytes - wire_taken), 1 + wire_taken * 7 % 997);

	memcpy(bytes, wire + wire_taken, taken);
	wire_taken += taken;
	return taken;
}

/* ---- words, once more: blanks separate, quotes keep together ---- */

struct token {
	char text[LINE_BYTES + 1];
	bool open, option;
};

static const char *next_token(const char *at, struct token *token)
{
	u32 length = 0;
	const char *start;
	bool quoted = false;

	while (*at == ' ' || *at == '\t')
		at++;
	start = at;
	for (; *at && (quoted || (*at != ' ' && *at != '\t')); at++) {
		if (*at == '"')
			quoted = !quoted;
		else
			token->text[length++] = *at;
	}
	token->text[length] = 0;
	token->open = quoted;
	token->option = at - start == 6 && memcmp(start, "--json", 6) == 0;
	return at == start ? NULL : at;
}

static void check_words(const char *text)
{
	static struct token token;
	struct words words;
	const char *error, *at = text;
	char *copy = (char *)copy_of(text, strlen(text) + 1);
	bool json = false;
	u32 count = 0;

	words_init(&words, copy);
	for (bool more = true; more;) {
		at = next_token(at, &token);
		if (at && !token.open && token.option && count > 0) {
			json = true;
			continue;
		}
		more = words_next(&words, &error);
		CHECK(more == (at && !token.open && count < WORDS_MAX) && (error != NULL) == (at && !more));
		CHECK(!more || (words.count == ++count && strcmp(words.word[count - 1], token.text) == 0));
		CHECK(words.rest >= copy && words.rest <= copy + strlen(text));
	}
	CHECK(words.json == json);
	if (count)
		touch_all(words_free_text(&words), strlen(words_free_text(&words)) + 1);
	free(copy);
}

/* ---- */

static void check_screen(void)
{
	char text[LINE_BYTES + 1];
	size_t length = strlen(strcpy(text, line.text));

	while (length && text[length - 1] == ' ')
		text[--length] = 0;
	CHECK(raw || strcmp(terminal_text(), text) == 0);
}

static void feed(u8 byte)
{
	u32 before = terminal.echo;
	enum line_event event = line_feed(&line, byte);

	CHECK(terminal.echo - before <= 3 * LINE_BYTES + 8);
	CHECK(line.length <= LINE_BYTES && line.cursor <= line.length && strlen(line.text) <= line.length);
	if (event == LINE_COMPLETE)
		line_insert(&line, "plete", 5);
	if (event == LINE_READY)
		check_words(line.text);
	if (event == LINE_READY || event == LINE_TOO_LONG)
		line_clear(&line);
	if (byte >= 0x80 || byte < ' ')
		return;
	check_screen();
}

static void find(u8 byte)
{
	u32 before, count = input_count(&input), wanted = 0;
	const u8 *from = input.bytes + input.begin;

	while (wanted < count && from[wanted] != byte)
		wanted++;
	input_look_again(&input);
	CHECK(input_find(&input, byte, &before) == (wanted < count) && before == wanted);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	u8 byte;

	take_from(data, bytes);
	raw = take_byte() & 1;
	memset(&input, 0, sizeof(input));
	terminal_clear();
	line_init(&line, show, NULL);
	take_keys();
	for (u32 i = 0; wire_seen < wire_bytes; i++) {
		input_fill(&input);
		find(i % 2 ? '\r' : 0x1d);
		for (u32 some = 1 + i % 700; some > 0 && input_take(&input, &byte); some--) {
			CHECK(byte == wire[wire_seen++]);
			feed(byte);
		}
	}
	return 0;
}
