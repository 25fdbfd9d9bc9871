/* SPDX-License-Identifier: Apache-2.0 */
/* CSV (RFC 4180), read piece by piece and written. Line ends LF, CRLF or CR; fields may hold line ends in quotes. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

#define CSV_FIELD_MAX (1u << 20) /* bytes of one field */
#define CSV_FIELDS_MAX 1000	 /* fields of one record */

struct csv_reader {
	struct buf text;    /* the record's fields, one after the other */
	size_t *ends;	    /* end of each field in text */
	size_t n, cap;
	unsigned line;	    /* of the record's first line, from 1 */
	unsigned next_line;
	enum { CSV_FIELD_START, CSV_PLAIN, CSV_QUOTED, CSV_QUOTE_SEEN, CSV_CR_SEEN } state;
	bool has_record;
	unsigned mark; /* bytes of a byte order mark seen at the very start; 3 = none comes any more */
};

void csv_reader_init(struct csv_reader *r);
void csv_reader_done(struct csv_reader *r);
/*
 * Take bytes until a record is whole: *ret_used of them. 1 = a record is ready (csv_field), 0 = more bytes are wanted, or -ERR_INVALID (text
 * after a closing quote, a quote inside a plain field) or -ERR_LIMIT. A UTF-8 BOM at the very start is dropped. Empty lines are passed over.
 */
int csv_push(struct csv_reader *r, struct str bytes, size_t *ret_used, struct err *e);
/* The input has ended: 1 = a last record is ready, 0 = nothing is left, -ERR_INVALID inside quotes. */
int csv_end(struct csv_reader *r, struct err *e);
size_t csv_fields(const struct csv_reader *r);
struct str csv_field(const struct csv_reader *r, size_t i); /* until the next push */
/* Append a field, quoted when it must be. */
int csv_write_field(struct buf *b, struct str s);
