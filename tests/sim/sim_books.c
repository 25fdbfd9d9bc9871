/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger as it should be: each operation that was committed, done again to a table, by what store/store.h promises.
 * In the end both are compared. On the way it tells which item of the world stands under which number.
 */
#include "sim.h"

struct sim_run *sim_run_of(int64_t id)
{
	for (unsigned i = 0; i < sim.n_runs; i++)
		if (sim.runs[i].id == id)
			return &sim.runs[i];
	return NULL;
}

static struct sim_run *run_of(int64_t id)
{
	struct sim_run *r = sim_run_of(id);
	if (!r || r->is_pruned)
		sim_fail("a write for run %" PRId64 ", which is %s", id, r ? "pruned" : "nobody's");
	return r;
}

unsigned sim_item_of(struct sim_run *r, uint64_t seq)
{
	if (seq >= r->next_seq)
		sim_fail("a row of item %" PRIu64 " of run %" PRId64 ", which has %" PRIu64, seq, r->id, r->next_seq);
	return r->item_of_seq[seq];
}

/* ---- rows ---- */

static struct sim_row *find(struct sim_run *r, uint64_t seq, uint32_t step, enum ledger_kind kind, uint32_t attempt)
{
	for (size_t i = 0; i < r->n_rows; i++) {
		struct sim_row *row = &r->rows[i];
		if (row->seq == seq && row->step == step && row->kind == kind && row->attempt == attempt)
			return row;
	}
	return NULL;
}

static void drop(struct sim_run *r, struct sim_row *row)
{
	*row = r->rows[--r->n_rows];
}

static void add(struct sim_run *r, const struct ledger_key *key, enum ledger_kind kind, int32_t code, int64_t number)
{
	struct sim_row *row = find(r, key->seq, key->step, kind, key->attempt);
	if (row && kind != LEDGER_MADE)
		sim_fail("a second row of kind %d: seq %" PRIu64 " step %u attempt %u", kind, key->seq, key->step,
			 key->attempt);
	if (!row && r->n_rows == r->cap_rows) {
		r->cap_rows = r->cap_rows ? 2 * r->cap_rows : 512;
		r->rows = realloc(r->rows, r->cap_rows * sizeof(*r->rows));
		if (!r->rows)
			abort();
	}
	if (!row)
		row = &r->rows[r->n_rows++];
	*row = (struct sim_row){ key->seq, key->step, key->attempt, kind, code, number };
}

/* An intent and its outcome are dropped together: what they were may be done again. */
static void drop_answered(struct sim_run *r, uint64_t seq, uint32_t step)
{
	for (size_t i = 0; i < r->n_rows;) {
		struct sim_row row = r->rows[i];
		if (row.seq != seq || row.step != step || row.kind != LEDGER_OUTCOME) {
			i++;
			continue;
		}
		struct saved *s = &sim.saved[step - 1][sim_item_of(r, seq)];
		struct seen *seen = &sim.seen[step - 1][sim_item_of(r, seq)];
		s->drops++;
		seen->effects_before = seen->effects;
		seen->is_ambiguous = false;
		drop(r, &r->rows[i]);
		struct sim_row *intent = find(r, seq, step, LEDGER_INTENT, row.attempt);
		if (intent)
			drop(r, intent);
		i = 0;
	}
}

static bool is_unknown(struct sim_run *r, uint64_t seq, uint32_t step)
{
	const struct sim_row *row = find(r, seq, step, LEDGER_PROBLEM, 1);
	return row && row->code == ITEM_UNKNOWN;
}

/* ---- what was committed ---- */

static void note_input(const struct input_row *in)
{
	struct sim_run *r = run_of(in->run);
	const char *at = in->lines.ptr, *end = at + in->lines.len;
	if (in->first_seq != r->next_seq)
		sim_fail("input from %" PRIu64 " on, where %" PRIu64 " is next", in->first_seq, r->next_seq);
	for (uint32_t i = 0; i < in->count; i++) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		ptrdiff_t n_at = nl ? str_find(str_from(at, (size_t)(nl - at)), STR("\"n\":")) : -1;
		unsigned long item = n_at < 0 ? SIM_NONE : strtoul(at + n_at + 4, NULL, 10);
		if (item >= sim.n_items || r->next_seq == SIM_ITEMS_MAX)
			sim_fail("a line that is no item of the world");
		struct sim_item *it = &sim.items[item];
		if (it->is_recorded)
			sim_fail("item %lu stands in the ledger twice", item);
		if (&sim.runs[it->run] != r || (it->made_by == SIM_NONE) != (in->made_by == 0))
			sim_fail("item %lu is made by nobody, or stands in another run", item);
		if (in->made_by && (it->made_by != in->made_by - 2 || sim_item_of(r, in->parent) != it->parent))
			sim_fail("item %lu stands as made by step %u of item %" PRIu64, item, in->made_by, in->parent);
		it->is_recorded = true;
		it->seq = r->next_seq;
		r->item_of_seq[r->next_seq++] = (unsigned)item;
		at = nl + 1;
	}
	sim_tell("disk: run %" PRId64 " input %" PRIu64 " and %u on, made by %d of %" PRIu64 ": %" PRIu64, in->run,
		 in->first_seq, in->count, (int)in->made_by - 2, in->parent, in->made);
	if (in->made_by)
		add(r, &(struct ledger_key){ .seq = in->parent, .step = in->made_by - 1, .attempt = 1 }, LEDGER_MADE, 0,
		    (int64_t)in->made);
}

