/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite backend: statements, transactions, faults, checkpoints. */
#include "store/sqlite_int.h"
#include "base/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- faults ---- */

/* No room is nobody's fault and ends by itself; errno is what the system call said. */
static bool is_no_room(int code, int sys)
{
	return (code & 0xff) == SQLITE_FULL ||
	       ((code & 0xff) == SQLITE_IOERR && code != SQLITE_IOERR_FSYNC && code != SQLITE_IOERR_DIR_FSYNC &&
		(sys == ENOSPC || sys == EDQUOT || sys == EFBIG));
}

static enum fault_kind fault_kind(int code, int sys)
{
	if (is_no_room(code, sys))
		return FAULT_PASSING;
	switch (code) {
	case SQLITE_IOERR_FSYNC: /* the kernel dropped what it could not write and calls the pages clean */
	case SQLITE_IOERR_DIR_FSYNC:
	case SQLITE_IOERR_WRITE:
	case SQLITE_IOERR_TRUNCATE:
		return FAULT_LASTING;
	default:
		break;
	}
	switch (code & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		return FAULT_LASTING;
	default:
		return FAULT_PASSING;
	}
}

static const char *fault_cure(int code, int sys)
{
	if (is_no_room(code, sys))
		return "; free some space, work goes on by itself";
	if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC || code == SQLITE_IOERR_WRITE)
		return "; check the disk, then restart: nothing is accepted until then";
	if ((code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB)
		return "; the database is damaged: stop, copy the data directory, then see `sqlite3 weir.db .recover`";
	if ((code & 0xff) == SQLITE_BUSY)
		return "; another process holds the database";
	return "";
}

int sqlite_fault(struct sqlite *q, const char *doing)
{
	int code = sqlite3_extended_errcode(q->db);
	int left = errno; /* a COMMIT that fails does not note it for sqlite3_system_errno() */
	int sys = 0;

	if ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN) {
		sys = sqlite3_system_errno(q->db);
		sys = sys ? sys : left;
	}

	q->sql.fault.kind = fault_kind(code, sys);
	(void)snprintf(q->sql.fault.why, sizeof(q->sql.fault.why), "%s: %s%s%s%s%s", doing, sqlite3_errmsg(q->db),
		       sys ? " (" : "", sys ? strerror(sys) : "", sys ? ")" : "", fault_cure(code, sys));
	return -1;
}

/* ---- statements ---- */

static struct sqlite *sqlite_of(const struct statement *st)
{
	return CONTAINER_OF(st->q, struct sqlite, sql);
}

static void driver_bind_int(struct statement *st, int i, int64_t n)
{
	(void)sqlite3_bind_int64(st->own, i, n);
}

static void driver_bind_bytes(struct statement *st, int i, struct str s, bool is_text, bool is_nullable)
{
	if (!s.ptr && is_nullable)
		(void)sqlite3_bind_null(st->own, i);
	else if (is_text)
		(void)sqlite3_bind_text64(st->own, i, s.ptr ? s.ptr : "", s.len, SQLITE_STATIC, SQLITE_UTF8);
	else
		(void)sqlite3_bind_blob64(st->own, i, s.ptr ? s.ptr : "", s.len, SQLITE_STATIC);
}

static int64_t driver_column_int(struct statement *st, int i)
{
	return sqlite3_column_int64(st->own, i);
}

static struct str driver_column_bytes(struct statement *st, int i)
{
	const void *bytes = sqlite3_column_blob(st->own, i);

	return (struct str){ bytes, (size_t)sqlite3_column_bytes(st->own, i) };
}

static bool driver_column_is_null(struct statement *st, int i)
{
	return sqlite3_column_type(st->own, i) == SQLITE_NULL;
}

static void driver_reset(struct statement *st)
{
	(void)sqlite3_reset(st->own);
}

static int driver_next(struct statement *st)
{
	static const char *const names[] = {
#define X(name, sqlite, pg) #name,
		SQL_STATEMENTS(X)
#undef X
	};

	errno = 0; /* so that sqlite_fault() knows whose it is */
	int code = sqlite3_step(st->own);

	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE) {
		(void)sqlite3_reset(st->own);
		return 0;
	}
	(void)sqlite_fault(sqlite_of(st), names[st->id]);
	(void)sqlite3_reset(st->own);
	return -1;
}

static int driver_run(struct statement *st, uint64_t *add_changes, bool *ret_nothing)
{
	int code = driver_next(st);

	if (code < 0)
		return -1;
	if (code == 1)
		(void)sqlite3_reset(st->own);
	if (add_changes)
		*add_changes += (uint64_t)sqlite3_changes64(sqlite_of(st)->db);
	if (ret_nothing)
		*ret_nothing = sqlite3_changes64(sqlite_of(st)->db) == 0;
	return 0;
}

