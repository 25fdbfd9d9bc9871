/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store's tests share: a real loop, a real directory, and calls that wait: each starts an operation, turns the
 * loop until its callback, and keeps what it said as plain numbers and a rendering of the rows.
 */
#pragma once
#include "store/store.h"
#include "base/buf.h"
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <libpq-fe.h>
#include <sqlite3.h>
#include <unistd.h>

/* With WEIR_TEST_POSTGRES (a URL) the database is there, in a schema of its own. */
struct place {
	struct loop *loop;
	struct store *store;
	char dir[64];
	char last_dir[80]; /* the store's own: dir/store */
	char url[512];	   /* empty = weir.db in last_dir */
};

#define SKIP_ON_POSTGRES()                                                                                             \
	do {                                                                                                           \
		if (getenv("WEIR_TEST_POSTGRES"))                                                                      \
			skip();                                                                                        \
	} while (0)

/* What the last callback said. */
struct answer {
	struct loop *loop;
	bool has_come;
	enum store_error error;
	char detail[600];
	int64_t id;
	int change;
	bool was_recorded;
	size_t n, n_inputs;
	uint64_t total, next_seq, bytes_used, bytes_free;
	struct buf rows; /* one line a row */
};

static inline void render_rows(struct answer *a, const struct store_result *r)
{
	for (size_t i = 0; r->runs && i < r->n; i++)
		(void)buf_printf(&a->rows, "run %" PRId64 " %.*s/%.*s %s in=%" PRIu64 " steps=%.*s\n", r->runs[i].id,
				 STR_ARG(r->runs[i].component), STR_ARG(r->runs[i].dataflow),
				 run_state_name(r->runs[i].state), r->runs[i].items_in, STR_ARG(r->runs[i].steps));
	for (size_t i = 0; r->rows && i < r->n; i++) {
		const struct ledger_row *l = &r->rows[i];
		(void)buf_printf(&a->rows, "%" PRIu64 ".%u.%u.%d code=%d number=%" PRId64 " ", l->key.seq, l->key.step,
				 l->key.attempt, l->kind, l->code, l->number);
		(void)buf_append_str(&a->rows, l->head);
		(void)buf_append_char(&a->rows, '|');
		(void)buf_append_str(&a->rows, l->body);
		(void)buf_append_char(&a->rows, '\n');
	}
	for (size_t i = 0; r->inputs && i < r->n_inputs; i++)
		(void)buf_printf(&a->rows, "input %" PRIu64 "+%u %.*s\n", r->inputs[i].first_seq, r->inputs[i].count,
				 STR_ARG(r->inputs[i].lines));
	for (size_t i = 0; r->entries && i < r->n; i++)
		(void)buf_printf(&a->rows, "entry %" PRId64 " key=%.*s %.*s\n", r->entries[i].id,
				 STR_ARG(r->entries[i].key), STR_ARG(r->entries[i].data));
	for (size_t i = 0; r->components && i < r->n; i++)
		(void)buf_printf(&a->rows, "component %.*s %.*s %.*s\n", STR_ARG(r->components[i].name),
				 STR_ARG(r->components[i].version), STR_ARG(r->components[i].source));
}

static inline void on_answer(void *arg, const struct store_result *r)
{
	struct answer *a = arg;

	assert_false(a->has_come);
	a->has_come = true;
	a->error = r->error;
	(void)snprintf(a->detail, sizeof(a->detail), "%s", r->detail ? r->detail : "");
	a->id = r->id;
	a->change = r->change;
	a->was_recorded = r->was_recorded;
	a->n = r->n;
	a->n_inputs = r->n_inputs;
	a->total = r->total;
	a->next_seq = r->next_seq;
	a->bytes_used = r->bytes_used;
	a->bytes_free = r->bytes_free;
	render_rows(a, r);
	if (a->loop)
		loop_stop(a->loop);
}

