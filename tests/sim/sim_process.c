/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process like a server: runs go on together, each begun, resumed, left to a person, pruned. It dies in any turn, or
 * is told to stop, and the next one goes on with what is on disk.
 *
 *   look at the run's row ─┬─ none: begin ───────────────► under way ─► ended ─► look again
 *                          ├─ running: resume ────────────────^
 *                          ├─ ended: a person acts ─► look again
 *                          └─ ended, nobody acts: over, perhaps checked and pruned
 */
#include "sim.h"

#include "store/prune.h"

#define PATIENCE 400		   /* lives of one world */
#define GRACE_NS (10 * SIM_SECOND) /* of an orderly stop */

static struct process {
	struct store *store;
	struct step_services services;
	struct plan *plan;
	struct prune *prune;
	bool is_pacing, wants_end, is_finished, is_leaving, is_grace_over;
	struct source {
		uint64_t fed;
		uint32_t at_once;
	} sources[SIM_RUNS_MAX];
	unsigned faults_at_birth;
} pr;

/* ---- what comes later, unless the process is gone ---- */

struct later {
	unsigned life, run;
	void (*fn)(struct sim_run *r);
};

static void on_later(void *arg)
{
	struct later l = *(struct later *)arg;
	free(arg);
	if (l.life == sim.lives && !sim.is_dead && !pr.is_leaving)
		l.fn(&sim.runs[l.run]);
}

static void later(uint64_t ns, void (*fn)(struct sim_run *r), struct sim_run *r)
{
	struct later *l = malloc(sizeof(*l));
	if (!l)
		abort();
	*l = (struct later){ .life = sim.lives, .run = (unsigned)(r - sim.runs), .fn = fn };
	sim_after(ns, on_later, l);
}

static void look(struct sim_run *r);

/* A full disk is waited for; a failed fsync is over with the process. */
static void after_trouble(struct sim_run *r)
{
	if (store_broken(pr.store) && sim_dice(3) == 0) {
		pr.wants_end = true;
		loop_stop(sim.loop);
		return;
	}
	look(r);
}

static void try_again(struct sim_run *r)
{
	later(2 * SIM_SECOND, after_trouble, r);
}

/* ---- a run under way ---- */

static enum source_verdict feed(void *arg, struct buf *lines, size_t wanted, uint32_t *ret_count, struct err *e)
{
	struct sim_run *r = arg;
	struct source *s = &pr.sources[r - sim.runs];
	for (uint32_t i = 0; i < s->at_once && s->fed < r->n; i++, s->fed++) {
		(void)buf_printf(lines, "{\"n\":%" PRIu64 "}\n", r->first + s->fed);
		++*ret_count;
	}
	return s->fed == r->n ? SOURCE_END : SOURCE_MORE;
}

static unsigned item_told(struct sim_run *r, const struct item *it)
{
	if (it->seq >= r->next_seq)
		sim_fail("item %" PRIu64 " of run %" PRId64 " is told of, and is not on disk", it->seq, r->id);
	return r->item_of_seq[it->seq];
}

/* Its own answer or that of one it was made of. */
static bool is_answered(unsigned k, unsigned item)
{
	for (; item != SIM_NONE; item = sim.items[item].parent)
		if (sim.saved[k][item].outcomes || sim.saved[k][item].decisions)
			return true;
	return false;
}

static void look_at_field(const struct item *it, unsigned item, unsigned k)
{
	char field[16];
	int64_t number = 0;
	(void)snprintf(field, sizeof(field), sim.steps[k].kind == SIM_SCRIPT ? "_s%u" : "_k%u", k);
	const struct value *v = value_get_c(&it->root, field);
	if (!v)
		return;
	(void)value_to_int64(v, &number);
	if (sim.steps[k].kind == SIM_CALL) {
		if (!is_answered(k, item))
			sim_fail("item %u is out, and its answer at step %u is not on disk", item, k);
		sim.told[item].effect_ids[k] = (uint64_t)number;
		return;
	}
	for (unsigned i = item; i != SIM_NONE; i = sim.items[i].parent)
		if (number == 7 * (int64_t)i + (int64_t)k)
			return;
	sim_fail("item %u: the script of step %u cannot have said %" PRId64, item, k, number);
}

