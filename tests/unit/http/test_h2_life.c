/* SPDX-License-Identifier: Apache-2.0 */
/* Life of HTTP/2 connections: who shares them, who waits, what happens to the others when one of many ends, or all do. */
#include "ask.h"
#include "base/alloc.h"
#include "h2peer.h"

#define MANY 100

/* ---- many at once ---- */

struct crowd {
	struct asker a;
	struct answer answers[MANY];
	struct http_transfer *transfers[MANY];
	int remaining;
};

static struct http_request request_to(struct peer *p, char url[64], const char *method, struct str body)
{
	snprintf(url, 64, "http://127.0.0.1:%u/", p->port);
	return (struct http_request){ .method = str_c(method),
				      .url = str_c(url),
				      .body = body,
				      .http_version = HTTP_WISH_2,
				      .total_timeout = 20000 };
}

static void crowd_start(struct crowd *k, struct http_request r, int n)
{
	struct err e = ERR_INIT;

	memset(k->answers, 0, sizeof(k->answers));
	k->remaining = n;
	for (int i = 0; i < n; i++) {
		k->answers[i] = (struct answer){ .loop = k->a.loop, .remaining = &k->remaining };
		k->transfers[i] = http_start(k->a.client, &r, ask_done, &k->answers[i], &e);
		assert_non_null(k->transfers[i]);
	}
}

static int count(const struct crowd *k, int n, enum http_error error, enum http_certainty certainty)
{
	int found = 0;

	for (int i = 0; i < n; i++)
		found += k->answers[i].calls == 1 && k->answers[i].error == error && k->answers[i].certainty == certainty;
	return found;
}

static struct answer ask_once(struct asker *a, struct peer *p, const char *method, struct http_request more)
{
	char url[64];
	struct http_request r = request_to(p, url, method, STR_NULL);

	if (more.total_timeout)
		r.total_timeout = more.total_timeout;
	r.connect_timeout = more.connect_timeout;
	r.body = more.body;
	return ask_request(a, &r);
}

static void serve_all(struct peer *p, int fd, int number, void *arg)
{
	uint32_t stream;

	if (!h2p_greet(fd, 100, -1))
		return;
	while ((stream = h2p_request(p, fd, false)))
		h2p_say(fd, stream, "H 200 content-length=2; De ok");
}

TEST(a_hundred_transfers_share_one_connection_and_the_next_ones_reuse_it)
{
	struct crowd k = { .a = asker_new(NULL) };
	struct peer *p = peer_start(serve_all, NULL);
	char url[64];

	for (int round = 1; round <= 3; round++) {
		crowd_start(&k, request_to(p, url, "GET", STR_NULL), MANY);
		loop_run(k.a.loop);
		assert_int_equal(count(&k, MANY, HTTP_ERROR_NONE, HTTP_ANSWERED), MANY);
		assert_int_equal(atomic_load(&p->n), 1);
		assert_int_equal(atomic_load(&p->requests), round * MANY);
	}
	struct answer x = ask_once(&k.a, p, "POST", (struct http_request){ 0 });
	assert_int_equal(x.status, 200);
	assert_string_equal(x.version, "2");
	assert_int_equal(x.timings.connect, 0); /* a kept connection */
	assert_true(x.timings.sent > 0 && x.timings.sent <= x.timings.first_byte && x.timings.first_byte <= x.timings.total);
	assert_non_null(strstr(x.peer, "127.0.0.1:"));
	asker_free(&k.a);
	peer_stop(p);
}

/* Looks at all that the client has sent before it answers: the PING's answer comes behind it. */
static void serve_few(struct peer *p, int fd, int number, void *arg)
{
	atomic_int *violations = arg;
	static _Thread_local struct h2_frame f;
	uint32_t open[MANY];
	int n = 0;

	if (!h2p_greet(fd, 2, -1))
		return;
	while (h2p_read(fd, &f)) {
		if (f.type == F_HEADERS) {
			open[n++] = f.stream;
			atomic_fetch_add(&p->requests, 1);
			h2p_say(fd, 0, "P 1");
		}
		if (n > 2)
			atomic_fetch_add(violations, 1);
		if (f.type == F_PING && n > 0)
			h2p_say(fd, open[--n], "H 200; De ok");
	}
}

