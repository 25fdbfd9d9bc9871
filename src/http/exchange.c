/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request and its answer.
 *
 *   READING --- whole request ---> ASKED --- exchange_reply() ---> ANSWERED --- libmicrohttpd is done ---> freed
 *      |                             |  client left, or server closed: on_gone, then freed
 *      +--- refused by us (400, 413, 431) or client left: freed
 *
 * An exchange dies when both sides are done with it: libmicrohttpd (completed), and the owner, who is done when it has
 * answered or was told by on_gone. An owner who asked for no on_gone may answer after the client, or the server, is
 * gone; the answer falls to the floor.
 */
#include "http/server_int.h"
#include "base/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ARENA_BYTES (64u << 20)
#define MAX_HEADERS HEADERS_MAX
#define REFUSAL_BYTES 256
#define DISCARD_BYTES (64u << 10) /* read beyond twice the limit of a body before we hang up */

/* ---- birth and death ---- */

static struct http_exchange *exchange_new(struct http_server *s)
{
	struct list *first = list_first(&s->pool);
	struct http_exchange *x;

	if (first) {
		list_remove(first);
		s->n_pool--;
		x = LIST_ENTRY(first, struct http_exchange, link);
	} else {
		x = alloc_malloc(sizeof(*x));
	}
	if (!x)
		return NULL;
	*x = (struct http_exchange){ .server = s, .loop = s->loop };
	list_init(&x->link);
	arena_init(&x->arena, ARENA_BYTES);
	buf_init(&x->body, s->config.max_body);
	list_add_last(&s->exchanges, &x->link);
	return x;
}

void exchange_free(struct http_exchange *x)
{
	list_remove(&x->link);
	if (x->response)
		MHD_destroy_response(x->response);
	buf_done(&x->body);
	arena_done(&x->arena);
	free(x);
}

static void bury(void *p)
{
	exchange_free(p);
}

static void unwatch(struct http_exchange *x)
{
	loop_fd_close(x->gone_watch);
	x->gone_watch = NULL;
}

static void tell_gone(struct http_exchange *x)
{
	void (*fn)(void *arg) = x->on_gone;

	x->on_gone = NULL;
	if (!fn)
		return;
	x->is_dropped = true; /* the owner knows: it is done with the exchange */
	fn(x->on_gone_arg);
}

/* libmicrohttpd is done with the request: answered, broken or shut down. */
void exchange_on_completed(void *arg, struct MHD_Connection *connection, void **slot,
			   enum MHD_RequestTerminationCode why)
{
	struct http_server *s = arg;
	struct http_exchange *x = *slot;

	(void)connection;
	(void)why;
	*slot = NULL;
	if (!x)
		return;
	if (x->peer) {
		x->peer->is_busy = x->peer->has_head = false;
		x->peer->since = loop_now(s->loop);
		x->peer->bytes = 0;
	}
	unwatch(x);
	x->connection = NULL;
	x->peer = NULL;
	x->is_suspended = false;
	list_remove(&x->link);
	enum exchange_state state = x->state;
	tell_gone(x);
	x->server = NULL;
	if (state == EXCHANGE_ASKED && x->state == EXCHANGE_ASKED && !x->is_dropped && !x->response)
		return; /* the owner still owes an answer; exchange_reply() frees it */
	if (s->is_closed || s->n_pool >= POOLED_EXCHANGES || x->is_dropped) {
		loop_free_later(s->loop, x, bury);
		return;
	}
	if (x->response)
		MHD_destroy_response(x->response);
	x->response = NULL;
	buf_done(&x->body);
	arena_done(&x->arena);
	list_add_last(&s->pool, &x->link);
	s->n_pool++;
}

/* ---- reading the request ---- */

/* The URI as it came, before libmicrohttpd takes its parameters apart. Absolute form (RFC 9112 3.2.2) loses scheme and
 * authority. */