/* Start `call` (which names `a` as its argument), wait, and leave the answer in `a`. */
#define ASK(place, a, call)                                                                                            \
	do {                                                                                                           \
		answer_clear((a), (place)->loop);                                                                      \
		struct err ask_err_ = ERR_INIT, *e = &ask_err_;                                                        \
		if ((call) != 0)                                                                                       \
			fail_msg("%s: %s", #call, ask_err_.msg);                                                       \
		(void)loop_run((place)->loop);                                                                         \
		assert_true((a)->has_come);                                                                            \
	} while (0)

static inline void answer_clear(struct answer *a, struct loop *l)
{
	buf_done(&a->rows);
	*a = (struct answer){ .loop = l };
	buf_init(&a->rows, 256u << 20);
}

static inline void answer_done(struct answer *a)
{
	buf_done(&a->rows);
}
#define auto_answer __attribute__((cleanup(answer_done)))

#define assert_rows(a, literal)                                                                                        \
	do {                                                                                                           \
		(void)buf_append_char(&(a)->rows, '\0');                                                               \
		assert_string_equal((a)->rows.ptr, literal);                                                           \
	} while (0)

/* ---- places ---- */

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

/* From outside of the store: the first number of the first row, 0 where there is none. */
static inline int64_t postgres_number(const char *url, const char *sql)
{
	PGconn *c = PQconnectdb(url);
	PGresult *r = PQexec(c, sql);
	ExecStatusType status = PQresultStatus(r);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(c));
	int64_t n = PQntuples(r) ? strtoll(PQgetvalue(r, 0, 0), NULL, 10) : 0;
	PQclear(r);
	PQfinish(c);
	return n;
}

static inline int64_t sqlite_number(const char *path, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 10000);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	int64_t n = sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
	(void)sqlite3_finalize(st);
	(void)sqlite3_close(db);
	return n;
}

static inline void place_schema(struct place *p, const char *base)
{
	static unsigned n;
	char sql[96];

	(void)snprintf(sql, sizeof(sql), "CREATE SCHEMA t%d_%u", (int)getpid(), ++n);
	(void)postgres_number(base, sql);
	(void)snprintf(p->url, sizeof(p->url), "%s%coptions=-csearch_path%%3Dt%d_%u", base, strchr(base, '?') ? '&' : '?', (int)getpid(), n);
}

/* A directory whose "store" does not exist yet, and a loop. */
static inline void place_make(struct place *p)
{
	*p = (struct place){ 0 };
	if (getenv("WEIR_TEST_POSTGRES"))
		place_schema(p, getenv("WEIR_TEST_POSTGRES"));
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/weir-store-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	(void)snprintf(p->last_dir, sizeof(p->last_dir), "%s/store", p->dir);
	p->loop = loop_new(NULL);
	assert_non_null(p->loop);
}

static inline int place_try(struct place *p, struct err *e)
{
	return store_open(&p->store, p->loop, &(struct store_config){ .dir = p->last_dir, .url = *p->url ? p->url : NULL }, e);
}

static inline void place_open(struct place *p)
{
	struct err e = ERR_INIT;

	if (place_try(p, &e))
		fail_msg("open: %s", e.msg);
}

static inline void place_close(struct place *p)
{
	store_close(p->store);
	p->store = NULL;
}

static inline void place_drop(struct place *p)
{
	place_close(p);
	loop_free(p->loop);
	(void)nftw(p->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void place_new(struct place *p)
{
	place_make(p);
	place_open(p);
}

static inline const char *place_file(const struct place *p, const char *name)
{
	static char path[256];
	(void)snprintf(path, sizeof(path), "%s/%s", p->last_dir, name);
	return path;
}

/* What a statement gives, or does, beside the store that is open. */
static inline int64_t place_number(const struct place *p, const char *sql)
{
	return *p->url ? postgres_number(p->url, sql) : sqlite_number(place_file(p, "weir.db"), sql);
}

/* ---- things to write ---- */

static inline struct run_row a_run(void)
{
	return (struct run_row){
		.component = STR("weather"),
		.dataflow = STR("get_weather"),
		.version = STR("v1"),
		.env = STR("sample"),
		.trigger = STR("form"),
		.started_at = 1000,
		.now = 1000,
		.seed = UINT64_MAX - 1,
		.steps = STR("{}"),
	};
}

static inline struct ledger_row a_row(int64_t run, uint64_t seq, enum ledger_kind kind, const char *body)
{
	return (struct ledger_row){
		.key = { .run = run, .seq = seq, .step = 1, .attempt = 1 },
		.kind = kind,
		.at = 5,
		.head = STR("{}"),
		.body = str_c(body),
	};
}