static void on_output(void *arg, const struct item *it)
{
	struct sim_run *r = arg;
	unsigned item = item_told(r, it);
	int64_t n = -1;
	(void)value_to_int64(value_get_c(value_get_c(&it->root, "data"), "n"), &n);
	if (n != (int64_t)item)
		sim_fail("item %u came out as %" PRId64, item, n);
	sim_tell("output %u", item);
	sim.told[item].outputs++;
	r->n_outputs++;
	bool is_parent = false; /* nobody waits for one that has become others */
	for (unsigned k = 0; k < sim.n_steps; k++) {
		is_parent |= sim.steps[k].kind == SIM_LIST;
		look_at_field(it, item, k);
	}
	r->is_out_of_order |= it->seq < r->last && !is_parent;
	r->last = it->seq;
}

static void on_problem(void *arg, const struct item *it)
{
	struct sim_run *r = arg;
	unsigned item = item_told(r, it);
	sim_tell("problem %u state %d", item, it->state);
	sim.told[item].problems++;
	sim.told[item].state = it->state;
	r->n_problems++;
}

static bool is_any_under_way(void)
{
	for (unsigned i = 0; i < sim.n_runs; i++)
		if (sim.runs[i].run)
			return true;
	return false;
}

static void on_end(void *arg, struct run *run)
{
	struct sim_run *r = arg;
	sim_tell("run %" PRId64 " ends: %s %.*s", r->id, run_state_name(run_row(run)->state),
		 STR_ARG(run_row(run)->problem));
	bool is_running = run_row(run)->state == RUN_RUNNING;
	run_free(TAKE(r->run));
	if (pr.is_leaving && !is_any_under_way())
		loop_stop(sim.loop);
	else if (is_running)
		try_again(r);
	else
		later(sim_dice(5 * SIM_SECOND), look, r);
}

static void begin(struct sim_run *r, const struct run_row *resume)
{
	static const char *const names[] = { "r0", "r1", "r2", "r3" };
	struct err e = ERR_INIT;
	struct source *s = &pr.sources[r - sim.runs];
	struct run_config config = {
		.loop = sim.loop,
		.store = pr.store,
		.plan = pr.plan,
		.services = &pr.services,
		.trigger = names[r - sim.runs],
		.window = 1 + sim_dice(SIM_INPUT_MAX),
		.resume = resume,
		.on_output = on_output,
		.on_problem = on_problem,
		.on_end = on_end,
		.arg = r,
	};
	if (!resume || !resume->input_is_complete || sim_dice(1))
		config.source = (struct run_source){ .read = feed, .arg = r };
	*s = (struct source){ .at_once = 1 + (uint32_t)sim_dice(SIM_INPUT_MAX) };
	r->n_outputs = r->n_problems = 0;
	r->is_out_of_order = r->has_stopped = false;
	r->last = 0;
	for (unsigned i = 0; i < sim.n_items; i++)
		if (&sim.runs[sim.items[i].run] == r)
			sim.told[i] = (struct told){ 0 };
	r->run = run_start(&config, &e);
	if (r->run)
		return;
	sim_tell("no start: %s", e.msg);
	try_again(r);
}

/* ---- between its lives ---- */

static struct sim_run *pruning; /* being checked, then pruned */

static void is_over(struct sim_run *r)
{
	r->is_over = true;
	for (unsigned i = 0; i < sim.n_runs; i++)
		if (!sim.runs[i].is_over)
			return;
	pr.is_finished = true;
	loop_stop(sim.loop);
}

static void on_pruned(void *arg, const struct prune_report *report)
{
	struct sim_run *r = TAKE(pruning);
	pr.prune = NULL;
	sim_tell("pruned %" PRIu64 " refused %" PRIu64, report->runs, report->refused);
	if (report->problem)
		try_again(r);
	else if (report->runs != 1)
		sim_fail("run %" PRId64 " is not pruned", r->id);
	else
		is_over(r);
}

