/* SPDX-License-Identifier: Apache-2.0 */
/* Values to JSON text, and JSON Pointer (RFC 6901). */
#include "base/err.h"
#include "base/json.h"
#include "base/num.h"
#include "base/scan.h"

/*
 * Writing goes through a cursor behind the last byte; the buffer's length follows when it must grow and at the end.
 * Each writer returns the cursor, or NULL once the buffer has failed.
 */
static __attribute__((noinline)) char *grow(struct buf *b, char *p, size_t n)
{
	b->len = (size_t)(p - b->ptr);
	return buf_reserve(b, n) < 0 ? NULL : b->ptr + b->len;
}

/* Room for n more bytes: never asks for more than is surely written, so that the maximum stays exact. */
static inline char *need(struct buf *b, char *p, size_t n)
{
	return likely((size_t)(b->ptr + b->cap - p) >= n) ? p : grow(b, p, n);
}

static inline uint64_t word8(const char *p)
{
	uint64_t w;
	memcpy(&w, p, 8);
	return w;
}

static inline uint32_t word4(const char *p)
{
	uint32_t w;
	memcpy(&w, p, 4);
	return w;
}

#define SHORT_MAX 16 /* up to here two overlapping words do the work of a loop and of memcpy */

/* A copy of up to SHORT_MAX bytes; false when one of them must be escaped. */
static inline bool copy_short(char *to, const char *from, size_t n)
{
	if (n >= 8) {
		uint64_t a = word8(from), z = word8(from + n - 8);
		memcpy(to, &a, 8);
		memcpy(to + n - 8, &z, 8);
		return (scan_word_escapes(a) | scan_word_escapes(z)) == 0;
	}
	if (n >= 4) {
		uint32_t a = word4(from), z = word4(from + n - 4);
		memcpy(to, &a, 4);
		memcpy(to + n - 4, &z, 4);
		return scan_word_escapes((uint64_t)z << 32 | a) == 0;
	}
	bool is_plain = true;
	for (size_t i = 0; i < n; i++) {
		to[i] = from[i];
		is_plain &= from[i] != '"' && from[i] != '\\' && (unsigned char)from[i] >= 0x20;
	}
	return is_plain;
}

static char *put_escape(char *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char letters[0x20] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };
	*out++ = '\\';
	if (c >= 0x20) {
		*out++ = (char)c;
	} else if (letters[c]) {
		*out++ = letters[c];
	} else {
		memcpy(out, "u00", 3);
		out[3] = hex[c >> 4];
		out[4] = hex[c & 15];
		out += 5;
	}
	return out;
}

/* The inside of a string that has something to escape: plain runs and escapes in turn. */
static __attribute__((noinline)) char *write_escaped(struct buf *b, char *p, struct str s)
{
	const char *from = s.ptr, *end = s.ptr + s.len;
	while (p) {
		const char *special = scan_escape(from, end);
		size_t run = (size_t)(special - from);
		p = need(b, p, run + (special < end ? 2 : 0));
		if (!p)
			break;
		memcpy(p, from, run);
		p += run;
		if (special == end)
			break;
		char escape[8];
		size_t n = (size_t)(put_escape(escape, (unsigned char)*special) - escape);
		p = need(b, p, n);
		if (p)
			memcpy(p, escape, n);
		p = p ? p + n : NULL;
		from = special + 1;
	}
	return p;
}

/* What stands between the quotes. There is room for all of it unescaped, and afterwards for the closing quote. */
static inline char *write_inside(struct buf *b, char *p, struct str s)
{
	if (s.len <= SHORT_MAX) {
		if (likely(copy_short(p, s.ptr, s.len)))
			return p + s.len;
	} else if (likely(scan_escape(s.ptr, s.ptr + s.len) == s.ptr + s.len)) {
		memcpy(p, s.ptr, s.len);
		return p + s.len;
	}
	p = write_escaped(b, p, s);
	return p ? need(b, p, 1) : NULL;
}

static inline char *write_string(struct buf *b, char *p, struct str s)
{
	p = need(b, p, s.len + 2);
	if (unlikely(!p))
		return NULL;
	*p++ = '"';
	p = write_inside(b, p, s);
	if (unlikely(!p))
		return NULL;
	*p++ = '"';
	return p;
}

static inline char *write_bytes(struct buf *b, char *p, const char *bytes, size_t n)
{
	p = need(b, p, n);
	if (unlikely(!p))
		return NULL;
	if (n <= SHORT_MAX)
		(void)copy_short(p, bytes, n);
	else
		memcpy(p, bytes, n);
	return p + n;
}

static inline char *write_char(struct buf *b, char *p, char c)
{
	p = need(b, p, 1);
	if (unlikely(!p))
		return NULL;
	*p = c;
	return p + 1;
}

/* Pretty only: a line and two spaces for each level. */
static char *write_line(struct buf *b, char *p, unsigned depth)
{
	size_t n = 1 + 2 * (size_t)depth;
	p = need(b, p, n);
	if (!p)
		return NULL;
	memset(p, ' ', n);
	*p = '\n';
	return p + n;
}

static char *write_value(struct buf *b, char *p, const struct value *v, enum json_style style, unsigned depth);

/* What stands before item i: bracket or comma, and in pretty style a new line. */
static inline char *write_before(struct buf *b, char *p, char mark, enum json_style style, unsigned depth)
{
	p = write_char(b, p, mark);
	return p && style == JSON_PRETTY ? write_line(b, p, depth) : p;
}

