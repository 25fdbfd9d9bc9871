/* SPDX-License-Identifier: Apache-2.0 */
/* What the own tier does beyond libcurl's: the parser against llhttp's suite and in pieces, addresses in turn, names asked once. */
#include "http/h1_int.h"
#include "base/alloc.h"
#include "base/json.h"
#include "ask.h"

#include <netdb.h>

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* ---- the parser ---- */

struct fed {
	enum h1_parsed parsed;
	enum http_error error;
	int status;
	size_t used;
	char body[4096];
};

static struct fed feed(struct str wire, size_t piece, bool is_head_request, bool has_end)
{
	static struct http_client client;
	struct http_transfer *t = calloc(1, sizeof(*t));
	struct h1_parser p = { 0 };
	struct fed f = { .parsed = H1_MORE };
	struct buf in;

	t->client = &client;
	t->is_head_request = is_head_request;
	arena_init(&t->arena, 16u << 20);
	buf_init(&t->body, sizeof(f.body) - 1);
	buf_init(&in, 1u << 20);
	for (size_t at = 0; at < wire.len && f.parsed == H1_MORE; at += piece) {
		size_t used = 0;
		assert_int_equal(buf_append(&in, wire.ptr + at, wire.len - at < piece ? wire.len - at : piece), 0);
		f.parsed = h1_parse(&p, t, buf_str(&in), &used);
		f.used += used;
		buf_consume(&in, used);
	}
	if (f.parsed == H1_MORE && has_end)
		f.parsed = h1_parse_end(&p, t, false, false);
	f.error = t->refusal.error;
	f.status = t->head == HEAD_COMPLETE ? t->status : 0;
	memcpy(f.body, t->body.ptr ? t->body.ptr : "", t->body.len);
	decoder_free(t->decoder);
	buf_done(&t->body);
	arena_done(&t->arena);
	buf_done(&in);
	free(t);
	return f;
}

TEST(an_answer_in_pieces_is_the_same_answer)
{
	static const char *const answers[] = {
		OK_ANSWER,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=\"y\\\";\"\r\n0123456789\r\n0\r\nT: u\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.0 200\r\n\r\nuntil the end",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: u\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff0\r\nhello",
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
		"HTTP/1.1 200 OK\r\nContent-Le",
	};

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct str wire = str_c(answers[i]);
		struct fed whole = feed(wire, wire.len, false, true);
		for (size_t piece = 1; piece < wire.len; piece++) {
			struct fed cut = feed(wire, piece, false, true);
			if (cut.parsed != whole.parsed || cut.error != whole.error || cut.status != whole.status ||
			    strcmp(cut.body, whole.body) != 0)
				fail_msg("answer %zu in pieces of %zu: %s, whole: %s", i, piece, http_error_name(cut.error),
					 http_error_name(whole.error));
		}
	}
}

TEST(chunk_lines_and_extensions_are_bounded)
{
	auto_buf struct buf b;
	buf_init(&b, 2u << 20);

	buf_append_c(&b, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	size_t head = b.len;
	for (int i = 0; i < 1000; i++) /* 400 bytes of extension for one byte of body */
		buf_printf(&b, "1;a=%0400d\r\nx\r\n", i);
	assert_int_equal(feed(buf_str(&b), b.len, false, false).error, HTTP_ERROR_BAD_FRAMING);
	b.len = head;
	buf_printf(&b, "1;a=%05000d\r\nx\r\n", 0);
	assert_int_equal(feed(buf_str(&b), b.len, false, false).error, HTTP_ERROR_BAD_FRAMING);
	b.len = head;
	buf_printf(&b, "0\r\n");
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "T: %01000d\r\n", i);
	assert_int_equal(feed(buf_str(&b), b.len, false, false).error, HTTP_ERROR_HEADERS_TOO_LARGE);
}

/* ---- llhttp's responses ---- */

enum want { WANT_DONE, WANT_MORE, WANT_REFUSED };

