/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's bytes into an HTTP/2 session with open streams, one of them with a body. The first byte: how many streams
 * (2 bits), whether a new one is opened whenever there is room (bit 2), whether the rest are bytes or frames to be
 * built (bit 3: type, flags, stream, length, payload), and into which pieces they are cut. What comes out must hold
 * whatever went in.
 */
#include "http/h2_int.h"

#include <stdlib.h>
#include <string.h>

#define BODY_MAX 100000
#define TRANSFERS 32

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

struct world {
	struct h2 session;
	struct http_transfer *transfers[TRANSFERS];
	size_t n;
};

static struct http_client client;
static struct h1_origin origin;

static void submit(struct world *w)
{
	static const char get[] =
	    "GET /a?b=c HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nConnection: close\r\nCookie: a=b\r\n\r\n";
	static const char head[] = "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n";
	static const char post[] = "POST / HTTP/1.1\r\nHost: h\r\nX-Mixed: Case\r\nContent-Length: 70000\r\n\r\n";
	static char body[70000];
	struct http_transfer *t;
	size_t kind = w->n % 3;

	if (w->n == TRANSFERS)
		return;
	t = w->transfers[w->n++] = calloc(1, sizeof(*t));
	t->client = &client;
	t->origin = &origin;
	t->is_head_request = kind == 2;
	t->body_out = kind == 1 ? str_from(body, sizeof(body)) : STR("");
	list_init(&t->h2.link);
	arena_init(&t->arena, 16u << 20);
	buf_init(&t->body, BODY_MAX);
	buf_init(&t->head_out, 1000);
	(void)buf_append_c(&t->head_out, kind == 0 ? get : kind == 1 ? post : head);
	demand(h2_session_submit(&w->session, t) == 0 || w->session.is_going);
}

static void check_transfer(const struct http_transfer *t)
{
	enum h2_fate fate = t->h2.fate;

	demand((fate == H2_FATE_REFUSED) == (t->refusal.error != HTTP_ERROR_NONE));
	demand(t->headers.n <= HEADERS_MAX && t->body.len <= BODY_MAX && t->interim <= INTERIM_MAX + 1);
	if (fate == H2_FATE_AGAIN || fate == H2_FATE_AGAIN_1_1)
		demand(t->arrived == 0 && t->prereqs == 0);
	if (t->refusal.certainty == HTTP_NOT_SENT && fate == H2_FATE_REFUSED)
		demand(t->arrived == 0); /* who has begun to answer has taken it up */
	if (fate == H2_FATE_ANSWERED)
		demand(t->head == HEAD_COMPLETE);
	if (t->head == HEAD_COMPLETE)
		demand(t->status >= 200 && t->status <= 999);
	if (t->has_length && fate == H2_FATE_ANSWERED && t->wants_body)
		demand(t->body_wire <= t->length);
	for (size_t i = 0; i < t->headers.n; i++) {
		demand(header_is_token(t->headers.items[i].name));
		demand(header_value_is_clean(t->headers.items[i].value));
	}
}

static void collect(struct world *w)
{
	struct list *node;

	while ((node = list_first(&w->session.ended))) {
		struct http_transfer *t = LIST_ENTRY(node, struct http_transfer, h2.link);
		list_remove(node);
		check_transfer(t);
	}
	demand(w->session.n_open <= TRANSFERS && w->session.n_pending <= TRANSFERS);
}

static bool flush(struct world *w)
{
	bool is_whole;

	do {
		is_whole = h2_session_fill(&w->session);
		demand(w->session.out.len <= H2_OUT_BYTES + (32u << 10));
		h2_session_sent(&w->session, w->session.out.len, w->session.out.len);
	} while (is_whole && w->session.out.len > 0);
	collect(w);
	return is_whole;
}

/* type, flags, stream, length, payload: frames whose lengths are right, which bytes by chance seldom are. */
static void build(struct buf *to, struct str from)
{
	size_t at = 0;

	while (at + 4 <= from.len) {
		size_t len = (uint8_t)from.ptr[at + 3];
		if (len > from.len - at - 4)
			len = from.len - at - 4;
		const char head[9] = { 0, 0, (char)len, from.ptr[at], from.ptr[at + 1], 0, 0, 0, from.ptr[at + 2] };
		(void)buf_append(to, head, sizeof(head));
		(void)buf_append(to, from.ptr + at + 4, len);
		at += 4 + len;
	}
}

static void talk(struct world *w, struct str wire, size_t piece, bool opens_more)
{
	for (size_t at = 0; at < wire.len; at += piece) {
		size_t len = wire.len - at < piece ? wire.len - at : piece;
		char *copy = malloc(len); /* of its own: reading beyond it shows */
		memcpy(copy, wire.ptr + at, len);
		bool is_whole = h2_session_recv(&w->session, str_from(copy, len));
		free(copy);
		collect(w);
		if (opens_more && is_whole && h2_session_room(&w->session) > 0)
			submit(w);
		if (!flush(w) || !is_whole)
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct world w = { .n = 0 };
	struct buf frames;

	if (n == 0)
		return 0;
	struct str wire = str_from((const char *)bytes + 1, n - 1);
	buf_init(&frames, 16 * n + 16);
	if (bytes[0] & 8) {
		build(&frames, wire);
		wire = buf_str(&frames);
	}
	demand(h2_session_open(&w.session) == 0);
	for (int i = 0; i <= (bytes[0] & 3); i++)
		submit(&w);
	if (flush(&w))
		talk(&w, wire, bytes[0] >> 4 ? (size_t)(bytes[0] >> 4) * 7 : wire.len + 1, bytes[0] & 4);
	h2_session_end(&w.session, HTTP_ERROR_CONNECTION_LOST, "the end");
	collect(&w);
	demand(list_is_empty(&w.session.streams));
	h2_session_done(&w.session);
	for (size_t i = 0; i < w.n; i++) {
		struct http_transfer *t = w.transfers[i];
		demand(t->h2.fate != H2_FATE_OPEN || t->h2.id == 0);
		decoder_free(t->decoder);
		arena_done(&t->arena);
		buf_done(&t->body);
		buf_done(&t->head_out);
		free(t);
	}
	buf_done(&frames);
	return 0;
}
