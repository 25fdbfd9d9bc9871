/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of store/ know of each other: the operation, the backend's verbs, the data directory. */
#pragma once
#include "store/file_digest.h"
#include "store/files.h"
#include "store/store.h"

#include <pthread.h>

#define STORE_OP_BYTES_MAX (256u << 20)	    /* one operation's bytes; SQLite itself stops at 1e9 */
#define STORE_RESULT_BYTES_MAX (256u << 20) /* what one read may gather */
#define STORE_GROUP_BYTES_MAX (16u << 20)   /* a commit takes no more than this, or one operation */
#define STORE_HAND_OVER 256		    /* operations gathered in a turn before the thread gets them early */
#define STORE_RETRY_EVERY 1000		    /* ms between writes that try a full disk again */
#define STORE_READER_BUSY_TIMEOUT 200	    /* ms; at its close a reader may wait so long for others */
#define STORE_PATIENCE 30000	    /* ms, the same */
#define STORE_BUSY_TIMEOUT 10000	    /* ms, when the configuration names none */

/* Writes first; OP_RUN_GET is the first read. */
#define STORE_OPS(X)                                                                                                   \
	X(RUN_CREATE)                                                                                                  \
	X(RUN_UPDATE)                                                                                                  \
	X(INPUT_PUT)                                                                                                   \
	X(LEDGER_PUT)                                                                                                  \
	X(DECIDE)                                                                                                      \
	X(LEDGER_REDO)                                                                                                 \
	X(DROP_PROBLEMS)                                                                                               \
	X(ENTRY_WRITE)                                                                                                 \
	X(COMPONENT_PUT)                                                                                               \
	X(FILE_KEEP)                                                                                                   \
	X(RUN_PRUNE)                                                                                                   \
	X(PRUNE_SOME)                                                                                                  \
	X(RUN_GET)                                                                                                     \
	X(RUN_LIST)                                                                                                    \
	X(INPUT_END)                                                                                                   \
	X(LEDGER_READ)                                                                                                 \
	X(PROBLEM_LIST)                                                                                                \
	X(ENTRY_GET)                                                                                                   \
	X(ENTRY_LIST)                                                                                                  \
	X(COMPONENT_GET)                                                                                               \
	X(COMPONENT_LIST)                                                                                              \
	X(RUN_BYTES)                                                                                                   \
	X(SPACE)                                                                                                       \
	X(STORAGE)

enum op_kind {
#define X(name) OP_##name,
	STORE_OPS(X)
#undef X
	    OP_KINDS
};

struct op_entry {
	struct ledger_key key;
	enum entry_mode mode;
	struct entry_row row;
};

/* What a read asks for; each uses the fields it needs. */
struct op_query {
	int64_t id, before;
	uint64_t from_seq, to_seq;
	int code; /* or state; -1 = all */
	size_t limit;
	struct str name, version;
};

/*
 * One operation: made in the loop's thread in one allocation with the bytes it copied, applied in the store's thread,
 * freed in the loop's thread after its callback. It is in one queue at a time, and belongs to whoever holds the queue.
 */
struct op {
	struct op *next;
	enum op_kind kind;
	uint64_t epoch; /* how many failures the loop knew of when this was queued */
	size_t bytes;
	store_done *done;
	void *arg;
	struct store_result result;
	struct arena arena; /* of the result */
	union {
		struct run_row run;
		struct ledger_row ledger;
		struct input_row input;
		struct op_entry entry;
		struct component_row component;
		struct file_writer *file;
		struct op_query query;
		struct decision_row decision;
		struct redo_row redo;
	};
	char copied[];
};

static inline bool op_is_write(const struct op *op)
{
	return op->kind < OP_RUN_GET;
}

/* The operation's own answer, the group goes on. `detail` lives as long as the operation. */
static inline void op_refuse(struct op *op, enum store_error error, const char *detail)
{
	op->result.error = error;
	op->result.detail = detail;
}

/* ---- store.c, for store_op.c ---- */

/* A new operation with room for `bytes`; refused while the store is broken (writes) or when it is too large. */
int store_op_new(struct op **ret, struct store *s, enum op_kind kind, size_t bytes, struct err *e);
void store_op_queue(struct store *s, struct op *op, store_done *done, void *arg);

struct dir;

struct dir *store_dir(const struct store *s); /* NULL = in memory */
/* A second handle on the same data, which is not in memory, with a patient thread; closed before `s`. It must not be written to. */
int store_open_reader(struct store **ret, struct store *s, struct err *e);

/* ---- backends ---- */

enum fault_kind {
	FAULT_NONE,
	FAULT_PASSING, /* a full disk, a busy neighbour: the next try may succeed */
	FAULT_LASTING, /* what the disk holds is uncertain: nothing more is written until the store is opened again */
};

struct store_fault {
	enum fault_kind kind;
	char why[480];
};

/* Operations in order; one is in one queue at a time. */
struct queue {
	struct op *first, *last;
	size_t n;
};