/* Where we differ from llhttp on purpose. */
static const struct {
	const char *title;
	enum want want;
	const char *why;
} differences[] = {
	{ "HTTP 101 response with Upgrade and Content-Length header", WANT_REFUSED, "we never ask for another protocol" },
	{ "HTTP 101 response with Upgrade and Transfer-Encoding header", WANT_REFUSED, "the same" },
	{ "HTTP 100 first, then 400", WANT_REFUSED, "an empty line before a status line; RFC 9112 2.2 allows it before requests alone" },
	{ "HTTP 103 first, then 200", WANT_MORE, "its one message is the 103; the 200 has 16 of its 17 bytes" },
	{ "Response starting with CRLF", WANT_REFUSED, "the same" },
	{ "Only LFs present and no body", WANT_DONE, "a line feed alone may end a line of the head (RFC 9112 2.2)" },
	{ "Only LFs present", WANT_MORE, "the same" },
	{ "No carriage ret", WANT_MORE, "the same" },
	{ "RTSP response", WANT_REFUSED, "not HTTP" },
	{ "ICE response", WANT_REFUSED, "not HTTP" },
	{ "HTTP version 0.9", WANT_REFUSED, "1.0 and 1.1 alone" },
	{ "`chunked` before other transfer-encoding", WANT_REFUSED, "chunked, once and alone" },
	{ "multiple transfer-encoding where chunked is not the last one", WANT_REFUSED, "the same" },
	{ "`chunkedchunked` transfer-encoding does not enable chunked enconding", WANT_REFUSED, "the same" },
};

static size_t decode_base64(struct str s, char *to)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = 0;
	size_t n = 0, n_bits = 0;

	for (size_t i = 0; i < s.len && s.ptr[i] != '='; i++) {
		bits = bits << 6 | (uint32_t)(strchr(digits, s.ptr[i]) - digits);
		n_bits += 6;
		if (n_bits >= 8)
			to[n++] = (char)(bits >> (n_bits -= 8));
	}
	return n;
}

static enum want wanted(const struct value *row, struct str title)
{
	int64_t messages = 0;

	for (size_t i = 0; i < ARRAY_LEN(differences); i++) {
		if (str_eq_c(title, differences[i].title))
			return differences[i].want;
	}
	(void)value_to_int64(value_get_c(row, "messages_complete"), &messages);
	if (messages > 0) /* what follows the first message is nobody's */
		return WANT_DONE;
	return value_is(value_get_c(row, "error"), VALUE_NULL) ? WANT_MORE : WANT_REFUSED;
}

static void check_llhttp(const struct value *row)
{
	static const char *const words[] = { "complete", "wanting more", "refused" };
	const struct value *meta = value_get_c(row, "meta");
	struct str title = value_text(value_get_c(row, "title")), coded = value_text(value_get_c(row, "raw_b64"));
	char *raw = malloc(coded.len + 1);
	struct str wire = str_from(raw, decode_base64(coded, raw));
	enum want want = wanted(row, title);

	for (size_t piece = 1; piece <= wire.len; piece += piece < 8 ? 1 : wire.len) {
		struct fed f = feed(wire, piece == 8 ? wire.len : piece, value_get_c(meta, "skipBody") != NULL, want == WANT_REFUSED);
		enum want got = f.parsed == H1_DONE ? WANT_DONE : f.parsed == H1_MORE ? WANT_MORE : WANT_REFUSED;
		if (got != want)
			fail_msg("%.*s (pieces of %zu): %s, not %s", STR_ARG(title), piece, words[got], words[want]);
	}
	free(raw);
}

