/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl's descriptors. All CURLMs (shards) of a client share one epoll set, and that set is one descriptor of the
 * loop.
 *
 * Registration is lazy: when libcurl lets go of a connection (CURL_POLL_REMOVE) it stays registered for reading, since
 * the next request on it will want exactly that; only an event that nobody wants takes it out. That saves two epoll_ctl
 * calls a request. It is safe because each closing of such a descriptor passes through multi_close_socket();
 * descriptors that libcurl makes for itself (its resolver's) do not, and are registered exactly.
 *
 * No wake-up is lost, by construction: whoever makes libcurl ask for "now" (its timer callback with 0) marks the shard
 * dirty, which arms the client's soon, which runs before the loop may block.
 */
#include "http/client_int.h"
#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_PER_TURN 256
#define DRAIN_ROUNDS 16 /* "now" answered with "now" again: after so many, others get a turn */

static void mark_dirty(struct shard *s)
{
	s->is_dirty = true;
	loop_soon(s->client->loop, &s->client->soon);
}

/* ---- the epoll set ---- */

static struct sock *sock_of(struct http_client *c, curl_socket_t fd)
{
	if (fd < 0)
		return NULL;
	if ((size_t)fd >= c->n_socks) {
		size_t n = c->n_socks ? c->n_socks : 64;
		while (n <= (size_t)fd)
			n *= 2;
		struct sock *socks = alloc_realloc(c->socks, n * sizeof(*socks));
		if (!socks)
			return NULL;
		memset(socks + c->n_socks, 0, (n - c->n_socks) * sizeof(*socks));
		c->socks = socks;
		c->n_socks = n;
	}
	return &c->socks[fd];
}

static int sock_register(struct http_client *c, curl_socket_t fd, struct sock *s, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.fd = fd };

	if (s->registered == events)
		return 0;
	if (events == 0) {
		(void)epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		s->registered = 0;
		return 0;
	}
	int r = epoll_ctl(c->epoll_fd, s->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e);
	if (r != 0 && (errno == EEXIST || errno == ENOENT))
		r = epoll_ctl(c->epoll_fd, errno == EEXIST ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e);
	s->registered = r == 0 ? events : 0;
	return r;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
	struct shard *shard = arg;
	struct http_client *c = shard->client;
	struct sock *s = sock_of(c, fd);

	if (!s)
		return -1;
	s->shard = shard;
	s->wanted = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	if (what == CURL_POLL_REMOVE) {
		s->wanted = 0;
		if (s->is_ours && s->registered == EPOLLIN)
			return 0;
	}
	return sock_register(c, fd, s, s->wanted);
}

curl_socket_t multi_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_transfer *t = arg;
	struct http_client *c = t->client;

	if (c->config.may_connect && !c->config.may_connect(c->config.may_connect_arg, &address->addr)) {
		t->is_blocked = true;
		return CURL_SOCKET_BAD;
	}
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	struct sock *s = sock_of(c, fd);
	if (s)
		*s = (struct sock){ .is_ours = true, .is_plain = t->is_plain };
	return fd;
}

int multi_close_socket(void *arg, curl_socket_t fd)
{
	struct http_client *c = arg;

	if (fd >= 0 && (size_t)fd < c->n_socks)
		c->socks[fd] = (struct sock){ 0 };
	return close(fd); /* leaves the epoll set by itself */
}

/*
 * Bytes on a plain connection that nobody uses belong to no request of ours: the next one must not take them for its
 * answer. libcurl 7.88 would (it asks "readable and not at its end?" and calls that alive). So the connection is closed
 * under its descriptor, and libcurl finds a dead one.
 */
static void poison(curl_socket_t fd)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
		(void)shutdown(fd, SHUT_RDWR);
		return;
	}
	(void)close(pair[1]);
	(void)dup3(pair[0], fd, O_CLOEXEC);
	(void)close(pair[0]);
}

static void on_unwanted_event(struct http_client *c, curl_socket_t fd, struct sock *s)
{
	char byte;

	(void)sock_register(c, fd, s, 0);
	if (s->shard && s->shard->paused > 0) /* perhaps it is a paused one's: bytes that somebody will want */
		return;
	if (s->is_plain && recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) > 0)
		poison(fd);
}

