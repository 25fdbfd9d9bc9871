/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON text to values, in one pass and without recursion.
 *
 * Finished values wait on a stack of 16-byte slots: an array's items one a slot, an object's members as key and value,
 * which is the very layout of struct member. An open container has a slot below them that remembers its parent; when it
 * closes, what lies above is copied into the arena once, at its exact size, and the slot becomes the container's value.
 */
#include "base/json_int.h"
#include "base/alloc.h"
#include "base/key_index.h"
#include "base/num.h"
#include "base/number.h"
#include "base/scan.h"
#include "base/utf8.h"
#include <stdio.h>
#include <stdlib.h>

union slot {
	struct str key;
	struct value value;
};
_Static_assert(sizeof(union slot) == sizeof(struct value), "an array's items are slots");
_Static_assert(sizeof(struct member) == 2 * sizeof(union slot), "a member is two slots");

#define SLOTS_ON_STACK 256  /* 4 KiB: most API answers never need more */
#define NO_FRAME UINT32_MAX /* parent of the outermost container */
#define NEAR_MAX 40	    /* bytes of the text that a message shows */

struct parser {
	const char *text, *end;
	struct arena *arena;
	union slot *slots;
	size_t top, room;
	uint32_t frame; /* slot of the innermost open container, or NO_FRAME */
	unsigned depth, max_depth;
	enum json_duplicates duplicates;
	bool is_ours; /* the text is our own copy: escapes may be resolved in place */
	bool had_duplicates;
	const char *bad; /* where, why and how it ended */
	const char *why;
	int code;
	union slot fixed[SLOTS_ON_STACK];
};

/* Every refusal passes here; NULL, so that callers can return it. */
static __attribute__((noinline, cold)) const char *refuse(struct parser *ps, const char *at, const char *why)
{
	ps->bad = at;
	ps->why = why;
	ps->code = ERR_INVALID;
	return NULL;
}

static __attribute__((noinline, cold)) const char *refuse_limit(struct parser *ps, const char *at, int code,
								const char *why)
{
	refuse(ps, at, why);
	ps->code = code;
	return NULL;
}

static __attribute__((noinline)) bool grow_slots(struct parser *ps)
{
	size_t room = ps->room * 2;
	bool is_fixed = ps->slots == ps->fixed;
	union slot *slots = alloc_realloc(is_fixed ? NULL : ps->slots, room * sizeof(*slots));
	if (!slots)
		return false;
	if (is_fixed)
		memcpy(slots, ps->fixed, sizeof(ps->fixed));
	ps->slots = slots;
	ps->room = room;
	return true;
}

/* The next free slot, or NULL when out of memory. */
static inline union slot *push(struct parser *ps)
{
	if (unlikely(ps->top == ps->room) && !grow_slots(ps))
		return NULL;
	return &ps->slots[ps->top++];
}

static inline const char *skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

/* Four hex digits, or -1. */
static int hex4(const char *p, const char *end)
{
	int code = 0;
	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = num_hex_value(p[i]);
		if (digit < 0)
			return -1;
		code = code << 4 | digit;
	}
	return code;
}

