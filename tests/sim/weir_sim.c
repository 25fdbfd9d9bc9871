/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir_sim: the engine in a simulated world, one run a seed, killed and resumed until it ends.
 *
 *     weir_sim [--seeds N] [--from N]     N seeds, from 1
 *     weir_sim --seed N [--trace]         one; with what happened, line by line
 *     weir_sim ... --digest               one line with a digest of all that happened: the same seeds, the same digest
 */
#include "sim.h"

#include <unistd.h>

#define PATIENCE 400 /* lives of one run */

/* ---- what a seed makes of the world ---- */

static unsigned up_to(unsigned top)
{
	return (unsigned)sim_dice(top);
}

static void choose_world(void)
{
	struct weather *w = &sim.weather;
	bool is_rough = sim_dice(3) == 0;
	unsigned most = is_rough ? 250 : 40;
	unsigned *const rates[] = { &w->refused,  &w->request_lost, &w->answer_lost, &w->truncated, &w->late,
				    &w->says_500, &w->says_503,	    &w->says_429,    &w->duplicated };
	for (size_t i = 0; i < ARRAY_LEN(rates); i++)
		*rates[i] = sim_dice(2) ? up_to(most) : 0;
	w->disk_full = sim_dice(2) ? 0 : up_to(100);
	w->disk_lost = sim_dice(2) ? 0 : up_to(60);
	w->disk_late = sim_dice(2) ? 0 : up_to(60);
	w->deaths = sim_dice(4) ? 300 + up_to(650) : 0;
	w->latency_ns = UINT64_C(1000000) << up_to(12);
	w->disk_ns = UINT64_C(100000) << up_to(10);
	sim.n_calls = 1 + up_to(SIM_STEPS_MAX - 1);
	sim.n_items = 1 + up_to(SIM_ITEMS_MAX - 1);
	for (unsigned i = 0; i < sim.n_calls; i++)
		sim.calls[i] = (enum sim_method)up_to(METHOD_KINDS - 1);
	sim.saves_entry = sim_dice(1);
}

static void append_steps(struct buf *b)
{
	static const char *const methods[] = { "GET", "PUT", "DELETE", "POST", "POST" };
	char source[16] = "input", last[16] = "input";
	bool is_branched = sim_dice(3) == 0, has_follower[SIM_STEPS_MAX] = { 0 };
	for (unsigned k = 0; k < sim.n_calls; k++) {
		bool is_any = sim_dice(3) == 0;
		unsigned from = is_branched ? up_to(k) : k; /* 0 = the input, n = the n-th call */
		if (from)
			has_follower[from - 1] = true;
		(void)snprintf(source, sizeof(source), from ? "k%u" : "input", from - 1);
		sim.is_any_order |= is_any;
		(void)buf_printf(
		    b,
		    "          - { name: k%u, source_step: %s, kind: execute_api_call, system: s, connector: c, "
		    "method_name: %s, query_path: /k%u, parameters_mapping: { n: =item.data.n }, "
		    "result_store_field: _k%u, in_flight: %u, attempts: %u%s }\n",
		    k, source, methods[sim.calls[k]], k, k, 1 + up_to(15), 1 + up_to(4), is_any ? ", order: any" : "");
		(void)snprintf(last, sizeof(last), "k%u", k);
	}
	for (unsigned k = 0; k < sim.n_calls; k++)
		sim.n_leaves += !has_follower[k];
	if (sim.saves_entry)
		(void)buf_printf(b,
				 "          - { name: save, source_step: %s, kind: update_entry, fields_mapping: { n: "
				 "=item.data.n } }\n",
				 last);
}

static void append_component(struct buf *b)
{
	static const char *const methods[] = { "GET", "PUT", "DELETE", "POST", "POST" };
	(void)buf_append_c(b, "weir: 1\ncomponent: t\nsystems:\n  s:\n    base_url: { live: http://sim.invalid }\n"
			      "    connectors:\n      c:\n        operations:\n");
	for (unsigned k = 0; k < sim.n_calls; k++)
		(void)buf_printf(
		    b, "          - { method_name: %s, query_path: /k%u, parameters: [ { name: n, in: query } ]%s }\n",
		    methods[sim.calls[k]], k, sim.calls[k] == METHOD_POST_KEYED ? ", idempotency_key: true" : "");
	(void)buf_append_c(b, "model:\n  - { name: n, type: integer, primary_key: true }\n"
			      "dataflows:\n  d:\n    stages:\n      - name: A\n        steps:\n"
			      "          - { name: input, kind: get_action_model }\n");
	append_steps(b);
}