TEST(llhttps_responses_are_read_as_it_reads_them)
{
	char path[512];
	struct arena a;
	struct value all;
	struct err e = ERR_INIT;
	size_t checked = 0;

	snprintf(path, sizeof(path), "%s/llhttp/responses.json", test_suites() ? test_suites() : "");
	FILE *f = test_suites() ? fopen(path, "rb") : NULL;
	if (!f)
		test_skip_suite("llhttp");
	char *text = malloc(1u << 20);
	size_t n = fread(text, 1, 1u << 20, f);
	fclose(f);
	arena_init(&a, 0);
	if (json_parse(&a, str_from(text, n), NULL, &all, NULL, &e) != 0)
		fail_msg("%s", e.msg);
	for (size_t i = 0; value_at(&all, i); i++) {
		const struct value *row = value_at(&all, i);
		if (!value_is_string(value_get_c(value_get_c(row, "meta"), "type"), STR("response")))
			continue; /* for a leniency of llhttp's that we have not */
		check_llhttp(row);
		checked++;
	}
	assert_true(checked > 60);
	arena_done(&a);
	free(text);
}

/* ---- names and addresses: getaddrinfo() is ours in this program ---- */

static atomic_int questions;

static struct addrinfo *address(const char *ip, struct addrinfo *next)
{
	struct addrinfo *a = calloc(1, sizeof(*a) + sizeof(struct sockaddr_in));
	struct sockaddr_in *s = (struct sockaddr_in *)(a + 1);

	*s = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = inet_addr(ip) };
	*a = (struct addrinfo){ .ai_family = AF_INET, .ai_addrlen = sizeof(*s), .ai_addr = (struct sockaddr *)s, .ai_next = next };
	return a;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	atomic_fetch_add(&questions, 1);
	usleep(name[0] == 'n' ? 100000 : 20000);
	if (strcmp(name, "two.test") != 0)
		return strcmp(name, "again.test") == 0 ? EAI_AGAIN : EAI_NONAME;
	*ret = address("127.0.0.2", address("127.0.0.1", NULL)); /* nobody listens at the first one */
	return 0;
}

void freeaddrinfo(struct addrinfo *a)
{
	while (a) {
		struct addrinfo *next = a->ai_next;
		free(a);
		a = next;
	}
}

static void serve_ok(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;

	while (peer_read(p, fd, &r))
		peer_say(fd, OK_ANSWER);
}