/* \uXXXX, p behind the u. Halves of a pair only count together. */
static const char *unicode_escape(struct parser *ps, const char *p, const char *end, char **out)
{
	int code = hex4(p, end);
	if (code < 0)
		return refuse(ps, p - 2, "\\u wants four hex digits");
	p += 4;
	uint32_t c = (uint32_t)code;
	if (c >= 0xD800 && c <= 0xDFFF) {
		int low = end - p >= 6 && p[0] == '\\' && p[1] == 'u' ? hex4(p + 2, end) : -1;
		if (c >= 0xDC00 || low < 0xDC00 || low > 0xDFFF)
			return refuse(ps, p - 6, "half a surrogate pair is no character");
		c = 0x10000 + ((c - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
		p += 6;
	}
	char bytes[4];
	size_t n = utf8_encode(c, bytes);
	memcpy(*out, bytes, n);
	*out += n;
	return p;
}

/* The escape at p, which is its backslash; at least one byte follows. */
static const char *one_escape(struct parser *ps, const char *p, const char *end, char **out)
{
	static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	if (p[1] == 'u')
		return unicode_escape(ps, p + 2, end, out);
	const char *which = p[1] ? strchr(plain, p[1]) : NULL;
	if (!which)
		return refuse(ps, p, "no such escape");
	*(*out)++ = meant[which - plain];
	return p + 2;
}

/* The closing quote of a string that has an escape at p, or NULL. */
static const char *closing_quote(const char *p, const char *end)
{
	while (p < end && *p != '"') {
		if (*p == '\\')
			p += 2;
		else
			p = scan_special(p + 1, end);
	}
	return p < end ? p : NULL;
}

/* A string from its first byte at `start`, clean up to the escape at p. It never gets longer by resolving escapes. */
static __attribute__((noinline)) const char *escaped_string(struct parser *ps, const char *start, const char *p,
							    struct str *ret)
{
	const char *quote = closing_quote(p, ps->end);
	if (!quote)
		return refuse(ps, ps->end, "the text ends inside a string");
	size_t most = (size_t)(quote - start);
	char *text = ps->is_ours ? (char *)start : arena_alloc(ps->arena, most);
	if (!text)
		return refuse_limit(ps, start, ERR_NO_MEMORY, "out of memory");
	char *out = text + (p - start);
	if (!ps->is_ours)
		memcpy(text, start, (size_t)(p - start));
	while (p < quote) {
		const char *stop = scan_special(p, quote);
		memmove(out, p, (size_t)(stop - p));
		out += stop - p;
		p = stop;
		if (p == quote)
			break;
		if (*p == '\\') {
			p = one_escape(ps, p, quote, &out);
			if (!p)
				return NULL;
			continue;
		}
		size_t n = (unsigned char)*p < 0x20 ? 0 : utf8_sequence(p, quote);
		if (n == 0)
			return refuse(
			    ps, p, (unsigned char)*p < 0x20 ? "a control character must be escaped" : "invalid UTF-8");
		memmove(out, p, n);
		out += n;
		p += n;
	}
	*ret = str_from(text, (size_t)(out - text));
	if (!ps->is_ours) /* gives the rest back */
		(void)arena_grow(ps->arena, text, most, ret->len);
	return quote + 1;
}

/* A string whose opening quote is at p. */
static inline const char *parse_string(struct parser *ps, const char *p, struct str *ret)
{
	const char *start = ++p, *end = ps->end;
	for (;;) {
		p = scan_special(p, end);
		if (unlikely(p == end))
			return refuse(ps, p, "the text ends inside a string");
		if (likely(*p == '"')) {
			*ret = str_from(start, (size_t)(p - start));
			return p + 1;
		}
		if (*p == '\\')
			return escaped_string(ps, start, p, ret);
		if ((unsigned char)*p < 0x20)
			return refuse(ps, p, "a control character must be escaped");
		do {
			size_t n = utf8_sequence(p, end);
			if (n == 0)
				return refuse(ps, p, "invalid UTF-8");
			p += n;
		} while (p < end && (unsigned char)*p >= 0x80);
	}
}

static inline const char *parse_number(struct parser *ps, const char *p, struct value *ret)
{
	const char *bad = p, *end = number_end(p, ps->end, &bad);
	if (unlikely(!end)) {
		if (bad == ps->end)
			return refuse(ps, bad, "the text ends inside a number");
		return refuse(ps, bad, "a digit is missing");
	}
	*ret = (struct value){ .kind = VALUE_NUMBER, .len = (uint32_t)(end - p), .text = p };
	/* "01" and "1x" are caught by whoever expects a comma: say it better here. */
	if (unlikely(end < ps->end && number_is_digit(*end)))
		return refuse(ps, end, "a number has no leading zeros");
	return end;
}

static inline const char *parse_word(struct parser *ps, const char *p, struct str word, struct value v,
				     struct value *ret)
{
	if ((size_t)(ps->end - p) < word.len || memcmp(p, word.ptr, word.len) != 0)
		return refuse(ps, p, "expected a value");
	*ret = v;
	return p + word.len;
}

/* Anything but a container. The slot is taken before, so that `ret` stays put. */
static inline const char *parse_scalar(struct parser *ps, const char *p, struct value *ret)
{
	struct str s;
	switch (*p) {
	case '"':
		p = parse_string(ps, p, &s);
		if (p)
			*ret = (struct value){ .kind = VALUE_STRING, .len = (uint32_t)s.len, .text = s.ptr };
		return p;
	case 't':
		return parse_word(ps, p, STR("true"), (struct value){ .kind = VALUE_BOOL, .truth = 1 }, ret);
	case 'f':
		return parse_word(ps, p, STR("false"), (struct value){ .kind = VALUE_BOOL }, ret);
	case 'n':
		return parse_word(ps, p, STR("null"), (struct value){ .kind = VALUE_NULL }, ret);
	default:
		if (*p == '-' || number_is_digit(*p))
			return parse_number(ps, p, ret);
		return refuse(ps, p, "expected a value");
	}
}

/* A key and its colon; p stands before the key, white space aside. */
static inline const char *parse_key(struct parser *ps, const char *p)
{
	p = skip_space(p, ps->end);
	if (unlikely(p == ps->end))
		return refuse(ps, p, "the text ends inside an object");
	if (unlikely(*p != '"'))
		return refuse(ps, p, "expected a key in double quotes");
	union slot *slot = push(ps);
	if (unlikely(!slot))
		return refuse_limit(ps, p, ERR_NO_MEMORY, "out of memory");
	p = parse_string(ps, p, &slot->key);
	if (unlikely(!p))
		return NULL;
	p = skip_space(p, ps->end);
	if (unlikely(p == ps->end || *p != ':'))
		return refuse(ps, p, p == ps->end ? "the text ends inside an object" : "expected ':' after the key");
	return p + 1;
}

/* One of 64 bits: keys that differ in it are different. */
static inline uint64_t key_bit(struct str key)
{
	if (key.len == 0)
		return 1;
	unsigned mix = (unsigned)key.len * 7u + (unsigned char)key.ptr[0] * 31u +
		       (unsigned char)key.ptr[key.len - 1] * 5u + (unsigned char)key.ptr[key.len / 2] * 11u;
	return UINT64_C(1) << ((mix ^ mix >> 6) & 63);
}

static uint32_t find_before(const struct member *members, uint32_t n, struct str key)
{
	for (uint32_t i = 0; i < n; i++)
		if (str_eq(members[i].key, key))
			return i;
	return n;
}

/* The one that stands at `first` takes the later one's value; false when repeats are refused. */
static bool take_duplicate(struct parser *ps, const char *p, struct member *first, const struct member *later)
{
	if (ps->duplicates == JSON_DUP_REFUSE) {
		/* A key with escapes lies in the arena, then the end of its object has to do. */
		bool is_in_text = later->key.ptr >= ps->text && later->key.ptr <= ps->end;
		refuse(ps, is_in_text ? later->key.ptr - 1 : p, "the key is there twice");
		return false;
	}
	first->value = later->value;
	ps->had_duplicates = true;
	return true;
}

static bool merge_small(struct parser *ps, const char *p, struct member *m, uint32_t *n)
{
	uint64_t seen = 0;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < *n; i++) {
		uint64_t bit = key_bit(m[i].key);
		uint32_t first = seen & bit ? find_before(m, kept, m[i].key) : kept;
		if (first < kept) {
			if (!take_duplicate(ps, p, &m[first], &m[i]))
				return false;
			continue;
		}
		seen |= bit;
		if (kept < i)
			m[kept] = m[i];
		kept++;
	}
	*n = kept;
	return true;
}

static __attribute__((noinline)) bool merge_large(struct parser *ps, const char *p, struct member *m, uint32_t *n)
{
	struct key_index index;
	if (!key_index_init(&index, *n)) {
		refuse_limit(ps, p, ERR_NO_MEMORY, "out of memory");
		return false;
	}
	uint32_t kept = 0;
	bool ok = true;
	for (uint32_t i = 0; ok && i < *n; i++) {
		if (kept < i)
			m[kept] = m[i];
		uint32_t first = key_index_put(&index, m, kept);
		if (first == kept)
			kept++;
		else
			ok = take_duplicate(ps, p, &m[first], &m[kept]);
	}
	key_index_done(&index);
	*n = kept;
	return ok;
}

static inline const char *open_container(struct parser *ps, const char *p)
{
	if (unlikely(ps->depth == ps->max_depth))
		return refuse_limit(ps, p, ERR_LIMIT, "nested too deeply");
	union slot *slot = push(ps);
	if (unlikely(!slot))
		return refuse_limit(ps, p, ERR_NO_MEMORY, "out of memory");
	slot->value = (struct value){ .kind = *p == '{' ? VALUE_OBJECT : VALUE_ARRAY, .len = ps->frame };
	ps->frame = (uint32_t)(ps->top - 1);
	ps->depth++;
	return p + 1;
}

/* The bracket at p ends the innermost container. */
static const char *close_container(struct parser *ps, const char *p)
{
	struct value *v = &ps->slots[ps->frame].value;
	union slot *first = &ps->slots[ps->frame + 1];
	uint32_t parent = v->len, n = (uint32_t)(ps->top - ps->frame - 1);
	size_t slots = n;
	if (v->kind == VALUE_OBJECT) {
		n /= 2;
		if (n > 1 && ps->duplicates != JSON_DUP_KEEP &&
		    !(n <= KEY_INDEX_WORTH ? merge_small : merge_large)(ps, p, (struct member *)first, &n))
			return NULL;
		slots = (size_t)n * 2;
	}
	v->len = n;
	v->items = NULL;
	if (n > 0) {
		v->items = arena_alloc(ps->arena, slots * sizeof(*first));
		if (unlikely(!v->items))
			return refuse_limit(ps, p, ERR_NO_MEMORY, "out of memory");
		memcpy(v->items, first, slots * sizeof(*first));
		v->cap_log2 = value_cap_log2(n);
	}
	ps->top = ps->frame + 1;
	ps->frame = parent;
	ps->depth--;
	return p + 1;
}

/* Behind a complete value: closes what ends here, and steps over a comma and the key that follows it. */
static inline const char *after_value(struct parser *ps, const char *p, bool *ret_more)
{
	while (ps->frame != NO_FRAME) {
		bool is_object = ps->slots[ps->frame].value.kind == VALUE_OBJECT;
		p = skip_space(p, ps->end);
		if (unlikely(p == ps->end))
			return refuse(ps, p,
				      is_object ? "the text ends inside an object" : "the text ends inside an array");
		if (*p == ',') {
			*ret_more = true;
			return is_object ? parse_key(ps, p + 1) : p + 1;
		}
		if (unlikely(*p != (is_object ? '}' : ']')))
			return refuse(ps, p, is_object ? "expected ',' or '}'" : "expected ',' or ']'");
		p = close_container(ps, p);
		if (unlikely(!p))
			return NULL;
	}
	*ret_more = false;
	return p;
}

static const char *parse_values(struct parser *ps, const char *p)
{
	for (bool more = true; p && more;) {
		p = skip_space(p, ps->end);
		if (unlikely(p == ps->end))
			return refuse(
			    ps, p, ps->frame == NO_FRAME ? "there is no value" : "the text ends where a value is due");
		if (*p == '{' || *p == '[') {
			bool is_object = *p == '{';
			p = open_container(ps, p);
			if (!p)
				return NULL;
			p = skip_space(p, ps->end);
			if (p == ps->end || *p != (is_object ? '}' : ']')) {
				p = is_object ? parse_key(ps, p) : p;
				continue;
			}
			p = close_container(ps, p);
		} else {
			union slot *slot = push(ps);
			p = slot ? parse_scalar(ps, p, &slot->value)
				 : refuse_limit(ps, p, ERR_NO_MEMORY, "out of memory");
		}
		if (unlikely(!p))
			return NULL;
		p = after_value(ps, p, &more);
	}
	return p;
}

void json_place_advance(struct json_error *at, struct str text)
{
	if (text.len == 0)
		return;
	const char *p = text.ptr, *end = p + text.len, *feed;
	at->offset += text.len;
	while (p < end && (feed = memchr(p, '\n', (size_t)(end - p)))) {
		at->line++;
		at->column = 1;
		p = feed + 1;
	}
	at->column += (unsigned)(end - p);
}

int json_report(const struct json_error *at, int code, struct str rest, struct err *e)
{
	char near[NEAR_MAX + 1];
	size_t n = 0;
	for (; n < NEAR_MAX && n < rest.len; n++) {
		char c = rest.ptr[n];
		near[n] = (char)(c == '"' ? '\'' : c >= ' ' && c < 0x7F ? c : '.');
	}
	near[n] = '\0';
	if (n == 0)
		return err_set(e, code, "invalid JSON at offset %zu (line %u, column %u): %s", at->offset, at->line,
			       at->column, at->why);
	return err_set(e, code, "invalid JSON at offset %zu (line %u, column %u): %s, near \"%s\"", at->offset,
		       at->line, at->column, at->why, near);
}

/* Own copy of the text, if asked for, and the limits before the first byte is read. */
static bool begin(struct parser *ps, struct str text, const struct json_options *opt)
{
	size_t max = opt->max_bytes ? opt->max_bytes : JSON_MAX_BYTES;
	ps->text = ps->bad = text.ptr ? text.ptr : "";
	ps->end = ps->text;
	if (text.len > max || text.len >= UINT32_MAX) {
		refuse_limit(ps, ps->text, ERR_LIMIT, "the text is longer than allowed");
		return false;
	}
	if (opt->copy) {
		ps->text = ps->bad = arena_str(ps->arena, text).ptr;
		ps->is_ours = true;
	}
	if (!ps->text) {
		refuse_limit(ps, NULL, ERR_NO_MEMORY, "out of memory");
		return false;
	}
	ps->end = ps->text + text.len;
	return true;
}

int json_parse_part(struct arena *a, struct str text, const struct json_options *opt, struct value *ret,
		    size_t *ret_used, struct json_error *je)
{
	static const struct json_options usual = { 0 };
	struct parser ps; /* field by field: zeroing the slots would cost more than a small text */
	if (!opt)
		opt = &usual;
	ps.arena = a;
	ps.slots = ps.fixed;
	ps.top = 0;
	ps.room = SLOTS_ON_STACK;
	ps.frame = NO_FRAME;
	ps.depth = 0;
	ps.max_depth = opt->max_depth && opt->max_depth < VALUE_DEPTH_MAX ? opt->max_depth : VALUE_DEPTH_MAX;
	ps.duplicates = opt->duplicates;
	ps.is_ours = ps.had_duplicates = false;
	const char *p = begin(&ps, text, opt) ? parse_values(&ps, ps.text) : NULL;
	if (p && !ret_used) {
		p = skip_space(p, ps.end);
		if (p != ps.end)
			p = refuse(&ps, p, "something stands behind the value");
	}
	if (p) {
		*ret = ps.slots[0].value;
		if (ret_used)
			*ret_used = (size_t)(p - ps.text);
		if (je)
			*je = (struct json_error){ .had_duplicates = ps.had_duplicates };
	} else if (je) {
		*je = (struct json_error){ .line = 1, .column = 1, .why = ps.why };
		/* The caller's text: ours may have been rewritten in place. */
		json_place_advance(je, str_from(text.ptr, (size_t)(ps.bad - ps.text)));
	}
	if (ps.slots != ps.fixed)
		free(ps.slots);
	return p ? 0 : -ps.code;
}

int json_parse(struct arena *a, struct str text, const struct json_options *opt, struct value *ret,
	       struct json_error *je, struct err *e)
{
	struct json_error at;
	int r = json_parse_part(a, text, opt, ret, NULL, &at);
	if (je)
		*je = at;
	if (r == 0)
		return 0;
	return json_report(&at, -r, text.len ? str_from(text.ptr + at.offset, text.len - at.offset) : text, e);
}
