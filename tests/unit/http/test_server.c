/* SPDX-License-Identifier: Apache-2.0 */
/* The server, asked by raw sockets from threads and by our own client from the same loop. */
#include "http/server.h"
#include "ask.h"

#include <sys/mman.h>
#include <sys/stat.h>

struct site {
	struct loop *loop;
	struct http_server *server;
	struct http_exchange *parked;
	int requests, gone, file_fd;
	ino_t file; /* that was last given to be sent */
	struct loop_timer later;
	struct http_client *client; /* for handlers that make a call */
	char upstream[64];
};

static int a_file(struct site *s)
{
	struct stat st;

	s->file_fd = memfd_create("file", MFD_CLOEXEC);
	assert_int_equal(write(s->file_fd, "bytes of a file", 15), 15);
	assert_int_equal(fstat(s->file_fd, &st), 0);
	s->file = st.st_ino;
	return s->file_fd;
}

static bool file_is_open(const struct site *s)
{
	struct stat st;
	return fstat(s->file_fd, &st) == 0 && st.st_ino == s->file; /* the number may be somebody else's by now */
}

static void on_gone(void *arg)
{
	struct site *s = arg;

	s->gone++;
	s->parked = NULL;
}

static void on_later(struct loop_timer *t)
{
	struct site *s = CONTAINER_OF(t, struct site, later);
	struct http_exchange *x = s->parked;

	s->parked = NULL;
	if (x)
		assert_int_equal(exchange_reply(x, 200, NULL, STR("later")), 0);
}

static void reply_echo(struct http_exchange *x)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_append_str(&b, exchange_method(x));
	buf_append_char(&b, ' ');
	buf_append_str(&b, exchange_path(x));
	buf_append_c(&b, exchange_query(x).ptr ? " ?" : " -");
	buf_append_str(&b, exchange_query(x));
	buf_append_char(&b, ' ');
	buf_append_str(&b, exchange_header(x, "x-one"));
	buf_append_char(&b, ' ');
	buf_append_str(&b, exchange_body(x));
	assert_int_equal(exchange_reply(x, 201, NULL, buf_str(&b)), 0);
	assert_int_equal(exchange_reply(x, 200, NULL, STR("again")), -ERR_STATE);
	buf_done(&b);
}

static void on_upstream(void *arg, const struct http_response *r)
{
	exchange_reply(arg, r->error == HTTP_ERROR_NONE ? 200 : 502, NULL, buf_str(r->body));
}

static void on_request(void *arg, struct http_exchange *x)
{
	struct site *s = arg;
	struct str path = exchange_path(x);
	struct headers h = { 0 };

	s->requests++;
	if (str_eq_c(path, "/later")) {
		s->parked = x;
		loop_timer_start(&s->later, 20);
	} else if (str_eq_c(path, "/never")) {
		s->parked = x;
		exchange_on_gone(x, on_gone, s);
	} else if (str_eq_c(path, "/forgotten")) {
		s->parked = x;
	} else if (str_eq_c(path, "/proxy")) {
		http_start(s->client, &(struct http_request){ .method = STR("GET"), .url = str_c(s->upstream) }, on_upstream, x, NULL);
	} else if (str_eq_c(path, "/fields")) {
		headers_add(exchange_arena(x), &h, STR("Content-Type"), STR("text/x"), NULL);
		headers_add(exchange_arena(x), &h, STR("Content-Length"), STR("999"), NULL);
		headers_add(exchange_arena(x), &h, STR("X"), STR("y"), NULL);
		exchange_on_gone(x, on_gone, s);
		assert_int_equal(exchange_reply_static(x, 200, &h, STR("static")), 0);
	} else if (str_eq_c(path, "/file")) {
		assert_int_equal(exchange_reply_file(x, 200, NULL, a_file(s), 15), 0);
		assert_int_equal(exchange_reply_file(x, 200, NULL, memfd_create("file", MFD_CLOEXEC), 0), -ERR_STATE);
	} else if (str_eq_c(path, "/injected")) {
		struct header bad = { STR("X"), STR("a\r\nSet-Cookie: b") };
		h = (struct headers){ .items = &bad, .n = 1 };
		assert_int_equal(exchange_reply(x, 200, &h, STR("")), -ERR_INVALID);
		assert_int_equal(exchange_reply(x, 500, NULL, STR("refused")), 0);
	} else if (str_eq_c(path, "/close")) {
		http_server_close(s->server);
		s->server = NULL;
		s->parked = x;
	} else if (str_eq_c(path, "/stop")) {
		http_server_stop_accepting(s->server);
		assert_int_equal(exchange_reply(x, 200, NULL, STR("bye")), 0);
	} else {
		reply_echo(x);
	}
}

