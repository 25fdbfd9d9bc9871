/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deleting runs without holding anybody up. The run's row goes first, in one transaction with a note in `pruning`: from
 * then on there is no such run. What it left goes a stretch at a time, each its own operation in the one queue, so that
 * others' commits come in between. A process that dies on the way leaves the note, and whoever prunes next goes on.
 */
#include "base/clock.h"
#include "store/sql_int.h"

#define PRUNE_INPUT_CHUNKS 16

/* What the file has in use, and what of it is free. */
int sql_space(struct sql *q, struct op *op)
{
	struct statement *st = q->st[ST_SPACE];
	int found = sql_next(q, ST_SPACE);

	if (found != 1)
		return found;
	op->result.bytes_used = (uint64_t)column_int(st, 0);
	op->result.bytes_free = (uint64_t)column_int(st, 1);
	sql_reset(st);
	return 0;
}

int sql_run_prune(struct sql *q, struct op *op)
{
	struct statement *get = q->st[ST_RUN_STATE], *note = q->st[ST_PRUNE_NOTE], *drop = q->st[ST_RUN_DROP];

	bind_int(get, 1, op->query.id);
	int found = sql_next(q, ST_RUN_STATE);
	if (found < 0)
		return -1;
	int state = found ? (int)column_int(get, 0) : 0;
	sql_reset(get);
	op->result.id = op->query.id;
	if (!found) {
		op_refuse(op, STORE_NOT_FOUND, "there is no such run");
		return 0;
	}
	if (!op->query.code && (state == RUN_RUNNING || state == RUN_NEEDS_ATTENTION)) {
		op_refuse(op, STORE_CONFLICT, "the run is not over, or needs somebody's attention");
		return 0;
	}
	bind_int(note, 1, op->query.id);
	bind_int(drop, 1, op->query.id);
	return sql_do(q, ST_PRUNE_NOTE) || sql_do(q, ST_RUN_DROP) ? -1 : 0;
}

/* Deletes rows up to the edge, which is `limit` rows on, or all; *ret_more if the edge was there. */
static int drop_stretch(struct sql *q, int64_t run, enum sql_statement edge, enum sql_statement drop, uint64_t limit,
			bool *ret_more)
{
	bind_int(q->st[edge], 1, run);
	bind_int(q->st[edge], 2, (int64_t)limit);
	int more = sql_next(q, edge);
	if (more < 0)
		return -1;
	int64_t last = more ? column_int(q->st[edge], 0) : INT64_MAX;
	if (more)
		sql_reset(q->st[edge]);
	bind_int(q->st[drop], 1, run);
	bind_int(q->st[drop], 2, last);
	*ret_more = more != 0;
	return sql_do(q, drop);
}

/* What nobody needs any more once the last run of this version is gone. */
static int drop_version(struct sql *q, struct statement *next)
{
	struct statement *dictionaries = q->st[ST_DICTIONARY_DROP], *component = q->st[ST_COMPONENT_DROP];

	bind_text(dictionaries, 1, column_bytes(next, 1));
	bind_text(dictionaries, 2, column_bytes(next, 2));
	bind_text(dictionaries, 3, column_bytes(next, 3));
	bind_text(component, 1, column_bytes(next, 1));
	bind_text(component, 2, column_bytes(next, 3));
	bind_int(component, 3, clock_wall() - STORE_VERSION_SPARED);
	if (sql_do(q, ST_DICTIONARY_DROP) || sql_do(q, ST_COMPONENT_DROP))
		return -1;
	if (q->codec)
		codec_doubt(q->codec);
	return 0;
}

static int prune_run(struct sql *q, struct statement *next)
{
	int64_t run = column_int(next, 0);
	bool has_more;

	if (drop_stretch(q, run, ST_PRUNE_LEDGER_EDGE, ST_PRUNE_LEDGER, STORE_PRUNE_ROWS, &has_more))
		return -1;
	if (!has_more && drop_stretch(q, run, ST_PRUNE_INPUT_EDGE, ST_PRUNE_INPUT, PRUNE_INPUT_CHUNKS, &has_more))
		return -1;
	if (has_more)
		return 0;
	if (drop_version(q, next))
		return -1;
	bind_int(q->st[ST_PRUNE_DONE], 1, run);
	return sql_do(q, ST_PRUNE_DONE);
}

/* Up to 256 free pages (2 MiB): used ones from the end of the file take their places, and the file ends earlier. */
static int give_back(struct sql *q, struct op *op)
{
	int more;

	while ((more = sql_next(q, ST_VACUUM_SOME)) == 1)
		;
	if (more < 0 || sql_space(q, op))
		return -1;
	op->result.has_more = q->gives_back && op->result.bytes_free > 0;
	return 0;
}

int sql_prune_some(struct sql *q, struct op *op)
{
	struct statement *next = q->st[ST_PRUNE_NEXT];
	int found = sql_next(q, ST_PRUNE_NEXT);

	if (found < 0)
		return -1;
	if (!found)
		return give_back(q, op);
	int code = prune_run(q, next);
	sql_reset(next);
	op->result.has_more = true; /* how much is in use then is asked at the end, once: it may mean to read */
	return code;
}

int sql_run_bytes(struct sql *q, struct op *op)
{
	bind_int(q->st[ST_RUN_STATE], 1, op->query.id);
	int found = sql_next(q, ST_RUN_STATE);
	if (found < 0)
		return -1;
	sql_reset(q->st[ST_RUN_STATE]);
	op->result.id = op->query.id;
	if (!found) {
		op_refuse(op, STORE_NOT_FOUND, "there is no such run");
		return 0;
	}
	bind_int(q->st[ST_RUN_BYTES], 1, op->query.id);
	return sql_number(q, ST_RUN_BYTES, &op->result.total);
}

/* Reads every page: for a process of its own, not for a server with work to do. */
int sql_storage(struct sql *q, struct op *op)
{
	struct statement *st = q->st[ST_STORAGE];
	size_t n = 0;
	int more;

	op->result.storage = arena_zalloc(&op->arena, sizeof(*op->result.storage) * STORE_STORAGE_KINDS);
	while ((more = sql_next(q, ST_STORAGE)) == 1) {
		struct storage_row *row = op->result.storage ? &op->result.storage[n] : NULL;
		struct str what = column_bytes(st, 0);
		if (!row || n == STORE_STORAGE_KINDS || !(row->what = arena_str(&op->arena, what)).ptr) {
			sql_reset(st);
			op_refuse(op, STORE_TOO_LARGE, "no memory for the sums");
			return 0;
		}
		row->rows = (uint64_t)column_int(st, 1);
		row->bytes = (uint64_t)column_int(st, 2);
		n++;
	}
	op->result.n = n;
	return more < 0 || sql_space(q, op) ? -1 : 0;
}
