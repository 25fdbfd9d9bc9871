/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite backend: transactions, faults, checkpoints, and which verb does which operation. */
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

	q->fault.kind = fault_kind(code, sys);
	(void)snprintf(q->fault.why, sizeof(q->fault.why), "%s: %s%s%s%s%s", doing, sqlite3_errmsg(q->db),
		       sys ? " (" : "", sys ? strerror(sys) : "", sys ? ")" : "", fault_cure(code, sys));
	return -1;
}

/* ---- statements ---- */

int sqlite_next(struct sqlite *q, enum sqlite_statement st)
{
	static const char *const names[] = {
#define X(name, sql) #name,
		SQLITE_STATEMENTS(X)
#undef X
	};

	errno = 0; /* so that sqlite_fault() knows whose it is */
	int code = sqlite3_step(q->st[st]);

	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE) {
		(void)sqlite3_reset(q->st[st]);
		return 0;
	}
	(void)sqlite_fault(q, names[st]);
	(void)sqlite3_reset(q->st[st]);
	return -1;
}

int sqlite_do(struct sqlite *q, enum sqlite_statement st)
{
	int code = sqlite_next(q, st);

	if (code == 1)
		(void)sqlite3_reset(q->st[st]);
	return code < 0 ? -1 : 0;
}

int sqlite_number(struct sqlite *q, enum sqlite_statement st, uint64_t *ret)
{
	int code = sqlite_next(q, st);

	if (code == 1) {
		*ret = (uint64_t)sqlite3_column_int64(q->st[st], 0);
		(void)sqlite3_reset(q->st[st]);
	}
	return code < 0 ? -1 : 0;
}

/* ---- the backend's verbs ---- */

static sqlite_verb *const verbs[OP_KINDS] = {
	[OP_RUN_CREATE] = sqlite_run_create,
	[OP_RUN_UPDATE] = sqlite_run_update,
	[OP_INPUT_PUT] = sqlite_input_put,
	[OP_LEDGER_PUT] = sqlite_ledger_put,
	[OP_DECIDE] = sqlite_decide,
	[OP_LEDGER_REDO] = sqlite_ledger_redo,
	[OP_DROP_PROBLEMS] = sqlite_drop_problems,
	[OP_ENTRY_WRITE] = sqlite_entry_write,
	[OP_COMPONENT_PUT] = sqlite_component_put,
	[OP_RUN_PRUNE] = sqlite_run_prune,
	[OP_PRUNE_SOME] = sqlite_prune_some,
	[OP_RUN_BYTES] = sqlite_run_bytes,
	[OP_SPACE] = sqlite_space,
	[OP_STORAGE] = sqlite_storage,
	[OP_RUN_GET] = sqlite_run_get,
	[OP_RUN_LIST] = sqlite_run_list,
	[OP_INPUT_END] = sqlite_input_end,
	[OP_LEDGER_READ] = sqlite_ledger_read,
	[OP_PROBLEM_LIST] = sqlite_problem_list,
	[OP_ENTRY_GET] = sqlite_entry_get,
	[OP_ENTRY_LIST] = sqlite_entry_list,
	[OP_COMPONENT_GET] = sqlite_component_get,
	[OP_COMPONENT_LIST] = sqlite_component_list,
};

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
		for (size_t i = 0; i < ST_COUNT; i++)
			(void)sqlite3_finalize(q->st[i]);
		(void)sqlite3_close(q->db);
	}
	free(q);
	return code;
}

static int backend_begin(void *backend, bool writes)
{
	if (sqlite_do(backend, writes ? ST_BEGIN_WRITE : ST_BEGIN_READ))
		return -1;
	return writes ? codec_begin(backend) : 0;
}

static int backend_apply(void *backend, struct op *op)
{
	return verbs[op->kind](backend, op);
}

static int backend_commit(void *backend)
{
	return sqlite_do(backend, ST_COMMIT);
}

static void backend_rollback(void *backend)
{
	struct sqlite *q = backend;
	struct store_fault kept = q->fault; /* the first cause is the one to tell */

	for (size_t i = 0; i < ST_COUNT; i++)
		(void)sqlite3_reset(q->st[i]);
	if (!sqlite3_get_autocommit(q->db)) /* some faults have rolled back already */
		(void)sqlite_do(q, ST_ROLLBACK);
	q->fault = kept;
	if (q->codec)
		codec_doubt(q->codec);
}

/* The log goes into the database: what SQLite would do inside of COMMIT, there ignoring a failed fsync. */
static int backend_tend(void *backend)
{
	struct sqlite *q = backend;
	int in_log = 0, moved = 0;

	if (q->codec)
		codec_tend(q->codec);
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
	return &((struct sqlite *)backend)->fault;
}

static bool backend_close(void *backend, bool is_sound)
{
	struct sqlite *q = backend;
	int in_log = 0, moved = 0;
	bool is_tidy = is_sound;

	for (size_t i = 0; i < ST_COUNT; i++)
		(void)sqlite3_finalize(q->st[i]);
	if (is_sound)
		is_tidy =
		    sqlite3_wal_checkpoint_v2(q->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &in_log, &moved) == SQLITE_OK;
	else
		(void)sqlite3_db_config(q->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_close(q->db);
	codec_free(q->codec);
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
