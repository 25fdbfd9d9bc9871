/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking one document to the list. Only the containers on the path are taken apart here; keys in them and all other
 * values are tokens: parsed where they lie when the piece holds them whole, else collected up to their end and parsed
 * then.
 *
 * Functions that read from p return where to go on, NULL once the splitter has failed (s->result says how).
 */
#include "base/number.h"
#include "base/scan.h"
#include "base/split_int.h"

/* NULL for those who return a place; the code waits in s->result. */
static const char *failed(struct split *s, int r)
{
	s->result = r;
	return NULL;
}

static __attribute__((noinline, cold)) const char *refuse(struct split *s, const char *p, int code, const char *why)
{
	struct json_error at = split_place(s, p);
	return failed(s, split_fail_json(s, code, &at, why, str_from(p, (size_t)(s->piece.ptr + s->piece.len - p))));
}

static inline bool in_list(const struct split *s)
{
	return s->open == s->n + 1;
}

/* ---- the list is not there ---- */

static const char *with_article(enum value_kind kind)
{
	static const char *const words[] = {
		[VALUE_NULL] = "null",	     [VALUE_BOOL] = "a boolean", [VALUE_NUMBER] = "a number",
		[VALUE_STRING] = "a string", [VALUE_ARRAY] = "a list",	 [VALUE_OBJECT] = "an object",
	};
	return words[kind];
}

/* A value of that kind stands where the path goes on, or ends. */
static int no_list(struct split *s, enum value_kind kind)
{
	auto_buf struct buf whole, part;
	buf_init(&whole, ERR_MSG_MAX * 64);
	buf_init(&part, ERR_MSG_MAX * 64);
	struct str path = split_path_text(s, s->n, &whole);
	if (s->open == s->n)
		return split_fail(s, ERR_NOT_FOUND, "the answer has no list at %.*s: %s stands there", STR_ARG(path),
				  with_article(kind));
	return split_fail(s, ERR_NOT_FOUND, "the answer has no list at %.*s: %s stands at %.*s", STR_ARG(path),
			  with_article(kind), STR_ARG(split_path_text(s, s->open, &part)));
}

/* ---- tokens ---- */

/* The key of an object on the path: does the path go on there? `at` is its place. */
static int take_key(struct split *s, struct str key, const char *p)
{
	unsigned level = s->open - 1;
	s->step = STEP_COLON;
	s->role = ROLE_PASSED;
	if (!str_eq(key, s->names[level]))
		return 0;
	if (s->seen & BIT(level)) {
		struct json_error at = p ? split_place(s, p) : s->raw_place;
		struct str rest = p ? str_from(p, (size_t)(s->piece.ptr + s->piece.len - p)) : buf_str(&s->raw);
		return split_fail_json(s, ERR_INVALID, &at, "a key that the path goes through is there twice", rest);
	}
	s->seen |= BIT(level);
	s->role = ROLE_PATH;
	return 0;
}

/* A token is whole and parsed; p is where it stands in the piece, NULL when it was collected. */
static inline int take_token(struct split *s, const struct value *v, const char *p)
{
	if (s->role == ROLE_KEY)
		return take_key(s, value_text(v), p);
	s->step = s->open ? STEP_AFTER : STEP_END;
	if (s->role == ROLE_ELEMENT)
		return split_give(s, v);
	if (s->role != ROLE_PATH)
		return 0;
	if (s->open < s->n || v->kind != VALUE_NULL)
		return no_list(s, v->kind);
	s->has_list = true;
	return 0;
}

static inline struct json_options token_options(const struct split *s)
{
	/* No room left means scalars only, which begin_value() has seen to. */
	unsigned room = s->o.max_depth - s->open;
	return (struct json_options){ .max_depth = room ? room : 1, .max_bytes = (size_t)SPLIT_ELEMENT_MAX + 1 };
}

