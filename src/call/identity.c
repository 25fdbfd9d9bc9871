/* SPDX-License-Identifier: Apache-2.0 */
/* The request of the try after a content coding that could not be undone: the same, but that it asks for no coding. */
#include "call/call_int.h"

#define NAME STR("Accept-Encoding")
#define NO_CODING STR("identity")

/* The list of headers as people see it, with the one that differs. */
static int shadow_headers(const struct value *before, struct arena *a, struct value *ret)
{
	struct value pair = value_array();
	*ret = value_array();
	for (uint32_t i = 0; before && i < before->len; i++) {
		const struct value *name = value_at(value_at(before, i), 0);
		if (name && str_eq_nocase(value_text(name), NAME))
			continue;
		if (value_push(a, ret, *value_at(before, i)) < 0)
			return -ERR_NO_MEMORY;
	}
	if (value_push(a, &pair, value_string(NAME)) < 0 || value_push(a, &pair, value_string(NO_CODING)) < 0)
		return -ERR_NO_MEMORY;
	return value_push(a, ret, pair);
}

static int write_shadow(struct str masked, struct arena *a, struct str *ret)
{
	auto_buf struct buf text = { .max = JSON_MAX_BYTES };
	struct value v, headers;
	if (json_parse(a, masked, NULL, &v, NULL, NULL) < 0 ||
	    shadow_headers(value_get_c(&v, "headers"), a, &headers) < 0 ||
	    value_set(a, &v, STR("headers"), headers) < 0 || json_write(&text, &v, JSON_COMPACT) < 0)
		return -ERR_NO_MEMORY;
	*ret = arena_str(a, buf_str(&text));
	return ret->ptr ? 0 : -ERR_NO_MEMORY;
}

int call_request_ask_identity(struct call_request *r, struct arena *a)
{
	struct call_request next = *r;
	next.headers = (struct headers){ 0 };
	for (size_t i = 0; i < r->headers.n; i++) {
		const struct header *h = &r->headers.items[i];
		if (!str_eq_nocase(h->name, NAME) && headers_add(a, &next.headers, h->name, h->value, NULL) < 0)
			return -ERR_NO_MEMORY;
	}
	if (headers_add(a, &next.headers, NAME, NO_CODING, NULL) < 0 || write_shadow(r->masked, a, &next.masked) < 0)
		return -ERR_NO_MEMORY;
	*r = next;
	return 0;
}
