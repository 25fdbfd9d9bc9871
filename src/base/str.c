/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at strings without owning them. */
#include "base/str.h"
#include "base/alloc.h"
#include "base/utf8.h"

/* ASCII only, whatever the locale says. */
static inline unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool str_eq_nocase(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (lower(a.ptr[i]) != lower(b.ptr[i]))
			return false;
	return true;
}

bool str_starts(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_eq(str_from(s.ptr, prefix.len), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
	return s.len >= suffix.len &&
	       (suffix.len == 0 || memcmp(s.ptr + s.len - suffix.len, suffix.ptr, suffix.len) == 0);
}

static inline bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
	while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
		s.len--;
	while (s.len > 0 && is_blank(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	return s;
}

ptrdiff_t str_find(struct str s, struct str needle)
{
	if (needle.len == 0)
		return 0;
	if (s.len < needle.len)
		return -1;
	const char *at = memmem(s.ptr, s.len, needle.ptr, needle.len);
	return at ? at - s.ptr : -1;
}

ptrdiff_t str_find_char(struct str s, char c)
{
	const char *at = s.len ? memchr(s.ptr, (unsigned char)c, s.len) : NULL;
	return at ? at - s.ptr : -1;
}

int str_cmp(struct str a, struct str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

struct str str_split(struct str *s, char c)
{
	struct str whole = *s;
	ptrdiff_t at = str_find_char(whole, c);
	if (at < 0) {
		*s = STR_NULL;
		return whole;
	}
	*s = str_from(whole.ptr + at + 1, whole.len - (size_t)at - 1);
	return str_from(whole.ptr, (size_t)at);
}

char *str_dup_c(struct str s)
{
	char *copy = s.len < SIZE_MAX ? alloc_malloc(s.len + 1) : NULL;
	if (!copy)
		return NULL;
	if (s.len)
		memcpy(copy, s.ptr, s.len);
	copy[s.len] = '\0';
	return copy;
}

bool str_is_utf8(struct str s, size_t *ret_bad)
{
	if (s.len == 0)
		return true;
	const char *p = s.ptr, *end = p + s.len;
	while (p < end) {
		uint64_t eight;
		if (end - p >= 8 && (memcpy(&eight, p, 8), (eight & UINT64_C(0x8080808080808080)) == 0)) {
			p += 8;
			continue;
		}
		size_t n = utf8_sequence(p, end);
		if (n == 0) {
			if (ret_bad)
				*ret_bad = (size_t)(p - s.ptr);
			return false;
		}
		p += n;
	}
	return true;
}

struct str str_clip(struct str s, size_t max)
{
	if (s.len <= max)
		return s;
	s.len = max;
	/* s.ptr[s.len] is the first byte left out; while it continues a sequence, what stands before goes with it. */
	while (s.len > 0 && ((unsigned char)s.ptr[s.len] & 0xC0) == 0x80)
		s.len--;
	return s;
}
