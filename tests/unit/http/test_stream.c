/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that never lie in memory as a whole: answers into a sink, with pauses; requests in pieces, from files too. */
#include "test.h"
#include "ask.h"
#include "http/client_int.h"

#include <fcntl.h>
#include <stdlib.h>
#include <zlib.h>

#define BIG (24u << 20)
#define REST 50		/* ms of a pause: longer than a window of slowness */
#define MARK (6u << 20) /* the sink pauses after so many bytes */

/* Byte i of the big body. */
static unsigned char byte_at(uint64_t i)
{
	return (unsigned char)(i * 2654435761u >> 13);
}

static void fill(char *to, uint64_t from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (char)byte_at(from + i);
}

/* ---- the answering side ---- */

static void send_big(int fd, bool chunked)
{
	static _Thread_local char block[64 << 10]; /* a connection is a thread */
	char line[32];

	for (uint64_t at = 0; at < BIG; at += sizeof(block)) {
		fill(block, at, sizeof(block));
		if (chunked) {
			snprintf(line, sizeof(line), "%zx\r\n", sizeof(block));
			peer_say(fd, line);
		}
		peer_send(fd, block, sizeof(block));
		if (chunked)
			peer_say(fd, "\r\n");
	}
	if (chunked)
		peer_say(fd, "0\r\n\r\n");
}

static void send_gzip(int fd)
{
	char *plain = malloc(BIG), *packed = malloc(BIG + (BIG >> 3));
	z_stream z = { .next_in = (unsigned char *)plain,
		       .avail_in = BIG,
		       .next_out = (unsigned char *)packed,
		       .avail_out = BIG + (BIG >> 3) };
	char head[200];

	fill(plain, 0, BIG);
	assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %lu\r\n\r\n",
		 z.total_out);
	peer_say(fd, head);
	peer_send(fd, packed, z.total_out);
	deflateEnd(&z);
	free(plain);
	free(packed);
}

static void serve(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;
	char head[200];

	while (peer_read(p, fd, &r)) {
		if (strcmp(r.target, "/chunked") == 0) {
			peer_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
			send_big(fd, true);
		} else if (strcmp(r.target, "/gzip") == 0) {
			send_gzip(fd);
		} else if (strcmp(r.target, "/cut") == 0) {
			peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
			send_big(fd, false);
			return;
		} else if (strcmp(r.target, "/no") == 0) {
			peer_say(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nnothing");
		} else if (strcmp(r.target, "/small") == 0) {
			peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsmall");
		} else {
			snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", BIG);
			peer_say(fd, head);
			send_big(fd, false);
		}
	}
}

/* ---- the sink ---- */

struct taker {
	struct http_sink sink;
	struct http_transfer *t;
	struct loop_timer timer;
	struct loop *loop;
	uint64_t got, next_pause;
	size_t largest;
	int asked, wrong, pauses, taken_in_pause;
	bool is_paused, refuses;
};

static bool wants(struct http_sink *sink, int status, const struct headers *headers)
{
	CONTAINER_OF(sink, struct taker, sink)->asked++;
	return status == 200;
}

static void on_rested(struct loop_timer *timer)
{
	struct taker *x = CONTAINER_OF(timer, struct taker, timer);

	x->is_paused = false;
	http_resume(x->t);
	http_resume(x->t);
}

static bool take(struct http_sink *sink, struct str bytes, struct err *e)
{
	struct taker *x = CONTAINER_OF(sink, struct taker, sink);

	for (size_t i = 0; i < bytes.len; i++)
		x->wrong += (unsigned char)bytes.ptr[i] != byte_at(x->got + i);
	x->got += bytes.len;
	x->taken_in_pause += x->is_paused;
	x->largest = bytes.len > x->largest ? bytes.len : x->largest;
	if (x->refuses)
		return err_set(e, ERR_STATE, "no more, please"), false;
	if (x->next_pause && x->got >= x->next_pause) {
		x->next_pause += MARK;
		x->pauses++;
		x->is_paused = true;
		http_pause(x->t);
		http_pause(x->t);
		assert_int_equal(loop_timer_start(&x->timer, REST), 0);
	}
	return true;
}

static struct answer sink_it(struct asker *a, struct peer *p, const char *target, struct taker *x)
{
	int remaining = 1;
	struct answer answer = { .loop = a->loop, .remaining = &remaining };
	struct err e = ERR_INIT;
	char url[200];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", p->port, target);
	x->sink.wants = wants;
	x->sink.take = take;
	loop_timer_init(a->loop, &x->timer, on_rested);
	struct http_request r = {
		.method = STR("GET"), .url = str_c(url), .sink = &x->sink, .max_body = 1000, .total_timeout = 20000
	};
	x->t = http_start(a->client, &r, ask_done, &answer, &e);
	assert_non_null(x->t);
	loop_run(a->loop);
	loop_timer_stop(&x->timer);
	return answer;
}

TEST(a_sink_gets_every_byte_and_memory_none)
{
	static const char *const targets[] = { "/length", "/chunked", "/gzip" };
	struct peer *p = peer_start(serve, NULL);
	struct asker a = asker_new(NULL);

	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		struct taker x = { 0 };
		struct answer got = sink_it(&a, p, targets[i], &x);
		assert_outcome(got, HTTP_ERROR_NONE, HTTP_ANSWERED);
		assert_int_equal(got.body_len, 0);
		assert_int_equal(x.got, BIG);
		assert_int_equal(x.wrong, 0);
		assert_true(x.largest <= 1 << 20);
	}
	assert_int_equal(p->n, 1); /* the connection was kept all the time */
	asker_free(&a);
	peer_stop(p);
}

