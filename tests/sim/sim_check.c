/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold when a run has ended: its ledger is what was committed, each item went the way that its rows tell,
 * what was told is what came of it, the run's row counts it so, and the API saw as much.
 */
#include "sim.h"

/* What the ledger holds of one item at one step. */
struct cell {
	unsigned intents, outcomes, entries;
	uint32_t last_intent, last_outcome, last_decision; /* attempts; 0 = none */
	int32_t problem, decision;			   /* state, and what was decided; 0 = none */
	int64_t made;
};

/* What came of one item, over all branches. */
struct fate {
	unsigned outputs;
	bool is_failed, is_unknown, is_dropped, is_undone, is_spent;
};

static struct cell cells[SIM_ITEMS_MAX][SIM_STEPS_MAX]; /* by number in the run */
static bool is_reached[SIM_ITEMS_MAX][SIM_STEPS_MAX];
static struct sim_run *run;
static bool has_stopped; /* a step with on_error: stop has failed an item */

static void read_cells(const struct store_result *ledger)
{
	memset(cells, 0, sizeof(cells));
	memset(is_reached, 0, sizeof(is_reached));
	for (size_t i = 0; i < ledger->n; i++) {
		const struct ledger_row *row = &ledger->rows[i];
		struct cell *c = &cells[row->key.seq][row->key.step - 1];
		switch (row->kind) {
		case LEDGER_INTENT:
			c->intents++;
			c->last_intent = row->key.attempt;
			break;
		case LEDGER_OUTCOME:
			if (c->last_intent != row->key.attempt)
				sim_fail("seq %" PRIu64 " step %u attempt %u has an outcome without intent",
					 row->key.seq, row->key.step - 1, row->key.attempt);
			c->outcomes++;
			c->last_outcome = row->key.attempt;
			break;
		case LEDGER_PROBLEM:
			c->problem = row->code;
			break;
		case LEDGER_DECISION:
			c->decision = row->code;
			c->last_decision = row->key.attempt;
			break;
		case LEDGER_ENTRY:
			c->entries++;
			break;
		case LEDGER_DOUBT:
			break; /* its age is the engine's business */
		default:
			c->made = row->number;
			break;
		}
	}
}

/* ---- one item at one step ---- */

/* The newest word is a person's. */
static enum decision decision_of(const struct cell *c)
{
	bool is_newest = c->decision && c->last_decision >= c->last_intent && c->last_decision >= c->last_outcome;
	return is_newest ? (enum decision)c->decision : 0;
}

static void check_call(unsigned item, unsigned k, const struct cell *c)
{
	const struct seen *s = &sim.seen[k][item];
	const struct saved *v = &sim.saved[k][item];
	unsigned open = c->intents - c->outcomes;
	if (s->sends > v->intents)
		sim_fail("item %u step %u was sent %u times, with %u intents", item, k, s->sends, v->intents);
	if (!sim_is_plain(k))
		return;
	if (open > 1 + v->decisions)
		sim_fail("item %u step %u has %u intents without outcome", item, k, open);
	bool is_open = c->last_intent > c->last_outcome && c->last_intent > c->last_decision;
	bool is_doubtful = is_open || (s->is_ambiguous && !decision_of(c));
	if (is_doubtful != (c->problem == ITEM_UNKNOWN))
		sim_fail("item %u step %u %s have an unknown outcome, and %s", item, k, is_doubtful ? "must" : "cannot",
			 is_doubtful ? "has not" : "has");
	enum decision d = decision_of(c);
	if ((d == DECISION_DONE || d == DECISION_SKIP) && s->sends != s->sends_decided)
		sim_fail("item %u step %u was decided, and sent again", item, k);
}

static void check_passed(unsigned item, unsigned k, const struct cell *c)
{
	const struct seen *s = &sim.seen[k][item];
	uint64_t told = sim.told[item].effect_ids[k];
	bool is_plain = sim_is_plain(k);
	if (sim.steps[k].kind == SIM_ENTRY && c->entries != 1)
		sim_fail("item %u is through step %u with %u entries", item, k, c->entries);
	if (!sim_is_call(k))
		return;
	if (!s->effects)
		sim_fail("item %u is through, and the API has never acted at step %u", item, k);
	if (is_plain && s->effects - s->effects_before > 1)
		sim_fail("item %u is through, and the API acted %u times at step %u", item,
			 s->effects - s->effects_before, k);
	if (told && (is_plain || sim.steps[k].method == METHOD_POST_KEYED) && told != s->effect_id)
		sim_fail("item %u step %u: recorded %" PRIu64 ", the API made %" PRIu64, item, k, told, s->effect_id);
}

