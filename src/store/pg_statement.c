/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statements over a connection to PostgreSQL, many on the way at a time. A statement whose answer nobody needs yet is
 * sent and noted in `pending`; answers come in the order of the statements, so whoever needs one reads all before it. A
 * group of a thousand rows thus costs a few journeys, not a thousand. After the first refusal the server does nothing
 * until the next synchronisation; the group is lost then, and its first cause is the one that is told.
 *
 * The connection does not block: while bytes wait to leave, answers are taken in, so that neither side waits for the
 * other with its buffers full.
 */
#include "base/clock.h"
#include "store/pg_int.h"

#include <endian.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OID_BOOL 16
#define OID_INT4 23

static const char *const names[] = {
#define X(name, sqlite, pg) #name,
	SQL_STATEMENTS(X)
#undef X
};

static struct pg *pg_of(const struct statement *st)
{
	return CONTAINER_OF(st->q, struct pg, sql);
}

/* ---- faults ---- */

/* libpq ends its messages with a line feed. */
static void say(struct pg *p, enum fault_kind kind, const char *doing, const char *what, const char *cure)
{
	size_t n = strcspn(what, "\n");

	p->sql.fault.kind = kind;
	(void)snprintf(p->sql.fault.why, sizeof(p->sql.fault.why), "%s: PostgreSQL at %s: %.*s%s", doing, p->where,
		       (int)n, what, cure);
}

int pg_lost(struct pg *p, const char *doing)
{
	const char *what = p->conn ? PQerrorMessage(p->conn) : "";

	if (!p->is_lost)
		say(p, FAULT_PASSING, doing, *what ? what : "there is no connection",
		    "; work goes on by itself when it answers again");
	p->is_lost = true;
	return -1;
}

int pg_refused(struct pg *p, const char *doing, const PGresult *r)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *what = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	enum fault_kind kind = FAULT_PASSING;
	const char *cure = "";

	if (PQresultStatus(r) == PGRES_PIPELINE_ABORTED) /* its cause has been told */
		return -1;
	if (!state || strncmp(state, "08", 2) == 0 || strncmp(state, "57P", 3) == 0)
		return pg_lost(p, doing);
	p->is_collision = strncmp(state, "40", 2) == 0;
	if (strncmp(state, "XX", 2) == 0) {
		kind = FAULT_LASTING;
		cure = "; the database is damaged, or PostgreSQL wrong: look into its log, then restart";
	} else if (strcmp(state, "53100") == 0) {
		cure = "; free some space there, work goes on by itself";
	} else if (strcmp(state, "55P03") == 0) {
		cure = "; another process holds the database";
	} else if (strcmp(state, "25006") == 0) {
		cure = "; the server takes no writes, it is a standby";
	}
	say(p, kind, doing, what ? what : PQresultErrorMessage(r), cure);
	return -1;
}

/* ---- the wire ---- */

/* Until the socket is ready for one of `events`; false when time is up or it broke. */
static bool wait_socket(struct pg *p, short events, msec_t until)
{
	struct pollfd fd = { .fd = PQsocket(p->conn), .events = events };
	msec_t left = until - clock_mono();

	if (left <= 0 || fd.fd < 0)
		return false;
	int code = poll(&fd, 1, left > 60000 ? 60000 : (int)left);
	if (code < 0)
		return true; /* a signal: look again */
	return !(fd.revents & POLLIN) || PQconsumeInput(p->conn);
}

static int flush(struct pg *p, const char *doing)
{
	const msec_t until = clock_mono() + PG_ANSWER_TIMEOUT;
	int left;

	while ((left = PQflush(p->conn)) == 1) {
		if (!wait_socket(p, POLLIN | POLLOUT, until))
			return pg_lost(p, doing);
	}
	return left ? pg_lost(p, doing) : 0;
}

/* The next result, NULL between two statements: 0, or -1. */
static int get(struct pg *p, enum sql_statement id, PGresult **ret)
{
	const msec_t until = clock_mono() + (id == ST_STORAGE ? PG_SUM_TIMEOUT : PG_ANSWER_TIMEOUT);

	while (PQisBusy(p->conn)) {
		if (!wait_socket(p, POLLIN, until))
			return pg_lost(p, names[id]);
	}
	*ret = PQgetResult(p->conn);
	return 0;
}

