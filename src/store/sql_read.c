/* SPDX-License-Identifier: Apache-2.0 */
/* Reading: rows of the database become rows of the result, copied into the operation's arena. */
#include "store/sql_int.h"

/* A growing list in an arena. */
struct rows {
	void *items;
	size_t n, cap, size;
};

static void *rows_add(struct rows *r, struct arena *a)
{
	if (r->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 16;
		void *items = arena_grow(a, r->items, r->cap * r->size, cap * r->size);
		if (!items)
			return NULL;
		r->items = items;
		r->cap = cap;
	}
	return (char *)r->items + r->size * r->n++;
}

/* Column as a copy; the null string for NULL. */
static bool keep(struct statement *st, int i, struct arena *a, struct str *ret)
{
	struct str s = column_bytes(st, i);

	if (column_is_null(st, i)) {
		*ret = STR_NULL;
		return true;
	}
	if (s.len == 0) {
		*ret = STR("");
		return true;
	}
	*ret = arena_str(a, s);
	return ret->ptr != NULL;
}

/* ---- one row each ---- */

static bool read_run(struct statement *st, struct arena *a, struct run_row *r)
{
	if (!r)
		return false;
	*r = (struct run_row){
		.id = column_int(st, 0),
		.state = (enum run_state)(int)column_int(st, 6),
		.started_at = column_int(st, 7),
		.ended_at = column_int(st, 8),
		.now = column_int(st, 9),
		.seed = (uint64_t)column_int(st, 10),
		.input_is_complete = (int)column_int(st, 11) != 0,
		.items_in = (uint64_t)column_int(st, 12),
		.items_out = (uint64_t)column_int(st, 13),
		.failed = (uint64_t)column_int(st, 14),
		.unknown = (uint64_t)column_int(st, 15),
	};
	return keep(st, 1, a, &r->component) && keep(st, 2, a, &r->dataflow) && keep(st, 3, a, &r->version) &&
	       keep(st, 4, a, &r->env) && keep(st, 5, a, &r->trigger) && keep(st, 16, a, &r->steps) &&
	       keep(st, 17, a, &r->problem);
}

/* The bytes that stand packed in column `i`; false with q->unread. */
static bool keep_packed(struct sql *q, struct statement *st, int i, struct arena *a, struct str *ret_head,
			struct str *ret_body)
{
	q->unread = codec_unpack(q, column_bytes(st, i), a, ret_head, ret_body);
	return q->unread == CODEC_OK;
}

static bool read_ledger(struct sql *q, struct statement *st, struct arena *a, struct ledger_row *r)
{
	if (!r)
		return false;
	*r = (struct ledger_row){
		.key = {
			.run = column_int(st, 0),
			.seq = (uint64_t)column_int(st, 1),
			.step = (uint32_t)column_int(st, 2),
			.attempt = (uint32_t)column_int(st, 3),
		},
		.kind = (enum ledger_kind)(int)column_int(st, 4),
		.at = column_int(st, 5),
		.code = (int)column_int(st, 6),
		.number = column_int(st, 7),
	};
	if (!column_is_null(st, 10))
		return keep_packed(q, st, 10, a, &r->head, &r->body);
	return keep(st, 8, a, &r->head) && keep(st, 9, a, &r->body);
}

static bool read_input(struct sql *q, struct statement *st, struct arena *a, struct input_row *r)
{
	if (!r)
		return false;
	*r = (struct input_row){
		.run = column_int(st, 0),
		.first_seq = (uint64_t)column_int(st, 1),
		.count = (uint32_t)column_int(st, 2),
		.made_by = (uint32_t)column_int(st, 4),
		.parent = (uint64_t)column_int(st, 5),
	};
	struct str head;
	if (!column_is_null(st, 6))
		return keep_packed(q, st, 6, a, &head, &r->lines);
	return keep(st, 3, a, &r->lines);
}

