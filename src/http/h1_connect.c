/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a name to a connection that stands: addresses in turn, each with its share of the time, then TLS. The states are
 * h1_conn.c's.
 */
#include "http/h2_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

void h1_conn_close_socket(struct h1_conn *c)
{
	if (c->fd >= 0)
		(void)close(c->fd); /* leaves the epoll set by itself */
	c->fd = -1;
	c->registered = 0;
}

/* The connection stands, TLS included. */
static void begin(struct h1_conn *c, bool is_h2)
{
	const struct h1_origin *o = c->origin;

	if (is_h2) {
		h2_greet(c);
	} else if (o->wish == HTTP_WISH_2 && !o->needs_1_1) {
		h1_conn_refuse(c, HTTP_ERROR_TLS_PROTOCOL, "the server does not speak HTTP/2");
	} else {
		h2_is_not_spoken(c);
		h1_conn_begin(c);
	}
}

static void set_attempt(struct h1_conn *c, msec_t at)
{
	c->t->attempt_by = at;
	if (transfer_arm_deadline(c->t) != 0)
		c->t->attempt_by = 0; /* out of memory: the timer that runs already will do */
}

void h1_conn_shake_hands(struct h1_conn *c)
{
	uint32_t events = EPOLLIN;
	int r = h1_tls_handshake(c, &events);

	if (r < 0) {
		h1_conn_give_up(c);
		return;
	}
	if (r == 0) {
		if (h1_watch(c, events) != 0)
			h1_conn_refuse(c, HTTP_ERROR_INTERNAL, "cannot watch a connection");
		return;
	}
	c->t->marks.tls = h1_since_start(c->t);
	begin(c, h1_tls_is_h2(c));
}

static void on_connected(struct h1_conn *c)
{
	union h1_address *a = &c->addresses[c->next_address - 1];
	const void *ip = a->any.sa_family == AF_INET6 ? (void *)&a->v6.sin6_addr : (void *)&a->v4.sin_addr;
	struct err e = ERR_INIT;

	c->t->marks.connect = h1_since_start(c->t);
	(void)inet_ntop(a->any.sa_family, ip, c->ip, sizeof(c->ip));
	if (!c->origin->is_tls) {
		set_attempt(c, c->connect_by);
		begin(c, h1_origin_may_h2(c->origin));
		return;
	}
	h1_conn_move(c, H1_HANDSHAKE);
	if (h1_tls_open(c, &e) != 0) {
		h1_conn_refuse(c, HTTP_ERROR_INTERNAL, e.msg);
		return;
	}
	set_attempt(c, c->connect_by);
	h1_conn_shake_hands(c);
}

static enum http_error connect_error(const struct h1_conn *c)
{
	if (c->t->is_blocked && c->last_errno == 0)
		return HTTP_ERROR_BLOCKED_ADDRESS;
	if (c->last_errno == ECONNREFUSED)
		return HTTP_ERROR_CONNECT_REFUSED;
	return c->last_errno == ETIMEDOUT ? HTTP_ERROR_CONNECT_TIMEOUT : HTTP_ERROR_CONNECT_FAILED;
}

/* One address. 1 = connected, 0 = on its way, -1 = next one please. */
static int try_address(struct h1_conn *c, union h1_address *a)
{
	const struct http_client_config *config = &c->h1->client->config;
	bool is_v6 = a->any.sa_family == AF_INET6;
	int on = 1;

	if (is_v6)
		a->v6.sin6_port = htons(c->origin->port);
	else
		a->v4.sin_port = htons(c->origin->port);
	if (config->may_connect && !config->may_connect(config->may_connect_arg, a)) {
		c->t->is_blocked = true;
		return -1;
	}
	c->fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd >= 0) {
		(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (connect(c->fd, &a->any, is_v6 ? sizeof(a->v6) : sizeof(a->v4)) == 0)
			return 1;
		if (errno == EINPROGRESS && h1_watch(c, EPOLLOUT) == 0)
			return 0;
	}
	c->last_errno = errno ? errno : EIO;
	h1_conn_close_socket(c);
	return -1;
}

static void connect_next(struct h1_conn *c)
{
	while (c->next_address < c->n_addresses) {
		int r = try_address(c, &c->addresses[c->next_address++]);
		if (r < 0)
			continue;
		if (r > 0) {
			on_connected(c);
			return;
		}
		/* what time is left is shared among the addresses that are left, this one included */
		msec_t now = loop_now(c->h1->loop);
		msec_t left = c->connect_by > now ? c->connect_by - now : 0;
		set_attempt(c, now + left / (msec_t)(c->n_addresses - c->next_address + 1));
		return;
	}
	enum http_error error = connect_error(c);
	if (error == HTTP_ERROR_BLOCKED_ADDRESS) {
		h1_conn_refuse(c, error, "the address is not allowed"); /* and nothing about what answers there */
	} else {
		transfer_fail(c->t, error, HTTP_NOT_SENT, "cannot connect to %s port %u: %s", c->origin->host,
			      c->origin->port, strerror(c->last_errno ? c->last_errno : EADDRNOTAVAIL));
		h1_conn_give_up(c);
	}
}

void h1_conn_on_connect_event(struct h1_conn *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error == 0) {
		on_connected(c);
		return;
	}
	c->last_errno = error;
	h1_conn_close_socket(c);
	connect_next(c);
}

void h1_conn_on_attempt_over(struct h1_conn *c)
{
	c->t->attempt_by = 0;
	if (c->state == H1_RESOLVING) {
		h1_conn_refuse(c, HTTP_ERROR_DNS_TEMPORARY, "the name was not resolved within the connect timeout");
	} else if (c->state == H1_CONNECTING && c->next_address < c->n_addresses) {
		c->last_errno = ETIMEDOUT;
		h1_conn_close_socket(c);
		connect_next(c);
	} else if (c->state == H1_CONNECTING) {
		h1_conn_refuse(c, HTTP_ERROR_CONNECT_TIMEOUT, "no connection within the connect timeout");
	} else if (c->state == H1_HANDSHAKE) {
		h1_conn_refuse(c, HTTP_ERROR_CONNECT_TIMEOUT, "no TLS handshake within the connect timeout");
	} else if (c->state == H1_GREETING) {
		h1_conn_refuse(c, HTTP_ERROR_CONNECT_TIMEOUT, "no word of HTTP/2 within the connect timeout");
	}
}

void h1_conn_on_resolved(struct h1_conn *c, int code)
{
	c->t->marks.dns = h1_since_start(c->t);
	if (code) {
		h1_conn_refuse(c, (enum http_error)code,
			       code == HTTP_ERROR_DNS_NOT_FOUND ? "the name does not exist"
								: "the name cannot be resolved just now");
		return;
	}
	h1_conn_move(c, H1_CONNECTING);
	connect_next(c);
}

void h1_conn_open(struct h1_conn *c)
{
	c->connect_by = loop_now(c->h1->loop) + c->t->connect_timeout;
	if (c->origin->is_literal) {
		c->addresses[0] = c->origin->literal;
		c->n_addresses = 1;
		h1_conn_move(c, H1_CONNECTING);
		connect_next(c);
		return;
	}
	int r = h1_resolve(c);
	if (r > 0)
		h1_conn_on_resolved(c, 0);
	else if (r < 0)
		h1_conn_refuse(c, HTTP_ERROR_DNS_TEMPORARY, "too many names wait for the resolver");
	else
		set_attempt(c, c->connect_by);
}
