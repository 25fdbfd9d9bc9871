/* SPDX-License-Identifier: Apache-2.0 */
/* What a body turns out to be, by its type, by what the operation expects and by its first bytes. A login page is never
 * mistaken for a result. */
#include "base/utf8.h"
#include "call/body_int.h"
#include "call/content_int.h"

#define TITLE_SEARCH_MAX (64u << 10) /* where a <title> is looked for */

enum body_type {
	BODY_UNTYPED,
	BODY_JSON,
	BODY_LINES,
	BODY_EVENTS,
	BODY_CSV,
	BODY_XML,
	BODY_HTML,
	BODY_TEXT,
	BODY_BINARY
};

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

/* A picture is text for a flow, not data. */
static bool is_xml_type(struct str type)
{
	return str_eq_nocase(type, STR("application/xml")) || str_eq_nocase(type, STR("text/xml")) ||
	       (ends_nocase(type, STR("+xml")) && !str_eq_nocase(type, STR("image/svg+xml")));
}

static enum body_type body_type_of(struct str type)
{
	static const char *const lines[] = { "application/x-ndjson", "application/ndjson", "application/jsonl",
					     "application/x-jsonlines", "application/jsonlines" };
	static const char *const csv[] = { "text/csv", "application/csv", "text/x-csv" };
	static const char *const html[] = { "text/html", "application/xhtml+xml" };
	static const char *const texts[] = { "application/yaml",
					     "application/x-yaml",
					     "application/javascript",
					     "application/graphql",
					     "application/x-www-form-urlencoded",
					     "application/sql",
					     "image/svg+xml" };
	if (type.len == 0)
		return BODY_UNTYPED;
	if (media_type_is_json(type))
		return BODY_JSON;
	if (type_is_one_of(type, lines, ARRAY_LEN(lines)))
		return BODY_LINES;
	if (str_eq_nocase(type, STR("text/event-stream")))
		return BODY_EVENTS;
	if (type_is_one_of(type, csv, ARRAY_LEN(csv)))
		return BODY_CSV;
	if (type_is_one_of(type, html, ARRAY_LEN(html)))
		return BODY_HTML;
	if (is_xml_type(type))
		return BODY_XML;
	if (type_is_one_of(type, texts, ARRAY_LEN(texts)) || ends_nocase(type, STR("+yaml")) ||
	    (type.len > 5 && str_eq_nocase(str_from(type.ptr, 5), STR("text/"))))
		return BODY_TEXT;
	return BODY_BINARY;
}

int content_trouble(struct content *ret, const char *type, const char *title, char *detail)
{
	*ret = (struct content){ .value = value_null(), .trouble = type, .title = title, .detail = str_c(detail) };
	return detail ? 0 : -ERR_NO_MEMORY;
}

/* ---- texts for people ---- */

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

static bool looks_like_html(struct str body)
{
	struct str head = str_from(body.ptr, body.len < 512 ? body.len : 512);
	return first_byte(body) == '<' &&
	       (find_nocase(head, STR("<html")) >= 0 || find_nocase(head, STR("<!doctype html")) >= 0);
}

static int html_trouble(struct str body, const char *expected, struct arena *a, struct content *ret)
{
	struct str title = quote_safely(a, html_title(body), CALL_QUOTE_MAX);
	return content_trouble(ret, "unexpected_content_type", "A web page came instead of data",
			       title.len
				   ? arena_printf(a, "the answer is an HTML page titled \"%.*s\" where %s was expected",
						  STR_ARG(title), expected)
				   : arena_printf(a, "the answer is an HTML page where %s was expected", expected));
}

/* The result outlives the bytes it came from: one copy of all of them, then values that borrow it. */
static int parse_copy(struct str text, struct arena *a, struct value *ret, struct err *e)
{
	const struct json_options options = { .max_depth = CONTENT_DEPTH_MAX };
	struct str copy = arena_str(a, text);
	return copy.ptr ? json_parse(a, copy, &options, ret, NULL, e) : err_set(e, ERR_NO_MEMORY, "out of memory");
}

static int read_json(struct str body, struct str type, struct arena *a, struct content *ret)
{
	struct err e = ERR_INIT;
	int r = parse_copy(body, a, &ret->value, &e);
	if (r == 0 || r == -ERR_NO_MEMORY)
		return r;
	if (looks_like_html(body))
		return html_trouble(body, "JSON", a, ret);
	if (type.len == 0)
		return content_trouble(ret, "invalid_json", "The answer is not valid JSON",
				       arena_printf(a, "%s", e.msg));
	return content_trouble(
	    ret, "invalid_json", "The answer is not valid JSON",
	    arena_printf(a, "the answer is declared %.*s; %s", STR_ARG(quote_safely(a, type, 100)), e.msg));
}

