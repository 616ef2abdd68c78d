/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the console says.  A command gives rows and fields; they come out as aligned text, or as exactly one JSON object on one line.
 * Bytes wait in a bounded buffer until the wire takes them: a command's step may add up to OUT_STEP_BYTES and runs only when there is
 * room for that, so nothing is dropped and nobody spins.  Everything but out_raw is plain ASCII without control characters.
 */
#pragma once
#include "kernel/lib/types.h"

enum {
	OUT_BUFFER_BYTES = 8192,
	OUT_STEP_BYTES = 4096,
	OUT_LINE_BYTES = 512,     /* of one formatted line */
	OUT_BACKLOG_BYTES = 4096, /* at most so much waits in the wire: Ctrl-C and Ctrl-] take effect soon */
};

struct out_decoder { /* UTF-8 that comes in pieces */
	u32 code, least;
	u32 missing; /* bytes of the current sequence */
};

struct out {
	char buffer[OUT_BUFFER_BYTES];
	u32 begin, end;
	bool at_line_start; /* of the terminal, by the last byte */
	bool json;
	u32 depth;      /* open objects and arrays */
	u32 has_member; /* one bit a level */
	u32 is_array;   /* one bit a level */
	u32 name_width; /* of columns that hold a VM's name */
	bool heading;   /* the open table has its heading */
	struct out_decoder decoder;
};

/* ---- bytes ---- */

void out_raw(struct out *out, const void *bytes, u32 count); /* as they are; there must be room (CHECK) */
u32 out_room(const struct out *out);
void out_start_line(struct out *out);                            /* CRLF unless the cursor is at the start of a line */
bool out_drain(struct out *out);                                 /* hand over to the wire; true: all of it */
void out_escaped(struct out *out, const void *bytes, u32 count); /* what is not printable ASCII (or TAB) as \xNN */

/* ---- a command's output ---- */

void out_begin(struct out *out, bool json);
void out_end(struct out *out);                                       /* closes the JSON object and its line */
void out_line(struct out *out, const char *text, ...) PRINTF(2, 3);  /* one line of text; nothing in JSON */
void out_whole_line(struct out *out, const char *text, u32 bytes);   /* the same, as it is */
void out_error(struct out *out, const char *text, ...) PRINTF(2, 3); /* the same; in JSON {"error": …} */

/* ---- JSON's parts; in text they say nothing.  `key` NULL: an element of the open array ---- */

void out_object(struct out *out, const char *key);
void out_array(struct out *out, const char *key);
void out_close(struct out *out);
void out_member(struct out *out, const char *key, const char *value, bool quoted);
enum { OUT_DECIMAL_BYTES = 21 };
void out_decimal(char to[OUT_DECIMAL_BYTES], u64 value);
void out_number(struct out *out, const char *key, u64 value);
void out_size_text(char *to, u64 bytes); /* "41.2M" */
void out_string_begin(struct out *out, const char *key);
void out_string_bytes(struct out *out, const void *bytes, u32 count); /* invalid UTF-8 becomes U+FFFD */
void out_string_end(struct out *out);

/* ---- rows ---- */

enum out_kind {
	OUT_TEXT, /* const char * */
	OUT_NAME, /* const char *: a VM's name, as wide as the longest */
	OUT_U32,
	OUT_U64,
	OUT_SIZE,     /* u64 bytes */
	OUT_PAGES,    /* u64 pages, shown as bytes */
	OUT_PERMILLE, /* u32; JSON: a fraction */
	OUT_NS,       /* u64 */
	OUT_HEX,      /* u64; JSON: a string */
	OUT_KINDS
};

struct out_field {
	const char *key;  /* JSON name; "memory.max" lies in an object, which neighbours of one prefix share */
	const char *head; /* column or label; NULL: in JSON only */
	enum out_kind kind;
	u32 width;     /* of the column: numbers to the right, texts to the left */
	size_t offset; /* of the value in the row */
};

void out_table(struct out *out, const char *key); /* opens the array */
void out_row(struct out *out, const struct out_field *fields, u32 count, const void *row);
void out_table_end(struct out *out, const char *none); /* a table without rows says this in text; NULL: nothing */
/* One row, a line a field ("label: value"), empty texts left out; in JSON members of the open object. */
void out_record(struct out *out, const struct out_field *fields, u32 count, const void *row);
