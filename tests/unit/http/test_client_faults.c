/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fault matrix: answers as broken servers send them, and what we make of each. The rows that libcurl 7.88.1 alone gets wrong are
 * marked [7.88].
 */
#include "ask.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define NONE HTTP_ERROR_NONE
#define FRAMING HTTP_ERROR_BAD_FRAMING
#define RESPONSE HTTP_ERROR_BAD_RESPONSE
#define TRUNCATED HTTP_ERROR_TRUNCATED
#define LOST HTTP_ERROR_CONNECTION_LOST
#define BIG_HEAD HTTP_ERROR_HEADERS_TOO_LARGE
#define CODING HTTP_ERROR_BAD_ENCODING
#define A HTTP_AMBIGUOUS
#define R HTTP_ANSWERED

enum ending { FIN, RST, STAY, REPEAT }; /* REPEAT: the bytes again and again, until the client leaves */

struct fault {
	const char *name;
	const char *bytes;
	size_t len;
	enum ending ending;
	enum http_error error;
	enum http_certainty certainty;
	int status;
	const char *body; /* NULL = do not look */
	enum http_error own; /* the own tier's error (ambiguous), where it is stricter than libcurl's; NONE = the same */
};

#define B(text) text, sizeof(text) - 1

static const struct fault faults[] = {
	/* connection */
	{ "closed before a byte", B(""), FIN, LOST, A, 0, NULL },
	{ "reset before a byte", B(""), RST, LOST, A, 0, NULL },
	{ "cut in the status line", B("HTTP/1.1 20"), FIN, LOST, A, 0, NULL, RESPONSE },
	{ "[7.88] cut in the head", B(OK "Content-Le"), FIN, RESPONSE, A, 0, NULL },
	{ "[7.88] cut after a whole field", B(OK "Content-Length: 3\r\n"), FIN, RESPONSE, A, 0, NULL },
	{ "[7.88] cut after the status line", B(OK), FIN, RESPONSE, A, 0, NULL },
	{ "reset in the head", B(OK "Content-Le"), RST, LOST, A, 0, NULL },
	/* lengths */
	{ "body shorter than its length", B(OK "Content-Length: 100\r\n\r\n0123456789"), FIN, TRUNCATED, A, 200, NULL },
	{ "body reset", B(OK "Content-Length: 100\r\n\r\n0123456789"), RST, TRUNCATED, A, 200, NULL },
	{ "no length and an end", B(OK "\r\n{\"a\":[1,2"), FIN, NONE, R, 200, "{\"a\":[1,2" },
	{ "no length and a reset", B(OK "\r\n{\"a\":[1,2"), RST, TRUNCATED, A, 200, NULL },
	{ "[7.88] two different lengths", B(OK "Content-Length: 5\r\nContent-Length: 8\r\n\r\nhello123"), STAY, FRAMING, A, 0, NULL },
	{ "one length said twice", B(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"), STAY, NONE, R, 200, "hello" },
	{ "one length listed twice", B(OK "Content-Length: 5, 5\r\n\r\nhello"), STAY, NONE, R, 200, "hello" },
	{ "[7.88] two lengths in a list", B(OK "Content-Length: 5, 8\r\n\r\nhello123"), STAY, FRAMING, A, 0, NULL },
	{ "negative length", B(OK "Content-Length: -5\r\n\r\nhello"), STAY, FRAMING, A, 0, NULL },
	{ "[7.88] length with a plus", B(OK "Content-Length: +5\r\n\r\nhello"), STAY, FRAMING, A, 0, NULL },
	{ "[7.88] length with a tail", B(OK "Content-Length: 5abc\r\n\r\nhello"), STAY, FRAMING, A, 0, NULL },
	{ "length in hex", B(OK "Content-Length: 0x5\r\n\r\nhello"), STAY, FRAMING, A, 0, NULL },
	{ "empty length", B(OK "Content-Length:\r\n\r\nhello"), FIN, FRAMING, A, 0, NULL },
	{ "length beyond 2^63", B(OK "Content-Length: 99999999999999999999999\r\n\r\nhello"), STAY, FRAMING, A, 0, NULL },
	{ "length of 2^63", B(OK "Content-Length: 9223372036854775808\r\n\r\nhello"), STAY, FRAMING, A, 0, NULL },
	{ "bytes after the body", B(OK "Content-Length: 5\r\n\r\nhelloEXTRA"), STAY, NONE, R, 200, "hello" },
	{ "folded length", B(OK "Content-Length: 5\r\n 0\r\n\r\nhello"), FIN, FRAMING, A, 0, NULL },
	/* chunks */
	{ "chunk size not hex", B(OK "Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n0\r\n\r\n"), STAY, FRAMING, A, 200, NULL },
	{ "no last chunk", B(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), FIN, TRUNCATED, A, 200, NULL },
	{ "cut in a chunk", B(OK "Transfer-Encoding: chunked\r\n\r\n50\r\nhello"), FIN, TRUNCATED, A, 200, NULL },
	{ "cut in a chunk by reset", B(OK "Transfer-Encoding: chunked\r\n\r\n50\r\nhello"), RST, TRUNCATED, A, 200, NULL },
	{ "chunk size overflows", B(OK "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nhello"), STAY, FRAMING, A, 200, NULL },
	{ "no line end after a chunk", B(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n"), STAY, FRAMING, A, 200, NULL },
	{ "bare line feed after a chunk's size", B(OK "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n"), STAY, NONE, R, 200, "hello",
	  FRAMING },
	{ "bare line feed after the last chunk", B(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\n\r\n"), STAY, NONE, R, 200, "hello",
	  FRAMING },
	{ "bare line feed after a chunk", B(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n"), STAY, NONE, R, 200, "hello", FRAMING },
	{ "chunk extensions", B(OK "Transfer-Encoding: chunked\r\n\r\n5;a=b;c=\"d\\\";\"\r\nhello\r\n0;x\r\n\r\n"), STAY, NONE, R, 200, "hello" },
	{ "trailers", B(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: t\r\n\r\n"), STAY, NONE, R, 200, "hello" },
	{ "both lengths", B(OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), STAY, NONE, R, 200,
	  "hello" },
	{ "unknown transfer coding", B(OK "Transfer-Encoding: foo\r\n\r\nhello"), FIN, FRAMING, A, 0, NULL },
	{ "[7.88] chunked is not last", B(OK "Transfer-Encoding: chunked, gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), FIN, FRAMING, A, 0, NULL },
	{ "[7.88] two transfer codings", B(OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), FIN, FRAMING, A, 0, NULL },
	{ "chunked said twice",
	  B(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), FIN, FRAMING, A, 0, NULL },
	/* heads */
	{ "NUL in a field", B(OK "X: a\0b\r\nContent-Length: 2\r\n\r\nok"), STAY, RESPONSE, A, 0, NULL },
	{ "[7.88] carriage return in a field", B(OK "X: a\rb\r\nContent-Length: 2\r\n\r\nok"), STAY, RESPONSE, A, 0, NULL },
	{ "folded field", B(OK "X: a\r\n b\r\nContent-Length: 2\r\n\r\nok"), STAY, NONE, R, 200, "ok" },
	{ "field without colon", B(OK "XYZ\r\nContent-Length: 2\r\n\r\nok"), STAY, RESPONSE, A, 0, NULL },
	{ "space before the colon", B(OK "X : 1\r\nContent-Length: 2\r\n\r\nok"), STAY, NONE, R, 200, "ok" },
	{ "[7.88] space before the colon of a length", B(OK "Content-Length : 2\r\n\r\nok"), STAY, FRAMING, A, 0, NULL },
	{ "[7.88] space before the colon of a coding",
	  B(OK "Transfer-Encoding : chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), STAY, FRAMING, A, 0, NULL },
	{ "field without a name", B(OK ": x\r\nContent-Length: 2\r\n\r\nok"), STAY, RESPONSE, A, 0, NULL },
	{ "bare line feeds in the head", B("HTTP/1.1 200 OK\nContent-Length: 2\n\nok"), STAY, NONE, R, 200, "ok" },
	{ "HTTP/1.0", B("HTTP/1.0 200 OK\r\n\r\nhello"), FIN, NONE, R, 200, "hello" },
	{ "HTTP/1.2", B("HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok"), STAY, RESPONSE, A, 0, NULL },
	{ "[7.88] HTTP/2.0 in plain text", B("HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok"), FIN, RESPONSE, A, 0, NULL },
	{ "HTTP/0.9", B("<html>hi</html>"), FIN, RESPONSE, A, 0, NULL },
	{ "status 999", B("HTTP/1.1 999 Weird\r\nContent-Length: 2\r\n\r\nok"), STAY, NONE, R, 999, "ok" },
	{ "status 2000", B("HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok"), STAY, RESPONSE, A, 0, NULL },
	{ "status 20", B("HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok"), STAY, RESPONSE, A, 0, NULL },
	{ "100, then 200", B("HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 2\r\n\r\nok"), STAY, NONE, R, 200, "ok" },
	{ "103, then 200", B("HTTP/1.1 103 Early Hints\r\nX: early\r\n\r\n" OK "Content-Length: 2\r\n\r\nok"), STAY, NONE, R, 200, "ok" },
	{ "endless 1xx", B("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), REPEAT, RESPONSE, A, 0, NULL },
	{ "[7.88] 101 unasked", B("HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: upgrade\r\n\r\nxx"), FIN, RESPONSE, A, 0,
	  NULL },
	{ "204 with a body", B("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"), STAY, NONE, R, 204, "" },
	{ "304 with a body", B("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello"), STAY, NONE, R, 304, "" },
	{ "two locations", B("HTTP/1.1 302 F\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"), STAY, NONE, R, 302, "" },
	{ "redirect is not followed", B("HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"), STAY, NONE, R, 302,
	  "" },
	/* content codings: "hello" in each */
	{ "gzip",
	  B(OK "Content-Encoding: gzip\r\nContent-Length: 25\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xcb\x48\xcd\xc9\xc9\x07\x00\x86"
	       "\xa6\x10\x36\x05\x00\x00\x00"),
	  STAY, NONE, R, 200, "hello" },
	{ "[7.88] gzip cut inside a right length",
	  B(OK "Content-Encoding: gzip\r\nContent-Length: 17\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xcb\x48\xcd\xc9\xc9\x07\x00"),
	  STAY, CODING, A, 200, NULL },
	{ "gzip with another checksum",
	  B(OK "Content-Encoding: gzip\r\nContent-Length: 25\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xcb\x48\xcd\xc9\xc9\x07\x00\x87"
	       "\xa6\x10\x36\x05\x00\x00\x00"),
	  STAY, CODING, A, 200, NULL },
	{ "[7.88] gzip with a tail",
	  B(OK "Content-Encoding: gzip\r\nContent-Length: 29\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xcb\x48\xcd\xc9\xc9\x07\x00\x86"
	       "\xa6\x10\x36\x05\x00\x00\x00TAIL"),
	  STAY, CODING, A, 200, NULL },
	{ "says gzip and is not", B(OK "Content-Encoding: gzip\r\nContent-Length: 7\r\n\r\n{\"a\":1}"), STAY, CODING, A, 200, NULL },
	{ "unknown coding", B(OK "Content-Encoding: foo\r\nContent-Length: 7\r\n\r\n{\"a\":1}"), STAY, CODING, A, 200, NULL },
	{ "[7.88] nested coding", B(OK "Content-Encoding: gzip, gzip\r\nContent-Length: 7\r\n\r\n{\"a\":1}"), STAY, CODING, A, 200, NULL },
	{ "[7.88] nested coding in two fields",
	  B(OK "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\n{\"a\":1}"), STAY, CODING, A, 200, NULL },
	{ "identity", B(OK "Content-Encoding: identity\r\nContent-Length: 2\r\n\r\nok"), STAY, NONE, R, 200, "ok" },
	{ "a coding of nothing", B(OK "Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"), STAY, NONE, R, 200, "" },
	{ "[7.88] a coding of nothing, ended by FIN", B(OK "Content-Encoding: gzip\r\n\r\n"), FIN, CODING, A, 200, NULL },
	/* sizes */
	{ "endless body", B(OK "\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), REPEAT, HTTP_ERROR_TOO_LARGE, R, 200, NULL },
	{ "announced body too large", B(OK "Content-Length: 100001\r\n\r\n"), STAY, HTTP_ERROR_TOO_LARGE, R, 200, NULL },
};

static void serve_fault(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;

	while (peer_read(p, fd, &r)) {
		const struct fault *f = &faults[atoi(r.target + 1)];
		const char *rest = f->bytes;
		size_t len = f->len;
		if (f->ending == REPEAT && f->error == HTTP_ERROR_TOO_LARGE) { /* the head once */
			rest = strstr(f->bytes, "\r\n\r\n") + 4;
			peer_send(fd, f->bytes, (size_t)(rest - f->bytes));
			len -= (size_t)(rest - f->bytes);
		}
		peer_send(fd, rest, len);
		while (f->ending == REPEAT && send(fd, rest, len, MSG_NOSIGNAL) > 0)
			;
		if (f->ending == RST) {
			usleep(20000); /* let the bytes be read before the reset throws them away */
			peer_reset(fd);
			(void)dup2(p->listener, fd); /* closes it: the thread's own number stays valid */
			return;
		}
		if (f->ending != STAY)
			return;
	}
}

TEST(each_fault_has_its_error_and_certainty)
{
	struct peer *p = peer_start(serve_fault, NULL);

	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		const struct fault *f = &faults[i];
		struct asker a = asker_new(NULL);
		char url[64];
		snprintf(url, sizeof(url), "http://127.0.0.1:%u/%zu", p->port, i);
		struct answer x = ask_request(&a, &(struct http_request){
							  .method = STR("GET"),
							  .url = str_c(url),
							  .max_body = 100000,
							  .total_timeout = 20000,
						  });
		bool is_stricter = tier_under_test == HTTP_TIER_H1 && f->own != NONE;
		enum http_error error = is_stricter ? f->own : f->error;
		enum http_certainty certainty = is_stricter ? A : f->certainty;
		if (x.error != error || x.certainty != certainty || x.status != f->status)
			fail_msg("%s: got %s/%d status %d (%s), expected %s/%d status %d", f->name, http_error_name(x.error), x.certainty,
				 x.status, x.detail, http_error_name(error), certainty, f->status);
		if (error == NONE && f->body && (x.body_len != strlen(f->body) || memcmp(x.body, f->body, x.body_len) != 0))
			fail_msg("%s: got body '%s'", f->name, x.body);
		if (error == HTTP_ERROR_TOO_LARGE && f->ending == REPEAT && (x.body_len == 0 || x.body_len > 100000 || x.has_body_failed))
			fail_msg("%s: what came before the limit is not there to look at", f->name);
		const char *raw = strstr(f->bytes, "\r\n\r\n");
		if (error == CODING && f->ending == STAY &&
		    (x.body_len != f->len - (size_t)(raw + 4 - f->bytes) || memcmp(x.body, raw + 4, x.body_len) != 0))
			fail_msg("%s: the bytes as they came are not there to look at", f->name);
		if (x.error != NONE && !x.detail[0])
			fail_msg("%s: no sentence for people", f->name);
		asker_free(&a);
	}
	peer_stop(p);
}

/* ---- heads that are too large ---- */

static void serve_big_head(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;
	char *field = malloc(400000);

	memset(field, 'a', 400000);
	if (peer_read(p, fd, &r)) {
		peer_say(fd, OK);
		size_t n = strtoul(r.target + 3, NULL, 10);
		if (r.target[1] == 'f') { /* one field of n bytes */
			peer_say(fd, "X: ");
			peer_send(fd, field, n);
			peer_say(fd, "\r\n");
		}
		for (size_t i = 0; i < n && r.target[1] == 'n'; i++) /* n fields */
			peer_say(fd, "Y: b\r\n");
		for (size_t i = 0; i < n && r.target[1] == 'l'; i++) { /* n fields of 10000 bytes */
			peer_say(fd, "Z: ");
			peer_send(fd, field, 10000);
			peer_say(fd, "\r\n");
		}
		peer_say(fd, "Content-Length: 2\r\n\r\nok");
	}
	free(field);
}

TEST(heads_have_limits)
{
	static const struct {
		const char *target;
		enum http_error error;
	} rows[] = {
		{ "/f/60000", NONE },	  { "/f/66000", BIG_HEAD }, { "/f/400000", BIG_HEAD }, { "/n/255", NONE },
		{ "/n/256", BIG_HEAD },	  { "/n/20000", BIG_HEAD }, { "/l/25", NONE },	       { "/l/27", BIG_HEAD },
	};
	struct peer *p = peer_start(serve_big_head, NULL);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct asker a = asker_new(NULL);
		struct answer x = ask(&a, "GET", p, rows[i].target, NULL);
		if (x.error != rows[i].error)
			fail_msg("%s: got %s (%s)", rows[i].target, http_error_name(x.error), x.detail);
		asker_free(&a);
	}
	peer_stop(p);
}

TEST(a_folded_field_is_one_value_with_a_space)
{
	size_t i = 0;
	struct peer *p = peer_start(serve_fault, NULL);
	struct asker a = asker_new(NULL);
	char target[16];

	while (strcmp(faults[i].name, "folded field") != 0)
		i++;
	snprintf(target, sizeof(target), "/%zu", i);
	struct answer x = ask(&a, "GET", p, target, NULL);
	assert_string_equal(x.x, "a b");
	while (strcmp(faults[i].name, "103, then 200") != 0)
		i++;
	snprintf(target, sizeof(target), "/%zu", i);
	x = ask(&a, "GET", p, target, NULL);
	assert_string_equal(x.x, ""); /* fields of an interim answer are not the final one's */
	asker_free(&a);
	peer_stop(p);
}

TEST(an_answer_without_length_is_marked)
{
	struct peer *p = peer_start(serve_fault, NULL);
	struct asker a = asker_new(NULL);
	char target[16];

	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		bool is_marked = strcmp(faults[i].name, "no length and an end") == 0 || strcmp(faults[i].name, "HTTP/1.0") == 0;
		if (faults[i].error != NONE || (tier_under_test == HTTP_TIER_H1 && faults[i].own != NONE))
			continue;
		snprintf(target, sizeof(target), "/%zu", i);
		struct answer x = ask(&a, "GET", p, target, NULL);
		if (x.is_close_delimited != is_marked)
			fail_msg("%s: is_close_delimited is %d", faults[i].name, x.is_close_delimited);
	}
	asker_free(&a);
	peer_stop(p);
}

RUN_ON_BOTH_TIERS(CLAIM(each_fault_has_its_error_and_certainty), CLAIM(heads_have_limits), CLAIM(a_folded_field_is_one_value_with_a_space),
	  CLAIM(an_answer_without_length_is_marked))
