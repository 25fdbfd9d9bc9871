/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The own tier's answer parser: the first byte says how the rest is cut into pieces and whether a HEAD was asked. The
 * same bytes whole and in pieces must come to the same end.
 */
#include "http/h1_int.h"

#include <stdlib.h>

#define BODY_MAX 100000

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct outcome {
	enum h1_parsed parsed;
	enum http_error error;
	int status;
	size_t used, n_headers;
	struct buf body;
	bool has_coding;
};

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check(const struct http_transfer *t, const struct h1_parser *p, enum h1_parsed r)
{
	demand((r == H1_FAILED) == (t->refusal.error != HTTP_ERROR_NONE));
	demand((r == H1_DONE) == (p->part == H1_PART_DONE) || r == H1_FAILED);
	demand(t->headers.n <= HEADERS_MAX && t->body.len <= BODY_MAX);
	for (size_t i = 0; i < t->headers.n; i++) {
		demand(header_is_token(t->headers.items[i].name));
		demand(header_value_is_clean(t->headers.items[i].value));
	}
	if (t->head == HEAD_COMPLETE)
		demand(t->status >= 200 && t->status <= 999);
}

/* As h1_conn.c does it: what was not used comes again, in an allocation of its own, with the next piece behind it. */
static struct outcome feed(struct str wire, size_t piece, bool is_head_request)
{
	static struct http_client client;
	struct http_transfer *t = calloc(1, sizeof(*t));
	struct h1_parser p = { 0 };
	struct outcome o = { .parsed = H1_MORE };
	struct buf in;

	t->client = &client;
	t->is_head_request = is_head_request;
	arena_init(&t->arena, 16u << 20);
	buf_init(&t->body, BODY_MAX);
	buf_init(&in, wire.len + 1);
	for (size_t at = 0; at < wire.len && o.parsed == H1_MORE; at += piece) {
		size_t used = 0, len = wire.len - at < piece ? wire.len - at : piece;
		(void)buf_append(&in, wire.ptr + at, len);
		o.parsed = h1_parse(&p, t, buf_str(&in), &used);
		demand(used <= in.len);
		o.used += used;
		buf_consume(&in, used);
		check(t, &p, o.parsed);
	}
	if (o.parsed == H1_MORE) {
		o.parsed = h1_parse_end(&p, t, false, false);
		check(t, &p, o.parsed);
	}
	o.error = t->refusal.error;
	o.status = t->head == HEAD_COMPLETE ? t->status : 0;
	o.n_headers = t->headers.n;
	o.has_coding = t->codings > 0;
	o.body = t->body;
	decoder_free(t->decoder);
	arena_done(&t->arena);
	buf_done(&in);
	free(t);
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n == 0)
		return 0;
	struct str wire = str_from((const char *)bytes + 1, n - 1);
	bool is_head_request = bytes[0] & 0x80;
	size_t piece = 1 + (bytes[0] & 0x7f);
	struct outcome whole = feed(wire, wire.len ? wire.len : 1, is_head_request);
	struct outcome cut = feed(wire, piece, is_head_request);

	if (!whole.has_coding) { /* the ratio limit looks at what was read so far, and may strike a piece earlier */
		demand(whole.parsed == cut.parsed && whole.error == cut.error && whole.status == cut.status);
		if (whole.parsed == H1_DONE)
			demand(whole.used == cut.used && whole.n_headers == cut.n_headers &&
			       str_eq(buf_str(&whole.body), buf_str(&cut.body)));
	}
	buf_done(&whole.body);
	buf_done(&cut.body);
	return 0;
}
