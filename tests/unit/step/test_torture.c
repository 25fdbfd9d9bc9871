/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Twenty items of three calls each (GET, POST with key, POST without), saved as entries, over a store on disk: again
 * and again, with the n-th allocation of our own failing, until none does. Everything is opened and closed within the
 * trial, so that leaks and crashes of beginnings and ends show, too. Then the trial is repeated without a failure on
 * what is on disk, and must come to the end that an undisturbed run has. What libraries allocate is failed by
 * tests/torture, over the whole program.
 */
#include "../http/peer.h"
#include "base/alloc.h"
#include "base/auto.h"
#include "base/json.h"
#include "base/log.h"
#include "run/run.h"
#include "step/steps.h"

#include <ftw.h>
#include <inttypes.h>
#include <zlib.h>

#define ITEMS 20
#define TRIES_MAX 100000
#define WATCHDOG_S 60 /* a trial that hangs ends the test */
#define GZIPPED(n) ((n) % 5 == 1)
#define MOVED 7 /* the item whose GET is redirected */

/* ---- the peer: its threads allocate nothing through our door ---- */

static struct arrivals {
	atomic_int got[ITEMS], moved[ITEMS], keyed[ITEMS], plain[ITEMS];
	atomic_bool has_bad_key;
	char keys[ITEMS][80];
} arrived;
static pthread_mutex_t keys_lock = PTHREAD_MUTEX_INITIALIZER;

static void note_key(int n, const char *head)
{
	char key[80] = "";
	const char *at = strcasestr(head, "\r\nIdempotency-Key:");
	if (at)
		(void)sscanf(at + 18, " %79s", key);
	(void)pthread_mutex_lock(&keys_lock);
	if (!*key || (*arrived.keys[n] && strcmp(arrived.keys[n], key) != 0))
		arrived.has_bad_key = true;
	(void)strcpy(arrived.keys[n], key);
	(void)pthread_mutex_unlock(&keys_lock);
}

static void say_json(int fd, const char *status, const char *body, bool is_gzip)
{
	unsigned char out[512];
	char head[256];
	z_stream z = { .next_in = (Bytef *)(uintptr_t)body,
		       .avail_in = (uInt)strlen(body),
		       .next_out = out,
		       .avail_out = sizeof(out) };
	size_t n = strlen(body);
	if (is_gzip && deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK) {
		(void)deflate(&z, Z_FINISH);
		n = z.total_out;
		(void)deflateEnd(&z);
	}
	(void)snprintf(head, sizeof(head),
		       "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n", status, n,
		       is_gzip ? "Content-Encoding: gzip\r\n" : "");
	peer_say(fd, head);
	peer_send(fd, is_gzip ? (const void *)out : body, n);
}

static void serve(struct peer *p, int fd, int number, void *arg)
{
	struct peer_request r;
	while (peer_read(p, fd, &r)) {
		const char *digits = strstr(r.body_len ? r.body : r.target, r.body_len ? "\"n\":" : "n=");
		int n = digits ? atoi(digits + (r.body_len ? 4 : 2)) : -1;
		char body[64];
		if (n < 0 || n >= ITEMS)
			return;
		if (strncmp(r.target, "/get", 4) == 0) {
			arrived.got[n]++;
			if (n == MOVED) {
				peer_say(fd, "HTTP/1.1 302 Found\r\nLocation: /moved?n=7\r\nContent-Length: 0\r\n\r\n");
				continue;
			}
		} else if (strcmp(r.target, "/keyed") == 0) {
			arrived.keyed[n]++;
			note_key(n, r.head);
		} else if (strcmp(r.target, "/plain") == 0) {
			arrived.plain[n]++;
		} else {
			arrived.moved[n]++;
		}
		(void)snprintf(body, sizeof(body), "{\"got\":%d}", 1000 + n);
		say_json(fd, "200 OK", body, GZIPPED(n));
	}
}

/* ---- one trial ---- */

