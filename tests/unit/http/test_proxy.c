/* SPDX-License-Identifier: Apache-2.0 */
/* Proxies: who gets which fields, what a proxy's faults are called, and that nothing but the request names one. */
#include "ask.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define SECRET "Basic dTpwJTQx" /* u:p%41, which libcurl would decode */

/* Answers with the head that came, as its body. */
static void serve_echo(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;
	char head[64];

	while (peer_read(p, fd, &r)) {
		snprintf(head, sizeof(head), OK "X: %d\r\nContent-Length: %zu\r\n\r\n", number, strlen(r.head));
		peer_say(fd, head);
		peer_say(fd, r.head);
	}
}

static const char *address_of(const struct peer *p)
{
	static char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u", p->port);
	return url;
}

static struct answer by_proxy(struct asker *a, const char *method, const char *url, const char *proxy, const char *authorization)
{
	struct header items[] = { { STR("Authorization"), STR("Bearer origins") },
				  { STR("Cookie"), STR("sid=origins") },
				  { STR("X-Api-Key"), STR("origins") } };
	struct headers headers = { .items = items, .n = ARRAY_LEN(items) };
	struct http_proxy way = { .url = str_c(proxy ? proxy : ""), .authorization = authorization ? str_c(authorization) : STR_NULL };

	return ask_request(a, &(struct http_request){
				      .method = str_c(method),
				      .url = str_c(url),
				      .headers = &headers,
				      .body = strcmp(method, "POST") == 0 ? STR("{\"a\":1}") : STR_NULL,
				      .connect_timeout = 300,
				      .total_timeout = 20000,
				      .proxy = proxy ? &way : NULL,
			      });
}

#define assert_has(text, part)                                                                                                       \
	do {                                                                                                                         \
		if (!strstr((text), (part)))                                                                                         \
			fail_msg("no \"%s\" in: %s", (part), (text));                                                                \
	} while (0)
#define assert_has_no(text, part)                                                                                                    \
	do {                                                                                                                         \
		if (strstr((text), (part)))                                                                                          \
			fail_msg("\"%s\" stands in: %s", (part), (text));                                                            \
	} while (0)

TEST(http_goes_to_the_proxy_in_absolute_form_with_its_credentials)
{
	struct peer *p = peer_start(serve_echo, NULL);
	struct asker a = asker_new(NULL);

	struct answer x = by_proxy(&a, "GET", "http://origin.invalid/a?b=c", address_of(p), SECRET);
	assert_int_equal(x.status, 200);
	assert_has(x.body, "GET http://origin.invalid/a?b=c HTTP/1.1\r\n");
	assert_has(x.body, "\r\nHost: origin.invalid\r\n");
	assert_has(x.body, "\r\nProxy-Authorization: " SECRET "\r\n");
	assert_has(x.body, "\r\nAuthorization: Bearer origins\r\n");
	x = by_proxy(&a, "POST", "http://origin.invalid:81/", address_of(p), NULL);
	assert_has(x.body, "POST http://origin.invalid:81/ HTTP/1.1\r\n");
	assert_has(x.body, "\r\nContent-Length: 7\r\n");
	assert_has_no(x.body, "Proxy-Authorization");
	asker_free(&a);
	peer_stop(p);
}

TEST(the_next_request_of_the_same_client_knows_nothing_of_the_proxy)
{
	struct peer *proxy = peer_start(serve_echo, NULL), *origin = peer_start(serve_echo, NULL);
	char url[64], way[64];
	struct asker a = asker_new(NULL);

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/a", origin->port);
	snprintf(way, sizeof(way), "http://127.0.0.1:%u", proxy->port);
	for (int i = 0; i < 3; i++) {
		struct answer x = by_proxy(&a, "GET", url, way, SECRET);
		assert_has(x.body, "Proxy-Authorization");
		x = by_proxy(&a, "GET", url, NULL, NULL);
		assert_has(x.body, "GET /a HTTP/1.1\r\n");
		assert_has_no(x.body, "Proxy");
	}
	assert_int_equal(proxy->requests, 3);
	assert_int_equal(origin->requests, 3);
	assert_int_equal(proxy->n, 1); /* connections are kept on both ways */
	assert_int_equal(origin->n, 1);
	asker_free(&a);
	peer_stop(proxy);
	peer_stop(origin);
}

