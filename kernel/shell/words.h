/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line becomes words.  Pure; cuts the line in place.  Blanks separate; "double quotes" keep them together (and go away).  The word
 * --json is taken out wherever it stands behind the first word, but only before free text begins: free text is the rest of the line,
 * byte for byte, from the first one behind the blank that ends the word before it.
 */
#pragma once
#include "kernel/lib/error.h"
#include "kernel/lib/types.h"

enum { WORDS_MAX = 24 };

struct words {
	char *word[WORDS_MAX];
	u32 count;
	char *rest; /* where the next word, or free text, begins; never NULL */
	bool json;
};

void words_init(struct words *words, char *line);
/* The next word: true, and it is words->word[count - 1]; false: none is left, or `*error` says what is wrong (else NULL). */
bool words_next(struct words *words, const char **error);
/* What is left is free text: take a --json in front of it out, and return it. */
char *words_free_text(struct words *words);
/* For a line that is refused as it is: does it ask for JSON? */
bool words_want_json(char *line);
