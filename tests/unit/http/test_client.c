/* SPDX-License-Identifier: Apache-2.0 */
#include "http/client_int.h"
#include "ask.h"

#include <netdb.h>
#include <semaphore.h>

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* ---- peers ---- */

static void serve_ok(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;

	while (peer_read(p, fd, &r))
		peer_say(fd, OK_ANSWER);
}

/* The first connection answers one request, reads the next one whole and closes. */
static void serve_race(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;

	for (int i = 1; peer_read(p, fd, &r); i++) {
		if (number == 1 && i == 2)
			return;
		peer_say(fd, OK_ANSWER);
	}
}

static void serve_hang(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;

	if (peer_read(p, fd, &r)) {
		peer_say(fd, arg ? arg : "");
		peer_wait_end(fd);
	}
}

/* Says what it was sent. */
static void serve_echo(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;
	char head[64];

	while (peer_read(p, fd, &r)) {
		bool is_head = strcmp(r.method, "HEAD") == 0;
		size_t n = strlen(r.head);
		if (r.body_len > sizeof(r.body))
			r.body_len = 0; /* too long to have been kept */
		snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n + r.body_len);
		peer_say(fd, head);
		if (!is_head) {
			peer_say(fd, r.head);
			peer_send(fd, r.body, r.body_len);
		}
	}
}

/* ---- a request leaves once ---- */

TEST(a_post_on_a_kept_connection_that_dies_is_sent_once)
{
	static const char *const bodies[] = { "x=1", "", NULL };

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct peer *p = peer_start(serve_race, NULL);
		struct asker a = asker_new(NULL);
		assert_outcome(ask(&a, "GET", p, "/", NULL), HTTP_ERROR_NONE, HTTP_ANSWERED);
		struct answer x = ask(&a, "POST", p, "/", bodies[i]);
		assert_outcome(x, HTTP_ERROR_CONNECTION_LOST, HTTP_AMBIGUOUS);
		assert_int_equal(atomic_load(&p->posts), 1);
		assert_int_equal(x.status, 0);
		x = ask(&a, "POST", p, "/", bodies[i]); /* and the client is none the worse for it */
		assert_outcome(x, HTTP_ERROR_NONE, HTTP_ANSWERED);
		assert_int_equal(atomic_load(&p->posts), 2);
		asker_free(&a);
		peer_stop(p);
	}
}

