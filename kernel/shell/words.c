/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/shell/words.h"
#include "kernel/lib/check.h"
#include <string.h>

static const char json_word[] = "--json";

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static char *skip_blanks(char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

void words_init(struct words *words, char *line)
{
	*words = (struct words){ .rest = line };
}

/* Moves the pieces of a quoted word together. NULL: a quote is open. */
static char *cut(char *from)
{
	char *to = from;
	bool quoted = false;

	for (;; from++, quoted = !quoted) {
		const char *piece = from;

		while (*from && *from != '"' && (quoted || !is_blank(*from)))
			from++;
		if (to != piece)
			memmove(to, piece, (size_t)(from - piece));
		to += from - piece;
		if (*from != '"')
			break;
	}
	if (quoted)
		return NULL;
	char *rest = *from ? from + 1 : from;
	*to = 0;
	return rest;
}

bool words_next(struct words *words, const char **error)
{
	CHECK(words->count <= WORDS_MAX && words->rest != NULL);
	*error = NULL;
	for (;;) {
		char *word = skip_blanks(words->rest);
		bool option = words->count > 0 && strncmp(word, json_word, sizeof(json_word) - 1) == 0 &&
			      (!word[sizeof(json_word) - 1] || is_blank(word[sizeof(json_word) - 1]));

		if (!*word)
			return false;
		char *rest = cut(word);
		if (rest && option) {
			words->json = true;
			words->rest = rest;
			continue;
		}
		if (!rest || words->count == WORDS_MAX) {
			*error = rest ? "too many words" : "a quote is not closed";
			return false;
		}
		words->rest = rest;
		words->word[words->count++] = word;
		return true;
	}
}

char *words_free_text(struct words *words)
{
	u32 bytes = sizeof(json_word) - 1;

	CHECK(words->count > 0);
	while (strncmp(words->rest, json_word, bytes) == 0 && (!words->rest[bytes] || is_blank(words->rest[bytes]))) {
		words->json = true;
		words->rest += bytes + (words->rest[bytes] != 0);
	}
	return words->rest;
}

bool words_want_json(char *line)
{
	struct words words;
	const char *error;

	words_init(&words, line);
	while (words_next(&words, &error))
		;
	return words.json;
}
