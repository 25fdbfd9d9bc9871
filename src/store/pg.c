/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PostgreSQL backend: transactions, what became of one whose connection broke, and who executes which run.
 *
 * One writer at a time: a transaction that writes begins with an advisory lock that all processes on this schema take.
 * The verbs read before they write and count on nobody coming in between, as with SQLite.
 *
 * A connection that breaks is made again, and its group is not lost: each group writes its own number, in its own
 * transaction, into the row of this process in `sessions`. If it is there the group is saved, whatever the answer would
 * have been; else the same group once more. So a restart of PostgreSQL is a pause, and a COMMIT whose answer went
 * missing is neither lost nor done twice. (pg_xact_status() cannot tell: after a crash the server gives numbers of
 * transactions that never reached its disk to others.)
 *
 * A run is claimed by a session's advisory lock, and the session that holds it is the one that writes. A process that
 * was stopped or cut off for long therefore cannot write for a run that another has taken over: with the session its
 * locks are gone and its transactions, and a new session must get all its claims back before it writes anything. Since
 * the other may have come, ended the run and gone, the table `claims` says who had it last.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/pg_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static void nap(void)
{
	const struct timespec t = { .tv_nsec = PG_NAP_NS };

	(void)nanosleep(&t, NULL);
}

static int64_t lock_of(const struct pg *p, int64_t run)
{
	return p->lock_space | (run & 0xffffffff);
}

/* ---- claims ---- */

/* 1 = ours, 0 = another session's, -1. Between transactions. */
static int claim_lock(struct pg *p, int64_t run)
{
	int64_t has = 0;

	bind_int(p->sql.st[ST_CLAIM], 1, lock_of(p, run));
	if (sql_one(&p->sql, ST_CLAIM, &has) < 0) {
		(void)pg_sync(p);
		return -1;
	}
	return pg_sync(p) ? -1 : has != 0;
}

/* Between transactions. 0 or -1. */
static int note_claim(struct pg *p, enum sql_statement st, int64_t run)
{
	bind_int(p->sql.st[st], 1, run);
	bind_text(p->sql.st[st], 2, str_c(p->session));
	int code = sql_do(&p->sql, st) || sql_settle(&p->sql) ? -1 : 0;
	return pg_sync(p) || code ? -1 : 0;
}

/* Has nobody else had the run since we claimed it? 1, 0, -1. Somebody may have come and gone: then the lock is free. */
static int still_holds(struct pg *p, int64_t run)
{
	int64_t n = 0;

	bind_int(p->sql.st[ST_CLAIM_HOLDS], 1, run);
	bind_text(p->sql.st[ST_CLAIM_HOLDS], 2, str_c(p->session));
	if (sql_one(&p->sql, ST_CLAIM_HOLDS, &n) < 0 || pg_sync(p))
		return -1;
	return n == 1;
}

static void backend_release(void *backend, int64_t run)
{
	struct pg *p = backend;
	int64_t had;

	for (size_t i = 0; i < p->n_claims; i++) {
		if (p->claims[i] != run)
			continue;
		p->claims[i] = p->claims[--p->n_claims];
		(void)note_claim(p, ST_CLAIM_DROP, run);
		bind_int(p->sql.st[ST_RELEASE], 1, lock_of(p, run));
		(void)sql_one(&p->sql, ST_RELEASE,
			      &had); /* failing means that the session is gone, and the lock with it */
		(void)pg_sync(p);
		return;
	}
}

/* ---- a connection again ---- */

/* The session of before may not have noticed that we are gone; it holds our claims, and perhaps a transaction. */
static int end_old_sessions(struct pg *p)
{
	bind_text(p->sql.st[ST_END_SESSIONS], 1, str_c(p->session));
	const msec_t until = clock_mono() + PG_OWN_SESSION_WAIT;

	for (;;) {
		int64_t n = 0;
		if (sql_one(&p->sql, ST_END_SESSIONS, &n) < 0 || pg_sync(p))
			return -1;
		if (n == 0)
			return 0;
		if (clock_mono() > until)
			break;
		nap();
	}
	p->sql.fault.kind = FAULT_PASSING;
	(void)snprintf(
	    p->sql.fault.why, sizeof(p->sql.fault.why),
	    "PostgreSQL at %s still has a session of this process that broke; work goes on when it has ended",
	    p->where);
	pg_disconnect(p);
	return -1;
}