void *exchange_on_uri(void *arg, const char *uri, struct MHD_Connection *connection)
{
	struct http_server *s = arg;
	struct http_exchange *x = exchange_new(s);
	struct str text = str_c(uri);

	if (!x)
		return NULL;
	x->connection = connection;
	ptrdiff_t scheme_end = text.len > 0 && text.ptr[0] != '/' ? str_find(text, STR("://")) : -1;
	if (scheme_end > 0) {
		text = str_from(text.ptr + scheme_end + 3, text.len - (size_t)scheme_end - 3);
		ptrdiff_t slash = str_find_char(text, '/');
		text = slash < 0 ? STR("/") : str_from(text.ptr + slash, text.len - (size_t)slash);
	}
	text = arena_str(&x->arena, text);
	x->path = str_split(&text, '?');
	x->query = text;
	if (!x->path.ptr)
		x->refusal = 500;
	return x;
}

struct gathering {
	struct http_exchange *x;
	size_t bytes;
	bool failed;
};

static enum MHD_Result gather_field(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len,
				    const char *value, size_t value_len)
{
	struct gathering *g = arg;
	struct headers *h = &g->x->headers;

	(void)kind;
	if (h->n == MAX_HEADERS) {
		g->failed = true;
		return MHD_NO;
	}
	if (h->n == h->cap) {
		size_t cap = h->cap ? h->cap * 2 : 16;
		struct header *items =
		    arena_grow(&g->x->arena, h->items, h->cap * sizeof(*items), cap * sizeof(*items));
		if (!items) {
			g->failed = true;
			return MHD_NO;
		}
		h->items = items;
		h->cap = cap;
	}
	h->items[h->n++] =
	    (struct header){ .name = str_from(name, name_len), .value = str_trim(str_from(value, value_len)) };
	g->bytes += name_len + h->items[h->n - 1].value.len;
	return MHD_YES;
}

/* The fields, copied in one piece: the exchange may outlive its connection. */
static int gather_headers(struct http_exchange *x)
{
	struct gathering g = { .x = x };

	(void)MHD_get_connection_values_n(x->connection, MHD_HEADER_KIND, gather_field, &g);
	char *p = g.failed ? NULL : arena_alloc(&x->arena, g.bytes + 1);
	if (!p) {
		x->headers.n = 0;
		return x->headers.cap >= MAX_HEADERS ? 431 : 500;
	}
	for (size_t i = 0; i < x->headers.n; i++) {
		struct header *h = &x->headers.items[i];
		memcpy(p, h->name.ptr, h->name.len);
		h->name.ptr = p;
		p += h->name.len;
		if (h->value.len)
			memcpy(p, h->value.ptr, h->value.len);
		h->value.ptr = p;
		p += h->value.len;
	}
	x->headers.bytes = g.bytes;
	return 0;
}

/* A body whose length can be read two ways is refused (RFC 9112 6.1, 6.3): that is how requests are smuggled. */
static int check_framing(const struct http_exchange *x)
{
	struct str length = headers_get(&x->headers, STR("Content-Length"));
	struct str coding = headers_get(&x->headers, STR("Transfer-Encoding"));
	uint64_t n = 0;

	if (coding.ptr && (length.ptr || !str_eq_nocase(coding, STR("chunked")) ||
			   headers_count(&x->headers, STR("Transfer-Encoding")) > 1))
		return 400;
	if (!length.ptr)
		return 0;
	if (headers_count(&x->headers, STR("Content-Length")) > 1 || num_parse_u64(length, &n) != 0)
		return 400;
	return n > x->body.max ? 413 : 0;
}

static void on_head(struct http_exchange *x, const char *method)
{
	const union MHD_ConnectionInfo *about =
	    MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	x->has_head = true;
	x->peer = about ? about->socket_context : NULL;
	if (x->peer) {
		x->peer->has_head = true;
		x->peer->since = loop_now(x->loop);
		x->peer->bytes = 0;
	}
	x->method = arena_str(&x->arena, str_c(method));
	if (!x->method.ptr)
		x->refusal = 500;
	if (!x->refusal)
		x->refusal = gather_headers(x);
	if (!x->refusal)
		x->refusal = check_framing(x);
}

static enum MHD_Result queue(struct http_exchange *x)
{
	struct MHD_Response *r = x->response;

