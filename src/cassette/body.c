/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies, requests and answers: from the ledger's form into the cassette's, and back. */
#include "call/call.h"
#include "cassette/cassette_int.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void base64_write(struct buf *b, struct str bytes)
{
	const unsigned char *p = (const unsigned char *)bytes.ptr;
	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t left = bytes.len - i;
		unsigned three =
		    (unsigned)p[i] << 16 | (left > 1 ? (unsigned)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0u);
		(void)buf_append_char(b, digits[three >> 18]);
		(void)buf_append_char(b, digits[three >> 12 & 63]);
		(void)buf_append_char(b, left > 1 ? digits[three >> 6 & 63] : '=');
		(void)buf_append_char(b, left > 2 ? digits[three & 63] : '=');
	}
}

/* RFC 4648 section 4, with padding and nothing else. */
static bool base64_read(struct buf *b, struct str text)
{
	if (text.len % 4)
		return false;
	for (size_t i = 0; i < text.len; i += 4) {
		unsigned bits = 0, pad = 0;
		for (size_t k = 0; k < 4; k++) {
			char c = text.ptr[i + k];
			const char *at = c && c != '=' ? strchr(digits, c) : NULL;
			bool is_pad = c == '=' && k >= 2 && i + 4 == text.len;
			if ((!at && !is_pad) || (at && pad))
				return false;
			pad += is_pad;
			bits = bits << 6 | (at ? (unsigned)(at - digits) : 0);
		}
		char three[3] = { (char)(bits >> 16), (char)(bits >> 8), (char)bits };
		(void)buf_append(b, three, 3 - pad);
	}
	return buf_ok(b);
}

static struct value wrapped(struct arena *a, const char *name, struct value v)
{
	struct value o = value_object();
	return v.kind && value_add(a, &o, str_c(name), v) == 0 ? o : VALUE_NONE;
}

struct value body_of_bytes(struct arena *a, struct str bytes, bool is_json)
{
	struct json_options opt = { .copy = true, .duplicates = JSON_DUP_REFUSE };
	auto_buf struct buf b = { .max = 2 * (size_t)CASSETTE_MAX_BYTES };
	struct value v;
	if (!bytes.len)
		return value_null();
	if (str_is_utf8(bytes, NULL)) {
		bool parses = json_parse(a, bytes, &opt, &v, NULL, NULL) == 0;
		if (parses && (is_json || (json_write(&b, &v, JSON_COMPACT) == 0 && str_eq(buf_str(&b), bytes))))
			return wrapped(a, BODY_JSON, v);
		return wrapped(a, BODY_TEXT, value_string_copy(a, bytes));
	}
	base64_write(&b, bytes);
	return buf_ok(&b) ? wrapped(a, BODY_BASE64, value_string_copy(a, buf_str(&b))) : VALUE_NONE;
}

bool body_to_bytes(struct arena *a, const struct value *body, struct str *ret)
{
	const struct value *json = value_get_c(body, BODY_JSON), *text = value_get_c(body, BODY_TEXT),
			   *base64 = value_get_c(body, BODY_BASE64);
	auto_buf struct buf b = { .max = 2 * (size_t)CASSETTE_MAX_BYTES };
	*ret = STR_NULL;
	if (!body || body->kind == VALUE_NULL)
		return true;
	if (!value_is(body, VALUE_OBJECT) || body->len != 1)
		return false;
	if (value_is(text, VALUE_STRING)) {
		*ret = value_text(text);
		return true;
	}
	if (json)
		(void)json_write(&b, json, JSON_COMPACT);
	else if (!value_is(base64, VALUE_STRING) || !base64_read(&b, value_text(base64)))
		return false;
	*ret = arena_str(a, buf_str(&b));
	return buf_ok(&b) && ret->ptr;
}

/* ---- answers ---- */

static bool type_is_json(const struct value *headers)
{
	for (uint32_t i = 0; value_is(headers, VALUE_ARRAY) && i < headers->len; i++) {
		const struct value *name = value_at(&headers->items[i], 0), *text = value_at(&headers->items[i], 1);
		if (!value_is_string(name, STR("content-type")) || !value_is(text, VALUE_STRING))
			continue;
		struct str rest = value_text(text), type = str_trim(str_split(&rest, ';'));
		return str_eq_nocase(type, STR("application/json")) || str_ends(type, STR("+json"));
	}
	return false;
}

