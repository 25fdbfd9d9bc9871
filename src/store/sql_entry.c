/* SPDX-License-Identifier: Apache-2.0 */
/* Writing entries, each with its line in the ledger, and components. */
#include "base/clock.h"
#include "store/sql_int.h"
#include "base/json.h"

#define MERGED_BYTES_MAX STORE_OP_BYTES_MAX

/* ---- the entry that is meant ---- */

static int look_up(struct sql *q, enum sql_statement st, struct arena *a, struct entry_row *ret)
{
	int more = sql_next(q, st);

	if (more != 1)
		return more;
	bool has_room = sql_read_entry(q->st[st], a, ret);
	sql_reset(q->st[st]);
	if (has_room)
		return 1;
	q->fault = (struct store_fault){ .kind = FAULT_PASSING, .why = "no memory to read an entry" };
	return -1;
}

/* By id if it is given, else by key: 1 found, 0 not, -1 fault. */
static int find_entry(struct sql *q, const struct entry_row *meant, struct arena *a, struct entry_row *ret)
{
	enum sql_statement st = meant->id ? ST_ENTRY_BY_ID : ST_ENTRY_BY_KEY;

	if (meant->id)
		bind_int(q->st[st], 1, meant->id);
	else if (meant->key.ptr)
		bind_text(q->st[st], 1, meant->key);
	else
		return 0;
	bind_text(q->st[st], 2, meant->component);
	return look_up(q, st, a, ret);
}

/* Does another entry than `id` have this key? 1, 0, -1 fault. */
static int is_key_taken(struct sql *q, const struct entry_row *row, int64_t id, struct arena *a)
{
	struct entry_row other;

	if (!row->key.ptr || !row->id) /* where it was meant by its key, that was looked for already */
		return 0;
	bind_text(q->st[ST_ENTRY_BY_KEY], 1, row->key);
	bind_text(q->st[ST_ENTRY_BY_KEY], 2, row->component);
	int found = look_up(q, ST_ENTRY_BY_KEY, a, &other);
	return found == 1 ? other.id != id : found;
}

/* `patch`'s members over `base`'s. False when one of them is no object or memory is out. */
static bool merge(struct arena *a, struct str base, struct str patch, struct buf *ret)
{
	struct value into, from;
	const struct json_options opt = { .max_bytes = STORE_OP_BYTES_MAX };

	if (json_parse(a, base, &opt, &into, NULL, NULL) || json_parse(a, patch, &opt, &from, NULL, NULL) ||
	    !value_is(&into, VALUE_OBJECT) || !value_is(&from, VALUE_OBJECT))
		return false;
	for (uint32_t i = 0; i < from.len; i++) {
		if (value_set(a, &into, from.members[i].key, from.members[i].value))
			return false;
	}
	return json_write(ret, &into, JSON_COMPACT) == 0;
}

/* ---- the change ---- */

/* The step in whose name it is written; -1 = outside of any run. */
static int64_t written_by(const struct op *op)
{
	return op->entry.key.run ? (int64_t)op->entry.key.step : -1;
}

static int insert(struct sql *q, struct op *op)
{
	struct statement *st = q->st[ST_ENTRY_INSERT];
	const struct entry_row *row = &op->entry.row;

	bind_text(st, 1, row->component);
	bind_key(st, 2, row->key);
	bind_text(st, 3, row->data);
	bind_int(st, 4, row->created_at);
	bind_int(st, 5, row->updated_at);
	bind_int(st, 6, row->run);
	bind_int(st, 7, (int64_t)op->entry.key.seq);
	bind_int(st, 8, written_by(op));
	op->result.change = 1;
	return sql_one(q, ST_ENTRY_INSERT, &op->result.id) < 0 ? -1 : 0;
}

static int replace(struct sql *q, struct op *op, const struct entry_row *old, struct str data)
{
	struct statement *st = q->st[ST_ENTRY_UPDATE];
	const struct entry_row *row = &op->entry.row;
	struct str key = row->key.ptr ? row->key : old->key;

	op->result.id = old->id;
	if (str_eq(data, old->data) && str_eq(key, old->key))
		return 0; /* nothing to do, nothing written */
	bind_key(st, 1, key);
	bind_text(st, 2, data);
	bind_int(st, 3, row->updated_at);
	bind_int(st, 4, row->run);
	bind_int(st, 5, (int64_t)op->entry.key.seq);
	bind_int(st, 6, written_by(op));
	bind_int(st, 7, old->id);
	if (sql_do(q, ST_ENTRY_UPDATE))
		return -1;
	op->result.change = 2;
	return 0;
}