static struct plan *make_plan(struct component **ret_component)
{
	auto_buf struct buf text = { .max = 1 << 20 };
	struct flow_env env = step_flow_env(STR_NULL);
	auto_free struct complaints *c = calloc(1, sizeof(*c));
	complaints_init(c);
	append_component(&text);
	struct doc *d = doc_parse("sim.yaml", buf_str(&text), c);
	*ret_component = d ? component_new(d, &env, c) : NULL;
	struct plan *p = *ret_component ? plan_new(*ret_component, STR(""), &env, c) : NULL;
	if (!p)
		sim_fail("%.*s in:\n%.*s", STR_ARG(c->items[0].text), STR_ARG(buf_str(&text)));
	if (sim.is_traced)
		(void)printf("%.*s", STR_ARG(buf_str(&text)));
	complaints_done(c);
	return p;
}

/* ---- one process ---- */

struct process {
	struct store *store;
	struct run *run;
	struct step_services services;
	struct plan *plan;
	struct told told;
	uint64_t fed;
	uint32_t fed_at_once;
	bool has_ended, has_row, is_pacing;
	struct run_row row;
	struct arena arena;
};
static struct process pr;

static enum source_verdict feed(void *arg, struct buf *lines, size_t wanted, uint32_t *ret_count, struct err *e)
{
	for (uint32_t i = 0; i < pr.fed_at_once && pr.fed < sim.n_items; i++, pr.fed++) {
		(void)buf_printf(lines, "{\"n\":%" PRIu64 "}\n", pr.fed);
		++*ret_count;
	}
	return pr.fed == sim.n_items ? SOURCE_END : SOURCE_MORE;
}

static void on_output(void *arg, const struct item *it)
{
	struct told *t = &pr.told;
	if (it->seq >= sim.n_items)
		sim_fail("an output of item %" PRIu64, it->seq);
	sim_tell("output %" PRIu64, it->seq);
	if (t->outputs[it->seq]++ == 0)
		t->n_outputs++;
	t->is_out_of_order |= it->seq < t->last;
	t->last = it->seq;
	for (unsigned k = 0; k < sim.n_calls; k++) {
		char field[16];
		int64_t id = 0;
		(void)snprintf(field, sizeof(field), "_k%u", k);
		(void)value_to_int64(value_get_c(&it->root, field), &id);
		if (id) /* a branch knows its own calls alone */
			t->effect_ids[k][it->seq] = (uint64_t)id;
		if (sim.saved[k + 1][it->seq].outcomes == 0)
			sim_fail("item %" PRIu64 " is out, and its answer at step %u is not on disk", it->seq, k);
	}
}

static void on_problem(void *arg, const struct item *it)
{
	if (it->seq >= sim.n_items)
		sim_fail("a problem of item %" PRIu64, it->seq);
	sim_tell("problem %" PRIu64 " state %d", it->seq, it->state);
	pr.told.problems[it->seq]++;
	pr.told.states[it->seq] = it->state;
	pr.told.n_problems++;
}

static void on_end(void *arg, struct run *r)
{
	sim_tell("end: %s %.*s", run_state_name(run_row(r)->state), STR_ARG(run_row(r)->problem));
	pr.row = *run_row(r);
	pr.has_ended = true;
	loop_stop(sim.loop);
}

static void on_disk_turn(void *arg)
{
	pr.is_pacing = false;
	if (pr.store && store_turn(pr.store) && !pr.is_pacing) {
		pr.is_pacing = true;
		sim_after(sim_dice(sim.weather.disk_ns), on_disk_turn, NULL);
	}
}

static void on_pace(void *arg)
{
	if (pr.is_pacing)
		return;
	pr.is_pacing = true;
	sim_after(sim_dice(sim.weather.disk_ns), on_disk_turn, NULL);
}

static void process_begin(void)
{
	struct err e = ERR_INIT;
	struct store_config config = { .backend = &sim_backend, .pace = on_pace };
	struct http_client_config http = { 0 };
	sim.lives++;
	sim.is_dead = false;
	sim_tell("life %u", sim.lives);
	sim.loop = loop_new(&e);
	if (store_open(&pr.store, sim.loop, &config, &e) < 0)
		sim_fail("%s", e.msg);
	pr.services =
	    (struct step_services){ .http = http_client_new(sim.loop, &http, &e), .secrets = secrets_new(NULL, &e) };
	sim.turns_left = sim_happens(sim.weather.deaths) ? 1 + sim_dice(UINT64_C(8) << up_to(9)) : 0;
}