	x->response = NULL;
	x->state = EXCHANGE_ANSWERED;
	if (x->peer) {
		x->peer->is_busy = false;
		x->peer->since = loop_now(x->loop);
	}
	enum MHD_Result ok = MHD_queue_response(x->connection, (unsigned)x->status, r);
	MHD_destroy_response(r);
	return ok;
}

static enum MHD_Result refuse(struct http_exchange *x)
{
	char text[REFUSAL_BYTES] = "{\"title\":\"The request cannot be read.\"}\n";

	if (x->refusal == 413)
		(void)snprintf(text, sizeof(text),
			       "{\"type\":\"urn:weir:problem:too_large\",\"title\":\"Too large\",\"status\":413,"
			       "\"detail\":\"the body of a request is at most %zu bytes\"}\n",
			       x->body.max);
	x->status = x->refusal;
	x->response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_COPY);
	if (!x->response)
		return MHD_NO;
	(void)MHD_add_response_header(x->response, "Content-Type", "application/problem+json");
	(void)MHD_add_response_header(x->response, "Connection", "close");
	return queue(x);
}

static enum MHD_Result on_upload(struct http_exchange *x, const char *bytes, size_t *n)
{
	if (x->peer)
		x->peer->bytes += *n;
	if (!x->refusal && buf_append(&x->body, bytes, *n) != 0) {
		x->refusal = x->body.failed == ERR_LIMIT ? 413 : 500;
		buf_done(&x->body);
	}
	/* libmicrohttpd takes no answer in the middle of a body: what is too much is read and dropped, once more the
	 * limit at most. */
	if (x->refusal)
		x->discarded += *n;
	*n = 0;
	return x->discarded > x->body.max + DISCARD_BYTES ? MHD_NO : MHD_YES;
}

/* Readable while we think: either the next request (pipelined; not now) or the end. */
static void on_client_moves(void *arg, unsigned events)
{
	struct http_exchange *x = arg;
	char byte;
	ssize_t n = recv(x->peer->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	unwatch(x);
	if (n > 0)
		return;
	tell_gone(x);
	if (!x->response)
		exchange_wake(x); /* comes back to exchange_on_access(), finds no answer and is closed */
}

static void watch_client(struct http_exchange *x)
{
	if (!x->on_gone || x->gone_watch || !x->is_suspended || !x->peer)
		return;
	x->gone_watch = loop_fd_open(x->loop, x->peer->fd, on_client_moves, x, NULL);
	if (x->gone_watch && loop_fd_want(x->gone_watch, LOOP_READ) != 0)
		unwatch(x); /* then it is told when the answer cannot be delivered */
}

/* The whole request is here: ask the owner, and park the connection unless the answer came at once. */
static enum MHD_Result ask(struct http_exchange *x)
{
	struct http_server *s = x->server;

	x->state = EXCHANGE_ASKED;
	if (x->peer)
		x->peer->is_busy = true;
	s->config.on_request(s->config.arg, x);
	if (x->is_dropped)
		return MHD_NO;
	if (x->response)
		return queue(x);
	x->is_suspended = true;
	MHD_suspend_connection(x->connection);
	watch_client(x);
	return MHD_YES;
}

enum MHD_Result exchange_on_access(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
				   const char *version, const char *upload, size_t *upload_size, void **slot)
{
	struct http_exchange *x = *slot;

	(void)arg;
	(void)connection;
	(void)url;
	(void)version;
	if (!x)
		return MHD_NO;
	if (!x->has_head) {
		on_head(x, method);
		/* Answering before the body is read makes libmicrohttpd close the connection; a refusal wants just
		 * that. */
		return x->refusal ? refuse(x) : MHD_YES;
	}
	if (x->state == EXCHANGE_ASKED)
		return x->response ? queue(x) : MHD_NO; /* resumed: with the answer, or because it will never come */
	if (*upload_size > 0)
		return on_upload(x, upload, upload_size);
	return x->refusal ? refuse(x) : ask(x);
}

/* ---- the owner's side ---- */

void exchange_wake(struct http_exchange *x)
{
	unwatch(x);
	if (!x->is_suspended || !x->connection)
		return;
	x->is_suspended = false;
	MHD_resume_connection(x->connection);
	if (!x->server->is_closed)
		loop_soon(x->server->loop, &x->server->soon);
}

static bool is_ours(struct str name)
{
	return str_eq_nocase(name, STR("Content-Length")) || str_eq_nocase(name, STR("Transfer-Encoding"));
}

static int add_fields(struct MHD_Response *r, struct arena *a, const struct headers *headers)
{
	for (size_t i = 0; headers && i < headers->n; i++) {
		const struct header *h = &headers->items[i];
		if (is_ours(h->name))
			continue;
		if (!header_is_token(h->name) || !header_value_is_clean(h->value))
			return -ERR_INVALID;
		const char *name = arena_c(a, h->name);
		const char *value = arena_c(a, str_trim(h->value));
		if (!name || !value)
			return -ERR_NO_MEMORY;
		if (*value && MHD_add_response_header(r, name, value) != MHD_YES)
			return -ERR_INVALID;
	}
	return 0;
}

/* Before an answer is made: 0, -ERR_STATE, or 1 when nobody is there to take it and all is done. */
static int reply_begin(struct http_exchange *x)
{
	if (x->state == EXCHANGE_ANSWERED || x->response)
		return -ERR_STATE;
	if (x->connection)
		return 0;
	x->state = EXCHANGE_ANSWERED; /* the client, or the server, is gone */
	if (!x->is_dropped)
		loop_free_later(x->loop, x, bury);
	return 1;
}

/* `r` is taken; NULL = out of memory. */
static int reply_with(struct http_exchange *x, int status, const struct headers *headers, struct MHD_Response *r,
		      uint64_t bytes)
{
	if (!r)
		return -ERR_NO_MEMORY;
	int code = add_fields(r, &x->arena, headers);
	if (!code && x->server->is_stopping && MHD_add_response_header(r, "Connection", "close") != MHD_YES)
		code = -ERR_NO_MEMORY;
	if (code) {
		MHD_destroy_response(r);
		return code;
	}
	x->status = status;
	x->response = r;
	if (x->peer)
		x->peer->bytes = bytes;
	exchange_wake(x);
	return 0;
}

static int reply(struct http_exchange *x, int status, const struct headers *headers, struct str body,
		 enum MHD_ResponseMemoryMode mode)
{
	int code = reply_begin(x);
	if (code)
		return code < 0 ? code : 0;
	return reply_with(x, status, headers,
			  MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.ptr, mode), body.len);
}

