/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold when the world is calm and the run has ended: the ledger, the run's row, what was told, and what the
 * API saw agree. */
#include "sim.h"

/* One item's rows, counted. */
struct books {
	unsigned intents[SIM_STEPS_MAX], outcomes[SIM_STEPS_MAX], open[SIM_STEPS_MAX];
	unsigned problems, entries;
	bool is_unknown; /* in one branch at least */
};

static struct books books[SIM_ITEMS_MAX];

static void read_books(const struct store_result *ledger)
{
	struct {
		uint32_t attempt;
		bool has_intent;
	} last[SIM_ITEMS_MAX][SIM_STEPS_MAX] = { 0 };
	memset(books, 0, sizeof(books));
	for (size_t i = 0; i < ledger->n; i++) {
		const struct ledger_row *row = &ledger->rows[i];
		struct books *b = &books[row->key.seq];
		unsigned k = row->key.step - 1; /* the flow's first step is its input */
		if (row->key.seq >= sim.n_items)
			sim_fail("a row of item %" PRIu64 ", there are %u", row->key.seq, sim.n_items);
		if (row->kind == LEDGER_PROBLEM) {
			b->problems++;
			b->is_unknown |= row->code == ITEM_UNKNOWN;
		} else if (row->kind == LEDGER_ENTRY) {
			b->entries++;
		} else if (row->kind == LEDGER_INTENT) {
			b->intents[k]++;
			b->open[k]++;
			last[row->key.seq][k].attempt = row->key.attempt;
		} else if (row->kind == LEDGER_OUTCOME) {
			b->outcomes[k]++;
			if (last[row->key.seq][k].attempt != row->key.attempt)
				sim_fail("item %" PRIu64 " step %u attempt %u has an outcome without intent",
					 row->key.seq, k, row->key.attempt);
			b->open[k]--;
		}
	}
}

static void check_item(unsigned i, const struct told *told)
{
	const struct books *b = &books[i];
	bool is_doubtful = false;
	if (b->problems > sim.n_leaves)
		sim_fail("item %u ended badly %u times", i, b->problems);
	if (told->outputs[i] != (b->problems ? 0 : sim.n_leaves) || told->problems[i] != (b->problems > 0))
		sim_fail("item %u came out %u times of %u and failed %u times, with %u problems on disk", i,
			 told->outputs[i], sim.n_leaves, told->problems[i], b->problems);
	if (b->problems && (told->states[i] == ITEM_UNKNOWN) != b->is_unknown)
		sim_fail("item %u: told state %d, on disk %s", i, told->states[i],
			 b->is_unknown ? "unknown" : "failed");
	for (unsigned k = 0; k < sim.n_calls; k++) {
		const struct seen *s = &sim.seen[k][i];
		bool is_plain = sim.calls[k] == METHOD_POST_PLAIN;
		if (s->sends > b->intents[k])
			sim_fail("item %u step %u was sent %u times, with %u intents", i, k, s->sends, b->intents[k]);
		if (is_plain && b->open[k] > 1)
			sim_fail("item %u step %u has %u intents without outcome", i, k, b->open[k]);
		is_doubtful |= is_plain && (b->open[k] || s->is_ambiguous);
		if (!told->outputs[i])
			continue;
		if (!s->effects)
			sim_fail("item %u is done, and the API has never acted at step %u", i, k);
		if (is_plain && s->effects != 1)
			sim_fail("item %u is done, and the API acted %u times at step %u", i, s->effects, k);
		if ((is_plain || sim.calls[k] == METHOD_POST_KEYED) && told->effect_ids[k][i] != s->effect_id)
			sim_fail("item %u step %u: recorded %" PRIu64 ", the API made %" PRIu64, i, k,
				 told->effect_ids[k][i], s->effect_id);
	}
	if (is_doubtful != b->is_unknown)
		sim_fail("item %u %s have an unknown outcome, and %s", i, is_doubtful ? "must" : "cannot",
			 b->is_unknown ? "has" : "has not");
	if (told->outputs[i] && sim.saves_entry && b->entries != 1)
		sim_fail("item %u is done with %u entries", i, b->entries);
}

void sim_check(const struct told *told, const struct run_row *row, const struct store_result *ledger,
	       uint64_t n_entries)
{
	unsigned failed = 0, unknown = 0;
	uint64_t entries = 0;
	read_books(ledger);
	for (unsigned i = 0; i < sim.n_items; i++) {
		check_item(i, told);
		entries += books[i].entries;
		if (books[i].is_unknown)
			unknown++;
		else if (books[i].problems)
			failed++;
	}
	if (told->is_out_of_order && !sim.is_any_order)
		sim_fail("outputs out of order");
	if (row->items_in != sim.n_items || row->items_out != told->n_outputs || row->failed != failed ||
	    row->unknown != unknown)
		sim_fail("the row says in %" PRIu64 " out %" PRIu64 " failed %" PRIu64 " unknown %" PRIu64
			 "; told %u of %u, on disk failed %u unknown %u",
			 row->items_in, row->items_out, row->failed, row->unknown, told->n_outputs, sim.n_items, failed,
			 unknown);
	enum run_state right = unknown		       ? RUN_NEEDS_ATTENTION
			       : failed == sim.n_items ? RUN_FAILED
			       : failed		       ? RUN_PARTLY_DONE
						       : RUN_DONE;
	if (row->state != right)
		sim_fail("the run is \"%s\", and should be \"%s\"", run_state_name(row->state), run_state_name(right));
	if (n_entries != entries)
		sim_fail("%" PRIu64 " entries, %" PRIu64 " lines of them", n_entries, entries);
	sim_check_effects();
}