TEST(the_servers_limit_of_streams_is_kept_and_more_connections_are_few)
{
	atomic_int violations = 0;
	struct crowd k = { .a = asker_new(NULL) };
	struct peer *p = peer_start(serve_few, &violations);
	char url[64];

	crowd_start(&k, request_to(p, url, "GET", STR_NULL), MANY);
	loop_run(k.a.loop);
	assert_int_equal(count(&k, MANY, HTTP_ERROR_NONE, HTTP_ANSWERED), MANY);
	assert_int_equal(atomic_load(&violations), 0);
	assert_int_equal(atomic_load(&p->requests), MANY);
	assert_in_range(atomic_load(&p->n), 1, 6);
	asker_free(&k.a);
	peer_stop(p);
}

static void serve_none(struct peer *p, int fd, int number, void *arg)
{
	if (h2p_greet(fd, 0, -1))
		(void)h2p_request(p, fd, false);
}

TEST(a_server_that_takes_no_streams_is_waited_for_until_the_timeout_and_nothing_is_sent)
{
	struct asker a = asker_new(NULL);
	struct peer *p = peer_start(serve_none, NULL);
	struct answer x = ask_once(&a, p, "POST", (struct http_request){ .total_timeout = 300 });

	assert_outcome(x, HTTP_ERROR_TOTAL_TIMEOUT, HTTP_NOT_SENT);
	assert_int_equal(atomic_load(&p->requests), 0);
	assert_int_equal(atomic_load(&p->n), 1);
	asker_free(&a);
	peer_stop(p);
}

