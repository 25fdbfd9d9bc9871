/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every statement of the program, prepared once: name, text for SQLite, text for PostgreSQL where that differs (NULL = the same). Of what the two
 * understand in common `?` stands for a parameter, and INDEXED BY is left out for PostgreSQL, which chooses for itself. There all text is
 * bytea, since JSON texts and keys may hold U+0000, which its type text refuses: sql/pg-001.sql.
 */
#pragma once

#define RUN_COLUMNS                                                                                                    \
	"id,component,dataflow,version,env,trigger,state,started_at,ended_at,now,seed,input_is_complete,"              \
	"items_in,items_out,failed,unknown,steps,problem"
#define ENTRY_COLUMNS "id,component,key,data,created_at,updated_at,run,seq,step"
#define LEDGER_COLUMNS "run,seq,step,attempt,kind,at,code,number,head,body,packed"
#define COMPONENT_COLUMNS "name,version,imported_at,source"

/*
 * About what the rows of a table take. PostgreSQL keeps the room of deleted rows for new ones and does not say how much of it there is, so what lives
 * is counted, of blocks drawn by lot where the table is larger than 64 MiB. 150: a row's header, numbers and lines of indexes.
 */
#define PG_LIVE(table, columns)                                                                                        \
	"coalesce((SELECT sum(150+" columns "+coalesce(pg_column_size(packed),0)) FROM " table                         \
	" TABLESAMPLE SYSTEM (least(100,6710886400.0/greatest(pg_relation_size('" table "'),1))))*"                    \
	"greatest(1,pg_relation_size('" table "')/67108864.0),0)"

