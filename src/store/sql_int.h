/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sql files know of each other. The verbs of operations are written once, over statements; a driver (SQLite, PostgreSQL) binds, runs
 * and reads them. Drivers alone include their library's header.
 */
#pragma once
#include "base/buf.h"
#include "store/sql_statements.h"
#include "store/store_int.h"

struct sql;
struct codec;

/* One prepared statement. */
struct statement {
	struct sql *q;
	enum sql_statement id;
	void *own; /* the driver's */
};

/* Functions that return int: 0 (next: 1 = a row), or -1 with q->fault. */
struct sql_driver {
	/* Rows that one statement may bring at a time: what a driver holds of a result is whole in memory. */
	int64_t page;
	/* Bytes are borrowed until the statement has run; a ptr of NULL is empty, or NULL where `is_nullable`. */
	void (*bind_int)(struct statement *st, int i, int64_t n);
	void (*bind_bytes)(struct statement *st, int i, struct str s, bool is_text, bool is_nullable);
	/* From 0, of the row that the statement stands on; bytes are borrowed until its next step. */
	int64_t (*column_int)(struct statement *st, int i);
	struct str (*column_bytes)(struct statement *st, int i);
	bool (*column_is_null)(struct statement *st, int i);
	int (*next)(struct statement *st);
	void (*reset)(struct statement *st);
	/*
	 * For statements without rows. May be only under way: `add_changes` (NULL = nobody asks) grows by the rows that it changed, and
	 * `ret_nothing` says whether there were none, at the latest when settle() or the commit has returned; both must live until then.
	 */
	int (*run)(struct statement *st, uint64_t *add_changes, bool *ret_nothing);
	int (*settle)(struct sql *q);
	int (*space)(struct sql *q, uint64_t *ret_used, uint64_t *ret_free);
};

enum codec_error {
	CODEC_OK = 0,
	CODEC_NO_ROOM, /* no memory, or the arena is full */
	CODEC_DAMAGED, /* these bytes are no packed row, or its dictionary is gone */
	CODEC_FAULT,   /* of the database: q->fault */
};

/* What verbs see of a database; the first member of each driver's own. */
struct sql {
	const struct sql_driver *driver;
	bool keeps_plain;	 /* new rows are not packed; packed ones are read */
	bool gives_back;	 /* free pages can be given back: prune_some() has something to do */
	enum codec_error unread; /* why the last row could not be read */
	struct codec *codec;	 /* NULL in memory: there rows stay plain */
	struct statement *st[SQL_STATEMENTS_N];
	struct store_fault fault;
};

/* ---- statements ---- */

/* Next row: 1; done (and reset): 0; -1 with q->fault. A statement left in the middle wants sql_reset(). */
static inline int sql_next(struct sql *q, enum sql_statement st)
{
	return q->driver->next(q->st[st]);
}

static inline void sql_reset(struct statement *st)
{
	st->q->driver->reset(st);
}

/* A statement without rows: 0 or -1. A fault of it may show only later, with the group. */
static inline int sql_do(struct sql *q, enum sql_statement st)
{
	return q->driver->run(q->st[st], NULL, NULL);
}

/* Waits until what was run is done: the counts asked for are there. */
static inline int sql_settle(struct sql *q)
{
	return q->driver->settle(q);
}

/* The first number of the first row that the statement gives; *ret stays where there is no row. 1 = a row, 0 = none, -1. */
static inline int sql_one(struct sql *q, enum sql_statement st, int64_t *ret)
{
	int code = sql_next(q, st);

	if (code == 1) {
		*ret = q->driver->column_int(q->st[st], 0);
		sql_reset(q->st[st]);
	}
	return code;
}

/* As above: 0 or -1. */
static inline int sql_number(struct sql *q, enum sql_statement st, uint64_t *ret)
{
	return sql_one(q, st, (int64_t *)ret) < 0 ? -1 : 0;
}

/* Binding, from 1. Empty is empty, never NULL; only bind_key and bind_packed know NULL. */
static inline void bind_int(struct statement *st, int i, int64_t n)
{
	st->q->driver->bind_int(st, i, n);
}

static inline void bind_text(struct statement *st, int i, struct str s)
{
	st->q->driver->bind_bytes(st, i, s, true, false);
}

