/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of documents: shared by doc.c, doc_yaml.c and yaml_write.c. */
#pragma once
#include "flow/doc.h"

#define DOC_ARENA_MAX (128u << 20) /* bytes of one document with its values */

struct doc_spot { /* where the value at this address begins */
	const struct value *at;
	unsigned line, column;
};

struct doc {
	struct arena arena;
	struct str name;
	struct str text; /* NUL-terminated copy, without byte order mark */
	struct value *root;
	struct doc_spot *spots; /* sorted by address when the document is complete */
	size_t n_spots, cap_spots;
};

/* A place in the text that moves: cheap when asked for offsets near the last one. Columns count characters. */
struct doc_cursor {
	struct str text;
	size_t offset;
	unsigned line, column; /* from 1 */
};

void doc_cursor_init(struct doc_cursor *c, struct str text);
void doc_cursor_to(struct doc_cursor *c, size_t offset);

/* Note where a value begins; 0 or -ERR_NO_MEMORY. */
int doc_note(struct doc *d, const struct value *at, unsigned line, unsigned column);
/* Record the complaint that ends the parse; returns -ERR_INVALID. */
int doc_refuse(struct complaints *c, unsigned line, unsigned column, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Build d->root from d->text. 0 or -code after complaining. */
int doc_parse_yaml(struct doc *d, struct complaints *c);

/* The text in quotes whose opening quote stands at `at`. False when an escape is no character or memory is out. */
bool doc_read_quoted(struct str text, size_t at, struct buf *out);

/* What a plain (unquoted) YAML scalar means under the core schema of YAML 1.2. */
enum plain_kind {
	PLAIN_STRING,
	PLAIN_NULL,
	PLAIN_TRUE,
	PLAIN_FALSE,
	PLAIN_NUMBER,	  /* and JSON writes it the same way */
	PLAIN_ODD_NUMBER, /* a number to YAML only: 0x1F, 007, +1, .5, .inf */
};
enum plain_kind plain_resolve(struct str s);
/* Would a YAML 1.1 reader take this plain scalar for something else than text (yes, 12:30, 2026-01-31, 1_000, ...)? */
bool plain_is_odd_in_1_1(struct str s);