bool sql_read_entry(struct statement *st, struct arena *a, struct entry_row *r)
{
	if (!r)
		return false;
	*r = (struct entry_row){
		.id = column_int(st, 0),
		.created_at = column_int(st, 4),
		.updated_at = column_int(st, 5),
		.run = column_int(st, 6),
		.seq = (uint64_t)column_int(st, 7),
		.step = (int32_t)column_int(st, 8),
	};
	return keep(st, 1, a, &r->component) && keep(st, 2, a, &r->key) && keep(st, 3, a, &r->data);
}

static bool read_component(struct statement *st, struct arena *a, struct component_row *r)
{
	if (!r)
		return false;
	*r = (struct component_row){ .imported_at = column_int(st, 2) };
	return keep(st, 0, a, &r->name) && keep(st, 1, a, &r->version) && keep(st, 3, a, &r->source);
}

/* ---- all rows of a statement ---- */

/* One per kind of row: adds the row that the statement stands on. */
typedef bool add_row(struct sql *q, struct statement *st, struct arena *a, struct rows *rows);

static bool add_run(struct sql *q, struct statement *st, struct arena *a, struct rows *rows)
{
	return read_run(st, a, rows_add(rows, a));
}

static bool add_ledger(struct sql *q, struct statement *st, struct arena *a, struct rows *rows)
{
	return read_ledger(q, st, a, rows_add(rows, a));
}

static bool add_entry(struct sql *q, struct statement *st, struct arena *a, struct rows *rows)
{
	return sql_read_entry(st, a, rows_add(rows, a));
}

static bool add_component(struct sql *q, struct statement *st, struct arena *a, struct rows *rows)
{
	return read_component(st, a, rows_add(rows, a));
}

/* The row that the statement stands on could not be read: 0 with the operation's refusal, or -1 with q->fault. */
static int refuse_row(struct sql *q, enum sql_statement st, struct op *op)
{
	enum codec_error why = q->unread;

	sql_reset(q->st[st]);
	q->unread = CODEC_OK;
	if (why == CODEC_FAULT)
		return -1;
	if (why == CODEC_DAMAGED)
		op_refuse(
		    op, STORE_DAMAGED,
		    "a record of this run is damaged and cannot be read; the rest of the database is not touched");
	else
		op_refuse(op, STORE_TOO_LARGE, "more than a read may gather; ask for fewer items");
	return 0;
}

/* 1 = all read, 0 = refused (too large, damaged), -1 = fault. */
static int gather(struct sql *q, enum sql_statement st, struct op *op, struct rows *rows, add_row *add)
{
	int more;

	while ((more = sql_next(q, st)) == 1) {
		if (!add(q, q->st[st], &op->arena, rows))
			return refuse_row(q, st, op);
	}
	return more < 0 ? -1 : 1;
}

static void need_one(struct op *op, const char *what)
{
	if (op->result.error == STORE_OK && op->result.n == 0)
		op_refuse(op, STORE_NOT_FOUND, what);
}

/* ---- runs ---- */

static int read_runs(struct sql *q, enum sql_statement st, struct op *op)
{
	struct rows rows = { .size = sizeof(struct run_row) };

	if (gather(q, st, op, &rows, add_run) < 0)
		return -1;
	op->result.runs = rows.items;
	op->result.n = rows.n;
	return 0;
}

int sql_run_get(struct sql *q, struct op *op)
{
	bind_int(q->st[ST_RUN_GET], 1, op->query.id);
	if (read_runs(q, ST_RUN_GET, op))
		return -1;
	op->result.id = op->query.id;
	need_one(op, "there is no such run");
	return 0;
}

int sql_run_list(struct sql *q, struct op *op)
{
	bool has_state = op->query.code != -1;
	enum sql_statement st = has_state ? ST_RUN_LIST_STATE : ST_RUN_LIST;
	enum sql_statement count = has_state ? ST_RUN_COUNT_STATE : ST_RUN_COUNT;

	bind_int(q->st[st], 1, op->query.before);
	bind_int(q->st[st], 2, (int64_t)op->query.limit);
	if (has_state) {
		bind_int(q->st[st], 3, op->query.code);
		bind_int(q->st[count], 1, op->query.code);
	}
	return read_runs(q, st, op) || sql_number(q, count, &op->result.total) ? -1 : 0;
}

/* ---- the ledger ---- */

