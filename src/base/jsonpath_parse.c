/* SPDX-License-Identifier: Apache-2.0 */
/* Queries, segments and selectors: text to struct jp_query (RFC 9535 sections 2.2 to 2.5; filters are next door). */
#include "base/jsonpath_int.h"
#include "base/num.h"
#include "base/utf8.h"
#include <stdarg.h>
#include <stdio.h>

#define NEAR_BYTES 24 /* of the text, quoted in a message */

int jp_fail(struct jp_parser *p, size_t at, const char *fmt, ...)
{
	char sentence[512], near[NEAR_BYTES + 1] = "";
	struct str rest = str_clip(str_from(p->text.ptr + at, p->text.len - at), NEAR_BYTES);
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < rest.len; i++)
		near[i] = (unsigned char)rest.ptr[i] < 0x20 || rest.ptr[i] == 0x7F ? '?' : rest.ptr[i];
	if (rest.len == 0)
		return err_set(p->e, ERR_INVALID, "JSONPath at offset %zu, its end: %s", at, sentence);
	return err_set(p->e, ERR_INVALID, "JSONPath at offset %zu, near \"%s\": %s", at, near, sentence);
}

int jp_no_memory(struct jp_parser *p)
{
	return err_set(p->e, ERR_NO_MEMORY, "out of memory for a JSONPath");
}

int jp_enter(struct jp_parser *p)
{
	if (++p->nesting <= JSONPATH_NESTING_MAX)
		return 0;
	return err_set(p->e, ERR_LIMIT,
		       "JSONPath at offset %zu: parentheses, filters and functions nest at most %d deep", p->pos,
		       JSONPATH_NESTING_MAX);
}

void jp_blanks(struct jp_parser *p)
{
	while (p->pos < p->text.len && strchr(" \t\n\r", p->text.ptr[p->pos]) && p->text.ptr[p->pos])
		p->pos++;
}

bool jp_take(struct jp_parser *p, char c)
{
	if (p->pos >= p->text.len || p->text.ptr[p->pos] != c)
		return false;
	p->pos++;
	return true;
}

/* ---- strings (RFC 9535 section 2.3.1.1) ---- */

/* Four hexadecimal digits at `at`, or -1. */
static int32_t hex4(const struct jp_parser *p, size_t at)
{
	int32_t c = 0;
	if (p->text.len < 4 || at > p->text.len - 4)
		return -1;
	for (size_t i = at; i < at + 4; i++) {
		int digit = num_hex_value(p->text.ptr[i]);
		if (digit < 0)
			return -1;
		c = c * 16 + digit;
	}
	return c;
}

/* Behind "\u". */
static int unescape_unicode(struct jp_parser *p, char **out)
{
	size_t at = p->pos - 2;
	int32_t c = hex4(p, p->pos), low;
	if (c < 0)
		return jp_fail(p, at, "\\u takes four hexadecimal digits; write \\u00e9");
	p->pos += 4;
	if (c >= 0xDC00 && c <= 0xDFFF)
		return jp_fail(p, at, "half a surrogate pair; write both halves, like \\ud83d\\ude00");
	if (c >= 0xD800 && c <= 0xDBFF) {
		bool has_low = jp_take(p, '\\') && jp_take(p, 'u');
		low = has_low ? hex4(p, p->pos) : -1;
		if (low < 0xDC00 || low > 0xDFFF)
			return jp_fail(p, at, "half a surrogate pair; write both halves, like \\ud83d\\ude00");
		p->pos += 4;
		c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
	}
	char bytes[4];
	size_t n = utf8_encode((uint32_t)c, bytes);
	memcpy(*out, bytes, n);
	*out += n;
	return 0;
}