int exchange_reply(struct http_exchange *x, int status, const struct headers *headers, struct str body)
{
	return reply(x, status, headers, body, MHD_RESPMEM_MUST_COPY);
}

int exchange_reply_static(struct http_exchange *x, int status, const struct headers *headers, struct str body)
{
	return reply(x, status, headers, body, MHD_RESPMEM_PERSISTENT);
}

int exchange_reply_file(struct http_exchange *x, int status, const struct headers *headers, int fd, uint64_t size)
{
	int code = reply_begin(x);
	struct MHD_Response *r = code ? NULL : MHD_create_response_from_fd64(size, fd);
	if (!r)
		(void)close(fd); /* libmicrohttpd closes it otherwise */
	if (code)
		return code < 0 ? code : 0;
	return reply_with(x, status, headers, r, size);
}

void exchange_on_gone(struct http_exchange *x, void (*fn)(void *arg), void *arg)
{
	x->on_gone = fn;
	x->on_gone_arg = arg;
	if (fn)
		watch_client(x);
	else
		unwatch(x);
}

struct str exchange_method(const struct http_exchange *x)
{
	return x->method;
}

struct str exchange_path(const struct http_exchange *x)
{
	return x->path;
}

struct str exchange_query(const struct http_exchange *x)
{
	return x->query;
}

struct str exchange_header(const struct http_exchange *x, const char *name)
{
	return headers_get(&x->headers, str_c(name));
}

const struct headers *exchange_headers(const struct http_exchange *x)
{
	return &x->headers;
}

struct str exchange_body(const struct http_exchange *x)
{
	return buf_str(&x->body);
}

struct arena *exchange_arena(struct http_exchange *x)
{
	return &x->arena;
}