/* ---- one item on its way ---- */

static void walk(unsigned item, unsigned k, struct fate *f);

static void follow(unsigned item, unsigned k, bool as_error, struct fate *f)
{
	for (unsigned next = 0; next < sim.n_steps; next++)
		if (sim.steps[next].from == k && sim.steps[next].takes_errors == as_error)
			walk(item, next, f);
}

static bool is_leaf(unsigned k)
{
	for (unsigned next = 0; next < sim.n_steps; next++)
		if (sim.steps[next].from == k && !sim.steps[next].takes_errors)
			return false;
	return true;
}

static void pass(unsigned item, unsigned k, struct fate *f)
{
	if (is_leaf(k))
		f->outputs++;
	else
		follow(item, k, false, f);
}

/* It has become others, all that its list has, each once. */
static void became(unsigned item, unsigned k, const struct cell *c, struct fate *f)
{
	const struct seen *s = &sim.seen[k][item];
	f->is_spent = true;
	if (c->made != s->list_n)
		sim_fail("item %u has become %" PRId64 " items at step %u, its list has %u", item, c->made, k,
			 s->list_n);
	for (unsigned i = 0; i < s->list_n; i++)
		if (!sim.items[s->list_at + i].is_recorded)
			sim_fail("item %u of the list of item %u is not there", s->list_at + i, item);
}

/* Nothing in the ledger says that it is over here. */
static bool is_open_here(unsigned k, const struct cell *c)
{
	enum decision d = decision_of(c);
	if (sim.steps[k].kind == SIM_ENTRY)
		return !c->entries;
	return sim_is_call(k) && d != DECISION_DONE && d != DECISION_SKIP &&
	       (!c->last_outcome || c->last_outcome < c->last_intent || c->last_outcome <= c->last_decision);
}

static void walk(unsigned item, unsigned k, struct fate *f)
{
	const struct cell *c = &cells[sim.items[item].seq][k];
	bool keeps = sim.steps[k].on_error == ON_ERROR_KEEP;
	is_reached[sim.items[item].seq][k] = true;
	if (sim_is_call(k))
		check_call(item, k, c);
	if (c->problem == ITEM_KEPT) {
		follow(item, k, true, f);
		if (keeps)
			pass(item, k, f);
	} else if (c->problem) {
		f->is_failed |= c->problem == ITEM_FAILED;
		f->is_unknown |= c->problem == ITEM_UNKNOWN;
	} else if (sim_is_call(k) && decision_of(c) == DECISION_SKIP) {
		f->is_dropped = true;
	} else if (is_open_here(k, c)) {
		f->is_undone = true; /* a run that has stopped early may leave it there */
		for (unsigned ahead = 0; ahead < sim.n_steps && has_stopped; ahead++)
			f->is_unknown |= cells[sim.items[item].seq][ahead].problem == ITEM_UNKNOWN;
	} else {
		/* of an early stop one cannot tell whether the answer would have been asked for again */
		bool is_through = !has_stopped || sim.told[item].outputs;
		if (is_through)
			check_passed(item, k, c);
		if (sim.steps[k].kind != SIM_LIST)
			pass(item, k, f);
		else if (is_through)
			became(item, k, c, f);
	}
}

static struct fate fate_of(unsigned item)
{
	struct fate f = { 0 };
	unsigned by = sim.items[item].made_by;
	if (by == SIM_NONE)
		follow(item, SIM_NONE, false, &f);
	else
		pass(item, by, &f);
	return f;
}

/* ---- all of them ---- */

struct counts {
	unsigned out, failed, unknown;
};

static bool has_kept_way(unsigned k)
{
	bool is = sim.steps[k].on_error == ON_ERROR_KEEP;
	for (unsigned next = 0; next < sim.n_steps && !is; next++)
		is = sim.steps[next].from == k && sim.steps[next].takes_errors;
	return is;
}

/* A script that was through once may find no worker when it runs again. */
static bool is_behind_script(uint64_t seq, unsigned k)
{
	for (; k != SIM_NONE; k = sim.steps[k].from)
		if (cells[seq][k].problem && sim.steps[k].kind == SIM_SCRIPT)
			return true;
	return false;
}

