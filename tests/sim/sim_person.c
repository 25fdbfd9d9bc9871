/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody does between the lives of a run: decides about unknown outcomes, has failed items or all from a step on
 * done again. Honest: says that a call happened only if it did, and that it did not only when nothing of it is on its
 * way any more.
 */
#include "sim.h"

#define ACTS_MAX 4 /* of one run */

struct place {
	uint64_t seq;
	unsigned step, item;
};

/* Where items are unknown, as they stand in the ledger. */
static size_t find_unknown(const struct sim_run *r, struct place *ret)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n_rows; i++) {
		const struct sim_row *row = &r->rows[i];
		if (row->kind == LEDGER_PROBLEM && row->code == ITEM_UNKNOWN)
			ret[n++] = (struct place){ row->seq, row->step - 1, r->item_of_seq[row->seq] };
	}
	return n;
}

static bool has_happened(const struct place *p)
{
	const struct seen *s = &sim.seen[p->step][p->item];
	return s->effects > s->effects_before;
}

static bool is_under_way(const struct place *p)
{
	return sim.seen[p->step][p->item].on_wire > 0;
}

static bool is_alone(const struct place *all, size_t n, const struct place *p)
{
	size_t same = 0;
	for (size_t i = 0; i < n; i++)
		same += all[i].seq == p->seq;
	return same == 1;
}

/* What an API would have said. */
static void write_answer(struct buf *b, const struct place *p)
{
	(void)buf_printf(b, "{\"id\":%" PRIu64, sim.seen[p->step][p->item].effect_id);
	if (sim.steps[p->step].kind == SIM_LIST)
		sim_list_write(b, p->step, p->item);
	(void)buf_append_char(b, '}');
}

static bool decide(const struct sim_run *r, struct store *s, store_done *done, void *arg)
{
	struct place places[SIM_STEPS_MAX * SIM_ITEMS_MAX];
	size_t n = find_unknown(r, places);
	auto_buf struct buf body = { .max = 1 << 20 };
	struct err e = ERR_INIT;
	if (!n)
		return false;
	const struct place *p = &places[sim_dice(n - 1)];
	struct decision_row d = { .run = r->id,
				  .decision = DECISION_SKIP,
				  .at = clock_wall(),
				  .head = STR("{\"by\":\"sim\"}"),
				  .items = &p->seq,
				  .n_items = 1 };
	bool is_clear = is_alone(places, n, p) && !is_under_way(p);
	if (is_clear && has_happened(p)) {
		d.decision = DECISION_DONE;
		write_answer(&body, p);
		d.body = buf_str(&body);
	} else if (is_clear) {
		d.decision = DECISION_AGAIN;
	} else if (sim_dice(3) == 0) {
		d.items = NULL; /* all that there are: left out */
		d.n_items = 0;
	}
	return store_decide(s, &d, done, arg, &e) == 0;
}

static bool is_behind(unsigned step, unsigned from)
{
	for (; step != SIM_NONE; step = sim.steps[step].from)
		if (step == from)
			return true;
	return false;
}

/* weir run --resume ID --from STEP */
static bool redo(const struct sim_run *r, struct store *s, store_done *done, void *arg)
{
	uint32_t steps[SIM_STEPS_MAX];
	uint64_t items[SIM_ITEMS_MAX];
	struct redo_row row = { .run = r->id, .steps = steps };
	unsigned from = (unsigned)sim_dice(sim.n_steps - 1);
	struct err e = ERR_INIT;
	for (unsigned k = from; k < sim.n_steps; k++)
		if (is_behind(k, from))
			steps[row.n_steps++] = k + 1;
	if (sim_dice(1)) {
		row.items = items;
		for (uint64_t seq = 0; seq < r->next_seq; seq++)
			if (sim_dice(2) == 0)
				items[row.n_items++] = seq;
	}
	if (row.items && !row.n_items)
		return false;
	sim_tell("person: run %" PRId64 " again from step %u, %zu items", r->id, from, row.n_items);
	return store_ledger_redo(s, &row, done, arg, &e) == 0;
}

bool sim_person_acts(struct sim_run *r, struct store *s, const struct run_row *row, store_done *done, void *arg)
{
	struct err e = ERR_INIT;
	bool is_interrupted = row->state == RUN_RUNNING, acts = false;
	if (r->acts == ACTS_MAX || sim_dice(is_interrupted ? 15 : 1))
		return false;
	switch (sim_dice(3)) {
	case 0:
		acts = redo(r, s, done, arg);
		break;
	case 1:
		sim_tell("person: failed items of run %" PRId64 " again", r->id);
		acts = store_ledger_drop_problems(s, r->id, done, arg, &e) == 0;
		break;
	default:
		acts = decide(r, s, done, arg);
		break;
	}
	r->acts += acts;
	return acts;
}