static const char component_text[] =
    "weir: 1\ncomponent: t\n"
    "systems:\n  s:\n    base_url: { live: http://127.0.0.1:%u }\n"
    "    connectors:\n      c:\n        operations:\n"
    "          - { method_name: GET, query_path: /get, parameters: [ { name: n, in: query } ] }\n"
    "          - { method_name: POST, query_path: /keyed, idempotency_key: true }\n"
    "          - { method_name: POST, query_path: /plain }\n"
    "model:\n  - { name: n, type: integer, primary_key: true }\n  - { name: got, type: integer }\n"
    "dataflows:\n  d:\n    stages:\n      - name: A\n        steps:\n"
    "          - { name: input, kind: get_action_model }\n"
    "          - { name: get, source_step: input, kind: execute_api_call, system: s, connector: c, method_name: GET,"
    " query_path: /get, parameters_mapping: { n: =item.data.n }, result: body, result_store_field: _get }\n"
    "          - { name: keyed, source_step: get, kind: execute_api_call, system: s, connector: c, method_name: POST,"
    " query_path: /keyed, parameters_mapping: { n: =item.data.n }, result: body, result_store_field: _keyed }\n"
    "          - { name: plain, source_step: keyed, kind: execute_api_call, system: s, connector: c, method_name: POST,"
    " query_path: /plain, parameters_mapping: { n: =item.data.n }, result: body, result_store_field: _plain }\n"
    "          - { name: save, source_step: plain, kind: update_entry, mode: create,"
    " fields_mapping: { n: =item.data.n, got: =item._get.got } }\n"
    "          - { name: respond, source_step: save, kind: write_response }\n";

struct trial {
	char dir[64], text[4096];
	struct loop *loop;
	struct store *store;
	struct step_services services;
	struct component *component;
	struct plan *plan;
	struct run *run;
	struct run_row row; /* at the end */
	bool is_found, has_come, has_ended;
	int read;	 /* lines given */
	char blame[200]; /* the first item's that is not unknown */
	int n_outputs, n_wrong, n_problems, n_unknown;
	int n_outcomes_twice, n_noted;
	size_t n_entries;
};

static enum source_verdict read_lines(void *arg, struct buf *lines, size_t wanted, uint32_t *ret_count, struct err *e)
{
	struct trial *t = arg;
	for (; t->read < ITEMS; t->read++, (*ret_count)++)
		(void)buf_printf(lines, "{\"n\":%d}\n", t->read);
	return SOURCE_END;
}

static int64_t number_at(const struct value *v, const char *name, const char *member)
{
	int64_t n = -1;
	(void)value_to_int64(value_get_c(value_get_c(v, name), member), &n);
	return n;
}

static void on_output(void *arg, const struct item *it)
{
	struct trial *t = arg;
	int64_t n = number_at(&it->root, "data", "n");
	t->n_outputs++;
	t->n_wrong += n != (int64_t)it->seq || number_at(&it->root, "_get", "got") != 1000 + n ||
		      number_at(&it->root, "_keyed", "got") != 1000 + n ||
		      number_at(&it->root, "_plain", "got") != 1000 + n;
}

static void on_problem(void *arg, const struct item *it)
{
	struct trial *t = arg;
	const struct value *detail = value_get_c(&it->problem, "detail");
	if (it->state != ITEM_UNKNOWN && !t->n_problems)
		(void)snprintf(t->blame, sizeof(t->blame), "%.*s",
			       STR_ARG(value_is(detail, VALUE_STRING) ? value_text(detail) : STR("?")));
	t->n_problems++;
	t->n_unknown += it->state == ITEM_UNKNOWN;
}

static void on_end(void *arg, struct run *r)
{
	struct trial *t = arg;
	t->row = *run_row(r);
	t->has_ended = true;
	loop_stop(t->loop);
}

static void on_row(void *arg, const struct store_result *r)
{
	struct trial *t = arg;
	t->is_found = r->error == STORE_OK && r->n;
	if (t->is_found)
		t->row = r->runs[0];
	t->row.component = t->row.dataflow = t->row.version = t->row.env = t->row.trigger = t->row.steps =
	    t->row.problem = STR("");
	t->has_come = true;
	loop_stop(t->loop);
}

static void wait_come(struct trial *t)
{
	while (!t->has_come)
		(void)loop_run(t->loop);
	t->has_come = false;
}

