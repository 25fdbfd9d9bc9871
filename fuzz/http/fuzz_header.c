/* SPDX-License-Identifier: Apache-2.0 */
/* The header guard, fed line by line as libcurl would, then the body; and the field helpers on the same bytes. */
#include "http/client_int.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

/* Whatever the guard has let through keeps the promises of headers. */
static void check_fields(const struct headers *h)
{
	demand(h->n <= HEADERS_MAX);
	for (size_t i = 0; i < h->n; i++) {
		demand(header_is_token(h->items[i].name));
		demand(header_value_is_clean(h->items[i].value));
		demand(h->items[i].name.len + h->items[i].value.len <= 2 * HEADER_FIELD_MAX_BYTES);
	}
}

static void check_helpers(struct arena *a, struct str s)
{
	struct str name = str_split(&s, ':');
	struct headers h = { 0 };
	struct err e;

	(void)header_media_type(s);
	(void)header_parameter(a, s, name);
	if (headers_add(a, &h, name, s, &e) == 0) {
		demand(str_eq(headers_get(&h, name), s));
		demand(headers_set(a, &h, name, STR("x"), &e) == 0 && h.n == 1);
	}
	check_fields(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct http_client client;
	struct http_transfer *t = calloc(1, sizeof(*t));
	const char *p = (const char *)bytes, *end = p + n;

	t->client = &client;
	arena_init(&t->arena, 16u << 20);
	buf_init(&t->body, 100000);
	check_helpers(&t->arena, str_from(p, n));
	while (p < end && t->head != HEAD_COMPLETE && t->refusal.error == HTTP_ERROR_NONE) {
		const char *feed = memchr(p, '\n', (size_t)(end - p));
		size_t len = feed ? (size_t)(feed - p) + 1 : (size_t)(end - p);
		size_t took = head_on_line((char *)(uintptr_t)p, 1, len, t);
		demand(took == len || t->refusal.error != HTTP_ERROR_NONE);
		p += len;
	}
	check_fields(&t->headers);
	if (t->head == HEAD_COMPLETE) {
		demand(t->status >= 200 && t->status <= 999);
		if (p < end)
			(void)head_on_body((char *)(uintptr_t)p, 1, (size_t)(end - p), t);
		demand(t->body.len <= 100000);
	}
	decoder_free(t->decoder);
	buf_done(&t->body);
	arena_done(&t->arena);
	free(t);
	return 0;
}