static void check_rows(unsigned item)
{
	uint64_t seq = sim.items[item].seq;
	for (unsigned k = 0; k < sim.n_steps; k++) {
		const struct cell *c = &cells[seq][k];
		if (!is_reached[seq][k] && !run->is_redone && !is_behind_script(seq, k) &&
		    (c->intents || c->problem || c->entries))
			sim_fail("item %u has rows at step %u, where it never came", item, k);
		if (c->problem == ITEM_FAILED && has_kept_way(k))
			sim_fail("item %u ended at step %u, which passes failures on", item, k);
		if (c->problem == ITEM_KEPT && !has_kept_way(k))
			sim_fail("item %u was kept by step %u, which keeps none", item, k);
	}
}

/* It would have ended the run. */
static void check_stop(unsigned item, unsigned k)
{
	int32_t problem = cells[sim.items[item].seq][k].problem;
	if (problem && problem != ITEM_KEPT)
		sim_fail("item %u failed at step %u, which stops the run, and it was not", item, k);
}

static void check_item(unsigned item, struct counts *n)
{
	const struct told *t = &sim.told[item];
	struct fate f = fate_of(item);
	bool is_bad = f.is_failed || f.is_unknown;
	unsigned outputs = is_bad || f.is_dropped || f.is_undone ? 0 : f.outputs;
	n->unknown += f.is_unknown;
	n->failed += f.is_failed && !f.is_unknown;
	n->out += !is_bad && !f.is_dropped && !f.is_undone;
	if (f.is_undone && !has_stopped)
		sim_fail("item %u is neither out nor has it ended", item);
	for (unsigned k = 0; k < sim.n_steps && !has_stopped; k++)
		if (is_reached[sim.items[item].seq][k] && sim.steps[k].on_error == ON_ERROR_STOP && is_bad)
			check_stop(item, k);
	if (has_stopped && !f.is_unknown && !t->outputs && !t->problems)
		return;
	if (t->outputs != outputs || t->problems != is_bad)
		sim_fail("item %u came out %u times of %u and failed %u times of %d", item, t->outputs, outputs,
			 t->problems, is_bad);
	if (is_bad && (t->state == ITEM_UNKNOWN) != f.is_unknown)
		sim_fail("item %u: told state %d, on disk %s", item, t->state, f.is_unknown ? "unknown" : "failed");
}

static void check_row(const struct run_row *row, const struct counts *n)
{
	enum run_state right = n->unknown    ? RUN_NEEDS_ATTENTION
			       : has_stopped ? RUN_FAILED
			       : !n->failed  ? RUN_DONE
			       : n->out	     ? RUN_PARTLY_DONE
					     : RUN_FAILED;
	bool is_same = has_stopped ? row->items_out <= n->out && row->failed <= n->failed
				   : row->items_out == n->out && row->failed == n->failed;
	if (row->items_in != run->next_seq || !is_same || row->unknown != n->unknown)
		sim_fail("the row of run %" PRId64 " says in %" PRIu64 " out %" PRIu64 " failed %" PRIu64
			 " unknown %" PRIu64 "; on disk in %" PRIu64 " out %u failed %u unknown %u",
			 row->id, row->items_in, row->items_out, row->failed, row->unknown, run->next_seq, n->out,
			 n->failed, n->unknown);
	if (row->state != right)
		sim_fail("run %" PRId64 " is \"%s\", and should be \"%s\"", row->id, run_state_name(row->state),
			 run_state_name(right));
	if (!row->ended_at)
		sim_fail("run %" PRId64 " has ended, and its row does not say when", row->id);
}

void sim_check(struct sim_run *r, const struct run_row *row, const struct store_result *ledger)
{
	struct counts n = { 0 };
	run = r;
	sim_books_compare(r, ledger);
	read_cells(ledger);
	has_stopped = row->problem.len && str_starts(row->problem, STR(RUN_STOPPED_TEXT));
	for (uint64_t seq = 0; seq < r->next_seq; seq++) {
		check_item(r->item_of_seq[seq], &n);
		check_rows(r->item_of_seq[seq]);
	}
	if (!has_stopped)
		for (unsigned i = 0; i < r->n; i++)
			if (!sim.items[r->first + i].is_recorded)
				sim_fail("item %u of the source never came", r->first + i);
	if (r->is_out_of_order && !sim.has_any_order)
		sim_fail("outputs of run %" PRId64 " out of order", r->id);
	check_row(row, &n);
	r->state = row->state;
}
