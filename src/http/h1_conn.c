/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection, from a name to its grave.
 *
 *   RESOLVING --> CONNECTING --> HANDSHAKE --> SENDING --> RECEIVING --> IDLE
 *      |     addresses |  ^  |      |    plain: ^  ^  |         |          | |
 *      |               +--+  +------|-----------+  |  |         |          | +-- next request: back to SENDING
 *      |           next address     |              |  |         |          |
 *      +--------------+-------------+--------------+--+---------+----------+---> CLOSED (memory goes at the end of the
 * turn)
 *
 *   RESOLVING   waits for h1_dns.c (skipped when the host is an address or remembered)
 *   CONNECTING  one socket, the next address when it fails or its share of the connect timeout is over
 *   HANDSHAKE   TLS; name and certificate are checked inside
 *   SENDING     part of the request is still here; an answer that comes early counts, but ends the connection
 *   RECEIVING   the request is out; bytes go through h1_parse.c
 *   IDLE        clean, registered for reading: whatever arrives now (an end, bytes nobody asked for) closes it
 *
 * Where HTTP/2 was agreed on, CONNECTING (plain) or HANDSHAKE is followed by GREETING and SESSION: h2_conn.c.
 *
 * A transfer has the connection from RESOLVING to the end of the answer, and nobody else. Before a transfer is
 * delivered the connection has gone to IDLE or CLOSED, and after it nothing here is touched: the callback may have
 * freed it all.
 */
#include "http/h2_int.h"
#include "base/alloc.h"
#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define IN_MAX_BYTES                                                                                                   \
	(HEADER_FIELD_MAX_BYTES + H1_SCRATCH_BYTES) /* one line that is not whole, and what was read with it */
#define IN_KEPT_BYTES 4096u

static const uint16_t may_follow[] = {
	[H1_RESOLVING] = BIT(H1_CONNECTING) | BIT(H1_CLOSED),
	[H1_CONNECTING] = BIT(H1_CONNECTING) | BIT(H1_HANDSHAKE) | BIT(H1_SENDING) | BIT(H1_GREETING) | BIT(H1_CLOSED),
	[H1_HANDSHAKE] = BIT(H1_SENDING) | BIT(H1_GREETING) | BIT(H1_CLOSED),
	[H1_SENDING] = BIT(H1_RECEIVING) | BIT(H1_CLOSED),
	[H1_RECEIVING] = BIT(H1_IDLE) | BIT(H1_CLOSED),
	[H1_IDLE] = BIT(H1_SENDING) | BIT(H1_CLOSED),
	[H1_GREETING] = BIT(H1_SESSION) | BIT(H1_CLOSED),
	[H1_SESSION] = BIT(H1_CLOSED),
	[H1_CLOSED] = 0,
};

/* The only writer of c->state. */
void h1_conn_move(struct h1_conn *c, enum h1_state to)
{
	bool is_drawn = may_follow[c->state] & BIT(to);

	assert(is_drawn);
	(void)is_drawn;
	c->state = to;
}