int answer_of_row(struct arena *a, const struct ledger_row *row, struct value *ret, struct err *e)
{
	struct json_options opt = { .copy = true };
	struct value v;
	if (json_parse(a, row->head, &opt, &v, NULL, e) < 0)
		return err_wrap(e, "a recorded answer");
	(void)value_remove(&v, STR("timings"));
	(void)value_remove(&v, STR("rest"));
	struct value body = body_of_bytes(a, row->body, type_is_json(value_get_c(&v, "headers")));
	if (body.kind == VALUE_ABSENT || value_set(a, &v, STR("body"), body) < 0 ||
	    value_set(a, &v, STR("status"), value_int(a, row->code)) < 0)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	*ret = v;
	return 0;
}

int answer_to_row(struct arena *a, const struct value *answer, struct ledger_row *row, struct err *e)
{
	struct value head = value_object();
	auto_buf struct buf b = { .max = 4u << 20 };
	struct call_answer x;
	int64_t status = 0;
	const struct value *code = value_get_c(answer, "status");
	if (!value_is(answer, VALUE_OBJECT) || (code && !value_to_int64(code, &status)) || status < 0 || status > 999)
		return err_set(e, ERR_INVALID, "answer: status is a number from 0 to 999");
	if (!body_to_bytes(a, value_get_c(answer, "body"), &row->body))
		return err_set(e, ERR_INVALID, "answer: body is { json: ... }, { text: ... }, { base64: ... } or null");
	for (uint32_t i = 0; i < answer->len; i++) {
		const struct member *m = &answer->members[i];
		if (!str_eq_c(m->key, "status") && !str_eq_c(m->key, "body") && !str_eq_c(m->key, "timings"))
			(void)value_add(a, &head, m->key, m->value);
	}
	(void)value_add(a, &head, STR("timings"), value_object());
	if (json_write(&b, &head, JSON_COMPACT) < 0)
		return err_set(e, ERR_LIMIT, "answer: its head is too large");
	row->code = (int32_t)status;
	row->head = arena_str(a, buf_str(&b));
	if (call_answer_read(row->head, row->code, row->body, a, &x, NULL) < 0)
		return err_set(
		    e, ERR_INVALID,
		    "answer: headers are a list of [name, text]; error and certainty are names that Weir knows");
	return 0;
}

/* ---- requests ---- */

/* Our own name and version: a newer Weir asks the same. */
static void drop_agent(struct value *headers)
{
	uint32_t n = 0;
	for (uint32_t i = 0; value_is(headers, VALUE_ARRAY) && i < headers->len; i++) {
		const struct value *name = value_at(&headers->items[i], 0), *text = value_at(&headers->items[i], 1);
		bool is_ours = value_is_string(name, STR("User-Agent")) && value_is(text, VALUE_STRING) &&
			       str_starts(value_text(text), STR("weir/"));
		if (!is_ours)
			headers->items[n++] = headers->items[i];
	}
	if (value_is(headers, VALUE_ARRAY))
		headers->len = n;
}

int request_of_text(struct arena *a, struct str masked, struct value *ret, struct err *e)
{
	struct json_options opt = { .copy = true };
	struct value v;
	if (json_parse(a, masked, &opt, &v, NULL, e) < 0)
		return err_wrap(e, "a recorded request");
	(void)value_remove(&v, STR("again"));
	drop_agent(value_get_c(&v, "headers"));
	struct value *body = value_get_c(&v, "body");
	if (value_is(body, VALUE_STRING))
		*body = body_of_bytes(a, value_text(body), false);
	if (body && body->kind == VALUE_ABSENT)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	*ret = v;
	return 0;
}

int request_to_text(struct arena *a, const struct value *request, struct str *ret)
{
	auto_buf struct buf b = { .max = 2 * (size_t)CASSETTE_MAX_BYTES };
	struct value v = value_object();
	for (uint32_t i = 0; i < request->len; i++) {
		struct value one = request->members[i].value;
		struct str bytes;
		if (str_eq_c(request->members[i].key, "body") && body_to_bytes(a, &one, &bytes) && bytes.ptr)
			one = value_string(bytes);
		(void)value_add(a, &v, request->members[i].key, one);
	}
	int code = json_write(&b, &v, JSON_COMPACT);
	*ret = arena_str(a, buf_str(&b));
	return code;
}

bool cassette_believes(const struct value *problem)
{
	/* time, memory, disk, folder and credentials of that day; and ends that the driver comes to only while it sends
	 */
	static const char *const types[] = {
		"script_timeout", "script_no_memory", "script_killed",	  "script_unavailable",
		"missing_secret", "file_missing",     "redirect_refused", "internal",
		"store",	  "list_changed",     "too_many_items",	  "invalid_list",
		"no_list",	  "too_large",	      "out_of_memory",	  "damaged_record",
		"entry_conflict", "key_expired",      "not_done"
	};
	const struct value *type = value_get_c(problem, "type");
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (value_is_string(type, str_c(types[i])))
			return true;
	return false;
}