static void site_open(struct site *s, size_t max_body)
{
	struct err e = ERR_INIT;

	*s = (struct site){ .loop = loop_new(NULL) };
	loop_timer_init(s->loop, &s->later, on_later);
	if (http_server_open(&s->server, s->loop,
			     &(struct http_server_config){
				     .address = "127.0.0.1", .max_body = max_body, .on_request = on_request, .arg = s },
			     &e) != 0)
		fail_msg("%s", e.msg);
	s->client = http_client_new(s->loop, NULL, &e);
	snprintf(s->upstream, sizeof(s->upstream), "http://127.0.0.1:%u/up", http_server_port(s->server));
}

static void site_close(struct site *s)
{
	http_server_close(s->server);
	http_client_free(s->client);
	loop_free(s->loop);
}

/* A raw client in a thread: says its bytes in pieces, reads to the end (or to `enough` bytes), and stops the loop. */
struct talk {
	struct site *site;
	const char *say;
	size_t len;
	size_t piece;	    /* 0 = all at once */
	const char *until;  /* hang up when this has been read; NULL = read to the end */
	bool hangs_up;	    /* without reading */
	char heard[70000];
	size_t n_heard;
	pthread_t thread;
};

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

static void *talk_thread(void *arg)
{
	struct talk *t = arg;
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(http_server_port(t->site->server)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct loop *loop = t->site->loop;

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0) {
		size_t piece = t->piece ? t->piece : t->len;
		for (size_t i = 0; i < t->len; i += piece) {
			peer_send(fd, t->say + i, t->len - i < piece ? t->len - i : piece);
			if (t->piece)
				usleep(300);
		}
		if (t->hangs_up)
			usleep(50000);
		while (!t->hangs_up && t->n_heard < sizeof(t->heard) - 1) {
			ssize_t n = recv(fd, t->heard + t->n_heard, sizeof(t->heard) - 1 - t->n_heard, 0);
			if (n <= 0)
				break;
			t->n_heard += (size_t)n;
			if (t->until && strstr(t->heard, t->until))
				break;
		}
	}
	close(fd);
	if (t->hangs_up)
		usleep(50000);
	loop_post(loop, stop_loop, loop);
	return NULL;
}

static const char *talk(struct site *s, struct talk *t, const char *say, const char *until)
{
	t->site = s;
	t->say = say;
	t->len = t->len ? t->len : strlen(say);
	t->until = until;
	pthread_create(&t->thread, NULL, talk_thread, t);
	loop_run(s->loop);
	pthread_join(t->thread, NULL);
	return t->heard;
}

#define HOST "Host: x\r\n"
#define CLOSE HOST "Connection: close\r\n\r\n"