TEST(a_paused_transfer_takes_nothing_and_goes_on_where_it_was)
{
	static const char *const targets[] = { "/length", "/chunked", "/gzip" };
	struct peer *p = peer_start(serve, NULL);
	struct asker a = asker_new(NULL);

	transfer_set_slow_window(a.client, 20); /* a pause is no slowness */
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		struct taker x = { .next_pause = MARK };
		assert_outcome(sink_it(&a, p, targets[i], &x), HTTP_ERROR_NONE, HTTP_ANSWERED);
		assert_int_equal(x.got, BIG);
		assert_int_equal(x.wrong, 0);
		assert_true(x.pauses >= 3);
		/* what had been read already: 64 KiB on the wire at most, in slices of 4 KiB when they are decoded */
		assert_true(x.taken_in_pause <= x.pauses * 20);
	}
	asker_free(&a);
	peer_stop(p);
}

TEST(what_a_sink_does_not_want_is_gathered)
{
	struct peer *p = peer_start(serve, NULL);
	struct asker a = asker_new(NULL);
	struct taker x = { 0 };
	struct answer got = sink_it(&a, p, "/no", &x);

	assert_outcome(got, HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_int_equal(got.status, 404);
	assert_string_equal(got.body, "nothing");
	assert_int_equal(x.got, 0);
	assert_int_equal(x.asked, 1);
	asker_free(&a);
	peer_stop(p);
}

TEST(a_sink_may_refuse_and_has_a_limit)
{
	struct peer *p = peer_start(serve, NULL);
	struct asker a = asker_new(NULL);
	struct taker x = { .refuses = true }, small = { .sink.max_body = 5u << 20 }, cut = { 0 };
	struct answer got = sink_it(&a, p, "/length", &x);

	assert_outcome(got, HTTP_ERROR_INTERNAL, HTTP_AMBIGUOUS);
	assert_string_equal(got.detail, "no more, please");
	assert_outcome(sink_it(&a, p, "/length", &small), HTTP_ERROR_TOO_LARGE, HTTP_ANSWERED); /* as announced */
	assert_int_equal(small.got, 0);
	assert_outcome(sink_it(&a, p, "/chunked", &small), HTTP_ERROR_TOO_LARGE, HTTP_ANSWERED); /* as it came */
	assert_true(small.got <= 5u << 20);
	assert_outcome(sink_it(&a, p, "/cut", &cut), HTTP_ERROR_TRUNCATED, HTTP_AMBIGUOUS);
	assert_int_equal(cut.got, BIG);
	asker_free(&a);
	peer_stop(p);
}

static void on_given_up(struct loop_timer *timer)
{
	struct taker *x = CONTAINER_OF(timer, struct taker, timer);

	http_cancel(x->t);
	loop_stop(x->loop);
}

/* A pause that nobody ends is ended by cancelling. */
TEST(a_paused_transfer_may_be_cancelled)
{
	struct peer *p = peer_start(serve, NULL);
	struct asker a = asker_new(NULL);
	struct taker x = { .next_pause = MARK };
	struct err e = ERR_INIT;
	struct answer answer = { 0 };
	char url[200];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/length", p->port);
	x.sink.wants = wants;
	x.sink.take = take;
	loop_timer_init(a.loop, &x.timer, on_given_up);
	x.loop = a.loop;
	struct http_request r = { .method = STR("GET"), .url = str_c(url), .sink = &x.sink };
	x.t = http_start(a.client, &r, ask_done, &answer, &e);
	loop_run(a.loop);
	assert_true(x.is_paused);
	assert_int_equal(answer.calls, 0);
	assert_int_equal(http_client_live(a.client), 0);
	asker_free(&a);
	peer_stop(p);
}

/* ---- requests in pieces ---- */

struct upload {
	atomic_ulong got, wrong;
	atomic_bool is_early; /* answer before the body is in */
};

static void serve_upload(struct peer *p, int fd, int number, void *arg)
{
	struct upload *u = arg;
	static _Thread_local char block[64 << 10]; /* a connection is a thread */
	char head[4096];
	size_t n = 0;

	for (;;) {
		for (n = 0; n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0; n++)
			if (recv(fd, head + n, 1, 0) != 1)
				return;
		head[n] = 0;
		uint64_t want = strtoull(strcasestr(head, "Content-Length:") + 15, NULL, 10), at = 0;
		while (at < want) {
			ssize_t got = recv(fd, block, want - at < sizeof(block) ? want - at : sizeof(block), 0);
			if (got <= 0)
				return;
			for (ssize_t i = 0; i < got; i++)
				u->wrong += (unsigned char)block[i] != byte_at(at + (uint64_t)i);
			at += (uint64_t)got;
			u->got += (unsigned long)got;
		}
		peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	}
}

static int file_of(uint64_t from, size_t n)
{
	char path[] = "/tmp/weir-test-XXXXXX", *bytes = malloc(n);
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	fill(bytes, from, n);
	assert_int_equal(write(fd, bytes, n), (ssize_t)n);
	free(bytes);
	return fd;
}

static struct answer upload(struct asker *a, struct peer *p, const struct http_piece *pieces, size_t n)
{
	char url[200];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", p->port);
	return ask_request(
	    a, &(struct http_request){
		   .method = STR("POST"), .url = str_c(url), .pieces = pieces, .n_pieces = n, .total_timeout = 20000 });
}

TEST(a_body_in_pieces_arrives_as_one)
{
	enum { HEAD = 1000, FILE1 = 5 << 20, FILE2 = 1 };
	struct upload u = { 0 };
	struct peer *p = peer_start(serve_upload, &u);
	struct asker a = asker_new(NULL);
	char head[HEAD], tail[HEAD];
	int one = file_of(HEAD - 7, FILE1 + 7), two = file_of(HEAD + FILE1, FILE2);
	struct http_piece pieces[] = {
		{ .bytes = str_from(head, HEAD) },
		{ .fd = one, .offset = 7, .len = FILE1 },
		{ .bytes = STR("") },
		{ .fd = two, .len = FILE2 },
		{ .fd = two, .len = 0 },
		{ .bytes = str_from(tail, HEAD) },
	};

	fill(head, 0, HEAD);
	fill(tail, HEAD + FILE1 + FILE2, HEAD);
	for (int i = 0; i < 2; i++) {
		struct answer got = upload(&a, p, pieces, ARRAY_LEN(pieces));
		assert_outcome(got, HTTP_ERROR_NONE, HTTP_ANSWERED);
		assert_string_equal(got.body, "ok");
	}
	assert_int_equal(u.got, 2 * (2 * HEAD + FILE1 + FILE2));
	assert_int_equal(u.wrong, 0);
	assert_int_equal(p->n, 1);
	close(one);
	close(two);
	asker_free(&a);
	peer_stop(p);
}

TEST(a_file_that_has_shrunk_is_an_error_and_no_short_body)
{
	struct upload u = { 0 };
	struct peer *p = peer_start(serve_upload, &u);
	struct asker a = asker_new(NULL);
	int one = file_of(0, 1000);
	struct http_piece piece = { .fd = one, .len = 2000 }, gone = { .fd = -1, .len = 10 };
	struct answer got = upload(&a, p, &piece, 1);

	assert_int_equal(got.error, HTTP_ERROR_INTERNAL);
	assert_int_equal(got.certainty, HTTP_AMBIGUOUS);
	assert_int_equal(upload(&a, p, &gone, 1).error, HTTP_ERROR_INTERNAL);
	close(one);
	asker_free(&a);
	peer_stop(p);
}

RUN_ON_BOTH_TIERS(CLAIM(a_sink_gets_every_byte_and_memory_none),
		  CLAIM(a_paused_transfer_takes_nothing_and_goes_on_where_it_was),
		  CLAIM(what_a_sink_does_not_want_is_gathered), CLAIM(a_sink_may_refuse_and_has_a_limit),
		  CLAIM(a_paused_transfer_may_be_cancelled), CLAIM(a_body_in_pieces_arrives_as_one),
		  CLAIM(a_file_that_has_shrunk_is_an_error_and_no_short_body))
