/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening weir.db: is it ours, is it whole, is it of our time? Only then is anything written. Each refusal says what
 * was found, that nothing was changed, and what to do.
 */
#include "store/sqlite_int.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AUTO_VACUUM_INCREMENTAL 2
#define REWRITE_AT_ONCE_PAGES 8192 /* 64 MiB */
#define APPLICATION_ID 0x57656972  /* "Weir", in the file's header */

/*
 * The shapes of the database, oldest first, embedded by the assembler (the include path leads to src/). A new file
 * needs a line here anyway, which also is what makes the compiler look again.
 */
#define EMBED(symbol, path)                                                                                            \
	__asm__(".pushsection .rodata\n" #symbol ":\n.incbin \"" path "\"\n.byte 0\n.popsection\n");                   \
	extern const char symbol[] __attribute__((visibility("hidden")))

EMBED(store_sql_001, "store/sql/001-first.sql");
EMBED(store_sql_002, "store/sql/002-made-items.sql");
EMBED(store_sql_003, "store/sql/003-packed.sql");
EMBED(store_sql_004, "store/sql/004-who-wrote.sql");

static const char *const migrations[] = {
	store_sql_001,
	store_sql_002,
	store_sql_003,
	store_sql_004,
};
#define SCHEMA_VERSION ((int64_t)ARRAY_LEN(migrations))

/* ---- asking ---- */

static const char *where(const struct dir *dir)
{
	return dir ? dir_database_path(dir) : "in memory";
}

static bool is_damage(int code)
{
	return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

static int refuse_damaged(const struct dir *dir, const char *finding, struct err *e)
{
	return err_set(
	    e, ERR_IO,
	    "the database '%s' is damaged: %s. Nothing was changed. Copy the whole data directory first; then "
	    "`sqlite3 weir.db .recover | sqlite3 recovered.db` saves what can be read, or put back a backup",
	    where(dir), finding);
}

static int refuse(struct sqlite *q, const struct dir *dir, const char *doing, struct err *e)
{
	int code = sqlite3_extended_errcode(q->db);

	if (code == SQLITE_NOTADB)
		return err_set(
		    e, ERR_INVALID,
		    "'%s' is no database of Weir (it does not begin as one). Nothing was changed; name another "
		    "data directory, or move the file away",
		    where(dir));
	if (is_damage(code))
		return refuse_damaged(dir, sqlite3_errmsg(q->db), e);
	(void)sqlite_fault(q, doing);
	return err_set(e, (code & 0xff) == SQLITE_BUSY ? ERR_CONFLICT : ERR_IO, "cannot open '%s': %s", where(dir),
		       q->sql.fault.why);
}

/* First column of the first row as a number. */
static int ask_number(struct sqlite *q, const char *sql, int64_t *ret)
{
	sqlite3_stmt *st = NULL;
	int code = sqlite3_prepare_v2(q->db, sql, -1, &st, NULL);

	if (code == SQLITE_OK) {
		code = sqlite3_step(st);
		if (code == SQLITE_ROW)
			*ret = sqlite3_column_int64(st, 0);
	}
	/* The connection's code must stay what the step said, so that refuse() can tell. */
	bool has_row = code == SQLITE_ROW;
	(void)sqlite3_finalize(st);
	return has_row ? 0 : -1;
}

static int set(struct sqlite *q, const struct dir *dir, const char *sql, struct err *e)
{
	return sqlite3_exec(q->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : refuse(q, dir, sql, e);
}

/* ---- the checks ---- */

/* Ours, or empty; not newer than we are. */
static int check_kind(struct sqlite *q, const struct dir *dir, int64_t *ret_version, struct err *e)
{
	int64_t id = 0, tables = 0, pages = 0;
	struct stat st = { 0 };

	if (ask_number(q, "PRAGMA page_count", &pages))
		return refuse(q, dir, "read the header", e);
	/* SQLite takes a file shorter than a page for an empty one and would write over it. */
	if (dir && pages == 0 && stat(where(dir), &st) == 0 && st.st_size > 0)
		return refuse_damaged(dir, "it is cut, not even its first page is whole", e);
	if (ask_number(q, "PRAGMA application_id", &id) || ask_number(q, "PRAGMA user_version", ret_version) ||
	    ask_number(q, "SELECT count(*) FROM sqlite_schema", &tables))
		return refuse(q, dir, "read the header", e);
	if (id != APPLICATION_ID && (id != 0 || tables != 0))
		return err_set(
		    e, ERR_INVALID,
		    "'%s' is a database of another program. Nothing was changed; name another data directory",
		    where(dir));
	if (*ret_version > SCHEMA_VERSION)
		return err_set(e, ERR_INVALID,
			       "'%s' was made by a newer Weir (schema %lld; this one, " WEIR_VERSION
			       ", knows up to %lld). Nothing was changed; use the newer version",
			       where(dir), (long long)*ret_version, (long long)SCHEMA_VERSION);
	return 0;
}

/* Reads the whole database: worth it only when the last stop was not a clean one. */
static int check_whole(struct sqlite *q, const struct dir *dir, struct err *e)
{
	sqlite3_stmt *st = NULL;
	struct stat file = { 0 };
	int64_t page = 1;

	/* SQLite fills a cut last page with zeroes; without a log to mend it that is a loss nobody else would notice.
	 */
	if (ask_number(q, "PRAGMA page_size", &page) || stat(where(dir), &file))
		return refuse(q, dir, "read the size", e);
	if (!dir_had_log(dir) && file.st_size % page)
		return refuse_damaged(dir, "its end is cut off, the last page is not whole", e);
	int code = sqlite3_prepare_v2(q->db, "PRAGMA quick_check(1)", -1, &st, NULL);
	log_info(NULL, "store check: not closed cleanly the last time; file=%s bytes=%llu", where(dir),
		 (unsigned long long)dir_bytes(dir));
	if (code == SQLITE_OK)
		code = sqlite3_step(st);
	if (code != SQLITE_ROW) {
		code = refuse(q, dir, "quick_check", e);
		(void)sqlite3_finalize(st);
		return code;
	}
	const char *finding = (const char *)sqlite3_column_text(st, 0);
	code = finding && strcmp(finding, "ok") == 0 ? 0 : refuse_damaged(dir, finding ? finding : "unreadable", e);
	(void)sqlite3_finalize(st);
	return code;
}

/* ---- settings, shape, statements ---- */

static int ask_log(struct sqlite *q, bool *ret_is_wal)
{
	sqlite3_stmt *st = NULL;
	int code = sqlite3_prepare_v2(q->db, "PRAGMA journal_mode=WAL", -1, &st, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(st);
	if (code == SQLITE_ROW)
		*ret_is_wal = strcmp((const char *)sqlite3_column_text(st, 0), "wal") == 0;
	(void)sqlite3_finalize(st);
	return code == SQLITE_ROW ? 0 : -1;
}

static int settings(struct sqlite *q, const struct dir *dir, struct err *e)
{
	char sql[200];

	(void)snprintf(sql, sizeof(sql), "PRAGMA cache_size=-%d; PRAGMA temp_store=MEMORY; PRAGMA synchronous=FULL",
		       SQLITE_CACHE_KIB);
	int code = set(q, dir, sql, e);
	if (code || !dir)
		return code;
	/* Size of pages and kind of vacuum count for a new file only; an old one keeps its own. */
	(void)snprintf(sql, sizeof(sql),
		       "PRAGMA page_size=%d; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA wal_autocheckpoint=0; PRAGMA "
		       "journal_size_limit=%d",
		       SQLITE_PAGE_BYTES, SQLITE_LOG_BYTES_MAX);
	code = set(q, dir, sql, e);
	if (code)
		return code;
	bool is_wal = false;
	if (ask_log(q, &is_wal))
		return refuse(q, dir, "switch to a write-ahead log", e);
	if (!is_wal)
		return err_set(e, ERR_IO, "'%s' cannot have a write-ahead log here; use a local disk", where(dir));
	return 0;
}

static int migrate_in_transaction(struct sqlite *q, const struct dir *dir, struct err *e)
{
	char sql[100];
	int64_t version = 0;

	/* Again under the lock: another process may have been quicker. */
	if (ask_number(q, "PRAGMA user_version", &version))
		return refuse(q, dir, "read the schema's number", e);
	for (int64_t i = version; i < SCHEMA_VERSION; i++) {
		if (sqlite3_exec(q->db, migrations[i], NULL, NULL, NULL) != SQLITE_OK) {
			(void)sqlite_fault(q, "change");
			return err_set(e, ERR_IO, "cannot bring '%s' to schema %lld: %s", where(dir), (long long)i + 1,
				       q->sql.fault.why);
		}
	}
	(void)snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=%lld; COMMIT", APPLICATION_ID,
		       (long long)SCHEMA_VERSION);
	return set(q, dir, sql, e);
}

static int migrate(struct sqlite *q, const struct dir *dir, int64_t version, struct err *e)
{
	if (version == SCHEMA_VERSION)
		return 0;
	int code = set(q, dir, "BEGIN IMMEDIATE", e);
	if (code)
		return code;
	code = migrate_in_transaction(q, dir, e);
	if (code)
		(void)sqlite3_exec(q->db, "ROLLBACK", NULL, NULL, NULL);
	else if (dir)
		log_info(NULL, "store schema %lld -> %lld: file=%s", (long long)version, (long long)SCHEMA_VERSION,
			 where(dir));
	return code;
}

/*
 * A file made before files could shrink is written anew once: at once when that takes a moment, else when somebody
 * asks. Failing costs nothing but that it does not shrink.
 */
static void make_shrinkable(struct sqlite *q, const struct dir *dir, bool is_asked)
{
	int64_t pages = 0, kind = 0;

	if (!dir || ask_number(q, "PRAGMA auto_vacuum", &kind) || ask_number(q, "PRAGMA page_count", &pages))
		return;
	if (kind != AUTO_VACUUM_INCREMENTAL && (is_asked || pages <= REWRITE_AT_ONCE_PAGES)) {
		if (sqlite3_exec(q->db, "PRAGMA auto_vacuum=INCREMENTAL; VACUUM", NULL, NULL, NULL) != SQLITE_OK)
			log_warn(NULL, "store not rewritten, it keeps its size for now: %s", sqlite3_errmsg(q->db));
		else
			log_info(NULL, "store rewritten, so that it can shrink: file=%s", where(dir));
		(void)ask_number(q, "PRAGMA auto_vacuum", &kind);
	}
	q->sql.gives_back = kind == AUTO_VACUUM_INCREMENTAL;
}

static int prepare(struct sqlite *q, const struct dir *dir, struct err *e)
{
	static const char *const texts[] = {
#define X(name, sqlite, pg) sqlite,
		SQL_STATEMENTS(X)
#undef X
	};

	q->sql.driver = &sqlite_driver;
	for (size_t i = 0; i < SQL_STATEMENTS_N; i++) {
		sqlite3_stmt *own = NULL;
		if (texts[i] &&
		    sqlite3_prepare_v3(q->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &own, NULL) != SQLITE_OK)
			return refuse(q, dir, texts[i], e);
		q->statements[i] = (struct statement){ &q->sql, (enum sql_statement)i, own };
		q->sql.st[i] = &q->statements[i];
	}
	return 0;
}

static int on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
	((struct sqlite *)arg)->log_pages = pages;
	return SQLITE_OK;
}

/* ---- the file ---- */

/*
 * SQLite would make the file as readable as the umask allows. Never opened by us when it exists: closing any descriptor
 * of it would drop the locks that SQLite holds on it elsewhere in this process.
 */
static int make_private(const char *path, struct err *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0)
		(void)close(fd);
	else if (errno != EEXIST)
		return err_errno(e, "cannot make the database '%s'", path);
	if (chmod(path, 0600))
		return err_errno(e, "cannot make the database '%s' private", path);
	return 0;
}

/* The count of SQLite's memory costs a lock per allocation, and nobody asks for it. */
static void configure_once(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int sqlite_open(struct sqlite *q, struct dir *dir, const struct store_config *config, struct err *e)
{
	const char *path = dir ? dir_database_path(dir) : ":memory:";
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW;
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int64_t version = 0;

	(void)pthread_once(&once, configure_once);
	int code = dir ? make_private(path, e) : 0;
	const char *trouble = code == 0 && dir && dir_had_log(dir) ? sqlite_log_trouble(path) : NULL;

	if (trouble)
		return refuse_damaged(dir, trouble, e);
	if (code)
		return code;
	code = sqlite3_open_v2(path, &q->db, dir ? flags : flags | SQLITE_OPEN_MEMORY, NULL);
	if (!q->db)
		return err_set(e, ERR_NO_MEMORY, "no memory for the database");
	if (code != SQLITE_OK)
		return refuse(q, dir, "open", e);
	(void)sqlite3_busy_timeout(q->db, (int)(config->busy_timeout > INT32_MAX ? INT32_MAX : config->busy_timeout));
	code = check_kind(q, dir, &version, e);
	if (code == 0 && dir && !dir_was_clean(dir))
		code = check_whole(q, dir, e);
	if (code == 0)
		code = settings(q, dir, e);
	if (code == 0)
		code = migrate(q, dir, version, e);
	if (code == 0)
		make_shrinkable(q, dir, config->rewrites);
	if (code == 0)
		code = prepare(q, dir, e);
	if (code == 0 && dir)
		q->sql.codec = codec_new();
	if (code == 0 && dir && !q->sql.codec)
		return err_set(e, ERR_NO_MEMORY, "no memory for the database");
	q->sql.keeps_plain = config->keeps_plain;
	q->checkpoint_at = SQLITE_CHECKPOINT_PAGES;
	(void)sqlite3_wal_hook(q->db, on_commit, q);
	return code;
}
