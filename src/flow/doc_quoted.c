/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts in quotes, read from the bytes once libfyaml has found where they begin and end. By ourselves, because 0.7.12
 * reads '''' (two quotes) as three, puts a blank where "\\" stands before an escaped line break, and leaks when there
 * are many escapes.
 */
#include "base/buf.h"
#include "base/num.h"
#include "base/utf8.h"
#include "flow/doc_int.h"

struct quoted {
	struct str t;
	size_t i;
	struct buf *out;
	size_t solid; /* bytes of out up to the last that is no plain blank: blanks before a line break do not count */
};

static char peek(const struct quoted *q, size_t ahead)
{
	return q->i + ahead < q->t.len ? q->t.ptr[q->i + ahead] : '\0';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_break(char c)
{
	return c == '\n' || c == '\r';
}

/* At blanks and line breaks: step over them, and say how many lines ended. */
static size_t skip_breaks(struct quoted *q)
{
	size_t breaks = 0;
	for (; is_break(peek(q, 0)) || is_blank(peek(q, 0)); q->i++)
		breaks += peek(q, 0) == '\n' || (peek(q, 0) == '\r' && peek(q, 1) != '\n');
	return breaks;
}

/* One line break is a blank, n are n - 1 line feeds; an escaped one (in "") is nothing. */
static void put_breaks(struct quoted *q, bool is_escaped)
{
	if (!is_escaped)
		q->out->len = q->solid;
	size_t breaks = skip_breaks(q);
	if (breaks == 1 && !is_escaped)
		(void)buf_append_char(q->out, ' ');
	for (; breaks > 1; breaks--)
		(void)buf_append_char(q->out, '\n');
	q->solid = q->out->len;
}

static void put_plain(struct quoted *q)
{
	char c = peek(q, 0);
	(void)buf_append_char(q->out, c);
	if (!is_blank(c))
		q->solid = q->out->len;
	q->i++;
}

static bool take_hex(struct quoted *q, size_t n, uint32_t *ret)
{
	*ret = 0;
	for (; n > 0; n--, q->i++) {
		int digit = num_hex_value(peek(q, 0));
		if (digit < 0)
			return false;
		*ret = *ret << 4 | (uint32_t)digit;
	}
	return true;
}

/* Behind \x, \u or \U. JSON writes characters beyond U+FFFF as two \u, so these are taken together. */
static bool put_code(struct quoted *q, size_t digits)
{
	char bytes[4];
	uint32_t c, low;
	if (!take_hex(q, digits, &c))
		return false;
	if (c >= 0xD800 && c < 0xDC00 && peek(q, 0) == '\\' && peek(q, 1) == 'u') {
		q->i += 2;
		if (!take_hex(q, 4, &low) || low < 0xDC00 || low > 0xDFFF)
			return false;
		c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
	}
	if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
		return false;
	(void)buf_append(q->out, bytes, utf8_encode(c, bytes));
	return true;
}

/* At the backslash. YAML 1.2.2, section 5.7. */
static bool put_escape(struct quoted *q)
{
	static const char names[] = "0abt\tnvfre \"/\\N_LP";
	static const char *const texts[] = { "",	 "\a",	     "\b",	     "\t",	    "\t", "\n", "\v",
					     "\f",	 "\r",	     "\x1B",	     " ",	    "\"", "/",	"\\",
					     "\xC2\x85", "\xC2\xA0", "\xE2\x80\xA8", "\xE2\x80\xA9" };
	char c = peek(q, 1);
	bool is_good = true;
	if (is_break(c)) {
		q->i++;
		put_breaks(q, true);
		return true;
	}
	q->i += 2;
	if (c == 'x' || c == 'u' || c == 'U') {
		is_good = put_code(q, c == 'x' ? 2 : c == 'u' ? 4 : 8);
	} else {
		const char *at = c ? strchr(names, c) : NULL;
		is_good = at != NULL;
		if (is_good)
			(void)buf_append(q->out, texts[at - names], c == '0' ? 1 : strlen(texts[at - names]));
	}
	q->solid = q->out->len;
	return is_good;
}

bool doc_read_quoted(struct str text, size_t at, struct buf *out)
{
	struct quoted q = { .t = text, .i = at + 1, .out = out };
	char quote = text.ptr[at];
	buf_clear(out);
	while (q.i < text.len) {
		char c = peek(&q, 0);
		if (is_break(c)) {
			put_breaks(&q, false);
		} else if (c == '\\' && quote == '"') {
			if (!put_escape(&q))
				return false;
		} else if (c != quote) {
			put_plain(&q);
		} else if (quote == '\'' && peek(&q, 1) == '\'') {
			put_plain(&q);
			q.i++;
		} else {
			return buf_ok(out);
		}
	}
	return false;
}
