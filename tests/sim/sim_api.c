/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client.h without a network: linked instead of src/http/client.c. Behind it is an API that acts, refuses, answers
 * late or twice, honours keys; between them is a network that loses either way. What was sent goes on when the sender
 * is dead.
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

/* One message's way; the transfer leaves it when it is told, cancelled, or dead. */
struct wire {
	struct http_transfer *transfer; /* NULL = nobody waits */
	unsigned step, item, refs;
	char key[80];
	int status; /* what the API says */
	char body[120];
	unsigned retry_after;
	bool is_lost_back, is_cut;
};

struct http_transfer {
	struct list link;
	struct http_client *client;
	struct wire *wire;
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

static void wire_unref(struct wire *w)
{
	if (--w->refs == 0)
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

void http_pause(struct http_transfer *t)
{
}

void http_resume(struct http_transfer *t)
{
}

/* ---- the answer, or none ---- */

static void tell(struct wire *w, enum http_error error, enum http_certainty certainty, bool has_status)
{
	struct http_transfer *t = w->transfer;
	struct arena a;
	struct headers headers = { 0 };
	char seconds[16];
	struct buf body;
	if (!t)
		return;
	arena_init(&a, 0);
	buf_init(&body, 1 << 20);
	if (has_status) {
		(void)headers_add(&a, &headers, STR("Content-Type"), STR("application/json"), NULL);
		(void)snprintf(seconds, sizeof(seconds), "%u", w->retry_after);
		if (w->retry_after)
			(void)headers_add(&a, &headers, STR("Retry-After"), str_c(seconds), NULL);
		(void)buf_append_c(&body, w->body);
	}
	struct http_response r = {
		.error = error,
		.certainty = certainty,
		.detail = error ? http_error_name(error) : NULL,
		.status = has_status ? w->status : 0,
		.http_version = STR("1.1"),
		.headers = &headers,
		.body = &body,
		.wire_bytes = body.len,
		.timings = { .total = (uint32_t)((sim.now - t->started) / 1000) },
		.peer = "192.0.2.1:80",
	};
	http_done *done = t->done;
	void *arg = t->arg;
	sim.seen[w->step][w->item].is_ambiguous |= certainty == HTTP_AMBIGUOUS;
	sim_tell("call step %u item %u: %s %d", w->step, w->item, http_error_name(error), r.status);
	detach(t);
	done(arg, &r);
	buf_done(&body);
	arena_done(&a);
}

static void on_deadline(void *arg)
{
	struct wire *w = arg;
	tell(w, HTTP_ERROR_TOTAL_TIMEOUT, HTTP_AMBIGUOUS, false);
	wire_unref(w);
}

static void on_refused(void *arg)
{
	struct wire *w = arg;
	tell(w, HTTP_ERROR_CONNECT_REFUSED, HTTP_NOT_SENT, false);
	wire_unref(w);
}

static void on_answer(void *arg)
{
	struct wire *w = arg;
	if (w->is_lost_back)
		tell(w, HTTP_ERROR_CONNECTION_LOST, HTTP_AMBIGUOUS, false);
	else if (w->is_cut)
		tell(w, HTTP_ERROR_TRUNCATED, HTTP_AMBIGUOUS, true);
	else
		tell(w, HTTP_ERROR_NONE, HTTP_ANSWERED, true);
	wire_unref(w);
}

/* ---- the API ---- */

static uint64_t act(struct wire *w, struct seen *s)
{
	bool is_known = sim.calls[w->step] == METHOD_POST_KEYED && s->effects && strcmp(s->key, w->key) == 0;
	if (!is_known) {
		s->effects++;
		s->effect_id = ++sim.next_effect;
		sim_tell("api step %u item %u: acts, %" PRIu64, w->step, w->item, s->effect_id);
	}
	return s->effect_id;
}

static void arrive(struct wire *w)
{
	struct seen *s = &sim.seen[w->step][w->item];
	s->arrivals++;
	w->retry_after = 0;
	if (sim_happens(sim.weather.says_429)) {
		w->status = 429;
		w->retry_after = (unsigned)sim_dice(30);
	} else if (sim_happens(sim.weather.says_503)) {
		w->status = 503;
		w->retry_after = (unsigned)sim_dice(10);
	} else if (sim_happens(sim.weather.says_500)) {
		w->status = 500;
		if (sim_dice(1))
			(void)act(w, s);
	} else {
		w->status = 200;
		(void)snprintf(w->body, sizeof(w->body), "{\"id\":%" PRIu64 "}", act(w, s));
		return;
	}
	(void)snprintf(w->body, sizeof(w->body), "{\"title\":\"not now\"}");
}

static void on_arrival(void *arg)
{
	struct wire *w = arg;
	arrive(w);
	/* A network that repeats a message is nobody's fault; what must not be repeated is not sent over such a one
	 * here. */
	if (sim.calls[w->step] != METHOD_POST_PLAIN && sim_happens(sim.weather.duplicated)) {
		sim_tell("network step %u item %u: twice", w->step, w->item);
		arrive(w);
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

/* What has to hold whenever bytes leave. */
static void check_departure(const struct wire *w, struct seen *s)
{
	const struct saved *saved = &sim.saved[w->step + 1][w->item];
	s->sends++;
	if (sim.is_dead)
		sim_fail("a dead process sends: step %u item %u", w->step, w->item);
	if (saved->intents < s->sends)
		sim_fail("step %u item %u goes out for the %u. time, with %u intents on disk", w->step, w->item,
			 s->sends, saved->intents);
	if (sim.calls[w->step] == METHOD_POST_KEYED && !*w->key)
		sim_fail("step %u item %u goes out without its key", w->step, w->item);
	if (*s->key && strcmp(s->key, w->key) != 0)
		sim_fail("step %u item %u: another key, %s after %s", w->step, w->item, w->key, s->key);
	(void)snprintf(s->key, sizeof(s->key), "%s", w->key);
}

static void choose_fate(struct wire *w, const struct http_request *request)
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
	sim_after(on_the_way, on_arrival, w);
}

struct http_transfer *http_start(struct http_client *c, const struct http_request *request, http_done *done, void *arg,
				 struct err *e)
{
	struct http_transfer *t = calloc(1, sizeof(*t));
	struct wire *w = calloc(1, sizeof(*w));
	if (!t || !w)
		abort();
	*t = (struct http_transfer){ .client = c, .wire = w, .done = done, .arg = arg, .started = sim.now };
	w->transfer = t;
	w->step = number_after(request->url, "/k");
	w->item = number_after(request->url, "n=");
	struct str key = headers_get(request->headers, STR("Idempotency-Key"));
	(void)snprintf(w->key, sizeof(w->key), "%.*s", (int)(key.len < 79 ? key.len : 79), key.ptr ? key.ptr : "");
	if (w->step >= sim.n_calls || w->item >= sim.n_items)
		sim_fail("a call of nobody: %.*s", STR_ARG(request->url));
	sim_tell("call step %u item %u: %.*s %s", w->step, w->item, STR_ARG(request->method), w->key);
	check_departure(w, &sim.seen[w->step][w->item]);
	list_add_last(&c->transfers, &t->link);
	c->live++;
	choose_fate(w, request);
	return t;
}

/* Of the whole world, when all messages have arrived. */
void sim_check_effects(void)
{
	for (unsigned k = 0; k < sim.n_calls; k++)
		for (unsigned i = 0; i < sim.n_items; i++) {
			const struct seen *s = &sim.seen[k][i];
			if ((sim.calls[k] == METHOD_POST_PLAIN || sim.calls[k] == METHOD_POST_KEYED) && s->effects > 1)
				sim_fail("step %u item %u acted %u times, sent %u times", k, i, s->effects, s->sends);
		}
}
