/* SPDX-License-Identifier: Apache-2.0 */
#include "base/csv.h"

#include "base/alloc.h"

#include <stdlib.h>

#define MARK "\xef\xbb\xbf"

void csv_reader_init(struct csv_reader *r)
{
	*r = (struct csv_reader){ .line = 1, .next_line = 1 };
	buf_init(&r->text, CSV_FIELD_MAX);
}

void csv_reader_done(struct csv_reader *r)
{
	buf_done(&r->text);
	free(r->ends);
	r->ends = NULL;
	r->n = r->cap = 0;
}

/* The buffer has failed: the record is too long, or memory is out. */
static int text_failed(const struct csv_reader *r, struct err *e)
{
	if (r->text.failed == ERR_NO_MEMORY)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	return err_set(e, ERR_LIMIT, "line %u is longer than %u bytes", r->line, CSV_FIELD_MAX);
}

static int text_append(struct csv_reader *r, char c, struct err *e)
{
	return buf_append_char(&r->text, c) < 0 ? text_failed(r, e) : 0;
}

static int field_end(struct csv_reader *r, struct err *e)
{
	if (r->n == CSV_FIELDS_MAX)
		return err_set(e, ERR_LIMIT, "line %u has more than %d fields", r->line, CSV_FIELDS_MAX);
	if (r->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 16;
		size_t *ends = alloc_realloc(r->ends, cap * sizeof(*ends));
		if (!ends)
			return err_set(e, ERR_NO_MEMORY, "out of memory");
		r->ends = ends;
		r->cap = cap;
	}
	r->ends[r->n++] = r->text.len;
	r->state = CSV_FIELD_START;
	return buf_ok(&r->text) ? 0 : text_failed(r, e);
}

/* A line end outside of quotes. An empty line is no record. */
static int record_end(struct csv_reader *r, struct err *e)
{
	if (r->n == 0 && r->text.len == 0 && r->state == CSV_FIELD_START) {
		r->line = ++r->next_line;
		return 0;
	}
	int rc = field_end(r, e);
	r->next_line++;
	r->has_record = rc == 0;
	return rc < 0 ? rc : 1;
}

static int char_in_plain(struct csv_reader *r, char c, struct err *e)
{
	switch (c) {
	case ',':
		return field_end(r, e);
	case '\n':
		return record_end(r, e);
	case '\r': {
		int rc = record_end(r, e);
		r->state = CSV_CR_SEEN;
		return rc;
	}
	case '"':
		if (r->state != CSV_FIELD_START)
			return err_set(e, ERR_INVALID, "line %u: a quote stands inside a field that does not begin with one; write the field in quotes and the quote twice",
				       r->next_line);
		r->state = CSV_QUOTED;
		return 0;
	default:
		r->state = CSV_PLAIN;
		return text_append(r, c, e);
	}
}

static int char_take(struct csv_reader *r, char c, struct err *e)
{
	switch (r->state) {
	case CSV_QUOTED:
		if (c == '"') {
			r->state = CSV_QUOTE_SEEN;
			return 0;
		}
		if (c == '\n')
			r->next_line++;
		return text_append(r, c, e);
	case CSV_QUOTE_SEEN:
		if (c == '"') {
			r->state = CSV_QUOTED;
			return text_append(r, c, e);
		}
		if (c != ',' && c != '\n' && c != '\r')
			return err_set(e, ERR_INVALID, "line %u: text follows a closing quote; write quotes inside a field twice", r->next_line);
		return char_in_plain(r, c, e);
	default:
		return char_in_plain(r, c, e);
	}
}

static void record_begin(struct csv_reader *r)
{
	if (!r->has_record)
		return;
	r->has_record = false;
	buf_clear(&r->text);
	r->n = 0;
	r->line = r->next_line;
}

/* Bytes that are neither quotes nor ends. */
static int text_take(struct csv_reader *r, struct str s, struct err *e)
{
	int rc = 0;
	for (size_t i = 0; i < s.len && rc == 0; i++)
		rc = char_take(r, s.ptr[i], e);
	return rc;
}

int csv_push(struct csv_reader *r, struct str bytes, size_t *ret_used, struct err *e)
{
	size_t i = 0;
	record_begin(r);
	while (r->mark < sizeof(MARK) - 1 && i < bytes.len) {
		if (bytes.ptr[i] == MARK[r->mark]) {
			i++;
			r->mark++;
			continue;
		}
		/* none: what looked like one is text */
		struct str was = str_from(MARK, r->mark);
		r->mark = sizeof(MARK) - 1;
		int rc = text_take(r, was, e);
		if (rc < 0)
			return rc;
	}
	for (; i < bytes.len; i++) {
		if (r->state == CSV_CR_SEEN) {
			r->state = CSV_FIELD_START;
			if (bytes.ptr[i] == '\n')
				continue;
		}
		int rc = char_take(r, bytes.ptr[i], e);
		if (rc != 0) {
			*ret_used = i + 1;
			return rc;
		}
	}
	*ret_used = bytes.len;
	return 0;
}

int csv_end(struct csv_reader *r, struct err *e)
{
	record_begin(r);
	if (r->mark > 0 && r->mark < sizeof(MARK) - 1) { /* the beginning of a mark was all there is */
		struct str was = str_from(MARK, r->mark);
		r->mark = sizeof(MARK) - 1;
		int rc = text_take(r, was, e);
		if (rc < 0)
			return rc;
	}
	if (r->state == CSV_QUOTED)
		return err_set(e, ERR_INVALID, "line %u: a quoted field is not closed before the end of the file", r->line);
	if (r->n == 0 && r->text.len == 0 && (r->state == CSV_FIELD_START || r->state == CSV_CR_SEEN))
		return 0;
	return record_end(r, e);
}

size_t csv_fields(const struct csv_reader *r)
{
	return r->n;
}

struct str csv_field(const struct csv_reader *r, size_t i)
{
	size_t from = i ? r->ends[i - 1] : 0;
	return str_from(r->text.ptr ? r->text.ptr + from : "", r->ends[i] - from);
}

int csv_write_field(struct buf *b, struct str s)
{
	/* a mark in front of the first field would be taken for the text's */
	bool quote = s.len == 0 || s.ptr[0] == ' ' || s.ptr[s.len - 1] == ' ' || str_starts(s, STR(MARK));
	for (size_t i = 0; i < s.len && !quote; i++)
		quote = s.ptr[i] == ',' || s.ptr[i] == '"' || s.ptr[i] == '\n' || s.ptr[i] == '\r';
	if (!quote)
		return buf_append_str(b, s);
	(void)buf_append_char(b, '"');
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '"')
			(void)buf_append_char(b, '"');
		(void)buf_append_char(b, s.ptr[i]);
	}
	return buf_append_char(b, '"');
}
