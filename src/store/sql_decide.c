/* SPDX-License-Identifier: Apache-2.0 */
/* A person decides what happened: rows that say so, in place of the problems that asked. */
#include "store/sql_int.h"

#include <stdio.h>

#define NAMED_MAX 10 /* items that a refusal names in words; its rows name all */
#define STEPS_MAX 64 /* steps at which one item may be unknown: its branches */

int sql_run_reopen(struct sql *q, int64_t run, size_t unknown, size_t failed)
{
	struct statement *st = q->st[ST_RUN_REOPEN];

	bind_int(st, 1, run);
	bind_int(st, 2, (int64_t)unknown);
	bind_int(st, 3, (int64_t)failed);
	bind_text(st, 4, STR(RUN_STOPPED_TEXT));
	return sql_do(q, ST_RUN_REOPEN);
}

/* Where items ended unknown, in the operation's arena. */
struct places {
	struct ledger_row *rows;
	size_t n, cap;
};

static struct ledger_row *places_add(struct places *p, struct arena *a)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;
		struct ledger_row *rows = arena_grow(a, p->rows, p->cap * sizeof(*rows), cap * sizeof(*rows));
		if (!rows)
			return NULL;
		p->rows = rows;
		p->cap = cap;
	}
	p->rows[p->n] = (struct ledger_row){ 0 };
	return &p->rows[p->n++];
}

static int too_large(struct op *op)
{
	op_refuse(op, STORE_TOO_LARGE, "more than one decision may hold; name fewer items");
	return 0;
}

/* The places of items from..to, as SQLite orders them, added to `p`. */
static int places_find(struct sql *q, struct op *op, int64_t from, int64_t to, int64_t limit, struct places *p)
{
	struct statement *st = q->st[ST_UNKNOWN_LIST];
	int more;

	bind_int(st, 1, op->decision.run);
	bind_int(st, 2, from);
	bind_int(st, 3, to);
	bind_int(st, 4, LEDGER_CODE_UNKNOWN);
	bind_int(st, 5, limit);
	while ((more = sql_next(q, ST_UNKNOWN_LIST)) == 1) {
		struct ledger_row *row = places_add(p, &op->arena);
		if (!row) {
			sql_reset(st);
			return too_large(op);
		}
		row->key = (struct ledger_key){ .run = op->decision.run,
						.seq = (uint64_t)column_int(st, 0),
						.step = (uint32_t)column_int(st, 1),
						.attempt = (uint32_t)column_int(st, 2) };
	}
	return more < 0 ? -1 : 0;
}

/* All, but whole items: of one that the limit cuts, the next decision takes care. */
static int places_all(struct sql *q, struct op *op, struct places *p)
{
	if (places_find(q, op, INT64_MIN, INT64_MAX, STORE_DECIDE_MAX, p))
		return -1;
	if (p->n < STORE_DECIDE_MAX)
		return 0;
	uint64_t last = p->rows[p->n - 1].key.seq, first = p->rows[0].key.seq;
	while (last != first && p->rows[p->n - 1].key.seq == last)
		p->n--;
	return 0;
}

static int places_named(struct sql *q, struct op *op, struct places *p, struct places *others)
{
	const struct decision_row *d = &op->decision;

	for (size_t i = 0; i < d->n_items && op->result.error == STORE_OK; i++) {
		size_t before = p->n;
		uint64_t seq = d->items[i];
		if (i && seq == d->items[i - 1]) /* they are in order */
			continue;
		if (places_find(q, op, (int64_t)seq, (int64_t)seq, STEPS_MAX, p))
			return -1;
		struct ledger_row *other = p->n == before ? places_add(others, &op->arena) : NULL;
		if (p->n == before && !other)
			return too_large(op);
		if (other)
			other->key = (struct ledger_key){ .run = d->run, .seq = seq };
	}
	return 0;
}

/* Nothing is written; the rows name all of them, the sentence the first. */
static void refuse_others(struct op *op, const struct places *others)
{
	char *text = arena_alloc(&op->arena, NAMED_MAX * 24 + 80);
	int len = 0;

	op->result.rows = others->rows;
	op->result.n = others->n;
	op_refuse(op, STORE_CONFLICT, "some of the items have no unknown outcome");
	if (!text)
		return;
	len = sprintf(text,
		      others->n == 1 ? "this item has no unknown outcome:" : "these items have no unknown outcome:");
	for (size_t i = 0; i < others->n && i < NAMED_MAX; i++)
		len += sprintf(text + len, "%s %llu", i ? "," : "", (unsigned long long)others->rows[i].key.seq);
	if (others->n > NAMED_MAX)
		(void)sprintf(text + len, " and %zu more", others->n - NAMED_MAX);
	op->result.detail = text;
}