static int update(struct sql *q, struct op *op, const struct entry_row *old, struct arena *a)
{
	struct buf merged auto_buf;

	buf_init(&merged, MERGED_BYTES_MAX);
	if (op->entry.mode == ENTRY_UPSERT)
		return replace(q, op, old, op->entry.row.data);
	if (!merge(a, old->data, op->entry.row.data, &merged)) {
		op_refuse(op, STORE_CONFLICT,
			  "the entry's data and what is to be merged into it must both be JSON objects");
		return 0;
	}
	return replace(q, op, old, buf_str(&merged));
}

static int delete (struct sql *q, struct op *op, const struct entry_row *old)
{
	bind_int(q->st[ST_ENTRY_DELETE], 1, old->id);
	if (sql_do(q, ST_ENTRY_DELETE))
		return -1;
	op->result.id = old->id;
	op->result.change = 3;
	return 0;
}

/* All that can be refused is refused before anything is written. */
static int change(struct sql *q, struct op *op, struct arena *a)
{
	enum entry_mode mode = op->entry.mode;
	struct entry_row old = { 0 };
	int found = find_entry(q, &op->entry.row, a, &old);

	if (found < 0)
		return -1;
	if (mode == ENTRY_CREATE && found) {
		op_refuse(op, STORE_CONFLICT, "an entry with this key exists");
		op->result.id = old.id;
		return 0;
	}
	if (!found && (mode == ENTRY_UPDATE || mode == ENTRY_DELETE)) {
		op_refuse(op, STORE_NOT_FOUND, "there is no such entry");
		return 0;
	}
	if (mode == ENTRY_DELETE)
		return delete (q, op, &old);
	int taken = is_key_taken(q, &op->entry.row, old.id, a);
	if (taken < 0)
		return -1;
	if (taken) {
		op_refuse(op, STORE_CONFLICT, "another entry has this key");
		return 0;
	}
	return found ? update(q, op, &old, a) : insert(q, op);
}

/* ---- with the ledger ---- */

/* 1 when the ledger has this write already: the result is its result. */
static int recall(struct sql *q, struct op *op)
{
	struct statement *st = q->st[ST_LEDGER_FIND];

	sql_bind_ledger_key(st, &op->entry.key, LEDGER_ENTRY);
	int found = sql_next(q, ST_LEDGER_FIND);
	if (found != 1)
		return found;
	op->result.change = (int)column_int(st, 0);
	op->result.id = column_int(st, 1);
	op->result.was_recorded = true;
	sql_reset(st);
	return 1;
}

static int record(struct sql *q, struct op *op)
{
	struct statement *st = q->st[ST_LEDGER_INSERT];

	sql_bind_ledger_key(st, &op->entry.key, LEDGER_ENTRY);
	bind_int(st, 6, op->entry.row.updated_at);
	bind_int(st, 7, op->result.change);
	bind_int(st, 8, op->result.id);
	bind_text(st, 9, STR_NULL);
	bind_blob(st, 10, STR_NULL);
	bind_packed(st, 11, STR_NULL);
	return sql_do(q, ST_LEDGER_INSERT);
}

int sql_entry_write(struct sql *q, struct op *op)
{
	struct arena a auto_arena;
	bool has_key = op->entry.key.run != 0;

	arena_init(&a, STORE_RESULT_BYTES_MAX);
	int recorded = has_key ? recall(q, op) : 0;
	if (recorded)
		return recorded < 0 ? -1 : 0;
	if (change(q, op, &a))
		return -1;
	return has_key && op->result.error == STORE_OK ? record(q, op) : 0;
}

/* ---- components ---- */

int sql_component_put(struct sql *q, struct op *op)
{
	const struct component_row *row = &op->component;
	struct statement *get = q->st[ST_COMPONENT_GET], *put = q->st[ST_COMPONENT_PUT];

	bind_text(get, 1, row->name);
	bind_text(get, 2, row->version);
	int found = sql_next(q, ST_COMPONENT_GET);
	if (found < 0)
		return -1;
	sql_reset(get);
	op->result.was_recorded = found == 1;
	op->result.change = found ? 2 : 1;
	bind_text(put, 1, row->name);
	bind_text(put, 2, row->version);
	bind_int(put, 3, row->imported_at);
	bind_blob(put, 4, row->source);
	bind_int(put, 5, clock_wall());
	return sql_do(q, ST_COMPONENT_PUT);
}
