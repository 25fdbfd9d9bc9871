/* SPDX-License-Identifier: Apache-2.0 */
/* Values to JSON text, and JSON Pointer (RFC 6901). */
#include "base/err.h"
#include "base/json.h"
#include "base/num.h"
#include "base/scan.h"

#define SMALL_COPY_MAX 16 /* up to here a copy is cheaper inline than through memcpy */

/* Room for n more bytes, or NULL: the one check on the hot path. */
static inline char *room(struct buf *b, size_t n)
{
	if (unlikely(n > b->cap - b->len) && buf_reserve(b, n) < 0)
		return NULL;
	return b->ptr + b->len;
}

/* Two overlapping words instead of a call. */
static inline void copy_short(char *to, const char *from, size_t n)
{
	uint64_t a, z;
	uint32_t c, y;
	if (n > SMALL_COPY_MAX) {
		memcpy(to, from, n);
	} else if (n >= 8) {
		memcpy(&a, from, 8);
		memcpy(&z, from + n - 8, 8);
		memcpy(to, &a, 8);
		memcpy(to + n - 8, &z, 8);
	} else if (n >= 4) {
		memcpy(&c, from, 4);
		memcpy(&y, from + n - 4, 4);
		memcpy(to, &c, 4);
		memcpy(to + n - 4, &y, 4);
	} else {
		for (size_t i = 0; i < n; i++)
			to[i] = from[i];
	}
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

/* From the first byte that needs it, at `special`: as long as the rest may become if all of it is escaped. */
static __attribute__((noinline)) int write_escaped(struct buf *b, struct str s, const char *special)
{
	const char *p = s.ptr, *end = s.ptr + s.len;
	int r = buf_append_char(b, '"');
	while (r == 0) {
		r = buf_append(b, p, (size_t)(special - p));
		if (special == end || r < 0)
			break;
		char escape[8];
		r = buf_append(b, escape, (size_t)(put_escape(escape, (unsigned char)*special) - escape));
		p = special + 1;
		special = scan_escape(p, end);
	}
	return r == 0 ? buf_append_char(b, '"') : r;
}

static inline int write_string(struct buf *b, struct str s)
{
	const char *special = scan_escape(s.ptr, s.ptr + s.len);
	if (unlikely(special != s.ptr + s.len))
		return write_escaped(b, s, special);
	char *out = room(b, s.len + 2);
	if (unlikely(!out))
		return -b->failed;
	*out++ = '"';
	copy_short(out, s.ptr, s.len);
	out[s.len] = '"';
	b->len += s.len + 2;
	return 0;
}

int json_write_string(struct buf *b, struct str s)
{
	return b->failed ? -b->failed : write_string(b, s);
}

static inline int write_bytes(struct buf *b, const char *bytes, size_t n)
{
	char *out = room(b, n);
	if (unlikely(!out))
		return -b->failed;
	copy_short(out, bytes, n);
	b->len += n;
	return 0;
}

static inline int write_char(struct buf *b, char c)
{
	char *out = room(b, 1);
	if (unlikely(!out))
		return -b->failed;
	*out = c;
	b->len++;
	return 0;
}

/* Pretty only: a line and two spaces for each level. */
static int write_line(struct buf *b, unsigned depth)
{
	char *out = room(b, 1 + 2 * (size_t)depth);
	if (!out)
		return -b->failed;
	*out = '\n';
	memset(out + 1, ' ', 2 * (size_t)depth);
	b->len += 1 + 2 * (size_t)depth;
	return 0;
}

static int write_value(struct buf *b, const struct value *v, enum json_style style, unsigned depth);

/* What stands before item i: bracket or comma, and in pretty style a new line. */
static inline int write_before(struct buf *b, char open, uint32_t i, enum json_style style, unsigned depth)
{
	int r = write_char(b, i == 0 ? open : ',');
	return r == 0 && style == JSON_PRETTY ? write_line(b, depth) : r;
}

static inline int write_after(struct buf *b, char close, enum json_style style, unsigned depth)
{
	int r = style == JSON_PRETTY ? write_line(b, depth - 1) : 0;
	return r == 0 ? write_char(b, close) : r;
}

static int write_array(struct buf *b, const struct value *v, enum json_style style, unsigned depth)
{
	if (v->len == 0)
		return write_bytes(b, "[]", 2);
	int r = 0;
	for (uint32_t i = 0; r == 0 && i < v->len; i++) {
		r = write_before(b, '[', i, style, depth);
		if (r == 0)
			r = write_value(b, &v->items[i], style, depth);
	}
	return r == 0 ? write_after(b, ']', style, depth) : r;
}

static int write_object(struct buf *b, const struct value *v, enum json_style style, unsigned depth)
{
	if (v->len == 0)
		return write_bytes(b, "{}", 2);
	int r = 0;
	for (uint32_t i = 0; r == 0 && i < v->len; i++) {
		r = write_before(b, '{', i, style, depth);
		if (r == 0)
			r = write_string(b, v->members[i].key);
		if (r == 0)
			r = style == JSON_PRETTY ? write_bytes(b, ": ", 2) : write_char(b, ':');
		if (r == 0)
			r = write_value(b, &v->members[i].value, style, depth);
	}
	return r == 0 ? write_after(b, '}', style, depth) : r;
}

/* `depth` containers are open around v. */
static int write_value(struct buf *b, const struct value *v, enum json_style style, unsigned depth)
{
	switch (v->kind) {
	case VALUE_STRING:
		return write_string(b, value_text(v));
	case VALUE_NUMBER:
		return write_bytes(b, v->text, v->len);
	case VALUE_BOOL:
		return v->truth ? write_bytes(b, "true", 4) : write_bytes(b, "false", 5);
	case VALUE_ARRAY:
	case VALUE_OBJECT:
		if (depth >= VALUE_DEPTH_MAX) {
			b->failed = ERR_LIMIT;
			return -ERR_LIMIT;
		}
		return (v->kind == VALUE_ARRAY ? write_array : write_object)(b, v, style, depth + 1);
	default: /* absent has no text of its own */
		return write_bytes(b, "null", 4);
	}
}

int json_write(struct buf *b, const struct value *v, enum json_style style)
{
	return b->failed ? -b->failed : write_value(b, v, style, 0);
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
