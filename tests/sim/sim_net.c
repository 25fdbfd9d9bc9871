/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client.h without a network: linked instead of src/http/client.c. Between it and the API (sim_api.c) messages
 * are lost either way, cut, late, and repeated. What was sent goes on when the sender is dead.
 *
 *   http_start ─► wire ─► (lost) ─► arrives: acts or not ─► (lost, cut) ─► answer
 *        '─────────────────── deadline ────────────────────────► TOTAL_TIMEOUT
 */
#include "sim.h"

#include <stdarg.h>

struct http_client {
	size_t live;
	struct list transfers;
};

struct http_transfer {
	struct list link;
	struct http_client *client;
	struct sim_wire *wire;
	struct http_sink *sink;
	http_done *done;
	void *arg;
	uint64_t started;
};

static const char *const error_names[] = {
#define X(name, text) [HTTP_ERROR_##name] = text,
	HTTP_ERRORS(X)
#undef X
};

const char *http_error_name(enum http_error error)
{
	return (size_t)error < ARRAY_LEN(error_names) ? error_names[error] : "internal";
}

struct http_client *http_client_new(struct loop *l, const struct http_client_config *config, struct err *e)
{
	struct http_client *c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	list_init(&c->transfers);
	return c;
}

size_t http_client_live(const struct http_client *c)
{
	return c->live;
}

static void wire_unref(struct sim_wire *w)
{
	if (--w->refs)
		return;
	buf_done(&w->body);
	free(w);
}

static void detach(struct http_transfer *t)
{
	list_remove(&t->link);
	t->client->live--;
	t->wire->transfer = NULL;
	free(t);
}

void http_cancel(struct http_transfer *t)
{
	detach(t);
}

void http_client_free(struct http_client *c)
{
	LIST_FOREACH (node, &c->transfers)
		detach(LIST_ENTRY(node, struct http_transfer, link));
	free(c);
}

int http_proxy_check(struct str url, struct err *e)
{
	return 0; /* there are none here */
}

static void piece_next(struct sim_wire *w);

void http_pause(struct http_transfer *t)
{
	t->wire->is_paused = true;
}

void http_resume(struct http_transfer *t)
{
	t->wire->is_paused = false;
	if (t->wire->has_head)
		piece_next(t->wire);
}

/* ---- the answer, or none ---- */

static void headers_of(const struct sim_wire *w, struct arena *a, struct headers *ret)
{
	(void)headers_add(a, ret, STR("Content-Type"), STR("application/json"), NULL);
	if (*w->retry_after)
		(void)headers_add(a, ret, STR("Retry-After"), str_c(w->retry_after), NULL);
}

static void tell(struct sim_wire *w, enum http_error error, enum http_certainty certainty, bool has_status)
{
	struct http_transfer *t = w->transfer;
	struct arena a;
	struct headers headers = { 0 };
	struct buf body;
	if (!t)
		return;
	arena_init(&a, 0);
	buf_init(&body, 1 << 20);
	if (has_status)
		headers_of(w, &a, &headers);
	if (has_status && !w->has_head)
		(void)buf_append_str(&body, buf_str(&w->body));
	struct http_response r = {
		.error = error,
		.certainty = certainty,
		.detail = error ? http_error_name(error) : NULL,
		.status = has_status ? w->status : 0,
		.http_version = STR("1.1"),
		.headers = &headers,
		.body = &body,
		.was_sunk = w->has_head,
		.wire_bytes = w->body.len,
		.timings = { .total = (uint32_t)((sim.now - t->started) / 1000) },
		.peer = "192.0.2.1:80",
	};
	http_done *done = t->done;
	void *arg = t->arg;
	sim.seen[w->step][w->item].is_ambiguous |= certainty == HTTP_AMBIGUOUS;
	sim.seen[w->step][w->item].was_refused = error == HTTP_ERROR_CONNECT_REFUSED;
	sim.seen[w->step][w->item].was_whole = !error && r.status == 200;
	sim_tell("call step %u item %u: %s %d", w->step, w->item, http_error_name(error), r.status);
	detach(t);
	done(arg, &r);
	buf_done(&body);
	arena_done(&a);
}

