/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmicrohttpd on our loop: its epoll descriptor is one descriptor of ours, its next timeout one timer. Its own
 * threads are never used (0.9.75 stalls in that mode when exactly 128 events are ready).
 */
#include "http/server_int.h"
#include "base/alloc.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_BODY ((size_t)16 << 20)
#define MAX_CONNECTIONS 1024
#define IDLE_TIMEOUT 60000     /* ms */
#define HEAD_BYTES (32u << 10) /* memory of one connection: request line and fields must fit (else 414, 431) */
#define BACKLOG 1024
#define SWEEP_EVERY 5000	   /* ms */
#define SLOW_GRACE 30000	   /* ms that any head, body or answer may take ... */
#define SLOW_BYTES_PER_SECOND 1024 /* ... and beyond that, a body or answer must go on at this pace */
#define RUNS_PER_TURN 8		   /* libmicrohttpd says "again, now": so often, then others get a turn */

/* ---- running the daemon ---- */

static void run(struct http_server *s)
{
	MHD_UNSIGNED_LONG_LONG wait = 0;
	enum MHD_Result has_timeout = MHD_NO;

	s->is_running = true;
	for (int i = 0; i < RUNS_PER_TURN && !s->is_closed; i++) {
		(void)MHD_run(s->daemon);
		has_timeout = MHD_get_timeout(s->daemon, &wait);
		if (has_timeout != MHD_YES || wait > 0)
			break;
	}
	s->is_running = false;
	if (s->is_closed)
		return;
	if (has_timeout == MHD_YES)
		(void)loop_timer_start(&s->timer, (msec_t)wait);
	else
		loop_timer_stop(&s->timer);
}

static void on_daemon_fd(void *arg, unsigned events)
{
	(void)events;
	run(arg);
}

static void on_timer(struct loop_timer *timer)
{
	run(CONTAINER_OF(timer, struct http_server, timer));
}

static void on_soon(struct loop_soon *soon)
{
	run(CONTAINER_OF(soon, struct http_server, soon));
}

/* ---- connections ---- */

static void on_connection(void *arg, struct MHD_Connection *connection, void **slot,
			  enum MHD_ConnectionNotificationCode what)
{
	struct http_server *s = arg;
	struct peer *p = *slot;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (p) {
			list_remove(&p->link);
			free(p);
		}
		*slot = NULL;
		return;
	}
	const union MHD_ConnectionInfo *about = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	p = alloc_calloc(1, sizeof(*p));
	if (!p || !about) {
		free(p);
		return; /* it is served without a clock; memory will end it soon enough */
	}
	p->server = s;
	p->fd = about->connect_fd;
	p->since = loop_now(s->loop);
	list_add_last(&s->peers, &p->link);
	*slot = p;
	if (!loop_timer_is_running(&s->sweep))
		(void)loop_timer_start(&s->sweep, SWEEP_EVERY);
}

/*
 * libmicrohttpd's timeout starts anew with each byte, so a client that sends one now and then would stay for ever. A
 * connection that waits for a head longer than idling and the grace together is such a one; bodies and answers have a
 * pace to keep.
 */
static bool is_too_slow(const struct http_server *s, const struct peer *p, msec_t now)
{
	msec_t took = now - p->since;

	if (p->is_busy)
		return false;
	if (!p->has_head)
		return took > s->config.idle_timeout + SLOW_GRACE;
	return took > SLOW_GRACE + (msec_t)(p->bytes * 1000 / SLOW_BYTES_PER_SECOND);
}

static void on_sweep(struct loop_timer *timer)
{
	struct http_server *s = CONTAINER_OF(timer, struct http_server, sweep);
	msec_t now = loop_now(s->loop);

	LIST_FOREACH (it, &s->peers) {
		struct peer *p = LIST_ENTRY(it, struct peer, link);
		if (is_too_slow(s, p, now))
			(void)shutdown(p->fd, SHUT_RDWR); /* libmicrohttpd finds the end and tidies up */
	}
	if (!list_is_empty(&s->peers))
		(void)loop_timer_start(timer, SWEEP_EVERY);
}

/* ---- opening ---- */

static int listen_on(struct http_server *s, struct err *e)
{
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
	socklen_t len = sizeof(*v4);
	const char *text = s->config.address ? s->config.address : "127.0.0.1";
	int on = 1;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(s->config.port);
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(s->config.port);
		len = sizeof(*v6);
	} else {
		return err_set(e, ERR_INVALID, "listen address '%s' is no IP address; write 127.0.0.1 or ::1", text);
	}
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(e, "cannot listen on %s", text);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, BACKLOG) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
		int code = err_errno(e, "cannot listen on %s port %u", text, (unsigned)s->config.port);
		(void)close(fd);
		return code;
	}
	s->port = ntohs(address.ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port);
	return fd;
}

