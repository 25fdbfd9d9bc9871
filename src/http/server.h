/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server: the one door to libmicrohttpd, its epoll descriptor nested in our loop. A request is handed over whole (head and
 * body, within limits); it is answered once, at once or later. Answers after the client left are dropped quietly.
 */
#pragma once
#include "base/buf.h"
#include "http/header.h"
#include "loop/loop.h"

struct http_server;
struct http_exchange; /* one request and its answer */

struct http_server_config {
	const char *address; /* "127.0.0.1" or "::1" */
	uint16_t port;	     /* 0 = any free */
	size_t max_body;     /* 0 = 16 MiB; 413 beyond */
	size_t max_connections; /* 0 = 1024 */
	msec_t idle_timeout; /* 0 = 60 s */
	void (*on_request)(void *arg, struct http_exchange *x);
	void *arg;
};

int http_server_open(struct http_server **ret, struct loop *l, const struct http_server_config *config, struct err *e);
uint16_t http_server_port(const struct http_server *s);
void http_server_stop_accepting(struct http_server *s);
void http_server_close(struct http_server *s); /* open exchanges are dropped; on_gone runs for them */

struct str exchange_method(const struct http_exchange *x);
struct str exchange_path(const struct http_exchange *x);  /* raw, still encoded, without query */
struct str exchange_query(const struct http_exchange *x); /* raw, ptr NULL when absent */
struct str exchange_header(const struct http_exchange *x, const char *name); /* first, or ptr NULL */
const struct headers *exchange_headers(const struct http_exchange *x);
struct str exchange_body(const struct http_exchange *x);
struct arena *exchange_arena(struct http_exchange *x); /* lives as long as the exchange */
/*
 * Told once, when the client leaves before the answer, when the answer is delivered, or when the server closes: the last word about this
 * exchange, which must not be touched after fn returns. NULL forgets. Without it the exchange waits for its answer even if nobody
 * is there to read it. (A client that only closes its sending half has left.)
 */
void exchange_on_gone(struct http_exchange *x, void (*fn)(void *arg), void *arg);

/*
 * Answer: headers (may be NULL) and body are copied. Once per exchange, from anywhere on the loop; -ERR_STATE the second time, -ERR_INVALID
 * for a field that is none (nothing was sent then: answer again). Content-Length and Transfer-Encoding are ours and left out; a HEAD gets
 * the length of `body` without it. Unless exchange_on_gone() was used, the exchange is gone after this returns to the loop.
 */
int exchange_reply(struct http_exchange *x, int status, const struct headers *headers, struct str body);
/*
 * As above, the body is a file's first `size` bytes, read as the client takes them. The descriptor is taken, also when this returns -code; nobody
 * else reads from it.
 */
int exchange_reply_file(struct http_exchange *x, int status, const struct headers *headers, int fd, uint64_t size);
/* As above, body borrowed for ever (embedded files). */
int exchange_reply_static(struct http_exchange *x, int status, const struct headers *headers, struct str body);
