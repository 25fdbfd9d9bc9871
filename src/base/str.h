/* SPDX-License-Identifier: Apache-2.0 */
/* {ptr,len} strings. They own nothing, may contain NUL, and are not terminated unless a function says so. */
#pragma once
#include "base/attr.h"
#include <string.h>

struct str {
	const char *ptr;
	size_t len;
};

#define STR(lit) ((struct str){ "" lit, sizeof(lit) - 1 })
#define STR_NULL ((struct str){ NULL, 0 })
/* For printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s) (int)(s).len, (s).ptr ? (s).ptr : ""

static inline struct str str_from(const char *ptr, size_t len)
{
	return (struct str){ ptr, len };
}

/* NULL gives the null string. */
static inline struct str str_c(const char *c)
{
	return (struct str){ c, c ? strlen(c) : 0 };
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_eq_c(struct str a, const char *c)
{
	return str_eq(a, str_c(c));
}

bool str_eq_nocase(struct str a, struct str b); /* ASCII case folded */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
struct str str_trim(struct str s);		 /* SP and HTAB off both ends */
ptrdiff_t str_find(struct str s, struct str needle); /* offset, or -1 */
ptrdiff_t str_find_char(struct str s, char c);	 /* offset, or -1 */
int str_cmp(struct str a, struct str b);	 /* bytewise, like memcmp then length */
/* Cut `*s` at the first `c`: returns what stands before it, `*s` becomes what follows (null string when no `c`). */
struct str str_split(struct str *s, char c);
/* A malloc'd, NUL-terminated copy; NULL when out of memory. */
char *str_dup_c(struct str s);
/* True if all of `s` is UTF-8 (RFC 3629: no overlongs, no surrogates, at most U+10FFFF). *ret_bad = offset of the first bad byte. */
bool str_is_utf8(struct str s, size_t *ret_bad);
/* At most the first `max` bytes, never ending in half a UTF-8 sequence: for quoting in messages. */
struct str str_clip(struct str s, size_t max);
