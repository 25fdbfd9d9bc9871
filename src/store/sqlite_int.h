/* SPDX-License-Identifier: Apache-2.0 */
/* What the sqlite files know of each other; they are the one door to <sqlite3.h>. */
#pragma once
#include "store/store_int.h"

#include <sqlite3.h>

#define SQLITE_PAGE_BYTES 8192 /* a row of up to 2 kB stays in its page */
#define SQLITE_CACHE_KIB 16384
#define SQLITE_CHECKPOINT_PAGES 2048	/* 16 MiB of write-ahead log, then it is moved into the database */
#define SQLITE_LOG_BYTES_MAX (64 << 20) /* the log file is cut to this when it has been moved */

#define RUN_COLUMNS                                                                                                    \
	"id,component,dataflow,version,env,trigger,state,started_at,ended_at,now,seed,input_is_complete,"              \
	"items_in,items_out,failed,unknown,steps,problem"
#define ENTRY_COLUMNS "id,component,key,data,created_at,updated_at,run"
#define LEDGER_COLUMNS "run,seq,step,attempt,kind,at,code,number,head,body,packed"
#define COMPONENT_COLUMNS "name,version,imported_at,source"

/* Every statement of the program, prepared once. */
#define SQLITE_STATEMENTS(X)                                                                                           \
	X(BEGIN_WRITE, "BEGIN IMMEDIATE")                                                                              \
	X(BEGIN_READ, "BEGIN")                                                                                         \
	X(COMMIT, "COMMIT")                                                                                            \
	X(ROLLBACK, "ROLLBACK")                                                                                        \
	X(RUN_INSERT, "INSERT INTO runs (component,dataflow,version,env,trigger,state,started_at,ended_at,now,seed,"   \
		      "input_is_complete,items_in,items_out,failed,unknown,steps,problem) "                            \
		      "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")                                                    \
	X(RUN_UPDATE, "UPDATE runs SET state=?,ended_at=?,input_is_complete=?,items_in=?,items_out=?,failed=?,"        \
		      "unknown=?,steps=?,problem=? WHERE id=?")                                                        \
	X(RUN_GET, "SELECT " RUN_COLUMNS " FROM runs WHERE id=?")                                                      \
	X(RUN_LIST, "SELECT " RUN_COLUMNS " FROM runs WHERE id<? ORDER BY id DESC LIMIT ?")                            \
	X(RUN_LIST_STATE, "SELECT " RUN_COLUMNS " FROM runs WHERE id<? AND state=?3 ORDER BY id DESC LIMIT ?2")        \
	X(RUN_COUNT, "SELECT count(*) FROM runs")                                                                      \
	X(RUN_COUNT_STATE, "SELECT count(*) FROM runs WHERE state=?")                                                  \
	X(INPUT_INSERT, "INSERT INTO input VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING")                               \
	X(MADE_PUT, "INSERT INTO ledger VALUES (?,?,?,1,6,?,0,?,?,x'',NULL) ON CONFLICT DO UPDATE SET at=excluded.at,"      \
		    "number=excluded.number,head=excluded.head WHERE excluded.number>number")                          \
	X(INPUT_END, "SELECT coalesce(max(first_seq+count),0),coalesce(sum(count) FILTER (WHERE made_by=0),0) "        \
		     "FROM input WHERE run=?")                                                                         \
	X(INPUT_READ,                                                                                                  \
	  "SELECT run,first_seq,count,lines,made_by,parent,packed FROM input WHERE run=?1 AND first_seq>=coalesce((SELECT "   \
	  "first_seq FROM input WHERE run=?1 AND first_seq<=?2 ORDER BY first_seq DESC LIMIT 1),?2) "                  \
	  "AND first_seq<=?3 ORDER BY first_seq")                                                                      \
	X(LEDGER_INSERT, "INSERT INTO ledger VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING")                     \
	X(LEDGER_READ,                                                                                                 \
	  "SELECT " LEDGER_COLUMNS " FROM ledger WHERE run=? AND seq BETWEEN ? AND ? ORDER BY seq,step,attempt,kind")  \
	X(LEDGER_FIND, "SELECT code,number FROM ledger WHERE run=? AND seq=? AND step=? AND attempt=? AND kind=?")     \
	X(PROBLEM_LIST, "SELECT " LEDGER_COLUMNS                                                                       \
			" FROM ledger INDEXED BY ledger_problems WHERE kind=4 AND run=?1 AND seq BETWEEN ?2 AND ?3 "   \
			"AND (?4=-1 OR code=?4) ORDER BY seq LIMIT ?5")                                                \
	X(PROBLEM_COUNT, "SELECT count(*) FROM ledger INDEXED BY ledger_problems WHERE kind=4 AND run=?1 "             \
			 "AND (?2=-1 OR code=?2)")                                                                     \
	X(PROBLEM_SCAN, "SELECT seq,step FROM ledger INDEXED BY ledger_problems WHERE kind=4 AND run=? AND code=?")     \
	X(ANSWERED_DROP, "DELETE FROM ledger WHERE run=?1 AND seq=?2 AND step=?3 AND ((kind IN (1,2) AND attempt IN "  \
			 "(SELECT attempt FROM ledger WHERE run=?1 AND seq=?2 AND step=?3 AND kind=2)) OR kind=9 OR "  \
			 "(kind=8 AND code<>3))")                                                                      \
	X(PROBLEM_DROP, "DELETE FROM ledger INDEXED BY ledger_problems WHERE kind=4 AND run=? AND code=?")              \
	X(UNKNOWN_LIST, "SELECT seq,step,(SELECT coalesce(max(attempt),1) FROM ledger l WHERE l.run=p.run AND "        \
			"l.seq=p.seq AND l.step=p.step AND l.kind IN (1,2)) FROM ledger p INDEXED BY ledger_problems " \
			"WHERE kind=4 AND run=?1 AND seq BETWEEN ?2 AND ?3 AND code=?4 ORDER BY seq LIMIT ?5")         \
	X(UNKNOWN_DROP, "DELETE FROM ledger WHERE run=? AND seq=? AND step=? AND attempt=1 AND kind=4")                \
	X(REDO_STUCK, "SELECT kind,step FROM ledger WHERE run=?1 AND seq BETWEEN ?2 AND ?3 AND step=?4 AND "           \
		      "(kind=6 OR (?5 AND kind=3)) LIMIT 1")                                                           \
	X(REDO_ROWS, "DELETE FROM ledger WHERE run=?1 AND seq BETWEEN ?2 AND ?3 AND step=?4 AND (kind IN (3,5,9) OR "  \
		     "(kind=8 AND code<>3) OR (kind IN (1,2) AND EXISTS (SELECT 1 FROM ledger o WHERE o.run=ledger.run AND "                   \
		     "o.seq=ledger.seq AND o.step=ledger.step AND o.attempt=ledger.attempt AND o.kind=2))) "           \
		     "AND NOT EXISTS (SELECT 1 FROM ledger u WHERE u.run=ledger.run AND u.seq=ledger.seq AND "         \
		     "u.step=ledger.step AND u.attempt=1 AND u.kind=4 AND u.code=?5)")                                 \
	X(REDO_PROBLEMS, "DELETE FROM ledger WHERE run=?1 AND seq BETWEEN ?2 AND ?3 AND step=?4 AND kind=4 AND "       \
			 "code<>?5")                                                                                   \
	X(RUN_REOPEN, "UPDATE runs SET state=0,ended_at=0,unknown=max(0,unknown-?2),failed=max(0,failed-?3),problem="  \
		      "CASE WHEN substr(problem,1,length(?4))=?4 THEN '' ELSE problem END WHERE id=?1")                \
	X(DATA_VERSION, "PRAGMA data_version")                                                                         \
	X(RUN_OWNER, "SELECT component,dataflow,version FROM runs WHERE id=?")                                         \
	X(DICTIONARY_FIND, "SELECT id,bytes FROM dictionaries WHERE component=? AND dataflow=? AND version=? AND "     \
			   "step=? AND kind=?")                                                                        \
	X(DICTIONARY_GET, "SELECT bytes FROM dictionaries WHERE id=?")                                                 \
	X(DICTIONARY_PUT, "INSERT INTO dictionaries (component,dataflow,version,step,kind,made_at,bytes) "             \
			  "VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING")                                             \
	X(RUN_STATE, "SELECT state FROM runs WHERE id=?")                                                              \
	X(RUN_DROP, "DELETE FROM runs WHERE id=?")                                                                     \
	X(RUN_BYTES, "SELECT (SELECT coalesce(sum(24+length(CAST(head AS BLOB))+length(body)+"                         \
		     "coalesce(length(packed),0)),0) FROM ledger WHERE run=?1)+(SELECT "                               \
		     "coalesce(sum(length(lines)+coalesce(length(packed),0)),0) FROM input WHERE run=?1)")             \
	X(PRUNE_NOTE, "INSERT INTO pruning SELECT id,component,dataflow,version FROM runs WHERE id=?")                 \
	X(PRUNE_NEXT, "SELECT run,component,dataflow,version FROM pruning ORDER BY run LIMIT 1")                       \
	X(PRUNE_DONE, "DELETE FROM pruning WHERE run=?")                                                               \
	X(PRUNE_LEDGER_EDGE, "SELECT seq FROM ledger WHERE run=? ORDER BY seq LIMIT 1 OFFSET ?")                       \
	X(PRUNE_LEDGER, "DELETE FROM ledger WHERE run=? AND seq<=?")                                                   \
	X(PRUNE_INPUT_EDGE, "SELECT first_seq FROM input WHERE run=? ORDER BY first_seq LIMIT 1 OFFSET ?")             \
	X(PRUNE_INPUT, "DELETE FROM input WHERE run=? AND first_seq<=?")                                               \
	X(DICTIONARY_DROP, "DELETE FROM dictionaries WHERE component=?1 AND dataflow=?2 AND version=?3 AND NOT "       \
			   "EXISTS (SELECT 1 FROM runs WHERE component=?1 AND version=?3 AND dataflow=?2)")            \
	X(COMPONENT_DROP, "DELETE FROM components WHERE name=?1 AND version=?3 AND imported_at=0 AND used_at<?4 AND "  \
			  "?2 IS NOT NULL AND NOT EXISTS (SELECT 1 FROM runs WHERE component=?1 AND version=?3)")      \
	X(VACUUM_SOME, "PRAGMA incremental_vacuum(256)")                                                               \
	X(PAGE_COUNT, "PRAGMA page_count")                                                                             \
	X(FREE_COUNT, "PRAGMA freelist_count")                                                                         \
	X(STORAGE,                                                                                                     \
	  "SELECT CASE kind WHEN 1 THEN 'requests' WHEN 2 THEN 'answers' WHEN 3 THEN 'lines of entries' WHEN 4 THEN "  \
	  "'problems' WHEN 5 THEN 'outputs' ELSE 'items made' END,count(*),sum(length(CAST(head AS BLOB))+"            \
	  "length(body)+coalesce(length(packed),0)) FROM ledger GROUP BY kind UNION ALL SELECT 'input',count(*),"      \
	  "sum(length(lines)+coalesce(length(packed),0)) FROM input UNION ALL SELECT 'entries',count(*),"              \
	  "sum(length(CAST(data AS BLOB))) FROM entries UNION ALL SELECT 'components',count(*),sum(length(source)) "   \
	  "FROM components UNION ALL SELECT 'dictionaries',count(*),sum(length(bytes)) FROM dictionaries")             \
	X(ENTRY_BY_ID, "SELECT " ENTRY_COLUMNS " FROM entries WHERE id=? AND component=?")                             \
	X(ENTRY_BY_KEY, "SELECT " ENTRY_COLUMNS " FROM entries WHERE key=? AND component=?")                           \
	X(ENTRY_INSERT, "INSERT INTO entries (component,key,data,created_at,updated_at,run) VALUES (?,?,?,?,?,?)")     \
	X(ENTRY_UPDATE, "UPDATE entries SET key=?,data=?,updated_at=?,run=? WHERE id=?")                               \
	X(ENTRY_DELETE, "DELETE FROM entries WHERE id=?")                                                              \
	X(ENTRY_COUNT, "SELECT count(*) FROM entries INDEXED BY entries_by_age WHERE component=?")                     \
	X(ENTRY_LIST, "SELECT " ENTRY_COLUMNS " FROM entries INDEXED BY entries_by_age WHERE component=? "             \
		      "ORDER BY updated_at DESC,id DESC LIMIT ?")                                                      \
	X(ENTRY_LIST_AFTER, "SELECT " ENTRY_COLUMNS " FROM entries INDEXED BY entries_by_age WHERE component=? "       \
			    "AND (updated_at,id)<(?3,?4) ORDER BY updated_at DESC,id DESC LIMIT ?2")                   \
	X(COMPONENT_GET, "SELECT " COMPONENT_COLUMNS " FROM components WHERE name=? AND version=?")                    \
	X(COMPONENT_NEWEST, "SELECT " COMPONENT_COLUMNS " FROM components WHERE name=? AND imported_at>0 "             \
			    "ORDER BY rank DESC LIMIT 1")                                                              \
	X(COMPONENT_PUT, "INSERT INTO components (name,version,rank,imported_at,source,used_at) VALUES (?1,?2,"        \
			 "(SELECT coalesce(max(rank),0)+1 FROM components WHERE name=?1),?3,?4,?5) ON CONFLICT "       \
			 "(name,version) DO UPDATE SET used_at=excluded.used_at,"                                      \
			 "rank=iif(excluded.imported_at>0,excluded.rank,rank),"                                        \
			 "imported_at=iif(excluded.imported_at>0,excluded.imported_at,imported_at),"                   \
			 "source=iif(excluded.imported_at>0,excluded.source,source)")                                  \
	X(COMPONENT_LIST, "SELECT " COMPONENT_COLUMNS " FROM components c WHERE rank=(SELECT max(rank) FROM "          \
			  "components WHERE name=c.name AND imported_at>0) ORDER BY name")