struct seq_range {
	int64_t from, to;
};

/* The parts below and from 2^63 on, as SQLite orders them; how many there are. */
static int seq_ranges(uint64_t from, uint64_t to, struct seq_range ret[static 2])
{
	const uint64_t half = (uint64_t)INT64_MAX;
	int n = 0;

	if (from <= to && from <= half)
		ret[n++] = (struct seq_range){ (int64_t)from, (int64_t)(to < half ? to : half) };
	if (from <= to && to > half)
		ret[n++] = (struct seq_range){ from > half ? (int64_t)from : INT64_MIN, (int64_t)to };
	return n;
}

/*
 * The chunk that begins at or before `from`, and those that begin up to `to`, but for those seen (that begin at `*seen`
 * or before it, which moves). A page of them: how many rows there were, 0 with a refusal, or -1.
 */
static int64_t read_input_page(struct sql *q, struct op *op, struct seq_range range, int64_t *seen, struct rows *rows)
{
	struct statement *st = q->st[ST_INPUT_READ];
	int64_t n = 0;
	int more;

	bind_int(st, 1, op->query.id);
	bind_int(st, 2, *seen > range.from ? *seen : range.from);
	bind_int(st, 3, range.to);
	bind_int(st, 4, q->driver->page);
	for (; (more = sql_next(q, ST_INPUT_READ)) == 1; n++) {
		int64_t first = column_int(st, 1), count = column_int(st, 2);
		if (first <= *seen || first + count <= range.from)
			continue;
		*seen = first;
		if (!read_input(q, st, &op->arena, rows_add(rows, &op->arena)))
			return refuse_row(q, ST_INPUT_READ, op);
	}
	return more < 0 ? -1 : n;
}

static int read_inputs(struct sql *q, struct op *op, struct seq_range range)
{
	struct rows rows = { .size = sizeof(struct input_row) };
	int64_t seen = -1, n;

	do
		n = read_input_page(q, op, range, &seen, &rows);
	while (n == q->driver->page);
	op->result.inputs = rows.items;
	op->result.n_inputs = rows.n;
	return n < 0 ? -1 : 0;
}

int sql_input_end(struct sql *q, struct op *op)
{
	struct statement *st = q->st[ST_INPUT_END];

	bind_int(st, 1, op->query.id);
	if (sql_next(q, ST_INPUT_END) < 0)
		return -1;
	op->result.next_seq = (uint64_t)column_int(st, 0);
	op->result.total = (uint64_t)column_int(st, 1);
	sql_reset(st);
	return 0;
}

/* Rows of the range behind *last, a page at a time: 1 = all read, 0 = refused, -1 = fault. */
static int read_range(struct sql *q, struct op *op, struct seq_range range, struct rows *rows)
{
	struct statement *st = q->st[ST_LEDGER_READ];
	struct ledger_key last = { .seq = (uint64_t)range.from };
	int64_t step = -1, kind = 0;

	for (;;) {
		size_t before = rows->n;
		bind_int(st, 1, op->query.id);
		bind_int(st, 2, (int64_t)last.seq);
		bind_int(st, 3, range.to);
		bind_int(st, 4, step);
		bind_int(st, 5, last.attempt);
		bind_int(st, 6, kind);
		bind_int(st, 7, q->driver->page);
		int code = gather(q, ST_LEDGER_READ, op, rows, add_ledger);
		if (code != 1 || rows->n - before < (size_t)q->driver->page)
			return code;
		const struct ledger_row *row = &((struct ledger_row *)rows->items)[rows->n - 1];
		last = row->key;
		step = row->key.step;
		kind = row->kind;
	}
}

int sql_ledger_read(struct sql *q, struct op *op)
{
	struct rows rows = { .size = sizeof(struct ledger_row) };
	struct seq_range ranges[2];
	int n = seq_ranges(op->query.from_seq, op->query.to_seq, ranges);

	if (n > 0 && ranges[0].from >= 0 && read_inputs(q, op, ranges[0]))
		return -1;
	for (int i = 0; i < n && op->result.error == STORE_OK; i++) {
		if (read_range(q, op, ranges[i], &rows) < 0)
			return -1;
	}
	op->result.rows = rows.items;
	op->result.n = rows.n;
	return 0;
}

