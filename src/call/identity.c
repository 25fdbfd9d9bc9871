/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of later tries that differ in one header: after a content coding that could not be undone it asks for none,
 * and after an error that is saved under an idempotency key it has another key.
 */
#include "call/call_int.h"

/* The list of headers as people see it, with the one that differs in its place, or at the end. */
static int shadow_headers(const struct value *before, struct str name, struct str text, struct arena *a,
			  struct value *ret)
{
	struct value pair = value_array();
	bool is_in = false;
	*ret = value_array();
	if (value_push(a, &pair, value_string(name)) < 0 || value_push(a, &pair, value_string(text)) < 0)
		return -ERR_NO_MEMORY;
	for (uint32_t i = 0; before && i < before->len; i++) {
		const struct value *old = value_at(value_at(before, i), 0);
		bool is_it = old && str_eq_nocase(value_text(old), name);
		if (value_push(a, ret, is_it ? pair : *value_at(before, i)) < 0)
			return -ERR_NO_MEMORY;
		is_in |= is_it;
	}
	return is_in ? 0 : value_push(a, ret, pair);
}

static int write_shadow(struct str masked, struct str name, struct str value, struct arena *a, struct str *ret)
{
	auto_buf struct buf text = { .max = JSON_MAX_BYTES };
	struct value v, headers;
	if (json_parse(a, masked, NULL, &v, NULL, NULL) < 0 ||
	    shadow_headers(value_get_c(&v, "headers"), name, value, a, &headers) < 0 ||
	    value_set(a, &v, STR("headers"), headers) < 0 || json_write(&text, &v, JSON_COMPACT) < 0)
		return -ERR_NO_MEMORY;
	*ret = arena_str(a, buf_str(&text));
	return ret->ptr ? 0 : -ERR_NO_MEMORY;
}

static int set_header(struct call_request *r, struct str name, struct str value, struct arena *a)
{
	struct call_request next = *r;
	bool is_in = false;
	next.headers = (struct headers){ 0 };
	for (size_t i = 0; i < r->headers.n; i++) {
		const struct header *h = &r->headers.items[i];
		bool is_it = str_eq_nocase(h->name, name);
		if (headers_add(a, &next.headers, h->name, is_it ? value : h->value, NULL) < 0)
			return -ERR_NO_MEMORY;
		is_in |= is_it;
	}
	if ((!is_in && headers_add(a, &next.headers, name, value, NULL) < 0) ||
	    write_shadow(r->masked, name, value, a, &next.masked) < 0)
		return -ERR_NO_MEMORY;
	*r = next;
	return 0;
}

int call_request_ask_identity(struct call_request *r, struct arena *a)
{
	return set_header(r, STR("Accept-Encoding"), STR("identity"), a);
}

int call_request_set_key(struct call_request *r, const struct call_spec *s, struct str key, struct arena *a)
{
	return set_header(r, s->op.key.header, key, a);
}
