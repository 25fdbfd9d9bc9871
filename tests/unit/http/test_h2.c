/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 in the own tier: what each fault of RFC 9113 becomes, and how many transfers share how few connections. */
#include "ask.h"
#include "h2peer.h"

#define NONE HTTP_ERROR_NONE
#define FRAMING HTTP_ERROR_BAD_FRAMING
#define RESPONSE HTTP_ERROR_BAD_RESPONSE
#define TRUNCATED HTTP_ERROR_TRUNCATED
#define LOST HTTP_ERROR_CONNECTION_LOST
#define REFUSED HTTP_ERROR_REFUSED_STREAM
#define CALM HTTP_ERROR_ENHANCE_YOUR_CALM
#define BIG_HEAD HTTP_ERROR_HEADERS_TOO_LARGE
#define N HTTP_NOT_SENT
#define A HTTP_AMBIGUOUS
#define R HTTP_ANSWERED

struct fault {
	const char *name, *script;
	enum http_error error;
	enum http_certainty certainty;
	int status;
	const char *body; /* NULL = do not look */
};

static const struct fault faults[] = {
	{ "an answer", "H 200 content-length=2; De ok", NONE, R, 200, "ok" },
	{ "an answer without a body", "He 204", NONE, R, 204, "" },
	{ "an answer without a length", "H 200; D o; De k", NONE, R, 200, "ok" },
	{ "interim heads", "H 100; H 103 x=early; H 200; De ok", NONE, R, 200, "ok" },
	{ "trailers", "H 200; D ok; He - x-trailer=1", NONE, R, 200, "ok" },
	{ "status 999", "H 999; De ok", NONE, R, 999, "ok" },
	{ "unknown frames", "X 000003 fe 00 00000001 616263; H 200; De ok", NONE, R, 200, "ok" },
	{ "an answer, then PING and SETTINGS", "P 3; S 3; H 200; De ok", NONE, R, 200, "ok" },
	/* GOAWAY */
	{ "GOAWAY below our stream", "G 0 0; W", REFUSED, N, 0, NULL },
	{ "GOAWAY below our stream with an error", "G 0 2; W", REFUSED, N, 0, NULL },
	{ "GOAWAY that leaves all open, then below our stream", "G 0x7fffffff 0; G 0 0; W", REFUSED, N, 0, NULL },
	{ "GOAWAY, then the answer", "G 1 0; H 200; De ok", NONE, R, 200, "ok" },
	{ "GOAWAY with an error, then the answer", "G 1 2; H 200; De ok", NONE, R, 200, "ok" },
	{ "GOAWAY, then cut", "G 1 0; C", LOST, A, 0, NULL },
	{ "GOAWAY, then half an answer", "G 1 0; H 200; D o; C", TRUNCATED, A, 200, NULL },
	{ "GOAWAY below a stream that is being answered", "H 200; D o; G 0 0; W", TRUNCATED, A, 200, NULL },
	{ "GOAWAY(ENHANCE_YOUR_CALM) below our stream", "G 0 0xb; W", CALM, N, 0, NULL },
	{ "GOAWAY(ENHANCE_YOUR_CALM), then cut", "G 1 0xb; C", CALM, A, 0, NULL },
	{ "GOAWAY(ENHANCE_YOUR_CALM), then the answer", "G 1 0xb; H 200; De ok", NONE, R, 200, "ok" },
	/* RST_STREAM */
	{ "REFUSED_STREAM", "R 7", REFUSED, N, 0, NULL },
	{ "REFUSED_STREAM after an interim head", "H 103; R 7", LOST, A, 0, NULL },
	{ "REFUSED_STREAM after the head", "H 200; R 7", TRUNCATED, A, 200, NULL },
	{ "REFUSED_STREAM inside the body", "H 200; D o; R 7", TRUNCATED, A, 200, NULL },
	{ "CANCEL", "R 8", LOST, A, 0, NULL },
	{ "CANCEL after the head", "H 200; R 8", TRUNCATED, A, 200, NULL },
	{ "INTERNAL_ERROR", "R 2", LOST, A, 0, NULL },
	{ "INTERNAL_ERROR inside the body", "H 200 content-length=2; D o; R 2", TRUNCATED, A, 200, NULL },
	{ "PROTOCOL_ERROR", "R 1", LOST, A, 0, NULL },
	{ "an unknown code", "R 0x1234", LOST, A, 0, NULL },
	{ "NO_ERROR before an answer", "R 0", LOST, A, 0, NULL },
	{ "NO_ERROR inside the body", "H 200; D o; R 0", TRUNCATED, A, 200, NULL },
	{ "NO_ERROR after the answer", "H 200; De ok; R 0", NONE, R, 200, "ok" },
	{ "INTERNAL_ERROR after the answer", "H 200; De ok; R 2", NONE, R, 200, "ok" },
	{ "ENHANCE_YOUR_CALM on the stream", "R 0xb", CALM, A, 0, NULL },
	/* the connection */
	{ "closed before an answer", "C", LOST, A, 0, NULL },
	{ "reset before an answer", "K", LOST, A, 0, NULL },
	{ "closed inside the body", "H 200 content-length=2; D o; C", TRUNCATED, A, 200, NULL },
	{ "closed inside a body without a length", "H 200; D o; C", TRUNCATED, A, 200, NULL },
	{ "closed inside a frame of the head", "X 000010 01 04 00000001 88; C", LOST, A, 0, NULL },
	{ "closed inside a frame of the body", "H 200; X 000010 00 00 00000001 61; C", TRUNCATED, A, 200, NULL },
	/* messages */
	{ "a body shorter than its length", "H 200 content-length=5; De ok", TRUNCATED, A, 200, NULL },
	{ "no body but a length", "He 200 content-length=5", TRUNCATED, A, 200, NULL },
	{ "a body longer than its length", "H 200 content-length=1; De ok", FRAMING, A, 200, NULL },
	{ "a body with 204", "H 204; De ok", FRAMING, A, 204, NULL },
	{ "two different lengths", "H 200 content-length=2 content-length=3; De ok", FRAMING, A, 0, NULL },
	{ "a length with a tail", "H 200 content-length=2x; De ok", FRAMING, A, 0, NULL },
	{ "a name in upper case", "H 200 X-Upper=1; De ok", RESPONSE, A, 0, NULL },
	{ "a name that is no token", "H 200 a(b=1; De ok", RESPONSE, A, 0, NULL },
	{ "a name of no bytes", "H 200 =1; De ok", RESPONSE, A, 0, NULL },
	{ "a field of the connection", "H 200 connection=close; De ok", RESPONSE, A, 0, NULL },
	{ "a transfer coding", "H 200 transfer-encoding=chunked; De ok", RESPONSE, A, 0, NULL },
	{ "no status", "H - x=1; De ok", RESPONSE, A, 0, NULL },
	{ "two statuses", "H 200 :status=200; De ok", RESPONSE, A, 0, NULL },
	{ "the status behind a field", "H - x=1 :status=200; De ok", RESPONSE, A, 0, NULL },
	{ "another pseudo field", "H 200 :path=/; De ok", RESPONSE, A, 0, NULL },
	{ "status 20", "H 20; De ok", RESPONSE, A, 0, NULL },
	{ "status 2000", "H 2000; De ok", RESPONSE, A, 0, NULL },
	{ "status 099", "H 099; De ok", RESPONSE, A, 0, NULL },
	{ "101", "H 101; H 200; De ok", RESPONSE, A, 0, NULL },
	{ "only an interim head", "He 103", RESPONSE, A, 0, NULL },
	{ "endless interim heads", "I 1000; W", RESPONSE, A, 0, NULL },
	{ "a body before the head", "De ok", RESPONSE, A, 0, NULL },
	{ "an end before the head", "De", RESPONSE, A, 0, NULL },
	{ "a second head", "H 200; D o; H 200; De k", RESPONSE, A, 200, NULL },
	{ "trailers with a status", "H 200; D ok; He 200", RESPONSE, A, 200, NULL },
	{ "a line feed in a field", "X 000011 01 04 00000001 00 07 3a737461747573 03 323030 00 01 78 01 0a; De ok", RESPONSE, A, 0, NULL },
	{ "half a gzip", "H 200 content-encoding=gzip; X 000011 00 01 00000001 1f 8b 08 00 00 00 00 00 02 ff cb 48 cd c9 c9 07 00",
	  HTTP_ERROR_BAD_ENCODING, A, 200, NULL },
	{ "a coding of nothing", "He 200 content-encoding=gzip", NONE, R, 200, "" },
	{ "two codings", "H 200 content-encoding=gzip content-encoding=gzip; De ok", HTTP_ERROR_BAD_ENCODING, A, 200, NULL },
	{ "a body without end", "H 200; B 3000000; W", HTTP_ERROR_TOO_LARGE, R, 200, NULL },
	{ "an announced body too large", "H 200 content-length=100001; W", HTTP_ERROR_TOO_LARGE, R, 200, NULL },
	/* the rules of the connection */
	{ "an index that HPACK does not know", "X 000001 01 05 00000001 ff; W", RESPONSE, A, 0, NULL },
	{ "a field that HPACK cannot take apart", "X 000003 01 05 00000001 00 7f 01; W", RESPONSE, A, 0, NULL },
	{ "DATA on a stream that is not open", "X 000001 00 00 00000007 00; W", RESPONSE, A, 0, NULL },
	{ "a frame that is too long", "X 010000 00 00 00000001 00; W", RESPONSE, A, 0, NULL },
	{ "a PING of 7 bytes", "X 000007 06 00 00000000 00 00 00 00 00 00 00; W", RESPONSE, A, 0, NULL },
	{ "a window that overflows", "X 000004 08 00 00000000 7fffffff; W", RESPONSE, A, 0, NULL },
	{ "a stream's window that overflows", "X 000004 08 00 00000001 7fffffff; W", RESPONSE, A, 0, NULL },
	{ "a push", "X 000000 04 01 00000000 000005 05 04 00000001 00 00 00 02 82; W", RESPONSE, A, 0, NULL },
	{ "a head that another frame interrupts", "X 000001 01 00 00000001 88 000000 00 01 00000001; W", RESPONSE, A, 0, NULL },
	{ "256 fields", "F 256; De ok", NONE, R, 200, "ok" },
	{ "257 fields", "F 257; De ok", BIG_HEAD, A, 0, NULL },
	{ "a head in four frames", "O 3; De ok", NONE, R, 200, "ok" },
	{ "CONTINUATION without end", "O 100000; W", RESPONSE, A, 0, NULL },
	{ "PING without end", "P 100000; W", RESPONSE, A, 0, NULL },
	{ "SETTINGS without end", "S 100000; W", RESPONSE, A, 0, NULL },
	{ "empty DATA without end", "H 200; Z 100000; W", RESPONSE, A, 200, NULL },
};