struct wait {
	bool has_come, wants_row;
	enum store_error error;
	void (*look)(const struct store_result *r);
};

static void on_waited(void *arg, const struct store_result *r)
{
	struct wait *w = arg;
	w->has_come = true;
	w->error = r->error;
	if (w->look)
		w->look(r);
	loop_stop(sim.loop);
}

static void wait_for(struct wait *w)
{
	uint64_t left = sim.turns_left;
	sim.turns_left = 0;
	while (!w->has_come)
		(void)loop_run(sim.loop);
	sim.turns_left = left;
}

/* The process is gone: what is not committed is lost, or, told to stop in good time, still gets there. */
static void process_end(bool is_orderly)
{
	struct wait w = { 0 };
	struct err e = ERR_INIT;
	sim_tell(is_orderly ? "stops" : "dies");
	sim.turns_left = 0;
	sim.is_dead = !is_orderly;
	run_free(TAKE(pr.run));
	http_client_free(TAKE(pr.services.http));
	/* What the store owes comes, failed, to nobody: so that memory is given back. */
	if (store_run_get(pr.store, 1, on_waited, &w, &e) == 0)
		wait_for(&w);
	store_close(TAKE(pr.store));
	loop_free(sim.loop);
	secrets_free(pr.services.secrets);
	sim.is_dead = true;
}

static void look_at_row(const struct store_result *r)
{
	pr.has_row = r->n > 0;
	if (!r->n)
		return;
	pr.row = r->runs[0];
	struct str *texts[] = { &pr.row.component, &pr.row.dataflow, &pr.row.version, &pr.row.env,
				&pr.row.trigger,   &pr.row.steps,    &pr.row.problem };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i] = arena_str(&pr.arena, *texts[i]);
}

static void read_row(void)
{
	struct wait w = { .look = look_at_row };
	struct err e = ERR_INIT;
	pr.has_row = false;
	if (store_run_get(pr.store, 1, on_waited, &w, &e) < 0)
		sim_fail("%s", e.msg);
	wait_for(&w);
}

/* True when the run is under way. */
static bool run_begin(void)
{
	struct err e = ERR_INIT;
	struct run_config config = {
		.loop = sim.loop,
		.store = pr.store,
		.plan = pr.plan,
		.services = &pr.services,
		.window = 1 + up_to(SIM_ITEMS_MAX),
		.source = { .read = feed },
		.on_output = on_output,
		.on_problem = on_problem,
		.on_end = on_end,
	};
	read_row();
	pr.told = (struct told){ 0 };
	pr.has_ended = false;
	pr.fed = 0;
	pr.fed_at_once = 1 + up_to(SIM_ITEMS_MAX);
	if (pr.has_row)
		config.resume = &pr.row;
	pr.run = run_start(&config, &e);
	if (!pr.run)
		sim_tell("no start: %s", e.msg);
	return pr.run != NULL;
}

static void on_rested(void *arg)
{
	bool *has_rested = arg;
	*has_rested = true;
	loop_stop(sim.loop);
}

static void rest(void)
{
	bool has_rested = false;
	sim.turns_left = 0;
	sim_after(2 * SIM_SECOND, on_rested, &has_rested);
	while (!has_rested)
		(void)loop_run(sim.loop);
}

/* In the same process as long as the store lives: a full disk is waited for, a failed fsync is the process's end. */
static bool live(void)
{
	for (;;) {
		if (run_begin()) {
			bool may_die = sim.turns_left > 0;
			(void)loop_run(sim.loop);
			if (!pr.has_ended && !(may_die && sim.turns_left == 0))
				sim_fail("the run waits for nothing");
			if (pr.has_ended && pr.row.state != RUN_RUNNING)
				return true;
			if (!pr.has_ended) { /* its time has come */
				bool is_orderly = sim_dice(7) == 0;
				sim.orderly += is_orderly;
				sim.kills += !is_orderly;
				process_end(is_orderly);
				return false;
			}
			run_free(TAKE(pr.run));
		}
		rest();
		if (store_broken(pr.store) && sim_dice(3) == 0) {
			process_end(false);
			return false;
		}
	}
}

/* ---- one seed ---- */

static uint64_t entries_seen;

static void look_at_entries(const struct store_result *r)
{
	entries_seen = r->total;
}

static void look_at_ledger(const struct store_result *r)
{
	sim_check(&pr.told, &pr.row, r, entries_seen);
}