/* The token at p, whose first byte is a lawful one. */
static const char *token(struct split *s, const char *p, const char *end)
{
	size_t room = (size_t)(end - p), used;
	if (room > s->o.max_element)
		room = s->o.max_element + 1;
	const struct json_options options = token_options(s);
	struct json_error je;
	struct value v;
	int r = json_parse_part(&s->a, str_from(p, room), &options, &v, &used, &je);
	if (likely(r == 0 && used <= s->o.max_element && (v.kind != VALUE_NUMBER || used < room))) {
		r = take_token(s, &v, p);
		arena_done(&s->a);
		return likely(r == 0) ? p + used : failed(s, r);
	}
	/* Broken, unless the end of the piece had a part in it. */
	if (r == -ERR_NO_MEMORY || (r < 0 && je.offset + JSON_LOOKAHEAD <= room))
		return refuse(s, p + je.offset, -r, je.why);
	arena_done(&s->a);
	s->collecting = *p == '"' || *p == '{' || *p == '[' ? RAW_NESTED
			: *p == '-' || number_is_digit(*p)  ? RAW_NUMBER
							    : RAW_WORD;
	s->raw_depth = 0;
	s->in_string = s->in_escape = false;
	return p;
}

/* ---- tokens in pieces ---- */

/* Inside a string: its end, or `end`. */
static const char *string_bytes(struct split *s, const char *p, const char *end)
{
	while (p < end && s->in_string) {
		if (s->in_escape) {
			s->in_escape = false;
			p++;
			continue;
		}
		p = scan_special(p, end);
		if (p == end)
			break;
		s->in_string = *p != '"';
		s->in_escape = *p == '\\';
		do
			p++;
		while (s->in_string && !s->in_escape && p < end && (unsigned char)*p >= 0x80);
	}
	return p;
}

/* Behind the last byte of a string or container, or NULL when it is not here. Which bracket closes which is the
 * parser's to judge. */
static const char *nested_end(struct split *s, const char *p, const char *end)
{
	while (p < end) {
		if (s->in_string) {
			p = string_bytes(s, p, end);
			if (!s->in_string && s->raw_depth == 0)
				return p;
			continue;
		}
		switch (*p++) {
		case '"':
			s->in_string = true;
			break;
		case '{':
		case '[':
			s->raw_depth++;
			break;
		case '}':
		case ']':
			if (--s->raw_depth == 0)
				return p;
			break;
		default:
			break;
		}
	}
	return NULL;
}

static const char *number_bytes_end(const char *p, const char *end)
{
	while (p < end && (number_is_digit(*p) || *p == '.' || *p == 'e' || *p == 'E' || *p == '+' || *p == '-'))
		p++;
	return p < end ? p : NULL;
}

/* The collected token, to be parsed; at the end of a body it may be cut. */
static int take_raw(struct split *s)
{
	const struct json_options options = token_options(s);
	struct str raw = buf_str(&s->raw);
	struct json_error je;
	struct value v;
	size_t used;
	int r = json_parse_part(&s->a, raw, &options, &v, &used, &je);
	if (r < 0)
		return split_fail_raw(s, -r, &je);
	r = take_token(s, &v, NULL);
	arena_done(&s->a);
	if (r < 0)
		return r;
	if (used < raw.len) { /* "1-2": what a comma is missing in front of */
		je = (struct json_error){ .offset = used };
		je.why = s->open == 0 ? "something stands behind the value"
			 : in_list(s) ? "expected ',' or ']'"
				      : "expected ',' or '}'";
		return split_fail_raw(s, ERR_INVALID, &je);
	}
	split_collected(s);
	return 0;
}

/* "12." before a byte that ends it is missing a digit; the parser, without that byte, says that the text ends. */
static int take_raw_number(struct split *s, const char *p)
{
	const struct json_options options = token_options(s);
	struct json_error je;
	struct value v;
	size_t used;
	int r = json_parse_part(&s->a, buf_str(&s->raw), &options, &v, &used, &je);
	if (r == -ERR_INVALID && je.offset == s->raw.len) {
		refuse(s, p, ERR_INVALID, "a digit is missing");
		return s->result;
	}
	return take_raw(s);
}

static const char *go_on_collecting(struct split *s, const char *p, const char *end)
{
	const char *stop;
	if (s->collecting == RAW_NESTED) {
		stop = nested_end(s, p, end);
	} else if (s->collecting == RAW_NUMBER) {
		stop = number_bytes_end(p, end);
	} else {
		char first = s->raw.len ? s->raw.ptr[0] : *p;
		size_t missing = (first == 'f' ? 5u : 4u) - s->raw.len;
		stop = (size_t)(end - p) >= missing ? p + missing : NULL;
	}
	int r = split_collect(s, p, stop ? stop : end);
	if (r == 0 && stop)
		r = s->collecting == RAW_NUMBER ? take_raw_number(s, stop) : take_raw(s);
	if (r < 0)
		return failed(s, r);
	return stop ? stop : end;
}

