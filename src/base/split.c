/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The splitter's door: the start of a body, lines, CSV, collecting what a piece cuts, and failures, which stay.
 *
 * Structure: whatever begins and ends inside one piece is parsed where it lies. What the piece's end cuts is collected
 * in `raw`, the only thing that grows, up to o.max_element. The tree of one value lives in `a` and goes when its
 * callback is back.
 */
#include "base/split_int.h"
#include "base/alloc.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- failures ---- */

int split_fail(struct split *s, int code, const char *fmt, ...)
{
	char text[ERR_MSG_MAX];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(&s->err, code, "%s", text);
}

int split_fail_json(struct split *s, int code, const struct json_error *at, const char *why, struct str rest)
{
	struct json_error place = *at;
	place.why = why;
	if (code == ERR_NO_MEMORY)
		return split_fail(s, code, "out of memory");
	return json_report(&place, code, rest, &s->err);
}

struct json_error split_place(const struct split *s, const char *p)
{
	struct json_error at = s->place;
	if (p > s->piece.ptr)
		json_place_advance(&at, str_from(s->piece.ptr, (size_t)(p - s->piece.ptr)));
	return at;
}

int split_fail_raw(struct split *s, int code, const struct json_error *je)
{
	struct json_error at = s->raw_place;
	struct str raw = buf_str(&s->raw);
	size_t n = je->offset < raw.len ? je->offset : raw.len;
	json_place_advance(&at, str_from(raw.ptr, n));
	return split_fail_json(s, code, &at, je->why, n < raw.len ? str_from(raw.ptr + n, raw.len - n) : STR(""));
}

/* ---- collecting ---- */

int split_collect(struct split *s, const char *p, const char *end)
{
	size_t n = (size_t)(end - p);
	if (s->raw.len == 0)
		s->raw_place = split_place(s, p);
	if (n > s->o.max_element - s->raw.len)
		return split_fail(s, ERR_LIMIT, "the %s at offset %zu (line %u, column %u) is longer than %zu bytes",
				  s->collecting == RAW_LINE ? "line" : "value", s->raw_place.offset, s->raw_place.line,
				  s->raw_place.column, s->o.max_element);
	return buf_append(&s->raw, p, n) < 0 ? split_fail(s, ERR_NO_MEMORY, "out of memory") : 0;
}

void split_collected(struct split *s)
{
	s->collecting = RAW_NONE;
	if (s->raw.cap > SPLIT_RAW_KEPT)
		buf_done(&s->raw);
	buf_clear(&s->raw);
}

int split_give(struct split *s, const struct value *v)
{
	s->count++;
	int r = s->on(s->arg, v);
	return r < 0 ? r : 0;
}

/* ---- lines ---- */

/* A line without its end; `raw` when it was collected, else it lies in the piece. */
static int take_line(struct split *s, struct str line)
{
	const struct json_options options = { .max_depth = s->o.max_depth, .max_bytes = SPLIT_ELEMENT_MAX };
	struct json_error je;
	struct value v;
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (str_trim(line).len == 0)
		return 0;
	int r = json_parse_part(&s->a, line, &options, &v, NULL, &je);
	if (r == 0)
		r = split_give(s, &v);
	else if (s->collecting)
		r = split_fail_raw(s, -r, &je);
	else {
		struct json_error at = split_place(s, line.ptr + je.offset);
		r = split_fail_json(s, -r, &at, je.why, str_from(line.ptr + je.offset, line.len - je.offset));
	}
	arena_done(&s->a);
	return r;
}

static int lines_push(struct split *s, struct str bytes)
{
	const char *p = bytes.ptr, *end = p + bytes.len;
	int r = 0;
	while (r == 0 && p < end) {
		const char *feed = memchr(p, '\n', (size_t)(end - p));
		if (!feed || s->collecting || (size_t)(feed - p) > s->o.max_element) {
			s->collecting = RAW_LINE; /* which is where a line gets too long, too */
			r = split_collect(s, p, feed ? feed : end);
		}
		if (r == 0 && feed) {
			r = take_line(s, s->collecting ? buf_str(&s->raw) : str_from(p, (size_t)(feed - p)));
			if (r == 0)
				split_collected(s);
		}
		p = feed ? feed + 1 : end;
	}
	return r;
}

/* ---- CSV ---- */

static int take_record(struct split *s)
{
	struct value row;
	int r = csv_table_take(&s->table, &s->csv, &s->table_arena, &s->a, &row, &s->err);
	if (r == 1)
		r = split_give(s, &row);
	arena_done(&s->a);
	return r;
}

static int csv_bytes(struct split *s, struct str bytes)
{
	const char *nul = memchr(bytes.ptr, '\0', bytes.len);
	int r = 0;
	while (r == 0 && bytes.len) {
		size_t used = 0;
		r = csv_push(&s->csv, nul ? str_from(bytes.ptr, (size_t)(nul - bytes.ptr)) : bytes, &used, &s->err);
		bytes = str_from(bytes.ptr + used, bytes.len - used);
		if (r == 1)
			r = take_record(s);
		else if (r == 0 && nul)
			return split_fail(s, ERR_INVALID, "line %u: a NUL byte is no text", s->csv.next_line);
	}
	return r;
}

