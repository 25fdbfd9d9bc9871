/* SPDX-License-Identifier: Apache-2.0 */
/* An answer as it is kept: made once from the wire, written to the ledger, read again as often as somebody asks. */
#include "call/attempt.h"
#include "call/call_int.h"
#include "http/url.h"
#include <stdio.h>

#define HEAD_MAX_BYTES (2u << 20) /* of the head when it is read: 256 KiB of headers, escaped at worst */

/* ---- from the wire ---- */

/* Header values may hold any bytes from 0x80 on (RFC 9110 5.5, obs-text): what is no UTF-8 is read as Latin-1. */
static struct str to_utf8(struct arena *a, struct str s)
{
	return str_is_utf8(s, NULL) ? arena_str(a, s) : latin1_to_utf8(a, s);
}

static struct str masked(struct secrets *secrets, struct arena *a, struct str s)
{
	auto_buf struct buf b = { .max = 2 * HEADERS_MAX_BYTES };
	if (!secrets_occur(secrets, s))
		return to_utf8(a, s);
	return secrets_mask(secrets, &b, s) < 0 ? STR(SECRET_MASK) : to_utf8(a, buf_str(&b));
}

static int add_header(const struct header *h, struct secrets *secrets, struct arena *a, struct value *list)
{
	struct value pair = value_array();
	char *lower = arena_alloc(a, h->name.len + 1);
	struct str value = header_is_secret(h->name) ? STR(SECRET_MASK) : masked(secrets, a, h->value);
	if (!lower || !value.ptr)
		return -ERR_NO_MEMORY;
	for (size_t i = 0; i < h->name.len; i++)
		lower[i] =
		    h->name.ptr[i] >= 'A' && h->name.ptr[i] <= 'Z' ? (char)(h->name.ptr[i] | 0x20) : h->name.ptr[i];
	pair.items = arena_alloc(a, 2 * sizeof(struct value));
	if (!pair.items)
		return -ERR_NO_MEMORY;
	pair.len = 2;
	pair.cap_log2 = value_cap_log2(2);
	pair.items[0] = value_string(str_from(lower, h->name.len));
	pair.items[1] = value_string(value);
	return value_push(a, list, pair);
}

static int set_timings(const struct http_timings *t, struct arena *a, struct value *ret)
{
	const struct {
		struct str name;
		uint32_t usec;
	} rows[] = { { STR("dns"), t->dns },   { STR("connect"), t->connect },	     { STR("tls"), t->tls },
		     { STR("sent"), t->sent }, { STR("first_byte"), t->first_byte }, { STR("total"), t->total } };
	*ret = value_object();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct value v = rows[i].usec ? call_msec_value(a, rows[i].usec) : VALUE_NONE;
		if (rows[i].usec && (v.kind == VALUE_ABSENT || value_add(a, ret, rows[i].name, v) < 0))
			return -ERR_NO_MEMORY;
	}
	return 0;
}

/* The body as it may be stored: an API that echoes gives our own secrets back. */
static int take_body(const struct http_response *r, struct secrets *secrets, struct str *ret, char **ret_body)
{
	size_t len = 0;
	*ret_body = NULL;
	*ret = STR_NULL;
	if (!r->body || r->body->len == 0)
		return 0;
	if (secrets_occur(secrets, r->decoded)) /* packed, it could not be masked */
		return 0;
	if (secrets_occur(secrets, buf_str(r->body))) {
		auto_buf struct buf b = { .max = SIZE_MAX / 2 };
		if (secrets_mask(secrets, &b, buf_str(r->body)) < 0)
			return -ERR_NO_MEMORY;
		*ret_body = buf_take(&b, &len);
	} else {
		*ret_body = buf_take(r->body, &len);
	}
	if (!*ret_body)
		return -ERR_NO_MEMORY;
	*ret = str_from(*ret_body, len);
	return 0;
}