TEST(addresses_are_tried_in_turn_and_a_name_is_asked_for_once)
{
	struct peer *p = peer_start(serve_ok, NULL);
	struct asker a = asker_new(NULL);
	struct answer answers[5] = { 0 };
	int remaining = 5;
	char url[64];

	atomic_store(&questions, 0);
	snprintf(url, sizeof(url), "http://Two.test:%u/", p->port);
	struct http_request r = { .method = STR("GET"), .url = str_c(url), .fresh_connection = true };
	for (int i = 0; i < 5; i++) {
		answers[i] = (struct answer){ .loop = a.loop, .remaining = &remaining };
		assert_non_null(http_start(a.client, &r, ask_done, &answers[i], NULL));
	}
	loop_run(a.loop);
	for (int i = 0; i < 5; i++) {
		assert_outcome(answers[i], HTTP_ERROR_NONE, HTTP_ANSWERED);
		assert_non_null(strstr(answers[i].peer, "127.0.0.1:"));
		assert_true(answers[i].timings.dns > 10000 && answers[i].timings.connect >= answers[i].timings.dns);
	}
	assert_outcome(ask_request(&a, &r), HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_int_equal(atomic_load(&questions), 1);
	r.url = STR("http://again.test/");
	assert_outcome(ask_request(&a, &r), HTTP_ERROR_DNS_TEMPORARY, HTTP_NOT_SENT);
	r.url = STR("http://nowhere.test/");
	assert_outcome(ask_request(&a, &r), HTTP_ERROR_DNS_NOT_FOUND, HTTP_NOT_SENT);
	asker_free(&a);
	peer_stop(p);
}

static void stop_now(struct loop_timer *t)
{
	loop_stop(t->loop);
}

static void run_for_a_while(struct asker *a)
{
	struct loop_timer stop;

	loop_timer_init(a->loop, &stop, stop_now);
	loop_timer_start(&stop, 20);
	loop_run(a->loop);
}

TEST(a_client_that_goes_waits_for_no_name)
{
	struct asker a = asker_new(NULL);
	struct answer never = { 0 };

	for (int i = 0; i < 20; i++) { /* some asked, some queued */
		char url[64];
		snprintf(url, sizeof(url), "http://n%d.test/", i);
		struct http_transfer *t = http_start(
			a.client, &(struct http_request){ .method = STR("GET"), .url = str_c(url) }, ask_done, &never, NULL);
		if (i % 3 == 0)
			http_cancel(t);
	}
	run_for_a_while(&a);
	asker_free(&a);
	usleep(300000); /* the threads answer into the void */
	assert_int_equal(never.calls, 0);
}

/* ---- connections ---- */

static void serve_413(struct peer *p, int fd, int number, void *arg)
{
	char bytes[1024];

	if (recv(fd, bytes, sizeof(bytes), 0) > 0)
		peer_say(fd, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
	usleep(100000);
	peer_reset(fd); /* as a close with unread bytes does */
}

TEST(an_answer_before_the_end_of_the_request_counts)
{
	struct peer *p = peer_start(serve_413, NULL);
	struct asker a = asker_new(NULL);
	size_t n = (size_t)16 << 20;
	char *body = calloc(1, n), url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", p->port);
	struct answer x =
		ask_request(&a, &(struct http_request){ .method = STR("POST"), .url = str_c(url), .body = str_from(body, n) });
	assert_outcome(x, HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_int_equal(x.status, 413);
	assert_int_equal(a.client->h1->n_idle, 0); /* half a request is on that connection */
	free(body);
	asker_free(&a);
	peer_stop(p);
}

static void serve_reset(struct peer *p, int fd, int number, void *arg)
{
	char bytes[1024];

	(void)recv(fd, bytes, sizeof(bytes), 0);
	usleep(100000); /* the client's buffers fill: it waits for room when the reset comes */
	peer_reset(fd);
}

TEST(a_reset_before_the_end_of_the_request_is_a_failed_send)
{
	struct peer *p = peer_start(serve_reset, NULL);
	struct asker a = asker_new(NULL);
	size_t n = (size_t)16 << 20;
	char *body = calloc(1, n), url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", p->port);
	assert_outcome(ask_request(&a, &(struct http_request){ .method = STR("POST"), .url = str_c(url), .body = str_from(body, n) }),
		       HTTP_ERROR_SEND_FAILED, HTTP_AMBIGUOUS);
	free(body);
	asker_free(&a);
	peer_stop(p);
}

static void serve_close(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;

	while (peer_read(p, fd, &r))
		peer_say(fd, arg);
}

TEST(connections_are_kept_as_the_answer_says)
{
	static const struct {
		const char *answer;
		size_t kept;
	} rows[] = {
		{ OK_ANSWER, 1 },
		{ "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok", 0 },
		{ "HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 2\r\n\r\nok", 0 },
		{ "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 0 },
		{ "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 1 },
		{ "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0 },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 1 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokX", 0 },
		{ "HTTP/1.1 204 No Content\r\n\r\n", 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer *p = peer_start(serve_close, (void *)(uintptr_t)rows[i].answer);
		struct asker a = asker_new(NULL);
		assert_outcome(ask(&a, "GET", p, "/", NULL), HTTP_ERROR_NONE, HTTP_ANSWERED);
		if (a.client->h1->n_idle != rows[i].kept)
			fail_msg("%zu: %zu connections are kept", i, a.client->h1->n_idle);
		asker_free(&a);
		peer_stop(p);
	}
}

TEST(a_connection_that_the_server_is_about_to_close_is_not_used)
{
	static const struct {
		const char *answer;
		int connections; /* of two calls, 20 ms between them */
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=0\r\nContent-Length: 2\r\n\r\nok", 2 },
		{ "HTTP/1.1 200 OK\r\nKeep-Alive: max=9, Timeout = 5\r\nContent-Length: 2\r\n\r\nok", 1 },
		{ "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=-1\r\nContent-Length: 2\r\n\r\nok", 1 },
		{ "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=99999999999\r\nContent-Length: 2\r\n\r\nok", 1 },
		{ OK_ANSWER, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer *p = peer_start(serve_close, (void *)(uintptr_t)rows[i].answer);
		struct asker a = asker_new(NULL);
		for (int k = 0; k < 2; k++) {
			assert_outcome(ask(&a, "POST", p, "/", "x"), HTTP_ERROR_NONE, HTTP_ANSWERED);
			run_for_a_while(&a);
		}
		if (atomic_load(&p->n) != rows[i].connections)
			fail_msg("%zu: %d connections", i, atomic_load(&p->n));
		asker_free(&a);
		peer_stop(p);
	}
}

TEST(no_more_connections_idle_than_allowed)
{
	struct peer *p = peer_start(serve_ok, NULL);
	struct asker a = asker_new(&(struct http_client_config){ .max_idle = 2 });
	struct answer answers[8] = { 0 };
	int remaining = 8;
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", p->port);
	for (int i = 0; i < 8; i++) {
		answers[i] = (struct answer){ .loop = a.loop, .remaining = &remaining };
		http_start(a.client, &(struct http_request){ .method = STR("GET"), .url = str_c(url) }, ask_done, &answers[i], NULL);
	}
	loop_run(a.loop);
	run_for_a_while(&a);
	assert_int_equal(a.client->h1->n_idle, 2);
	assert_outcome(ask(&a, "GET", p, "/", NULL), HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_int_equal(atomic_load(&p->n), 8);
	asker_free(&a);
	peer_stop(p);
}

/* One call over a new connection to a name, with the n-th allocation failing; false when there are fewer. */
static bool ask_without_memory(struct peer *p, unsigned long n)
{
	struct asker a = asker_new(NULL);
	int remaining = 1;
	struct answer x = { .loop = a.loop, .remaining = &remaining };
	char url[64];

	snprintf(url, sizeof(url), "http://two.test:%u/", p->port);
	struct http_request r = { .method = STR("POST"), .url = str_c(url), .body = STR("x"), .total_timeout = 5000 };
	alloc_fail_after(n);
	bool is_started = http_start(a.client, &r, ask_done, &x, NULL) != NULL;
	if (is_started)
		loop_run(a.loop);
	bool has_failed = alloc_has_failed();
	alloc_fail_after(0);
	assert_int_equal(x.calls, is_started);
	/* The loop's own waits for memory: then the answer comes, and whole. */
	bool is_answered = !has_failed || x.error == HTTP_ERROR_NONE;
	if (is_started && !is_answered && x.error != HTTP_ERROR_INTERNAL && x.error != HTTP_ERROR_DNS_TEMPORARY)
		fail_msg("allocation %lu: %s", n, http_error_name(x.error));
	if (is_started && is_answered)
		assert_outcome(x, HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_true(is_started || has_failed);
	asker_free(&a);
	return has_failed;
}

TEST(each_allocation_may_fail)
{
	struct peer *p = peer_start(serve_close, (void *)(uintptr_t)"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
	unsigned long n = 1;

	while (ask_without_memory(p, n))
		n++;
	assert_true(n > 5);
	peer_stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { CLAIM(an_answer_in_pieces_is_the_same_answer),
					    CLAIM(chunk_lines_and_extensions_are_bounded),
					    CLAIM(llhttps_responses_are_read_as_it_reads_them),
					    CLAIM(addresses_are_tried_in_turn_and_a_name_is_asked_for_once),
					    CLAIM(a_client_that_goes_waits_for_no_name),
					    CLAIM(an_answer_before_the_end_of_the_request_counts),
					    CLAIM(a_reset_before_the_end_of_the_request_is_a_failed_send),
					    CLAIM(connections_are_kept_as_the_answer_says),
					    CLAIM(a_connection_that_the_server_is_about_to_close_is_not_used),
					    CLAIM(no_more_connections_idle_than_allowed),
					    CLAIM(each_allocation_may_fail) };

	tier_under_test = HTTP_TIER_H1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
