/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The own tier as a whole: origins, the connections that idle for them, and one epoll set nested in the loop. A
 * connection is registered for reading once and stays so from request to request: an epoll_ctl costs as much as parsing
 * an answer.
 */
#include "http/h2_int.h"
#include "base/alloc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_PER_TURN 256
#define STALE_MARGIN 1000 /* ms before a server's own timeout */

/* ---- origins ---- */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static uint32_t hash_of(const struct url *u, bool no_verify, enum http_version_wish wish)
{
	uint32_t hash = 2166136261u ^ u->port ^ (uint32_t)no_verify << 17 ^ (uint32_t)wish << 18; /* FNV-1a */

	for (size_t i = 0; i < u->host.len; i++)
		hash = (hash ^ (unsigned char)lower(u->host.ptr[i])) * 16777619u;
	return hash;
}

static bool is_same(const struct h1_origin *o, uint32_t hash, const struct url *u, bool no_verify,
		    enum http_version_wish wish)
{
	return o->hash == hash && o->port == u->port && o->is_tls == (u->scheme.len == 5) &&
	       o->no_verify == no_verify && o->wish == wish &&
	       str_eq_nocase(str_from(o->host, o->host_len), u->host);
}

/* "127.0.0.1", and all that inet_aton() takes for an address (127.1, 0x7f000001), as every getaddrinfo() does. */
static bool parse_literal(struct h1_origin *o, bool is_ipv6)
{
	if (is_ipv6) {
		o->literal.v6.sin6_family = AF_INET6;
		return inet_pton(AF_INET6, o->host, &o->literal.v6.sin6_addr) == 1;
	}
	o->literal.v4.sin_family = AF_INET;
	return inet_aton(o->host, &o->literal.v4.sin_addr) != 0;
}

static void origin_free(struct h1 *h, struct h1_origin *o)
{
	list_remove(&o->link);
	list_remove(&o->look);
	h->n_origins--;
	h1_tls_forget_session(o);
	free(o);
}

static void forget_unused(struct h1 *h)
{
	for (size_t i = 0; i < H1_ORIGIN_BUCKETS; i++) {
		LIST_FOREACH (node, &h->buckets[i]) {
			struct h1_origin *o = LIST_ENTRY(node, struct h1_origin, link);
			if (o->refs == 0)
				origin_free(h, o);
		}
	}
}

struct h1_origin *h1_origin_get(struct h1 *h, const struct url *u, bool no_verify, enum http_version_wish wish)
{
	uint32_t hash = hash_of(u, no_verify, wish);
	struct list *bucket = &h->buckets[hash % H1_ORIGIN_BUCKETS];

	LIST_FOREACH (node, bucket) {
		struct h1_origin *found = LIST_ENTRY(node, struct h1_origin, link);
		if (is_same(found, hash, u, no_verify, wish)) {
			found->refs++;
			return found;
		}
	}
	if (h->n_origins >= H1_ORIGINS_KEPT)
		forget_unused(h);
	struct h1_origin *o = alloc_calloc(1, sizeof(*o) + u->host.len + 1);
	if (!o)
		return NULL;
	o->refs = 1;
	o->hash = hash;
	o->port = u->port;
	o->is_tls = u->scheme.len == 5;
	o->no_verify = no_verify;
	o->wish = wish;
	o->host_len = u->host.len;
	for (size_t i = 0; i < u->host.len; i++)
		o->host[i] = lower(u->host.ptr[i]);
	o->is_literal = parse_literal(o, u->is_ipv6);
	list_init(&o->idle);
	list_init(&o->sessions);
	list_init(&o->queue);
	list_init(&o->look);
	list_add_last(bucket, &o->link);
	h->n_origins++;
	return o;
}

void h1_origin_put(struct h1_origin *o)
{
	o->refs--; /* with 0 it stays, for its TLS session, until forget_unused() */
}

/* ---- connections that idle ---- */

void h1_idle_add(struct h1_conn *c)
{
	list_remove(&c->link);
	list_add_last(&c->origin->idle, &c->link);
	h1_idle_note(c);
}

void h1_idle_note(struct h1_conn *c)
{
	struct h1 *h = c->h1;

	c->idle_turn = h->turn;
	c->idle_since = loop_now(h->loop);
	list_add_last(&h->idle, &c->age);
	h->n_idle++;
	if (h->n_idle > h->client->config.max_idle) /* after the end of the turn: most are taken again until then */
		loop_soon(h->loop, &h->client->soon);
	if (!loop_timer_is_running(&h->sweep))
		(void)loop_timer_start(&h->sweep, H1_SWEEP_EVERY);
}

void h1_trim(struct http_client *c)
{
	while (c->h1 && c->h1->n_idle > c->config.max_idle)
		h1_conn_close(LIST_ENTRY(c->h1->idle.next, struct h1_conn, age));
}

static void on_sweep(struct loop_timer *timer)
{
	struct h1 *h = CONTAINER_OF(timer, struct h1, sweep);
	msec_t now = loop_now(h->loop);

	while (!list_is_empty(&h->idle)) {
		struct h1_conn *oldest = LIST_ENTRY(h->idle.next, struct h1_conn, age);
		if (now - oldest->idle_since < H1_IDLE_MAX) {
			(void)loop_timer_start(timer, H1_SWEEP_EVERY);
			return;
		}
		h1_conn_close(oldest);
	}
}

/* Near the end of the time that the server gave it, a request might cross with its closing, and be ambiguous for
 * nothing. */
static bool is_stale(const struct h1_conn *c, msec_t now)
{
	msec_t margin = c->stale_after / 2 < STALE_MARGIN ? c->stale_after / 2 : STALE_MARGIN;

	return c->stale_after >= 0 && now - c->idle_since >= c->stale_after - margin;
}