static int reclaim(struct pg *p)
{
	for (size_t i = 0; i < p->n_claims; i++) {
		int has = claim_lock(p, p->claims[i]);
		if (has > 0)
			has = still_holds(p, p->claims[i]);
		if (has < 0)
			return -1;
		if (has)
			continue;
		p->sql.fault.kind = FAULT_LASTING;
		(void)snprintf(p->sql.fault.why, sizeof(p->sql.fault.why),
			       "while the connection to PostgreSQL was gone another process has taken over run %lld; "
			       "nothing is written here until a restart",
			       (long long)p->claims[i]);
		pg_disconnect(p);
		return -1;
	}
	return 0;
}

/* 0, or -1 with the fault. */
static int connect_once(struct pg *p)
{
	struct err e = ERR_INIT;

	pg_disconnect(p);
	if (pg_connect(p, &e)) {
		p->sql.fault.kind = FAULT_PASSING;
		(void)snprintf(p->sql.fault.why, sizeof(p->sql.fault.why),
			       "%.400s; work goes on by itself when it answers", e.msg);
		return -1;
	}
	if (p->sql.codec)
		codec_doubt(p->sql.codec);
	return end_old_sessions(p) || reclaim(p) ? -1 : 0;
}

static int backend_claim(void *backend, int64_t run, struct err *e)
{
	struct pg *p = backend;

	for (size_t i = 0; i < p->n_claims; i++) /* left over: its release found no connection */
		if (p->claims[i] == run)
			return 0;
	if (p->n_claims == PG_CLAIMS_MAX)
		return err_set(e, ERR_LIMIT, "this process executes %d runs already", PG_CLAIMS_MAX);
	int has = claim_lock(p, run);
	if (has < 0 && p->is_lost && connect_once(p) == 0) /* nobody had noticed yet */
		has = claim_lock(p, run);
	if (has < 0)
		return err_set(e, ERR_IO, "cannot claim run %lld: %s", (long long)run, p->sql.fault.why);
	if (!has)
		return err_set(e, ERR_CONFLICT, "run %lld is being executed by another process", (long long)run);
	if (note_claim(p, ST_CLAIM_NOTE, run))
		return err_set(e, ERR_IO, "cannot claim run %lld: %s", (long long)run, p->sql.fault.why);
	p->claims[p->n_claims++] = run;
	return 0;
}

static int connect_again(struct pg *p)
{
	const msec_t until = clock_mono() + p->patience;

	log_warn(NULL, "store connects again: %s", p->sql.fault.why);
	while (connect_once(p)) {
		if (p->sql.fault.kind == FAULT_LASTING || clock_mono() > until)
			return -1;
		nap();
	}
	log_info(NULL, "store connected again: PostgreSQL at %s", p->where);
	return 0;
}

/* What became of the group whose COMMIT had no answer. Its session has ended, so it is decided. */
static enum group_fate fate_of(struct pg *p)
{
	int64_t saved = 0;

	bind_text(p->sql.st[ST_GROUP_SAVED], 1, str_c(p->session));
	if (sql_one(&p->sql, ST_GROUP_SAVED, &saved) < 0 || pg_sync(p))
		return GROUP_FAILED;
	log_info(NULL, "store asked what became of its last group: %s",
		 saved == p->group ? "it is saved" : "it is not saved, and done again");
	return saved == p->group ? GROUP_SAVED : GROUP_AGAIN;
}

/* ---- the backend's verbs ---- */

static void new_session_name(struct pg *p)
{
	uint64_t id = 0;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		id = (uint64_t)clock_wall();
	(void)snprintf(p->session, sizeof(p->session), "weir-%016llx", (unsigned long long)id);
}

static void backend_free(struct pg *p)
{
	pg_disconnect(p);
	codec_free(p->sql.codec);
	free(p->url);
	free(p);
}

static int backend_open(void **ret, struct dir *dir, const struct store_config *config, struct err *e)
{
	struct pg *p = alloc_calloc(1, sizeof(*p));

	if (!p)
		return err_set(e, ERR_NO_MEMORY, "no memory for the database");
	p->sql.driver = &pg_driver;
	p->sql.keeps_plain = config->keeps_plain;
	p->busy_timeout = config->busy_timeout;
	p->patience = config->patience;
	p->url = alloc_strdup(config->url);
	p->sql.codec = codec_new();
	new_session_name(p);
	for (size_t i = 0; i < SQL_STATEMENTS_N; i++) {
		p->statements[i] = (struct statement){ &p->sql, (enum sql_statement)i, &p->own[i] };
		p->sql.st[i] = &p->statements[i];
	}
	int code = p->url && p->sql.codec ? pg_connect(p, e) : err_set(e, ERR_NO_MEMORY, "no memory for the database");
	if (code) {
		backend_free(p);
		return code;
	}
	(void)snprintf(p->shown, sizeof(p->shown), "PostgreSQL at %s", p->where);
	*ret = p;
	return 0;
}