static bool has_stopped(const struct sim_run *r)
{
	for (size_t i = 0; i < r->n_rows; i++)
		if (r->rows[i].kind == LEDGER_PROBLEM && r->rows[i].code != ITEM_KEPT &&
		    sim.steps[r->rows[i].step - 1].on_error == ON_ERROR_STOP)
			return true;
	return false;
}

/* A call that found no server is tried again as often as its step says, over all lives, whoever ends them. */
static void check_attempts(struct sim_run *r, const struct ledger_key *key, unsigned item)
{
	unsigned k = key->step - 1, tries = 0;
	uint32_t decided = 0;
	if (!sim_is_call(k) || sim.maps_by_script)
		return; /* what fails in a script was not tried at all */
	if (sim.seen[k][item].was_whole)
		sim_fail("item %u failed at step %u, where all was well", item, k);
	if (!sim.seen[k][item].was_refused || has_stopped(r))
		return;
	if (sim.steps[k].method == METHOD_POST_KEYED && sim.clock_was_set)
		return; /* its key is too old, or of an age that is not believed */
	for (size_t i = 0; i < r->n_rows; i++)
		if (r->rows[i].seq == key->seq && r->rows[i].step == key->step && r->rows[i].kind == LEDGER_DECISION &&
		    r->rows[i].attempt > decided)
			decided = r->rows[i].attempt;
	for (size_t i = 0; i < r->n_rows; i++)
		tries += r->rows[i].seq == key->seq && r->rows[i].step == key->step &&
			 r->rows[i].kind == LEDGER_OUTCOME && r->rows[i].attempt > decided;
	if (tries < sim.steps[k].attempts)
		sim_fail("item %u failed at step %u after %u attempts of %u", item, k, tries, sim.steps[k].attempts);
}

static void note_row(const struct ledger_key *key, enum ledger_kind kind, int32_t code, int64_t number)
{
	struct sim_run *r = run_of(key->run);
	unsigned item = sim_item_of(r, key->seq);
	add(r, key, kind, code, number);
	sim_tell("disk: run %" PRId64 " kind %d item %u step %d attempt %u", key->run, kind, item, (int)key->step - 1,
		 key->attempt);
	if (!key->step || key->step > sim.n_steps)
		sim_fail("a row of no step");
	struct saved *s = &sim.saved[key->step - 1][item];
	if (kind == LEDGER_PROBLEM && code != ITEM_UNKNOWN)
		check_attempts(r, key, item);
	s->intents += kind == LEDGER_INTENT;
	s->outcomes += kind == LEDGER_OUTCOME;
	s->problems += kind == LEDGER_PROBLEM;
	s->entries += kind == LEDGER_ENTRY;
	s->open += kind == LEDGER_INTENT;
	s->open -= kind == LEDGER_OUTCOME;
}

static void note_decision(const struct op *op)
{
	struct sim_run *r = run_of(op->decision.run);
	for (size_t i = 0; i < op->result.n; i++) {
		const struct ledger_key *key = &op->result.rows[i].key;
		unsigned item = sim_item_of(r, key->seq), k = key->step - 1;
		struct sim_row *problem = find(r, key->seq, key->step, LEDGER_PROBLEM, 1);
		if (!problem || problem->code != ITEM_UNKNOWN)
			sim_fail("a decision about item %u, which is not unknown at step %u", item, k);
		drop(r, problem);
		add(r, key, LEDGER_DECISION, op->decision.decision, 0);
		sim.saved[k][item].decisions++;
		sim.seen[k][item].is_ambiguous = false;
		sim.seen[k][item].sends_decided = sim.seen[k][item].sends;
		sim_tell("person: item %u step %u: decision %d", item, k, op->decision.decision);
	}
}