TEST(the_environment_names_no_proxy_and_no_exception)
{
	struct peer *proxy = peer_start(serve_echo, NULL), *origin = peer_start(serve_echo, NULL), *trap = peer_start(serve_echo, NULL);
	static const char *const names[] = { "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" };
	char url[64];

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		setenv(names[i], address_of(trap), 1);
	setenv("no_proxy", "origin.invalid", 1);
	struct asker a = asker_new(NULL);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/a", origin->port);
	assert_has(by_proxy(&a, "GET", url, NULL, NULL).body, "GET /a HTTP/1.1\r\n");
	setenv("no_proxy", "*", 1);
	assert_has(by_proxy(&a, "GET", "http://origin.invalid/a", address_of(proxy), NULL).body, "GET http://origin.invalid/a HTTP/1.1\r\n");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
	unsetenv("no_proxy");
	assert_int_equal(trap->n, 0);
	asker_free(&a);
	peer_stop(proxy);
	peer_stop(origin);
	peer_stop(trap);
}

/* ---- the proxy's own answers to http ---- */

static void serve_text(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;

	while (peer_read(p, fd, &r))
		peer_say(fd, arg);
}

TEST(a_407_is_the_proxys_and_nothing_of_it_is_taken_for_the_servers)
{
	static const char *const answers[] = {
		"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nX: proxys\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 407 No\r\nX: proxys\r\nContent-Length: 99999999999\r\n\r\n",
		"HTTP/1.1 407 No\r\nX: proxys\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 407 No\r\nX: proxys\r\n\r\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct peer *p = peer_start(serve_text, (void *)(uintptr_t)answers[i]);
		struct asker a = asker_new(NULL);
		struct answer x = by_proxy(&a, "POST", "http://origin.invalid/", address_of(p), SECRET);
		assert_outcome(x, HTTP_ERROR_PROXY, HTTP_NOT_SENT);
		assert_int_equal(x.status, 407);
		assert_string_equal(x.x, "");
		assert_int_equal(x.n_headers, 0);
		assert_int_equal(x.body_len, 0);
		assert_int_equal(p->requests, 1); /* and not asked again with anybody's credentials */
		assert_has(x.detail, "credentials");
		asker_free(&a);
		peer_stop(p);
	}
}

