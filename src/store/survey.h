/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What takes space: sums by kind, the runs that take most, the folder of files. Gathered when somebody asks, once at a
 * time, and kept until the next time. The store's own thread has no part in it: the sums are read through a second
 * handle on the same data, with a thread of its own, one operation at a time. All in the loop's thread.
 */
#pragma once
#include "store/store.h"

#define SURVEY_TOP 20	       /* of the runs that take most */
#define SURVEY_RUNS_MAX 100000 /* the newest so many are measured; what older ones take is in the sums by kind */
#define SURVEY_KINDS_BYTES                                                                                             \
	(UINT64_C(4) << 30) /* a larger database is not summed by kind: that reads all of it at once */

struct survey;

struct survey_run {
	uint64_t bytes; /* about what its rows take */
	struct run_row row;
};

struct survey_report {
	msec_t computed_at, took; /* wall clock; ms */
	const char *problem;	  /* NULL = complete; else why it broke off, and the rest is what was known by then */
	struct storage_row kinds[STORE_STORAGE_KINDS];
	size_t n_kinds; /* 0 = left out: beyond SURVEY_KINDS_BYTES */
	uint64_t runs, runs_measured;
	struct survey_run top[SURVEY_TOP]; /* the largest first */
	size_t n_top;
	const struct run_row *oldest; /* NULL = there is none, or more runs than are measured */
	bool has_files;		      /* not in memory */
	uint64_t files, file_bytes;
};

/* The disk, as of now; cheap. */
struct survey_disk {
	uint64_t database_bytes,
	    log_bytes;			 /* of weir.db, and of its log; 0 = it is not here: in memory, or on a server */
	uint64_t free_bytes, size_bytes; /* of the file system: what we may still write, and all; 0 = in memory */
	const char *dir;		 /* NULL = in memory; as long as the store */
};

struct survey *survey_new(struct store *s, struct loop *l);
/* Before the store's close. What is under way ends first, one operation of it. NULL is fine. */
void survey_free(struct survey *v);
/* A new one begins, unless one is under way. 0, or -code: it could not. */
int survey_start(struct survey *v, struct err *e);
bool survey_is_under_way(const struct survey *v);
/* The last one that ended, NULL = none yet; until the loop turns. */
const struct survey_report *survey_last(const struct survey *v);
/* The handle that it reads through: for others whose reads are long and may wait. It must not be written to. */
int survey_reader(struct survey *v, struct store **ret, struct err *e);
void survey_disk(const struct store *s, struct survey_disk *ret);
