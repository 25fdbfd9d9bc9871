/* SPDX-License-Identifier: Apache-2.0 */
/* Values that stand for bytes. A file is named by its id and read by whoever called us: no path out of data is ever
 * opened here. */
#include "call/body_int.h"

#define FILE_ID_MAX 255

/* ---- base64 (RFC 4648, both alphabets, padding or none) ---- */

static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

static int base64_wrong(size_t offset, struct err *e)
{
	return err_set(e, ERR_INVALID, "no base64 at offset %zu", offset);
}

static int base64_read(struct buf *b, struct str text, struct err *e)
{
	size_t n = text.len, bits = 0;
	uint32_t held = 0;
	while (n > 0 && text.len - n < 2 && text.ptr[n - 1] == '=')
		n--;
	if (n % 4 == 1 || (n < text.len && text.len % 4 != 0))
		return base64_wrong(n, e);
	if (buf_reserve(b, n / 4 * 3 + 2) < 0)
		return 0; /* the buffer remembers */
	for (size_t i = 0; i < n; i++) {
		int digit = digit_of(text.ptr[i]);
		if (digit < 0)
			return base64_wrong(i, e);
		held = held << 6 | (uint32_t)digit;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			b->ptr[b->len++] = (char)(held >> bits & 0xFF);
		}
	}
	/* Bits that no byte takes are zero, else the text was cut off or made by hand. */
	return (held & ((1u << bits) - 1)) == 0 ? 0 : base64_wrong(n - 1, e);
}

/* ---- values ---- */

bool media_type_is_clean(struct str type)
{
	struct str rest = header_media_type(type), first = str_split(&rest, '/');
	return header_is_token(first) && rest.ptr && header_is_token(rest) && header_value_is_clean(type) &&
	       str_find_char(type, '\t') < 0;
}

static int member_text(const struct value *v, struct str key, struct str *ret, struct err *e)
{
	if (value_is_nothing(v))
		return 0;
	if (!value_is(v, VALUE_STRING))
		return err_set(e, ERR_INVALID, "\"%.*s\" of a file is a text, not %s", STR_ARG(key),
			       value_kind_name(v->kind));
	*ret = value_text(v);
	if (!ret->ptr)
		*ret = STR("");
	return 0;
}

static int check_file(const struct body_file *f, struct err *e)
{
	if (f->media_type.ptr && !media_type_is_clean(f->media_type))
		return err_set(e, ERR_INVALID, "the media_type of a file is written like image/png");
	if (!f->id.ptr)
		return 0;
	bool is_plain = f->id.len > 0 && f->id.len <= FILE_ID_MAX && f->id.ptr[0] != '.';
	for (size_t i = 0; i < f->id.len && is_plain; i++) {
		unsigned char c = (unsigned char)f->id.ptr[i];
		is_plain = c >= 0x20 && c != 0x7f && c != '/' && c != '\\';
	}
	return is_plain
		   ? 0
		   : err_set(e, ERR_INVALID, "a file is named by its id: no folders, no dot in front, at most %d bytes",
			     FILE_ID_MAX);
}

int body_file_parse(const struct value *v, struct body_file *ret, struct err *e)
{
	if (!value_is(v, VALUE_OBJECT))
		return 0;
	bool is_file = value_is(value_get_c(v, "file"), VALUE_STRING),
	     is_base64 = value_is(value_get_c(v, "base64"), VALUE_STRING),
	     is_text = value_is(value_get_c(v, "text"), VALUE_STRING) && value_is(value_get_c(v, "name"), VALUE_STRING);
	if (!is_file && !is_base64 && (!is_text || v->len > 3))
		return 0;
	struct body_file f = { { 0 } };
	for (uint32_t i = 0; i < v->len; i++) {
		struct str key = v->members[i].key;
		struct str *to = str_eq_c(key, "file")	       ? &f.id
				 : str_eq_c(key, "base64")     ? &f.base64
				 : str_eq_c(key, "text")       ? &f.text
				 : str_eq_c(key, "name")       ? &f.name
				 : str_eq_c(key, "media_type") ? &f.media_type
							       : NULL;
		if (!to && str_eq_c(key, "bytes")) /* of { media_type, bytes, base64 }, as an answer gives it */
			continue;
		if (!to && !is_file && !is_base64)
			return 0;
		if (!to)
			return err_set(e, ERR_INVALID,
				       "\"%.*s\" is no member of a file; write file, base64 or text, name, media_type",
				       STR_ARG(key));
		int r = member_text(&v->members[i].value, key, to, e);
		if (r < 0)
			return r;
	}
	if ((f.id.ptr != NULL) + (f.base64.ptr != NULL) + (f.text.ptr != NULL) != 1)
		return err_set(e, ERR_INVALID, "a file has one of file, base64 and text");
	int r = check_file(&f, e);
	if (r < 0)
		return r;
	*ret = f;
	return 1;
}

int body_file_append(const struct body_file *f, struct buf *b, struct err *e)
{
	if (f->base64.ptr)
		return base64_read(b, f->base64, e);
	(void)buf_append_str(b, f->text);
	return 0;
}