/* At a backslash. */
static int unescape(struct jp_parser *p, char quote, char **out)
{
	static const char letters[] = "bfnrt/\\", meanings[] = "\b\f\n\r\t/\\";
	char c = p->pos + 1 < p->text.len ? p->text.ptr[p->pos + 1] : '\0';
	const char *known = c ? strchr(letters, c) : NULL;
	if (c == 'u') {
		p->pos += 2;
		return unescape_unicode(p, out);
	}
	if (!known && c != quote)
		return jp_fail(p, p->pos,
			       "no such escape; write \\\\ for a backslash, \\%c for the quote, else \\b \\f \\n \\r "
			       "\\t \\/ \\uXXXX",
			       quote);
	*(*out)++ = known ? meanings[known - letters] : quote;
	p->pos += 2;
	return 0;
}

/* Offset of the closing quote, or the text's length. */
static size_t string_end(const struct jp_parser *p, size_t at, char quote)
{
	while (at < p->text.len && p->text.ptr[at] != quote)
		at += p->text.ptr[at] == '\\' ? 2 : 1;
	return at < p->text.len ? at : p->text.len;
}

int jp_parse_string(struct jp_parser *p, struct str *ret)
{
	size_t start = p->pos;
	char quote = p->text.ptr[p->pos++];
	size_t end = string_end(p, p->pos, quote);
	if (end == p->text.len)
		return jp_fail(p, start, "a quoted text does not end; write %c behind it", quote);
	char *out = arena_alloc(p->arena, end - p->pos),
	     *first = out; /* an escape is never shorter than what it means */
	if (!out)
		return jp_no_memory(p);
	while (p->pos < end) {
		char c = p->text.ptr[p->pos];
		int r = 0;
		if (c == '\\')
			r = unescape(p, quote, &out);
		else if ((unsigned char)c < 0x20)
			r = jp_fail(p, p->pos, "a control character in a quoted text; write \\n, \\t or \\u%04x", c);
		else
			*out++ = p->text.ptr[p->pos++];
		if (r < 0)
			return r;
	}
	p->pos = end + 1;
	*ret = str_from(first, (size_t)(out - first));
	return 0;
}

/* ---- selectors ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_byte(char c, bool is_first)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (unsigned char)c >= 0x80 ||
	       (!is_first && is_digit(c));
}

/* An integer of RFC 9535 section 2.1: no plus, no leading zeros, no -0, within I-JSON's range. */
static int parse_int(struct jp_parser *p, int64_t *ret)
{
	size_t start = p->pos;
	bool is_negative = jp_take(p, '-');
	size_t digits = p->pos;
	int64_t n = 0;
	for (; is_digit(jp_peek(p)); p->pos++)
		if (n <= JSONPATH_INT_MAX)
			n = n * 10 + (jp_peek(p) - '0');
	if (p->pos == digits)
		return jp_fail(p, start, "digits are missing; write [0] or [-1]");
	if (n > JSONPATH_INT_MAX)
		return jp_fail(p, start, "an index lies within 2^53-1 on both sides of 0");
	if (p->text.ptr[digits] == '0' && (p->pos - digits > 1 || is_negative))
		return jp_fail(p, start, "an index has no leading zeros and 0 no sign; write [0] or [10]");
	*ret = is_negative ? -n : n;
	return 0;
}

static bool at_int(const struct jp_parser *p)
{
	return is_digit(jp_peek(p)) || jp_peek(p) == '-';
}

/* An index, or the slice that it begins. */
static int parse_index_or_slice(struct jp_parser *p, struct jp_selector *s)
{
	struct jp_slice slice = { .step = 1, .has_start = at_int(p) };
	int r = slice.has_start ? parse_int(p, &slice.start) : 0;
	if (r < 0)
		return r;
	size_t behind = p->pos;
	jp_blanks(p);
	if (!jp_take(p, ':')) {
		p->pos = behind;
		s->kind = JP_INDEX;
		s->index = slice.start;
		return 0;
	}
	jp_blanks(p);
	slice.has_end = at_int(p);
	if (slice.has_end && (r = parse_int(p, &slice.end)) < 0)
		return r;
	jp_blanks(p);
	if (jp_take(p, ':')) {
		jp_blanks(p);
		if (at_int(p) && (r = parse_int(p, &slice.step)) < 0)
			return r;
	}
	s->kind = JP_SLICE;
	s->slice = slice;
	return 0;
}

