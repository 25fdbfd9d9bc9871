/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text of many charsets made UTF-8, or refused with the offset of the first byte that does not fit: never mojibake. The
 * labels and what they mean are those of the WHATWG Encoding Standard, so that "shift_jis" is what browsers take it
 * for. Other names are refused here: the converter of the C library loads modules by name, and a peer shall not choose
 * among two hundred of them.
 */
#include "base/utf8.h"
#include "call/content_int.h"
#include <errno.h>
#include <iconv.h>

#define PIECE_BYTES 65536 /* converted at a time */

static const struct charset {
	const char *label, *converter; /* converter NULL = UTF-8, "" = windows-1252 by our own table */
} charsets[] = {
	{ "utf-8", NULL },
	{ "utf8", NULL },
	{ "us-ascii", NULL },
	{ "ascii", NULL },
	{ "iso-8859-1", "" }, /* the difference to windows-1252 is control characters that nobody sends */
	{ "iso8859-1", "" },
	{ "iso_8859-1", "" },
	{ "latin1", "" },
	{ "latin-1", "" },
	{ "l1", "" },
	{ "windows-1252", "" },
	{ "cp1252", "" },
	{ "utf-16", "UTF-16LE" },
	{ "utf-16le", "UTF-16LE" },
	{ "utf-16be", "UTF-16BE" },
	{ "iso-8859-2", "ISO-8859-2" },
	{ "latin2", "ISO-8859-2" },
	{ "iso-8859-3", "ISO-8859-3" },
	{ "iso-8859-4", "ISO-8859-4" },
	{ "iso-8859-5", "ISO-8859-5" },
	{ "iso-8859-6", "ISO-8859-6" },
	{ "iso-8859-7", "ISO-8859-7" },
	{ "iso-8859-8", "ISO-8859-8" },
	{ "iso-8859-9", "CP1254" },
	{ "latin5", "CP1254" },
	{ "iso-8859-10", "ISO-8859-10" },
	{ "iso-8859-13", "ISO-8859-13" },
	{ "iso-8859-14", "ISO-8859-14" },
	{ "iso-8859-15", "ISO-8859-15" },
	{ "latin9", "ISO-8859-15" },
	{ "iso-8859-16", "ISO-8859-16" },
	{ "windows-1250", "CP1250" },
	{ "windows-1251", "CP1251" },
	{ "cp1251", "CP1251" },
	{ "windows-1253", "CP1253" },
	{ "windows-1254", "CP1254" },
	{ "windows-1255", "CP1255" },
	{ "windows-1256", "CP1256" },
	{ "windows-1257", "CP1257" },
	{ "windows-1258", "CP1258" },
	{ "windows-874", "CP874" },
	{ "tis-620", "CP874" },
	{ "koi8-r", "KOI8-R" },
	{ "koi8-u", "KOI8-U" },
	{ "ibm866", "CP866" },
	{ "cp866", "CP866" },
	{ "macintosh", "MACINTOSH" },
	{ "shift_jis", "CP932" },
	{ "shift-jis", "CP932" },
	{ "sjis", "CP932" },
	{ "windows-31j", "CP932" },
	{ "euc-jp", "EUC-JP-MS" },
	{ "iso-2022-jp", "ISO-2022-JP" },
	{ "euc-kr", "CP949" },
	{ "ks_c_5601-1987", "CP949" },
	{ "gb2312", "GB18030" },
	{ "gbk", "GB18030" },
	{ "gb18030", "GB18030" },
	{ "big5", "BIG5-HKSCS" },
};

static const struct charset *charset_find(struct str label)
{
	for (size_t i = 0; i < ARRAY_LEN(charsets); i++)
		if (str_eq_nocase(label, str_c(charsets[i].label)))
			return &charsets[i];
	return NULL;
}

/* Bytes 0x80 to 0x9F of windows-1252; what the code page leaves free stays a control character, as browsers do it. */
static const uint16_t windows_1252[32] = {
	0x20AC, 0x81,	0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
	0x2039, 0x0152, 0x8D,	0x017D, 0x8F,	0x90,	0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
	0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,	0x017E, 0x0178,
};

