/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields: what a name may be, what a value must not hold, and who said what. */
#include "http/header.h"

#include <string.h>

/* tchar of RFC 9110 5.6.2 */
static const bool is_tchar[256] = {
	['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true, ['#'] = true, ['$'] = true,
	['%'] = true,	      ['&'] = true,	    ['\''] = true,	  ['*'] = true, ['+'] = true, ['-'] = true,
	['.'] = true,	      ['^'] = true,	    ['_'] = true,	  ['`'] = true, ['|'] = true, ['~'] = true,
};

bool header_is_token(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!is_tchar[(unsigned char)s.ptr[i]])
			return false;
	}
	return s.len > 0;
}

bool header_value_is_clean(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (c <= '\r' && (c == '\r' || c == '\n' || c == 0))
			return false;
	}
	return true;
}

static int check(const struct headers *h, struct str name, struct str value, struct err *e)
{
	size_t shown = name.len < 100 ? name.len : 100;

	if (!header_is_token(name))
		return err_set(e, ERR_INVALID, "'%.*s' is no header name", (int)shown, name.ptr ? name.ptr : "");
	if (!header_value_is_clean(value))
		return err_set(e, ERR_INVALID, "header '%.*s': the value holds a line break or NUL", (int)shown,
			       name.ptr);
	if (name.len + value.len > HEADER_FIELD_MAX_BYTES || name.len > HEADER_FIELD_MAX_BYTES)
		return err_set(e, ERR_LIMIT, "header '%.*s' is longer than %d bytes", (int)shown, name.ptr,
			       HEADER_FIELD_MAX_BYTES);
	if (h->n >= HEADERS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d header fields", HEADERS_MAX);
	if (h->bytes + name.len + value.len > HEADERS_MAX_BYTES)
		return err_set(e, ERR_LIMIT, "the header fields are longer than %d bytes", HEADERS_MAX_BYTES);
	return 0;
}

static struct str copy(char *to, struct str s)
{
	if (s.len)
		memcpy(to, s.ptr, s.len);
	return str_from(to, s.len);
}

int headers_add(struct arena *a, struct headers *h, struct str name, struct str value, struct err *e)
{
	int code = check(h, name, value, e);
	if (code)
		return code;
	if (h->n == h->cap) {
		size_t cap = h->cap ? h->cap * 2 : 8;
		struct header *items = arena_grow(a, h->items, h->cap * sizeof(*items), cap * sizeof(*items));
		if (!items)
			return err_set(e, ERR_NO_MEMORY, "no memory for header fields");
		h->items = items;
		h->cap = cap;
	}
	char *both = arena_alloc(a, name.len + value.len + 1);
	if (!both)
		return err_set(e, ERR_NO_MEMORY, "no memory for header fields");
	h->items[h->n++] = (struct header){ .name = copy(both, name), .value = copy(both + name.len, value) };
	h->bytes += name.len + value.len;
	return 0;
}

int headers_set(struct arena *a, struct headers *h, struct str name, struct str value, struct err *e)
{
	size_t kept = 0, bytes = 0;
	/* Judge first: a refusal must leave what was there. */
	struct headers after = { .n = 0 };
	int code = check(&after, name, value, e);

	if (code)
		return code;
	for (size_t i = 0; i < h->n; i++) {
		if (str_eq_nocase(h->items[i].name, name))
			continue;
		bytes += h->items[i].name.len + h->items[i].value.len;
		h->items[kept++] = h->items[i];
	}
	h->n = kept;
	h->bytes = bytes;
	return headers_add(a, h, name, value, e);
}

struct str headers_get(const struct headers *h, struct str name)
{
	for (size_t i = 0; h && i < h->n; i++) {
		if (h->items[i].name.len == name.len && str_eq_nocase(h->items[i].name, name))
			return h->items[i].value;
	}
	return STR_NULL;
}

size_t headers_count(const struct headers *h, struct str name)
{
	size_t n = 0;

	for (size_t i = 0; h && i < h->n; i++)
		n += str_eq_nocase(h->items[i].name, name);
	return n;
}

struct str header_media_type(struct str value)
{
	return str_trim(str_split(&value, ';'));
}

/* The value at the front of `*s`, which moves past it: a quoted string (unescaped into the arena) or what stands before
 * ';'. */
static struct str take_value(struct arena *a, struct str *s)
{
	if (s->len == 0 || s->ptr[0] != '"')
		return str_trim(str_split(s, ';'));
	char *text = arena_alloc(a, s->len);
	size_t n = 0, i = 1;
	for (; i < s->len && s->ptr[i] != '"'; i++) {
		if (s->ptr[i] == '\\' && i + 1 < s->len)
			i++;
		if (text)
			text[n++] = s->ptr[i];
	}
	bool is_closed = i < s->len;
	*s = str_from(s->ptr + i, s->len - i);
	(void)str_split(s, ';');
	return is_closed && text ? str_from(text, n) : STR_NULL;
}

struct str header_parameter(struct arena *a, struct str value, struct str name)
{
	(void)str_split(&value, ';');
	while (value.ptr) {
		value = str_trim(value);
		size_t n = 0;
		while (n < value.len && value.ptr[n] != '=' && value.ptr[n] != ';')
			n++;
		struct str key = str_trim(str_from(value.ptr, n));
		if (n == value.len)
			return STR_NULL;
		bool has_value = value.ptr[n] == '=';
		value = str_from(value.ptr + n + 1, value.len - n - 1);
		if (!has_value)
			continue;
		value = str_trim(value);
		struct str found = take_value(a, &value);
		if (str_eq_nocase(key, name))
			return found;
	}
	return STR_NULL;
}