static void on_epoll(void *arg, unsigned events)
{
	struct http_client *c = arg;
	struct epoll_event ready[EVENTS_PER_TURN];
	int n = epoll_wait(c->epoll_fd, ready, EVENTS_PER_TURN, 0);

	for (int i = 0; i < n; i++) {
		curl_socket_t fd = ready[i].data.fd;
		struct sock *s = sock_of(c, fd);
		int running = 0;
		if (!s || !s->registered)
			continue;
		if (!s->wanted) {
			on_unwanted_event(c, fd, s);
			continue;
		}
		struct shard *shard = s->shard;
		int what = (ready[i].events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
			   (ready[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			   (ready[i].events & EPOLLERR ? CURL_CSELECT_ERR : 0);
		(void)curl_multi_socket_action(shard->multi, fd, what, &running);
		shard->is_dirty = true;
	}
	multi_drain_dirty(c);
}

/* ---- shards ---- */

static int on_curl_timer(CURLM *multi, long timeout, void *arg)
{
	struct shard *s = arg;

	if (timeout < 0) {
		loop_timer_stop(&s->timer);
	} else if (timeout == 0) {
		loop_timer_stop(&s->timer);
		s->wants_kick = true;
		mark_dirty(s);
	} else if (loop_timer_start(&s->timer, timeout) != 0) {
		return -1;
	}
	return 0;
}

static void on_shard_timer(struct loop_timer *timer)
{
	struct shard *s = CONTAINER_OF(timer, struct shard, timer);

	s->wants_kick = true;
	s->is_dirty = true;
	multi_drain_dirty(s->client);
}

static void read_results(struct shard *s)
{
	CURLMsg *message;
	int left;

	while (!s->client->is_closed && (message = curl_multi_info_read(s->multi, &left))) {
		struct http_transfer *t = NULL;
		const char *detail;
		if (message->msg != CURLMSG_DONE)
			continue;
		CURLcode code = message->data.result;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
		struct verdict v = map_result(t, code, &detail);
		multi_remove(t);
		transfer_deliver(t, v, detail);
	}
}

/* The one place where results are read and "now" is answered; called after everything that enters libcurl. */
static void drain(struct shard *s)
{
	int running = 0;

	for (int round = 0; round < DRAIN_ROUNDS; round++) {
		read_results(s);
		if (s->client->is_closed || !s->wants_kick) {
			s->is_dirty = false;
			return;
		}
		s->wants_kick = false;
		(void)curl_multi_socket_action(s->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	mark_dirty(s);
}

void multi_drain_dirty(struct http_client *c)
{
	for (size_t i = 0; i < c->n_shards && !c->is_closed; i++) {
		if (c->shards[i]->is_dirty)
			drain(c->shards[i]);
	}
}

/* What libcurl kept while it was paused may come inside this very call; what it leads to is read in the drain. */
void multi_read_on(struct http_transfer *t)
{
	t->shard->paused--;
	(void)curl_easy_pause(t->easy, CURLPAUSE_CONT);
	t->shard->is_dirty = t->shard->wants_kick = true;
}

void multi_pause(struct http_transfer *t)
{
	t->shard->paused++;
	(void)curl_easy_pause(t->easy, CURLPAUSE_RECV);
}

static int open_curlm(struct shard *s)
{
	CURLM *m = s->multi = curl_multi_init();

	if (!m)
		return -ERR_NO_MEMORY;
	(void)curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, on_socket);
	(void)curl_multi_setopt(m, CURLMOPT_SOCKETDATA, s);
	(void)curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	(void)curl_multi_setopt(m, CURLMOPT_TIMERDATA, s);
	(void)curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, (long)SHARD_TRANSFERS);
	return 0;
}

static void close_curlm(struct shard *s)
{
	loop_timer_stop(&s->timer);
	if (s->multi)
		(void)curl_multi_cleanup(s->multi);
	s->multi = NULL;
	loop_timer_stop(&s->timer); /* cleaning up calls the timer callback */
	s->wants_kick = s->is_dirty = false;
}

static void forget_proxy(struct shard *s)
{
	if (s->proxy)
		explicit_bzero(s->proxy, s->proxy_len);
	free(s->proxy);
	s->proxy = NULL;
	s->proxy_len = 0;
}

/* From now on for transfers of this key. None of its connections is left. */
static struct shard *shard_take_over(struct shard *s, struct str key)
{
	close_curlm(s);
	forget_proxy(s);
	if (!key.len)
		return s;
	s->proxy = str_dup_c(key);
	s->proxy_len = s->proxy ? key.len : 0;
	return s->proxy ? s : NULL;
}

/* One that holds no connection, else one that nobody uses; NULL = none. */
static struct shard *shard_to_spare(struct http_client *c)
{
	struct shard *idle = NULL;

	for (size_t i = 0; i < c->n_shards; i++) {
		if (!c->shards[i]->multi)
			return c->shards[i];
		if (c->shards[i]->live == 0)
			idle = c->shards[i];
	}
	return c->n_shards == SHARDS_MAX ? idle : NULL;
}

/*
 * The first shard with room: connections are found again where they were left. Never one of another proxy, or of the
 * same with other credentials: libcurl would take its tunnels for ours.
 */
static struct shard *shard_with_room(struct http_client *c, struct str key)
{
	for (size_t i = 0; i < c->n_shards; i++) {
		struct shard *s = c->shards[i];
		if (s->live < SHARD_TRANSFERS && str_eq(str_from(s->proxy, s->proxy_len), key))
			return s;
	}
	struct shard *spare = shard_to_spare(c);
	if (spare || c->n_shards == SHARDS_MAX)
		return spare ? shard_take_over(spare, key) : NULL;
	struct shard *s = alloc_calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->client = c;
	loop_timer_init(c->loop, &s->timer, on_shard_timer);
	c->shards[c->n_shards++] = s;
	return shard_take_over(s, key);
}

int multi_add(struct http_transfer *t)
{
	struct shard *s = shard_with_room(t->client, t->proxy_key);

	if (!s || (!s->multi && open_curlm(s) != 0))
		return -ERR_NO_MEMORY;
	if (curl_multi_add_handle(s->multi, t->easy) != CURLM_OK)
		return -ERR_NO_MEMORY;
	t->shard = s;
	s->live++;
	return 0;
}

void multi_remove(struct http_transfer *t)
{
	struct shard *s = t->shard;

	if (!s)
		return;
	s->paused -= t->is_paused || t->is_resumed;
	(void)curl_multi_remove_handle(s->multi, t->easy);
	t->shard = NULL;
	if (--s->live > 0)
		return;
	struct http_client *c = s->client;
	s->idle_since = loop_now(c->loop);
	if (!c->is_closed && !loop_timer_is_running(&c->sweep))
		(void)loop_timer_start(&c->sweep, IDLE_SHARD);
}

/* Connections of a shard that nobody has used for a while are closed with it. */
static void on_sweep(struct loop_timer *timer)
{
	struct http_client *c = CONTAINER_OF(timer, struct http_client, sweep);
	msec_t now = loop_now(c->loop);
	bool is_any_left = false;

	for (size_t i = 0; i < c->n_shards; i++) {
		struct shard *s = c->shards[i];
		if (s->live == 0 && s->multi && now - s->idle_since >= IDLE_SHARD)
			close_curlm(s);
		is_any_left |= s->live == 0 && s->multi;
	}
	if (is_any_left)
		(void)loop_timer_start(timer, IDLE_SHARD);
}

int multi_open(struct http_client *c, struct err *e)
{
	loop_timer_init(c->loop, &c->sweep, on_sweep);
	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll_fd < 0)
		return err_errno(e, "cannot make an epoll set");
	c->watch = loop_fd_open(c->loop, c->epoll_fd, on_epoll, c, e);
	if (!c->watch || loop_fd_want(c->watch, LOOP_READ) != 0) {
		loop_fd_close(c->watch);
		(void)close(c->epoll_fd);
		return err_set(e, ERR_IO, "cannot watch an epoll set");
	}
	c->is_multi_open = true;
	return 0;
}

void multi_close(struct http_client *c)
{
	if (!c->is_multi_open)
		return;
	loop_timer_stop(&c->sweep);
	for (size_t i = 0; i < c->n_shards; i++)
		loop_timer_stop(&c->shards[i]->timer);
	loop_fd_close(c->watch);
}

void multi_bury(struct http_client *c)
{
	if (!c->is_multi_open)
		return;
	for (size_t i = 0; i < c->n_shards; i++) {
		close_curlm(c->shards[i]);
		forget_proxy(c->shards[i]);
		free(c->shards[i]);
	}
	loop_soon_cancel(&c->soon);
	(void)close(c->epoll_fd);
	free(c->socks);
}