static void note_retry(struct sim_run *r)
{
	r->is_redone = true;
	for (size_t i = 0; i < r->n_rows;) {
		struct sim_row row = r->rows[i++];
		if (row.kind != LEDGER_PROBLEM || row.code != ITEM_FAILED)
			continue;
		drop(r, &r->rows[i - 1]);
		drop_answered(r, row.seq, row.step);
		i = 0;
	}
}

static bool is_named(const struct redo_row *redo, uint64_t seq)
{
	bool is = !redo->items;
	for (size_t i = 0; i < redo->n_items && !is; i++)
		is = redo->items[i] == seq;
	return is;
}

static void note_redo(struct sim_run *r, const struct redo_row *redo)
{
	r->is_redone = true;
	for (uint64_t seq = 0; seq < r->next_seq; seq++)
		for (size_t k = 0; k < redo->n_steps && is_named(redo, seq); k++) {
			uint32_t step = redo->steps[k];
			struct sim_row *row;
			if (is_unknown(r, seq, step))
				continue;
			drop_answered(r, seq, step);
			if ((row = find(r, seq, step, LEDGER_ENTRY, 1)))
				drop(r, row);
			if ((row = find(r, seq, step, LEDGER_PROBLEM, 1)))
				drop(r, row);
		}
}

static void note_run(const struct op *op)
{
	unsigned i = (unsigned)(op->run.trigger.ptr[1] - '0');
	if (sim.runs[i].id)
		sim_fail("run %u is begun twice", i);
	sim.runs[i].id = op->result.id;
	sim_tell("disk: run %u is %" PRId64, i, op->result.id);
}

void sim_books_commit(const struct op *op)
{
	switch (op->kind) {
	case OP_RUN_CREATE:
		note_run(op);
		break;
	case OP_INPUT_PUT:
		note_input(&op->input);
		break;
	case OP_LEDGER_PUT:
		note_row(&op->ledger.key, op->ledger.kind, op->ledger.code, op->ledger.number);
		break;
	case OP_ENTRY_WRITE:
		note_row(&op->entry.key, LEDGER_ENTRY, op->result.change == 3 ? 0 : op->result.change, op->result.id);
		break;
	case OP_DECIDE:
		note_decision(op);
		break;
	case OP_DROP_PROBLEMS:
		note_retry(run_of(op->query.id));
		break;
	case OP_LEDGER_REDO:
		note_redo(run_of(op->redo.run), &op->redo);
		break;
	case OP_RUN_PRUNE:
		run_of(op->query.id)->is_pruned = true;
		sim.prunes++;
		break;
	default:
		break;
	}
}

/* ---- in the end ---- */

static int compare(const void *x, const void *y)
{
	const struct sim_row *a = x, *b = y;
	if (a->seq != b->seq)
		return a->seq < b->seq ? -1 : 1;
	if (a->step != b->step)
		return a->step < b->step ? -1 : 1;
	if (a->attempt != b->attempt)
		return a->attempt < b->attempt ? -1 : 1;
	return (int)a->kind - (int)b->kind;
}

void sim_books_compare(const struct sim_run *r, const struct store_result *ledger)
{
	if (r->n_rows)
		qsort(r->rows, r->n_rows, sizeof(*r->rows), compare);
	if (r->n_rows != ledger->n)
		sim_fail("the ledger of run %" PRId64 " has %zu rows, and should have %zu", r->id, ledger->n,
			 r->n_rows);
	for (size_t i = 0; i < r->n_rows; i++) {
		const struct ledger_row *is = &ledger->rows[i];
		const struct sim_row *be = &r->rows[i];
		if (is->key.seq != be->seq || is->key.step != be->step || is->key.attempt != be->attempt ||
		    is->kind != be->kind || (is->kind != LEDGER_ENTRY && is->code != be->code) ||
		    (is->kind == LEDGER_MADE && is->number != be->number))
			sim_fail("run %" PRId64 ": row %zu is kind %d seq %" PRIu64
				 " step %u attempt %u code %d number "
				 "%" PRId64 ", and should be kind %d seq %" PRIu64
				 " step %u attempt %u code %d number %" PRId64,
				 r->id, i, is->kind, is->key.seq, is->key.step, is->key.attempt, is->code, is->number,
				 be->kind, be->seq, be->step, be->attempt, be->code, be->number);
	}
}

void sim_books_free(void)
{
	for (unsigned i = 0; i < sim.n_runs; i++)
		free(sim.runs[i].rows);
}