TEST(a_fresh_connection_is_one_of_its_own)
{
	struct asker a = asker_new(NULL);
	struct peer *p = peer_start(serve_all, NULL);
	char url[64];
	struct http_request r = request_to(p, url, "GET", STR_NULL);

	assert_outcome(ask_request(&a, &r), HTTP_ERROR_NONE, HTTP_ANSWERED);
	r.fresh_connection = true;
	assert_outcome(ask_request(&a, &r), HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_int_equal(atomic_load(&p->n), 2);
	r.fresh_connection = false;
	assert_outcome(ask_request(&a, &r), HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_int_equal(atomic_load(&p->n), 2);
	asker_free(&a);
	peer_stop(p);
}

TEST(libcurls_tier_refuses_a_wish_that_it_cannot_keep)
{
	struct asker a = asker_new(NULL);
	struct http_request r = { .method = STR("GET"),
				  .url = STR("http://127.0.0.1:1/"),
				  .tier = HTTP_TIER_CURL,
				  .http_version = HTTP_WISH_2 };

	assert_outcome(ask_request(&a, &r), HTTP_ERROR_INVALID_REQUEST, HTTP_NOT_SENT);
	asker_free(&a);
}

/* As many sessions as may be are leaving and still answering; a new request has a connection all the same. */
static void serve_leaving(struct peer *p, int fd, int number, void *arg)
{
	uint32_t stream;

	if (!h2p_greet(fd, 1, -1) || !(stream = h2p_request(p, fd, false)))
		return;
	if (number > 8)
		h2p_say(fd, stream, "H 200; De ok");
	else
		h2p_say(fd, stream, "G 1 0; H 200; D o; W");
}

TEST(sessions_that_leave_slowly_do_not_keep_others_waiting)
{
	struct crowd k = { .a = asker_new(NULL) };
	struct peer *p = peer_start(serve_leaving, NULL);
	char url[64];
	struct http_request r = request_to(p, url, "GET", STR_NULL);

	crowd_start(&k, r, 9); /* one stream a connection */
	k.remaining = 1;
	loop_run(k.a.loop);
	assert_int_equal(count(&k, 9, HTTP_ERROR_NONE, HTTP_ANSWERED), 1);
	assert_int_equal(atomic_load(&p->n), 9);
	asker_free(&k.a);
	peer_stop(p);
}

/* ---- HTTP/1.1 after all ---- */

static void serve_1_1_required(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;
	char first[3];
	uint32_t stream;

	if (recv(fd, first, 3, MSG_PEEK | MSG_WAITALL) != 3)
		return;
	if (memcmp(first, "PRI", 3) == 0) {
		if (h2p_greet(fd, -1, -1) && (stream = h2p_request(p, fd, true)) && h2p_say(fd, stream, arg))
			(void)h2p_request(p, fd, true);
		return;
	}
	while (peer_read(p, fd, &r)) {
		if (r.body_len != 5 || !strcasestr(r.head, "\r\nContent-Length: 5\r\n"))
			return;
		peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	}
}

TEST(http_1_1_required_sends_the_request_once_more_in_1_1_and_is_remembered)
{
	const char *const scripts[] = { "R 0xd", "G 0 0xd" };

	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		struct asker a = asker_new(NULL);
		struct peer *p = peer_start(serve_1_1_required, (void *)(uintptr_t)scripts[i]);
		struct answer x = ask_once(&a, p, "POST", (struct http_request){ .body = STR("hello") });
		assert_outcome(x, HTTP_ERROR_NONE, HTTP_ANSWERED);
		assert_string_equal(x.version, "1.1");
		assert_int_equal(atomic_load(&p->requests), 2);
		x = ask_once(&a, p, "POST", (struct http_request){ .body = STR("hello") });
		assert_outcome(x, HTTP_ERROR_NONE, HTTP_ANSWERED);
		assert_int_equal(atomic_load(&p->requests), 3); /* not asked in HTTP/2 again */
		assert_int_equal(atomic_load(&p->n), 2);
		asker_free(&a);
		peer_stop(p);
	}
}

/* ---- not HTTP/2 at all ---- */

static void serve_old(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;

	while (peer_read(p, fd, &r))
		peer_say(fd, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
}

static void serve_silence(struct peer *p, int fd, int number, void *arg)
{
	peer_wait_end(fd);
}

static void serve_goodbye(struct peer *p, int fd, int number, void *arg)
{
	if (h2p_preface(fd) && h2p_say(fd, 0, arg))
		(void)h2p_request(p, fd, false);
}

#define SETTINGS_AND_GOAWAY "X 000000 04 00 00000000 000008 07 00 00000000 00000000 " /* at once, and the code */

TEST(nothing_is_sent_to_a_server_that_does_not_greet_in_http_2)
{
	static const struct {
		peer_serve *serve;
		const char *arg;
		enum http_error error;
		int connections;
	} rows[] = {
		{ serve_old, NULL, HTTP_ERROR_BAD_RESPONSE, 1 },
		{ serve_silence, NULL, HTTP_ERROR_CONNECT_TIMEOUT, 1 },
		{ serve_goodbye, SETTINGS_AND_GOAWAY "0000000b", HTTP_ERROR_ENHANCE_YOUR_CALM, 1 },
		{ serve_goodbye, SETTINGS_AND_GOAWAY "00000000", HTTP_ERROR_CONNECTION_LOST, 4 }, /* tried elsewhere, but not for ever */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct asker a = asker_new(NULL);
		struct peer *p = peer_start(rows[i].serve, (void *)(uintptr_t)rows[i].arg);
		struct answer x = ask_once(&a, p, "POST", (struct http_request){ .connect_timeout = 300 });
		if (x.error != rows[i].error || x.certainty != HTTP_NOT_SENT)
			fail_msg("row %zu: %s/%d (%s)", i, http_error_name(x.error), x.certainty, x.detail);
		if (rows[i].serve == serve_goodbye)
			assert_int_equal(atomic_load(&p->requests), 0);
		assert_int_equal(atomic_load(&p->n), rows[i].connections);
		asker_free(&a);
		peer_stop(p);
	}
}

TEST(all_who_wait_for_a_connection_that_is_refused_learn_it_at_once)
{
	struct crowd k = { .a = asker_new(NULL) };
	struct peer *p = peer_start(serve_all, NULL);
	char url[64];
	struct http_request r = request_to(p, url, "POST", STR_NULL);

	peer_stop(p);
	crowd_start(&k, r, MANY);
	loop_run(k.a.loop);
	assert_int_equal(count(&k, MANY, HTTP_ERROR_CONNECT_REFUSED, HTTP_NOT_SENT), MANY);
	asker_free(&k.a);
}

TEST(all_who_wait_for_a_server_that_is_no_http_2_learn_it_at_once)
{
	struct crowd k = { .a = asker_new(NULL) };
	struct peer *p = peer_start(serve_old, NULL);
	char url[64];

	crowd_start(&k, request_to(p, url, "POST", STR_NULL), MANY);
	loop_run(k.a.loop);
	assert_int_equal(count(&k, MANY, HTTP_ERROR_BAD_RESPONSE, HTTP_NOT_SENT), MANY);
	assert_int_equal(atomic_load(&p->n), 1);
	asker_free(&k.a);
	peer_stop(p);
}

/* ---- bodies that go out ---- */

struct upload {
	int window, max_streams; /* max_streams 0 = not said */
	bool opens; /* the peer gives more window as it reads */
	const char *early; /* said as soon as the head is there */
	atomic_long bytes;
};

static void serve_upload(struct peer *p, int fd, int number, void *arg)
{
	static _Thread_local struct h2_frame f;
	struct upload *u = arg;

	if (!h2p_greet(fd, u->max_streams ? u->max_streams : -1, u->window))
		return;
	while (h2p_read(fd, &f)) {
		if (f.type == F_HEADERS) {
			atomic_fetch_add(&p->requests, 1);
			if (u->early && !h2p_say(fd, f.stream, u->early))
				return;
			if (u->opens && !(f.flags & F_END_STREAM))
				h2p_send_numbers(fd, F_WINDOW, f.stream, 777, 0, 4);
		}
		if (f.type != F_DATA)
			continue;
		for (size_t i = 0; u->opens && i < f.len; i++)
			if (f.payload[i] != (uint8_t)('a' + (atomic_load(&u->bytes) + (long)i) % 23))
				return;
		atomic_fetch_add(&u->bytes, (long)f.len);
		if (f.len && u->opens) {
			h2p_send_numbers(fd, F_WINDOW, f.stream, (uint32_t)f.len, 0, 4);
			h2p_send_numbers(fd, F_WINDOW, 0, (uint32_t)f.len, 0, 4);
		}
		if (f.flags & F_END_STREAM)
			h2p_say(fd, f.stream, "H 200 content-length=2; De ok");
	}
}

static struct answer upload(struct upload *u, size_t n, msec_t timeout)
{
	struct asker a = asker_new(NULL);
	struct peer *p = peer_start(serve_upload, u);
	char *body = malloc(n);

	for (size_t i = 0; i < n; i++)
		body[i] = (char)('a' + i % 23);
	struct answer x =
	    ask_once(&a, p, "POST", (struct http_request){ .body = str_from(body, n), .total_timeout = timeout });
	assert_int_equal(atomic_load(&p->requests), 1);
	asker_free(&a);
	peer_stop(p);
	free(body);
	return x;
}

TEST(a_body_goes_out_as_the_windows_allow)
{
	struct upload small = { .window = 10, .opens = true }, large = { .window = -1, .opens = true };
	struct upload shut = { .window = 0 }, narrow = { .window = 100 };

	assert_outcome(upload(&small, 50000, 0), HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_int_equal(atomic_load(&small.bytes), 50000);
	assert_outcome(upload(&large, 3000000, 0), HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_int_equal(atomic_load(&large.bytes), 3000000);
	assert_outcome(upload(&shut, 50000, 300), HTTP_ERROR_TOTAL_TIMEOUT, HTTP_AMBIGUOUS);
	assert_int_equal(atomic_load(&shut.bytes), 0);
	assert_outcome(upload(&narrow, 50000, 300), HTTP_ERROR_TOTAL_TIMEOUT, HTTP_AMBIGUOUS);
	assert_int_equal(atomic_load(&narrow.bytes), 100);
}

TEST(an_answer_to_half_a_request_is_an_answer)
{
	static const char *const scripts[] = { "He 413", "H 413; De no", "H 413; De no; R 0" };

	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		struct upload u = { .window = 100, .early = scripts[i] };
		struct answer x = upload(&u, 50000, 0);
		assert_outcome(x, HTTP_ERROR_NONE, HTTP_ANSWERED);
		assert_int_equal(x.status, 413);
	}
}

/* The other half is called off: the server has its stream back, and so have we. */
TEST(a_stream_that_was_answered_early_makes_room_for_the_next)
{
	struct upload u = { .window = 100, .max_streams = 1, .early = "He 413" };
	struct asker a = asker_new(NULL);
	struct peer *p = peer_start(serve_upload, &u);
	static char body[50000];

	for (int i = 0; i < 3; i++) {
		struct answer x = ask_once(&a, p, "POST",
					   (struct http_request){ .body = str_from(body, sizeof(body)), .total_timeout = 5000 });
		assert_outcome(x, HTTP_ERROR_NONE, HTTP_ANSWERED);
		assert_int_equal(x.status, 413);
	}
	assert_int_equal(atomic_load(&p->n), 1);
	asker_free(&a);
	peer_stop(p);
}

/* ---- one of many ends, or all do ---- */

/* Waits for `want` streams, then tells each its script by its place: 0, 1, 2 ... modulo the number of scripts. */
struct judgement_day {
	int want, n_scripts;
	const char *scripts[4];
	const char *last; /* said in the end */
};

static void serve_day(struct peer *p, int fd, int number, void *arg)
{
	struct judgement_day *d = arg;
	uint32_t streams[MANY];
	int n = 0;

	if (!h2p_greet(fd, 100, -1))
		return;
	if (number > 1) {
		while ((streams[0] = h2p_request(p, fd, false)))
			h2p_say(fd, streams[0], "H 200; De ok");
		return;
	}
	while (n < d->want && (streams[n] = h2p_request(p, fd, false)))
		n++;
	for (int i = 0; i < n; i++)
		h2p_say(fd, streams[i], d->scripts[i % d->n_scripts]);
	if (h2p_say(fd, 0, d->last))
		(void)h2p_request(p, fd, false);
}

TEST(a_connection_that_dies_with_a_hundred_streams_is_judged_stream_by_stream)
{
	struct judgement_day d = { MANY, 4, { "H 200; De ok", "H 200; D o", "R 7", "" }, "C" };
	struct crowd k = { .a = asker_new(NULL) };
	struct peer *p = peer_start(serve_day, &d);
	char url[64];

	crowd_start(&k, request_to(p, url, "POST", STR_NULL), MANY);
	loop_run(k.a.loop);
	assert_int_equal(count(&k, MANY, HTTP_ERROR_NONE, HTTP_ANSWERED), 25);
	assert_int_equal(count(&k, MANY, HTTP_ERROR_TRUNCATED, HTTP_AMBIGUOUS), 25);
	assert_int_equal(count(&k, MANY, HTTP_ERROR_REFUSED_STREAM, HTTP_NOT_SENT), 25);
	assert_int_equal(count(&k, MANY, HTTP_ERROR_CONNECTION_LOST, HTTP_AMBIGUOUS), 25);
	assert_int_equal(atomic_load(&p->requests), MANY); /* nothing is repeated by the client */
	asker_free(&k.a);
	peer_stop(p);
}

TEST(goaway_divides_those_that_are_answered_from_those_that_were_not_processed)
{
	/* streams 1, 3, ... 199; 101 is the last one that the server has looked at */
	struct judgement_day d = { MANY, 1, { "" }, "G 101 0; W" };
	struct crowd k = { .a = asker_new(NULL) };
	struct peer *p = peer_start(serve_day, &d);
	char url[64];

	crowd_start(&k, request_to(p, url, "POST", STR_NULL), MANY);
	k.remaining = 49;
	loop_run(k.a.loop);
	assert_int_equal(count(&k, MANY, HTTP_ERROR_REFUSED_STREAM, HTTP_NOT_SENT), 49);
	k.remaining = 1; /* while the others still wait: on a connection of its own */
	struct answer x = { .loop = k.a.loop, .remaining = &k.remaining };
	struct err e = ERR_INIT;
	struct http_request r = request_to(p, url, "POST", STR_NULL);
	assert_non_null(http_start(k.a.client, &r, ask_done, &x, &e));
	loop_run(k.a.loop);
	assert_outcome(x, HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_int_equal(atomic_load(&p->n), 2);
	assert_int_equal(http_client_live(k.a.client), 51);
	asker_free(&k.a);
	peer_stop(p);
}

TEST(a_cancelled_stream_takes_no_other_with_it)
{
	struct judgement_day d = { MANY - 1, 1, { "H 200; De ok" }, "W" };
	struct crowd k = { .a = asker_new(NULL) };
	struct peer *p = peer_start(serve_day, &d);
	char url[64];

	crowd_start(&k, request_to(p, url, "GET", STR_NULL), MANY);
	http_cancel(k.transfers[7]); /* before anything has left */
	k.remaining = 10;
	loop_run(k.a.loop);
	for (int i = MANY - 1, n = 0; i > 0 && n < 5; i--) { /* some that are answered already or about to be */
		if (i == 7 || k.answers[i].calls)
			continue;
		http_cancel(k.transfers[i]);
		k.remaining--;
		n++;
	}
	k.remaining = (int)http_client_live(k.a.client);
	if (k.remaining)
		loop_run(k.a.loop);
	for (int i = 0; i < MANY; i++)
		if (k.answers[i].calls)
			assert_outcome(k.answers[i], HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_int_equal(k.answers[7].calls, 0);
	assert_int_equal(http_client_live(k.a.client), 0);
	asker_free(&k.a);
	peer_stop(p);
}

/* The leader of those who wait gives up: the next one takes its place. */
TEST(cancelling_the_one_that_connects_leaves_the_others_served)
{
	struct crowd k = { .a = asker_new(NULL) };
	struct peer *p = peer_start(serve_all, NULL);
	char url[64];

	for (int turns = 0; turns < 4; turns++) {
		crowd_start(&k, request_to(p, url, "GET", STR_NULL), MANY);
		http_cancel(k.transfers[0]);
		k.remaining--;
		loop_run(k.a.loop);
		assert_int_equal(count(&k, MANY, HTTP_ERROR_NONE, HTTP_ANSWERED), MANY - 1);
	}
	asker_free(&k.a);
	peer_stop(p);
}

struct ending {
	struct asker a;
	int calls;
};

static void free_inside(void *arg, const struct http_response *r)
{
	struct ending *e = arg;

	e->calls++;
	assert_int_equal(r->status, 200);
	http_client_free(e->a.client);
	loop_stop(e->a.loop);
}

TEST(a_client_may_be_freed_inside_a_callback_with_many_streams_open)
{
	struct ending x = { .a = asker_new(NULL) };
	struct judgement_day d = { MANY, 2, { "H 200; De ok", "H 200; D o" }, "W" };
	struct peer *p = peer_start(serve_day, &d);
	struct err e = ERR_INIT;
	char url[64];
	struct http_request r = request_to(p, url, "GET", STR_NULL);

	for (int i = 0; i < MANY; i++)
		assert_non_null(http_start(x.a.client, &r, free_inside, &x, &e));
	loop_run(x.a.loop);
	assert_int_equal(x.calls, 1);
	loop_free(x.a.loop);
	peer_stop(p);
}

/* ---- idle ---- */

/* Answers, asks whether the client is there, and leaves when it says so: the next request must not be lost in that. */
static void serve_and_leave(struct peer *p, int fd, int number, void *arg)
{
	static _Thread_local struct h2_frame f;
	uint32_t stream;
	atomic_int *pongs = arg;

	if (!h2p_greet(fd, -1, -1) || !(stream = h2p_request(p, fd, true)))
		return;
	h2p_say(fd, stream, "H 200; De ok; P 1");
	while (h2p_read(fd, &f)) {
		if (f.type != F_PING)
			continue;
		(void)shutdown(fd, SHUT_WR); /* its end is on the wire before it is counted */
		atomic_fetch_add(pongs, 1);
		return;
	}
}

static void stop_waiting(struct loop_timer *t)
{
	loop_stop(t->loop);
}

/* Turns the loop until the peer has counted so far; a bound, and no measure. */
static void turn_until(struct asker *a, atomic_int *counter, int value)
{
	for (int k = 0; k < 2000 && atomic_load(counter) < value; k++) {
		struct loop_timer t;
		loop_timer_init(a->loop, &t, stop_waiting);
		assert_int_equal(loop_timer_start(&t, 5), 0);
		loop_run(a->loop);
	}
	assert_int_equal(atomic_load(counter), value);
}

TEST(an_idle_session_answers_ping_and_its_end_costs_no_request)
{
	atomic_int pongs = 0;
	struct asker a = asker_new(NULL);
	struct peer *p = peer_start(serve_and_leave, &pongs);

	for (int i = 1; i <= 5; i++) {
		assert_outcome(ask_once(&a, p, "POST", (struct http_request){ 0 }), HTTP_ERROR_NONE, HTTP_ANSWERED);
		turn_until(&a, &pongs, i);
	}
	assert_int_equal(atomic_load(&p->requests), 5);
	assert_int_equal(atomic_load(&p->n), 5);
	asker_free(&a);
	peer_stop(p);
}

static void serve_and_wait(struct peer *p, int fd, int number, void *arg)
{
	uint32_t stream;

	if (!h2p_greet(fd, -1, -1) || !(stream = h2p_request(p, fd, true)))
		return;
	h2p_say(fd, stream, "H 200; De ok; W");
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void serve_and_send_away(struct peer *p, int fd, int number, void *arg)
{
	uint32_t stream;

	if (!h2p_greet(fd, -1, -1) || !(stream = h2p_request(p, fd, true)))
		return;
	h2p_say(fd, stream, "G 1 0; H 200; De ok; W");
	atomic_fetch_add((atomic_int *)arg, 1);
}

TEST(a_session_that_was_told_to_go_is_closed_after_its_last_stream)
{
	atomic_int gone = 0;
	struct asker a = asker_new(NULL);
	struct peer *p = peer_start(serve_and_send_away, &gone);

	assert_outcome(ask_once(&a, p, "GET", (struct http_request){ 0 }), HTTP_ERROR_NONE, HTTP_ANSWERED);
	turn_until(&a, &gone, 1);
	asker_free(&a);
	peer_stop(p);
}

TEST(sessions_beyond_the_limit_of_idle_connections_are_closed)
{
	atomic_int gone = 0;
	struct asker a = asker_new(&(struct http_client_config){ .max_idle = 1 });
	struct peer *p[3];

	for (int i = 0; i < 3; i++) {
		p[i] = peer_start(serve_and_wait, &gone);
		assert_outcome(ask_once(&a, p[i], "GET", (struct http_request){ 0 }), HTTP_ERROR_NONE, HTTP_ANSWERED);
	}
	turn_until(&a, &gone, 2);
	asker_free(&a);
	for (int i = 0; i < 3; i++)
		peer_stop(p[i]);
}

/* ---- memory ---- */

TEST(each_allocation_may_fail)
{
	struct peer *p = peer_start(serve_all, NULL);
	char url[64];
	struct http_request r = request_to(p, url, "POST", STR("hello"));
	unsigned long n = 0;

	r.total_timeout = 3000;
	do {
		struct err e = ERR_INIT;
		int remaining = 1;
		struct asker a = asker_new(NULL);
		struct answer x = { .loop = a.loop, .remaining = &remaining };
		alloc_fail_after(++n);
		if (http_start(a.client, &r, ask_done, &x, &e)) {
			loop_run(a.loop);
			assert_int_equal(x.calls, 1);
		}
		if (alloc_has_failed() && x.calls && x.error == HTTP_ERROR_NONE)
			assert_int_equal(x.status, 200); /* it was not needed after all */
		asker_free(&a);
	} while (alloc_has_failed() && n < 2000);
	alloc_fail_after(0);
	assert_in_range(n, 20, 1999);
	peer_stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_transfers_share_one_connection_and_the_next_ones_reuse_it),
		cmocka_unit_test(the_servers_limit_of_streams_is_kept_and_more_connections_are_few),
		cmocka_unit_test(a_server_that_takes_no_streams_is_waited_for_until_the_timeout_and_nothing_is_sent),
		cmocka_unit_test(a_fresh_connection_is_one_of_its_own),
		cmocka_unit_test(libcurls_tier_refuses_a_wish_that_it_cannot_keep),
		cmocka_unit_test(sessions_that_leave_slowly_do_not_keep_others_waiting),
		cmocka_unit_test(http_1_1_required_sends_the_request_once_more_in_1_1_and_is_remembered),
		cmocka_unit_test(nothing_is_sent_to_a_server_that_does_not_greet_in_http_2),
		cmocka_unit_test(all_who_wait_for_a_connection_that_is_refused_learn_it_at_once),
		cmocka_unit_test(all_who_wait_for_a_server_that_is_no_http_2_learn_it_at_once),
		cmocka_unit_test(a_stream_that_was_answered_early_makes_room_for_the_next),
		cmocka_unit_test(a_body_goes_out_as_the_windows_allow),
		cmocka_unit_test(an_answer_to_half_a_request_is_an_answer),
		cmocka_unit_test(a_connection_that_dies_with_a_hundred_streams_is_judged_stream_by_stream),
		cmocka_unit_test(goaway_divides_those_that_are_answered_from_those_that_were_not_processed),
		cmocka_unit_test(a_cancelled_stream_takes_no_other_with_it),
		cmocka_unit_test(cancelling_the_one_that_connects_leaves_the_others_served),
		cmocka_unit_test(a_client_may_be_freed_inside_a_callback_with_many_streams_open),
		cmocka_unit_test(an_idle_session_answers_ping_and_its_end_costs_no_request),
		cmocka_unit_test(a_session_that_was_told_to_go_is_closed_after_its_last_stream),
		cmocka_unit_test(sessions_beyond_the_limit_of_idle_connections_are_closed),
		cmocka_unit_test(each_allocation_may_fail),
	};
	tier_under_test = HTTP_TIER_H1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
