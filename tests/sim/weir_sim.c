/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir_sim: the engine in a simulated world, a few runs a seed, killed, resumed and meddled with until they end.
 *
 *     weir_sim [--seeds N] [--from N]     N seeds, from 1
 *     weir_sim --seed N [--trace]         one; with what happened, line by line
 *     weir_sim ... --digest               one line with a digest of all that happened: the same seeds, the same digest
 */
#include "sim.h"

/* ---- one seed ---- */

static struct run_row row_seen;
static char problem_seen[200];
static uint64_t total_seen;
static struct sim_run *run_looked_at;

static void look_at_total(const struct store_result *r)
{
	total_seen = r->total;
}

static void look_at_row(const struct store_result *r)
{
	if (r->n != 1)
		sim_fail("run %" PRId64 " is not there", run_looked_at->id);
	row_seen = r->runs[0];
	(void)snprintf(problem_seen, sizeof(problem_seen), "%.*s", STR_ARG(row_seen.problem));
	row_seen.problem = str_c(problem_seen);
}

static void look_at_ledger(const struct store_result *r)
{
	sim_check(run_looked_at, &row_seen, r);
}

/* What is left of it when it was pruned. */
static void look_at_rest(const struct store_result *r)
{
	total_seen = r->n + r->n_inputs;
}

static void check_run(struct store *s, struct sim_run *r)
{
	struct sim_wait row = { .look = look_at_row }, ledger = { .look = look_at_ledger };
	struct err e = ERR_INIT;
	run_looked_at = r;
	if (store_run_get(s, r->id, sim_waited, &row, &e) < 0)
		sim_fail("%s", e.msg);
	sim_wait_for(&row);
	if (store_ledger_read(s, r->id, 0, UINT64_MAX, sim_waited, &ledger, &e) < 0)
		sim_fail("%s", e.msg);
	sim_wait_for(&ledger);
	if (ledger.error)
		sim_fail("the ledger cannot be read: %d", ledger.error);
}

/* It is gone; what it left goes when somebody asks for it. The world is calm: the disk obeys. */
static void check_pruned(struct store *s, const struct sim_run *r)
{
	struct err e = ERR_INIT;
	total_seen = 1;
	for (int tries = 0; total_seen && tries < 100; tries++) {
		struct sim_wait some = { 0 }, rest = { .look = look_at_rest };
		if (store_prune_some(s, sim_waited, &some, &e) == 0)
			sim_wait_for(&some);
		if (store_ledger_read(s, r->id, 0, UINT64_MAX, sim_waited, &rest, &e) == 0)
			sim_wait_for(&rest);
	}
	if (total_seen)
		sim_fail("run %" PRId64 " is pruned, and has left %" PRIu64 " rows", r->id, total_seen);
}

static void check_entries(struct store *s)
{
	struct sim_wait entries = { .look = look_at_total };
	struct err e = ERR_INIT;
	uint64_t should_be = 0;
	for (unsigned k = 0; k < sim.n_steps; k++)
		for (unsigned i = 0; i < sim.n_items; i++)
			should_be += sim.saved[k][i].entries > 0;
	if (store_entry_list(s, STR("t"), 0, 1, sim_waited, &entries, &e) < 0)
		sim_fail("%s", e.msg);
	sim_wait_for(&entries);
	if (total_seen != should_be)
		sim_fail("%" PRIu64 " entries, and %" PRIu64 " were written", total_seen, should_be);
}

/* Whatever is still on its way arrives before the books are closed. */
static void settle(void)
{
	uint64_t at;
	while (sim_next_event(&at)) {
		sim.now = at > sim.now ? at : sim.now;
		sim_do_event();
	}
	if (!sim_is_calm())
		sim.now = SIM_CALM_AFTER + 1;
}

static void run_seed(uint64_t seed, bool is_traced)
{
	struct component *component = NULL;
	sim_reset(seed, is_traced);
	sim_choose();
	struct plan *plan = sim_plan(&component);
	struct store *s = sim_live(plan);
	settle();
	for (unsigned i = 0; i < sim.n_runs; i++)
		if (!sim.runs[i].is_pruned)
			check_run(s, &sim.runs[i]);
	for (unsigned i = 0; i < sim.n_runs; i++)
		if (sim.runs[i].is_pruned && !store_broken(s))
			check_pruned(s, &sim.runs[i]);
	check_entries(s);
	sim_check_effects();
	sim_last_process_ends();
	plan_unref(plan);
	component_unref(component);
	sim_drop_events();
	sim_disk_close();
	sim_books_free();
}

/* ---- many ---- */

static struct {
	uint64_t seeds, lives, kills, orderly, disk_faults, sends, effects, items, seconds, digest, runs, acts, prunes,
	    scripts;
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
	sum.runs += sim.n_runs;
	sum.acts += sim.acts;
	sum.prunes += sim.prunes;
	sum.scripts += sim.script_faults;
	sum.seconds += sim.now / SIM_SECOND;
	for (unsigned i = 0; i < sim.n_runs; i++)
		sum.states[sim.runs[i].state]++;
	sum.digest = sum.digest * 31 + sim.digest;
	for (unsigned k = 0; k < sim.n_steps; k++)
		for (unsigned i = 0; i < sim.n_items; i++) {
			sum.sends += sim.seen[k][i].sends;
			sum.effects += sim.seen[k][i].effects;
		}
}

static void tell_sum(void)
{
	(void)printf("%" PRIu64 " seeds: %" PRIu64 " runs, %" PRIu64 " items, %" PRIu64 " requests, %" PRIu64
		     " effects; %" PRIu64 " lives (%" PRIu64 " killed, %" PRIu64 " stopped), %" PRIu64
		     " disk faults, %" PRIu64 " dead scripts, %" PRIu64 " acts of a person, %" PRIu64
		     " pruned, %" PRIu64 " simulated seconds\n",
		     sum.seeds, sum.runs, sum.items, sum.sends, sum.effects, sum.lives, sum.kills, sum.orderly,
		     sum.disk_faults, sum.scripts, sum.acts, sum.prunes, sum.seconds);
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