static inline void bind_blob(struct statement *st, int i, struct str s)
{
	st->q->driver->bind_bytes(st, i, s, false, false);
}

static inline void bind_key(struct statement *st, int i, struct str s)
{
	st->q->driver->bind_bytes(st, i, s, true, true);
}

static inline void bind_packed(struct statement *st, int i, struct str s)
{
	st->q->driver->bind_bytes(st, i, s, false, true);
}

static inline int64_t column_int(struct statement *st, int i)
{
	return st->q->driver->column_int(st, i);
}

static inline struct str column_bytes(struct statement *st, int i)
{
	return st->q->driver->column_bytes(st, i);
}

static inline bool column_is_null(struct statement *st, int i)
{
	return st->q->driver->column_is_null(st, i);
}

/* ---- sql_codec.c: rows compressed against dictionaries ---- */

#define CODEC_INPUT 0 /* the "kind" of an input chunk; its step is made_by */

struct codec *codec_new(void); /* NULL = no memory */
void codec_free(struct codec *c);
/* At the beginning of a transaction that writes: `mark` differs when another process may have removed dictionaries. */
void codec_begin(struct codec *c, int64_t mark);
/* What was known of the database's runs and dictionaries may not be so: after a rollback, after pruning. */
void codec_doubt(struct codec *c);
/* Between groups: makes at most one dictionary, some milliseconds. */
void codec_tend(struct codec *c);
/*
 * *ret: the row packed, borrowed until the next call; the null string = it stays plain (too small, too large, nothing gained, no memory).
 * 0, or -1 with q->fault. May write a dictionary: within the row's transaction.
 */
int codec_pack(struct sql *q, const struct ledger_key *key, int kind, struct str head, struct str body, struct str *ret);
/* The very bytes back, in `a`. */
enum codec_error codec_unpack(struct sql *q, struct str packed, struct arena *a, struct str *ret_head, struct str *ret_body);

/* ---- sql_ahead.c: the rows of a group's puts, packed before they are inserted ---- */

#define AHEAD_MAX 256
#define AHEAD_BYTES (256u << 10) /* of rows that are not packed yet */

struct ahead_put {
	const struct op *op;
	size_t at, len; /* in ahead.bytes; 0 = it stays plain */
	bool is_done;
};

struct ahead {
	struct ahead_put puts[AHEAD_MAX];
	size_t n, next;
	struct buf bytes;
};

struct ahead *codec_ahead(struct codec *c);
/* The operations of before may be gone: at the beginning of a transaction, after a rollback. */
void ahead_forget(struct ahead *a);
/*
 * What codec_pack() gives, for the row of a LEDGER_PUT; packs those of the puts that follow it in its group, too. Each is asked for in its turn,
 * as they are applied.
 */
int ahead_take(struct sql *q, const struct op *op, struct str *ret);

/* ---- verbs ---- */

/* 0, or -1 with q->fault. */
typedef int sql_verb(struct sql *q, struct op *op);

/* sql.c: the operation by its verb, in the transaction that is open. */
int sql_apply(struct sql *q, struct op *op);
/* sql_ledger.c */
sql_verb sql_run_create, sql_run_update, sql_input_put, sql_ledger_put, sql_drop_problems;
/* sql_decide.c */
sql_verb sql_decide, sql_ledger_redo;
/* The run is to be resumed; so many items are no longer unknown, or failed. */
int sql_run_reopen(struct sql *q, int64_t run, size_t unknown, size_t failed);
void sql_bind_ledger_key(struct statement *st, const struct ledger_key *key, enum ledger_kind kind);
/* sql_entry.c */
sql_verb sql_entry_write, sql_component_put;
/* sql_prune.c */
sql_verb sql_run_prune, sql_prune_some, sql_run_bytes, sql_space, sql_storage;
/* sql_read.c */
sql_verb sql_run_get, sql_run_list, sql_input_end, sql_ledger_read, sql_problem_list, sql_entry_get, sql_entry_list, sql_component_get,
    sql_component_list;
/* The row that the entry statement stands on, copied into `a`; false when there is no room. */
bool sql_read_entry(struct statement *st, struct arena *a, struct entry_row *ret);