#define SQL_STATEMENTS(X)                                                                                              \
	X(BEGIN_WRITE, "BEGIN IMMEDIATE", "BEGIN")                                                                     \
	X(BEGIN_READ, "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")                                      \
	X(COMMIT, "COMMIT", NULL)                                                                                      \
	X(ROLLBACK, "ROLLBACK", NULL)                                                                                  \
	X(LOCK, NULL, "SELECT 1 FROM (SELECT pg_advisory_xact_lock(?)) l")                                             \
	X(MARK, "PRAGMA data_version", "SELECT coalesce(max(id),0)*1000003-count(*) FROM dictionaries")                \
	X(GROUP_NOTE, NULL,                                                                                            \
	  "INSERT INTO sessions VALUES (?,?,?) ON CONFLICT (session) DO UPDATE SET saved=excluded.saved,"              \
	  "at=excluded.at")                                                                                            \
	X(GROUP_SAVED, NULL, "SELECT coalesce(max(saved),0) FROM sessions WHERE session=?")                            \
	X(SESSIONS_DROP, NULL, "DELETE FROM sessions WHERE at<? OR session=?")                                         \
	X(CLAIM, NULL, "SELECT CAST(pg_try_advisory_lock(?) AS INT)")                                                  \
	X(RELEASE, NULL, "SELECT CAST(pg_advisory_unlock(?) AS INT)")                                                  \
	X(CLAIM_NOTE, NULL, "INSERT INTO claims VALUES (?,?) ON CONFLICT (run) DO UPDATE SET session=excluded.session") \
	X(CLAIM_HOLDS, NULL, "SELECT count(*) FROM claims WHERE run=? AND session=?")                                  \
	X(CLAIM_DROP, NULL, "DELETE FROM claims WHERE run=? AND session=?")                                            \
	X(END_SESSIONS, NULL,                                                                                          \
	  "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name=convert_from(?,'UTF8') " \
	  "AND datname=current_database() AND pid<>pg_backend_pid()")                                                  \
	X(SPACE,                                                                                                       \
	  "SELECT (p.page_count-f.freelist_count)*s.page_size,f.freelist_count*s.page_size FROM pragma_page_count p,"  \
	  "pragma_freelist_count f,pragma_page_size s",                                                                \
	  "SELECT used,CASE WHEN all_of_it>used THEN all_of_it-used ELSE 0 END FROM (SELECT CAST("                     \
	  PG_LIVE("ledger", "pg_column_size(head)+pg_column_size(body)") "+" PG_LIVE("input", "pg_column_size(lines)") \
	  "+pg_total_relation_size('entries')+pg_total_relation_size('components')+"                                   \
	  "pg_total_relation_size('dictionaries')+pg_total_relation_size('runs') AS BIGINT) AS used,"                  \
	  "(SELECT CAST(coalesce(sum(pg_total_relation_size(oid)),0) AS BIGINT) FROM pg_class WHERE relkind='r' AND "  \
	  "relnamespace=CAST(current_schema() AS regnamespace)) AS all_of_it) s")                                      \
	X(RUN_INSERT,                                                                                                  \
	  "INSERT INTO runs (component,dataflow,version,env,trigger,state,started_at,ended_at,now,seed,"               \
	  "input_is_complete,items_in,items_out,failed,unknown,steps,problem) "                                        \
	  "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) RETURNING id",                                                   \
	  NULL)                                                                                                        \
	X(RUN_UPDATE,                                                                                                  \
	  "UPDATE runs SET state=?,ended_at=?,input_is_complete=?,items_in=?,items_out=?,failed=?,"                    \
	  "unknown=?,steps=?,problem=? WHERE id=?",                                                                    \
	  NULL)                                                                                                        \
	X(RUN_GET, "SELECT " RUN_COLUMNS " FROM runs WHERE id=?", NULL)                                                \
	X(RUN_LIST, "SELECT " RUN_COLUMNS " FROM runs WHERE id<? ORDER BY id DESC LIMIT ?", NULL)                      \
	X(RUN_LIST_STATE, "SELECT " RUN_COLUMNS " FROM runs WHERE id<?1 AND state=?3 ORDER BY id DESC LIMIT ?2", NULL) \
	X(RUN_COUNT, "SELECT count(*) FROM runs", NULL)                                                                \
	X(RUN_COUNT_STATE, "SELECT count(*) FROM runs WHERE state=?", NULL)                                            \
	X(INPUT_INSERT, "INSERT INTO input VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING", NULL)                       \
	X(MADE_PUT,                                                                                                    \
	  "INSERT INTO ledger VALUES (?,?,?,1,6,?,0,?,?,?,NULL) ON CONFLICT (run,seq,step,attempt,kind) DO UPDATE "    \
	  "SET at=excluded.at,number=excluded.number,head=excluded.head WHERE excluded.number>ledger.number",          \
	  NULL)                                                                                                        \
	X(INPUT_END,                                                                                                   \
	  "SELECT coalesce(max(first_seq+count),0),CAST(coalesce(sum(count) FILTER (WHERE made_by=0),0) AS BIGINT) "   \
	  "FROM input WHERE run=?",                                                                                    \
	  NULL)                                                                                                        \
	X(INPUT_READ,                                                                                                  \
	  "SELECT run,first_seq,count,lines,made_by,parent,packed FROM input WHERE run=?1 AND first_seq>=coalesce("    \
	  "(SELECT first_seq FROM input WHERE run=?1 AND first_seq<=?2 ORDER BY first_seq DESC LIMIT 1),?2) "          \
	  "AND first_seq<=?3 ORDER BY first_seq LIMIT ?4",                                                             \
	  NULL)                                                                                                        \
	X(LEDGER_INSERT, "INSERT INTO ledger VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING", NULL)             \
	X(LEDGER_READ,                                                                                                 \
	  "SELECT " LEDGER_COLUMNS " FROM ledger WHERE run=?1 AND seq BETWEEN ?2 AND ?3 AND "                          \
	  "(seq,step,attempt,kind)>(?2,?4,?5,?6) ORDER BY seq,step,attempt,kind LIMIT ?7",                             \
	  NULL)                                                                                                        \
	X(LEDGER_FIND, "SELECT code,number FROM ledger WHERE run=? AND seq=? AND step=? AND attempt=? AND kind=?",     \
	  NULL)                                                                                                        \
	X(PROBLEM_LIST,                                                                                                \
	  "SELECT " LEDGER_COLUMNS " FROM ledger INDEXED BY ledger_problems WHERE kind=4 AND run=?1 AND seq BETWEEN "  \
	  "?2 AND ?3 AND (?4=-1 OR code=?4) ORDER BY seq LIMIT ?5",                                                    \
	  NULL)                                                                                                        \
	X(PROBLEM_COUNT,                                                                                               \
	  "SELECT count(*) FROM ledger INDEXED BY ledger_problems WHERE kind=4 AND run=?1 AND (?2=-1 OR code=?2)",     \
	  NULL)                                                                                                        \
	X(PROBLEM_SCAN,                                                                                                \
	  "SELECT seq,step FROM ledger INDEXED BY ledger_problems WHERE kind=4 AND run=?1 AND code=?2 AND "            \
	  "(seq,step)>(?3,?4) ORDER BY seq,step LIMIT ?5",                                                             \
	  NULL)                                                                                                        \
	X(ANSWERED_DROP,                                                                                               \
	  "DELETE FROM ledger WHERE run=?1 AND seq=?2 AND step=?3 AND ((kind IN (1,2) AND attempt IN "                 \
	  "(SELECT attempt FROM ledger WHERE run=?1 AND seq=?2 AND step=?3 AND kind=2)) OR kind=9 OR "                 \
	  "(kind=8 AND code<>3))",                                                                                     \
	  NULL)                                                                                                        \
	X(PROBLEM_DROP, "DELETE FROM ledger INDEXED BY ledger_problems WHERE kind=4 AND run=? AND code=?", NULL)       \
	X(UNKNOWN_LIST,                                                                                                \
	  "SELECT seq,step,(SELECT coalesce(max(attempt),1) FROM ledger l WHERE l.run=p.run AND "                      \
	  "l.seq=p.seq AND l.step=p.step AND l.kind IN (1,2)) FROM ledger p INDEXED BY ledger_problems "               \
	  "WHERE kind=4 AND run=?1 AND seq BETWEEN ?2 AND ?3 AND code=?4 ORDER BY seq,step LIMIT ?5",                  \
	  NULL)                                                                                                        \
	X(UNKNOWN_DROP, "DELETE FROM ledger WHERE run=? AND seq=? AND step=? AND attempt=1 AND kind=4", NULL)          \
	X(REDO_STUCK,                                                                                                  \
	  "SELECT kind,step FROM ledger WHERE run=?1 AND seq BETWEEN ?2 AND ?3 AND step=?4 AND "                       \
	  "(kind=6 OR (?5=1 AND kind=3)) LIMIT 1",                                                                     \
	  NULL)                                                                                                        \
	X(REDO_ROWS,                                                                                                   \
	  "DELETE FROM ledger WHERE run=?1 AND seq BETWEEN ?2 AND ?3 AND step=?4 AND (kind IN (3,5,9) OR "             \
	  "(kind=8 AND code<>3) OR (kind IN (1,2) AND EXISTS (SELECT 1 FROM ledger o WHERE o.run=ledger.run AND "                              \
	  "o.seq=ledger.seq AND o.step=ledger.step AND o.attempt=ledger.attempt AND o.kind=2))) "                      \
	  "AND NOT EXISTS (SELECT 1 FROM ledger u WHERE u.run=ledger.run AND u.seq=ledger.seq AND "                    \
	  "u.step=ledger.step AND u.attempt=1 AND u.kind=4 AND u.code=?5)",                                            \
	  NULL)                                                                                                        \
	X(REDO_PROBLEMS,                                                                                               \
	  "DELETE FROM ledger WHERE run=?1 AND seq BETWEEN ?2 AND ?3 AND step=?4 AND kind=4 AND code<>?5", NULL)       \
	X(RUN_REOPEN,                                                                                                  \
	  "UPDATE runs SET state=0,ended_at=0,unknown=CASE WHEN unknown>?2 THEN unknown-?2 ELSE 0 END,failed=CASE "    \
	  "WHEN failed>?3 THEN failed-?3 ELSE 0 END,problem="                                                          \
	  "CASE WHEN substr(problem,1,length(?4))=?4 THEN '' ELSE problem END WHERE id=?1",                            \
	  "UPDATE runs SET state=0,ended_at=0,unknown=greatest(0,unknown-?2),failed=greatest(0,failed-?3),problem="    \
	  "CASE WHEN substr(problem,1,length(CAST(?4 AS bytea)))=?4 THEN '' ELSE problem END WHERE id=?1")             \
	X(RUN_OWNER, "SELECT component,dataflow,version FROM runs WHERE id=?", NULL)                                   \
	X(DICTIONARY_FIND,                                                                                             \
	  "SELECT id,bytes FROM dictionaries WHERE component=? AND dataflow=? AND version=? AND step=? AND kind=?",    \
	  NULL)                                                                                                        \
	X(DICTIONARY_GET, "SELECT bytes FROM dictionaries WHERE id=?", NULL)                                           \
	X(DICTIONARY_PUT,                                                                                              \
	  "INSERT INTO dictionaries (component,dataflow,version,step,kind,made_at,bytes) "                             \
	  "VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING RETURNING id",                                                \
	  NULL)                                                                                                        \
	X(RUN_STATE, "SELECT state FROM runs WHERE id=?", NULL)                                                        \
	X(RUN_DROP, "DELETE FROM runs WHERE id=?", NULL)                                                               \
	X(RUN_BYTES,                                                                                                   \
	  "SELECT (SELECT coalesce(sum(24+length(CAST(head AS BLOB))+length(body)+"                                    \
	  "coalesce(length(packed),0)),0) FROM ledger WHERE run=?1)+(SELECT "                                          \
	  "coalesce(sum(length(lines)+coalesce(length(packed),0)),0) FROM input WHERE run=?1)",                        \
	  "SELECT (SELECT coalesce(sum(24+length(head)+length(body)+coalesce(length(packed),0)),0) FROM ledger "       \
	  "WHERE run=?1)+(SELECT coalesce(sum(length(lines)+coalesce(length(packed),0)),0) FROM input WHERE run=?1)")  \
	X(PRUNE_NOTE, "INSERT INTO pruning SELECT id,component,dataflow,version FROM runs WHERE id=?", NULL)           \
	X(PRUNE_NEXT, "SELECT run,component,dataflow,version FROM pruning ORDER BY run LIMIT 1", NULL)                 \
	X(PRUNE_DONE, "DELETE FROM pruning WHERE run=?", NULL)                                                         \
	X(PRUNE_LEDGER_EDGE, "SELECT seq FROM ledger WHERE run=? ORDER BY seq LIMIT 1 OFFSET ?", NULL)                 \
	X(PRUNE_LEDGER, "DELETE FROM ledger WHERE run=? AND seq<=?", NULL)                                             \
	X(PRUNE_INPUT_EDGE, "SELECT first_seq FROM input WHERE run=? ORDER BY first_seq LIMIT 1 OFFSET ?", NULL)       \
	X(PRUNE_INPUT, "DELETE FROM input WHERE run=? AND first_seq<=?", NULL)                                         \
	X(DICTIONARY_DROP,                                                                                             \
	  "DELETE FROM dictionaries WHERE component=?1 AND dataflow=?2 AND version=?3 AND NOT "                        \
	  "EXISTS (SELECT 1 FROM runs r WHERE r.component=?1 AND r.version=?3 AND r.dataflow=?2)",                     \
	  NULL)                                                                                                        \
	X(COMPONENT_DROP,                                                                                              \
	  "DELETE FROM components WHERE name=?1 AND version=?2 AND imported_at=0 AND used_at<?3 AND "                  \
	  "NOT EXISTS (SELECT 1 FROM runs r WHERE r.component=?1 AND r.version=?2)",                                   \
	  NULL)                                                                                                        \
	X(VACUUM_SOME, "PRAGMA incremental_vacuum(256)", "SELECT 1 WHERE false")                                       \
	X(STORAGE,                                                                                                     \
	  "SELECT CASE kind WHEN 1 THEN 'requests' WHEN 2 THEN 'answers' WHEN 3 THEN 'lines of entries' WHEN 4 THEN "  \
	  "'problems' WHEN 5 THEN 'outputs' WHEN 6 THEN 'items made' WHEN 7 THEN 'decisions' WHEN 10 THEN 'doubts' ELSE 'plans' END,count(*),"                   \
	  "sum(length(CAST(head AS BLOB))+length(body)+coalesce(length(packed),0)) FROM ledger GROUP BY kind "         \
	  "UNION ALL SELECT 'input',count(*),sum(length(lines)+coalesce(length(packed),0)) FROM input "                \
	  "UNION ALL SELECT 'entries',count(*),sum(length(CAST(data AS BLOB))) FROM entries "                          \
	  "UNION ALL SELECT 'components',count(*),sum(length(source)) FROM components "                                \
	  "UNION ALL SELECT 'dictionaries',count(*),sum(length(bytes)) FROM dictionaries",                             \
	  "SELECT CASE kind WHEN 1 THEN 'requests' WHEN 2 THEN 'answers' WHEN 3 THEN 'lines of entries' WHEN 4 THEN "  \
	  "'problems' WHEN 5 THEN 'outputs' WHEN 6 THEN 'items made' WHEN 7 THEN 'decisions' WHEN 10 THEN 'doubts' ELSE 'plans' END,count(*),"                   \
	  "sum(length(head)+length(body)+coalesce(length(packed),0)) FROM ledger GROUP BY kind "                       \
	  "UNION ALL SELECT 'input',count(*),sum(length(lines)+coalesce(length(packed),0)) FROM input "                \
	  "UNION ALL SELECT 'entries',count(*),sum(length(data)) FROM entries "                                        \
	  "UNION ALL SELECT 'components',count(*),sum(length(source)) FROM components "                                \
	  "UNION ALL SELECT 'dictionaries',count(*),sum(length(bytes)) FROM dictionaries")                             \
	X(ENTRY_BY_ID, "SELECT " ENTRY_COLUMNS " FROM entries WHERE id=? AND component=?", NULL)                       \
	X(ENTRY_BY_KEY, "SELECT " ENTRY_COLUMNS " FROM entries WHERE key=?1 AND component=?2",                         \
	  "SELECT " ENTRY_COLUMNS " FROM entries WHERE sha256(key)=sha256(?1) AND key=?1 AND component=?2 "            \
	  "AND key IS NOT NULL")                                                                                       \
	X(ENTRY_INSERT,                                                                                                \
	  "INSERT INTO entries (component,key,data,created_at,updated_at,run,seq,step) VALUES (?,?,?,?,?,?,?,?) "      \
	  "RETURNING id",                                                                                              \
	  NULL)                                                                                                        \
	X(ENTRY_UPDATE, "UPDATE entries SET key=?,data=?,updated_at=?,run=?,seq=?,step=? WHERE id=?", NULL)            \
	X(ENTRY_DELETE, "DELETE FROM entries WHERE id=?", NULL)                                                        \
	X(ENTRY_COUNT, "SELECT count(*) FROM entries INDEXED BY entries_by_age WHERE component=?", NULL)               \
	X(ENTRY_LIST,                                                                                                  \
	  "SELECT " ENTRY_COLUMNS " FROM entries INDEXED BY entries_by_age WHERE component=? "                         \
	  "ORDER BY updated_at DESC,id DESC LIMIT ?",                                                                  \
	  NULL)                                                                                                        \
	X(ENTRY_LIST_AFTER,                                                                                            \
	  "SELECT " ENTRY_COLUMNS " FROM entries INDEXED BY entries_by_age WHERE component=?1 "                        \
	  "AND (updated_at,id)<(?3,?4) ORDER BY updated_at DESC,id DESC LIMIT ?2",                                     \
	  NULL)                                                                                                        \
	X(COMPONENT_GET, "SELECT " COMPONENT_COLUMNS " FROM components WHERE name=? AND version=?", NULL)              \
	X(COMPONENT_NEWEST,                                                                                            \
	  "SELECT " COMPONENT_COLUMNS " FROM components WHERE name=? AND imported_at>0 ORDER BY rank DESC LIMIT 1",    \
	  NULL)                                                                                                        \
	X(COMPONENT_PUT,                                                                                               \
	  "INSERT INTO components (name,version,rank,imported_at,source,used_at) VALUES (?1,?2,"                       \
	  "(SELECT coalesce(max(c.rank),0)+1 FROM components c WHERE c.name=?1),?3,?4,?5) ON CONFLICT "                \
	  "(name,version) DO UPDATE SET used_at=excluded.used_at,"                                                     \
	  "rank=CASE WHEN excluded.imported_at>0 THEN excluded.rank ELSE components.rank END,"                         \
	  "imported_at=CASE WHEN excluded.imported_at>0 THEN excluded.imported_at ELSE components.imported_at END,"    \
	  "source=CASE WHEN excluded.imported_at>0 THEN excluded.source ELSE components.source END",                   \
	  NULL)                                                                                                        \
	X(COMPONENT_LIST,                                                                                              \
	  "SELECT " COMPONENT_COLUMNS " FROM components c WHERE rank=(SELECT max(rank) FROM "                          \
	  "components WHERE name=c.name AND imported_at>0) ORDER BY name",                                             \
	  NULL)

enum sql_statement {
#define X(name, sqlite, pg) ST_##name,
	SQL_STATEMENTS(X)
#undef X
	    SQL_STATEMENTS_N
};
