/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client: transfers come in, wait for the end of the turn (and for a place), run in a shard, and are delivered
 * once.
 *
 *                    http_start                      end of turn, a place is free
 *   IDLE (pooled) ---------------> WAITING ------------------------------------> RUNNING
 *     ^      |                        |                                             |
 *     |      | request is nonsense    | deadline                                    | libcurl is done, deadline
 *     |      +------> STILLBORN ------+-----------------> DELIVERING <--------------+
 *     |                                                       | the callback has returned
 *     +-------------------------------------------------------+
 *   http_cancel: from WAITING, STILLBORN and RUNNING straight to IDLE; nothing in DELIVERING.
 *
 * The callback of a transfer never runs inside http_start() or http_cancel(), and never inside a callback of libcurl's.
 */
#include "http/client_int.h"
#include "base/alloc.h"
#include "base/clock.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIER HTTP_TIER_H1
#define MAX_CONNECTIONS 256
#define MAX_IDLE 64
#define TOTAL_TIMEOUT 30000			    /* ms */
#define MAX_BODY ((size_t)10 * 1000 * 1000)	    /* decoded bytes */
#define REQUEST_HEAD_BYTES (2u * HEADERS_MAX_BYTES) /* as sent */
#define KEEP_HEAD_BYTES 16384u			    /* memory for it that a pooled transfer keeps */
#define ARENA_BYTES (16u << 20)			    /* the request's copy and the answer's fields */

const char *http_error_name(enum http_error error)
{
	static const char *const names[] = {
#define X(name, text) text,
		HTTP_ERRORS(X)
#undef X
	};
	return (size_t)error < ARRAY_LEN(names) ? names[error] : "unknown";
}

void transfer_fail(struct http_transfer *t, enum http_error error, enum http_certainty certainty, const char *fmt, ...)
{
	va_list ap;

	if (t->refusal.error != HTTP_ERROR_NONE)
		return;
	t->refusal = (struct verdict){ .error = error, .certainty = certainty };
	va_start(ap, fmt);
	(void)vsnprintf(t->why.msg, sizeof(t->why.msg), fmt, ap);
	va_end(ap);
}

/* ---- moving between the lists ---- */

static void transfer_move(struct http_transfer *t, enum transfer_state to, struct list *into)
{
	t->client->n_running -= t->state == TRANSFER_RUNNING;
	t->client->n_running += to == TRANSFER_RUNNING;
	t->state = to;
	list_remove(&t->link);
	if (into)
		list_add_last(into, &t->link);
}

static void forget_answer(struct http_transfer *t)
{
	h1_forget(t);
	decoder_free(t->decoder);
	t->decoder = NULL;
	arena_done(&t->arena);
	t->headers = (struct headers){ 0 };
	t->lines = NULL;
	t->url = t->proxy_url = NULL;
	t->proxy_lines = NULL;
	t->proxy_key = STR_NULL;
	if (t->head_out.cap > KEEP_HEAD_BYTES)
		buf_done(&t->head_out);
	else
		buf_clear(&t->head_out);
	buf_done(&t->raw);
	if (t->body.cap > KEEP_BODY_BYTES)
		buf_done(&t->body);
	else
		buf_clear(&t->body);
}

/* Back into the pool. The handle keeps its settings; the connection is libcurl's. */
static void transfer_recycle(struct http_transfer *t)
{
	struct http_client *c = t->client;

	loop_timer_stop(&t->deadline);
	forget_answer(t);
	c->n_live--;
	transfer_move(t, TRANSFER_IDLE, &c->idle);
	c->n_idle++;
	if (!c->is_closed && !list_is_empty(&c->waiting))
		loop_soon(c->loop, &c->soon);
}

static void transfer_free(struct http_transfer *t)
{
	list_remove(&t->link);
	if (t->easy)
		curl_easy_cleanup(t->easy);
	forget_answer(t);
	buf_done(&t->body);
	buf_done(&t->head_out);
	free(t);
}

/* ---- delivery ---- */