TEST(requests_arrive_whole_and_are_answered)
{
	static const struct {
		const char *say, *has[3];
	} rows[] = {
		{ "GET / HTTP/1.1\r\n" CLOSE, { "HTTP/1.1 201 Created\r\n", "Date: ", "\r\n\r\nGET / -  " } },
		{ "GET /a%2Fb/../c?x=%20&y#z HTTP/1.1\r\nX-One: 1\r\n" CLOSE, { "GET /a%2Fb/../c ?x=%20&y" } },
		{ "GET /? HTTP/1.1\r\n" CLOSE, { "GET / ? " } },
		{ "GET http://x/abs?q HTTP/1.1\r\n" CLOSE, { "GET /abs ?q " } },
		{ "GET /?a://b HTTP/1.1\r\n" CLOSE, { "GET / ?a://b " } },
		{ "POST /p HTTP/1.1\r\nContent-Length: 5\r\nx-ONE: two words \r\n" CLOSE "hello", { "POST /p - two words hello" } },
		{ "POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", { "POST /p -  hello" } },
		{ "PUT /p HTTP/1.1\r\nContent-Length: 0\r\n" CLOSE, { "PUT /p -  " } },
		{ "DELETE /p HTTP/1.1\r\n" CLOSE, { "DELETE /p -  " } },
		{ "PROPFIND /p HTTP/1.1\r\n" CLOSE, { "PROPFIND /p -  " } },
		{ "HEAD /p HTTP/1.1\r\n" CLOSE, { "HTTP/1.1 201 Created\r\n", "Content-Length: 11\r\n" } },
		{ "GET /later HTTP/1.1\r\n" CLOSE, { "HTTP/1.1 200 OK\r\n", "\r\n\r\nlater" } },
		{ "GET /fields HTTP/1.1\r\n" CLOSE, { "Content-Type: text/x\r\n", "X: y\r\n", "Content-Length: 6\r\n" } },
		{ "GET /file HTTP/1.1\r\n" CLOSE, { "HTTP/1.1 200 OK\r\n", "Content-Length: 15\r\n", "\r\n\r\nbytes of a file" } },
		{ "HEAD /file HTTP/1.1\r\n" CLOSE, { "HTTP/1.1 200 OK\r\n", "Content-Length: 15\r\n" } },
		{ "GET /injected HTTP/1.1\r\n" CLOSE, { "HTTP/1.1 500 ", "refused" } },
		{ "GET /proxy HTTP/1.1\r\n" CLOSE, { "HTTP/1.1 200 OK\r\n", "GET /up -  " } },
		{ "GET /1 HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n" CLOSE, { "GET /1 -", "GET /2 -" } }, /* pipelined */
		{ "GET /later HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n" CLOSE, { "later", "GET /2 -" } },
		{ "POST /e HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" CLOSE "ok", { "POST /e -  ok" } },
	};
	struct site s;

	site_open(&s, 1000);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t piece = 0; piece < 2; piece++) {
			struct talk *t = calloc(1, sizeof(*t));
			t->piece = piece;
			const char *heard = talk(&s, t, rows[i].say, NULL);
			for (int k = 0; k < 3 && rows[i].has[k]; k++) {
				if (!strstr(heard, rows[i].has[k]))
					fail_msg("%zu: '%s' is missing in '%s'", i, rows[i].has[k], heard);
			}
			free(t);
		}
	}
	site_close(&s);
}

TEST(a_files_descriptor_is_closed_whoever_is_there)
{
	struct site s;
	struct talk *t = calloc(1, sizeof(*t));

	site_open(&s, 0);
	(void)talk(&s, t, "GET /file HTTP/1.1\r\n" CLOSE, NULL);
	assert_false(file_is_open(&s));
	*t = (struct talk){ .hangs_up = true };
	(void)talk(&s, t, "GET /forgotten HTTP/1.1\r\n" CLOSE, NULL);
	http_server_close(s.server);
	s.server = NULL;
	loop_post(s.loop, stop_loop, s.loop);
	loop_run(s.loop);
	assert_int_equal(exchange_reply_file(s.parked, 200, NULL, a_file(&s), 15), 0);
	free(t);
	site_close(&s);
	assert_false(file_is_open(&s));
}

TEST(a_head_answer_has_no_body)
{
	struct site s;
	struct talk *t = calloc(1, sizeof(*t));

	site_open(&s, 0);
	const char *heard = talk(&s, t, "HEAD /p HTTP/1.1\r\n" CLOSE, NULL);
	assert_string_equal(strstr(heard, "\r\n\r\n"), "\r\n\r\n");
	free(t);
	site_close(&s);
}