static int open_plan(struct trial *t)
{
	struct complaints *c = alloc_malloc(sizeof(*c));
	struct flow_env env = step_flow_env(STR_NULL);
	if (!c)
		return -ERR_NO_MEMORY;
	complaints_init(c);
	struct doc *d = doc_parse("t.yaml", str_c(t->text), c);
	t->component = d ? component_new(d, &env, c) : NULL;
	t->plan = t->component ? plan_new(t->component, STR(""), &env, c) : NULL;
	complaints_done(c);
	free(c);
	return t->plan ? 0 : -ERR_NO_MEMORY;
}

static int open_all(struct trial *t, struct err *e)
{
	struct store_config store = { .dir = t->dir };
	struct http_client_config http = { 0 };
	t->loop = loop_new(e);
	if (!t->loop || store_open(&t->store, t->loop, &store, e) < 0)
		return -1;
	t->services.http = http_client_new(t->loop, &http, e);
	t->services.secrets = t->services.http ? secrets_new(NULL, e) : NULL;
	return t->services.secrets ? open_plan(t) : -1;
}

static void on_settled(void *arg, const struct store_result *r)
{
	struct trial *t = arg;
	t->has_come = true;
	loop_stop(t->loop);
}

static void close_all(struct trial *t)
{
	struct err e = ERR_INIT;
	run_free(t->run);
	/* A run is buried when the store's last callback for it has come, and a closed store calls nobody. Twice, for
	 * this may be the one. */
	if (t->run &&
	    (store_run_get(t->store, 1, on_settled, t, &e) == 0 || store_run_get(t->store, 1, on_settled, t, &e) == 0))
		wait_come(t);
	http_client_free(t->services.http);
	store_close(t->store);
	secrets_free(t->services.secrets);
	plan_unref(t->plan);
	component_unref(t->component);
	loop_free(t->loop);
}

/* The run from its beginning, or from what is on disk. True when it came to its own end. */
static bool go(struct trial *t, bool goes_on)
{
	struct err e = ERR_INIT;
	bool is_open = open_all(t, &e) == 0;
	if (is_open && goes_on) {
		assert_int_equal(store_run_get(t->store, 1, on_row, t, &e), 0);
		wait_come(t);
	}
	if (is_open) {
		struct run_row row = t->row;
		struct run_config config = { .loop = t->loop,
					     .store = t->store,
					     .plan = t->plan,
					     .services = &t->services,
					     .resume = t->is_found ? &row : NULL,
					     .on_output = on_output,
					     .on_problem = on_problem,
					     .on_end = on_end,
					     .arg = t };
		if (!t->is_found || !row.input_is_complete)
			config.source = (struct run_source){ read_lines, t };
		if (t->is_found && row.state != RUN_RUNNING) {
			config.is_replay = true;
			config.replay_to = ITEMS - 1;
		}
		t->run = run_start(&config, &e);
		while (t->run && !t->has_ended)
			(void)loop_run(t->loop);
	}
	close_all(t);
	return t->has_ended && t->row.state != RUN_RUNNING;
}

static void on_ledger(void *arg, const struct store_result *r)
{
	struct trial *t = arg;
	for (size_t i = 0; i < r->n; i++) {
		const struct ledger_row *row = &r->rows[i], *before = i ? &r->rows[i - 1] : NULL;
		bool is_answer = row->kind == LEDGER_OUTCOME && row->code == 200;
		t->n_noted += row->kind == LEDGER_ENTRY;
		for (; is_answer && before > r->rows && (before->kind != LEDGER_OUTCOME || before->code != 200);
		     before--)
			;
		t->n_outcomes_twice += is_answer && before && before->kind == LEDGER_OUTCOME && before->code == 200 &&
				       before->key.seq == row->key.seq && before->key.step == row->key.step;
	}
	t->has_come = true;
	loop_stop(t->loop);
}

static void on_entries(void *arg, const struct store_result *r)
{
	struct trial *t = arg;
	t->n_entries = (size_t)r->total;
	t->has_come = true;
	loop_stop(t->loop);
}