int call_answer_from_response(const struct http_response *r, struct secrets *secrets, struct arena *a,
			      struct call_answer *ret, char **ret_body)
{
	struct call_answer x = {
		.error = r->error, .certainty = r->certainty, .status = r->status, .headers = value_array()
	};
	x.is_close_delimited = r->is_close_delimited && r->error == HTTP_ERROR_NONE;
	*ret_body = NULL;
	if (r->detail && r->error != HTTP_ERROR_NONE) {
		x.detail = masked(secrets, a, str_c(r->detail));
		if (!x.detail.ptr)
			return -ERR_NO_MEMORY;
	}
	for (size_t i = 0; r->headers && i < r->headers->n; i++)
		if (add_header(&r->headers->items[i], secrets, a, &x.headers) < 0)
			return -ERR_NO_MEMORY;
	if (set_timings(&r->timings, a, &x.timings) < 0)
		return -ERR_NO_MEMORY;
	int rc = take_body(r, secrets, &x.body, ret_body);
	if (rc == 0)
		*ret = x;
	return rc;
}

/* ---- answers that are files ---- */

bool call_spec_may_make_files(const struct call_spec *s)
{
	enum answer_kind kind = s->op.answer.kind;
	return s->op.method != CALL_HEAD && (kind == ANSWER_AUTO || kind == ANSWER_BINARY || kind == ANSWER_FILE);
}

enum call_way call_answer_way(const struct call_spec *s, int status, const struct headers *headers)
{
	if (!call_spec_may_make_files(s) || status < 200 || status > 299)
		return CALL_GATHER;
	if (s->op.answer.kind == ANSWER_FILE)
		return CALL_TO_FILE;
	if (s->op.answer.kind == ANSWER_BINARY)
		return CALL_SPILL;
	struct str type = header_media_type(headers_get(headers, STR("Content-Type")));
	return content_type_is_binary(type) ? CALL_SPILL : CALL_GATHER;
}

static struct str url_name(struct arena *a, struct str text)
{
	auto_buf struct buf b = { .max = URL_MAX_BYTES };
	struct url url;
	if (url_parse(text, &url, NULL) < 0)
		return STR_NULL;
	struct str last = STR_NULL;
	for (struct str rest = url.path; rest.ptr;)
		last = str_split(&rest, '/');
	return url_decode(&b, last, false) && buf_ok(&b) ? to_utf8(a, buf_str(&b)) : last;
}

int call_answer_set_file(struct call_answer *x, struct str id, uint64_t bytes, struct str url, struct secrets *secrets,
			 struct arena *a)
{
	struct str name = call_file_name(a, answer_header(x, "content-disposition"));
	if (!name.len)
		name = call_file_name_clean(a, masked(secrets, a, url_name(a, url)));
	x->file = arena_str(a, id);
	x->file_name = name.len ? name : STR("file");
	x->file_bytes = bytes;
	return x->file.ptr ? 0 : -ERR_NO_MEMORY;
}

/* ---- to the ledger and back ---- */

static const char *const certainties[] = { "not_sent", "ambiguous", "answered" };

int call_answer_write(const struct call_answer *x, struct buf *head)
{
	(void)buf_append_char(head, '{');
	if (x->error != HTTP_ERROR_NONE) {
		(void)buf_printf(head, "\"error\":\"%s\",\"certainty\":\"%s\",\"detail\":", http_error_name(x->error),
				 certainties[x->certainty]);
		(void)json_write_string(head, x->detail);
		(void)buf_append_char(head, ',');
	}
	if (x->is_close_delimited)
		(void)buf_append_c(head, "\"close_delimited\":true,");
	if (x->is_range_asked && x->status == 206)
		(void)buf_append_c(head, "\"range_asked\":true,");
	if (x->file.ptr) {
		(void)buf_append_c(head, "\"file\":{\"file\":");
		(void)json_write_string(head, x->file);
		(void)buf_append_c(head, ",\"name\":");
		(void)json_write_string(head, x->file_name);
		(void)buf_printf(head, ",\"bytes\":%llu},", (unsigned long long)x->file_bytes);
	}
	(void)buf_append_c(head, "\"headers\":");
	(void)json_write(head, &x->headers, JSON_COMPACT);
	if (x->has_made)
		(void)buf_printf(head, ",\"made\":%llu", (unsigned long long)x->made);
	(void)buf_append_c(head, ",\"timings\":");
	(void)json_write(head, &x->timings, JSON_COMPACT);
	if (x->rest.kind == VALUE_OBJECT) {
		(void)buf_append_c(head, ",\"rest\":");
		(void)json_write(head, &x->rest, JSON_COMPACT);
	}
	(void)buf_append_char(head, '}');
	return buf_ok(head) ? 0 : -head->failed;
}