static int decode_1252(struct str body, struct arena *a, struct str *ret)
{
	char *out = arena_alloc(a, 3 * body.len + 4);
	size_t n = 0;
	if (!out)
		return -ERR_NO_MEMORY;
	for (size_t i = 0; i < body.len; i++) {
		unsigned char c = (unsigned char)body.ptr[i];
		n += utf8_encode(c >= 0x80 && c < 0xA0 ? windows_1252[c - 0x80] : c, out + n);
	}
	*ret = str_from(out, n);
	return 0;
}

/* All of `body` through the converter. *ret_bad = offset of a byte that does not fit, or SIZE_MAX. */
static int convert(iconv_t cd, struct str body, struct buf *b, size_t *ret_bad)
{
	char *in = (char *)(uintptr_t)body.ptr; /* iconv's prototype forgot the const */
	size_t left = body.len;
	bool is_last = false; /* one more round gives out what is still held back */
	*ret_bad = SIZE_MAX;
	while (!is_last) {
		is_last = left == 0;
		if (buf_reserve(b, PIECE_BYTES) < 0)
			return -ERR_NO_MEMORY;
		char *out = b->ptr + b->len;
		size_t room = PIECE_BYTES;
		size_t r = is_last ? iconv(cd, NULL, NULL, &out, &room) : iconv(cd, &in, &left, &out, &room);
		b->len += PIECE_BYTES - room;
		if (r == (size_t)-1 && errno != E2BIG) {
			*ret_bad = body.len - left;
			return 0;
		}
	}
	return 0;
}

static int decode_by_converter(struct str body, const struct charset *c, struct arena *a, struct str *ret_text,
			       struct content *ret)
{
	auto_buf struct buf b = { .max = SIZE_MAX / 4 };
	size_t bad = 0;
	iconv_t cd = iconv_open("UTF-8", c->converter);
	if (cd == (iconv_t)-1)
		return content_trouble(
		    ret, "unsupported_charset", "The answer's charset cannot be read",
		    arena_printf(a, "the answer is text in charset \"%s\", which the C library of this machine lacks",
				 c->label));
	int r = convert(cd, body, &b, &bad);
	(void)iconv_close(cd);
	if (r < 0)
		return r;
	if (bad != SIZE_MAX)
		return content_trouble(
		    ret, "invalid_text", TITLE_INVALID_TEXT,
		    arena_printf(a, "the answer is no text in charset \"%s\" from offset %zu on", c->label, bad));
	*ret_text = arena_str(a, buf_str(&b));
	return ret_text->ptr ? 0 : -ERR_NO_MEMORY;
}

/* The byte order mark wins over what is declared (WHATWG encoding 6.1). */
static struct str charset_by_mark(struct str *body, struct str declared)
{
	static const struct {
		const char *mark;
		size_t len;
		const char *label;
	} marks[] = { { "\xEF\xBB\xBF", 3, "utf-8" },
		      { "\xFF\xFE\0\0", 4, "utf-32" },
		      { "\xFF\xFE", 2, "utf-16le" },
		      { "\xFE\xFF", 2, "utf-16be" } };
	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		if (!str_starts(*body, str_from(marks[i].mark, marks[i].len)))
			continue;
		*body = str_from(body->ptr + marks[i].len, body->len - marks[i].len);
		return str_c(marks[i].label);
	}
	return declared.len ? declared : STR("utf-8");
}

int text_decode(struct str body, struct str charset, struct arena *a, struct str *ret_text, struct content *ret)
{
	struct str label = charset_by_mark(&body, charset);
	const struct charset *c = charset_find(label);
	size_t bad = 0;
	*ret_text = body;
	if (!c)
		return content_trouble(ret, "unsupported_charset", "The answer's charset cannot be read",
				       arena_printf(a,
						    "the answer is text in charset \"%.*s\", which is not known; known "
						    "are those of the WHATWG Encoding Standard",
						    STR_ARG(quote_safely(a, label, 40))));
	if (c->converter)
		return *c->converter ? decode_by_converter(body, c, a, ret_text, ret) : decode_1252(body, a, ret_text);
	if (!str_is_utf8(body, &bad))
		return content_trouble(ret, "invalid_text", TITLE_INVALID_TEXT,
				       arena_printf(a, "the answer is no UTF-8 text from offset %zu on", bad));
	return 0;
}