static int begin_write(struct pg *p)
{
	struct statement *note = p->sql.st[ST_GROUP_NOTE];
	int64_t mark = 0;

	p->group++;
	p->is_writing = true;
	bind_int(p->sql.st[ST_LOCK], 1, lock_of(p, 0));
	bind_text(note, 1, str_c(p->session));
	bind_int(note, 2, p->group);
	bind_int(note, 3, clock_wall());
	if (sql_do(&p->sql, ST_BEGIN_WRITE) || sql_do(&p->sql, ST_LOCK) || sql_do(&p->sql, ST_GROUP_NOTE) ||
	    sql_one(&p->sql, ST_MARK, &mark) < 0)
		return -1;
	codec_begin(p->sql.codec, mark);
	return 0;
}

static int backend_begin(void *backend, bool writes)
{
	struct pg *p = backend;

	p->is_writing = p->is_commit_sent = p->is_collision = false;
	if ((!p->conn || p->is_lost) && connect_once(p))
		return -1;
	return writes ? begin_write(p) : sql_do(&p->sql, ST_BEGIN_READ);
}

static int backend_apply(void *backend, struct op *op)
{
	return sql_apply(&((struct pg *)backend)->sql, op);
}

static int backend_commit(void *backend)
{
	struct pg *p = backend;

	/* First all answers: whoever learns later that it was committed must know what each statement did. */
	if (sql_settle(&p->sql))
		return -1;
	p->is_commit_sent = true;
	if (sql_do(&p->sql, ST_COMMIT) || sql_settle(&p->sql))
		return -1;
	return pg_sync(p);
}

static void backend_rollback(void *backend)
{
	struct pg *p = backend;
	struct store_fault kept = p->sql.fault; /* the first cause is the one to tell */

	pg_forget(p);
	if (p->sql.codec)
		codec_doubt(p->sql.codec);
	if (pg_sync(p) == 0 && PQtransactionStatus(p->conn) != PQTRANS_IDLE && sql_do(&p->sql, ST_ROLLBACK) == 0 &&
	    sql_settle(&p->sql) == 0)
		(void)pg_sync(p);
	p->sql.fault = kept;
}

static enum group_fate backend_recover(void *backend)
{
	struct pg *p = backend;

	if (!p->is_lost) {
		if (!p->is_collision)
			return GROUP_FAILED;
		backend_rollback(p);
		return GROUP_AGAIN;
	}
	if (connect_again(p))
		return GROUP_FAILED;
	return p->is_writing && p->is_commit_sent ? fate_of(p) : GROUP_AGAIN;
}

static int backend_tend(void *backend)
{
	codec_tend(((struct pg *)backend)->sql.codec);
	return 0;
}

static const struct store_fault *backend_fault(void *backend)
{
	return &((struct pg *)backend)->sql.fault;
}

static bool backend_close(void *backend, bool is_sound)
{
	struct pg *p = backend;

	if (p->conn && !p->is_lost && p->group) { /* its row, and those of processes that died a while ago */
		bind_int(p->sql.st[ST_SESSIONS_DROP], 1, clock_wall() - PG_SESSION_KEPT);
		bind_text(p->sql.st[ST_SESSIONS_DROP], 2, str_c(p->session));
		if (sql_do(&p->sql, ST_SESSIONS_DROP) == 0 && sql_settle(&p->sql) == 0)
			(void)pg_sync(p);
	}
	backend_free(backend);
	return false; /* there is no file of ours that could be tidy */
}

static const char *backend_where(const void *backend)
{
	return ((const struct pg *)backend)->shown;
}

const struct store_backend store_backend_pg = {
	.name = "postgresql",
	.open = backend_open,
	.begin = backend_begin,
	.apply = backend_apply,
	.commit = backend_commit,
	.rollback = backend_rollback,
	.tend = backend_tend,
	.fault = backend_fault,
	.close = backend_close,
	.recover = backend_recover,
	.claim = backend_claim,
	.release = backend_release,
	.where = backend_where,
};