enum sqlite_statement {
#define X(name, sql) ST_##name,
	SQLITE_STATEMENTS(X)
#undef X
	    ST_COUNT
};

enum codec_error {
	CODEC_OK = 0,
	CODEC_NO_ROOM, /* no memory, or the arena is full */
	CODEC_DAMAGED, /* these bytes are no packed row, or its dictionary is gone */
	CODEC_FAULT,   /* of the database: q->fault */
};

struct codec;

struct sqlite {
	sqlite3 *db;
	bool keeps_plain;	 /* new rows are not packed; packed ones are read */
	bool gives_back;	 /* the file can shrink: auto_vacuum is incremental */
	enum codec_error unread; /* why the last row could not be read */
	struct codec *codec;	 /* NULL in memory: there rows stay plain */
	sqlite3_stmt *st[ST_COUNT];
	int log_pages;	   /* in the write-ahead log, as of the last commit */
	int checkpoint_at; /* when log_pages reaches this */
	struct store_fault fault;
};

/* sqlite_open.c: checks, migrates; 0 or -code with a sentence that a person can act on. */
/* sqlite_log.c: before the database is opened: what is wrong with its log, as far as its index tells; NULL = nothing known to be. */
const char *sqlite_log_trouble(const char *database);
int sqlite_open(struct sqlite *q, struct dir *dir, const struct store_config *config, struct err *e);

