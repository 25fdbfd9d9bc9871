/* SPDX-License-Identifier: Apache-2.0 */
/* A request becomes bytes: the line, the host, the caller's fields as they are, and what the caller left out. */
#include "http/client_int.h"
#include "http/h1_int.h"

#include <stdio.h>

#define JOINED_BODY_BYTES 8192u /* a body up to this goes into one TLS record with its head */

static void add(struct buf *b, struct str s)
{
	(void)buf_append(b, s.ptr, s.len); /* a failure sticks; looked at once, at the end */
}

static void add_start(struct buf *b, struct str method, const struct url *u)
{
	char digits[16];

	add(b, method);
	add(b, STR(" "));
	add(b, u->path.len ? u->path : STR("/"));
	if (u->query.ptr) {
		add(b, STR("?"));
		add(b, u->query);
	}
	add(b, u->is_ipv6 ? STR(" HTTP/1.1\r\nHost: [") : STR(" HTTP/1.1\r\nHost: "));
	add(b, u->host);
	if (u->is_ipv6)
		add(b, STR("]"));
	if (u->port != (u->scheme.len == 5 ? 443 : 80)) {
		int n = snprintf(digits, sizeof(digits), ":%u", u->port);
		add(b, str_from(digits, (size_t)n));
	}
	add(b, STR("\r\n"));
}

static void add_field(struct buf *b, const struct header *h)
{
	struct str value = str_trim(h->value);

	add(b, h->name);
	add(b, value.len ? STR(": ") : STR(":"));
	add(b, value);
	add(b, STR("\r\n"));
}

/* A body says how long it is, and so does its absence where one is expected (RFC 9110 8.6). */
static void add_length(struct buf *b, const struct http_request *r, uint64_t pieces_len)
{
	char digits[64];

	uint64_t n_body = r->n_pieces ? pieces_len : r->body.ptr ? r->body.len : 0;

	if (!r->body.ptr && !r->n_pieces && !str_eq(r->method, STR("POST")) && !str_eq(r->method, STR("PUT")) &&
	    !str_eq(r->method, STR("PATCH")))
		return;
	int n = snprintf(digits, sizeof(digits), "Content-Length: %llu\r\n", (unsigned long long)n_body);
	add(b, str_from(digits, (size_t)n));
}

int h1_write_head(struct http_transfer *t, const struct http_request *r, const struct url *u)
{
	struct buf *b = &t->head_out;
	bool has_accept = false, has_accept_encoding = false;

	buf_clear(b);
	if (buf_reserve(b, 512) != 0)
		return -ERR_NO_MEMORY;
	add_start(b, r->method, u);
	for (size_t i = 0; r->headers && i < r->headers->n; i++) {
		const struct header *h = &r->headers->items[i];
		if (!transfer_check_field(t, h))
			return 0;
		has_accept |= h->name.len == 6 && str_eq_nocase(h->name, STR("Accept"));
		has_accept_encoding |= h->name.len == 15 && str_eq_nocase(h->name, STR("Accept-Encoding"));
		add_field(b, h);
	}
	if (!has_accept)
		add(b, STR("Accept: */*\r\n"));
	if (!has_accept_encoding)
		add(b, STR("Accept-Encoding: gzip, deflate, br, zstd\r\n"));
	add_length(b, r, t->pieces_len);
	add(b, STR("\r\n"));
	if (b->failed == ERR_LIMIT) {
		transfer_fail(t, HTTP_ERROR_INVALID_REQUEST, HTTP_NOT_SENT,
			      "the request's head is longer than %zu bytes", b->max);
		return 0;
	}
	if (t->origin->is_tls && t->origin->wish == HTTP_WISH_1_1 && t->body_out.len <= JOINED_BODY_BYTES) {
		add(b, t->body_out);
		t->body_out = STR("");
	}
	return buf_ok(b) ? 0 : -ERR_NO_MEMORY;
}