/* ---- text ---- */

/* Whoever serves JSON as text/plain is understood, if all of it is JSON. */
static int read_text(struct str body, struct str content_type, bool may_be_json, struct arena *a, struct content *ret)
{
	struct str text;
	int r = text_decode(body, header_parameter(a, content_type, STR("charset")), a, &text, ret);
	if (r < 0 || ret->trouble)
		return r;
	if (may_be_json && looks_like_json(text)) {
		r = parse_copy(text, a, &ret->value, NULL);
		if (r == 0 || r == -ERR_NO_MEMORY)
			return r;
	}
	ret->value = value_string_copy(a, text);
	return ret->value.kind == VALUE_ABSENT ? -ERR_NO_MEMORY : 0;
}

/* ---- bytes ---- */

static int read_binary(struct str body, struct str type, struct arena *a, struct content *ret)
{
	auto_buf struct buf digits = { .max = 2 * CALL_BINARY_MAX };
	char *bytes = arena_printf(a, "%zu", body.len);
	struct str media_type = type.len ? quote_safely(a, type, 200) : STR("application/octet-stream");
	if (body.len > CALL_BINARY_MAX)
		return content_trouble(
		    ret, "binary_too_large", "The answer is too large for an item",
		    arena_printf(
			a,
			"the answer is %zu bytes of %.*s; at most %u bytes of a binary answer go into an item; "
			"write answer: file",
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

bool content_type_is_binary(struct str type)
{
	return body_type_of(type) == BODY_BINARY;
}

/* The body was streamed: the item gets what it takes to find it, and to send it on. */
static int read_file(const struct call_answer *x, struct str type, struct arena *a, struct content *ret)
{
	char *bytes = arena_printf(a, "%llu", (unsigned long long)x->file_bytes);
	struct str media_type = media_type_is_clean(type) ? arena_str(a, type) : STR("application/octet-stream");
	struct value id = value_string_copy(a, x->file), name = value_string_copy(a, x->file_name);
	ret->value = value_object();
	if (!bytes || !media_type.ptr || id.kind == VALUE_ABSENT || name.kind == VALUE_ABSENT ||
	    value_add(a, &ret->value, STR("file"), id) < 0 || value_add(a, &ret->value, STR("name"), name) < 0 ||
	    value_add(a, &ret->value, STR("media_type"), value_string(media_type)) < 0 ||
	    value_add(a, &ret->value, STR("bytes"), value_number_text(str_c(bytes))) < 0)
		return -ERR_NO_MEMORY;
	return 0;
}

/* ---- all of it ---- */

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
	return html_trouble(body, "JSON", a, ret);
}

static int read_untyped(struct str body, struct str marked, struct arena *a, struct content *ret)
{
	if (looks_like_json(body))
		return read_json(body, STR_NULL, a, ret);
	if (looks_like_html(body))
		return read_html(body, a, ret);
	return str_is_utf8(body, NULL) ? read_text(body, STR_NULL, false, a, ret)
				       : read_binary(marked, STR_NULL, a, ret);
}

static int read_xml(struct str body, struct str content_type, const struct value *lists, struct arena *a,
		    struct content *ret)
{
	struct str charset = header_parameter(a, content_type, STR("charset")), text;
	int r = text_decode(body, charset.len ? charset : xml_declared_charset(body), a, &text, ret);
	return r < 0 || ret->trouble ? r : content_xml(text, lists, a, ret);
}

static int read_csv(struct str body, struct str content_type, struct arena *a, struct content *ret)
{
	struct str text;
	int r = text_decode(body, header_parameter(a, content_type, STR("charset")), a, &text, ret);
	return r < 0 || ret->trouble ? r : content_csv(text, a, ret);
}

static const char *const kind_names[] = { "an answer", "JSON", "JSON lines", "an event stream", "CSV", "XML",
					  "HTML",      "text", "bytes" };

/*
 * What the body is read as. BODY_HTML stays it where data was expected. A type that says something else than what was
 * expected of the three that would read anything is a trouble; types that say nothing (text/plain, octet-stream) are
 * not.
 */
static enum body_type type_to_read(enum answer_kind expected, enum body_type declared, bool *ret_conflict)
{
	static const enum body_type wanted[] = {
		[ANSWER_JSON] = BODY_JSON, [ANSWER_NDJSON] = BODY_LINES, [ANSWER_SSE] = BODY_EVENTS,
		[ANSWER_CSV] = BODY_CSV,   [ANSWER_XML] = BODY_XML,	 [ANSWER_TEXT] = BODY_TEXT,
	};
	*ret_conflict = false;
	if (expected == ANSWER_AUTO || expected == ANSWER_BINARY || expected == ANSWER_FILE)
		return declared;
	enum body_type kind = wanted[expected];
	if (kind == BODY_TEXT || declared == kind || declared == BODY_UNTYPED || declared >= BODY_TEXT)
		return kind;
	if (kind == BODY_JSON)
		return declared == BODY_HTML || declared == BODY_LINES ? declared : BODY_JSON;
	*ret_conflict = kind != BODY_LINES || declared != BODY_JSON;
	return kind;
}

bool content_may_split(const struct expected *expected, struct str media_type, struct str charset, enum split_kind *ret)
{
	bool conflict, is_utf8 = charset.len == 0 || str_eq_nocase(charset, STR("utf-8")) ||
				 str_eq_nocase(charset, STR("us-ascii"));
	enum body_type kind = type_to_read(expected->kind, body_type_of(media_type), &conflict);
	*ret = kind == BODY_LINES ? SPLIT_LINES : kind == BODY_CSV ? SPLIT_CSV : SPLIT_JSON;
	if (kind == BODY_CSV)
		return is_utf8 && !conflict;
	return !conflict && (kind == BODY_JSON || kind == BODY_LINES || kind == BODY_UNTYPED);
}

static int read_as(enum body_type kind, const struct call_answer *x, struct str body, const struct expected *expected,
		   struct arena *a, struct content *ret)
{
	struct str field = answer_header(x, "content-type"), type = header_media_type(field);
	switch (kind) {
	case BODY_JSON:
		return read_json(body, type, a, ret);
	case BODY_LINES:
		return content_lines(body, a, ret);
	case BODY_EVENTS:
		return content_events(body, a, ret);
	case BODY_CSV:
		return read_csv(body, field, a, ret);
	case BODY_XML:
		return read_xml(body, field, expected->lists, a, ret);
	case BODY_HTML:
		return read_html(body, a, ret);
	case BODY_TEXT:
		return read_text(body, field, expected->kind == ANSWER_AUTO && str_eq_nocase(type, STR("text/plain")),
				 a, ret);
	case BODY_BINARY:
		return read_binary(x->body, type, a, ret);
	default:
		return read_untyped(body, x->body, a, ret);
	}
}

/* A byte order mark is no part of JSON, lines and events, which are UTF-8 whatever a charset says (RFC 8259 8.1). */
static int read_mark(enum body_type kind, struct str *body, struct arena *a, struct content *ret)
{
	bool is_marked = body->len >= 2 && (str_starts(*body, STR("\xEF\xBB\xBF")) ||
					    str_starts(*body, STR("\xFF\xFE")) || str_starts(*body, STR("\xFE\xFF")));
	if (kind == BODY_EVENTS)
		return text_decode(*body, STR_NULL, a, body, ret);
	if (!is_marked || kind == BODY_BINARY || kind == BODY_UNTYPED)
		return 0;
	return kind == BODY_JSON || kind == BODY_LINES || kind == BODY_HTML ? text_decode(*body, STR_NULL, a, body, ret)
									    : 0;
}

int content_read(const struct call_answer *x, const struct expected *expected, struct arena *a, struct content *ret)
{
	struct str type = header_media_type(answer_header(x, "content-type")), body = x->body;
	bool conflict;
	*ret = (struct content){ .value = value_null() };
	if (x->file.ptr)
		return read_file(x, type, a, ret);
	if (expected->kind == ANSWER_BINARY && body.len)
		return read_binary(body, type, a, ret);
	enum body_type declared = body_type_of(type), kind = type_to_read(expected->kind, declared, &conflict);
	int r = read_mark(kind, &body, a, ret);
	if (kind == BODY_UNTYPED && str_starts(body, STR("\xEF\xBB\xBF")))
		body = str_from(body.ptr + 3, body.len - 3);
	if (r < 0 || ret->trouble || body.len == 0 || str_eq(body, STR("\xEF\xBB\xBF")) || x->status == 204 ||
	    x->status == 205)
		return r;
	if (conflict && declared == BODY_HTML)
		return html_trouble(body, kind_names[kind], a, ret);
	if (conflict)
		return content_trouble(ret, "unexpected_content_type", "The answer is of another kind",
				       arena_printf(a, "the answer is declared %.*s where %s was expected",
						    STR_ARG(quote_safely(a, type, 100)), kind_names[kind]));
	if ((kind == BODY_CSV || kind == BODY_EVENTS || kind == BODY_XML) && looks_like_html(body))
		return html_trouble(body, kind_names[kind], a, ret);
	if (expected->json_prefix.len && kind != BODY_BINARY && str_starts(body, expected->json_prefix)) {
		body = str_from(body.ptr + expected->json_prefix.len, body.len - expected->json_prefix.len);
		kind = BODY_JSON;
	}
	return read_as(kind, x, body, expected, a, ret);
}
