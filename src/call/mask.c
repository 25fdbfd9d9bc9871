/* SPDX-License-Identifier: Apache-2.0 */
/* Finds a secret in its disguises: raw, base64 at each alignment, percent-encoded, hexadecimal, JSON-escaped. */
#include "base/alloc.h"
#include "base/utf8.h"
#include "call/call_int.h"
#include "http/url.h"
#include <stdlib.h>

#define FORM_MAX_BYTES (256u << 10) /* longest disguise kept */
#define FORMS_MAX 4096		    /* of all secrets together */
#define GRAM 4			    /* bytes looked at together; no form is shorter */
#define JUMP_BITS 14
#define JUMP_MAX 255

struct form {
	char *ptr;
	size_t len;
	bool eats_before, eats_after; /* a base64 neighbour holds some of the secret's bits */
};

struct mask {
	struct form *forms;
	size_t n, cap;
	/*
	 * How far the search may step when it meets four bytes of that hash at the end of its window (Wu and Manber,
	 * 1994): 0 = a form may begin at the window's start. The window is as long as the shortest form, so long tokens
	 * cost a tenth of a look a byte.
	 */
	size_t window;
	uint8_t jumps[1u << JUMP_BITS];
};

_Static_assert(SECRET_MASK_MIN >= GRAM, "the search reads four bytes");

static inline uint32_t gram_hash(const char *p)
{
	uint32_t four;
	memcpy(&four, p, sizeof(four));
	return (four * 2654435761u) >> (32 - JUMP_BITS);
}

struct mask *mask_new(void)
{
	return alloc_calloc(1, sizeof(struct mask));
}

void mask_free(struct mask *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++) {
		explicit_bzero(m->forms[i].ptr, m->forms[i].len);
		free(m->forms[i].ptr);
	}
	free(m->forms);
	free(m);
}

bool mask_is_empty(const struct mask *m)
{
	return m->n == 0;
}

static bool has_form(const struct mask *m, struct str text)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(str_from(m->forms[i].ptr, m->forms[i].len), text))
			return true;
	return false;
}

static void set_jumps(struct mask *m, const struct form *f)
{
	for (size_t i = 0; i + GRAM <= m->window; i++) {
		uint8_t *jump = &m->jumps[gram_hash(f->ptr + i)], left = (uint8_t)(m->window - GRAM - i);
		*jump = left < *jump ? left : *jump;
	}
}

/* A form shorter than the window makes all jumps wrong: they are learned anew. */
static void learn_form(struct mask *m, const struct form *f)
{
	size_t window = f->len < JUMP_MAX ? f->len : JUMP_MAX;
	if (m->window != 0 && m->window <= window) {
		set_jumps(m, f);
		return;
	}
	m->window = window;
	memset(m->jumps, (int)(window - GRAM + 1), sizeof(m->jumps));
	for (size_t i = 0; i < m->n; i++)
		set_jumps(m, &m->forms[i]);
}

static int add_form(struct mask *m, struct str text, bool before, bool after)
{
	if (text.len < SECRET_MASK_MIN || text.len > FORM_MAX_BYTES || has_form(m, text))
		return 0;
	if (m->n >= FORMS_MAX)
		return -ERR_LIMIT;
	if (m->n == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 16;
		struct form *grown = alloc_realloc(m->forms, cap * sizeof(*grown));
		if (!grown)
			return -ERR_NO_MEMORY;
		m->forms = grown;
		m->cap = cap;
	}
	char *copy = str_dup_c(text);
	if (!copy)
		return -ERR_NO_MEMORY;
	m->forms[m->n++] = (struct form){ copy, text.len, before, after };
	learn_form(m, &m->forms[m->n - 1]);
	return 0;
}

int mask_add_exact(struct mask *m, struct str form)
{
	return add_form(m, form, false, false);
}

/* ---- disguises ---- */

void base64_append(struct buf *b, struct str bytes, bool url_alphabet)
{
	static const char alphabet[2][65] = { "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
					      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" };
	const char *digits = alphabet[url_alphabet];
	const unsigned char *p = (const unsigned char *)bytes.ptr;
	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t left = bytes.len - i;
		unsigned three =
		    (unsigned)p[i] << 16 | (left > 1 ? (unsigned)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0u);
		char four[4] = { digits[three >> 18], digits[three >> 12 & 63],
				 left > 1 ? digits[three >> 6 & 63] : '=', left > 2 ? digits[three & 63] : '=' };
		(void)buf_append(b, four, sizeof(four));
	}
}

