/* SPDX-License-Identifier: Apache-2.0 */
/* A whole server in the test's loop, over the steps' world and peer; the client is a plain socket, so that it may be
 * rude. */
#pragma once
#include "../step/step_test.h"

#include "api/api.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct server {
	struct world w;
	struct api *api;
	struct arena arena; /* what replies were parsed into */
};

/* What came back; head and body are texts in the server's arena. */
struct reply {
	int status;
	const char *head, *body;
	size_t body_len;
	struct value json;
};

static inline void server_start(struct server *s)
{
	struct err e = ERR_INIT;
	struct api_config config = { .loop = s->w.loop, .store = s->w.store, .services = &services, .env = step_env };
	if (api_open(&s->api, &config, &e) < 0)
		fail_msg("%s", e.msg);
}

static inline void server_open(struct server *s)
{
	*s = (struct server){ .api = NULL };
	arena_init(&s->arena, 0);
	world_init(&s->w, false);
	peer_open(&s->w);
	server_start(s);
}

static inline void server_close(struct server *s)
{
	world_settle(&s->w);
	api_close(s->api);
	peer_close();
	world_done(&s->w);
	arena_done(&s->arena);
}

struct line {
	struct loop *loop;
	int fd;
	struct loop_fd *watch;
	struct buf in;
	bool is_over;
	struct loop_timer patience;
};

static inline void line_readable(void *arg, unsigned events)
{
	struct line *l = arg;
	char piece[65536];
	ssize_t n = recv(l->fd, piece, sizeof(piece), MSG_DONTWAIT);
	if (n > 0) {
		(void)buf_append(&l->in, piece, (size_t)n);
		return;
	}
	l->is_over = true;
	(void)loop_fd_want(l->watch, 0);
	loop_stop(l->loop);
}

static inline void line_impatient(struct loop_timer *t)
{
	fail_msg("no answer in a minute");
}