static bool headers_are_pairs(const struct value *headers)
{
	for (uint32_t i = 0; value_is(headers, VALUE_ARRAY) && i < headers->len; i++)
		if (!value_is(value_at(&headers->items[i], 0), VALUE_STRING) ||
		    !value_is(value_at(&headers->items[i], 1), VALUE_STRING))
			return false;
	return value_is(headers, VALUE_ARRAY);
}

static bool read_error(const struct value *v, struct call_answer *x)
{
	static const char *const names[] = {
#define X(name, text) text,
		HTTP_ERRORS(X)
#undef X
	};
	const struct value *error = value_get_c(v, "error"), *certainty = value_get_c(v, "certainty"),
			   *detail = value_get_c(v, "detail");
	size_t i = 0, k = 0;
	if (!error) {
		x->error = HTTP_ERROR_NONE;
		x->certainty = HTTP_ANSWERED;
		return true;
	}
	while (i < ARRAY_LEN(names) && !value_is_string(error, str_c(names[i])))
		i++;
	while (k < ARRAY_LEN(certainties) && !value_is_string(certainty, str_c(certainties[k])))
		k++;
	if (i == ARRAY_LEN(names) || k == ARRAY_LEN(certainties) || !value_is(detail, VALUE_STRING))
		return false;
	x->error = (enum http_error)i;
	x->certainty = (enum http_certainty)k;
	x->detail = value_text(detail);
	return true;
}

static bool read_file(const struct value *v, struct call_answer *x)
{
	const struct value *file = value_get_c(v, "file"), *id = value_get_c(file, "file"),
			   *name = value_get_c(file, "name"), *bytes = value_get_c(file, "bytes");
	int64_t n = 0;
	if (!file)
		return true;
	if (!value_is(id, VALUE_STRING) || !value_is(name, VALUE_STRING) || !bytes || !value_to_int64(bytes, &n) ||
	    n < 0)
		return false;
	x->file = value_text(id);
	x->file_name = value_text(name);
	x->file_bytes = (uint64_t)n;
	return true;
}

int call_answer_read(struct str head, int status, struct str body, struct arena *a, struct call_answer *ret,
		     struct err *e)
{
	const struct json_options options = { .max_bytes = HEAD_MAX_BYTES, .copy = true };
	struct call_answer x = { .status = status, .body = body };
	struct value v;
	int r = json_parse(a, head, &options, &v, NULL, e);
	if (r < 0)
		return err_wrap(e, "head of an answer");
	const struct value *headers = value_get_c(&v, "headers"), *timings = value_get_c(&v, "timings");
	if (!headers_are_pairs(headers) || !value_is(timings, VALUE_OBJECT) || !read_error(&v, &x) ||
	    !read_file(&v, &x))
		return err_set(e, ERR_INVALID, "head of an answer: not as written by call_answer_write()");
	x.headers = *headers;
	x.timings = *timings;
	x.has_made = value_is(value_get_c(&v, "made"), VALUE_NUMBER) &&
		     num_parse_u64(value_text(value_get_c(&v, "made")), &x.made) == 0;
	if (value_is(value_get_c(&v, "rest"), VALUE_OBJECT))
		x.rest = *value_get_c(&v, "rest");
	x.is_close_delimited = value_get_c(&v, "close_delimited") != NULL;
	x.is_range_asked = value_get_c(&v, "range_asked") != NULL;
	*ret = x;
	return 0;
}

struct str answer_header(const struct call_answer *x, const char *lower_name)
{
	for (uint32_t i = 0; i < x->headers.len; i++)
		if (value_is_string(value_at(&x->headers.items[i], 0), str_c(lower_name)))
			return value_text(value_at(&x->headers.items[i], 1));
	return STR_NULL;
}
