/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 on connections. A transfer that may be HTTP/2 waits in its origin's queue until a session has room.
 *
 *        h2_begin           serve(): a session has room                      its stream ends
 *   ----> queue ------------------------------------------> session's streams ---------------> finished ----> delivered
 *           | ^                                                  |   |                             (at the end of the
 * turn) | +--- not a byte of it has left, connection over ---+   | HTTP_1_1_REQUIRED | no room: the first in the queue
 * opens a connection     | |         (at most one at a time, H2_SESSIONS in all)    |
 *           +--> RESOLVING ... GREETING --> SESSION                  +--> HTTP/1.1
 *                                  +------> HTTP/1.1 was chosen: all of the queue goes that way
 *
 *   GREETING   our preface and SETTINGS are out, the server's SETTINGS are awaited: nothing of a request leaves before
 * we know that HTTP/2 is spoken and how many streams may be opened SESSION    streams, or none: then it idles with the
 * others, and still answers PING and SETTINGS
 *
 * Nothing is delivered in the middle of a session: transfers whose fate is known are gathered and delivered at the end
 * of the turn, when no session is being worked on, and their callbacks may do as they like.
 */
#include "http/h2_int.h"
#include "base/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

static bool session_flush(struct h1_conn *c);

/* ---- who waits ---- */

bool h2_is_wanted(const struct h1_origin *o)
{
	return h1_origin_may_h2(o) && !o->speaks_1_1;
}

static void look_after(struct h1 *h, struct h1_origin *o)
{
	if (list_is_empty(&o->look))
		list_add_last(&h->hungry, &o->look);
	loop_soon(h->loop, &h->client->soon);
}

static void mark_dirty(struct h1_conn *c)
{
	if (list_is_empty(&c->h2->dirty))
		list_add_last(&c->h1->dirty, &c->h2->dirty);
	loop_soon(c->h1->loop, &c->h1->client->soon);
}

static void wait_in_queue(struct http_transfer *t, bool is_first)
{
	struct list *queue = &t->origin->queue;

	list_remove(&t->h2.link);
	list_add_last(is_first ? queue->next : queue, &t->h2.link);
	look_after(t->client->h1, t->origin);
}

/* The first of those who wait goes on to open the connection that all of them need. */
static void open_connection(struct http_transfer *t)
{
	struct h1_conn *c = h1_conn_new(t);

	list_remove(&t->h2.link);
	if (!c) {
		transfer_fail(t, HTTP_ERROR_INTERNAL, HTTP_NOT_SENT, "out of memory");
		transfer_deliver(t, t->refusal, t->why.msg);
		return;
	}
	c->is_opening = true;
	c->origin->n_opening++;
	h1_conn_open(c);
}

void h2_begin(struct http_transfer *t)
{
	if (t->wants_fresh && t->h2.moves == 0)
		open_connection(t);
	else
		wait_in_queue(t, false);
}

static void opening_is_over(struct h1_conn *c)
{
	if (!c->is_opening)
		return;
	c->is_opening = false;
	c->origin->n_opening--;
	if (!list_is_empty(&c->origin->queue))
		look_after(c->h1, c->origin);
}

/* ---- the end of a transfer ---- */

static void finish(struct http_transfer *t)
{
	struct h1 *h = t->client->h1;

	t->conn = NULL;
	t->marks.total = h1_since_start(t);
	loop_timer_stop(&t->deadline); /* the outcome is known: no deadline may come between */
	list_remove(&t->h2.link);
	list_add_last(&h->finished, &t->h2.link);
	loop_soon(h->loop, &h->client->soon);
}

/* Nothing of it has left: elsewhere, at the head of the queue. But not for ever, should the server close them all. */
static void move_on(struct http_transfer *t, bool to_1_1)
{
	t->conn = NULL;
	t->marks.sent = 0;
	if (to_1_1)
		t->origin->needs_1_1 = true;
	if (t->h2.moves++ < H2_MOVES) {
		wait_in_queue(t, true);
		return;
	}
	transfer_fail(t, HTTP_ERROR_CONNECTION_LOST, HTTP_NOT_SENT,
		      "the server closed %d connections without taking a byte of the request", H2_MOVES + 1);
	finish(t);
}