int sql_problem_list(struct sql *q, struct op *op)
{
	struct statement *st = q->st[ST_PROBLEM_LIST], *count = q->st[ST_PROBLEM_COUNT];
	struct rows rows = { .size = sizeof(struct ledger_row) };
	struct seq_range ranges[2];
	int n = seq_ranges(op->query.from_seq, op->query.to_seq, ranges);

	for (int i = 0; i < n && op->result.error == STORE_OK && rows.n < op->query.limit; i++) {
		bind_int(st, 1, op->query.id);
		bind_int(st, 2, ranges[i].from);
		bind_int(st, 3, ranges[i].to);
		bind_int(st, 4, op->query.code);
		bind_int(st, 5, (int64_t)(op->query.limit - rows.n));
		if (gather(q, ST_PROBLEM_LIST, op, &rows, add_ledger) < 0)
			return -1;
	}
	op->result.rows = rows.items;
	op->result.n = rows.n;
	bind_int(count, 1, op->query.id);
	bind_int(count, 2, op->query.code);
	return sql_number(q, ST_PROBLEM_COUNT, &op->result.total);
}

/* ---- entries ---- */

static int read_entries(struct sql *q, enum sql_statement st, struct op *op)
{
	struct rows rows = { .size = sizeof(struct entry_row) };

	if (gather(q, st, op, &rows, add_entry) < 0)
		return -1;
	op->result.entries = rows.items;
	op->result.n = rows.n;
	return 0;
}

static int get_entry(struct sql *q, struct op *op, int64_t id)
{
	bind_int(q->st[ST_ENTRY_BY_ID], 1, id);
	bind_text(q->st[ST_ENTRY_BY_ID], 2, op->query.name);
	if (read_entries(q, ST_ENTRY_BY_ID, op))
		return -1;
	need_one(op, "there is no such entry");
	return 0;
}

int sql_entry_get(struct sql *q, struct op *op)
{
	op->result.id = op->query.id;
	return get_entry(q, op, op->query.id);
}

int sql_entry_list(struct sql *q, struct op *op)
{
	bool is_first = op->query.before == 0;
	enum sql_statement st = is_first ? ST_ENTRY_LIST : ST_ENTRY_LIST_AFTER;

	if (!is_first) {
		if (get_entry(q, op, op->query.before))
			return -1;
		if (op->result.error) {
			op_refuse(op, STORE_NOT_FOUND, "the entry after which the page begins is gone; begin again");
			return 0;
		}
		bind_int(q->st[st], 3, op->result.entries[0].updated_at);
		bind_int(q->st[st], 4, op->query.before);
	}
	bind_text(q->st[st], 1, op->query.name);
	bind_int(q->st[st], 2, (int64_t)op->query.limit);
	bind_text(q->st[ST_ENTRY_COUNT], 1, op->query.name);
	return read_entries(q, st, op) || sql_number(q, ST_ENTRY_COUNT, &op->result.total) ? -1 : 0;
}

/* ---- components ---- */

static int read_components(struct sql *q, enum sql_statement st, struct op *op)
{
	struct rows rows = { .size = sizeof(struct component_row) };

	if (gather(q, st, op, &rows, add_component) < 0)
		return -1;
	op->result.components = rows.items;
	op->result.n = rows.n;
	return 0;
}

int sql_component_get(struct sql *q, struct op *op)
{
	enum sql_statement st = op->query.version.len ? ST_COMPONENT_GET : ST_COMPONENT_NEWEST;

	bind_text(q->st[st], 1, op->query.name);
	if (st == ST_COMPONENT_GET)
		bind_text(q->st[st], 2, op->query.version);
	if (read_components(q, st, op))
		return -1;
	need_one(op,
		 op->query.version.len ? "there is no such version of this component" : "there is no such component");
	return 0;
}

int sql_component_list(struct sql *q, struct op *op)
{
	if (read_components(q, ST_COMPONENT_LIST, op))
		return -1;
	op->result.total = op->result.n;
	return 0;
}