/* Fill q->fault from the connection's last error; always -1. */
int sqlite_fault(struct sqlite *q, const char *doing);
/* Next row: 1; done (and reset): 0; -1 with q->fault. A statement left in the middle wants sqlite3_reset(). */
int sqlite_next(struct sqlite *q, enum sqlite_statement st);
/* As above for a statement without rows, or whose rows do not matter: 0 or -1. */
int sqlite_do(struct sqlite *q, enum sqlite_statement st);
/* The one number that the statement gives: 0 or -1. */
int sqlite_number(struct sqlite *q, enum sqlite_statement st, uint64_t *ret);

/* Binding. Bytes are borrowed until the statement has run. Empty is empty, never NULL; only bind_key knows NULL. */
static inline void bind_int(sqlite3_stmt *st, int i, int64_t n)
{
	(void)sqlite3_bind_int64(st, i, n);
}

static inline void bind_text(sqlite3_stmt *st, int i, struct str s)
{
	(void)sqlite3_bind_text64(st, i, s.ptr ? s.ptr : "", s.len, SQLITE_STATIC, SQLITE_UTF8);
}

static inline void bind_blob(sqlite3_stmt *st, int i, struct str s)
{
	(void)sqlite3_bind_blob64(st, i, s.ptr ? s.ptr : "", s.len, SQLITE_STATIC);
}

