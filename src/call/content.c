/* SPDX-License-Identifier: Apache-2.0 */
/* What a body turns out to be: JSON, lines of JSON, text in some charset, or bytes. A login page is never mistaken for
 * a result. */
#include "base/utf8.h"
#include "call/call_int.h"

#define TITLE_SEARCH_MAX (64u << 10) /* where a <title> is looked for */

enum body_type { BODY_UNTYPED, BODY_JSON, BODY_LINES, BODY_HTML, BODY_TEXT, BODY_BINARY };

static bool type_is_one_of(struct str type, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq_nocase(type, str_c(names[i])))
			return true;
	return false;
}

static bool ends_nocase(struct str s, struct str end)
{
	return s.len >= end.len && str_eq_nocase(str_from(s.ptr + s.len - end.len, end.len), end);
}

static enum body_type body_type_of(struct str type)
{
	static const char *const lines[] = { "application/x-ndjson", "application/ndjson", "application/jsonl",
					     "application/x-jsonlines", "application/jsonlines" };
	static const char *const html[] = { "text/html", "application/xhtml+xml" };
	static const char *const texts[] = { "application/xml",	    "application/yaml",
					     "application/x-yaml",  "application/javascript",
					     "application/graphql", "application/x-www-form-urlencoded",
					     "application/csv",	    "application/sql" };
	if (type.len == 0)
		return BODY_UNTYPED;
	if (str_eq_nocase(type, STR("application/json")) || str_eq_nocase(type, STR("text/json")) ||
	    ends_nocase(type, STR("+json")))
		return BODY_JSON;
	if (type_is_one_of(type, lines, ARRAY_LEN(lines)))
		return BODY_LINES;
	if (type_is_one_of(type, html, ARRAY_LEN(html)))
		return BODY_HTML;
	if (type_is_one_of(type, texts, ARRAY_LEN(texts)) || ends_nocase(type, STR("+xml")) ||
	    ends_nocase(type, STR("+yaml")) || (type.len > 5 && str_eq_nocase(str_from(type.ptr, 5), STR("text/"))))
		return BODY_TEXT;
	return BODY_BINARY;
}

static int trouble(struct content *ret, const char *type, const char *title, char *detail)
{
	*ret = (struct content){ .value = value_null(), .trouble = type, .title = title, .detail = str_c(detail) };
	return detail ? 0 : -ERR_NO_MEMORY;
}

/* ---- texts for people ---- */