static inline void line_open(struct line *l, struct server *s, const char *request, size_t len)
{
	struct err e = ERR_INIT;
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(api_port(s->api)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	*l = (struct line){ .loop = s->w.loop, .fd = socket(AF_INET, SOCK_STREAM, 0) };
	assert_int_equal(connect(l->fd, (struct sockaddr *)&to, sizeof(to)), 0); /* the backlog takes it */
	assert_int_equal(send(l->fd, request, len, MSG_NOSIGNAL), (ssize_t)len);
	buf_init(&l->in, 64u << 20);
	l->watch = loop_fd_open(s->w.loop, l->fd, line_readable, l, &e);
	assert_non_null(l->watch);
	(void)loop_fd_want(l->watch, LOOP_READ);
	loop_timer_init(s->w.loop, &l->patience, line_impatient);
	(void)loop_timer_start(&l->patience, WATCHDOG_MS);
}

static inline void line_close(struct line *l)
{
	loop_timer_stop(&l->patience);
	loop_fd_close(l->watch);
	(void)close(l->fd);
	buf_done(&l->in);
}

/* The whole request as it goes out, but for Host and length. `headers`: lines with CRLF. Host in `headers` replaces
 * ours. */
static inline char *request_text(struct server *s, const char *method, const char *path, const char *headers,
				 const char *body)
{
	char host[64] = "";
	if (!strstr(headers, "Host:"))
		(void)snprintf(host, sizeof(host), "Host: 127.0.0.1:%u\r\n", api_port(s->api));
	if (strstr(headers, "Host: none\r\n"))
		headers = "";
	return arena_printf(&s->arena, "%s %s HTTP/1.1\r\n%s%sConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
			    method, path, host, headers, body ? strlen(body) : 0, body ? body : "");
}

static inline struct reply ask(struct server *s, const char *method, const char *path, const char *headers,
			       const char *body)
{
	struct reply r = { 0 };
	struct line l;
	const char *text = request_text(s, method, path, headers, body);
	line_open(&l, s, text, strlen(text));
	while (!l.is_over)
		(void)loop_run(s->w.loop);
	struct str all = arena_str(&s->arena, buf_str(&l.in));
	line_close(&l);
	ptrdiff_t gap = str_find(all, STR("\r\n\r\n"));
	if (gap < 0)
		fail_msg("%s %s: no answer", method, path);
	r.head = arena_c(&s->arena, str_from(all.ptr, (size_t)gap + 2));
	r.body = arena_c(&s->arena, str_from(all.ptr + gap + 4, all.len - (size_t)gap - 4));
	r.body_len = all.len - (size_t)gap - 4;
	r.status = atoi(r.head + 9);
	if (strstr(r.head, "json\r\n") && *r.body) {
		struct err e = ERR_INIT;
		struct json_options opt = { .duplicates = JSON_DUP_REFUSE };
		if (json_parse(&s->arena, str_from(r.body, r.body_len), &opt, &r.json, NULL, &e) < 0)
			fail_msg("%s %s: %s in %s", method, path, e.msg, r.body);
	}
	return r;
}

static inline struct reply get(struct server *s, const char *path)
{
	return ask(s, "GET", path, "", NULL);
}

#define JSON_TYPE "Content-Type: application/json\r\n"

static inline struct reply post(struct server *s, const char *path, const char *body)
{
	return ask(s, "POST", path, JSON_TYPE, body);
}

/* JSON text at a pointer of the reply, or "(absent)". */
static inline const char *at(struct server *s, const struct reply *r, const char *pointer)
{
	struct value *v = json_pointer_get(&r->json, str_c(pointer));
	struct buf b;
	if (!v)
		return "(absent)";
	buf_init(&b, 16u << 20);
	assert_int_equal(json_write(&b, v, JSON_COMPACT), 0);
	char *text = arena_c(&s->arena, buf_str(&b));
	buf_done(&b);
	return text;
}

#define assert_at(s, r, pointer, json)                                                                                 \
	do {                                                                                                           \
		const char *got_ = at((s), &(r), (pointer));                                                           \
		if (strcmp(got_, (json)) != 0)                                                                         \
			fail_msg("%s is %s, expected %s, in %d %.2000s", (pointer), got_, (json), (r).status,          \
				 (r).body);                                                                            \
	} while (0)

#define assert_status(r, want)                                                                                         \
	do {                                                                                                           \
		if ((r).status != (want))                                                                              \
			fail_msg("status %d, expected %d: %.600s", (r).status, (want), (r).body);                      \
	} while (0)

/* A problem as RFC 9457 says. */
#define assert_problem(s, r, want, what)                                                                               \
	do {                                                                                                           \
		assert_status(r, want);                                                                                \
		assert_non_null(strstr((r).head, "application/problem+json"));                                         \
		assert_at(s, r, "/type", "\"urn:weir:problem:" what "\"");                                             \
		assert_true(strlen(at((s), &(r), "/title")) > 3);                                                      \
		assert_true(strlen(at((s), &(r), "/detail")) > 3);                                                     \
		assert_true(strlen(at((s), &(r), "/instance")) > 3);                                                   \
	} while (0)

/* Component "t": form "f" and dataflow "d": model, call of the peer, entry, answer. */
static inline const char *component_text(struct server *s, const char *note)
{
	return arena_printf(
	    &s->arena,
	    "# %s\nweir: 1\ncomponent: t\ntitle: { en: Test, fr: Essai }\n"
	    "systems:\n  s:\n    base_url: { live: http://127.0.0.1:%u }\n    auth: { kind: bearer, token: { secret: "
	    "TOKEN } }\n"
	    "    connectors:\n      c:\n        operations:\n"
	    "          - { method_name: GET, query_path: /get, parameters: [ { name: n, in: query } ] }\n"
	    "model:\n  - { name: n, type: integer, primary_key: true, required: true }\n  - { name: city, type: "
	    "string, min_length: 2 }\n"
	    "dataflows:\n  d:\n    stages:\n      - name: A\n        steps:\n          - { name: input, kind: "
	    "get_action_model }\n"
	    "          - { name: call, source_step: input, kind: execute_api_call, system: s, connector: c, "
	    "method_name: GET, query_path: /get, "
	    "parameters_mapping: { n: =item.data.n }, result_store_field: _r }\n"
	    "          - { name: save, source_step: call, kind: update_entry, fields_mapping: { n: =item.data.n } }\n"
	    "          - { name: out, source_step: save, kind: write_response }\n"
	    "forms:\n  f: { submit: d, fields: [ n, city ] }\n",
	    note, http_server_port(peer.server));
}

static inline void import(struct server *s)
{
	struct reply r = ask(s, "PUT", "/api/v1/components/t", "", component_text(s, "one"));
	assert_status(r, 201);
}
