/* SPDX-License-Identifier: Apache-2.0 */
/* Names of files that somebody else chose: shown, offered for saving and sent on, never a path. */
#include "base/utf8.h"
#include "call/call_int.h"

#define NAME_MAX_BYTES 255 /* as most file systems have it */

/* Bytes that steer terminals, and marks that turn the direction of writing so that an ending seems another one. */
static bool is_dropped(struct str c)
{
	unsigned char first = (unsigned char)c.ptr[0];
	if (c.len == 1)
		return first < 0x20 || first == 0x7f;
	if (c.len == 2)
		return first == 0xC2 && (unsigned char)c.ptr[1] < 0xA0;
	static const char *const marks[] = { "\u200e", "\u200f", "\u202a", "\u202b", "\u202c", "\u202d",
					     "\u202e", "\u2066", "\u2067", "\u2068", "\u2069" };
	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (str_eq_c(c, marks[i]))
			return true;
	return false;
}

struct str file_name_clean(struct arena *a, struct str name)
{
	size_t from = 0, n = 0;
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] == '/' || name.ptr[i] == '\\')
			from = i + 1;
	name = str_from(name.ptr + from, name.len - from);
	char *out = name.len ? arena_alloc(a, name.len) : NULL;
	if (!out)
		return STR("");
	for (size_t i = 0; i < name.len;) {
		size_t len = utf8_sequence(name.ptr + i, name.ptr + name.len);
		if (len && !is_dropped(str_from(name.ptr + i, len))) {
			memcpy(out + n, name.ptr + i, len);
			n += len;
		}
		i += len ? len : 1;
	}
	struct str clean = str_trim(str_clip(str_from(out, n), NAME_MAX_BYTES));
	return str_eq_c(clean, ".") || str_eq_c(clean, "..") ? STR("") : clean;
}