static void prune(struct sim_run *r)
{
	struct prune_policy policy = { .named = &r->id, .n_named = 1 };
	struct err e = ERR_INIT;
	pr.prune = prune_start(pr.store, &policy, NULL, on_pruned, NULL, &e);
	if (!pr.prune) {
		pruning = NULL;
		try_again(r);
	}
}

static struct run_row last_row;
static char last_problem[200];

static void on_last_ledger(void *arg, const struct store_result *result)
{
	struct sim_run *r = arg;
	if (sim.is_dead || pr.is_leaving)
		return;
	if (result->error) {
		pruning = NULL;
		try_again(r);
		return;
	}
	sim_check(r, &last_row, result);
	prune(r);
}

/* Nobody wants anything of it any more. One in three goes for good, after a look. */
static void leave_it(struct sim_run *r, const struct run_row *row)
{
	struct err e = ERR_INIT;
	if (sim.n_runs == 1 || pruning || sim_dice(2)) {
		is_over(r);
		return;
	}
	pruning = r; /* one after the other */
	last_row = *row;
	(void)snprintf(last_problem, sizeof(last_problem), "%.*s", STR_ARG(row->problem));
	last_row.problem = str_c(last_problem);
	if (store_ledger_read(pr.store, r->id, 0, UINT64_MAX, on_last_ledger, r, &e) == 0)
		return;
	pruning = NULL;
	try_again(r);
}

static void on_acted(void *arg, const struct store_result *result)
{
	struct sim_run *r = arg;
	if (sim.is_dead || pr.is_leaving)
		return;
	sim_tell("person: %s", result->error ? result->detail : "done");
	later(2 * SIM_SECOND, after_trouble, r);
}

static void on_row(void *arg, const struct store_result *result)
{
	struct sim_run *r = arg;
	if (sim.is_dead || pr.is_leaving)
		return;
	if (result->error == STORE_FAILED) {
		try_again(r);
	} else if (r->is_pruned) {
		if (result->n)
			sim_fail("run %" PRId64 " is pruned, and there", r->id);
		is_over(r);
	} else if (!result->n) {
		begin(r, NULL);
	} else if (sim_person_acts(r, pr.store, &result->runs[0], on_acted, r)) {
		sim.acts++;
	} else if (result->runs[0].state == RUN_RUNNING) {
		begin(r, &result->runs[0]);
	} else {
		leave_it(r, &result->runs[0]);
	}
}

static void look(struct sim_run *r)
{
	struct err e = ERR_INIT;
	if (store_run_get(pr.store, r->id ? r->id : INT64_MAX, on_row, r, &e) < 0)
		sim_fail("%s", e.msg);
}

/* ---- one process ---- */

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

/* Interrupted runs go on at once, the oldest first; those that nobody has begun come when they come. */
static void process_begin(void)
{
	struct err e = ERR_INIT;
	struct store_config config = { .backend = &sim_backend, .pace = on_pace };
	struct http_client_config http = { 0 };
	sim.lives++;
	sim.is_dead = pr.wants_end = pr.is_leaving = pr.is_grace_over = false;
	pruning = NULL;
	pr.faults_at_birth = sim.disk_faults;
	sim_tell("life %u", sim.lives);
	sim.loop = loop_new(&e);
	if (store_open(&pr.store, sim.loop, &config, &e) < 0)
		sim_fail("%s", e.msg);
	pr.services = (struct step_services){ .http = http_client_new(sim.loop, &http, &e),
					      .scripts = script_pool_new(sim.loop, NULL, &e),
					      .secrets = secrets_new(NULL, &e) };
	for (unsigned k = 0; k < sim.n_steps; k++)
		for (unsigned i = 0; i < sim.n_items; i++)
			sim.saved[k][i].open_at_birth = sim.saved[k][i].open;
	sim.turns_left = sim_happens(sim.weather.deaths) ? 1 + sim_dice(UINT64_C(8) << sim_dice(9)) : 0;
	for (unsigned i = 0; i < sim.n_runs; i++)
		if (!sim.runs[i].is_over)
			later(sim.runs[i].id ? 0 : sim_dice(i * 5 * SIM_SECOND), look, &sim.runs[i]);
}