TEST(a_502_of_a_proxy_and_a_407_without_one_are_ordinary_answers)
{
	struct peer *p = peer_start(serve_text, (void *)(uintptr_t)"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\nhello");
	struct asker a = asker_new(NULL);
	struct answer x = by_proxy(&a, "GET", "http://origin.invalid/", address_of(p), NULL);

	assert_outcome(x, HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_int_equal(x.status, 502);
	peer_stop(p);
	p = peer_start(serve_text, (void *)(uintptr_t)"HTTP/1.1 407 No\r\nX: origins\r\nContent-Length: 5\r\n\r\nhello");
	x = ask(&a, "GET", p, "/", NULL);
	assert_outcome(x, HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_int_equal(x.status, 407);
	assert_string_equal(x.x, "origins");
	asker_free(&a);
	peer_stop(p);
}

/* ---- CONNECT ---- */

enum ending { FIN, RST, STAY, REPEAT };

struct refusal {
	const char *name, *bytes;
	enum ending ending;
	int status;
	const char *sentence;
};

static const struct refusal refusals[] = {
	{ "407", "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n", STAY, 407, "credentials" },
	{ "407 with a body", "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 5\r\n\r\nhello", STAY, 407, "407" },
	{ "407 whose body never ends", "HTTP/1.1 407 No\r\nContent-Length: 99999999999\r\n\r\nhello", STAY, 407, "407" },
	{ "407 and a close", "HTTP/1.1 407 No\r\nConnection: close\r\n\r\n", FIN, 407, "407" },
	{ "403", "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nhello", STAY, 403, "403" },
	{ "302", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n", FIN, 302, "302" },
	{ "503", "HTTP/1.1 503 Busy\r\n\r\n", FIN, 503, "503" },
	{ "100", "HTTP/1.1 100 Continue\r\n\r\n", STAY, 0, "proxy" },
	{ "garbage and a close", "this is no HTTP at all\r\n\r\n", FIN, 0, "proxy" },
	{ "garbage and silence", "this is no HTTP at all", STAY, 0, "in time" },
	{ "a close", "", FIN, 0, "proxy" },
	{ "a reset", "", RST, 0, "proxy" },
	{ "silence", "", STAY, 0, "in time" },
	{ "a 200 cut in its head", OK "X-A: b\r\nX-", FIN, 0, "proxy" },
	{ "a 200 reset in its head", OK "X-A: b\r\nX-", RST, 0, "proxy" },
	{ "an endless line", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", REPEAT, 0, "proxy" },
	{ "endless lines", "X-A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n", REPEAT, 0, "longer than" },
};

static atomic_int connects;
static char connect_head[16384];

static void serve_refusal(struct peer *p, int fd, int number, void *arg)
{
	const struct refusal *f = arg;
	struct peer_request r;

	while (peer_read(p, fd, &r)) {
		strcpy(connect_head, r.head);
		atomic_fetch_add(&connects, 1);
		peer_say(fd, f->ending == REPEAT ? OK : "");
		peer_say(fd, f->bytes);
		while (f->ending == REPEAT && send(fd, f->bytes, strlen(f->bytes), MSG_NOSIGNAL) > 0)
			;
		if (f->ending == RST) {
			usleep(20000); /* let the bytes be read before the reset throws them away */
			peer_reset(fd);
			(void)dup2(p->listener, fd);
			return;
		}
		if (f->ending != STAY)
			return;
	}
}

TEST(whatever_a_proxy_makes_of_connect_is_a_proxy_error_and_nothing_was_sent)
{
	static const char *const methods[] = { "GET", "POST" };

	for (size_t i = 0; i < 2 * ARRAY_LEN(refusals); i++) {
		const struct refusal *f = &refusals[i / 2];
		struct peer *p = peer_start(serve_refusal, (void *)(uintptr_t)f);
		struct asker a = asker_new(NULL);
		atomic_store(&connects, 0);
		struct answer x = by_proxy(&a, methods[i % 2], "https://origin.invalid/a", address_of(p), SECRET);
		if (x.error != HTTP_ERROR_PROXY || x.certainty != HTTP_NOT_SENT || x.status != f->status || connects != 1)
			fail_msg("%s: got %s/%d status %d (%s) after %d CONNECTs", f->name, http_error_name(x.error), x.certainty, x.status,
				 x.detail, connects);
		assert_has(x.detail, f->sentence);
		assert_int_equal(x.n_headers, 0);
		assert_int_equal(x.body_len, 0);
		asker_free(&a);
		peer_stop(p);
	}
}

TEST(a_connect_carries_the_proxys_fields_and_none_of_ours)
{
	struct peer *p = peer_start(serve_refusal, (void *)(uintptr_t)&refusals[0]);
	struct asker a = asker_new(NULL);

	(void)by_proxy(&a, "POST", "https://origin.invalid/secret/path?key=origins", address_of(p), SECRET);
	assert_has(connect_head, "CONNECT origin.invalid:443 HTTP/1.1\r\n");
	assert_has(connect_head, "\r\nProxy-Authorization: " SECRET "\r\n");
	assert_has_no(connect_head, "origins");
	assert_has_no(connect_head, "\r\nAuthorization");
	assert_has_no(connect_head, "Cookie");
	assert_has_no(connect_head, "secret/path");
	asker_free(&a);
	peer_stop(p);
}

/* ---- no way to the proxy ---- */

TEST(a_proxy_that_is_not_there_is_a_proxy_error_for_http_and_https)
{
	static const char *const urls[] = { "http://origin.invalid/", "https://origin.invalid/" };
	struct peer *p = peer_start(serve_echo, NULL);
	char dead[64];

	strcpy(dead, address_of(p));
	peer_stop(p);
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct asker a = asker_new(NULL);
		struct answer x = by_proxy(&a, "POST", urls[i], dead, SECRET);
		assert_outcome(x, HTTP_ERROR_PROXY, HTTP_NOT_SENT);
		assert_has(x.detail, "cannot be reached");
		x = by_proxy(&a, "POST", urls[i], "http://proxy.invalid:3128", SECRET);
		assert_outcome(x, HTTP_ERROR_PROXY, HTTP_NOT_SENT);
		assert_int_equal(x.status, 0);
		asker_free(&a);
	}
}

/* The handle that saw a 503 forgets it. */
TEST(an_answer_to_connect_is_forgotten_by_the_next_transfer)
{
	struct peer *p = peer_start(serve_refusal, (void *)(uintptr_t)&refusals[6]);
	struct asker a = asker_new(NULL);
	char dead[64];

	assert_int_equal(by_proxy(&a, "GET", "https://origin.invalid/", address_of(p), NULL).status, 503);
	strcpy(dead, address_of(p));
	peer_stop(p);
	struct answer x = by_proxy(&a, "GET", "https://origin.invalid/", dead, NULL);
	assert_outcome(x, HTTP_ERROR_PROXY, HTTP_NOT_SENT);
	assert_int_equal(x.status, 0);
	x = by_proxy(&a, "GET", "https://127.0.0.1:1/", NULL, NULL);
	assert_outcome(x, HTTP_ERROR_CONNECT_REFUSED, HTTP_NOT_SENT);
	asker_free(&a);
}

TEST(a_deadline_before_the_tunnel_stands_is_the_proxys)
{
	struct peer *p = peer_start(serve_refusal, (void *)(uintptr_t)&refusals[12]);
	struct asker a = asker_new(NULL);
	struct http_proxy way = { .url = str_c(address_of(p)) };

	for (int i = 0; i < 2; i++) {
		struct answer x = ask_request(&a, &(struct http_request){
							  .method = STR("POST"),
							  .url = STR("https://origin.invalid/"),
							  .connect_timeout = 20000,
							  .first_byte_timeout = i ? 0 : 200,
							  .total_timeout = i ? 200 : 20000,
							  .proxy = &way,
						  });
		assert_outcome(x, HTTP_ERROR_PROXY, HTTP_NOT_SENT);
	}
	asker_free(&a);
	peer_stop(p);
}

static bool refuse_all(void *arg, const void *sockaddr)
{
	*(uint16_t *)arg = ntohs(((const struct sockaddr_in *)sockaddr)->sin_port);
	return false;
}

TEST(the_guard_of_addresses_sees_the_proxys)
{
	struct peer *p = peer_start(serve_echo, NULL);
	uint16_t asked = 0;
	struct asker a = asker_new(&(struct http_client_config){ .may_connect = refuse_all, .may_connect_arg = &asked });

	assert_outcome(by_proxy(&a, "GET", "https://origin.invalid/", address_of(p), SECRET), HTTP_ERROR_BLOCKED_ADDRESS, HTTP_NOT_SENT);
	assert_int_equal(asked, p->port);
	assert_int_equal(p->n, 0);
	asker_free(&a);
	peer_stop(p);
}

TEST(an_address_that_names_no_http_proxy_is_refused_with_its_cure)
{
	static const struct {
		const char *url, *sentence;
	} rows[] = {
		{ "socks5h://127.0.0.1:1080", "SOCKS" },
		{ "http://user:secret@127.0.0.1:3128", "username" },
		{ "http://127.0.0.1", "port" },
		{ "https://proxy.example", "port" },
		{ "http://127.0.0.1:3128/path", "host and port alone" },
		{ "http://127.0.0.1:3128/?a", "host and port alone" },
		{ "ftp://127.0.0.1:3128", "" },
		{ "127.0.0.1:3128", "" },
		{ "", "" },
	};
	struct asker a = asker_new(NULL);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = ERR_INIT;
		assert_true(http_proxy_check(str_c(rows[i].url), &e) < 0);
		assert_has(e.msg, rows[i].sentence);
		assert_has_no(e.msg, "secret@");
		struct answer x = by_proxy(&a, "GET", "http://origin.invalid/", rows[i].url, NULL);
		assert_outcome(x, HTTP_ERROR_INVALID_REQUEST, HTTP_NOT_SENT);
	}
	assert_int_equal(http_proxy_check(STR("https://[::1]:3128/"), NULL), 0);
	struct answer x = by_proxy(&a, "GET", "http://origin.invalid/", "http://127.0.0.1:1", "Basic a\r\nX: y");
	assert_outcome(x, HTTP_ERROR_INVALID_REQUEST, HTTP_NOT_SENT);
	asker_free(&a);
}

RUN_ON_BOTH_TIERS(CLAIM(http_goes_to_the_proxy_in_absolute_form_with_its_credentials),
		  CLAIM(the_next_request_of_the_same_client_knows_nothing_of_the_proxy),
		  CLAIM(the_environment_names_no_proxy_and_no_exception),
		  CLAIM(a_407_is_the_proxys_and_nothing_of_it_is_taken_for_the_servers),
		  CLAIM(a_502_of_a_proxy_and_a_407_without_one_are_ordinary_answers),
		  CLAIM(whatever_a_proxy_makes_of_connect_is_a_proxy_error_and_nothing_was_sent),
		  CLAIM(a_connect_carries_the_proxys_fields_and_none_of_ours),
		  CLAIM(a_proxy_that_is_not_there_is_a_proxy_error_for_http_and_https),
		  CLAIM(an_answer_to_connect_is_forgotten_by_the_next_transfer), CLAIM(a_deadline_before_the_tunnel_stands_is_the_proxys),
		  CLAIM(the_guard_of_addresses_sees_the_proxys), CLAIM(an_address_that_names_no_http_proxy_is_refused_with_its_cure))