static int driver_settle(struct sql *q)
{
	return 0; /* everything is done when it has been asked for */
}

const struct sql_driver sqlite_driver = {
	.page = INT64_MAX, /* rows come one by one */
	.bind_int = driver_bind_int,
	.bind_bytes = driver_bind_bytes,
	.column_int = driver_column_int,
	.column_bytes = driver_column_bytes,
	.column_is_null = driver_column_is_null,
	.next = driver_next,
	.reset = driver_reset,
	.run = driver_run,
	.settle = driver_settle,
};

/* ---- the backend's verbs ---- */

static void finalize(struct sqlite *q)
{
	for (size_t i = 0; i < SQL_STATEMENTS_N; i++)
		(void)sqlite3_finalize(q->statements[i].own);
}

static int backend_open(void **ret, struct dir *dir, const struct store_config *config, struct err *e)
{
	struct sqlite *q = alloc_calloc(1, sizeof(*q));

	if (!q)
		return err_set(e, ERR_NO_MEMORY, "no memory for the database");
	int code = sqlite_open(q, dir, config, e);
	if (code == 0) {
		*ret = q;
		return 0;
	}
	if (q->db) { /* a refused database stays as it is, its log included */
		(void)sqlite3_db_config(q->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		finalize(q);
		(void)sqlite3_close(q->db);
	}
	free(q);
	return code;
}

static int backend_begin(void *backend, bool writes)
{
	struct sqlite *q = backend;
	int64_t mark = 0;

	if (sql_do(&q->sql, writes ? ST_BEGIN_WRITE : ST_BEGIN_READ))
		return -1;
	if (!writes || !q->sql.codec)
		return 0;
	if (sql_one(&q->sql, ST_MARK, &mark) < 0)
		return -1;
	codec_begin(q->sql.codec, mark);
	return 0;
}

static int backend_apply(void *backend, struct op *op)
{
	return sql_apply(&((struct sqlite *)backend)->sql, op);
}

static int backend_commit(void *backend)
{
	return sql_do(&((struct sqlite *)backend)->sql, ST_COMMIT);
}

static void backend_rollback(void *backend)
{
	struct sqlite *q = backend;
	struct store_fault kept = q->sql.fault; /* the first cause is the one to tell */

	for (size_t i = 0; i < SQL_STATEMENTS_N; i++)
		(void)sqlite3_reset(q->statements[i].own);
	if (!sqlite3_get_autocommit(q->db)) /* some faults have rolled back already */
		(void)sql_do(&q->sql, ST_ROLLBACK);
	q->sql.fault = kept;
	if (q->sql.codec)
		codec_doubt(q->sql.codec);
}

/* The log goes into the database: what SQLite would do inside of COMMIT, there ignoring a failed fsync. */
static int backend_tend(void *backend)
{
	struct sqlite *q = backend;
	int in_log = 0, moved = 0;

	if (q->sql.codec)
		codec_tend(q->sql.codec);
	if (q->log_pages < q->checkpoint_at)
		return 0;
	int code = sqlite3_wal_checkpoint_v2(q->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved);
	/* Another process's reader may keep part of it: then once more when as much again has gathered. */
	q->checkpoint_at =
	    code == SQLITE_OK && in_log == moved ? SQLITE_CHECKPOINT_PAGES : q->log_pages + SQLITE_CHECKPOINT_PAGES;
	if (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED)
		return 0;
	return sqlite_fault(q, "checkpoint");
}

static const struct store_fault *backend_fault(void *backend)
{
	return &((struct sqlite *)backend)->sql.fault;
}

static bool backend_close(void *backend, bool is_sound)
{
	struct sqlite *q = backend;
	int in_log = 0, moved = 0;
	bool is_tidy = is_sound;

	finalize(q);
	if (is_sound)
		is_tidy =
		    sqlite3_wal_checkpoint_v2(q->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &in_log, &moved) == SQLITE_OK;
	else
		(void)sqlite3_db_config(q->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_close(q->db);
	codec_free(q->sql.codec);
	free(q);
	return is_tidy;
}

const struct store_backend store_backend_sqlite = {
	.name = "sqlite",
	.open = backend_open,
	.begin = backend_begin,
	.apply = backend_apply,
	.commit = backend_commit,
	.rollback = backend_rollback,
	.tend = backend_tend,
	.fault = backend_fault,
	.close = backend_close,
};