/* ---- the path's containers ---- */

static inline const char *skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

static const char *begin_value(struct split *s, const char *p, const char *end)
{
	char c = *p;
	bool is_container = c == '{' || c == '[';
	if (!is_container && c != '"' && c != 't' && c != 'f' && c != 'n' && c != '-' && !number_is_digit(c))
		return refuse(s, p, ERR_INVALID, "expected a value");
	if (is_container && s->open == s->o.max_depth)
		return refuse(s, p, ERR_LIMIT, "nested too deeply");
	if (s->role != ROLE_PATH || !is_container)
		return token(s, p, end);
	if (c != (s->open == s->n ? '[' : '{'))
		return failed(s, no_list(s, c == '[' ? VALUE_ARRAY : VALUE_OBJECT));
	if (s->open < s->n)
		s->seen &= ~BIT(s->open);
	s->open++;
	s->step = STEP_FIRST;
	return p + 1;
}

static const char *begin_key(struct split *s, const char *p, const char *end)
{
	if (*p != '"')
		return refuse(s, p, ERR_INVALID, "expected a key in double quotes");
	s->role = ROLE_KEY;
	return token(s, p, end);
}

static const char *begin_item(struct split *s, const char *p, const char *end)
{
	s->role = ROLE_ELEMENT;
	s->step = STEP_VALUE;
	return begin_value(s, p, end);
}

static const char *close_container(struct split *s, const char *p)
{
	s->has_list |= in_list(s);
	s->open--;
	s->step = s->open ? STEP_AFTER : STEP_END;
	return p + 1;
}

/* One step on; p stands on a byte that is no white space. */
static const char *step(struct split *s, const char *p, const char *end)
{
	char closing = in_list(s) ? ']' : '}';
	switch (s->step) {
	case STEP_VALUE:
		return in_list(s) ? begin_item(s, p, end) : begin_value(s, p, end);
	case STEP_FIRST:
		if (*p == closing)
			return close_container(s, p);
		return in_list(s) ? begin_item(s, p, end) : begin_key(s, p, end);
	case STEP_KEY:
		return begin_key(s, p, end);
	case STEP_COLON:
		if (*p != ':')
			return refuse(s, p, ERR_INVALID, "expected ':' after the key");
		s->step = STEP_VALUE;
		return p + 1;
	case STEP_AFTER:
		if (*p == closing)
			return close_container(s, p);
		if (*p != ',')
			return refuse(s, p, ERR_INVALID, in_list(s) ? "expected ',' or ']'" : "expected ',' or '}'");
		s->step = in_list(s) ? STEP_VALUE : STEP_KEY;
		return p + 1;
	case STEP_END:
		break;
	}
	return refuse(s, p, ERR_INVALID, "something stands behind the value");
}

int split_json_push(struct split *s, struct str bytes)
{
	const char *p = bytes.ptr, *end = p + bytes.len;
	while (p && p < end) {
		if (s->collecting) {
			p = go_on_collecting(s, p, end);
			continue;
		}
		p = skip_space(p, end);
		if (p < end)
			p = step(s, p, end);
	}
	return p ? 0 : s->result;
}

/* What json_parse() says when the text ends there. */
static const char *ending(const struct split *s)
{
	switch (s->step) {
	case STEP_VALUE:
		return s->open ? "the text ends where a value is due" : "there is no value";
	case STEP_FIRST:
		return in_list(s) ? "the text ends where a value is due" : "the text ends inside an object";
	case STEP_AFTER:
		return in_list(s) ? "the text ends inside an array" : "the text ends inside an object";
	default:
		return "the text ends inside an object";
	}
}

int split_json_end(struct split *s)
{
	int r = s->collecting ? take_raw(s) : 0;
	if (r < 0)
		return r;
	if (s->step != STEP_END)
		return split_fail_json(s, ERR_INVALID, &s->place, ending(s), STR(""));
	if (s->has_list)
		return 0;
	auto_buf struct buf b;
	buf_init(&b, ERR_MSG_MAX * 64);
	return split_fail(s, ERR_NOT_FOUND, "the answer has no list at %.*s", STR_ARG(split_path_text(s, s->n, &b)));
}