TEST(a_get_on_a_kept_connection_that_dies_is_the_callers_to_repeat)
{
	struct peer *p = peer_start(serve_race, NULL);
	struct asker a = asker_new(NULL);

	assert_outcome(ask(&a, "GET", p, "/", NULL), HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_outcome(ask(&a, "GET", p, "/", NULL), HTTP_ERROR_CONNECTION_LOST, HTTP_AMBIGUOUS);
	assert_int_equal(atomic_load(&p->requests), 2);
	asker_free(&a);
	peer_stop(p);
}

static void serve_one_each(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;

	if (peer_read(p, fd, &r))
		peer_say(fd, OK_ANSWER);
	sem_post(arg);
}

static void turn_until_idle_end_is_seen(struct asker *a);

TEST(a_kept_connection_closed_in_time_is_replaced_without_doubt)
{
	sem_t closed;
	sem_init(&closed, 0, 0);
	struct peer *p = peer_start(serve_one_each, &closed);
	struct asker a = asker_new(NULL);

	for (int i = 0; i < 5; i++) {
		assert_outcome(ask(&a, "POST", p, "/", "x"), HTTP_ERROR_NONE, HTTP_ANSWERED);
		sem_wait(&closed);
		turn_until_idle_end_is_seen(&a);
	}
	assert_int_equal(atomic_load(&p->posts), 5);
	asker_free(&a);
	peer_stop(p);
	sem_destroy(&closed);
}

static void on_pause_over(struct loop_timer *t)
{
	loop_stop(t->loop);
}

/* A few milliseconds of loop: whatever is on its way over loopback has arrived. */
static void turn_until_idle_end_is_seen(struct asker *a)
{
	struct loop_timer t;

	loop_timer_init(a->loop, &t, on_pause_over);
	loop_timer_start(&t, 30);
	loop_run(a->loop);
}

/* After its answer this one sends another, which nobody asked for. */
static void serve_two_answers(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;

	if (!peer_read(p, fd, &r))
		return;
	if (number > 1) {
		peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood");
		return;
	}
	peer_say(fd, OK_ANSWER);
	sem_wait(arg);
	peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
	sem_post(arg);
	peer_wait_end(fd);
}

TEST(an_answer_nobody_asked_for_is_not_the_next_ones)
{
	sem_t go;
	sem_init(&go, 0, 0);
	struct peer *p = peer_start(serve_two_answers, &go);
	struct asker a = asker_new(NULL);

	assert_outcome(ask(&a, "GET", p, "/", NULL), HTTP_ERROR_NONE, HTTP_ANSWERED);
	sem_post(&go);
	turn_until_idle_end_is_seen(&a);
	struct answer x = ask(&a, "POST", p, "/", "x");
	assert_outcome(x, HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_string_equal(x.body, "good");
	assert_int_equal(atomic_load(&p->posts), 1);
	asker_free(&a);
	peer_stop(p);
	sem_destroy(&go);
}

static void serve_excess(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;

	while (peer_read(p, fd, &r))
		peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
}

TEST(a_connection_with_two_lengths_is_not_used_again)
{
	struct peer *p = peer_start(serve_excess, NULL);
	struct asker a = asker_new(NULL);

	for (int i = 1; i <= 3; i++) {
		assert_outcome(ask(&a, "GET", p, "/", NULL), HTTP_ERROR_NONE, HTTP_ANSWERED);
		assert_int_equal(atomic_load(&p->n), i);
	}
	asker_free(&a);
	peer_stop(p);
}

TEST(connections_are_kept_unless_a_fresh_one_is_wanted)
{
	struct peer *p = peer_start(serve_ok, NULL);
	struct asker a = asker_new(NULL);
	char url[64];

	for (int i = 0; i < 10; i++)
		assert_outcome(ask(&a, i % 2 ? "POST" : "GET", p, "/", i % 2 ? "x" : NULL), HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_int_equal(atomic_load(&p->n), 1);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", p->port);
	struct http_request r = { .method = STR("GET"), .url = str_c(url), .fresh_connection = true };
	struct answer x = ask_request(&a, &r);
	assert_int_equal(atomic_load(&p->n), 2);
	assert_string_equal(x.version, "1.1");
	assert_true(x.timings.total > 0 && x.timings.connect > 0);
	assert_non_null(strstr(url, x.peer));
	r.fresh_connection = false;
	x = ask_request(&a, &r);
	assert_int_equal(atomic_load(&p->n), 2);
	assert_int_equal(x.timings.connect, 0);
	asker_free(&a);
	peer_stop(p);
}

/* ---- what is sent ---- */

static struct answer ask_fields(struct asker *a, struct peer *p, const char *method, const char *name, const char *value, const char *body)
{
	struct arena arena;
	struct headers h = { 0 };
	char url[128];

	arena_init(&arena, 0);
	if (name)
		assert_int_equal(headers_add(&arena, &h, str_c(name), str_c(value), NULL), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/a/../b/./c?d=%%20&e", p->port);
	struct answer x = ask_request(a, &(struct http_request){ .method = str_c(method),
								 .url = str_c(url),
								 .headers = &h,
								 .body = body ? str_c(body) : STR_NULL });
	arena_done(&arena);
	return x;
}

TEST(requests_say_what_they_should_and_nothing_else)
{
	static const struct {
		const char *method, *name, *value, *body;
		const char *has[4], *lacks[6];
	} rows[] = {
		{ "GET", NULL, NULL, NULL,
		  { "GET /a/../b/./c?d=%20&e HTTP/1.1\r\n", "\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" },
		  { "Content-Length", "Content-Type", "Expect", "User-Agent", "Upgrade", "Cookie" } },
		{ "GET", "Accept-Encoding", "identity", NULL, { "\r\nAccept-Encoding: identity\r\n" }, { "gzip" } },
		{ "GET", "X-Empty", "", NULL, { "\r\nX-Empty:\r\n" }, { NULL } },
		{ "GET", "Accept", "application/json", NULL, { "\r\nAccept: application/json\r\n" }, { "*/*" } },
		{ "GET", NULL, NULL, "body", { "GET /", "\r\nContent-Length: 4\r\n", "\r\n\r\nbody" }, { "Content-Type" } },
		{ "POST", NULL, NULL, "x=1", { "POST /", "\r\nContent-Length: 3\r\n", "\r\n\r\nx=1" }, { "Content-Type", "Expect" } },
		{ "POST", "content-type", "text/x", "x=1", { "\r\ncontent-type: text/x\r\n" }, { "urlencoded" } },
		{ "POST", NULL, NULL, NULL, { "POST /", "\r\nContent-Length: 0\r\n" }, { "Content-Type" } },
		{ "POST", NULL, NULL, "", { "POST /", "\r\nContent-Length: 0\r\n" }, { "Content-Type" } },
		{ "PUT", NULL, NULL, "abc", { "PUT /", "\r\nContent-Length: 3\r\n", "\r\n\r\nabc" }, { "Expect" } },
		{ "PATCH", NULL, NULL, NULL, { "PATCH /", "\r\nContent-Length: 0\r\n" }, { NULL } },
		{ "DELETE", NULL, NULL, NULL, { "DELETE /" }, { "Content-Length" } },
		{ "DELETE", NULL, NULL, "why", { "DELETE /", "\r\nContent-Length: 3\r\n" }, { NULL } },
		{ "OPTIONS", NULL, NULL, NULL, { "OPTIONS /" }, { "Content-Length" } },
		{ "PROPFIND", NULL, NULL, NULL, { "PROPFIND /" }, { NULL } },
		{ "GET", NULL, NULL, NULL, { "GET /" }, { "PROPFIND", "Content-Length" } },
	};
	struct peer *p = peer_start(serve_echo, NULL);
	struct asker a = asker_new(NULL);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct answer x = ask_fields(&a, p, rows[i].method, rows[i].name, rows[i].value, rows[i].body);
		assert_outcome(x, HTTP_ERROR_NONE, HTTP_ANSWERED);
		for (int k = 0; k < 4 && rows[i].has[k]; k++) {
			if (!strstr(x.body, rows[i].has[k]))
				fail_msg("%zu: '%s' is missing in:\n%s", i, rows[i].has[k], x.body);
		}
		for (int k = 0; k < 6 && rows[i].lacks[k]; k++) {
			if (strstr(x.body, rows[i].lacks[k]))
				fail_msg("%zu: '%s' is in:\n%s", i, rows[i].lacks[k], x.body);
		}
	}
	assert_int_equal(atomic_load(&p->n), 1);
	asker_free(&a);
	peer_stop(p);
}

TEST(a_head_request_awaits_no_body)
{
	struct peer *p = peer_start(serve_echo, NULL);
	struct asker a = asker_new(NULL);

	for (int i = 0; i < 3; i++) {
		struct answer x = ask(&a, "HEAD", p, "/", NULL);
		assert_outcome(x, HTTP_ERROR_NONE, HTTP_ANSWERED);
		assert_int_equal(x.body_len, 0);
		x = ask(&a, "GET", p, "/", NULL);
		assert_true(x.body_len > 0);
	}
	assert_int_equal(atomic_load(&p->n), 1);
	asker_free(&a);
	peer_stop(p);
}

TEST(a_large_body_is_sent_without_asking_first)
{
	struct peer *p = peer_start(serve_echo, NULL);
	struct asker a = asker_new(NULL);
	size_t n = (size_t)3 << 20;
	char *body = malloc(n + 1), url[64];

	memset(body, 'b', n);
	body[n] = 0;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", p->port);
	struct answer x = ask_request(&a, &(struct http_request){ .method = STR("POST"), .url = str_c(url), .body = str_from(body, n) });
	assert_outcome(x, HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_non_null(strstr(x.body, "Content-Length: 3145728\r\n"));
	assert_null(strstr(x.body, "Expect"));
	free(body);
	asker_free(&a);
	peer_stop(p);
}

TEST(nonsense_is_refused_before_it_is_sent)
{
	static const struct {
		const char *method, *url, *name, *value;
		bool has_body;
	} rows[] = {
		{ "GET", "ftp://127.0.0.1/", NULL, NULL, false },
		{ "GET", "file:///etc/passwd", NULL, NULL, false },
		{ "GET", "http://u:p@127.0.0.1/", NULL, NULL, false },
		{ "GET", "http://127.0.0.1/a b", NULL, NULL, false },
		{ "GET", "", NULL, NULL, false },
		{ "G T", "http://127.0.0.1/", NULL, NULL, false },
		{ "", "http://127.0.0.1/", NULL, NULL, false },
		{ "GET\r\nX: y", "http://127.0.0.1/", NULL, NULL, false },
		{ "CONNECT", "http://127.0.0.1/", NULL, NULL, false },
		{ "AVERYLONGMETHODNAMETHATNOBODYKNOWS", "http://127.0.0.1/", NULL, NULL, false },
		{ "HEAD", "http://127.0.0.1/", NULL, NULL, true },
		{ "GET", "http://127.0.0.1/", "Host", "other", false },
		{ "GET", "http://127.0.0.1/", "content-length", "5", false },
		{ "GET", "http://127.0.0.1/", "Transfer-Encoding", "chunked", false },
		{ "GET", "http://127.0.0.1/", "Upgrade", "h2c", false },
		{ "GET", "http://127.0.0.1/", "Expect", "100-continue", false },
		{ "GET", "http://127.0.0.1/", "X", "a\r\nY: b", false },
		{ "GET", "http://127.0.0.1/", "X: y", "b", false },
	};
	struct asker a = asker_new(NULL);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct header field = { str_c(rows[i].name), str_c(rows[i].value) };
		struct headers h = { .items = &field, .n = rows[i].name != NULL };
		struct answer x = ask_request(&a, &(struct http_request){ .method = str_c(rows[i].method),
									  .url = str_c(rows[i].url),
									  .headers = &h,
									  .body = rows[i].has_body ? STR("x") : STR_NULL });
		if (x.error != HTTP_ERROR_INVALID_REQUEST || x.certainty != HTTP_NOT_SENT || !x.detail[0])
			fail_msg("%zu: %s %s", i, http_error_name(x.error), x.detail);
	}
	asker_free(&a);
}

/* ---- connecting ---- */

TEST(a_refused_connection_is_provably_not_sent)
{
	struct peer *p = peer_start(serve_ok, NULL);
	struct peer gone = { .port = p->port };
	struct asker a = asker_new(NULL);

	peer_stop(p);
	assert_outcome(ask(&a, "POST", &gone, "/", "x"), HTTP_ERROR_CONNECT_REFUSED, HTTP_NOT_SENT);
	asker_free(&a);
}

TEST(a_full_backlog_is_a_connect_timeout)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fillers[8];
	struct asker a = asker_new(NULL);
	char url[64];

	assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	for (int i = 0; i < 8; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fillers[i], (struct sockaddr *)&at, len);
	}
	usleep(200000);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", ntohs(at.sin_port));
	struct http_request r = { .method = STR("POST"), .url = str_c(url), .body = STR("x"), .connect_timeout = 150 };
	assert_outcome(ask_request(&a, &r), HTTP_ERROR_CONNECT_TIMEOUT, HTTP_NOT_SENT);
	r.connect_timeout = 10000;
	r.total_timeout = 150;
	assert_outcome(ask_request(&a, &r), HTTP_ERROR_TOTAL_TIMEOUT, HTTP_NOT_SENT);
	for (int i = 0; i < 8; i++)
		close(fillers[i]);
	close(listener);
	asker_free(&a);
}

static bool no_loopback(void *arg, const void *sockaddr)
{
	const struct sockaddr *s = sockaddr;

	++*(int *)arg;
	return s->sa_family == AF_INET && ntohl(((const struct sockaddr_in *)sockaddr)->sin_addr.s_addr) >> 24 != 127;
}

TEST(the_guard_sees_the_address_however_it_is_written)
{
	static const char *const hosts[] = { "127.0.0.1", "127.1", "0x7f000001", "2130706433", "017700000001", "[::1]", "[::ffff:127.0.0.1]" };
	struct peer *p = peer_start(serve_ok, NULL);
	int asked = 0;
	struct asker a = asker_new(&(struct http_client_config){ .may_connect = no_loopback, .may_connect_arg = &asked });
	char url[64];

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		snprintf(url, sizeof(url), "http://%s:%u/", hosts[i], p->port);
		struct answer x = ask_request(&a, &(struct http_request){ .method = STR("GET"), .url = str_c(url) });
		if (x.error != HTTP_ERROR_BLOCKED_ADDRESS || x.certainty != HTTP_NOT_SENT)
			fail_msg("%s: %s %s", hosts[i], http_error_name(x.error), x.detail);
		assert_string_equal(x.detail, "the address is not allowed");
	}
	assert_true(asked >= (int)ARRAY_LEN(hosts));
	assert_int_equal(atomic_load(&p->n), 0);
	asker_free(&a);
	peer_stop(p);
}