static int decide_one(struct sql *q, const struct decision_row *d, const struct ledger_key *key)
{
	struct statement *put = q->st[ST_LEDGER_INSERT], *drop = q->st[ST_UNKNOWN_DROP];

	sql_bind_ledger_key(put, key, LEDGER_DECISION);
	bind_int(put, 6, d->at);
	bind_int(put, 7, d->decision);
	bind_int(put, 8, 0);
	bind_text(put, 9, d->head);
	bind_blob(put, 10, d->body);
	bind_packed(put, 11, STR_NULL); /* few, and asked for by people with sqlite3 */
	if (sql_do(q, ST_LEDGER_INSERT))
		return -1;
	bind_int(drop, 1, key->run);
	bind_int(drop, 2, (int64_t)key->seq);
	bind_int(drop, 3, key->step);
	return sql_do(q, ST_UNKNOWN_DROP);
}

static int run_exists(struct sql *q, struct op *op)
{
	bind_int(q->st[ST_RUN_GET], 1, op->decision.run);
	int more = sql_next(q, ST_RUN_GET);
	if (more == 1)
		sql_reset(q->st[ST_RUN_GET]);
	if (more == 0)
		op_refuse(op, STORE_NOT_FOUND, "there is no such run");
	return more < 0 ? -1 : 0;
}

int sql_decide(struct sql *q, struct op *op)
{
	const struct decision_row *d = &op->decision;
	struct places found = { 0 }, others = { 0 };
	size_t items = 0;

	if (run_exists(q, op))
		return -1;
	if (op->result.error)
		return 0;
	if (d->items ? places_named(q, op, &found, &others) : places_all(q, op, &found))
		return -1;
	if (others.n && op->result.error == STORE_OK)
		refuse_others(op, &others);
	if (op->result.error)
		return 0;
	for (size_t i = 0; i < found.n; i++) {
		struct ledger_row *row = &found.rows[i];
		if (decide_one(q, d, &row->key))
			return -1;
		row->kind = LEDGER_DECISION;
		row->at = d->at;
		row->code = d->decision;
		items += i == 0 || row[-1].key.seq != row->key.seq;
	}
	if (found.n && sql_run_reopen(q, d->run, items, 0))
		return -1;
	op->result.id = d->run;
	op->result.rows = found.rows;
	op->result.n = found.n;
	bind_int(q->st[ST_PROBLEM_COUNT], 1, d->run);
	bind_int(q->st[ST_PROBLEM_COUNT], 2, LEDGER_CODE_UNKNOWN);
	return sql_number(q, ST_PROBLEM_COUNT, &op->result.total);
}

/* ---- done again ---- */

static void bind_redo(struct statement *st, const struct redo_row *r, const uint64_t *seq, uint32_t step)
{
	bind_int(st, 1, r->run);
	bind_int(st, 2, seq ? (int64_t)*seq : INT64_MIN);
	bind_int(st, 3, seq ? (int64_t)*seq : INT64_MAX);
	bind_int(st, 4, step);
}

static bool is_fixed(const struct redo_row *r, uint32_t step)
{
	for (size_t i = 0; i < r->n_fixed; i++)
		if (r->fixed[i] == step)
			return true;
	return false;
}

/* Refused where doing it again would make items or write entries twice. */
static int redo_check(struct sql *q, struct op *op, const uint64_t *seq)
{
	const struct redo_row *r = &op->redo;
	for (size_t i = 0; i < r->n_steps && op->result.error == STORE_OK; i++) {
		struct statement *st = q->st[ST_REDO_STUCK];
		bind_redo(st, r, seq, r->steps[i]);
		bind_int(st, 5, is_fixed(r, r->steps[i]));
		int more = sql_next(q, ST_REDO_STUCK);
		if (more < 0)
			return -1;
		if (more == 0)
			continue;
		bool has_made = (int)column_int(st, 0) == LEDGER_MADE;
		sql_reset(st);
		op->result.id = r->steps[i];
		op_refuse(op, STORE_CONFLICT,
			  has_made ? "has made items, which would be made twice; start a new run"
				   : "has written entries, which would be written twice; begin at that step, or let "
				     "its mode be upsert");
	}
	return 0;
}

static int redo_drop(struct sql *q, struct op *op, const uint64_t *seq)
{
	static const enum sql_statement drops[] = { ST_REDO_ROWS, ST_REDO_PROBLEMS };
	const struct redo_row *r = &op->redo;
	for (size_t i = 0; i < r->n_steps; i++)
		for (size_t k = 0; k < sizeof(drops) / sizeof(*drops); k++) {
			bind_redo(q->st[drops[k]], r, seq, r->steps[i]);
			bind_int(q->st[drops[k]], 5, LEDGER_CODE_UNKNOWN);
			if (q->driver->run(q->st[drops[k]], &op->result.total, NULL))
				return -1;
		}
	return 0;
}

int sql_ledger_redo(struct sql *q, struct op *op)
{
	const struct redo_row *r = &op->redo;
	size_t n = r->items ? r->n_items : 1;

	for (size_t i = 0; i < n && op->result.error == STORE_OK; i++)
		if (redo_check(q, op, r->items ? &r->items[i] : NULL))
			return -1;
	for (size_t i = 0; i < n && op->result.error == STORE_OK; i++)
		if (redo_drop(q, op, r->items ? &r->items[i] : NULL))
			return -1;
	if (sql_settle(q))
		return -1;
	return op->result.total ? sql_run_reopen(q, r->run, 0, 0) : 0;
}