/* The books, by a store of their own. */
static void look(struct trial *t)
{
	struct err e = ERR_INIT;
	struct store_config store = { .dir = t->dir };
	t->loop = loop_new(&e);
	assert_int_equal(store_open(&t->store, t->loop, &store, &e), 0);
	assert_int_equal(store_ledger_read(t->store, 1, 0, INT64_MAX, on_ledger, t, &e), 0);
	wait_come(t);
	assert_int_equal(store_entry_list(t->store, STR("t"), 0, 1, on_entries, t, &e), 0);
	wait_come(t);
	store_close(t->store);
	loop_free(t->loop);
}

static int rm_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	return remove(path);
}

/* An honest end: all of it right, or no end at all. */
static void check_end(unsigned long n, const struct trial *t, bool has_ended, int may_be_unknown)
{
	if (t->n_wrong)
		fail_msg("n=%lu: %d outputs are wrong", n, t->n_wrong);
	if (t->n_problems != t->n_unknown)
		fail_msg("n=%lu: %d items are blamed: %s", n, t->n_problems - t->n_unknown, t->blame);
	if (t->n_unknown > may_be_unknown)
		fail_msg("n=%lu: %d items are unknown, %d may be", n, t->n_unknown, may_be_unknown);
	if (has_ended && t->n_outputs + t->n_unknown != ITEMS)
		fail_msg("n=%lu: ended in state %d with %d outputs and %d unknown", n, (int)t->row.state, t->n_outputs,
			 t->n_unknown);
	for (int i = 0; i < ITEMS; i++)
		if (arrived.plain[i] > 1)
			fail_msg("n=%lu: the POST of item %d went out %d times", n, i, arrived.plain[i]);
	if (arrived.has_bad_key)
		fail_msg("n=%lu: a keyed POST came with another key", n);
}

/* Of the sanitizer, where there is one: tells what leaked so far. It does so at the end, too; for each n it would take
 * minutes. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

/* False when no allocation failed any more. */
static bool one(unsigned long n, bool is_alone)
{
	struct trial first = { .read = 0 };
	struct peer *p = peer_start(serve, NULL);
	arrived = (struct arrivals){ 0 };
	(void)strcpy(first.dir,
		     access("/dev/shm", W_OK) == 0 ? "/dev/shm/weir-torture-XXXXXX" : "/tmp/weir-torture-XXXXXX");
	assert_non_null(mkdtemp(first.dir));
	(void)snprintf(first.text, sizeof(first.text), component_text, (unsigned)p->port);
	struct trial second = first, books = first;

	(void)alarm(WATCHDOG_S);
	arena_trim(); /* kept blocks would spare the very allocations that are to fail */
	alloc_fail_after(n);
	bool has_ended = go(&first, false);
	bool has_failed = alloc_has_failed();
	alloc_fail_after(0);
	check_end(n, &first, has_ended, has_failed ? ITEMS : 0);
	if (!has_failed)
		assert_true(has_ended);

	has_ended = go(&second, true);
	if (!has_ended)
		fail_msg("n=%lu: the second run stopped", n);
	check_end(n, &second, true, ITEMS);
	look(&books);
	if (books.n_outcomes_twice)
		fail_msg("n=%lu: %d outcomes are recorded twice", n, books.n_outcomes_twice);
	if (books.n_noted != (int)books.n_entries || books.n_noted != second.n_outputs)
		fail_msg("n=%lu: %zu entries, %d noted, %d outputs", n, books.n_entries, books.n_noted,
			 second.n_outputs);
	peer_stop(p);
	(void)nftw(first.dir, rm_one, 16, FTW_DEPTH | FTW_PHYS);
	if (is_alone && __lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check())
		fail_msg("n=%lu: memory leaks", n);
	return has_failed;
}

TEST(twenty_items_survive_any_failing_allocation)
{
	const char *from = getenv("WEIR_TORTURE_N"); /* one n again */
	unsigned long n = from ? strtoul(from, NULL, 10) : 1;
	log_setup(LOG_OFF, LOG_TEXT);
	while (one(n, from) && !from && n < TRIES_MAX)
		n++;
	print_message("%lu allocations failed one by one\n", n - 1);
	assert_true(n > 500 || from);
	assert_true(n < TRIES_MAX);
}

RUN_TESTS(CLAIM(twenty_items_survive_any_failing_allocation))