TEST(a_tls_handshake_that_stalls_is_a_connect_timeout)
{
	struct peer *p = peer_start(serve_hang, NULL);
	struct asker a = asker_new(NULL);
	char url[64];

	snprintf(url, sizeof(url), "https://127.0.0.1:%u/", p->port);
	struct http_request r = { .method = STR("POST"), .url = str_c(url), .body = STR("x"), .connect_timeout = 200 };
	assert_outcome(ask_request(&a, &r), HTTP_ERROR_CONNECT_TIMEOUT, HTTP_NOT_SENT); /* the handshake stalls */
	asker_free(&a);
	peer_stop(p);
}

/* ---- names: getaddrinfo() is ours in this program ---- */

static sem_t resolver_gate;
static atomic_int resolver_returned;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	struct sockaddr_in *a;

	if (strcmp(name, "slow.test") == 0) {
		while (sem_wait(&resolver_gate) != 0)
			;
		atomic_fetch_add(&resolver_returned, 1);
		return EAI_AGAIN;
	}
	if (strcmp(name, "local.test") != 0)
		return EAI_NONAME;
	*ret = calloc(1, sizeof(**ret) + sizeof(*a));
	a = (struct sockaddr_in *)(*ret + 1);
	*a = (struct sockaddr_in){ .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				   .sin_port = htons((uint16_t)atoi(service)) };
	**ret = (struct addrinfo){ .ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_addrlen = sizeof(*a), .ai_addr = (void *)a };
	return 0;
}

