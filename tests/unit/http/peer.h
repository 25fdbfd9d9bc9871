/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server for tests that does as it is told: threads and plain blocking sockets, nothing shared with the code under test. One thread
 * accepts, one serves each connection with the function of the test.
 */
#pragma once
#include "base/str.h"
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer;
typedef void peer_serve(struct peer *p, int fd, int number, void *arg); /* number: 1, 2, ... in order of arrival */

struct peer {
	int listener;
	uint16_t port;
	pthread_t acceptor;
	pthread_t servers[1024];
	int fds[1024];
	atomic_int n;
	atomic_int requests, posts; /* whole requests read by peer_read() */
	peer_serve *serve;
	void *arg;
};

struct peer_job {
	struct peer *peer;
	int fd, number;
};

struct peer_request {
	char method[16], target[256];
	char head[16384];
	char body[65536];
	size_t body_len;
};

static inline void peer_send(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		p += sent;
		n -= (size_t)sent;
	}
}

static inline void peer_say(int fd, const char *text)
{
	peer_send(fd, text, strlen(text));
}

/* Read one request; false at the end of the connection. Knows Content-Length alone. */
static inline bool peer_read(struct peer *p, int fd, struct peer_request *r)
{
	size_t n = 0;

	memset(r, 0, sizeof(*r));
	while (n < 4 || memcmp(r->head + n - 4, "\r\n\r\n", 4) != 0) {
		if (n + 1 >= sizeof(r->head) || recv(fd, r->head + n, 1, 0) != 1)
			return false;
		n++;
	}
	(void)sscanf(r->head, "%15s %255s", r->method, r->target);
	const char *length = strcasestr(r->head, "\r\nContent-Length:");
	size_t want = length ? strtoul(length + 17, NULL, 10) : 0;
	while (r->body_len < want) {
		char bytes[4096];
		ssize_t got = recv(fd, bytes, want - r->body_len < sizeof(bytes) ? want - r->body_len : sizeof(bytes), 0);
		if (got > 0 && r->body_len + (size_t)got <= sizeof(r->body))
			memcpy(r->body + r->body_len, bytes, (size_t)got);
		if (got <= 0)
			return false;
		r->body_len += (size_t)got;
	}
	atomic_fetch_add(&p->requests, 1);
	if (strcmp(r->method, "POST") == 0)
		atomic_fetch_add(&p->posts, 1);
	return true;
}

static inline void peer_reset(int fd)
{
	struct linger now = { .l_onoff = 1 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* Wait until the other side has closed. */
static inline void peer_wait_end(int fd)
{
	char bytes[4096];

	while (recv(fd, bytes, sizeof(bytes), 0) > 0)
		;
}

static inline void *peer_connection(void *arg)
{
	struct peer_job *job = arg;

	job->peer->serve(job->peer, job->fd, job->number, job->peer->arg);
	(void)shutdown(job->fd, SHUT_WR);
	free(job);
	return NULL;
}

static inline void *peer_accept(void *arg)
{
	struct peer *p = arg;

	for (;;) {
		int fd = accept(p->listener, NULL, NULL);
		int i = atomic_load(&p->n);
		if (fd < 0 || i == 1024)
			return NULL;
		struct peer_job *job = malloc(sizeof(*job));
		*job = (struct peer_job){ .peer = p, .fd = fd, .number = i + 1 };
		p->fds[i] = fd;
		atomic_store(&p->n, i + 1); /* first: a test may count connections as soon as it has its answer */
		pthread_create(&p->servers[i], NULL, peer_connection, job);
	}
}

static inline struct peer *peer_start(peer_serve *serve, void *arg)
{
	struct peer *p = calloc(1, sizeof(*p));
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int on = 1;

	p->serve = serve;
	p->arg = arg;
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(p->listener, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(p->listener, 512), 0);
	assert_int_equal(getsockname(p->listener, (struct sockaddr *)&a, &len), 0);
	p->port = ntohs(a.sin_port);
	pthread_create(&p->acceptor, NULL, peer_accept, p);
	return p;
}

/* Ends all connections and waits for the threads. */
static inline void peer_stop(struct peer *p)
{
	(void)shutdown(p->listener, SHUT_RDWR);
	pthread_join(p->acceptor, NULL);
	for (int i = 0; i < p->n; i++)
		(void)shutdown(p->fds[i], SHUT_RDWR);
	for (int i = 0; i < p->n; i++) {
		pthread_join(p->servers[i], NULL);
		(void)close(p->fds[i]);
	}
	(void)close(p->listener);
	free(p);
}