static void collect(struct h2 *s)
{
	struct list *node;

	while ((node = list_first(&s->ended))) {
		struct http_transfer *t = LIST_ENTRY(node, struct http_transfer, h2.link);
		list_remove(node);
		if (t->h2.fate == H2_FATE_AGAIN || t->h2.fate == H2_FATE_AGAIN_1_1)
			move_on(t, t->h2.fate == H2_FATE_AGAIN_1_1);
		else
			finish(t);
	}
}

void h2_drop(struct http_transfer *t)
{
	if (!t->conn) {
		list_remove(&t->h2.link); /* from the queue, or from those to be delivered */
		return;
	}
	h2_session_drop(t->conn->h2, t);
	mark_dirty(t->conn);
	t->conn = NULL;
}

void h2_read_on(struct http_transfer *t)
{
	if (!t->conn)
		return;
	h2_session_read_on(t->conn->h2, t);
	mark_dirty(t->conn);
}

/* Those that take new streams; one that is going may be long about it. */
static unsigned count_sessions(const struct h1_origin *o)
{
	unsigned n = 0;

	LIST_FOREACH (node, &o->sessions)
		n += !LIST_ENTRY(node, struct h2, member)->is_going;
	return n;
}

void h2_share_refusal(struct h1_conn *c)
{
	const struct http_transfer *first = c->t;
	enum http_error error = first->refusal.error;
	bool is_of_time = error == HTTP_ERROR_CONNECT_TIMEOUT || error == HTTP_ERROR_DNS_TEMPORARY;

	if (count_sessions(c->origin) > 0 || error == HTTP_ERROR_INTERNAL || first->refusal.certainty != HTTP_NOT_SENT)
		return;
	LIST_FOREACH (node, &c->origin->queue) {
		struct http_transfer *t = LIST_ENTRY(node, struct http_transfer, h2.link);
		if (is_of_time && t->connect_timeout > first->connect_timeout)
			continue; /* it has more patience */
		transfer_fail(t, error, HTTP_NOT_SENT, "%s", first->why.msg);
		finish(t);
	}
}

/* ---- a session's connection ---- */

/* The connection is over for this reason. In GREETING somebody waits for it; nothing of theirs was sent. */
static void session_over(struct h1_conn *c, enum http_error error, const char *why)
{
	struct h2 *s = c->h2;

	if (c->t) {
		struct http_transfer *t = c->t;
		bool is_calm = s->is_going && s->going_code == H2_ENHANCE_YOUR_CALM;
		transfer_fail(t, is_calm ? HTTP_ERROR_ENHANCE_YOUR_CALM : error, HTTP_NOT_SENT, "%s", why);
		if (c->is_opening)
			h2_share_refusal(c);
		finish(t);
		c->t = NULL;
	}
	h2_session_end(s, error, why);
	collect(s);
	h1_conn_close(c);
}

static void note_idle(struct h1_conn *c)
{
	bool is_idle = c->state == H1_SESSION && list_is_empty(&c->h2->streams);

	if (is_idle && c->h2->is_going)
		h1_conn_close(c);
	else if (is_idle && list_is_empty(&c->age))
		h1_idle_note(c);
}

/* False = closed. */
static bool stream_start(struct h1_conn *c, struct http_transfer *t)
{
	int code;

	if (!list_is_empty(&c->age)) {
		list_remove(&c->age);
		c->h1->n_idle--;
	}
	t->port = c->origin->port;
	memcpy(t->ip, c->ip, sizeof(t->ip));
	code = h2_session_submit(c->h2, t);
	if (code == 0) {
		t->conn = c;
	} else if (code == -ERR_LIMIT) {
		wait_in_queue(t, true);
	} else {
		transfer_fail(t, HTTP_ERROR_INTERNAL, HTTP_NOT_SENT, "out of memory");
		finish(t);
	}
	mark_dirty(c);
	return code == 0;
}