struct scene {
	const char *script;
	int max_streams, window, read_body;
	int answers; /* so many first streams of the peer's life are told the script, then "an answer"; 0 = all */
	atomic_int streams;
};

static void serve_scene(struct peer *p, int fd, int number, void *arg)
{
	struct scene *s = arg;
	uint32_t stream;

	if (!h2p_greet(fd, s->max_streams, s->window))
		return;
	while ((stream = h2p_request(p, fd, s->read_body))) {
		int n = atomic_fetch_add(&s->streams, 1);
		bool is_ok = s->answers && n >= s->answers;
		if (!h2p_say(fd, stream, is_ok ? "H 200 content-length=2; De ok" : s->script))
			return;
	}
}

static struct answer ask_h2(struct asker *a, struct peer *p, const char *method, const char *body, struct http_request more)
{
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", p->port);
	more.method = str_c(method);
	more.url = str_c(url);
	more.body = body ? str_c(body) : STR_NULL;
	more.http_version = HTTP_WISH_2;
	more.max_body = 100000;
	if (!more.total_timeout)
		more.total_timeout = 20000;
	return ask_request(a, &more);
}

static struct answer ask_scene(struct scene *s, const char *method, const char *body, msec_t timeout)
{
	struct asker a = asker_new(NULL);
	struct peer *p = peer_start(serve_scene, s);
	struct answer x = ask_h2(&a, p, method, body, (struct http_request){ .total_timeout = timeout });

	asker_free(&a);
	peer_stop(p);
	return x;
}

TEST(each_fault_has_its_error_and_certainty)
{
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		const struct fault *f = &faults[i];
		struct scene s = { .script = f->script, .max_streams = -1, .window = -1 };
		struct answer x = ask_scene(&s, "GET", NULL, 0);
		if (x.error != f->error || x.certainty != f->certainty || x.status != f->status)
			fail_msg("%s: got %s/%d status %d (%s), expected %s/%d status %d", f->name, http_error_name(x.error), x.certainty,
				 x.status, x.detail, http_error_name(f->error), f->certainty, f->status);
		if (f->error == NONE && f->body && (x.body_len != strlen(f->body) || memcmp(x.body, f->body, x.body_len) != 0))
			fail_msg("%s: got body '%s'", f->name, x.body);
		if (f->error != NONE && !x.detail[0])
			fail_msg("%s: no sentence for people", f->name);
		if (atomic_load(&s.streams) > 1)
			fail_msg("%s: the client repeated it by itself", f->name);
		if (x.status)
			assert_string_equal(x.version, "2");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fault_has_its_error_and_certainty),
	};
	tier_under_test = HTTP_TIER_H1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
