/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing runs, their input and the ledger. Items are numbered without sign and SQLite with one: from 2^63 on a number
 * is stored as a negative one, and sql_read.c reads such a range in two parts. Smaller numbers stay small on disk
 * that way.
 */
#include "base/clock.h"
#include "store/sql_int.h"

#define PROBLEMS_AT_A_TIME 256

/* A row that is there stays as it is. */
static int put_once(struct sql *q, enum sql_statement st, struct op *op)
{
	return q->driver->run(q->st[st], NULL, &op->result.was_recorded);
}

int sql_run_create(struct sql *q, struct op *op)
{
	struct statement *st = q->st[ST_RUN_INSERT];
	const struct run_row *r = &op->run;

	bind_text(st, 1, r->component);
	bind_text(st, 2, r->dataflow);
	bind_text(st, 3, r->version);
	bind_text(st, 4, r->env);
	bind_text(st, 5, r->trigger);
	bind_int(st, 6, r->state);
	bind_int(st, 7, r->started_at);
	bind_int(st, 8, r->ended_at);
	bind_int(st, 9, r->now);
	bind_int(st, 10, (int64_t)r->seed);
	bind_int(st, 11, r->input_is_complete);
	bind_int(st, 12, (int64_t)r->items_in);
	bind_int(st, 13, (int64_t)r->items_out);
	bind_int(st, 14, (int64_t)r->failed);
	bind_int(st, 15, (int64_t)r->unknown);
	bind_text(st, 16, r->steps);
	bind_text(st, 17, r->problem);
	return sql_one(q, ST_RUN_INSERT, &op->result.id) < 0 ? -1 : 0;
}

int sql_run_update(struct sql *q, struct op *op)
{
	struct statement *st = q->st[ST_RUN_UPDATE];
	const struct run_row *r = &op->run;

	bind_int(st, 1, r->state);
	bind_int(st, 2, r->ended_at);
	bind_int(st, 3, r->input_is_complete);
	bind_int(st, 4, (int64_t)r->items_in);
	bind_int(st, 5, (int64_t)r->items_out);
	bind_int(st, 6, (int64_t)r->failed);
	bind_int(st, 7, (int64_t)r->unknown);
	bind_text(st, 8, r->steps);
	bind_text(st, 9, r->problem);
	bind_int(st, 10, r->id);
	uint64_t changed = 0;
	if (q->driver->run(st, &changed, NULL) || sql_settle(q))
		return -1;
	op->result.id = r->id;
	if (!changed)
		op_refuse(op, STORE_NOT_FOUND, "there is no such run");
	return 0;
}

static int put_made(struct sql *q, const struct input_row *in)
{
	struct statement *st = q->st[ST_MADE_PUT];

	bind_int(st, 1, in->run);
	bind_int(st, 2, (int64_t)in->parent);
	bind_int(st, 3, in->made_by - 1);
	bind_int(st, 4, clock_wall());
	bind_int(st, 5, (int64_t)in->made);
	bind_text(st, 6, in->made_state);
	bind_blob(st, 7, STR_NULL);
	return sql_do(q, ST_MADE_PUT);
}

int sql_input_put(struct sql *q, struct op *op)
{
	struct statement *st = q->st[ST_INPUT_INSERT];
	struct ledger_key key = { .run = op->input.run, .step = op->input.made_by };
	struct str packed;

	if (codec_pack(q, &key, CODEC_INPUT, STR_NULL, op->input.lines, &packed))
		return -1;
	bind_int(st, 1, op->input.run);
	bind_int(st, 2, (int64_t)op->input.first_seq);
	bind_int(st, 3, op->input.count);
	bind_blob(st, 4, packed.ptr ? STR_NULL : op->input.lines);
	bind_int(st, 5, op->input.made_by);
	bind_int(st, 6, (int64_t)op->input.parent);
	bind_packed(st, 7, packed);
	if (put_once(q, ST_INPUT_INSERT, op))
		return -1;
	return op->input.made_by ? put_made(q, &op->input) : 0;
}

void sql_bind_ledger_key(struct statement *st, const struct ledger_key *key, enum ledger_kind kind)
{
	bind_int(st, 1, key->run);
	bind_int(st, 2, (int64_t)key->seq);
	bind_int(st, 3, key->step);
	bind_int(st, 4, key->attempt);
	bind_int(st, 5, kind);
}

int sql_ledger_put(struct sql *q, struct op *op)
{
	struct statement *st = q->st[ST_LEDGER_INSERT];
	const struct ledger_row *r = &op->ledger;
	struct str packed;

	if (ahead_take(q, op, &packed))
		return -1;
	sql_bind_ledger_key(st, &r->key, r->kind);
	bind_int(st, 6, r->at);
	bind_int(st, 7, r->code);
	bind_int(st, 8, r->number);
	bind_text(st, 9, packed.ptr ? STR_NULL : r->head);
	bind_blob(st, 10, packed.ptr ? STR_NULL : r->body);
	bind_packed(st, 11, packed);
	return put_once(q, ST_LEDGER_INSERT, op);
}

struct place {
	int64_t seq, step;
};

/* The outcomes, with their intents, of the next failed items behind *last, which moves: how many items, or -1. */
static int64_t drop_answered(struct sql *q, int64_t run, struct place *last)
{
	struct statement *scan = q->st[ST_PROBLEM_SCAN], *drop = q->st[ST_ANSWERED_DROP];
	struct place found[PROBLEMS_AT_A_TIME];
	int64_t n = 0;
	int more;

	bind_int(scan, 1, run);
	bind_int(scan, 2, LEDGER_CODE_FAILED);
	bind_int(scan, 3, last->seq);
	bind_int(scan, 4, last->step);
	bind_int(scan, 5, PROBLEMS_AT_A_TIME);
	while ((more = sql_next(q, ST_PROBLEM_SCAN)) == 1)
		found[n++] = (struct place){ column_int(scan, 0), column_int(scan, 1) };
	for (int64_t i = 0; more == 0 && i < n; i++) {
		bind_int(drop, 1, run);
		bind_int(drop, 2, found[i].seq);
		bind_int(drop, 3, found[i].step);
		more = sql_do(q, ST_ANSWERED_DROP);
		*last = found[i];
	}
	return more < 0 ? -1 : n;
}

/*
 * So that failed items may be done again: their problems go, and at the step where they ended each intent that has its
 * outcome, with it. An intent without outcome stays: whether that call happened is still unknown, and forgetting it
 * could send it twice. So does an item whose outcome is unknown, answered or not.
 */
int sql_drop_problems(struct sql *q, struct op *op)
{
	struct statement *problems = q->st[ST_PROBLEM_DROP];
	struct place last = { INT64_MIN, -1 };
	int64_t n;

	do {
		n = drop_answered(q, op->query.id, &last);
		if (n < 0)
			return -1;
		op->result.total += (uint64_t)n;
	} while (n == PROBLEMS_AT_A_TIME);
	if (!op->result.total)
		return 0;
	bind_int(problems, 1, op->query.id);
	bind_int(problems, 2, LEDGER_CODE_FAILED);
	return sql_do(q, ST_PROBLEM_DROP) || sql_run_reopen(q, op->query.id, 0, (size_t)op->result.total) ? -1 : 0;
}