/* ---- the door ---- */

static int body_push(struct split *s, struct str bytes)
{
	int r;
	if (bytes.len == 0)
		return 0;
	s->piece = bytes;
	if (s->o.kind == SPLIT_JSON)
		r = split_json_push(s, bytes);
	else
		r = s->o.kind == SPLIT_LINES ? lines_push(s, bytes) : csv_bytes(s, bytes);
	json_place_advance(&s->place, bytes);
	s->piece = STR_NULL;
	return r;
}

/* The first bytes are held until it is sure whether they are a mark and a prefix. */
static int start(struct split *s)
{
	struct str bytes = str_from(s->start, s->start_len), mark = STR("\xEF\xBB\xBF");
	size_t cut = str_starts(bytes, mark) ? mark.len : 0;
	struct str rest = str_from(bytes.ptr + cut, bytes.len - cut);
	if (s->o.json_prefix.len && str_starts(rest, s->o.json_prefix))
		cut += s->o.json_prefix.len;
	s->has_begun = true;
	json_place_advance(&s->place, str_from(bytes.ptr, cut));
	return body_push(s, str_from(bytes.ptr + cut, bytes.len - cut));
}

/* What a call gives back, and what all later ones will. */
static int finish(struct split *s, int r, struct err *e)
{
	if (r >= 0)
		return r;
	s->result = r;
	if (s->err.code && e)
		*e = s->err;
	return r;
}

static int stopped(struct split *s, struct err *e)
{
	if (s->result == 0)
		return err_set(e, ERR_STATE, "the body has ended already");
	if (!s->err.code && e)
		*e = (struct err){ .code = s->result, .msg = "whoever took the elements has stopped" };
	return finish(s, s->result, e);
}

int split_push(struct split *s, struct str bytes, split_on_element *on, void *arg, struct err *e)
{
	size_t wanted = SPLIT_START_MAX - SPLIT_PREFIX_MAX + s->o.json_prefix.len;
	int r = 0;
	if (s->result < 0 || s->is_ended)
		return stopped(s, e);
	s->on = on;
	s->arg = arg;
	if (!s->has_begun && bytes.len) {
		size_t n = wanted - s->start_len < bytes.len ? wanted - s->start_len : bytes.len;
		memcpy(s->start + s->start_len, bytes.ptr, n);
		s->start_len += n;
		bytes = str_from(bytes.ptr + n, bytes.len - n);
		r = s->start_len == wanted ? start(s) : 0;
	}
	return finish(s, r < 0 ? r : body_push(s, bytes), e);
}

static int body_end(struct split *s)
{
	int r;
	switch (s->o.kind) {
	case SPLIT_JSON:
		return split_json_end(s);
	case SPLIT_LINES:
		return s->collecting ? take_line(s, buf_str(&s->raw)) : 0;
	default:
		r = csv_end(&s->csv, &s->err);
		return r == 1 ? take_record(s) : r;
	}
}

int split_end(struct split *s, split_on_element *on, void *arg, struct err *e)
{
	if (s->result < 0 || s->is_ended)
		return stopped(s, e);
	s->on = on;
	s->arg = arg;
	int r = s->has_begun ? 0 : start(s);
	if (r == 0)
		r = body_end(s);
	s->is_ended = r >= 0;
	return finish(s, r, e);
}

uint64_t split_count(const struct split *s)
{
	return s->count;
}

static int prepare(struct split *s, const struct split_options *o, struct err *e)
{
	if (o->json_prefix.len > SPLIT_PREFIX_MAX)
		return err_set(e, ERR_LIMIT, "a prefix has at most %d bytes", SPLIT_PREFIX_MAX);
	if (s->o.max_element == 0 || s->o.max_element > SPLIT_ELEMENT_MAX)
		s->o.max_element = SPLIT_ELEMENT_MAX;
	if (s->o.max_depth == 0 || s->o.max_depth > VALUE_DEPTH_MAX)
		s->o.max_depth = VALUE_DEPTH_MAX;
	buf_init(&s->raw, SPLIT_ELEMENT_MAX);
	s->o.path = arena_str(&s->path_arena, o->path);
	s->o.json_prefix = o->kind == SPLIT_JSON ? arena_str(&s->path_arena, o->json_prefix) : STR("");
	if (!s->o.path.ptr || !s->o.json_prefix.ptr)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	return split_read_path(s, s->o.path, e);
}

struct split *split_new(const struct split_options *o, struct err *e)
{
	struct err mine = ERR_INIT;
	struct split *s = alloc_calloc(1, sizeof(*s));
	if (!s) {
		err_set(e, ERR_NO_MEMORY, "out of memory");
		return NULL;
	}
	s->o = *o;
	s->place = (struct json_error){ .line = 1, .column = 1 };
	csv_reader_init(&s->csv);
	s->csv.mark = 3; /* the mark is ours */
	if (prepare(s, o, &mine) < 0) {
		if (e)
			*e = mine;
		split_free(s);
		return NULL;
	}
	return s;
}

void split_free(struct split *s)
{
	if (!s)
		return;
	arena_done(&s->path_arena);
	arena_done(&s->a);
	arena_done(&s->table_arena);
	csv_reader_done(&s->csv);
	buf_done(&s->raw);
	free(s);
}
