/* SPDX-License-Identifier: Apache-2.0 */
/* TLS against openssl's own server, with certificates made on the spot; skipped where the openssl program is missing.
 */
#include "ask.h"
#include "certificate.h"

#include <signal.h>
#include <sys/wait.h>

static uint16_t free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)bind(fd, (struct sockaddr *)&a, len);
	(void)getsockname(fd, (struct sockaddr *)&a, &len);
	close(fd);
	return ntohs(a.sin_port);
}

static bool is_listening(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool is_up = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;

	close(fd);
	return is_up;
}

static pid_t serve(uint16_t port, const char *version)
{
	char address[32];

	snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	pid_t pid = start((char *[]){ A("openssl"), A("s_server"), A("-accept"), address, A("-cert"), cert, A("-key"),
				      key, A("-www"), A("-cipher"), A("ALL:@SECLEVEL=0"), A(version), NULL });
	for (int i = 0; i < 500 && !is_listening(port); i++)
		usleep(10000);
	return pid;
}

static struct answer ask_tls(uint16_t port, bool no_verify, const char *ca_file)
{
	struct asker a = asker_new(&(struct http_client_config){ .ca_file = ca_file });
	char url[64];

	snprintf(url, sizeof(url), "https://127.0.0.1:%u/", port);
	struct answer x = ask_request(
	    &a, &(struct http_request){ .method = STR("GET"), .url = str_c(url), .tls_no_verify = no_verify });
	asker_free(&a);
	return x;
}

TEST(certificates_are_checked_and_their_faults_are_not_sent)
{
	if (!make_own_certificate()) {
		printf("skipped: the openssl program is not here\n");
		skip();
	}
	uint16_t port = free_port();
	pid_t pid = serve(port, "-tls1_3");
	struct answer x = ask_tls(port, false, NULL);
	assert_outcome(x, HTTP_ERROR_TLS_CERT, HTTP_NOT_SENT);
	assert_non_null(strstr(x.detail, "self"));
	x = ask_tls(port, true, NULL);
	assert_int_equal(x.status, 200);
	assert_true(x.timings.tls > 0);
	assert_int_equal(ask_tls(port, false, cert).status, 200);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);

	assert_true(make_certificate("DNS:elsewhere.example"));
	port = free_port();
	pid = serve(port, "-tls1_2");
	x = ask_tls(port, false, cert); /* trusted, but somebody else's */
	assert_outcome(x, HTTP_ERROR_TLS_CERT, HTTP_NOT_SENT);
	if (tier_under_test == HTTP_TIER_H1) { /* whose it is, and from when to when it holds */
		assert_non_null(strstr(x.detail, "mismatch (CN=DNS:elsewhere.example, valid from 2"));
		assert_non_null(strstr(x.detail, " to 2"));
	}
	assert_int_equal(ask_tls(port, true, cert).status, 200);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);

	port = free_port();
	pid = serve(port, "-tls1_1");
	assert_outcome(ask_tls(port, true, cert), HTTP_ERROR_TLS_PROTOCOL, HTTP_NOT_SENT);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	(void)unlink(cert);
	(void)unlink(key);
	(void)rmdir(dir);
}

/* A TLS server that ends as the path says, in a language whose TLS is not ours. */
static const char script[] =
    "import socket, ssl, sys\n"
    "x = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); x.load_cert_chain(sys.argv[2], sys.argv[3])\n"
    "s = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
    "while True:\n"
    "  c = None\n"
    "  try:\n"
    "    c = x.wrap_socket(s.accept()[0], server_side=True)\n"
    "    while True:\n"
    "      head = b''\n"
    "      while b'\\r\\n\\r\\n' not in head:\n"
    "        piece = c.recv(65536)\n"
    "        if not piece: raise OSError\n"
    "        head += piece\n"
    "      path = head.split()[1]\n"
    "      if path == b'/kept':\n"
    "        c.sendall(b'HTTP/1.1 200 OK\\r\\nX: %d\\r\\nContent-Length: 2\\r\\n\\r\\nok' % c.session_reused)\n"
    "        continue\n"
    "      c.sendall(b'HTTP/1.1 200 OK\\r\\n\\r\\nhalf')\n"
    "      if path == b'/whole':\n"
    "        c.settimeout(1); c.unwrap()\n"
    "      break\n"
    "  except OSError: pass\n"
    "  if c: c.close()\n";

TEST(the_end_of_tls_is_the_end_of_a_body_only_when_it_says_so)
{
	static const struct {
		const char *path;
		bool is_fresh;
		enum http_error error;
		const char *body, *x;
	} rows[] = {
		{ "/whole", false, HTTP_ERROR_NONE, "half", "" },
		{ "/kept", true, HTTP_ERROR_NONE, "ok", "1" }, /* the first one's session is resumed */
		{ "/kept", false, HTTP_ERROR_NONE, "ok", "1" },
		{ "/cut", false, HTTP_ERROR_TRUNCATED, NULL, "" }, /* libcurl 7.88 does not tell it from the whole */
	};
	char digits[8], url[64];

	if (!make_own_certificate() || !run((char *[]){ A("python3"), A("-c"), A("import ssl"), NULL })) {
		printf("skipped: openssl or python3 is not here\n");
		skip();
	}
	uint16_t port = free_port();
	snprintf(digits, sizeof(digits), "%u", port);
	pid_t pid = start((char *[]){ A("python3"), A("-c"), A(script), digits, cert, key, NULL });
	for (int i = 0; i < 500 && !is_listening(port); i++)
		usleep(10000);
	struct asker a = asker_new(&(struct http_client_config){ .ca_file = cert });
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(url, sizeof(url), "https://127.0.0.1:%u%s", port, rows[i].path);
		struct answer x = ask_request(&a, &(struct http_request){ .method = STR("POST"),
									  .url = str_c(url),
									  .body = STR("{}"),
									  .fresh_connection = rows[i].is_fresh });
		bool is_lenient = tier_under_test == HTTP_TIER_CURL && rows[i].error != HTTP_ERROR_NONE;
		if (x.error != (is_lenient ? HTTP_ERROR_NONE : rows[i].error) ||
		    (rows[i].body && strcmp(x.body, rows[i].body) != 0))
			fail_msg("%s: %s %s", rows[i].path, http_error_name(x.error), x.detail);
		assert_string_equal(x.x, rows[i].x);
		assert_int_equal(x.timings.tls > 0, i < 2);
	}
	asker_free(&a);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	(void)unlink(cert);
	(void)unlink(key);
	(void)rmdir(dir);
}

static void serve_plain(struct peer *p, int fd, int number, void *arg)
{
	char bytes[4096];

	if (recv(fd, bytes, sizeof(bytes), 0) > 0)
		peer_say(fd, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
}

TEST(a_plain_server_on_a_tls_port_is_a_protocol_error)
{
	struct peer *p = peer_start(serve_plain, NULL);

	assert_outcome(ask_tls(p->port, false, NULL), HTTP_ERROR_TLS_PROTOCOL, HTTP_NOT_SENT);
	peer_stop(p);
}

RUN_ON_BOTH_TIERS(CLAIM(certificates_are_checked_and_their_faults_are_not_sent),
		  CLAIM(the_end_of_tls_is_the_end_of_a_body_only_when_it_says_so),
		  CLAIM(a_plain_server_on_a_tls_port_is_a_protocol_error))