/* Parameters are ours to take apart: leave them as they came. */
static size_t keep_escapes(void *arg, struct MHD_Connection *connection, char *text)
{
	(void)arg;
	(void)connection;
	return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void on_log(void *arg, const char *fmt, va_list ap)
{
	char line[512];

	(void)arg;
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = 0;
	log_debug(NULL, "http server: %s", line);
}

static struct MHD_Daemon *start_daemon(struct http_server *s, int fd)
{
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO | MHD_USE_ERROR_LOG;

	if (s->config.address && strchr(s->config.address, ':'))
		flags |= MHD_USE_IPv6;
	return MHD_start_daemon(flags, 0, NULL, NULL, exchange_on_access, s, /**/
				MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,    /* first: see its manual */
				MHD_OPTION_LISTEN_SOCKET, fd,		     /**/
				MHD_OPTION_CONNECTION_LIMIT, (unsigned)s->config.max_connections,		  /**/
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_BYTES,				  /**/
				MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)((s->config.idle_timeout + 999) / 1000), /**/
				MHD_OPTION_STRICT_FOR_CLIENT, 1,						  /**/
				MHD_OPTION_URI_LOG_CALLBACK, exchange_on_uri, s,				  /**/
				MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,				  /**/
				MHD_OPTION_NOTIFY_COMPLETED, exchange_on_completed, s,				  /**/
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,					  /**/
				MHD_OPTION_END);
}

static void apply_defaults(struct http_server_config *c)
{
	if (c->max_body == 0)
		c->max_body = MAX_BODY;
	if (c->max_connections == 0)
		c->max_connections = MAX_CONNECTIONS;
	if (c->idle_timeout <= 0)
		c->idle_timeout = IDLE_TIMEOUT;
}

int http_server_open(struct http_server **ret, struct loop *l, const struct http_server_config *config, struct err *e)
{
	struct http_server *s = alloc_calloc(1, sizeof(*s));
	if (!s)
		return err_set(e, ERR_NO_MEMORY, "no memory for an HTTP server");
	s->loop = l;
	s->config = *config;
	apply_defaults(&s->config);
	list_init(&s->peers);
	list_init(&s->exchanges);
	list_init(&s->pool);
	loop_timer_init(l, &s->timer, on_timer);
	loop_timer_init(l, &s->sweep, on_sweep);
	loop_soon_init(&s->soon, on_soon);
	int fd = listen_on(s, e);
	if (fd < 0) {
		free(s);
		return fd;
	}
	s->daemon = start_daemon(s, fd);
	if (!s->daemon) {
		(void)close(fd);
		free(s);
		return err_set(e, ERR_IO, "cannot start an HTTP server");
	}
	const union MHD_DaemonInfo *about = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	s->watch = about ? loop_fd_open(l, about->epoll_fd, on_daemon_fd, s, e) : NULL;
	if (!s->watch || loop_fd_want(s->watch, LOOP_READ) != 0) {
		loop_fd_close(s->watch);
		MHD_stop_daemon(s->daemon);
		free(s);
		return err_set(e, ERR_IO, "cannot watch an HTTP server");
	}
	*ret = s;
	return 0;
}

uint16_t http_server_port(const struct http_server *s)
{
	return s->port;
}

/* ---- closing ---- */

void http_server_stop_accepting(struct http_server *s)
{
	if (s->is_stopping || s->is_closed)
		return;
	s->is_stopping = true;
	int fd = MHD_quiesce_daemon(s->daemon);
	if (fd >= 0)
		(void)close(fd);
}

static void server_bury(void *p)
{
	struct http_server *s = p;

	/* The parked must be woken first, or libmicrohttpd panics; stopping then ends them, each with on_gone. */
	LIST_FOREACH (it, &s->exchanges)
		exchange_wake(LIST_ENTRY(it, struct http_exchange, link));
	MHD_stop_daemon(s->daemon);
	while (!list_is_empty(&s->pool))
		exchange_free(LIST_ENTRY(s->pool.next, struct http_exchange, link));
	free(s);
}

void http_server_close(struct http_server *s)
{
	if (!s || s->is_closed)
		return;
	s->is_closed = true;
	loop_timer_stop(&s->timer);
	loop_timer_stop(&s->sweep);
	loop_soon_cancel(&s->soon);
	loop_fd_close(s->watch);
	loop_free_later(s->loop, s, server_bury); /* not here: we may be inside one of the daemon's callbacks */
}
