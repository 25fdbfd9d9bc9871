/* SPDX-License-Identifier: Apache-2.0 */
/* What the pg files know of each other; they are the one door to <libpq-fe.h>. */
#pragma once
#include "store/sql_int.h"

#include <libpq-fe.h>

#define PG_PARAMS_MAX 17
#define PG_PENDING_MAX 256	    /* statements under way whose answers nobody has read yet */
#define PG_PAGE 64		    /* rows that a read has of one statement at a time: they are whole in memory */
#define PG_CLAIMS_MAX 4096	    /* runs that one process executes at a time */
#define PG_CONNECT_TIMEOUT "10"	    /* s, where the URL names none */
#define PG_ANSWER_TIMEOUT 120000    /* ms without an answer, then the connection counts as lost */
#define PG_SUM_TIMEOUT 3600000	    /* ms, of the one statement that reads everything */
#define PG_OWN_SESSION_WAIT 10000   /* ms for our session of before to end, and with it its transaction and its claims */
#define PG_NAP_NS 200000000	    /* between tries */
#define PG_SESSION_KEPT (INT64_C(30) * 86400000) /* ms; the row of a process that died, should it only sleep */
#define PG_VERSION_MIN 130000

struct pg_statement {
	int n;
	Oid types[PG_PARAMS_MAX]; /* as the server has inferred them */
	const char *values[PG_PARAMS_MAX];
	int lengths[PG_PARAMS_MAX];
	uint64_t ints[PG_PARAMS_MAX]; /* in network order; values point here */
	PGresult *rows;
	int row;
};

/* A statement that was sent: what its answer is for. */
struct pg_pending {
	enum sql_statement id;
	uint64_t *add_changes; /* NULL = nobody asks */
	bool *ret_nothing;
};

struct pg {
	struct sql sql;
	PGconn *conn; /* in pipeline mode; NULL = lost */
	char *url;
	char where[200];      /* host and database, without secrets; of the connection of now */
	char shown[220];      /* the same for other threads, as it was when the store was opened */
	char session[32];     /* application_name: tells our sessions from others' */
	int64_t lock_space;   /* high half of our advisory locks: the schema */
	msec_t busy_timeout, patience;
	struct statement statements[SQL_STATEMENTS_N];
	struct pg_statement own[SQL_STATEMENTS_N];
	struct pg_pending pending[PG_PENDING_MAX];
	size_t n_pending;
	int64_t group;	      /* number of the last one that was begun and writes */
	bool is_writing;
	bool is_commit_sent;  /* what became of it only the server knows */
	bool is_lost;	      /* the fault is the connection's */
	bool is_collision;    /* the fault is another session's: the same again may succeed */
	int64_t claims[PG_CLAIMS_MAX];
	size_t n_claims;
};
extern const struct sql_driver pg_driver;

/* ---- pg_statement.c ---- */

/* Fills the fault: the connection is gone. Always -1. */
int pg_lost(struct pg *p, const char *doing);
/* Fills the fault from a result that is none. Always -1. */
int pg_refused(struct pg *p, const char *doing, const PGresult *r);
/* The end of a stretch of the pipeline: all answers are read, what failed is forgotten. 0, or -1 when the connection is lost. */
int pg_sync(struct pg *p);
/* Statements that somebody stood on are put back. */
void pg_forget(struct pg *p);

/* ---- pg_open.c ---- */

/* Connects, checks, makes or migrates what is missing, prepares. 0 or -code with a sentence that a person can act on; p->conn is NULL then. */
int pg_connect(struct pg *p, struct err *e);
void pg_disconnect(struct pg *p);
