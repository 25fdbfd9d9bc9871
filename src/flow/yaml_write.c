/* SPDX-License-Identifier: Apache-2.0 */
/* Values as YAML that people like to read and every reader, 1.1 or 1.2, takes for the same. */
#include "flow/doc_int.h"
#include "base/json.h"
#include "base/utf8.h"

#define KEY_PLAIN_MAX 1000 /* bytes; a longer name needs "? " before it (YAML 1.2.2, 7.4.2: 1024 characters) */

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The code point at s.ptr[i] (well-formed UTF-8) and its bytes. */
static uint32_t code_point(struct str s, size_t i, size_t *ret_n)
{
	const unsigned char *p = (const unsigned char *)s.ptr + i;
	*ret_n = utf8_sequence(s.ptr + i, s.ptr + s.len);
	switch (*ret_n) {
	case 2:
		return (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F);
	case 3:
		return (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
	case 4:
		return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 | (uint32_t)(p[2] & 0x3F) << 6 |
		       (p[3] & 0x3F);
	default:
		*ret_n = 1;
		return p[0];
	}
}

/* Not printable to YAML, or a line break to some of its versions. */
static bool must_escape(uint32_t c)
{
	return c < 0x20 || (c >= 0x7F && c <= 0xA0) || c == 0x2028 || c == 0x2029 || c == 0xFEFF ||
	       (c & 0xFFFE) == 0xFFFE;
}

/* May `s` stand in lines as it is? Tabs and line feeds are left to the caller. */
static bool is_clean(struct str s)
{
	size_t n;
	for (size_t i = 0; i < s.len; i += n) {
		uint32_t c = code_point(s, i, &n);
		if (must_escape(c) && c != '\t' && c != '\n')
			return false;
	}
	return true;
}

static bool may_be_plain(struct str s)
{
	if (!s.len || !is_clean(s) || memchr(s.ptr, '\t', s.len) || memchr(s.ptr, '\n', s.len))
		return false;
	if (!is_word_char(s.ptr[0]) && !strchr("/=($+", s.ptr[0]) && (unsigned char)s.ptr[0] < 0x80)
		return false;
	if (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == ':' || str_find(s, STR(": ")) >= 0 ||
	    str_find(s, STR(" #")) >= 0)
		return false;
	return plain_resolve(s) == PLAIN_STRING && !plain_is_odd_in_1_1(s);
}

static void write_quoted(struct buf *b, struct str s)
{
	size_t n;
	(void)buf_append_char(b, '"');
	for (size_t i = 0; i < s.len; i += n) {
		uint32_t c = code_point(s, i, &n);
		if (c == '"' || c == '\\')
			(void)buf_printf(b, "\\%c", (char)c);
		else if (c == '\n' || c == '\t' || c == '\r')
			(void)buf_append_c(b, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
		else if (must_escape(c))
			(void)buf_printf(b, c > 0xFFFF ? "\\U%08X" : "\\u%04X", c);
		else
			(void)buf_append(b, s.ptr + i, n);
	}
	(void)buf_append_char(b, '"');
}

static void write_inline(struct buf *b, struct str s)
{
	if (may_be_plain(s))
		(void)buf_append_str(b, s);
	else
		write_quoted(b, s);
}

/*
 * A literal block keeps its text to the letter, but not every text: lines of blanks alone and a first line that begins
 * with a blank are where readers differ, so those go into quotes.
 */
static bool may_be_block(struct str s)
{
	if (!memchr(s.ptr, '\n', s.len) || !is_clean(s) || strchr(" \t\n", s.ptr[0]))
		return false;
	for (struct str rest = s, line; rest.ptr && rest.len;) {
		line = str_split(&rest, '\n');
		if (line.len && str_trim(line).len == 0)
			return false;
	}
	return true;
}

static void write_margin(struct buf *b, unsigned columns)
{
	for (unsigned i = 0; i < columns; i++)
		(void)buf_append_char(b, ' ');
}

static void write_block(struct buf *b, struct str s, unsigned margin)
{
	bool ends = s.ptr[s.len - 1] == '\n', ends_twice = ends && s.len > 1 && s.ptr[s.len - 2] == '\n';
	(void)buf_append_c(b, ends_twice ? "|+" : ends ? "|" : "|-");
	if (ends)
		s.len--;
	for (struct str rest = s; rest.ptr;) {
		struct str line = str_split(&rest, '\n');
		(void)buf_append_char(b, '\n');
		if (line.len)
			write_margin(b, margin);
		(void)buf_append_str(b, line);
	}
}

static int write_value(struct buf *b, const struct value *v, unsigned margin, unsigned depth, bool is_item);

static void write_key(struct buf *b, struct str key, unsigned margin)
{
	bool is_long = key.len > KEY_PLAIN_MAX;
	if (is_long)
		(void)buf_append_c(b, "? ");
	write_inline(b, key);
	if (is_long) {
		(void)buf_append_char(b, '\n');
		write_margin(b, margin);
	}
	(void)buf_append_char(b, ':');
}

/* Members from column `margin` on; the first one continues the line when it stands behind "- ". */
static int write_object(struct buf *b, const struct value *v, unsigned margin, unsigned depth, bool is_item)
{
	for (uint32_t i = 0; i < v->len; i++) {
		if (i || !is_item) {
			if (i || depth)
				(void)buf_append_char(b, '\n');
			write_margin(b, margin);
		}
		write_key(b, v->members[i].key, margin);
		int r = write_value(b, &v->members[i].value, margin + 2, depth + 1, false);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_array(struct buf *b, const struct value *v, unsigned margin, unsigned depth, bool is_item)
{
	for (uint32_t i = 0; i < v->len; i++) {
		if (i || !is_item) {
			if (i || depth)
				(void)buf_append_char(b, '\n');
			write_margin(b, margin);
		}
		(void)buf_append_char(b, '-');
		int r = write_value(b, &v->items[i], margin + 2, depth + 1, true);
		if (r < 0)
			return r;
	}
	return 0;
}

static void write_scalar(struct buf *b, const struct value *v, unsigned margin, unsigned depth)
{
	struct str s = value_text(v);
	if (v->kind == VALUE_NUMBER)
		(void)buf_append_str(b, s);
	else if (v->kind != VALUE_STRING)
		(void)buf_append_c(b, v->kind == VALUE_BOOL ? (v->truth ? "true" : "false") : "null");
	else if (depth && s.len && may_be_block(s))
		write_block(b, s, margin);
	else
		write_inline(b, s);
}

/* What stands behind "key:" or "-" (which have written no blank yet), or at the root. */
static int write_value(struct buf *b, const struct value *v, unsigned margin, unsigned depth, bool is_item)
{
	bool is_container = v->kind == VALUE_ARRAY || v->kind == VALUE_OBJECT;
	bool is_open = is_container && v->len;
	if (is_container && depth >= VALUE_DEPTH_MAX)
		return -ERR_LIMIT;
	if (!buf_ok(b))
		return -b->failed;
	if (depth && (!is_open || is_item))
		(void)buf_append_char(b, ' ');
	if (is_open)
		return v->kind == VALUE_OBJECT ? write_object(b, v, margin, depth, is_item)
					       : write_array(b, v, margin, depth, is_item);
	if (is_container)
		(void)buf_append_c(b, v->kind == VALUE_OBJECT ? "{}" : "[]");
	else
		write_scalar(b, v, margin, depth);
	return 0;
}

int yaml_write(struct buf *b, const struct value *v)
{
	int r = write_value(b, v, 0, 0, false);
	(void)buf_append_char(b, '\n');
	return r < 0 ? r : buf_ok(b) ? 0 : -b->failed;
}