static inline void bind_key(sqlite3_stmt *st, int i, struct str s)
{
	if (s.ptr)
		bind_text(st, i, s);
	else
		(void)sqlite3_bind_null(st, i);
}

static inline void bind_packed(sqlite3_stmt *st, int i, struct str s)
{
	if (s.ptr)
		bind_blob(st, i, s);
	else
		(void)sqlite3_bind_null(st, i);
}

/* Column as borrowed bytes, until the next step of the statement. */
static inline struct str column_bytes(sqlite3_stmt *st, int i)
{
	const void *bytes = sqlite3_column_blob(st, i);

	return (struct str){ bytes, (size_t)sqlite3_column_bytes(st, i) };
}

/* ---- sqlite_codec.c: rows compressed against dictionaries ---- */

#define CODEC_INPUT 0 /* the "kind" of an input chunk; its step is made_by */

struct codec *codec_new(void); /* NULL = no memory */
void codec_free(struct codec *c);
/* At the beginning of a transaction that writes: has another process been here? 0 or -1. */
int codec_begin(struct sqlite *q);
/* What was known of the file's runs and dictionaries may not be so: after a rollback, after pruning. */
void codec_doubt(struct codec *c);
/* Between groups: makes at most one dictionary, some milliseconds. */
void codec_tend(struct codec *c);
/*
 * *ret: the row packed, borrowed until the next call; the null string = it stays plain (too small, too large, nothing gained, no memory).
 * 0, or -1 with q->fault. May write a dictionary: within the row's transaction.
 */