uint32_t h1_since_start(const struct http_transfer *t)
{
	uint64_t us = (clock_mono_ns() - t->started_ns) / 1000;

	return us == 0 ? 1 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

/* ---- the end of a transfer ---- */

/* The transfer leaves; the connection is not to be used again. */
void h1_conn_give_up(struct h1_conn *c)
{
	struct http_transfer *t = c->t;

	t->marks.total = h1_since_start(t);
	if (c->is_opening)
		h2_share_refusal(c);
	h1_conn_close(c);
	transfer_deliver(t, t->refusal, t->why.msg);
}

void h1_conn_refuse(struct h1_conn *c, enum http_error error, const char *why)
{
	transfer_fail(c->t, error, c->t->prereqs ? HTTP_AMBIGUOUS : HTTP_NOT_SENT, "%s", why);
	h1_conn_give_up(c);
}

/* HTTP/1.1 stays open unless told, 1.0 closes unless told (RFC 9112 9.3); anything odd closes. */
static bool may_keep(struct h1_conn *c, bool has_leftover)
{
	const struct http_transfer *t = c->t;
	bool is_10 = t->http_version.len == 3 && t->http_version.ptr[2] == '0';

	if (c->state != H1_RECEIVING || has_leftover || t->forbids_reuse || t->says_close)
		return false;
	if (is_10 && (!t->says_keep_alive || t->has_coding_chunked))
		return false;
	return !c->ssl || !h1_tls_has_pending(c);
}

static void finish(struct h1_conn *c, bool may_be_kept)
{
	struct http_transfer *t = c->t;
	const char *detail;
	struct verdict v = map_result(t, CURLE_OK, &detail);

	t->marks.total = h1_since_start(t);
	if (!may_be_kept || v.error != HTTP_ERROR_NONE) {
		h1_conn_close(c);
	} else {
		c->answers++;
		c->stale_after = t->keep_alive;
		c->t = NULL;
		t->conn = NULL;
		if (c->in.cap > IN_KEPT_BYTES)
			buf_done(&c->in);
		h1_conn_move(c, H1_IDLE);
		h1_idle_add(c);
	}
	transfer_deliver(t, v, detail);
}

/* ---- reading ---- */

/* True = go on: the answer is not complete and the connection still ours. */
static bool on_bytes(struct h1_conn *c, struct str bytes)
{
	struct http_transfer *t = c->t;
	bool is_kept = c->in.len > 0;
	size_t used = 0;

	if (t->arrived == 0)
		t->marks.first_byte = h1_since_start(t);
	t->arrived += bytes.len;
	if (is_kept && buf_append(&c->in, bytes.ptr, bytes.len) != 0)
		goto no_memory;
	if (is_kept)
		bytes = buf_str(&c->in);
	enum h1_parsed r = h1_parse(&t->parser, t, bytes, &used);
	if (r == H1_FAILED) {
		h1_conn_give_up(c);
		return false;
	}
	if (r == H1_DONE) {
		bool has_leftover = used < bytes.len;
		buf_clear(&c->in);
		finish(c, may_keep(c, has_leftover));
		return false;
	}
	if (is_kept)
		buf_consume(&c->in, used);
	else if (used < bytes.len && buf_append(&c->in, bytes.ptr + used, bytes.len - used) != 0)
		goto no_memory;
	return true;
no_memory:
	h1_conn_refuse(c, HTTP_ERROR_INTERNAL, "out of memory");
	return false;
}

static void take_another(struct h1_conn *c)
{
	struct http_transfer *t = c->t;

	h1_conn_close(c);
	h1_begin(t);
}

static void on_end(struct h1_conn *c, enum h1_end end)
{
	struct http_transfer *t = c->t;
	bool has_failed_to_send = c->has_send_failed || (c->state == H1_SENDING && t->sent > 0);

	if (t->arrived > 0) {
		if (h1_parse_end(&t->parser, t, end == H1_END_RESET, end == H1_END_CUT) == H1_DONE)
			finish(c, false);
		else
			h1_conn_give_up(c);
	} else if (has_failed_to_send) {
		h1_conn_refuse(c, HTTP_ERROR_SEND_FAILED, "the connection ended while the request was being sent");
	} else if (!t->prereqs && c->answers > 0) {
		take_another(c); /* a kept connection that took not a byte: nothing was sent */
	} else if (c->answers > 0) {
		h1_conn_refuse(c, HTTP_ERROR_CONNECTION_LOST,
			       "the server closed a kept connection instead of answering");
	} else {
		h1_conn_refuse(c, HTTP_ERROR_CONNECTION_LOST,
			       end == H1_END_RESET ? "the connection was reset before an answer"
						   : "the connection ended before an answer");
	}
}

static ssize_t read_plain(struct h1_conn *c, char *to, size_t n, enum h1_end *ret_end)
{
	ssize_t got = recv(c->fd, to, n, MSG_DONTWAIT);

	*ret_end = H1_END_NONE;
	if (got > 0)
		return got;
	if (got == 0)
		*ret_end = H1_END_CLEAN;
	else if (errno != EAGAIN && errno != EINTR)
		*ret_end = H1_END_RESET;
	return 0;
}

ssize_t h1_conn_recv(struct h1_conn *c, char *to, size_t n, enum h1_end *ret_end)
{
	return c->ssl ? h1_tls_read(c, to, n, ret_end) : read_plain(c, to, n, ret_end);
}

static void conn_read(struct h1_conn *c)
{
	char *scratch = c->h1->scratch;
	enum h1_end end;

	while (!c->t->is_paused) {
		ssize_t n = h1_conn_recv(c, scratch, H1_SCRATCH_BYTES, &end);
		if (n <= 0) {
			if (end != H1_END_NONE)
				on_end(c, end);
			return;
		}
		/* what TLS has taken off the socket no event will tell of again */
		if (!on_bytes(c, str_from(scratch, (size_t)n)) || !c->ssl || !h1_tls_has_pending(c))
			return;
	}
}

/* ---- sending ---- */

/* A body in pieces, after the head: from memory, or from a file by way of the scratch. -2: a file failed, the refusal
 * says so. */
static ssize_t write_piece(struct h1_conn *c, uint64_t at)
{
	struct str bytes;

	if (transfer_body_view(c->t, at, c->h1->scratch, H1_SCRATCH_BYTES, &bytes) != 0)
		return -2;
	if (c->ssl)
		return h1_tls_write(c, bytes.ptr, bytes.len);
	ssize_t n = send(c->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0)
		c->wire_out += (size_t)n;
	return n;
}

/* Head and body from t->sent on, in one go; as send(). */
static ssize_t write_some(struct h1_conn *c)
{
	struct http_transfer *t = c->t;
	struct str head = buf_str(&t->head_out);
	size_t at = t->sent;
	struct iovec v[2];
	struct msghdr m = { .msg_iov = v };

	if (t->n_pieces && at >= head.len)
		return write_piece(c, at - head.len);
	if (at < head.len)
		v[m.msg_iovlen++] = (struct iovec){ (char *)(uintptr_t)head.ptr + at, head.len - at };
	at = at > head.len ? at - head.len : 0;
	if (at < t->body_out.len)
		v[m.msg_iovlen++] = (struct iovec){ (char *)(uintptr_t)t->body_out.ptr + at, t->body_out.len - at };
	if (c->ssl)
		return h1_tls_write(c, v[0].iov_base, v[0].iov_len);
	ssize_t n = m.msg_iovlen == 1 ? send(c->fd, v[0].iov_base, v[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT)
				      : sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0)
		c->wire_out += (size_t)n;
	return n;
}

ssize_t h1_conn_send(struct h1_conn *c, const char *bytes, size_t n)
{
	if (c->ssl)
		return h1_tls_write(c, bytes, n);
	ssize_t sent = send(c->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent > 0)
		c->wire_out += (size_t)sent;
	return sent;
}

/* Part of the request is out and no more will go: perhaps the server has said why (413) before it closed. */
static void on_send_failed(struct h1_conn *c)
{
	struct http_transfer *t = c->t;

	if (!t->prereqs && c->answers > 0) {
		take_another(c);
		return;
	}
	if (!t->prereqs) {
		h1_conn_refuse(c, HTTP_ERROR_SEND_FAILED, "the request could not be sent");
		return;
	}
	c->has_send_failed = true;
	t->forbids_reuse = true;
	h1_conn_move(c, H1_RECEIVING);
	if (h1_watch(c, EPOLLIN) != 0)
		h1_conn_refuse(c, HTTP_ERROR_INTERNAL, "cannot watch a connection");
	else
		conn_read(c);
}

static void conn_send(struct h1_conn *c)
{
	struct http_transfer *t = c->t;
	uint64_t total = t->head_out.len + t->body_out.len + t->pieces_len;

	while (t->sent < total) {
		ssize_t n = write_some(c);
		int why = errno;
		t->prereqs = c->wire_out > c->wire_mark;
		if (n > 0) {
			t->sent += (size_t)n;
		} else if (n == -2) {
			h1_conn_give_up(c);
			return;
		} else if (n < 0 && why == EAGAIN) {
			if (h1_watch(c, (t->is_paused ? 0 : EPOLLIN) | EPOLLOUT) != 0)
				h1_conn_refuse(c, HTTP_ERROR_INTERNAL, "cannot watch a connection");
			return;
		} else if (n == 0 || why != EINTR) {
			on_send_failed(c);
			return;
		}
	}
	t->marks.sent = h1_since_start(t);
	h1_conn_move(c, H1_RECEIVING);
	if (h1_watch(c, t->is_paused ? 0 : EPOLLIN) != 0)
		h1_conn_refuse(c, HTTP_ERROR_INTERNAL, "cannot watch a connection");
}

void h1_conn_begin(struct h1_conn *c)
{
	struct http_transfer *t = c->t;

	t->attempt_by = 0;
	t->parser = (struct h1_parser){ 0 };
	t->sent = 0;
	t->port = c->origin->port;
	memcpy(t->ip, c->ip, sizeof(t->ip));
	c->wire_mark = c->wire_out;
	h1_conn_move(c, H1_SENDING);
	conn_send(c);
}

void h1_conn_reuse(struct h1_conn *c, struct http_transfer *t)
{
	c->t = t;
	t->conn = c;
	h1_conn_begin(c);
}

/* ---- pauses ---- */

void h1_conn_pause(struct h1_conn *c)
{
	(void)h1_watch(c, c->registered & ~(uint32_t)EPOLLIN); /* events of this turn find the transfer paused */
}

void h1_conn_read_on(struct h1_conn *c)
{
	if (h1_watch(c, c->registered | EPOLLIN) != 0)
		h1_conn_refuse(c, HTTP_ERROR_INTERNAL, "cannot watch a connection");
	else if (c->t->refusal.error != HTTP_ERROR_NONE)
		h1_conn_give_up(c);
	else if (c->state == H1_RECEIVING || c->state == H1_SENDING)
		conn_read(c); /* what TLS holds already no event will tell of */
}

/* ---- events, birth and death ---- */

bool h1_conn_is_clean(struct h1_conn *c)
{
	char byte;
	enum h1_end end = H1_END_NONE;

	if (c->ssl) /* session tickets may come at any time, and are taken in here */
		return h1_tls_read(c, &byte, 1, &end) == 0 && end == H1_END_NONE;
	return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void h1_conn_on_event(struct h1_conn *c, uint32_t events)
{
	switch (c->state) {
	case H1_CONNECTING:
		h1_conn_on_connect_event(c);
		break;
	case H1_HANDSHAKE:
		h1_conn_shake_hands(c);
		break;
	case H1_SENDING:
		if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			conn_read(c);
		if (c->state == H1_SENDING && events & EPOLLOUT)
			conn_send(c);
		break;
	case H1_RECEIVING:
		conn_read(c);
		break;
	case H1_IDLE:
		if (!h1_conn_is_clean(c))
			h1_conn_close(c);
		break;
	case H1_GREETING:
	case H1_SESSION:
		h2_on_event(c, events);
		break;
	default:
		break;
	}
}

void h1_conn_greet(struct h1_conn *c, bool is_over)
{
	h1_conn_move(c, is_over ? H1_SESSION : H1_GREETING);
}

struct h1_conn *h1_conn_new(struct http_transfer *t)
{
	struct h1_conn *c = alloc_calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->h1 = t->client->h1;
	c->origin = t->origin;
	c->origin->refs++;
	c->t = t;
	c->fd = -1;
	t->conn = c;
	buf_init(&c->in, IN_MAX_BYTES);
	list_init(&c->link);
	list_init(&c->age);
	list_init(&c->name);
	list_add_last(&c->h1->busy, &c->link);
	return c;
}

void h1_conn_close(struct h1_conn *c)
{
	if (!list_is_empty(&c->age))
		c->h1->n_idle--;
	h2_leave(c);
	if (c->t)
		c->t->conn = NULL;
	c->t = NULL;
	list_remove(&c->link);
	list_remove(&c->age);
	list_remove(&c->name);
	h1_tls_close(c);
	h1_conn_close_socket(c);
	buf_done(&c->in);
	h1_conn_move(c, H1_CLOSED);
	h1_origin_put(c->origin);
	c->origin = NULL;
	loop_free_later(c->h1->loop, c, free);
}