static inline char *write_after(struct buf *b, char *p, char close, enum json_style style, unsigned depth)
{
	if (p && style == JSON_PRETTY)
		p = write_line(b, p, depth - 1);
	return p ? write_char(b, p, close) : NULL;
}

static char *write_array(struct buf *b, char *p, const struct value *v, enum json_style style, unsigned depth)
{
	for (uint32_t i = 0; i < v->len; i++) {
		p = write_before(b, p, i == 0 ? '[' : ',', style, depth);
		if (p)
			p = write_value(b, p, &v->items[i], style, depth);
		if (unlikely(!p))
			return NULL;
	}
	return v->len == 0 ? write_bytes(b, p, "[]", 2) : write_after(b, p, ']', style, depth);
}

static char *write_object(struct buf *b, char *p, const struct value *v, enum json_style style, unsigned depth)
{
	for (uint32_t i = 0; i < v->len; i++) {
		const struct member *m = &v->members[i];
		p = write_before(b, p, i == 0 ? '{' : ',', style, depth);
		if (p)
			p = write_string(b, p, m->key);
		if (p)
			p = style == JSON_PRETTY ? write_bytes(b, p, ": ", 2) : write_char(b, p, ':');
		if (p)
			p = write_value(b, p, &m->value, style, depth);
		if (unlikely(!p))
			return NULL;
	}
	return v->len == 0 ? write_bytes(b, p, "{}", 2) : write_after(b, p, '}', style, depth);
}

/* `depth` containers are open around v. */
static char *write_value(struct buf *b, char *p, const struct value *v, enum json_style style, unsigned depth)
{
	switch (v->kind) {
	case VALUE_STRING:
		return write_string(b, p, value_text(v));
	case VALUE_NUMBER:
		return write_bytes(b, p, v->text, v->len);
	case VALUE_BOOL:
		return v->truth ? write_bytes(b, p, "true", 4) : write_bytes(b, p, "false", 5);
	case VALUE_ARRAY:
	case VALUE_OBJECT:
		if (depth >= VALUE_DEPTH_MAX) {
			b->len = (size_t)(p - b->ptr);
			b->failed = ERR_LIMIT;
			return NULL;
		}
		return (v->kind == VALUE_ARRAY ? write_array : write_object)(b, p, v, style, depth + 1);
	default: /* absent has no text of its own */
		return write_bytes(b, p, "null", 4);
	}
}

/* Where the cursor starts; every JSON text has at least one byte. */
static char *start(struct buf *b)
{
	return buf_reserve(b, 1) < 0 ? NULL : b->ptr + b->len;
}

static int finish(struct buf *b, const char *p)
{
	if (!p)
		return -b->failed;
	b->len = (size_t)(p - b->ptr);
	return 0;
}

int json_write_string(struct buf *b, struct str s)
{
	char *p = start(b);
	return finish(b, p ? write_string(b, p, s) : NULL);
}

int json_write(struct buf *b, const struct value *v, enum json_style style)
{
	char *p = start(b);
	return finish(b, p ? write_value(b, p, v, style, 0) : NULL);
}

/* Does the key equal the token once ~1 is / and ~0 is ~? A lone ~ equals nothing. */
static bool token_is(struct str token, struct str key)
{
	size_t k = 0;
	for (size_t i = 0; i < token.len; i++, k++) {
		char c = token.ptr[i];
		if (c == '~') {
			char which = ++i < token.len ? token.ptr[i] : '\0';
			if (which != '0' && which != '1')
				return false;
			c = which == '0' ? '~' : '/';
		}
		if (k >= key.len || key.ptr[k] != c)
			return false;
	}
	return k == key.len;
}

static struct value *member_by_token(const struct value *v, struct str token)
{
	for (uint32_t i = v->len; i-- > 0;)
		if (token_is(token, v->members[i].key))
			return &v->members[i].value;
	return NULL;
}

static struct value *item_by_token(const struct value *v, struct str token)
{
	uint64_t i;
	if (token.len > 1 && token.ptr[0] == '0')
		return NULL;
	return num_parse_u64(token, &i) == 0 ? value_at(v, i) : NULL;
}

struct value *json_pointer_get(const struct value *v, struct str pointer)
{
	if (pointer.len > 0 && pointer.ptr[0] != '/')
		return NULL;
	while (v && pointer.len > 0) {
		pointer = str_from(pointer.ptr + 1, pointer.len - 1);
		ptrdiff_t slash = str_find_char(pointer, '/');
		size_t n = slash < 0 ? pointer.len : (size_t)slash;
		struct str token = str_from(pointer.ptr, n);
		pointer = str_from(pointer.ptr + n, pointer.len - n);
		if (v->kind == VALUE_OBJECT)
			v = member_by_token(v, token);
		else
			v = v->kind == VALUE_ARRAY ? item_by_token(v, token) : NULL;
	}
	return (struct value *)v;
}

int json_pointer_append(struct buf *b, struct str token)
{
	int r = buf_append_char(b, '/');
	for (size_t i = 0; r == 0 && i < token.len; i++) {
		if (token.ptr[i] == '~' || token.ptr[i] == '/')
			r = buf_append(b, token.ptr[i] == '~' ? "~0" : "~1", 2);
		else
			r = buf_append_char(b, token.ptr[i]);
	}
	return r;
}