/* ---- an answer that goes into a sink, piece by piece ---- */

static void on_piece(void *arg)
{
	struct sim_wire *w = arg;
	struct err e = ERR_INIT;
	w->is_piece_due = false;
	if (w->transfer && !w->is_paused) {
		size_t n = 1 + sim_dice(20000), end = w->is_cut ? w->body.len / 2 : w->body.len;
		if (n > end - w->given)
			n = end - w->given;
		struct str piece = str_from(w->body.ptr + w->given, n);
		w->given += n;
		if (n && !w->transfer->sink->take(w->transfer->sink, piece, &e))
			tell(w, HTTP_ERROR_INTERNAL, HTTP_AMBIGUOUS, true);
		else if (w->given < end)
			piece_next(w);
		else if (w->is_cut)
			tell(w, HTTP_ERROR_TRUNCATED, HTTP_AMBIGUOUS, true);
		else
			tell(w, HTTP_ERROR_NONE, HTTP_ANSWERED, true);
	}
	wire_unref(w);
}

static void piece_next(struct sim_wire *w)
{
	if (w->is_piece_due || w->is_paused)
		return;
	w->is_piece_due = true;
	w->refs++;
	sim_after(sim_dice(sim.weather.latency_ns / 8), on_piece, w);
}

static bool is_sunk(struct sim_wire *w)
{
	struct http_sink *sink = w->transfer ? w->transfer->sink : NULL;
	struct arena a;
	struct headers headers = { 0 };
	arena_init(&a, 0);
	headers_of(w, &a, &headers);
	bool wants = sink && sink->wants(sink, w->status, &headers);
	arena_done(&a);
	return wants;
}

static void on_deadline(void *arg)
{
	struct sim_wire *w = arg;
	if (!w->has_head) /* then a sink has its own time */
		tell(w, HTTP_ERROR_TOTAL_TIMEOUT, HTTP_AMBIGUOUS, false);
	wire_unref(w);
}

static void on_refused(void *arg)
{
	struct sim_wire *w = arg;
	tell(w, HTTP_ERROR_CONNECT_REFUSED, HTTP_NOT_SENT, false);
	wire_unref(w);
}

static void on_answer(void *arg)
{
	struct sim_wire *w = arg;
	if (w->is_lost_back)
		tell(w, HTTP_ERROR_CONNECTION_LOST, HTTP_AMBIGUOUS, false);
	else if ((w->has_head = is_sunk(w)))
		piece_next(w);
	else if (w->is_cut)
		tell(w, HTTP_ERROR_TRUNCATED, HTTP_AMBIGUOUS, true);
	else
		tell(w, HTTP_ERROR_NONE, HTTP_ANSWERED, true);
	wire_unref(w);
}

static void on_arrival(void *arg)
{
	struct sim_wire *w = arg;
	sim_api_arrive(w);
	sim.seen[w->step][w->item].on_wire--;
	/* A network that repeats a message is nobody's fault; what must not be repeated is not sent over such a one
	 * here. */
	if (!sim_is_plain(w->step) && sim_happens(sim.weather.duplicated)) {
		sim_tell("network step %u item %u: twice", w->step, w->item);
		sim_api_arrive(w);
	}
	sim_after(sim_dice(sim.weather.latency_ns), on_answer, w); /* with the same reference */
}

/* ---- the door ---- */

static unsigned number_after(struct str url, const char *what)
{
	ptrdiff_t at = str_find(url, str_c(what));
	unsigned n = 0;
	if (at < 0)
		sim_fail("an URL without %s: %.*s", what, STR_ARG(url));
	for (size_t i = (size_t)at + strlen(what); i < url.len && url.ptr[i] >= '0' && url.ptr[i] <= '9'; i++)
		n = 10 * n + (unsigned)(url.ptr[i] - '0');
	return n;
}