static void greeted_with_goodbye(struct h1_conn *c, struct http_transfer *t)
{
	if (c->h2->going_code != H2_ENHANCE_YOUR_CALM) {
		move_on(t, c->h2->going_code == H2_HTTP_1_1_REQUIRED);
		return;
	}
	transfer_fail(t, HTTP_ERROR_ENHANCE_YOUR_CALM, HTTP_NOT_SENT,
		      "the server wants fewer calls (ENHANCE_YOUR_CALM)");
	finish(t);
}

/* The server's first word is here. */
static void session_begins(struct h1_conn *c)
{
	struct http_transfer *t = c->t;

	c->t = NULL;
	t->conn = NULL;
	t->attempt_by = 0;
	h1_conn_greet(c, true);
	c->origin->speaks_1_1 = false;
	list_add_last(&c->origin->sessions, &c->h2->member);
	opening_is_over(c);
	if (h2_session_room(c->h2) > 0)
		(void)stream_start(c, t);
	else if (c->h2->is_going)
		greeted_with_goodbye(c, t);
	else
		wait_in_queue(t, true);
}

/* What is there to be read. False = closed. */
static bool session_read(struct h1_conn *c)
{
	struct h2 *s = c->h2;
	enum h1_end end = H1_END_NONE;

	do {
		ssize_t n = h1_conn_recv(c, c->h1->scratch, H1_SCRATCH_BYTES, &end);
		if (n <= 0)
			break;
		bool is_whole = h2_session_recv(s, str_from(c->h1->scratch, (size_t)n));
		if (is_whole && c->state == H1_GREETING && s->has_settings)
			session_begins(c);
		if (!is_whole) {
			(void)session_flush(c); /* says why, and closes */
			return false;
		}
	} while (c->ssl && h1_tls_has_pending(c));
	if (end != H1_END_NONE) {
		session_over(c, HTTP_ERROR_CONNECTION_LOST,
			     end == H1_END_RESET ? "the connection was reset" : "the server closed the connection");
		return false;
	}
	collect(s);
	return true;
}

/* The socket takes no more: perhaps the server has said why before it closed. */
static bool on_send_failed(struct h1_conn *c)
{
	enum h1_end end = H1_END_NONE;
	ssize_t n;

	while ((n = h1_conn_recv(c, c->h1->scratch, H1_SCRATCH_BYTES, &end)) > 0) {
		if (!h2_session_recv(c->h2, str_from(c->h1->scratch, (size_t)n)))
			break;
	}
	if (c->h2->is_broken)
		session_over(c, c->h2->error, c->h2->why);
	else
		session_over(c, HTTP_ERROR_CONNECTION_LOST, "the connection ended while it was being written to");
	return false;
}

/* Writes what the socket takes. False = closed. */
static bool session_flush(struct h1_conn *c)
{
	struct h2 *s = c->h2;
	uint32_t events = EPOLLIN;
	bool is_whole;

	while ((is_whole = h2_session_fill(s)), s->out.len > 0) {
		size_t before = c->wire_out;
		ssize_t n = h1_conn_send(c, s->out.ptr, s->out.len);
		int why = errno;
		/* a TLS record that went out in part has left a trace of all that is in it */
		h2_session_sent(s, n > 0 ? (size_t)n : 0, n > 0 ? (size_t)n : c->wire_out > before ? s->out.len : 0);
		if (n > 0 || (n < 0 && why == EINTR))
			continue;
		if (n == 0 || why != EAGAIN)
			return on_send_failed(c);
		events |= EPOLLOUT;
		break;
	}
	if (!is_whole) {
		session_over(c, s->error, s->why);
		return false;
	}
	if (h1_watch(c, events) != 0) {
		session_over(c, HTTP_ERROR_INTERNAL, "cannot watch a connection");
		return false;
	}
	collect(s);
	if ((h2_session_room(s) > 0 || s->is_going) && !list_is_empty(&c->origin->queue))
		look_after(c->h1, c->origin); /* there is a place, or room for another connection */
	note_idle(c);
	return c->state != H1_CLOSED;
}

void h2_on_event(struct h1_conn *c, uint32_t events)
{
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !session_read(c))
		return;
	(void)session_flush(c);
}