static int parse_filter(struct jp_parser *p, struct jp_selector *s)
{
	p->pos++;
	jp_blanks(p);
	s->kind = JP_FILTER;
	return jp_parse_test(p, &s->filter);
}

static int parse_selector(struct jp_parser *p, struct jp_selector *s)
{
	char c = jp_peek(p);
	if (c == '\'' || c == '"') {
		s->kind = JP_NAME;
		return jp_parse_string(p, &s->name);
	}
	if (c == '?')
		return parse_filter(p, s);
	if (at_int(p) || c == ':')
		return parse_index_or_slice(p, s);
	if (!jp_take(p, '*'))
		return jp_fail(p, p->pos, "no selector; write [0], ['name'], [*], [1:3] or [?@.a == 1]");
	s->kind = JP_WILDCARD;
	return 0;
}

/* Behind "[". */
static int parse_bracket(struct jp_parser *p, struct jp_segment *segment)
{
	struct jp_selector **last = &segment->first;
	for (;;) {
		struct jp_selector *s = ARENA_NEW(p->arena, struct jp_selector);
		if (!s)
			return jp_no_memory(p);
		jp_blanks(p);
		int r = parse_selector(p, s);
		if (r < 0)
			return r;
		*last = s;
		last = &s->next;
		jp_blanks(p);
		if (jp_take(p, ']'))
			return 0;
		if (jp_take(p, ','))
			continue;
		if (s->kind == JP_FILTER)
			return jp_fail(p, p->pos,
				       "the filter should end here; write ], &&, || or one of == != < <= > >=");
		return jp_fail(p, p->pos, "\"]\" is missing; write [0], ['name'] or [0, 1]");
	}
}

/* Behind a dot: * or a bare name. */
static int parse_dotted(struct jp_parser *p, struct jp_segment *segment)
{
	size_t start = p->pos;
	struct jp_selector *s = ARENA_NEW(p->arena, struct jp_selector);
	if (!s)
		return jp_no_memory(p);
	segment->first = s;
	if (jp_take(p, '*')) {
		s->kind = JP_WILDCARD;
		return 0;
	}
	while (p->pos < p->text.len && is_name_byte(jp_peek(p), p->pos == start))
		p->pos++;
	if (p->pos == start)
		return jp_fail(p, start, "a name is missing; write .name, .* or ['any name']");
	s->kind = JP_NAME;
	s->name = str_from(p->text.ptr + start, p->pos - start);
	return 0;
}

/* At a dot or a bracket. */
static int parse_segment(struct jp_parser *p, struct jp_segment *segment)
{
	if (jp_take(p, '['))
		return parse_bracket(p, segment);
	p->pos++;
	segment->is_descendant = jp_take(p, '.');
	if (segment->is_descendant && jp_take(p, '['))
		return parse_bracket(p, segment);
	return parse_dotted(p, segment);
}

static bool is_singular(const struct jp_segment *s)
{
	return !s->is_descendant && !s->first->next && (s->first->kind == JP_NAME || s->first->kind == JP_INDEX);
}

int jp_parse_query(struct jp_parser *p, struct jp_query *ret)
{
	*ret = (struct jp_query){ .is_absolute = jp_peek(p) == '$', .is_singular = true };
	struct jp_segment **last = &ret->first;
	p->pos++;
	for (;;) {
		size_t behind = p->pos;
		jp_blanks(p);
		if (jp_peek(p) != '.' && jp_peek(p) != '[') {
			p->pos = behind; /* blanks are lawful between segments, not behind the last */
			return 0;
		}
		struct jp_segment *segment = ARENA_NEW(p->arena, struct jp_segment);
		if (!segment)
			return jp_no_memory(p);
		int r = parse_segment(p, segment);
		if (r < 0)
			return r;
		ret->is_singular &= is_singular(segment);
		*last = segment;
		last = &segment->next;
	}
}
