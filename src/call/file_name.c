/* SPDX-License-Identifier: Apache-2.0 */
/* Names of files that somebody else chose: shown, offered for saving and sent on, never a path. */
#include "base/utf8.h"
#include "call/body_int.h"
#include "http/url.h"

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

struct str call_file_name_clean(struct arena *a, struct str name)
{
	size_t from = 0, n = 0;
	if (!name.len)
		return STR("");
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

/* ---- Content-Disposition ---- */

struct str latin1_to_utf8(struct arena *a, struct str s)
{
	char *out = arena_alloc(a, 2 * s.len + 4); /* 4: utf8_encode's promise to the compiler */
	size_t n = 0;
	for (size_t i = 0; out && i < s.len; i++)
		n += utf8_encode((unsigned char)s.ptr[i], out + n);
	return str_from(out, n);
}

/* value-chars of RFC 8187 in UTF-8 or Latin-1; the null string for what is neither. */
static struct str extended_name(struct arena *a, struct str text)
{
	auto_buf struct buf b = { .max = HEADER_FIELD_MAX_BYTES };
	struct str charset = str_split(&text, '\'');
	(void)str_split(&text, '\''); /* the language */
	bool is_utf8 = str_eq_nocase(charset, STR("utf-8")), is_latin1 = str_eq_nocase(charset, STR("iso-8859-1"));
	if (!text.ptr || !(is_utf8 || is_latin1) || !url_decode(&b, text, false) || !buf_ok(&b))
		return STR_NULL;
	if (is_utf8 && !str_is_utf8(buf_str(&b), NULL))
		return STR_NULL;
	return is_utf8 ? arena_str(a, buf_str(&b)) : latin1_to_utf8(a, buf_str(&b));
}

struct str call_file_name(struct arena *a, struct str disposition)
{
	struct str name = extended_name(a, header_parameter(a, disposition, STR("filename*")));
	name = call_file_name_clean(a, name);
	return name.len ? name : call_file_name_clean(a, header_parameter(a, disposition, STR("filename")));
}

bool call_media_type_is_clean(struct str type)
{
	return media_type_is_clean(type);
}