struct str quote_safely(struct arena *a, struct str text, size_t max)
{
	bool is_cut = text.len > max;
	struct str rest = str_trim(is_cut ? str_from(text.ptr, max) : text);
	char *out = arena_alloc(a, rest.len + 4);
	size_t n = 0;
	if (!out)
		return STR_NULL;
	for (size_t i = 0; i < rest.len;) {
		size_t len = utf8_sequence(rest.ptr + i, rest.ptr + rest.len);
		unsigned char c = (unsigned char)rest.ptr[i];
		if (len == 0 && is_cut && i + 4 > rest.len)
			break; /* the cut went through a character */
		/* C1 controls (U+0080 to U+009F) steer terminals, too. */
		bool is_c1 = len == 2 && c == 0xC2 && (unsigned char)rest.ptr[i + 1] < 0xA0;
		if (len == 0)
			out[n++] = '?';
		else if (c > 0x20 && c != 0x7f && !is_c1)
			n += (memcpy(out + n, rest.ptr + i, len), len);
		else if (n > 0 && out[n - 1] != ' ')
			out[n++] = ' ';
		i += len ? len : 1;
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	if (is_cut)
		memcpy(out + n, "...", 3);
	return str_from(out, n + (is_cut ? 3 : 0));
}

static ptrdiff_t find_nocase(struct str s, struct str needle)
{
	for (size_t i = 0; i + needle.len <= s.len; i++)
		if (str_eq_nocase(str_from(s.ptr + i, needle.len), needle))
			return (ptrdiff_t)i;
	return -1;
}

struct str html_title(struct str html)
{
	if (html.len > TITLE_SEARCH_MAX)
		html.len = TITLE_SEARCH_MAX;
	ptrdiff_t open = find_nocase(html, STR("<title"));
	if (open < 0)
		return STR_NULL;
	struct str rest = str_from(html.ptr + open, html.len - (size_t)open);
	ptrdiff_t start = str_find_char(rest, '>'), end = find_nocase(rest, STR("</title"));
	if (start < 0 || end <= start)
		return STR_NULL;
	return str_trim(str_from(rest.ptr + start + 1, (size_t)(end - start - 1)));
}

/* ---- JSON ---- */

static struct str without_bom(struct str body)
{
	return str_starts(body, STR("\xEF\xBB\xBF")) ? str_from(body.ptr + 3, body.len - 3) : body;
}

/* The result outlives the bytes it came from: one copy of all of them, then values that borrow it. */
static int parse_copy(struct str text, struct arena *a, struct value *ret, struct err *e)
{
	struct str copy = arena_str(a, text);
	return copy.ptr ? json_parse(a, copy, NULL, ret, NULL, e) : err_set(e, ERR_NO_MEMORY, "out of memory");
}

static int read_json(struct str body, struct str type, struct arena *a, struct content *ret)
{
	struct err e = ERR_INIT;
	int r = parse_copy(body, a, &ret->value, &e);
	if (r == 0 || r == -ERR_NO_MEMORY)
		return r;
	if (type.len == 0)
		return trouble(ret, "invalid_json", "The answer is not valid JSON", arena_printf(a, "%s", e.msg));
	return trouble(ret, "invalid_json", "The answer is not valid JSON",
		       arena_printf(a, "the answer is declared %.*s; %s", STR_ARG(quote_safely(a, type, 100)), e.msg));
}

static int read_lines(struct str body, struct arena *a, struct content *ret)
{
	struct err e = ERR_INIT;
	struct str copy = arena_str(a, body), rest = copy;
	if (!copy.ptr)
		return -ERR_NO_MEMORY;
	ret->value = value_array();
	for (unsigned number = 1; rest.ptr; number++) {
		struct str line = str_split(&rest, '\n');
		struct value v;
		if (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (str_trim(line).len == 0)
			continue;
		int r = json_parse(a, line, NULL, &v, NULL, &e);
		if (r == -ERR_NO_MEMORY || (r == 0 && value_push(a, &ret->value, v) < 0))
			return -ERR_NO_MEMORY;
		if (r < 0)
			return trouble(ret, "invalid_json", "The answer is not valid JSON",
				       arena_printf(a, "line %u: %s", number, e.msg));
	}
	return 0;
}

/* ---- text ---- */

/* Bytes 0x80 to 0x9F of windows-1252; what the code page leaves free stays a control character, as browsers do it. */
static const uint16_t windows_1252[32] = {
	0x20AC, 0x81,	0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
	0x2039, 0x0152, 0x8D,	0x017D, 0x8F,	0x90,	0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
	0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,	0x017E, 0x0178,
};

static int read_single_bytes(struct str body, struct arena *a, struct content *ret)
{
	char *out = arena_alloc(a, 3 * body.len + 4);
	size_t n = 0;
	if (!out)
		return -ERR_NO_MEMORY;
	for (size_t i = 0; i < body.len; i++) {
		unsigned char c = (unsigned char)body.ptr[i];
		n += utf8_encode(c >= 0x80 && c < 0xA0 ? windows_1252[c - 0x80] : c, out + n);
	}
	ret->value = value_string(str_from(out, n));
	return 0;
}

static bool is_utf16(struct str body)
{
	return str_starts(body, STR("\xFF\xFE")) || str_starts(body, STR("\xFE\xFF"));
}

static int read_text(struct str body, struct str content_type, struct arena *a, struct content *ret)
{
	/* Read as windows-1252 whatever of the three is said: the difference is control characters that nobody sends
	 * (WHATWG encoding). */
	static const char *const single[] = { "iso-8859-1", "iso8859-1",    "latin1", "latin-1",
					      "l1",	    "windows-1252", "cp1252" };
	static const char *const utf8[] = { "utf-8", "utf8", "us-ascii", "ascii" };
	struct str charset = header_parameter(a, content_type, STR("charset"));
	size_t bad = 0;
	if (type_is_one_of(charset, single, ARRAY_LEN(single)))
		return read_single_bytes(body, a, ret);
	if (is_utf16(body) || (charset.len && !type_is_one_of(charset, utf8, ARRAY_LEN(utf8)))) {
		struct str shown = charset.len ? quote_safely(a, charset, 40) : STR("utf-16");
		return trouble(
		    ret, "unsupported_charset", "The answer's charset cannot be read",
		    arena_printf(a,
				 "the answer is text in charset \"%.*s\"; known are utf-8, iso-8859-1 and windows-1252",
				 STR_ARG(shown)));
	}
	if (!str_is_utf8(body, &bad))
		return trouble(ret, "invalid_text", "The answer's text is broken",
			       arena_printf(a, "the answer is no UTF-8 text from offset %zu on", bad));
	ret->value = value_string_copy(a, body);
	return ret->value.kind == VALUE_ABSENT ? -ERR_NO_MEMORY : 0;
}

/* ---- bytes ---- */

static int read_binary(struct str body, struct str type, struct arena *a, struct content *ret)
{
	auto_buf struct buf digits = { .max = 2 * CALL_BINARY_MAX };
	char *bytes = arena_printf(a, "%zu", body.len);
	struct str media_type = type.len ? quote_safely(a, type, 200) : STR("application/octet-stream");
	if (body.len > CALL_BINARY_MAX)
		return trouble(
		    ret, "binary_too_large", "The answer is too large for an item",
		    arena_printf(a,
				 "the answer is %zu bytes of %.*s; at most %u bytes of a binary answer go into an item",
				 body.len, STR_ARG(media_type), CALL_BINARY_MAX));
	base64_append(&digits, body, false);
	struct value base64 = buf_ok(&digits) ? value_string_copy(a, buf_str(&digits)) : VALUE_NONE;
	ret->value = value_object();
	if (!bytes || !media_type.ptr || base64.kind == VALUE_ABSENT ||
	    value_add(a, &ret->value, STR("media_type"), value_string(media_type)) < 0 ||
	    value_add(a, &ret->value, STR("bytes"), value_number_text(str_c(bytes))) < 0 ||
	    value_add(a, &ret->value, STR("base64"), base64) < 0)
		return -ERR_NO_MEMORY;
	return 0;
}

/* ---- all of it ---- */

static char first_byte(struct str body)
{
	for (size_t i = 0; i < body.len; i++)
		if (!strchr(" \t\r\n", body.ptr[i]) || body.ptr[i] == '\0')
			return body.ptr[i];
	return '\0';
}

static bool looks_like_json(struct str body)
{
	char c = first_byte(body);
	return c == '{' || c == '[';
}

/* PHP says text/html of everything unless told otherwise: JSON that parses is JSON. A page is refused, with its title
 * for the reader. */
static int read_html(struct str body, struct arena *a, struct content *ret)
{
	struct err e = ERR_INIT;
	if (looks_like_json(body)) {
		int r = parse_copy(body, a, &ret->value, &e);
		if (r == 0 || r == -ERR_NO_MEMORY)
			return r;
	}
	struct str title = quote_safely(a, html_title(body), CALL_QUOTE_MAX);
	return trouble(ret, "unexpected_content_type", "A web page came instead of data",
		       title.len ? arena_printf(a, "the answer is an HTML page titled \"%.*s\" where JSON was expected",
						STR_ARG(title))
				 : arena_printf(a, "the answer is an HTML page where JSON was expected"));
}

static int read_untyped(struct str body, struct arena *a, struct content *ret)
{
	if (looks_like_json(body))
		return read_json(body, STR_NULL, a, ret);
	if (first_byte(body) == '<' &&
	    find_nocase(str_from(body.ptr, body.len < 512 ? body.len : 512), STR("<html")) >= 0)
		return read_html(body, a, ret);
	return str_is_utf8(body, NULL) ? read_text(body, STR_NULL, a, ret) : read_binary(body, STR_NULL, a, ret);
}

int content_read(const struct call_answer *x, enum answer_kind expected, struct arena *a, struct content *ret)
{
	struct str field = answer_header(x, "content-type"), type = header_media_type(field),
		   body = without_bom(x->body);
	enum body_type kind = body_type_of(type);
	*ret = (struct content){ .value = value_null() };
	if (expected == ANSWER_BINARY && x->body.len)
		return read_binary(x->body, type, a, ret);
	if (body.len == 0 || x->status == 204 || x->status == 205)
		return 0;
	if (expected == ANSWER_TEXT)
		return read_text(body, field, a, ret);
	if (expected == ANSWER_JSON && kind != BODY_HTML && kind != BODY_LINES)
		return read_json(body, type, a, ret);
	switch (kind) {
	case BODY_JSON:
		return read_json(body, type, a, ret);
	case BODY_LINES:
		return read_lines(body, a, ret);
	case BODY_HTML:
		return read_html(body, a, ret);
	case BODY_TEXT:
		return read_text(body, field, a, ret);
	case BODY_BINARY:
		return read_binary(x->body, type, a, ret);
	default:
		return read_untyped(body, a, ret);
	}
}