TEST(requests_that_cannot_be_read_are_refused)
{
	static const struct {
		const char *say, *status; /* "" = closed without a word is fine, too */
	} rows[] = {
		{ "POST / HTTP/1.1\r\nContent-Length: 1001\r\n" CLOSE, "HTTP/1.1 413 " },
		{ "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n" CLOSE, "HTTP/1.1 4" },
		{ "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n" CLOSE "hello", "HTTP/1.1 400 " },
		{ "POST / HTTP/1.1\r\nContent-Length: +5\r\n" CLOSE "hello", "HTTP/1.1 400 " },
		{ "POST / HTTP/1.1\r\nContent-Length: 5x\r\n" CLOSE "hello", "HTTP/1.1 400 " },
		{ "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n" CLOSE "0\r\n\r\n", "HTTP/1.1 400 " },
		{ "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n" CLOSE "0\r\n\r\n", "HTTP/1.1 400 " },
		{ "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE "zz\r\n", "HTTP/1.1 400 " },
		{ "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 " }, /* no Host */
		{ "GET / HTTP/9.9\r\n" CLOSE, "HTTP/1.1 " },
		{ "nonsense\r\n\r\n", "" },
		{ "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "" }, /* a TLS hello */
	};
	struct site s;

	site_open(&s, 1000);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct talk *t = calloc(1, sizeof(*t));
		t->hangs_up = i == ARRAY_LEN(rows) - 1;
		const char *heard = talk(&s, t, rows[i].say, NULL);
		if (strncmp(heard, rows[i].status, strlen(rows[i].status)) != 0)
			fail_msg("%zu: '%s', expected '%s'", i, heard, rows[i].status);
		assert_int_equal(s.requests, 0);
		free(t);
	}
	site_close(&s);
}

TEST(heads_and_bodies_have_limits)
{
	struct site s;
	struct buf b;
	struct talk *t = calloc(1, sizeof(*t));

	site_open(&s, 1000);
	buf_init(&b, 1 << 20);
	buf_append_c(&b, "GET / HTTP/1.1\r\n" HOST "X: ");
	for (int i = 0; i < 60000; i++)
		buf_append_char(&b, 'a');
	buf_append_c(&b, "\r\n\r\n");
	t->len = b.len;
	/* Closed with bytes unread, the kernel may reset the connection before the 431 is read. */
	const char *heard = talk(&s, t, b.ptr, NULL);
	if (*heard)
		assert_int_equal(strncmp(heard, "HTTP/1.1 431 ", 13), 0);
	free(t);

	t = calloc(1, sizeof(*t));
	buf_clear(&b);
	buf_append_c(&b, "GET / HTTP/1.1\r\n" HOST);
	for (int i = 0; i < 300; i++)
		buf_append_c(&b, "X: y\r\n");
	buf_append_c(&b, "\r\n");
	t->len = b.len;
	assert_int_equal(strncmp(talk(&s, t, b.ptr, NULL), "HTTP/1.1 431 ", 13), 0);
	free(t);

	t = calloc(1, sizeof(*t)); /* chunked: found out on the way */
	buf_clear(&b);
	buf_append_c(&b, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST "\r\n5dc\r\n");
	for (int i = 0; i < 1500; i++)
		buf_append_char(&b, 'a');
	buf_append_c(&b, "\r\n0\r\n\r\n");
	t->len = b.len;
	heard = talk(&s, t, b.ptr, NULL);
	if (strncmp(heard, "HTTP/1.1 413 ", 13) != 0)
		fail_msg("'%s'", heard);
	assert_int_equal(s.requests, 0);
	free(t);
	buf_done(&b);
	site_close(&s);
}

TEST(the_owner_hears_when_the_client_leaves)
{
	struct site s;
	struct talk *t = calloc(1, sizeof(*t));

	site_open(&s, 0);
	t->hangs_up = true;
	talk(&s, t, "GET /never HTTP/1.1\r\n" HOST "\r\n", NULL);
	assert_int_equal(s.requests, 1);
	assert_int_equal(s.gone, 1);
	free(t);

	t = calloc(1, sizeof(*t)); /* and when it was answered */
	talk(&s, t, "GET /fields HTTP/1.1\r\n" CLOSE, NULL);
	assert_int_equal(s.gone, 2);
	free(t);
	site_close(&s);
}

TEST(an_answer_after_the_client_left_falls_to_the_floor)
{
	struct site s;
	struct talk *t = calloc(1, sizeof(*t));

	site_open(&s, 0);
	t->hangs_up = true;
	talk(&s, t, "GET /forgotten HTTP/1.1\r\n" HOST "\r\n", NULL);
	assert_non_null(s.parked);
	assert_int_equal(exchange_reply(s.parked, 200, NULL, STR("too late")), 0);
	free(t);
	site_close(&s);
}

TEST(closing_drops_what_is_open_and_later_answers_are_harmless)
{
	struct site s;
	struct talk *t = calloc(1, sizeof(*t));

	site_open(&s, 0);
	t->hangs_up = true;
	s.requests = 0;
	talk(&s, t, "GET /forgotten HTTP/1.1\r\n" HOST "\r\n", NULL);
	struct http_exchange *x = s.parked;
	http_server_close(s.server);
	s.server = NULL;
	loop_post(s.loop, stop_loop, s.loop);
	loop_run(s.loop); /* one turn */
	assert_int_equal(exchange_reply(x, 200, NULL, STR("nobody is there")), 0);
	free(t);
	http_client_free(s.client);
	loop_free(s.loop);
}

TEST(a_handler_may_close_its_server)
{
	struct site s;
	struct talk *t = calloc(1, sizeof(*t));

	site_open(&s, 0);
	assert_string_equal(talk(&s, t, "GET /close HTTP/1.1\r\n" CLOSE, NULL), "");
	assert_int_equal(exchange_reply(s.parked, 200, NULL, STR("too late")), 0); /* an answer is owed all the same */
	free(t);
	site_close(&s);
}

TEST(stopping_answers_what_is_there_and_accepts_no_more)
{
	struct site s;
	struct talk *t = calloc(1, sizeof(*t)), *u = calloc(1, sizeof(*u));

	site_open(&s, 0);
	const char *heard = talk(&s, t, "GET /stop HTTP/1.1\r\n" HOST "\r\n", NULL);
	assert_non_null(strstr(heard, "bye"));
	assert_non_null(strstr(heard, "Connection: close\r\n"));
	assert_string_equal(talk(&s, u, "GET / HTTP/1.1\r\n" CLOSE, NULL), "");
	free(t);
	free(u);
	site_close(&s);
}

TEST(a_bad_address_or_a_taken_port_is_said)
{
	struct site s;
	struct http_server *other = NULL;
	struct err e = ERR_INIT;

	site_open(&s, 0);
	struct http_server_config c = { .address = "127.0.0.1", .port = http_server_port(s.server), .on_request = on_request };
	assert_true(http_server_open(&other, s.loop, &c, &e) < 0);
	assert_non_null(strstr(e.msg, "cannot listen on 127.0.0.1"));
	c.address = "localhost";
	assert_int_equal(http_server_open(&other, s.loop, &c, &e), -ERR_INVALID);
	c = (struct http_server_config){ .address = "::1", .on_request = on_request };
	if (http_server_open(&other, s.loop, &c, &e) == 0) /* no IPv6 here: fine */
		http_server_close(other);
	site_close(&s);
}

struct burst {
	struct site *site;
	int left, failed;
	char url[64];
};

static void on_burst(void *arg, const struct http_response *r)
{
	struct burst *b = arg;

	b->failed += r->error != HTTP_ERROR_NONE || r->status != 201;
	if (--b->left == 0)
		loop_stop(b->site->loop);
	else if (b->left >= 100)
		http_start(b->site->client, &(struct http_request){ .method = STR("GET"), .url = str_c(b->url) }, on_burst, b, NULL);
}

TEST(client_and_server_share_a_loop)
{
	struct site s;
	struct burst b = { .site = &s, .left = 2000 };

	site_open(&s, 0);
	snprintf(b.url, sizeof(b.url), "http://127.0.0.1:%u/x", http_server_port(s.server));
	for (int i = 0; i < 100; i++)
		http_start(s.client, &(struct http_request){ .method = STR("GET"), .url = str_c(b.url) }, on_burst, &b, NULL);
	loop_run(s.loop);
	assert_int_equal(b.left, 0);
	assert_int_equal(b.failed, 0);
	assert_int_equal(s.requests, 2000);
	site_close(&s);
}

RUN_TESTS(CLAIM(requests_arrive_whole_and_are_answered), CLAIM(a_files_descriptor_is_closed_whoever_is_there),
	  CLAIM(a_head_answer_has_no_body), CLAIM(requests_that_cannot_be_read_are_refused),
	  CLAIM(heads_and_bodies_have_limits), CLAIM(the_owner_hears_when_the_client_leaves),
	  CLAIM(an_answer_after_the_client_left_falls_to_the_floor), CLAIM(closing_drops_what_is_open_and_later_answers_are_harmless),
	  CLAIM(a_handler_may_close_its_server), CLAIM(stopping_answers_what_is_there_and_accepts_no_more),
	  CLAIM(a_bad_address_or_a_taken_port_is_said), CLAIM(client_and_server_share_a_loop))