static void check_all(void)
{
	struct wait entries = { .look = look_at_entries }, ledger = { .look = look_at_ledger };
	struct err e = ERR_INIT;
	uint64_t at;
	entries_seen = 0;
	if (sim.saves_entry) {
		if (store_entry_list(pr.store, STR("t"), 0, 1, on_waited, &entries, &e) < 0)
			sim_fail("%s", e.msg);
		wait_for(&entries);
	}
	/* Whatever is still on its way arrives before the books are closed. */
	while (sim_next_event(&at)) {
		sim.now = at > sim.now ? at : sim.now;
		sim_do_event();
	}
	read_row();
	if (store_ledger_read(pr.store, 1, 0, UINT64_MAX, on_waited, &ledger, &e) < 0)
		sim_fail("%s", e.msg);
	wait_for(&ledger);
	if (ledger.error)
		sim_fail("the ledger cannot be read: %d", ledger.error);
}

static void run_seed(uint64_t seed, bool is_traced)
{
	struct component *component = NULL;
	sim_reset(seed, is_traced);
	memset(&pr, 0, sizeof(pr));
	arena_init(&pr.arena, 0);
	choose_world();
	pr.plan = make_plan(&component);
	process_begin();
	while (!live()) {
		if (sim.lives == PATIENCE)
			sim_fail("no end after %u lives", sim.lives);
		process_begin();
	}
	run_free(TAKE(pr.run));
	check_all();
	process_end(true);
	plan_unref(pr.plan);
	component_unref(component);
	sim_drop_events();
	sim_disk_close();
	arena_done(&pr.arena);
}

/* ---- many ---- */

static struct {
	uint64_t seeds, lives, kills, orderly, disk_faults, sends, effects, items, seconds, digest;
	uint64_t states[RUN_NEEDS_ATTENTION + 1];
} sum;

static void add_up(void)
{
	sum.seeds++;
	sum.lives += sim.lives;
	sum.kills += sim.kills;
	sum.orderly += sim.orderly;
	sum.disk_faults += sim.disk_faults;
	sum.items += sim.n_items;
	sum.seconds += sim.now / SIM_SECOND;
	sum.states[pr.row.state]++;
	sum.digest = sum.digest * 31 + sim.digest;
	for (unsigned k = 0; k < sim.n_calls; k++)
		for (unsigned i = 0; i < sim.n_items; i++) {
			sum.sends += sim.seen[k][i].sends;
			sum.effects += sim.seen[k][i].effects;
		}
}

static void tell_sum(void)
{
	(void)printf("%" PRIu64 " seeds: %" PRIu64 " items, %" PRIu64 " requests, %" PRIu64 " effects; %" PRIu64
		     " lives (%" PRIu64 " killed, %" PRIu64 " stopped), %" PRIu64 " disk faults, %" PRIu64
		     " simulated seconds\n",
		     sum.seeds, sum.items, sum.sends, sum.effects, sum.lives, sum.kills, sum.orderly, sum.disk_faults,
		     sum.seconds);
	for (int s = RUN_DONE; s <= RUN_NEEDS_ATTENTION; s++)
		(void)printf("  %s %" PRIu64 "\n", run_state_name((enum run_state)s), sum.states[s]);
}

int main(int argc, char **argv)
{
	uint64_t from = 1, n = 1000;
	bool is_traced = false, wants_digest = false;
	for (int i = 1; i < argc; i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : "";
		if (strcmp(argv[i], "--trace") == 0) {
			is_traced = true;
		} else if (strcmp(argv[i], "--digest") == 0) {
			wants_digest = true;
		} else if (strcmp(argv[i], "--seeds") == 0) {
			n = strtoull(next, NULL, 10);
			i++;
		} else if (strcmp(argv[i], "--from") == 0 || strcmp(argv[i], "--seed") == 0) {
			from = strtoull(next, NULL, 10);
			n = strcmp(argv[i], "--seed") == 0 ? 1 : n;
			i++;
		} else {
			(void)fprintf(stderr,
				      "usage: weir_sim [--seeds N] [--from N] | --seed N [--trace] | --digest\n");
			return 2;
		}
	}
	log_setup(is_traced ? LOG_INFO : LOG_OFF, LOG_TEXT);
	for (uint64_t seed = from; seed < from + n; seed++) {
		run_seed(seed, is_traced);
		add_up();
	}
	if (wants_digest)
		(void)printf("%016" PRIx64 "\n", sum.digest);
	else
		tell_sum();
	return 0;
}
