/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deleting runs without holding anybody up. The run's row goes first, in one transaction with a note in `pruning`: from
 * then on there is no such run. What it left goes a stretch at a time, each its own operation in the one queue, so that
 * others' commits come in between. A process that dies on the way leaves the note, and whoever prunes next goes on.
 */
#include "base/clock.h"
#include "store/sqlite_int.h"

#define PRUNE_INPUT_CHUNKS 16

/* What the file has in use, and what of it is free. */
int sqlite_space(struct sqlite *q, struct op *op)
{
	uint64_t pages, free_pages;

	if (sqlite_number(q, ST_PAGE_COUNT, &pages) || sqlite_number(q, ST_FREE_COUNT, &free_pages))
		return -1;
	op->result.bytes_used = (pages - free_pages) * SQLITE_PAGE_BYTES;
	op->result.bytes_free = free_pages * SQLITE_PAGE_BYTES;
	return 0;
}

int sqlite_run_prune(struct sqlite *q, struct op *op)
{
	sqlite3_stmt *get = q->st[ST_RUN_STATE], *note = q->st[ST_PRUNE_NOTE], *drop = q->st[ST_RUN_DROP];

	bind_int(get, 1, op->query.id);
	int found = sqlite_next(q, ST_RUN_STATE);
	if (found < 0)
		return -1;
	int state = found ? sqlite3_column_int(get, 0) : 0;
	(void)sqlite3_reset(get);
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
	return sqlite_do(q, ST_PRUNE_NOTE) || sqlite_do(q, ST_RUN_DROP) ? -1 : 0;
}

/* Deletes rows up to the edge, which is `limit` rows on, or all; *ret_more if the edge was there. */
static int drop_stretch(struct sqlite *q, int64_t run, enum sqlite_statement edge, enum sqlite_statement drop,
			uint64_t limit, bool *ret_more)
{
	bind_int(q->st[edge], 1, run);
	bind_int(q->st[edge], 2, (int64_t)limit);
	int more = sqlite_next(q, edge);
	if (more < 0)
		return -1;
	int64_t last = more ? sqlite3_column_int64(q->st[edge], 0) : INT64_MAX;
	if (more)
		(void)sqlite3_reset(q->st[edge]);
	bind_int(q->st[drop], 1, run);
	bind_int(q->st[drop], 2, last);
	*ret_more = more != 0;
	return sqlite_do(q, drop);
}

/* What nobody needs any more once the last run of this version is gone. */
static int drop_version(struct sqlite *q, sqlite3_stmt *next)
{
	static const enum sqlite_statement drops[] = { ST_DICTIONARY_DROP, ST_COMPONENT_DROP };

	for (size_t i = 0; i < ARRAY_LEN(drops); i++) {
		sqlite3_stmt *st = q->st[drops[i]];
		bind_text(st, 1, column_bytes(next, 1));
		bind_text(st, 2, column_bytes(next, 2));
		bind_text(st, 3, column_bytes(next, 3));
		if (drops[i] == ST_COMPONENT_DROP)
			bind_int(st, 4, clock_wall() - STORE_VERSION_SPARED);
		if (sqlite_do(q, drops[i]))
			return -1;
	}
	if (q->codec)
		codec_doubt(q->codec);
	return 0;
}

static int prune_run(struct sqlite *q, sqlite3_stmt *next)
{
	int64_t run = sqlite3_column_int64(next, 0);
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
	return sqlite_do(q, ST_PRUNE_DONE);
}

/* Up to 256 free pages (2 MiB): used ones from the end of the file take their places, and the file ends earlier. */
static int give_back(struct sqlite *q, struct op *op)
{
	int more;

	while ((more = sqlite_next(q, ST_VACUUM_SOME)) == 1)
		;
	if (more < 0 || sqlite_space(q, op))
		return -1;
	op->result.has_more = q->gives_back && op->result.bytes_free > 0;
	return 0;
}

int sqlite_prune_some(struct sqlite *q, struct op *op)
{
	sqlite3_stmt *next = q->st[ST_PRUNE_NEXT];
	int found = sqlite_next(q, ST_PRUNE_NEXT);

	if (found < 0)
		return -1;
	if (!found)
		return give_back(q, op);
	int code = prune_run(q, next);
	(void)sqlite3_reset(next);
	op->result.has_more = true;
	return code || sqlite_space(q, op) ? -1 : 0;
}

int sqlite_run_bytes(struct sqlite *q, struct op *op)
{
	bind_int(q->st[ST_RUN_STATE], 1, op->query.id);
	int found = sqlite_next(q, ST_RUN_STATE);
	if (found < 0)
		return -1;
	(void)sqlite3_reset(q->st[ST_RUN_STATE]);
	op->result.id = op->query.id;
	if (!found) {
		op_refuse(op, STORE_NOT_FOUND, "there is no such run");
		return 0;
	}
	bind_int(q->st[ST_RUN_BYTES], 1, op->query.id);
	return sqlite_number(q, ST_RUN_BYTES, &op->result.total);
}

/* Reads every page: for a process of its own, not for a server with work to do. */
int sqlite_storage(struct sqlite *q, struct op *op)
{
	sqlite3_stmt *st = q->st[ST_STORAGE];
	size_t n = 0;
	int more;

	op->result.storage = arena_zalloc(&op->arena, sizeof(*op->result.storage) * STORE_STORAGE_KINDS);
	while ((more = sqlite_next(q, ST_STORAGE)) == 1) {
		struct storage_row *row = op->result.storage ? &op->result.storage[n] : NULL;
		struct str what = column_bytes(st, 0);
		if (!row || n == STORE_STORAGE_KINDS || !(row->what = arena_str(&op->arena, what)).ptr) {
			(void)sqlite3_reset(st);
			op_refuse(op, STORE_TOO_LARGE, "no memory for the sums");
			return 0;
		}
		row->rows = (uint64_t)sqlite3_column_int64(st, 1);
		row->bytes = (uint64_t)sqlite3_column_int64(st, 2);
		n++;
	}
	op->result.n = n;
	return more < 0 || sqlite_space(q, op) ? -1 : 0;
}
