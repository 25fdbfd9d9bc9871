/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes <-> values (RFC 8259). The only JSON parser and writer of the program. */
#pragma once
#include "base/buf.h"
#include "base/value.h"

enum json_duplicates {
	JSON_DUP_LAST = 0, /* the last one stays, at the place of the first (default: API answers) */
	JSON_DUP_KEEP,	   /* all stay, in order */
	JSON_DUP_REFUSE,   /* error (our own API's bodies, component files) */
};

struct json_options {
	size_t max_bytes;    /* 0 = JSON_MAX_BYTES */
	unsigned max_depth;  /* 0 = VALUE_DEPTH_MAX */
	enum json_duplicates duplicates;
	bool copy; /* strings and numbers are copied into the arena; else they borrow the input where no escape is in them */
};

#define JSON_MAX_BYTES (64u << 20) /* longest text parsed unless told otherwise */

/* Where a text is wrong. */
struct json_error {
	size_t offset;
	unsigned line, column; /* from 1, columns in bytes */
	bool had_duplicates;   /* set also on success under JSON_DUP_LAST */
	const char *why;       /* the reason alone, static; NULL on success */
};

/*
 * Parse the whole of `text` (white space around it allowed, a UTF-8 BOM is not). Refuses what RFC 8259 refuses, and of what it
 * leaves open: invalid UTF-8, lone surrogate escapes, more depth or bytes than the limits. Iterative: the C stack does not
 * grow with the input. `je` may be NULL. The message of `e` is "invalid JSON at offset N (line L, column C): reason" with at most
 * 40 safe characters of the text. ret untouched unless 0.
 */
int json_parse(struct arena *a, struct str text, const struct json_options *opt, struct value *ret, struct json_error *je,
	       struct err *e);

enum json_style {
	JSON_COMPACT = 0,
	JSON_PRETTY, /* two spaces, one member a line */
};
/* Append the text; strings are escaped minimally, numbers as they stand. The buffer's failure is the result. */
int json_write(struct buf *b, const struct value *v, enum json_style style);
/* Append a quoted and escaped JSON string. */
int json_write_string(struct buf *b, struct str s);

/* JSON Pointer (RFC 6901): NULL when it leads nowhere. */
struct value *json_pointer_get(const struct value *v, struct str pointer);
/* Append "/" and the escaped token. */
int json_pointer_append(struct buf *b, struct str token);