/* Base64 digits, also with each "/" as "\\/". */
static int add_digits(struct mask *m, struct str digits, bool before, bool after)
{
	auto_buf struct buf b = { .max = FORM_MAX_BYTES };
	int r = add_form(m, digits, before, after);
	if (r < 0 || str_find_char(digits, '/') < 0)
		return r;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.ptr[i] == '/')
			(void)buf_append_char(&b, '\\');
		(void)buf_append_char(&b, digits.ptr[i]);
	}
	if (!buf_ok(&b))
		return b.failed == ERR_LIMIT ? 0 : -ERR_NO_MEMORY;
	return add_form(m, buf_str(&b), before, after);
}

/* What base64 makes of the value wherever it stands in a longer text: only digits that depend on nothing else. */
static int add_base64(struct mask *m, struct str value, bool url_alphabet)
{
	int r = 0;
	for (size_t shift = 0; shift < 3 && r == 0; shift++) {
		auto_buf struct buf padded, digits;
		buf_init(&padded, FORM_MAX_BYTES);
		buf_init(&digits, 2 * FORM_MAX_BYTES);
		(void)buf_append(&padded, "\0\0", shift);
		(void)buf_append_str(&padded, value);
		if (!buf_ok(&padded))
			return padded.failed == ERR_LIMIT ? 0 : -ERR_NO_MEMORY;
		base64_append(&digits, buf_str(&padded), url_alphabet);
		size_t skip = shift ? shift + 1 : 0, rest = padded.len % 3;
		size_t whole = padded.len / 3 * 4 + rest;
		if (!buf_ok(&digits))
			r = -ERR_NO_MEMORY;
		else if (whole > skip)
			r = add_digits(m, str_from(digits.ptr + skip, whole - skip), shift > 0, rest > 0);
		explicit_bzero(padded.ptr, padded.len);
	}
	return r;
}

static int add_buf(struct mask *m, struct buf *b)
{
	if (!buf_ok(b))
		return b->failed == ERR_LIMIT ? 0 : -ERR_NO_MEMORY;
	return add_form(m, buf_str(b), false, false);
}

static int add_percent(struct mask *m, struct str value)
{
	static const enum url_set sets[] = { URL_SET_QUERY, URL_SET_FORM, URL_SET_COOKIE, URL_SET_QUERY_RESERVED };
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		auto_buf struct buf b = { .max = FORM_MAX_BYTES };
		(void)url_encode(&b, value, sets[i]);
		int r = add_buf(m, &b);
		/* Some write %2f for %2F. */
		for (size_t at = 0; r == 0 && at + 2 < b.len; at++)
			for (size_t k = 1; b.ptr[at] == '%' && k <= 2; k++)
				if (b.ptr[at + k] >= 'A' && b.ptr[at + k] <= 'F')
					b.ptr[at + k] = (char)(b.ptr[at + k] | 0x20);
		r = r < 0 ? r : add_buf(m, &b);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_hex(struct mask *m, struct str value)
{
	static const char *const digits[2] = { "0123456789abcdef", "0123456789ABCDEF" };
	for (size_t style = 0; style < 2; style++) {
		auto_buf struct buf b = { .max = FORM_MAX_BYTES };
		for (size_t i = 0; i < value.len; i++) {
			unsigned char c = (unsigned char)value.ptr[i];
			(void)buf_append(&b, (char[]){ digits[style][c >> 4], digits[style][c & 15] }, 2);
		}
		int r = add_buf(m, &b);
		if (r < 0)
			return r;
	}
	return 0;
}

/* How somebody writes JSON strings: each of these is seen in the wild. */
struct escape_style {
	bool slash;	  /* PHP: "\/" */
	bool ascii;	  /* Python: what is not ASCII as \u00e4 */
	bool upper;	  /* ... as \u00E4 */
	const char *also; /* more that becomes \u00xx: Go "<>&", .NET the quotes and the plus, too */
};

static const struct escape_style escape_styles[] = {
	{ .also = "" },
	{ .slash = true, .also = "" },
	{ .ascii = true, .also = "" },
	{ .ascii = true, .slash = true, .also = "" },
	{ .ascii = true, .upper = true, .also = "" },
	{ .ascii = true, .upper = true, .slash = true, .also = "" },
	{ .also = "<>&" },
	{ .ascii = true, .upper = true, .also = "<>&'\"`+" },
};

static void escape_unit(struct buf *b, uint32_t unit, bool upper)
{
	(void)(upper ? buf_printf(b, "\\u%04X", unit) : buf_printf(b, "\\u%04x", unit));
}

/* One code point as \uXXXX, or a pair of them. `p` stands on a well-formed sequence of n bytes. */
static void escape_wide(struct buf *b, const char *p, size_t n, bool upper)
{
	uint32_t c = (unsigned char)p[0] & (n == 2 ? 0x1Fu : n == 3 ? 0x0Fu : 0x07u);
	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)p[i] & 0x3Fu);
	if (c >= 0x10000) {
		escape_unit(b, 0xD800 + ((c - 0x10000) >> 10), upper);
		c = 0xDC00 + ((c - 0x10000) & 0x3FF);
	}
	escape_unit(b, c, upper);
}