/* What became of a group that failed. */
enum group_fate {
	GROUP_FAILED, /* nothing of it is to be believed; the fault says why */
	GROUP_SAVED,  /* all of it is on disk, and each operation has its result */
	GROUP_AGAIN,  /* nothing of it is, and the same again may succeed */
};

/* ---- files.c ---- */

/* `data_fd` is borrowed; -1 = a private directory. */
int files_new(struct files **ret, struct store *s, int data_fd, struct err *e);
void files_free(struct files *f);
/* In the store's thread: the file to disk, under its name, its name to disk. 0, or -1 with the fault. */
int files_settle(struct file_writer *w, struct store_fault *ret);

/* Everything but open runs in the store's thread, one call at a time. Those that return int: 0, or -1 with fault()
 * filled. */
struct store_backend {
	const char *name;
	int (*open)(void **ret, struct dir *dir, const struct store_config *config, struct err *e);
	int (*begin)(void *backend, bool writes);
	int (*apply)(void *backend,
		     struct op *op); /* a refusal of the operation itself is 0 and stands in op->result */
	int (*commit)(void *backend);
	void (*rollback)(void *backend);
	int (*tend)(void *backend); /* upkeep between groups, after the callbacks were posted */
	const struct store_fault *(*fault)(void *backend);
	/* `is_sound`: no lasting fault; only then may it tidy up. True if everything is in the database file, tidy. */
	bool (*close)(void *backend, bool is_sound);
	/* After a group failed, instead of rollback: where a broken connection is no end. NULL = GROUP_FAILED always. */
	enum group_fate (*recover)(void *backend);
	/* Who executes a run, among all processes on the database; NULL = the data directory's locks are enough. 0 or -code. */
	int (*claim)(void *backend, int64_t run, struct err *e);
	void (*release)(void *backend, int64_t run);
	/* For people: where the database is; NULL = in the data directory. Written once, while it is opened. */
	const char *(*where)(const void *backend);
};
extern const struct store_backend store_backend_sqlite, store_backend_pg;

/* ---- store_group.c: groups and their transactions, in the store's thread ---- */

#define GROUP_TRIES_MAX 5 /* of one group whose transaction did not stand */

struct worker {
	const struct store_backend *backend;
	void *b;
	uint64_t failed_epoch; /* writes up to this one are refused; 0 = none */
	bool is_lasting;
	struct store_fault file_fault; /* of the group at work */
	struct store_fault news;       /* for the loop: the last fault of a group that writes; kind NONE = it is over */
};

/* All of the group in one transaction; each operation has its result then. True: `news` is new. */
bool worker_apply(struct worker *w, struct queue *group);
/* The backend's upkeep, after the callbacks are on their way. True: `news` is new. */
bool worker_tend(struct worker *w);

/* ---- store_claim.c: who executes a run, where the database says so ---- */

#define CLAIM_WAIT 5 /* s until the thread begins with a claim */

/* What the thread is asked for between two groups, under the store's lock. */
struct claims {
	struct claim *first;
	pthread_cond_t answered;
};

/*
 * Waits for the thread: 0 or -code. One that the thread has not begun with after CLAIM_WAIT is withdrawn: the database does not answer, and the loop has
 * other things to do.
 */
int claims_ask(struct claims *cs, pthread_mutex_t *lock, pthread_cond_t *wake, int64_t run, struct err *e);
/* Waits for nobody; comes before every claim. */
void claims_release(struct claims *cs, pthread_mutex_t *lock, pthread_cond_t *wake, int64_t run);
/* In the thread: the first of them. Under the lock, which is let go meanwhile. */
void claims_serve(struct claims *cs, pthread_mutex_t *lock, const struct worker *w);

/*
 * A store with a pace (struct store_config) has no thread: here its owner takes the next group to the disk, in the loop's thread but not in
 * a callback of the store. Callbacks come later, from the loop, as always. False when nothing was queued.
 */
bool store_turn(struct store *s);

/* ---- dir.c: the data directory, its lock file, who executes which run ---- */

#define DIR_DATABASE "weir.db"

/* Makes what is missing, locks it against another process's opening until dir_settle(). `has_database` = weir.db is here, not on a server. */
int dir_open(struct dir **ret, const char *path, bool has_database, msec_t wait, struct err *e);
/* The last use ended well and nobody touched the file since. */
bool dir_was_clean(const struct dir *d);
bool dir_had_log(const struct dir *d); /* what is missing in weir.db may stand there */
const char *dir_database_path(const struct dir *d);
const char *dir_path(const struct dir *d);
int dir_fd(const struct dir *d); /* of the data directory */
/* The database is open and sound: marks it in use and lets others in. */
int dir_settle(struct dir *d, struct err *e);
/* `is_tidy`: the database was closed completely; the last process to leave says so in the lock file. */
void dir_close(struct dir *d, bool is_tidy);
int dir_claim(struct dir *d, int64_t run, struct err *e);
void dir_release(struct dir *d, int64_t run);
uint64_t dir_bytes(const struct dir *d);     /* of the database and its log */
uint64_t dir_log_bytes(const struct dir *d); /* of the log, and the index of it */