void sim_waited(void *arg, const struct store_result *r)
{
	struct sim_wait *w = arg;
	w->has_come = true;
	w->error = r->error;
	if (w->look)
		w->look(r);
	loop_stop(sim.loop);
}

void sim_wait_for(struct sim_wait *w)
{
	uint64_t left = sim.turns_left;
	sim.turns_left = 0;
	while (!w->has_come)
		(void)loop_run(sim.loop);
	sim.turns_left = left;
}

/* What is not committed is lost, or, told to stop in good time, still gets there. */
static void process_end(bool is_orderly)
{
	struct sim_wait w = { 0 };
	struct err e = ERR_INIT;
	sim_tell(is_orderly ? "stops" : "dies");
	sim.turns_left = 0;
	sim.is_dead = !is_orderly;
	pr.is_leaving = true;
	for (unsigned i = 0; i < sim.n_runs; i++)
		run_free(TAKE(sim.runs[i].run));
	prune_stop(TAKE(pr.prune));
	http_client_free(TAKE(pr.services.http));
	/* What the store owes comes, failed, to nobody: so that memory is given back. */
	if (store_run_get(pr.store, 1, sim_waited, &w, &e) == 0)
		sim_wait_for(&w);
	store_close(TAKE(pr.store));
	script_pool_free(TAKE(pr.services.scripts));
	loop_free(sim.loop);
	secrets_free(pr.services.secrets);
	sim.is_dead = true;
}

static void on_grace(void *arg)
{
	unsigned *life = arg;
	bool is_ours = *life == sim.lives && pr.is_leaving && !sim.is_dead;
	free(arg);
	if (!is_ours)
		return;
	pr.is_grace_over = true;
	loop_stop(sim.loop);
}

/* SIGTERM. What ends within the grace leaves nothing that nobody knows. */
static void leave(void)
{
	unsigned *life = malloc(sizeof(*life));
	if (!life)
		abort();
	*life = sim.lives;
	sim_tell("winds down");
	pr.is_leaving = true;
	sim.turns_left = 0;
	for (unsigned i = 0; i < sim.n_runs; i++)
		if (sim.runs[i].run)
			run_wind_down(sim.runs[i].run);
	sim_after(GRACE_NS, on_grace, life);
	while (is_any_under_way() && !pr.is_grace_over)
		(void)loop_run(sim.loop);
	bool is_gentle = !pr.is_grace_over && sim.disk_faults == pr.faults_at_birth;
	for (unsigned k = 0; k < sim.n_steps && is_gentle; k++)
		for (unsigned i = 0; i < sim.n_items; i++)
			if (sim_is_plain(k) && sim.saved[k][i].open > sim.saved[k][i].open_at_birth)
				sim_fail("step %u item %u: all ended in good time, and nobody knows of this call", k,
					 i);
	process_end(true);
}

struct store *sim_live(struct plan *p)
{
	memset(&pr, 0, sizeof(pr));
	pr.plan = p;
	process_begin();
	for (;;) {
		bool may_die = sim.turns_left > 0;
		(void)loop_run(sim.loop);
		if (pr.is_finished)
			return pr.store;
		if (!pr.wants_end && !(may_die && sim.turns_left == 0))
			sim_fail("the runs wait for nothing");
		if (pr.wants_end || sim_dice(7)) {
			sim.kills++;
			process_end(false);
		} else {
			sim.orderly++;
			leave();
		}
		if (sim.lives == PATIENCE)
			sim_fail("no end after %u lives", sim.lives);
		process_begin();
	}
}

void sim_last_process_ends(void)
{
	process_end(true);
}