/*
 * The connection used last, if it is alive. One that has idled since an earlier look at the epoll set is looked at once
 * more: its end may have come since. One from this very turn was found clean when its answer was complete.
 */
static struct h1_conn *idle_take(struct h1 *h, struct h1_origin *o)
{
	while (!list_is_empty(&o->idle)) {
		struct h1_conn *c = LIST_ENTRY(o->idle.prev, struct h1_conn, link);
		if (is_stale(c, loop_now(h->loop)) || (c->idle_turn != h->turn && !h1_conn_is_clean(c))) {
			h1_conn_close(c);
			continue;
		}
		list_remove(&c->age);
		list_remove(&c->link);
		list_add_last(&h->busy, &c->link);
		h->n_idle--;
		return c;
	}
	return NULL;
}

void h1_begin(struct http_transfer *t)
{
	struct h1 *h = t->client->h1;
	struct h1_conn *c;

	if (h2_is_wanted(t->origin)) {
		h2_begin(t);
		return;
	}
	c = t->wants_fresh ? NULL : idle_take(h, t->origin);
	if (c) {
		h1_conn_reuse(c, t);
		return;
	}
	c = h1_conn_new(t);
	if (c) {
		h1_conn_open(c);
		return;
	}
	transfer_fail(t, HTTP_ERROR_INTERNAL, HTTP_NOT_SENT, "out of memory");
	transfer_deliver(t, t->refusal, t->why.msg);
}

void h1_drop(struct http_transfer *t)
{
	if (t->conn && t->conn->state != H1_SESSION)
		h1_conn_close(t->conn);
	else
		h2_drop(t);
}

void h1_pause(struct http_transfer *t)
{
	if (t->conn && t->conn->state != H1_SESSION) /* a session holds back the stream's window, see h2_session.c */
		h1_conn_pause(t->conn);
}

void h1_read_on(struct http_transfer *t)
{
	if (t->conn && t->conn->state != H1_SESSION)
		h1_conn_read_on(t->conn);
	else
		h2_read_on(t);
}

void h1_forget(struct http_transfer *t)
{
	if (t->origin)
		h1_origin_put(t->origin);
	t->origin = NULL;
}

int h1_find_origin(struct http_transfer *t, const struct url *u, const struct http_request *r)
{
	bool is_plain = u->scheme.len == 4; /* nobody to negotiate with: the one that every server knows */
	enum http_version_wish wish =
	    is_plain && r->http_version == HTTP_WISH_2_OR_1_1 ? HTTP_WISH_1_1 : r->http_version;

	t->origin = h1_origin_get(t->client->h1, u, r->tls_no_verify, wish);
	return t->origin ? 0 : -ERR_NO_MEMORY;
}

void h1_attempt_over(struct http_transfer *t)
{
	if (t->conn)
		h1_conn_on_attempt_over(t->conn);
}

/* ---- the epoll set ---- */

int h1_watch(struct h1_conn *c, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	if (c->registered == events)
		return 0;
	if (events == 0) { /* with an empty set epoll would still tell of a hang-up, again and again */
		c->registered = 0;
		return epoll_ctl(c->h1->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL) == 0 ? 0 : -ERR_IO;
	}
	if (epoll_ctl(c->h1->epoll_fd, c->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &e) != 0)
		return -ERR_IO;
	c->registered = events;
	return 0;
}

static void on_epoll(void *arg, unsigned events)
{
	struct h1 *h = arg;
	struct epoll_event ready[EVENTS_PER_TURN];
	int n = epoll_wait(h->epoll_fd, ready, EVENTS_PER_TURN, 0);

	h->turn++;
	for (int i = 0; i < n && !h->client->is_closed;
	     i++) /* one that was closed meanwhile is buried after this turn */
		h1_conn_on_event(ready[i].data.ptr, ready[i].events);
}

/* ---- the tier ---- */

int h1_open(struct http_client *client, struct err *e)
{
	struct h1 *h = alloc_calloc(1, sizeof(*h));

	if (!h)
		return err_set(e, ERR_NO_MEMORY, "no memory for an HTTP client");
	h->client = client;
	h->loop = client->loop;
	for (size_t i = 0; i < H1_ORIGIN_BUCKETS; i++)
		list_init(&h->buckets[i]);
	list_init(&h->busy);
	list_init(&h->idle);
	list_init(&h->names);
	list_init(&h->hungry);
	list_init(&h->dirty);
	list_init(&h->finished);
	loop_timer_init(h->loop, &h->sweep, on_sweep);
	h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	h->watch = h->epoll_fd < 0 ? NULL : loop_fd_open(h->loop, h->epoll_fd, on_epoll, h, e);
	if (!h->watch || loop_fd_want(h->watch, LOOP_READ) != 0) {
		loop_fd_close(h->watch);
		if (h->epoll_fd >= 0)
			(void)close(h->epoll_fd);
		free(h);
		return err_set(e, ERR_IO, "cannot watch an epoll set");
	}
	client->h1 = h;
	return 0;
}

void h1_close(struct http_client *client)
{
	struct h1 *h = client->h1;

	if (!h)
		return;
	while (!list_is_empty(&h->busy))
		h1_conn_close(LIST_ENTRY(h->busy.next, struct h1_conn, link));
	while (!list_is_empty(&h->idle))
		h1_conn_close(LIST_ENTRY(h->idle.next, struct h1_conn, age));
	h1_names_close(h);
	loop_timer_stop(&h->sweep);
	loop_fd_close(h->watch);
}

void h1_bury(struct http_client *client)
{
	struct h1 *h = client->h1;

	if (!h)
		return;
	forget_unused(h);
	h1_tls_free(h);
	(void)close(h->epoll_fd);
	free(h);
}