static bool is_good(const PGresult *r)
{
	ExecStatusType status = PQresultStatus(r);

	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* The answer of the oldest statement under way. *ret is the caller's. */
static int take(struct pg *p, PGresult **ret)
{
	enum sql_statement id = p->pending[0].id;
	PGresult *r = NULL, *end = NULL;

	if (get(p, id, &r))
		return -1;
	if (!r)
		return pg_lost(p, names[id]);
	if (!is_good(r)) {
		(void)pg_refused(p, names[id], r);
		PQclear(r);
		return -1;
	}
	if (get(p, id, &end) || end) { /* a statement has one result, and then nothing */
		PQclear(r);
		PQclear(end);
		return pg_lost(p, names[id]);
	}
	*ret = r;
	return 0;
}

static uint64_t changes(PGresult *r)
{
	return strtoull(PQcmdTuples(r), NULL, 10);
}

/* Answers of all but the last `keep` statements under way. */
static int read_pending(struct pg *p, size_t keep)
{
	if (p->n_pending <= keep)
		return 0;
	if (!PQsendFlushRequest(p->conn) || flush(p, names[p->pending[0].id]))
		return pg_lost(p, names[p->pending[0].id]);
	size_t n = p->n_pending - keep;
	for (size_t i = 0; i < n; i++) {
		struct pg_pending *first = &p->pending[0];
		PGresult *r = NULL;
		if (take(p, &r))
			return -1;
		if (first->add_changes)
			*first->add_changes += changes(r);
		if (first->ret_nothing)
			*first->ret_nothing = changes(r) == 0;
		PQclear(r);
		memmove(p->pending, p->pending + 1, --p->n_pending * sizeof(*p->pending));
	}
	return 0;
}

int pg_sync(struct pg *p)
{
	PGresult *r;

	if (!p->conn || p->is_lost)
		return -1;
	if (!PQpipelineSync(p->conn) || flush(p, "SYNC"))
		return pg_lost(p, "SYNC");
	p->n_pending = 0;
	for (unsigned nothing = 0; nothing < PG_PENDING_MAX + 2;) {
		if (get(p, ST_COMMIT, &r))
			return -1;
		nothing += r == NULL;
		bool is_end = r && PQresultStatus(r) == PGRES_PIPELINE_SYNC;
		PQclear(r);
		if (is_end)
			return 0;
		if (PQstatus(p->conn) != CONNECTION_OK)
			break;
	}
	return pg_lost(p, "SYNC");
}

void pg_forget(struct pg *p)
{
	for (size_t i = 0; i < SQL_STATEMENTS_N; i++) {
		PQclear(p->own[i].rows);
		p->own[i].rows = NULL;
	}
	p->n_pending = 0;
}

static int send(struct pg *p, struct statement *st)
{
	static const int formats[PG_PARAMS_MAX] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
	struct pg_statement *own = st->own;
	char name[16];

	if (!p->conn || p->is_lost)
		return pg_lost(p, names[st->id]);
	if (p->n_pending == PG_PENDING_MAX && read_pending(p, PG_PENDING_MAX / 2))
		return -1;
	(void)snprintf(name, sizeof(name), "s%d", (int)st->id);
	if (!PQsendQueryPrepared(p->conn, name, own->n, own->values, own->lengths, formats, 1))
		return pg_lost(p, names[st->id]);
	p->pending[p->n_pending++] = (struct pg_pending){ .id = st->id };
	return 0;
}

/* ---- the driver ---- */

static void driver_bind_int(struct statement *st, int i, int64_t n)
{
	struct pg_statement *own = st->own;
	bool is_small = own->types[i - 1] == OID_INT4;
	uint64_t *at = &own->ints[i - 1];

	if (is_small) {
		uint32_t small = htobe32((uint32_t)n);
		memcpy(at, &small, sizeof(small));
	} else {
		*at = htobe64((uint64_t)n);
	}
	own->values[i - 1] = (const char *)at;
	own->lengths[i - 1] = is_small ? 4 : 8;
}

static void driver_bind_bytes(struct statement *st, int i, struct str s, bool is_text, bool is_nullable)
{
	struct pg_statement *own = st->own;

	own->values[i - 1] = s.ptr ? s.ptr : is_nullable ? NULL : "";
	own->lengths[i - 1] = (int)s.len;
}

static int64_t driver_column_int(struct statement *st, int i)
{
	struct pg_statement *own = st->own;
	const char *bytes = PQgetvalue(own->rows, own->row, i);
	uint64_t large;
	uint32_t small;

	switch (PQgetlength(own->rows, own->row, i)) {
	case 8:
		memcpy(&large, bytes, sizeof(large));
		return (int64_t)be64toh(large);
	case 4:
		memcpy(&small, bytes, sizeof(small));
		return (int32_t)be32toh(small);
	default:
		return 0; /* NULL */
	}
}

static struct str driver_column_bytes(struct statement *st, int i)
{
	struct pg_statement *own = st->own;

	return (struct str){ PQgetvalue(own->rows, own->row, i), (size_t)PQgetlength(own->rows, own->row, i) };
}

static bool driver_column_is_null(struct statement *st, int i)
{
	struct pg_statement *own = st->own;

	return PQgetisnull(own->rows, own->row, i);
}

static void driver_reset(struct statement *st)
{
	struct pg_statement *own = st->own;

	PQclear(own->rows);
	own->rows = NULL;
}

static int ask(struct pg *p, struct statement *st)
{
	struct pg_statement *own = st->own;

	if (send(p, st) || read_pending(p, 1))
		return -1;
	if (!PQsendFlushRequest(p->conn) || flush(p, names[st->id]))
		return pg_lost(p, names[st->id]);
	if (take(p, &own->rows))
		return -1;
	p->n_pending = 0;
	own->row = -1;
	return 0;
}

static int driver_next(struct statement *st)
{
	struct pg_statement *own = st->own;

	if (!own->rows && ask(pg_of(st), st))
		return -1;
	if (++own->row < PQntuples(own->rows))
		return 1;
	driver_reset(st);
	return 0;
}

static int driver_run(struct statement *st, uint64_t *add_changes, bool *ret_nothing)
{
	struct pg *p = pg_of(st);

	if (send(p, st))
		return -1;
	p->pending[p->n_pending - 1].add_changes = add_changes;
	p->pending[p->n_pending - 1].ret_nothing = ret_nothing;
	return 0;
}

static int driver_settle(struct sql *q)
{
	return read_pending(CONTAINER_OF(q, struct pg, sql), 0);
}

const struct sql_driver pg_driver = {
	.page = PG_PAGE,
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