void h2_greet(struct h1_conn *c)
{
	struct h2 *s = alloc_calloc(1, sizeof(*s));

	if (!s || h2_session_open(s) != 0) {
		if (s)
			h2_session_done(s);
		free(s);
		h1_conn_refuse(c, HTTP_ERROR_INTERNAL, "out of memory");
		return;
	}
	c->h2 = s;
	s->conn = c;
	h1_conn_greet(c, false);
	(void)session_flush(c);
}

void h2_is_not_spoken(struct h1_conn *c)
{
	if (h1_origin_may_h2(c->origin))
		c->origin->speaks_1_1 = true;
	opening_is_over(c);
}

/* A last word where it can be said at once: nobody waits for it. */
static void say_goodbye(struct h1_conn *c)
{
	struct h2 *s = c->h2;

	if (s->is_broken || c->state != H1_SESSION)
		return;
	h2_session_bye(s);
	(void)h2_session_fill(s);
	if (s->out.len > 0)
		(void)h1_conn_send(c, s->out.ptr, s->out.len);
}

void h2_leave(struct h1_conn *c)
{
	struct h2 *s = c->h2;

	opening_is_over(c);
	if (!s)
		return;
	say_goodbye(c);
	LIST_FOREACH (node, &s->streams) {
		struct http_transfer *t = LIST_ENTRY(node, struct http_transfer, h2.link);
		list_remove(node); /* only at the end of the client: they are cancelled */
		t->conn = NULL;
	}
	h2_session_done(s);
	free(s);
	c->h2 = NULL;
}

/* ---- the end of the turn ---- */

static struct h1_conn *find_room(struct h1_origin *o)
{
	LIST_FOREACH (node, &o->sessions) {
		struct h2 *s = LIST_ENTRY(node, struct h2, member);
		if (h2_session_room(s) > 0)
			return s->conn;
	}
	return NULL;
}

/* One that has idled since an earlier look is looked at once more: its end may have come since. */
static struct h1_conn *session_with_room(struct h1_origin *o)
{
	struct h1_conn *c;

	while ((c = find_room(o)) && !list_is_empty(&c->age) && c->idle_turn != c->h1->turn) {
		c->idle_turn = c->h1->turn;
		if (session_read(c))
			mark_dirty(c);
	}
	return c;
}

/* More connections help when those that are there are full, not when the server takes no streams at all. */
static bool may_open(const struct h1_origin *o)
{
	LIST_FOREACH (node, &o->sessions) {
		const struct h2 *s = LIST_ENTRY(node, struct h2, member);
		if (s->limit == 0 && !s->is_going)
			return false;
	}
	return o->n_opening == 0 && count_sessions(o) < H2_SESSIONS;
}

/* Those who wait, in their order, as far as it goes. May deliver. */
static void serve(struct http_client *client, struct h1_origin *o)
{
	struct list *node;

	while (!client->is_closed && (node = list_first(&o->queue))) {
		struct http_transfer *t = LIST_ENTRY(node, struct http_transfer, h2.link);
		struct h1_conn *c = h2_is_wanted(o) ? session_with_room(o) : NULL;
		if (!h2_is_wanted(o)) {
			list_remove(node);
			h1_begin(t);
		} else if (c) {
			list_remove(node);
			if (!stream_start(c, t))
				return;
		} else if (may_open(o)) {
			open_connection(t);
		} else {
			return;
		}
	}
}

void h2_turn(struct http_client *client)
{
	struct h1 *h = client->h1;
	struct list *node;

	if (!h)
		return;
	while (!client->is_closed && (node = list_first(&h->hungry))) {
		struct h1_origin *o = LIST_ENTRY(node, struct h1_origin, look);
		list_remove(node);
		o->refs++;
		serve(client, o);
		h1_origin_put(o);
	}
	while (!client->is_closed && (node = list_first(&h->dirty))) {
		list_remove(node);
		(void)session_flush(LIST_ENTRY(node, struct h2, dirty)->conn);
	}
	while (!client->is_closed && (node = list_first(&h->finished))) {
		struct http_transfer *t = LIST_ENTRY(node, struct http_transfer, h2.link);
		const char *detail;
		list_remove(node);
		struct verdict v = map_result(t, CURLE_OK, &detail);
		transfer_deliver(t, v, detail);
	}
}