static uint32_t microseconds(CURL *h, CURLINFO which)
{
	curl_off_t us = 0;

	(void)curl_easy_getinfo(h, which, &us);
	return us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static struct http_timings timings(struct http_transfer *t)
{
	struct http_timings x = { 0 };
	long connects = 0;

	if (t->is_own) {
		if (t->marks.total == 0) /* a deadline ended it */
			t->marks.total = (uint32_t)((clock_mono_ns() - t->started_ns) / 1000);
		return t->marks;
	}
	if (t->prereqs == 0)
		return x;
	(void)curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
	if (connects > 0) {
		x.dns = t->has_host_name ? microseconds(t->easy, CURLINFO_NAMELOOKUP_TIME_T) : 0;
		x.connect = microseconds(t->easy, CURLINFO_CONNECT_TIME_T);
		x.tls = microseconds(t->easy, CURLINFO_APPCONNECT_TIME_T);
	}
	x.sent = microseconds(t->easy, CURLINFO_PRETRANSFER_TIME_T);
	x.first_byte = t->arrived ? microseconds(t->easy, CURLINFO_STARTTRANSFER_TIME_T) : 0;
	x.total = microseconds(t->easy, CURLINFO_TOTAL_TIME_T);
	return x;
}

static void write_peer(const struct http_transfer *t, char peer[static 64])
{
	char digits[8];
	size_t n = strlen(t->ip), n_digits = 0;
	char *p = peer;
	bool is_v6 = memchr(t->ip, ':', n) != NULL;

	if (n == 0)
		return;
	if (is_v6)
		*p++ = '[';
	memcpy(p, t->ip, n);
	p += n;
	if (is_v6)
		*p++ = ']';
	*p++ = ':';
	for (int port = t->port; port > 0 && n_digits < sizeof(digits); port /= 10)
		digits[n_digits++] = (char)('0' + port % 10);
	while (n_digits > 0)
		*p++ = digits[--n_digits];
	*p = 0;
}

void transfer_deliver(struct http_transfer *t, struct verdict v, const char *detail)
{
	struct http_response r = {
		.error = v.error,
		.certainty = v.certainty,
		.detail = v.error == HTTP_ERROR_NONE ? NULL
			  : detail		     ? detail
						     : http_error_name(v.error),
		.status = v.error == HTTP_ERROR_PROXY ? t->proxy_status : t->head == HEAD_COMPLETE ? t->status : 0,
		.http_version = t->http_version,
		.headers = &t->headers,
		.body = &t->body,
		.was_sunk = t->is_sunk,
		.wire_bytes = t->body_wire,
		.is_close_delimited = t->head == HEAD_COMPLETE && t->wants_body && !t->has_length &&
				      !t->has_coding_chunked && t->http_version.ptr && t->http_version.ptr[0] == '1',
		.timings = timings(t),
	};

	if (v.error == HTTP_ERROR_BAD_ENCODING) {
		r.body = &t->raw;
		r.decoded = buf_str(&t->body);
	}
	write_peer(t, r.peer);
	if (t->body.failed == ERR_LIMIT) /* what came before the limit is evidence: it can still be taken */
		t->body.failed = 0;
	if (t->head != HEAD_COMPLETE)
		t->headers.n = 0;
	loop_timer_stop(&t->deadline);
	transfer_move(t, TRANSFER_DELIVERING, NULL);
	t->done(t->arg, &r);
	transfer_recycle(t);
}

/* ---- deadlines ---- */

static msec_t earliest(msec_t x, msec_t y)
{
	return x < y ? x : y;
}

static int arm_deadline(struct http_transfer *t, msec_t now)
{
	msec_t at = t->total_by;

	if (t->attempt_by)
		at = earliest(at, t->attempt_by);
	if (t->arrived == 0)
		at = earliest(at, t->first_byte_by);
	if (t->slow_from)
		at = earliest(at, t->slow_from + t->client->slow_window);
	else
		at = earliest(at, now + t->client->slow_window);
	return t->is_paused ? 0 : loop_timer_start(&t->deadline, at - now);
}

int transfer_arm_deadline(struct http_transfer *t)
{
	return arm_deadline(t, loop_now(t->client->loop));
}

/* Out of whatever carries it, without a word. */
static void detach(struct http_transfer *t)
{
	h1_drop(t);
	multi_remove(t);
}

/* The time for resolving, connecting or shaking hands is up: on to the next address, or to the end. */
static void on_attempt_over(struct http_transfer *t, msec_t now)
{
	t->attempt_by = 0;
	(void)arm_deadline(t, now); /* it fits: its place among the timers was free a moment ago */
	h1_attempt_over(t);
}

/* An answer that has begun must keep coming. Looked at once per window, which is why "for 15 s" may mean up to 30. */
static bool is_too_slow(struct http_transfer *t, msec_t now)
{
	msec_t window = t->client->slow_window;

	if (t->arrived == 0)
		return false;
	if (t->slow_from == 0) {
		t->slow_from = now;
		t->slow_mark = t->arrived;
		return false;
	}
	if (now - t->slow_from < window)
		return false;
	bool is_slow = t->arrived - t->slow_mark < (size_t)(SLOW_BYTES_PER_SECOND * window / 1000);
	t->slow_from = now;
	t->slow_mark = t->arrived;
	return is_slow;
}

static void on_deadline(struct loop_timer *timer)
{
	struct http_transfer *t = CONTAINER_OF(timer, struct http_transfer, deadline);
	msec_t now = loop_now(t->client->loop);
	enum http_certainty certainty = t->prereqs == 0 ? HTTP_NOT_SENT : HTTP_AMBIGUOUS;

	if (now >= earliest(t->total_by, t->first_byte_by) && proxy_keeps_waiting(t))
		transfer_fail(t, HTTP_ERROR_PROXY, certainty, "the proxy opened no way to the server in time");
	else if (now >= t->total_by)
		transfer_fail(t, HTTP_ERROR_TOTAL_TIMEOUT, certainty, "no complete answer within the total timeout");
	else if (t->arrived == 0 && now >= t->first_byte_by)
		transfer_fail(t, HTTP_ERROR_FIRST_BYTE_TIMEOUT, certainty,
			      "no byte of an answer within the first-byte timeout");
	else if (t->attempt_by && now >= t->attempt_by)
		return on_attempt_over(t, now);
	else if (is_too_slow(t, now))
		transfer_fail(t, HTTP_ERROR_TOO_SLOW, certainty, "the answer came at less than %d bytes a second",
			      SLOW_BYTES_PER_SECOND);
	else if (arm_deadline(t, now) == 0)
		return;
	else
		transfer_fail(t, HTTP_ERROR_INTERNAL, certainty, "out of memory");
	detach(t);
	transfer_deliver(t, t->refusal, t->why.msg);
}

static int set_deadlines(struct http_transfer *t, const struct http_request *r)
{
	msec_t now = loop_now(t->client->loop);
	msec_t total = r->total_timeout > 0 ? r->total_timeout : TOTAL_TIMEOUT;

	t->total_by = now + total;
	t->first_byte_by = r->first_byte_timeout > 0 ? now + r->first_byte_timeout : t->total_by;
	t->slow_from = 0;
	return arm_deadline(t, now);
}

/* ---- start and cancel ---- */

static struct http_transfer *transfer_from_pool(struct http_client *c)
{
	struct list *first = c->idle.prev; /* the one used last: its memory is warm */

	if (first != &c->idle) {
		c->n_idle--;
		list_remove(first);
		return LIST_ENTRY(first, struct http_transfer, link);
	}
	struct http_transfer *t = alloc_calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	list_init(&t->link);
	list_init(&t->h2.link);
	t->client = c;
	arena_init(&t->arena, ARENA_BYTES);
	buf_init(&t->head_out, REQUEST_HEAD_BYTES);
	buf_init(&t->raw, RAW_KEPT_BYTES);
	loop_timer_init(c->loop, &t->deadline, on_deadline);
	return t;
}

static void forget_last_use(struct http_transfer *t, size_t max_body)
{
	t->prereqs = t->interim = t->status = t->port = 0;
	t->is_head_request = t->is_blocked = t->has_host_name = t->is_plain = t->is_tunnel = false;
	t->proxy_status = 0;
	t->proxy_calls = 0;
	t->proxy_uploaded = 0;
	t->forbids_reuse = t->says_close = t->says_keep_alive = false;
	t->attempt_by = 0;
	t->h2 = (struct h2_stream){ .link = { &t->h2.link, &t->h2.link } };
	t->marks = (struct http_timings){ 0 };
	t->started_ns = t->is_own ? clock_mono_ns() : 0;
	t->arrived = t->head_bytes = t->body_wire = t->codings = t->sunk = 0;
	t->is_sunk = t->is_paused = t->is_resumed = false;
	t->ip[0] = 0;
	t->head = HEAD_STATUS_LINE;
	t->http_version = STR_NULL;
	t->has_length = t->has_coding_chunked = t->wants_body = false;
	t->refusal = (struct verdict){ 0 };
	t->why.code = 0;
	t->why.msg[0] = 0;
	if (t->body.cap > max_body)
		buf_done(&t->body);
	t->body.max = t->max_body = max_body;
}

/* The tier of this request, opened and with what it needs of the transfer. */
static int choose_tier(struct http_transfer *t, const struct http_request *r, struct err *e)
{
	struct http_client *c = t->client;
	enum http_tier tier = r->tier != HTTP_TIER_DEFAULT	    ? r->tier
			      : c->config.tier != HTTP_TIER_DEFAULT ? c->config.tier
								    : DEFAULT_TIER;

	t->is_own = tier == HTTP_TIER_H1 && !r->proxy;
	if (t->is_own)
		return c->h1 ? 0 : h1_open(c, e);
	if (!c->is_multi_open && multi_open(c, e) != 0)
		return -ERR_IO;
	return t->easy || transfer_make_handle(t) == 0 ? 0 : err_set(e, ERR_NO_MEMORY, "no memory for a call");
}

struct http_transfer *http_start(struct http_client *c, const struct http_request *request, http_done *done, void *arg,
				 struct err *e)
{
	struct http_transfer *t = c->is_closed ? NULL : transfer_from_pool(c);

	if (!t) {
		err_set(e, ERR_NO_MEMORY, "no memory for a call");
		return NULL;
	}
	c->n_live++;
	t->done = done;
	t->arg = arg;
	t->sink = request->sink;
	if (choose_tier(t, request, e) != 0) {
		transfer_recycle(t);
		return NULL;
	}
	forget_last_use(t, request->max_body ? request->max_body : MAX_BODY);
	if (transfer_copy_request(t, request) != 0 || set_deadlines(t, request) != 0) {
		transfer_recycle(t);
		err_set(e, ERR_NO_MEMORY, "no memory for a call");
		return NULL;
	}
	if (t->refusal.error != HTTP_ERROR_NONE)
		transfer_move(t, TRANSFER_STILLBORN, &c->stillborn);
	else
		transfer_move(t, TRANSFER_WAITING, &c->waiting);
	loop_soon(c->loop, &c->soon);
	return t;
}

static void start_waiting(struct http_client *c)
{
	while (!c->is_closed && c->n_running < c->config.max_connections && !list_is_empty(&c->waiting)) {
		struct http_transfer *t = LIST_ENTRY(c->waiting.next, struct http_transfer, link);
		transfer_move(t, TRANSFER_RUNNING, &c->running);
		if (t->is_own) {
			h1_begin(t);
			continue;
		}
		if (transfer_apply(t) == 0 && multi_add(t) == 0)
			continue;
		transfer_fail(t, HTTP_ERROR_INTERNAL, HTTP_NOT_SENT, "out of memory");
		transfer_move(t, TRANSFER_STILLBORN, &c->stillborn);
	}
}

static void on_soon(struct loop_soon *soon)
{
	struct http_client *c = CONTAINER_OF(soon, struct http_client, soon);

	start_waiting(c);
	transfers_read_on(c);
	while (!c->is_closed && !list_is_empty(&c->stillborn)) {
		struct http_transfer *t = LIST_ENTRY(c->stillborn.next, struct http_transfer, link);
		transfer_deliver(t, t->refusal, t->why.msg);
	}
	multi_drain_dirty(c);
	h2_turn(c);
	if (!c->is_closed)
		h1_trim(c);
}

void http_cancel(struct http_transfer *t)
{
	if (!t || t->state == TRANSFER_IDLE || t->state == TRANSFER_DELIVERING)
		return;
	detach(t);
	transfer_recycle(t);
}

size_t http_client_live(const struct http_client *c)
{
	return c->n_live;
}

void transfer_set_slow_window(struct http_client *c, msec_t window)
{
	c->slow_window = window;
}

/* ---- the client itself ---- */

static void init_curl(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct http_client *http_client_new(struct loop *l, const struct http_client_config *config, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	static const struct http_client_config defaults;
	struct http_client *c = alloc_calloc(1, sizeof(*c));

	(void)pthread_once(&once, init_curl);
	if (!c) {
		err_set(e, ERR_NO_MEMORY, "no memory for an HTTP client");
		return NULL;
	}
	c->loop = l;
	c->config = config ? *config : defaults;
	if (c->config.max_connections == 0)
		c->config.max_connections = MAX_CONNECTIONS;
	if (c->config.max_connections > (size_t)SHARDS_MAX * SHARD_TRANSFERS)
		c->config.max_connections = (size_t)SHARDS_MAX * SHARD_TRANSFERS;
	if (c->config.max_idle == 0)
		c->config.max_idle = MAX_IDLE;
	c->slow_window = SLOW_WINDOW;
	list_init(&c->waiting);
	list_init(&c->stillborn);
	list_init(&c->running);
	list_init(&c->idle);
	loop_soon_init(&c->soon, on_soon);
	c->ca_file = c->config.ca_file ? str_dup_c(str_c(c->config.ca_file)) : NULL;
	if (c->config.ca_file && !c->ca_file) {
		free(c);
		err_set(e, ERR_NO_MEMORY, "no memory for an HTTP client");
		return NULL;
	}
	return c;
}

static void free_all(struct list *transfers)
{
	while (!list_is_empty(transfers))
		transfer_free(LIST_ENTRY(transfers->next, struct http_transfer, link));
}

static void client_bury(void *p)
{
	struct http_client *c = p;

	free_all(&c->idle);
	h1_bury(c);
	multi_bury(c);
	free(c->ca_file);
	free(c);
}

static void cancel_all(struct list *transfers)
{
	while (!list_is_empty(transfers))
		http_cancel(LIST_ENTRY(transfers->next, struct http_transfer, link));
}

void http_client_free(struct http_client *c)
{
	if (!c || c->is_closed)
		return;
	c->is_closed = true; /* from here on no callback; its memory lives to the end of the turn, for it may be freed
				inside one */
	cancel_all(&c->waiting);
	cancel_all(&c->stillborn);
	cancel_all(&c->running);
	h1_close(c);
	multi_close(c);
	loop_soon_cancel(&c->soon);
	loop_free_later(c->loop, c, client_bury);
}