static void escape_byte(struct buf *b, char c, const struct escape_style *style)
{
	static const char named[] = "\b\f\n\r\t\"\\", names[] = "bfnrt\"\\";
	const char *name = c ? strchr(named, c) : NULL;
	if (c && strchr(style->also, c))
		escape_unit(b, (unsigned char)c, style->upper);
	else if (name || (c == '/' && style->slash))
		(void)buf_append(b, (char[]){ '\\', name ? names[name - named] : c }, 2);
	else if ((unsigned char)c < 0x20)
		escape_unit(b, (unsigned char)c, style->upper);
	else
		(void)buf_append_char(b, c);
}

/* A body that is JSON is escaped again when somebody echoes it inside JSON: hence two levels. */
static int add_json(struct mask *m, struct str text, unsigned levels)
{
	int r = 0;
	for (size_t k = 0; k < ARRAY_LEN(escape_styles) && r == 0; k++) {
		const struct escape_style *style = &escape_styles[k];
		auto_buf struct buf b = { .max = FORM_MAX_BYTES };
		for (size_t i = 0, n; i < text.len; i += n) {
			n = utf8_sequence(text.ptr + i, text.ptr + text.len);
			if (n > 1 && style->ascii)
				escape_wide(&b, text.ptr + i, n, style->upper);
			else if (n > 1)
				(void)buf_append(&b, text.ptr + i, n);
			else
				escape_byte(&b, text.ptr[i], style);
			n = n ? n : 1;
		}
		r = add_buf(m, &b);
		if (r == 0 && buf_ok(&b) && levels > 1 && !str_eq(buf_str(&b), text))
			r = add_json(m, buf_str(&b), levels - 1);
	}
	return r;
}

int mask_add(struct mask *m, struct str value)
{
	if (value.len < SECRET_MASK_MIN)
		return 0;
	int r = add_form(m, value, false, false);
	r = r < 0 ? r : add_base64(m, value, false);
	r = r < 0 ? r : add_base64(m, value, true);
	r = r < 0 ? r : add_percent(m, value);
	r = r < 0 ? r : add_hex(m, value);
	return r < 0 ? r : add_json(m, value, 2);
}

/* ---- the search ---- */

static inline bool is_base64_digit(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
	       c == '-' || c == '_';
}

/* The longest form that stands at `at`. */
static const struct form *form_at(const struct mask *m, struct str text, size_t at)
{
	const struct form *best = NULL;
	for (size_t i = 0; i < m->n; i++) {
		const struct form *f = &m->forms[i];
		if (f->len <= text.len - at && (!best || f->len > best->len) &&
		    memcmp(f->ptr, text.ptr + at, f->len) == 0)
			best = f;
	}
	return best;
}

ptrdiff_t mask_find(const struct mask *m, struct str text, size_t from, size_t *ret_len)
{
	for (size_t at = from, jump; at + m->window <= text.len; at += jump) {
		jump = m->jumps[gram_hash(text.ptr + at + m->window - GRAM)];
		if (likely(jump > 0))
			continue;
		jump = 1;
		const struct form *f = form_at(m, text, at);
		if (!f)
			continue;
		size_t start = at, end = at + f->len;
		if (f->eats_before && start > from && is_base64_digit(text.ptr[start - 1]))
			start--;
		if (f->eats_after && end < text.len && is_base64_digit(text.ptr[end]))
			end++;
		*ret_len = end - start;
		return (ptrdiff_t)start;
	}
	return -1;
}
