/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels: a proxy of ours that relays bytes, and a TLS server in Python that echoes heads; skipped where openssl or
 * Python is missing. */
#include "ask.h"
#include "certificate.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

static bool is_possible(void)
{
	return make_own_certificate() && run((char *[]){ A("python3"), A("-c"), A("import ssl"), NULL });
}

/* Echoes the head as the body; /407 says 407, /close-at-2 closes instead of answering a connection's second request. */
static const char script[] =
    "import socket, ssl, sys, threading, os\n"
    "x = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); x.load_cert_chain(sys.argv[1], sys.argv[2])\n"
    "if sys.argv[4:]: x.set_alpn_protocols(sys.argv[4:])\n"
    "s = socket.create_server(('127.0.0.1', 0))\n"
    "open(sys.argv[3] + '.new', 'w').write(str(s.getsockname()[1])); os.rename(sys.argv[3] + '.new', sys.argv[3])\n"
    "def serve(c):\n"
    "  try:\n"
    "    c = x.wrap_socket(c, server_side=True)\n"
    "    n = 0\n"
    "    while True:\n"
    "      head = b''\n"
    "      while b'\\r\\n\\r\\n' not in head:\n"
    "        piece = c.recv(65536)\n"
    "        if not piece: return\n"
    "        head += piece\n"
    "      n += 1\n"
    "      path = head.split()[1]\n"
    "      if path == b'/close-at-2' and n == 2: c.close(); return\n"
    "      status = b'407 No\\r\\nProxy-Authenticate: Basic realm=x' if path == b'/407' else b'200 OK'\n"
    "      c.sendall(b'HTTP/1.1 ' + status + b'\\r\\nX: origins\\r\\nContent-Length: %d\\r\\n\\r\\n' % len(head) + "
    "head)\n"
    "  except OSError: pass\n"
    "  finally: c.close()\n"
    "while True:\n"
    "  threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()\n";

/* ---- the proxy ---- */

static void relay(int x, int y)
{
	struct pollfd fds[2] = { { .fd = x, .events = POLLIN }, { .fd = y, .events = POLLIN } };
	char bytes[16384];

	while (poll(fds, 2, -1) > 0) {
		for (int i = 0; i < 2; i++) {
			ssize_t n = fds[i].revents ? recv(fds[i].fd, bytes, sizeof(bytes), 0) : -1;
			if (fds[i].revents && n <= 0)
				return;
			if (n > 0)
				peer_send(fds[1 - i].fd, bytes, (size_t)n);
		}
	}
}

static atomic_int refuse_from; /* this CONNECT and those after it get a 503 */

/* Opens what CONNECT asks for on the loopback address. */
static void serve_tunnels(struct peer *p, int fd, int number, void *arg)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct peer_request r;

	if (!peer_read(p, fd, &r) || strcmp(r.method, "CONNECT") != 0)
		return;
	if (refuse_from && p->requests >= refuse_from) {
		peer_say(fd, "HTTP/1.1 503 Busy\r\n\r\n");
		return;
	}
	to.sin_port = htons((uint16_t)atoi(strchr(r.target, ':') + 1));
	int out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(out, (struct sockaddr *)&to, sizeof(to)) == 0) {
		peer_say(
		    fd,
		    "HTTP/1.1 200 Here\r\nX: proxys\r\nContent-Length: 7\r\n\r\n"); /* a length here means nothing */
		relay(fd, out);
	}
	(void)close(out);
}

/* ---- the tests' ground ---- */

struct ground {
	struct peer *proxy;
	pid_t origin;
	char port_file[64], origin_url[64], proxy_url[64];
	struct asker asker;
};

static bool ground_open_alpn(struct ground *g, const char *offered)
{
	if (!is_possible()) {
		printf("skipped: openssl or python3 is not here\n");
		return false;
	}
	unsigned port = 0;
	snprintf(g->port_file, sizeof(g->port_file), "%s/port", dir);
	g->origin = start((char *[]){ A("python3"), A("-c"), A(script), cert, key, g->port_file, A(offered), NULL });
	for (int i = 0; i < 2000 && port == 0; i++) {
		FILE *f = fopen(g->port_file, "r");
		if (!f || fscanf(f, "%u", &port) != 1)
			usleep(10000);
		if (f)
			(void)fclose(f);
	}
	assert_true(port > 0);
	atomic_store(&refuse_from, 0);
	g->proxy = peer_start(serve_tunnels, NULL);
	snprintf(g->origin_url, sizeof(g->origin_url), "https://127.0.0.1:%u", port);
	snprintf(g->proxy_url, sizeof(g->proxy_url), "http://127.0.0.1:%u", g->proxy->port);
	g->asker = asker_new(&(struct http_client_config){ .ca_file = cert });
	return true;
}