void freeaddrinfo(struct addrinfo *a)
{
	free(a);
}

TEST(names_resolve_without_blocking_and_their_failures_are_told_apart)
{
	struct peer *p = peer_start(serve_ok, NULL);
	struct asker a = asker_new(NULL);
	char url[64];
	struct http_request r = { .method = STR("POST"), .body = STR("x"), .connect_timeout = 150 };

	sem_init(&resolver_gate, 0, 0);
	atomic_store(&resolver_returned, 0);
	r.url = STR("http://nowhere.test/");
	assert_outcome(ask_request(&a, &r), HTTP_ERROR_DNS_NOT_FOUND, HTTP_NOT_SENT);
	r.url = STR("http://slow.test/");
	assert_outcome(ask_request(&a, &r), HTTP_ERROR_DNS_TEMPORARY, HTTP_NOT_SENT);
	assert_int_equal(atomic_load(&resolver_returned), 0); /* nobody waited for the resolver's thread */
	snprintf(url, sizeof(url), "http://local.test:%u/", p->port);
	r.url = str_c(url);
	for (int i = 0; i < 3; i++)
		assert_outcome(ask_request(&a, &r), HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_int_equal(atomic_load(&p->n), 1);
	sem_post(&resolver_gate);
	while (atomic_load(&resolver_returned) == 0)
		usleep(1000);
	usleep(20000);
	asker_free(&a);
	peer_stop(p);
}

/* ---- time ---- */

TEST(the_first_byte_and_the_whole_have_their_own_timeouts)
{
	static const struct {
		const char *said;
		msec_t first_byte, total;
		enum http_error error;
		int status;
	} rows[] = {
		{ "", 100, 20000, HTTP_ERROR_FIRST_BYTE_TIMEOUT, 0 },
		{ "", 0, 100, HTTP_ERROR_TOTAL_TIMEOUT, 0 },
		{ "", 20000, 100, HTTP_ERROR_TOTAL_TIMEOUT, 0 },
		{ "HTTP/1.1 200 OK\r\n", 50, 200, HTTP_ERROR_TOTAL_TIMEOUT, 0 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123", 50, 200, HTTP_ERROR_TOTAL_TIMEOUT, 200 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer *p = peer_start(serve_hang, (void *)(uintptr_t)rows[i].said);
		struct asker a = asker_new(NULL);
		char url[64];
		snprintf(url, sizeof(url), "http://127.0.0.1:%u/", p->port);
		struct answer x = ask_request(&a, &(struct http_request){ .method = STR("GET"),
									  .url = str_c(url),
									  .first_byte_timeout = rows[i].first_byte,
									  .total_timeout = rows[i].total });
		assert_outcome(x, rows[i].error, HTTP_AMBIGUOUS);
		assert_int_equal(x.status, rows[i].status);
		assert_true(x.timings.total >= x.timings.sent && x.timings.total > 0);
		asker_free(&a);
		peer_stop(p);
	}
}

static void serve_drip(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;

	if (!peer_read(p, fd, &r))
		return;
	peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
	while (send(fd, "x", 1, MSG_NOSIGNAL) == 1)
		usleep(20000);
}

TEST(an_answer_in_drops_is_too_slow)
{
	struct peer *p = peer_start(serve_drip, NULL);
	struct asker a = asker_new(NULL);

	transfer_set_slow_window(a.client, 100); /* less than 10 bytes in 100 ms */
	struct answer x = ask(&a, "GET", p, "/", NULL);
	assert_outcome(x, HTTP_ERROR_TOO_SLOW, HTTP_AMBIGUOUS);
	assert_int_equal(x.status, 200);
	asker_free(&a);
	peer_stop(p);
}

/* ---- cancelling, freeing, many at once ---- */

struct meddler {
	struct asker *a;
	struct http_transfer *other, *self;
	struct answer *other_answer;
	bool frees, restarts;
	char url[64];
	int calls;
};

static void on_meddle(void *arg, const struct http_response *r)
{
	struct meddler *m = arg;

	m->calls++;
	http_cancel(m->other);
	http_cancel(m->self); /* being delivered: nothing happens */
	if (m->frees)
		http_client_free(m->a->client);
	loop_stop(m->a->loop);
}

TEST(a_callback_may_cancel_others_itself_and_free_the_client)
{
	for (int frees = 0; frees < 2; frees++) {
		struct peer *p = peer_start(serve_ok, NULL), *silent = peer_start(serve_hang, NULL);
		struct asker a = asker_new(NULL);
		struct answer never = { 0 };
		struct meddler m = { .a = &a, .frees = frees };
		char other[64];
		snprintf(m.url, sizeof(m.url), "http://127.0.0.1:%u/", p->port);
		snprintf(other, sizeof(other), "http://127.0.0.1:%u/", silent->port);
		m.other = http_start(a.client, &(struct http_request){ .method = STR("GET"), .url = str_c(other) }, ask_done, &never, NULL);
		m.self = http_start(a.client, &(struct http_request){ .method = STR("GET"), .url = str_c(m.url) }, on_meddle, &m, NULL);
		loop_run(a.loop);
		assert_int_equal(m.calls, 1);
		assert_int_equal(never.calls, 0);
		if (!frees)
			http_client_free(a.client);
		loop_free(a.loop);
		peer_stop(p);
		peer_stop(silent);
	}
}

TEST(a_cancelled_transfer_is_silent_at_every_stage)
{
	struct peer *p = peer_start(serve_hang, NULL), *ok = peer_start(serve_ok, NULL);
	struct asker a = asker_new(&(struct http_client_config){ .max_connections = 2 });
	struct answer never = { 0 };
	struct http_transfer *t[6];
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", p->port);
	struct http_request r = { .method = STR("POST"), .url = str_c(url), .body = STR("x") };
	for (int i = 0; i < 5; i++)
		t[i] = http_start(a.client, &r, ask_done, &never, NULL);
	r.url = STR("nonsense");
	t[5] = http_start(a.client, &r, ask_done, &never, NULL);
	http_cancel(t[0]); /* not yet begun */
	http_cancel(t[5]); /* refused, not yet told */
	assert_int_equal(http_client_live(a.client), 4);
	turn_until_idle_end_is_seen(&a);
	http_cancel(t[1]); /* running */
	http_cancel(t[4]); /* waiting for a place */
	turn_until_idle_end_is_seen(&a);
	http_cancel(t[2]);
	http_cancel(t[3]);
	assert_int_equal(http_client_live(a.client), 0);
	assert_outcome(ask(&a, "GET", ok, "/", NULL), HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_int_equal(never.calls, 0);
	asker_free(&a);
	peer_stop(p);
	peer_stop(ok);
}

struct storm {
	struct asker *a;
	char url[64];
	size_t started, done, wanted, failed;
};

static void storm_start(struct storm *s);

static void on_storm(void *arg, const struct http_response *r)
{
	struct storm *s = arg;

	s->failed += r->error != HTTP_ERROR_NONE || !str_eq(buf_str(r->body), STR("ok"));
	if (++s->done == s->wanted)
		loop_stop(s->a->loop);
	storm_start(s);
}

static void storm_start(struct storm *s)
{
	if (s->started == s->wanted)
		return;
	s->started++;
	assert_non_null(http_start(s->a->client, &(struct http_request){ .method = STR("GET"), .url = str_c(s->url) }, on_storm, s, NULL));
}

TEST(no_wake_up_is_lost_at_any_concurrency)
{
	static const size_t at_once[] = { 1, 3, 16, 64, 65, 200 };

	for (size_t i = 0; i < ARRAY_LEN(at_once); i++) {
		struct peer *p = peer_start(serve_ok, NULL);
		struct asker a = asker_new(&(struct http_client_config){ .max_connections = at_once[i] });
		struct storm s = { .a = &a, .wanted = 1500 };
		snprintf(s.url, sizeof(s.url), "http://127.0.0.1:%u/", p->port);
		for (size_t k = 0; k < at_once[i] + 5; k++) /* a few wait */
			storm_start(&s);
		loop_run(a.loop);
		assert_int_equal(s.done, 1500);
		assert_int_equal(s.failed, 0);
		assert_true(atomic_load(&p->n) <= (int)at_once[i]);
		asker_free(&a);
		peer_stop(p);
	}
}

static void on_take(void *arg, const struct http_response *r)
{
	char **taken = arg;
	size_t n;

	*taken = buf_take(r->body, &n);
	assert_int_equal(n, 2);
}

TEST(a_body_may_be_taken)
{
	struct peer *p = peer_start(serve_ok, NULL);
	struct asker a = asker_new(NULL);
	char *taken = NULL, url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", p->port);
	http_start(a.client, &(struct http_request){ .method = STR("GET"), .url = str_c(url) }, on_take, &taken, NULL);
	turn_until_idle_end_is_seen(&a);
	while (!taken)
		turn_until_idle_end_is_seen(&a);
	assert_string_equal(taken, "ok");
	free(taken);
	assert_outcome(ask(&a, "GET", p, "/", NULL), HTTP_ERROR_NONE, HTTP_ANSWERED);
	asker_free(&a);
	peer_stop(p);
}

static void serve_growing(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;

	if (peer_read(p, fd, &r)) {
		peer_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n3\r\nabc\r\n");
		peer_wait_end(fd);
	}
}

/* It is evidence, and goes into the ledger. */
TEST(a_body_that_grew_too_large_may_be_taken_as_far_as_it_went)
{
	struct peer *p = peer_start(serve_growing, NULL);
	struct asker a = asker_new(NULL);
	char *taken = NULL, url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", p->port);
	http_start(a.client, &(struct http_request){ .method = STR("GET"), .url = str_c(url), .max_body = 4 }, on_take, &taken, NULL);
	while (http_client_live(a.client) > 0)
		turn_until_idle_end_is_seen(&a);
	assert_non_null(taken);
	assert_string_equal(taken, "ok");
	free(taken);
	asker_free(&a);
	peer_stop(p);
}

RUN_ON_BOTH_TIERS(CLAIM(a_post_on_a_kept_connection_that_dies_is_sent_once), CLAIM(a_get_on_a_kept_connection_that_dies_is_the_callers_to_repeat),
	  CLAIM(a_kept_connection_closed_in_time_is_replaced_without_doubt), CLAIM(an_answer_nobody_asked_for_is_not_the_next_ones),
	  CLAIM(a_connection_with_two_lengths_is_not_used_again), CLAIM(connections_are_kept_unless_a_fresh_one_is_wanted),
	  CLAIM(requests_say_what_they_should_and_nothing_else), CLAIM(a_head_request_awaits_no_body),
	  CLAIM(a_large_body_is_sent_without_asking_first), CLAIM(nonsense_is_refused_before_it_is_sent),
	  CLAIM(a_refused_connection_is_provably_not_sent), CLAIM(a_full_backlog_is_a_connect_timeout),
	  CLAIM(the_guard_sees_the_address_however_it_is_written), CLAIM(a_tls_handshake_that_stalls_is_a_connect_timeout),
	  CLAIM(names_resolve_without_blocking_and_their_failures_are_told_apart),
	  CLAIM(the_first_byte_and_the_whole_have_their_own_timeouts), CLAIM(an_answer_in_drops_is_too_slow),
	  CLAIM(a_callback_may_cancel_others_itself_and_free_the_client), CLAIM(a_cancelled_transfer_is_silent_at_every_stage),
	  CLAIM(no_wake_up_is_lost_at_any_concurrency), CLAIM(a_body_may_be_taken),
	  CLAIM(a_body_that_grew_too_large_may_be_taken_as_far_as_it_went))