int codec_pack(struct sqlite *q, const struct ledger_key *key, int kind, struct str head, struct str body, struct str *ret);
/* The very bytes back, in `a`. */
enum codec_error codec_unpack(struct sqlite *q, struct str packed, struct arena *a, struct str *ret_head,
			      struct str *ret_body);

/* The verbs of operations: 0, or -1 with q->fault. */
typedef int sqlite_verb(struct sqlite *q, struct op *op);

/* sqlite_ledger.c */
sqlite_verb sqlite_run_create, sqlite_run_update, sqlite_input_put, sqlite_ledger_put, sqlite_drop_problems;
/* sqlite_decide.c */
sqlite_verb sqlite_decide, sqlite_ledger_redo;
/* The run is to be resumed; so many items are no longer unknown, or failed. */
int sqlite_run_reopen(struct sqlite *q, int64_t run, size_t unknown, size_t failed);
void sqlite_bind_ledger_key(sqlite3_stmt *st, const struct ledger_key *key, enum ledger_kind kind);
/* sqlite_entry.c */
sqlite_verb sqlite_entry_write, sqlite_component_put;
/* sqlite_prune.c */
sqlite_verb sqlite_run_prune, sqlite_prune_some, sqlite_run_bytes, sqlite_space, sqlite_storage;
/* sqlite_read.c */
sqlite_verb sqlite_run_get, sqlite_run_list, sqlite_input_end, sqlite_ledger_read, sqlite_problem_list,
    sqlite_entry_get, sqlite_entry_list, sqlite_component_get, sqlite_component_list;
/* The row that the entry statement stands on, copied into `a`; false when there is no room. */
bool sqlite_read_entry(sqlite3_stmt *st, struct arena *a, struct entry_row *ret);