static bool ground_open(struct ground *g)
{
	return ground_open_alpn(g, NULL);
}

static void ground_close(struct ground *g)
{
	asker_free(&g->asker);
	peer_stop(g->proxy);
	kill(g->origin, SIGKILL);
	waitpid(g->origin, NULL, 0);
	(void)unlink(g->port_file);
	(void)unlink(cert);
	(void)unlink(key);
	(void)rmdir(dir);
}

/* `way`: "-" = no proxy, "" = no credentials. */
static struct answer go(struct ground *g, const char *method, const char *path, const char *way)
{
	char url[128];
	struct http_proxy proxy = { .url = str_c(g->proxy_url), .authorization = *way ? str_c(way) : STR_NULL };

	snprintf(url, sizeof(url), "%s%s", g->origin_url, path);
	return ask_request(&g->asker, &(struct http_request){
					  .method = str_c(method),
					  .url = str_c(url),
					  .body = strcmp(method, "POST") == 0 ? STR("{}") : STR_NULL,
					  .total_timeout = 20000,
					  .proxy = strcmp(way, "-") == 0 ? NULL : &proxy,
				      });
}

TEST(credentials_of_the_proxy_never_come_out_of_the_tunnel)
{
	struct ground g;

	if (!ground_open(&g))
		skip();
	struct answer x = go(&g, "POST", "/a", "Basic YTpi");
	assert_outcome(x, HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_string_equal(x.version, "1.1");
	assert_non_null(strstr(x.body, "POST /a HTTP/1.1\r\n"));
	assert_null(strstr(x.body, "Proxy"));
	assert_string_equal(x.x, "origins"); /* and the head of the proxy's answer is not taken for the server's */
	assert_true(x.timings.tls > 0);
	x = go(&g, "GET", "/407", "Basic YTpi"); /* inside the tunnel it is the server who speaks */
	assert_outcome(x, HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_int_equal(x.status, 407);
	assert_null(strstr(x.body, "Proxy"));
	assert_int_equal(g.proxy->requests, 1);
	ground_close(&g);
}

TEST(a_server_that_would_rather_speak_http2_is_spoken_to_in_http_1_1)
{
	struct ground g;

	if (!ground_open_alpn(&g, "h2"))
		skip();
	struct answer x =
	    go(&g, "GET", "/", ""); /* it has no way to say h2: with it offered, it would be chosen, and break */
	assert_outcome(x, HTTP_ERROR_NONE, HTTP_ANSWERED);
	assert_string_equal(x.version, "1.1");
	ground_close(&g);
}

TEST(a_kept_tunnel_belongs_to_its_proxy_and_its_credentials)
{
	static const struct {
		const char *way;
		int connects; /* seen by the proxy so far */
	} rows[] = {
		{ "Basic YTpi", 1 }, { "Basic YTpi", 1 }, { "Basic Yzpk", 2 }, { "", 3 },  { "-", 3 },
		{ "Basic YTpi", 3 }, { "Basic Yzpk", 3 }, { "", 3 },	       { "-", 3 },
	};
	struct ground g;

	if (!ground_open(&g))
		skip();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_outcome(go(&g, "GET", "/", rows[i].way), HTTP_ERROR_NONE, HTTP_ANSWERED);
		if (g.proxy->requests != rows[i].connects)
			fail_msg("row %zu: %d CONNECTs, expected %d", i, g.proxy->requests, rows[i].connects);
	}
	ground_close(&g);
}

TEST(more_credentials_than_shards_only_cost_their_connections)
{
	struct ground g;
	char way[32];

	if (!ground_open(&g))
		skip();
	for (int i = 0; i < 70; i++) {
		snprintf(way, sizeof(way), "Basic %04d", i % 68);
		assert_outcome(go(&g, "GET", "/", way), HTTP_ERROR_NONE, HTTP_ANSWERED);
	}
	assert_true(g.proxy->requests >= 68);
	ground_close(&g);
}

TEST(a_request_lost_in_a_kept_tunnel_is_not_sent_again)
{
	struct ground g;

	if (!ground_open(&g))
		skip();
	for (int i = 0; i < 2; i++) {
		assert_outcome(go(&g, "POST", "/close-at-2", ""), HTTP_ERROR_NONE, HTTP_ANSWERED);
		atomic_store(&refuse_from,
			     i ? g.proxy->requests + 1 : 0); /* the tunnel made for sending again is refused, too */
		assert_outcome(go(&g, "POST", "/close-at-2", ""), HTTP_ERROR_CONNECTION_LOST, HTTP_AMBIGUOUS);
	}
	ground_close(&g);
}

TEST(behind_a_tunnel_that_stands_the_faults_are_the_servers)
{
	struct ground g;

	if (!ground_open(&g))
		skip();
	struct asker strict = asker_new(NULL); /* knows no such authority */
	struct asker kept = g.asker;
	g.asker = strict;
	assert_outcome(go(&g, "POST", "/", ""), HTTP_ERROR_TLS_CERT, HTTP_NOT_SENT);
	asker_free(&g.asker);
	g.asker = kept;
	assert_int_equal(g.proxy->requests, 1);
	ground_close(&g);
}

/* ---- a proxy that is itself reached by TLS: tests/tools/proxy.py ---- */

static pid_t start_tls_proxy(uint16_t *ret_port)
{
	char output[96], command[512];

	snprintf(output, sizeof(output), "%s/proxy", dir);
	snprintf(command, sizeof(command),
		 "exec python3 tests/tools/proxy.py --lifetime 100 --user a:b --tls %s %s > %s", cert, key, output);
	pid_t pid = start((char *[]){ A("sh"), A("-c"), command, NULL });
	unsigned port = 0;
	for (int i = 0; i < 2000 && port == 0; i++) {
		FILE *f = fopen(output, "r");
		if (!f || fscanf(f, "port %u\n", &port) != 1)
			usleep(10000);
		if (f)
			(void)fclose(f);
	}
	(void)unlink(output);
	assert_true(port > 0);
	*ret_port = (uint16_t)port;
	return pid;
}

static void serve_plain(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;

	while (peer_read(p, fd, &r))
		peer_say(fd, strstr(r.head, "Proxy-") ? "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
						      : "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain");
}

static void serve_400(struct peer *p, int fd, int number, void *arg)
{
	char bytes[4096];

	if (recv(fd, bytes, sizeof(bytes), 0) > 0)
		peer_say(fd, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
}

static struct answer by_way(struct asker *a, const char *url, uint16_t port, bool no_verify)
{
	char way[64];

	snprintf(way, sizeof(way), "https://127.0.0.1:%u", port);
	struct http_proxy proxy = { .url = str_c(way), .authorization = STR("Basic YTpi") };
	return ask_request(a, &(struct http_request){ .method = STR("POST"),
						      .url = str_c(url),
						      .body = STR("{}"),
						      .total_timeout = 20000,
						      .tls_no_verify = no_verify,
						      .proxy = &proxy });
}

TEST(an_https_proxy_is_checked_whatever_is_said_of_the_servers_certificate)
{
	struct ground g;
	uint16_t port;

	if (!ground_open(&g))
		skip();
	struct peer *plain = peer_start(serve_plain, NULL), *no_tls = peer_start(serve_400, NULL);
	pid_t pid = start_tls_proxy(&port);
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", plain->port);
	struct answer x;
	for (int i = 0; i < 2; i++) {
		x = by_way(&g.asker, g.origin_url, port, false); /* TLS within TLS */
		assert_outcome(x, HTTP_ERROR_NONE, HTTP_ANSWERED);
		assert_null(strstr(x.body, "Proxy"));
		x = by_way(&g.asker, url, port, false);
		assert_outcome(x, HTTP_ERROR_NONE, HTTP_ANSWERED);
		assert_string_equal(x.body, "plain");
	}
	struct asker stranger = asker_new(NULL);
	for (int i = 0; i < 2; i++) {
		x = by_way(&stranger, i ? url : g.origin_url, port, true);
		assert_outcome(x, HTTP_ERROR_TLS_CERT, HTTP_NOT_SENT);
		assert_non_null(strstr(x.detail, "proxy"));
		assert_outcome(by_way(&stranger, i ? url : g.origin_url, no_tls->port, true), HTTP_ERROR_TLS_PROTOCOL,
			       HTTP_NOT_SENT);
	}
	asker_free(&stranger);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	peer_stop(plain);
	peer_stop(no_tls);
	ground_close(&g);
}

RUN_ON_BOTH_TIERS(CLAIM(credentials_of_the_proxy_never_come_out_of_the_tunnel),
		  CLAIM(a_server_that_would_rather_speak_http2_is_spoken_to_in_http_1_1),
		  CLAIM(a_kept_tunnel_belongs_to_its_proxy_and_its_credentials),
		  CLAIM(more_credentials_than_shards_only_cost_their_connections),
		  CLAIM(a_request_lost_in_a_kept_tunnel_is_not_sent_again),
		  CLAIM(behind_a_tunnel_that_stands_the_faults_are_the_servers),
		  CLAIM(an_https_proxy_is_checked_whatever_is_said_of_the_servers_certificate))
