/* SPDX-License-Identifier: Apache-2.0 */
/* What the sqlite files know of each other; they are the one door to <sqlite3.h>. */
#pragma once
#include "store/sql_int.h"

#include <sqlite3.h>

#define SQLITE_PAGE_BYTES 8192 /* a row of up to 2 kB stays in its page */
#define SQLITE_CACHE_KIB 16384
#define SQLITE_CHECKPOINT_PAGES 256	/* 2 MiB of write-ahead log, then it is moved into the database */
#define SQLITE_LOG_BYTES_MAX (64 << 20) /* the log file is cut to this when it has been moved */

struct sqlite {
	struct sql sql;
	sqlite3 *db;
	struct statement statements[SQL_STATEMENTS_N]; /* own: sqlite3_stmt */
	int log_pages;	   /* in the write-ahead log, as of the last commit */
	int checkpoint_at; /* when log_pages reaches this */
};
extern const struct sql_driver sqlite_driver;

/* sqlite_open.c: checks, migrates; 0 or -code with a sentence that a person can act on. */
int sqlite_open(struct sqlite *q, struct dir *dir, const struct store_config *config, struct err *e);
/* sqlite_log.c: before the database is opened: what is wrong with its log, as far as its index tells; NULL = nothing known to be. */
const char *sqlite_log_trouble(const char *database);

/* Fill the fault from the connection's last error; always -1. */
int sqlite_fault(struct sqlite *q, const char *doing);
