/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting to PostgreSQL: is the schema ours, or empty, and not newer than we are? Only then is anything written.
 * What is prepared here is asked for its parameters' types, since one int4 sent as int8 would fail a group a week
 * later.
 */
#include "base/log.h"
#include "store/pg_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The shapes, oldest first, embedded by the assembler as those of SQLite are: sqlite_open.c. */
#define EMBED(symbol, path)                                                                                            \
	__asm__(".pushsection .rodata\n" #symbol ":\n.incbin \"" path "\"\n.byte 0\n.popsection\n");                   \
	extern const char symbol[] __attribute__((visibility("hidden")))

EMBED(store_pg_001, "store/sql/pg-001.sql");

static const char *const migrations[] = {
	store_pg_001,
};
#define SCHEMA_VERSION ((int64_t)ARRAY_LEN(migrations))
#define SCHEMA_LOCK INT64_C(0x57656972) /* "Weir": held while a schema is made or changed */

/* ---- asking, before the pipeline ---- */

static int refuse(struct pg *p, const char *doing, const char *what, struct err *e)
{
	return err_set(e, ERR_IO, "cannot %s PostgreSQL at %s: %.*s", doing, p->where, (int)strcspn(what, "\n"), what);
}

static int command(struct pg *p, const char *sql, const char *doing, struct err *e)
{
	PGresult *r = PQexec(p->conn, sql);
	ExecStatusType status = PQresultStatus(r);
	int code =
	    status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? 0 : refuse(p, doing, PQerrorMessage(p->conn), e);

	PQclear(r);
	return code;
}

/* The first value of the first row, as text, into `ret`; empty for NULL. */
static int ask(struct pg *p, const char *sql, char *ret, size_t size, struct err *e)
{
	PGresult *r = PQexec(p->conn, sql);
	int code = 0;

	if (PQresultStatus(r) != PGRES_TUPLES_OK || PQntuples(r) != 1)
		code = refuse(p, "ask", PQerrorMessage(p->conn), e);
	else
		(void)snprintf(ret, size, "%s", PQgetvalue(r, 0, 0));
	PQclear(r);
	return code;
}

/* ---- the schema ---- */

static int check_server(struct pg *p, struct err *e)
{
	char text[64] = "";
	int code;

	if (PQserverVersion(p->conn) < PG_VERSION_MIN)
		return err_set(e, ERR_INVALID, "PostgreSQL at %s is version %d; Weir needs %d or newer", p->where,
			       PQserverVersion(p->conn) / 10000, PG_VERSION_MIN / 10000);
	code = ask(p, "SELECT pg_is_in_recovery()", text, sizeof(text), e);
	if (code == 0 && text[0] == 't')
		return err_set(e, ERR_INVALID, "PostgreSQL at %s is a standby and takes no writes; name its primary",
			       p->where);
	if (code == 0)
		code = ask(p, "SELECT current_setting('fsync')", text, sizeof(text), e);
	if (code == 0 && strcmp(text, "off") == 0)
		log_warn(NULL, "PostgreSQL at %s runs with fsync=off: what it says is saved a loss of power may take",
			 p->where);
	if (code == 0)
		code = ask(p, "SELECT CAST(coalesce(CAST(current_schema() AS regnamespace),0) AS oid)", text,
			   sizeof(text), e);
	if (code == 0 && strcmp(text, "0") == 0)
		return err_set(
		    e, ERR_INVALID,
		    "PostgreSQL at %s: the search path names no schema that exists; make one (CREATE SCHEMA) "
		    "or give its name by options=-csearch_path=NAME in the URL",
		    p->where);
	p->lock_space = (int64_t)(strtoull(text, NULL, 10) << 32);
	return code;
}

/* Ours, or empty; not newer than we are. *ret = 0: empty. */
static int check_kind(struct pg *p, int64_t *ret, struct err *e)
{
	char text[64] = "";
	int code = ask(p,
		       "SELECT count(*) FROM pg_class WHERE relkind IN ('r','p','v') AND relnamespace="
		       "CAST(current_schema() AS regnamespace)",
		       text, sizeof(text), e);
	bool is_empty = strcmp(text, "0") == 0;

	*ret = 0;
	if (code || is_empty)
		return code;
	code = ask(p,
		   "SELECT count(*) FROM pg_class WHERE relkind='r' AND relname='weir' AND relnamespace="
		   "CAST(current_schema() AS regnamespace)",
		   text, sizeof(text), e);
	if (code == 0 && strcmp(text, "1") != 0)
		return err_set(e, ERR_INVALID,
			       "PostgreSQL at %s: the schema has tables of another program. Nothing was changed; name "
			       "another database, or a schema by options=-csearch_path=NAME in the URL",
			       p->where);
	if (code == 0)
		code = ask(p, "SELECT schema FROM weir", text, sizeof(text), e);
	*ret = strtoll(text, NULL, 10);
	if (code == 0 && *ret > SCHEMA_VERSION)
		return err_set(
		    e, ERR_INVALID,
		    "PostgreSQL at %s: the tables were made by a newer Weir (schema %lld; this one, " WEIR_VERSION
		    ", knows up to %lld). Nothing was changed; use the newer version",
		    p->where, (long long)*ret, (long long)SCHEMA_VERSION);
	return code;
}

static int migrate(struct pg *p, struct err *e)
{
	char sql[160];
	int64_t version = 0;
	int code = command(p, "BEGIN", "change", e);

	(void)snprintf(sql, sizeof(sql), "SELECT pg_advisory_xact_lock(%lld)", (long long)SCHEMA_LOCK);
	if (code == 0)
		code = command(p, sql, "change", e);
	if (code == 0)
		code = check_kind(p, &version, e);
	for (int64_t i = version; code == 0 && i < SCHEMA_VERSION; i++)
		code = command(p, migrations[i], "bring to a new schema", e);
	(void)snprintf(sql, sizeof(sql), "UPDATE weir SET schema=%lld", (long long)SCHEMA_VERSION);
	if (code == 0 && version < SCHEMA_VERSION)
		code = command(p, sql, "change", e);
	if (code) {
		(void)command(p, "ROLLBACK", "change", NULL);
		return code;
	}
	if (version < SCHEMA_VERSION)
		log_info(NULL, "store schema %lld -> %lld: PostgreSQL at %s", (long long)version,
			 (long long)SCHEMA_VERSION, p->where);
	return command(p, "COMMIT", "change", e);
}

/* A commit must mean disk, whatever the database's default is; and nobody may hold the one writer up for ever. */
static int settings(struct pg *p, struct err *e)
{
	char sql[400];

	(void)snprintf(sql, sizeof(sql),
		       "SELECT set_config('synchronous_commit','on',false) WHERE current_setting('synchronous_commit') "
		       "IN ('off','local');"
		       "SET lock_timeout=%lld; SET statement_timeout=0; SET idle_in_transaction_session_timeout=0;"
		       "SET default_transaction_isolation='read committed'; SET client_min_messages=warning",
		       (long long)p->busy_timeout);
	return command(p, sql, "set up", e);
}

/* ---- statements ---- */

/* As PostgreSQL wants it: parameters numbered, no hint of an index. False when it does not fit. */
static bool translate(const char *sql, char *ret, size_t size)
{
	static const char hint[] = "INDEXED BY ";
	int last = 0;
	size_t n = 0;

	for (const char *at = sql; *at;) {
		if (size - n < 16)
			return false;
		if (strncmp(at, hint, sizeof(hint) - 1) == 0) {
			at += sizeof(hint) - 1;
			at += strcspn(at, " ");
		} else if (*at == '?') {
			char *end;
			long number = strtol(at + 1, &end, 10);
			number = number ? number : last + 1;
			last = number > last ? (int)number : last;
			n += (size_t)sprintf(ret + n, "$%ld", number);
			at = end;
		} else {
			ret[n++] = *at++;
		}
	}
	ret[n] = '\0';
	return true;
}

static int take_description(struct pg *p, enum sql_statement id, const char *sql, const PGresult *r, struct err *e)
{
	struct pg_statement *own = &p->own[id];

	own->n = PQnparams(r);
	if (own->n > PG_PARAMS_MAX)
		return refuse(p, "prepare a statement of", sql, e);
	for (int i = 0; i < own->n; i++)
		own->types[i] = PQparamtype(r, i);
	return 0;
}

static int prepare_one(struct pg *p, enum sql_statement id, const char *text, struct err *e)
{
	char sql[2048], name[16];

	(void)snprintf(name, sizeof(name), "s%d", (int)id);
	if (!translate(text, sql, sizeof(sql)))
		return refuse(p, "prepare a statement of", text, e);
	PGresult *r = PQprepare(p->conn, name, sql, 0, NULL);
	int code =
	    PQresultStatus(r) == PGRES_COMMAND_OK ? 0 : refuse(p, "prepare a statement of", PQerrorMessage(p->conn), e);
	PQclear(r);
	if (code)
		return code;
	r = PQdescribePrepared(p->conn, name);
	code = PQresultStatus(r) == PGRES_COMMAND_OK ? take_description(p, id, sql, r, e)
						     : refuse(p, "describe a statement of", PQerrorMessage(p->conn), e);
	PQclear(r);
	return code;
}

static int prepare(struct pg *p, struct err *e)
{
	static const char *const texts[][2] = {
#define X(name, sqlite, pg) { sqlite, pg },
		SQL_STATEMENTS(X)
#undef X
	};
	int code = 0;

	for (size_t i = 0; i < SQL_STATEMENTS_N && code == 0; i++)
		code = prepare_one(p, (enum sql_statement)i, texts[i][1] ? texts[i][1] : texts[i][0], e);
	return code;
}

/* ---- the connection ---- */

static void note_where(struct pg *p)
{
	const char *host = PQhost(p->conn), *port = PQport(p->conn), *db = PQdb(p->conn);

	(void)snprintf(p->where, sizeof(p->where), "%s%s%s/%s", host && *host ? host : "?",
		       host && *host == '/' ? "" : ":",
		       host && *host == '/' ? ""
		       : port		    ? port
					    : "",
		       db ? db : "?");
}

void pg_disconnect(struct pg *p)
{
	pg_forget(p);
	PQfinish(p->conn);
	p->conn = NULL;
}

int pg_connect(struct pg *p, struct err *e)
{
	/* What stands before the URL it may overrule; what stands behind it not. */
	const char *const keys[] = { "connect_timeout", "tcp_user_timeout", "keepalives_idle", "keepalives_interval",
				     "dbname",		"application_name", "client_encoding", NULL };
	const char *const values[] = { PG_CONNECT_TIMEOUT, "30000", "30", "10", p->url, p->session, "UTF8", NULL };

	p->conn = PQconnectdbParams(keys, values, 1);
	if (!p->conn)
		return err_set(e, ERR_NO_MEMORY, "no memory for a connection to PostgreSQL");
	note_where(p);
	int code = PQstatus(p->conn) == CONNECTION_OK ? 0 : refuse(p, "connect to", PQerrorMessage(p->conn), e);
	if (code == 0)
		code = check_server(p, e);
	if (code == 0)
		code = settings(p, e);
	if (code == 0)
		code = migrate(p, e);
	if (code == 0)
		code = prepare(p, e);
	if (code == 0 && (PQsetnonblocking(p->conn, 1) || !PQenterPipelineMode(p->conn)))
		code = refuse(p, "set up", PQerrorMessage(p->conn), e);
	if (code)
		pg_disconnect(p);
	p->is_lost = code != 0;
	return code;
}