/* Of the whole world: another item with it would get this one's answer. */
static void check_key(const struct sim_wire *w)
{
	for (unsigned k = 0; k < sim.n_steps; k++)
		for (unsigned i = 0; i < sim.n_items; i++)
			if (strcmp(sim.seen[k][i].key, w->key) == 0 && (k != w->step || i != w->item))
				sim_fail("step %u item %u has the key of step %u item %u", w->step, w->item, k, i);
}

/* What has to hold whenever bytes leave. */
static void check_departure(const struct sim_wire *w, struct seen *s)
{
	const struct saved *saved = &sim.saved[w->step][w->item];
	s->sends++;
	if (sim.is_dead)
		sim_fail("a dead process sends: step %u item %u", w->step, w->item);
	if (saved->intents < s->sends)
		sim_fail("step %u item %u goes out for the %u. time, with %u intents on disk", w->step, w->item,
			 s->sends, saved->intents);
	if (sim.steps[w->step].method == METHOD_POST_KEYED && !*w->key)
		sim_fail("step %u item %u goes out without its key", w->step, w->item);
	if (*s->key && strcmp(s->key, w->key) != 0)
		sim_fail("step %u item %u: another key, %s after %s", w->step, w->item, w->key, s->key);
	if (*w->key && !*s->key)
		check_key(w);
	(void)snprintf(s->key, sizeof(s->key), "%s", w->key);
}

static void choose_fate(struct sim_wire *w, const struct http_request *request)
{
	const struct weather *x = &sim.weather;
	uint64_t on_the_way = 1 + sim_dice(x->latency_ns);
	msec_t total = request->total_timeout ? request->total_timeout : 30000;
	w->is_lost_back = sim_happens(x->answer_lost);
	w->is_cut = sim_happens(x->truncated);
	if (sim_happens(x->refused)) {
		w->refs = 1;
		sim_after(on_the_way, on_refused, w);
		return;
	}
	w->refs = 1;
	sim_after((uint64_t)total * 1000000, on_deadline, w);
	if (sim_happens(x->request_lost))
		return;		  /* and nobody says so */
	if (sim_happens(x->late)) /* beyond the deadline: it arrives when it is given up */
		on_the_way += (uint64_t)total * 1000000 + sim_dice(30 * SIM_SECOND);
	w->refs++;
	sim.seen[w->step][w->item].on_wire++;
	sim_after(on_the_way, on_arrival, w);
}

struct http_transfer *http_start(struct http_client *c, const struct http_request *request, http_done *done, void *arg,
				 struct err *e)
{
	struct http_transfer *t = calloc(1, sizeof(*t));
	struct sim_wire *w = calloc(1, sizeof(*w));
	if (!t || !w)
		abort();
	*t = (struct http_transfer){
		.client = c, .wire = w, .sink = request->sink, .done = done, .arg = arg, .started = sim.now
	};
	w->transfer = t;
	w->step = number_after(request->url, "/k");
	w->item = number_after(request->url, "n=");
	struct str key = headers_get(request->headers, STR("Idempotency-Key"));
	(void)snprintf(w->key, sizeof(w->key), "%.*s", (int)(key.len < 79 ? key.len : 79), key.ptr ? key.ptr : "");
	buf_init(&w->body, 1 << 20);
	if (w->step >= sim.n_steps || !sim_is_call(w->step) || w->item >= sim.n_items)
		sim_fail("a call of nobody: %.*s", STR_ARG(request->url));
	sim_tell("call step %u item %u: %.*s %s", w->step, w->item, STR_ARG(request->method), w->key);
	check_departure(w, &sim.seen[w->step][w->item]);
	list_add_last(&c->transfers, &t->link);
	c->live++;
	choose_fate(w, request);
	return t;
}
