/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: runs, the ledger, entries and components, on disk. Asynchronous: calls queue an operation; one thread applies
 * them in order of arrival and commits them in groups. The callback of a write runs from the loop after its commit is on disk (SQLite: WAL,
 * synchronous=FULL); since the order is kept, a commit of one operation implies all that were queued before it. Reads see every
 * write queued before them. Bytes given are copied when the operation is queued.
 */
#pragma once
#include "base/value.h"
#include "loop/loop.h"

struct store;

#define STORE_GROUP_MAX 1024		  /* operations of one commit */
#define STORE_PAGE_MAX 256		  /* rows of one page */
#define STORE_PRUNE_ROWS 1000		  /* ledger rows that one store_prune_some() deletes, and those of the item it ends in */
#define STORE_STORAGE_KINDS 16		  /* of store_storage() */
#define STORE_VERSION_SPARED (INT64_C(86400) * 1000) /* ms since a run asked for a version, until that may be pruned */
#define STORE_PENDING_MAX (64u << 20)	  /* bytes queued; callers ask store_is_full() and hold back */

enum store_error {
	STORE_OK = 0,
	STORE_NOT_FOUND,
	STORE_CONFLICT, /* create: the key exists; update: the entry does not exist */
	STORE_FAILED,	/* disk trouble: nothing of this and what followed was saved; see store_broken() */
	STORE_TOO_LARGE, /* a read gathered more than it may: ask for fewer items */
	STORE_DAMAGED,	 /* a record of what was asked for cannot be read any more */
};

struct store_backend;

struct store_config {
	const char *dir;	/* data directory, made if missing (0700); the file is weir.db; NULL = a private in-memory store */
	const char *url;	/* "postgresql://...": the database is there, and dir keeps files and locks alone; NULL = weir.db in dir */
	msec_t patience;	/* that a lost connection to a server is tried again before anybody is told; 0 = 30 s */
	msec_t busy_timeout;	/* waiting for another process's commit; 0 = 10 s */
	bool keeps_plain;	/* rows are not packed: for those who look into weir.db with other programs */
	bool rewrites;		/* an old file that cannot shrink is written anew, however large; writers wait meanwhile */
	bool is_patient;	/* its thread steps back for those that have work to do; for reads that take long */
	msec_t group_window;	/* how long a commit waits for company; 0 = not at all (what is queued goes together) */
	/* For simulations (store_int.h), all zero elsewhere. */
	const struct store_backend *backend; /* NULL = SQLite */
	void (*pace)(void *arg); /* instead of a thread: there is work for store_turn(). May be called again before that */
	void *pace_arg;
};

/* Opens, checks (quick_check after an unclean stop) and migrates. */
int store_open(struct store **ret, struct loop *l, const struct store_config *config, struct err *e);
/* Commits what is queued, joins the thread, closes. Callbacks that have not run by then do not run. */
void store_close(struct store *s);
bool store_is_full(const struct store *s);
/*
 * After a failed fsync or a full disk: the reason, NULL = healthy. While it is set writes are refused by their starters with -ERR_IO. A full
 * disk lets one write a second try again and is over when that succeeds; a failed fsync is over when the store has been opened again.
 */
const char *store_broken(const struct store *s);
/* It is broken until it is opened again. */
bool store_is_lost(const struct store *s);

enum run_state {
	RUN_RUNNING,
	RUN_DONE,
	RUN_FAILED,
	RUN_PARTLY_DONE,     /* some items failed, the others are done */
	RUN_NEEDS_ATTENTION, /* some items have an unknown outcome */
};
const char *run_state_name(enum run_state s); /* "running", "done", "failed", "partly done", "needs attention" */

struct run_row {
	int64_t id; /* given by the store */
	struct str component, dataflow, version, env, trigger;
	enum run_state state;
	msec_t started_at, ended_at; /* wall clock; 0 = not yet */
	msec_t now;		     /* what Date says in the run's scripts */
	uint64_t seed;
	bool input_is_complete; /* all of the input is in the ledger */
	uint64_t items_in, items_out, failed, unknown;
	struct str steps;   /* JSON: counts and times per step, as at the last update */
	struct str problem; /* JSON or empty */
};

/* Where in the run something happened: the ledger's key. */
struct ledger_key {
	int64_t run;
	uint64_t seq;	  /* item */
	uint32_t step;	  /* index in the plan */
	uint32_t attempt; /* from 1 */
};

enum ledger_kind {
	LEDGER_INTENT = 1,  /* a call is about to be sent */
	LEDGER_OUTCOME = 2, /* what came back, or that nothing did */
	LEDGER_ENTRY = 3,   /* an entry was written on behalf of the item */
	LEDGER_PROBLEM = 4, /* the item ended here, failed or unknown */
	LEDGER_OUTPUT = 5,  /* the item reached the end (only for runs that ask for it) */
	LEDGER_MADE = 6,    /* how many items the step has made out of this one so far; written by store_input_put() alone */
	LEDGER_DECISION = 7, /* what became of an unknown outcome: a person's word (store_decide()), or a probe's; that an item is left out of a run. Never changed */
	/* Of a run that was prepared, written before its first call: see docs/internals/ledger.md. */
	LEDGER_PLANNED = 8, /* a request, as INTENT has it; code: enum planned; number: the run that it was recorded in, or 0 */
	LEDGER_OFFERED = 9, /* its answer, as OUTCOME has it; number: the run that it was recorded in */
	/* A call with a key has failed that may have been made: at = when the key was first sent, number = which key. It outlives a retry. */
	LEDGER_DOUBT = 10,
};

enum planned {
	PLANNED_OFFER = 1, /* a call that asks the same takes the answer offered; another one is sent */
	PLANNED_SHOWN = 2, /* as was shown before it was sent: another one is not sent */
	PLANNED_HELD = 3,  /* whether that run's call happened nobody knows: nothing is sent */
};

#define LEDGER_CODE_FAILED 2  /* code of a PROBLEM row: ITEM_FAILED; run/ledger.c holds them equal */
#define LEDGER_CODE_UNKNOWN 3 /* ITEM_UNKNOWN */
#define RUN_STOPPED_TEXT "stopped at item " /* how the problem of a run begins that on_error: stop has ended */

enum decision {
	DECISION_DONE = 1, /* it happened: the item goes on with the result given */
	DECISION_AGAIN,	   /* it did not: another attempt */
	DECISION_SKIP,	   /* the item is left out */
};

struct ledger_row {
	struct ledger_key key;
	enum ledger_kind kind;
	msec_t at; /* wall clock */
	int32_t code;	  /* OUTCOME: status, or 0; ENTRY: 1 created 2 updated 3 deleted 0 unchanged; PROBLEM: enum item_state; DECISION: enum decision */
	int64_t number;	  /* ENTRY: entry id; MADE: how many; INTENT, OUTCOME: the run that they were taken over from, 0 = none */
	struct str head;  /* INTENT: request as JSON, with why it is made again; OUTCOME: { error, headers, timings, rest, made, file } as JSON; PROBLEM: problem as JSON; DECISION: { by, note } */
	struct str body;  /* OUTCOME: the answer's body as decoded; empty when it is in a file; DECISION: the result as JSON, empty = null */
};

#define STORE_DECIDE_MAX 10000 /* items of one decision */

/* One decision about items whose outcome is unknown. */
struct decision_row {
	int64_t run;
	enum decision decision;
	msec_t at; /* wall clock */
	struct str head, body;
	const uint64_t *items; /* NULL = all, from the first, STORE_DECIDE_MAX at a time */
	size_t n_items;
};

/* A stretch of the input: JSON objects, one a line. */
struct input_row {
	int64_t run;
	uint64_t first_seq;
	uint32_t count;
	struct str lines;
	uint32_t made_by; /* 0 = the run's source; else 1 + the index of the step that made these items, whole ones, of item `parent` */
	uint64_t parent;
	uint64_t made;	       /* written only: items of this parent, these included; goes into the LEDGER_MADE row */
	struct str made_state; /* written only: that row's head */
};

enum entry_mode { ENTRY_UPSERT, ENTRY_CREATE, ENTRY_UPDATE, ENTRY_DELETE };

struct entry_row {
	int64_t id;
	struct str component;
	struct str key;	 /* canonical text of the primary key; ptr NULL when the model has none */
	struct str data; /* JSON object */
	msec_t created_at, updated_at;
	int64_t run; /* that wrote it last */
	uint64_t seq; /* read only: of the item in whose name it was written */
	int32_t step; /* read only: index of the step that did; -1 = not known */
};

struct component_row {
	struct str name, version, source; /* source: the file's bytes */
	msec_t imported_at; /* 0 = only kept beside a run that uses it: neither listed nor the newest */
};

/* What takes space: bytes of the rows' content, as they are stored. */
struct storage_row {
	struct str what; /* "requests", "answers", "input", "entries", "components", "dictionaries" ... */
	uint64_t rows, bytes;
};

/* What a callback gets; everything borrowed until it returns. */
struct store_result {
	enum store_error error;
	const char *detail;
	int64_t id;		 /* run or entry id */
	int change;		 /* entries: 1 created, 2 updated, 3 deleted, 0 nothing to do (the data is the same) */
	bool was_recorded;	 /* it was there already under this key and stays as it is: nothing was written again */
	struct run_row *runs;
	struct ledger_row *rows;
	struct input_row *inputs;
	struct entry_row *entries;
	struct component_row *components;
	struct storage_row *storage;
	uint64_t bytes_used, bytes_free; /* store_prune_some(), store_space(), store_storage(): of the database file, as of now */
	bool has_more;			 /* store_prune_some(): call it again */
	size_t n;		 /* of whichever list was asked for (rows: n, inputs: n_inputs) */
	size_t n_inputs;
	uint64_t next_seq;	 /* store_input_end(): of the next item */
	uint64_t total;		 /* of the whole list: runs (of that state), problems (of that code), entries, components; problems dropped */
};
typedef void store_done(void *arg, const struct store_result *result);

/* Writes. A NULL callback is allowed: then nobody is told. All return 0 or -code (out of memory, store broken). */
int store_run_create(struct store *s, const struct run_row *run, store_done *done, void *arg, struct err *e);
/* Changes state, counts, steps, problem, ended_at, input_is_complete; the rest stays as created. */
int store_run_update(struct store *s, const struct run_row *run, store_done *done, void *arg, struct err *e);
/* A chunk that a step has made and its LEDGER_MADE row are one transaction. */
int store_input_put(struct store *s, const struct input_row *input, store_done *done, void *arg, struct err *e);
/* Recorded once: a row whose key is there already stays as it was (was_recorded); so do input chunks. */
int store_ledger_put(struct store *s, const struct ledger_row *row, store_done *done, void *arg, struct err *e);
/*
 * Write an entry on behalf of an item: the entry and its LEDGER_ENTRY row in one transaction; if that row is there already, nothing is written and
 * its id is given (was_recorded). CREATE with a key that exists and UPDATE/DELETE of none give STORE_CONFLICT / STORE_NOT_FOUND. UPDATE merges
 * top-level members of data; UPSERT replaces data. key->run 0 = outside of any run. The entry is found by its id if that is not 0, else by
 * its key; the times are "now" where they are 0.
 */
int store_entry_write(struct store *s, const struct ledger_key *key, enum entry_mode mode, const struct entry_row *entry, store_done *done,
		      void *arg, struct err *e);
/* Keeps old versions; the one imported last is the newest; change 1 = a new version, 2 = known. */
int store_component_put(struct store *s, const struct component_row *row, store_done *done, void *arg, struct err *e);
/*
 * A person decides about items with an unknown outcome: for each step where one ended so, a LEDGER_DECISION row under the number of the attempt
 * that it is about; the LEDGER_PROBLEM row goes, and the run is `running` again, to be resumed: all in one transaction. Gives the rows' keys
 * (n), and as total how many problems of that kind are left. When one of the items named is not unknown nothing is written:
 * STORE_CONFLICT, and the rows' keys name those items. STORE_NOT_FOUND: there is no such run. Whoever calls holds the run's claim.
 */
int store_decide(struct store *s, const struct decision_row *d, store_done *done, void *arg, struct err *e);
/* What is to be done again of a run. */
struct redo_row {
	int64_t run;
	const uint32_t *steps; /* of which the rows go */
	size_t n_steps;
	const uint32_t *fixed; /* of these steps, whose entries must not be written twice: a row of one refuses all */
	size_t n_fixed;
	const uint64_t *items; /* NULL = all */
	size_t n_items;	       /* at most STORE_DECIDE_MAX */
};
/*
 * Drop what the ledger holds of items at steps, so that a resumed run does them again: outcomes with their intents, entry rows (not the entries),
 * outputs, problems of failed items. What stays: an intent without outcome, decisions, and everything at a step where the item's outcome is unknown. The
 * run is `running` again. total = rows dropped; 0 = the run is as it was. STORE_CONFLICT with a sentence, and nothing is written: one of the steps has
 * made items, or one of the fixed has written entries. Whoever calls holds the run's claim.
 */
int store_ledger_redo(struct store *s, const struct redo_row *redo, store_done *done, void *arg, struct err *e);
/*
 * Drop ledger rows of failed items so that a run may do them again: their LEDGER_PROBLEM rows and, at the step where such an item ended, its
 * outcomes with their intents; the run is `running` again, to be resumed. An intent without outcome stays, and so does everything of
 * an item whose outcome is unknown: that is for store_decide(). total = problems dropped; 0 = the run is as it was. Whoever calls holds
 * the run's claim.
 */
int store_ledger_drop_problems(struct store *s, int64_t run, store_done *done, void *arg, struct err *e);
/*
 * The run is gone with this commit; what it left (ledger, input, then what only it needed: dictionaries, the version kept beside it) goes by
 * store_prune_some(). STORE_CONFLICT for a run that is running, interrupted or needs attention, unless even_unfinished; the caller holds the
 * run's claim, so nobody executes it. Entries stay.
 */
int store_run_prune(struct store *s, int64_t run, bool even_unfinished, store_done *done, void *arg, struct err *e);
/* The next stretch of what pruned runs left, whoever pruned them; then of free pages, given back to the file system. */
int store_prune_some(struct store *s, store_done *done, void *arg, struct err *e);

/* Reads. */
/* total: about how many bytes the run's rows take. */
int store_run_bytes(struct store *s, int64_t run, store_done *done, void *arg, struct err *e);
/* bytes_used, bytes_free of the database file. */
int store_space(struct store *s, store_done *done, void *arg, struct err *e);
/* Reads the whole database: not for a server with work to do. */
int store_storage(struct store *s, store_done *done, void *arg, struct err *e);
int store_run_get(struct store *s, int64_t id, store_done *done, void *arg, struct err *e);
/* Newest first, ids below `before` (0 = from the newest); state -1 = all. */
int store_run_list(struct store *s, int64_t before, int state, size_t limit, store_done *done, void *arg, struct err *e);
/* Inputs and ledger rows of items from_seq..to_seq (inclusive), ordered by seq, step, attempt, kind. Input rows that overlap come whole. */
int store_ledger_read(struct store *s, int64_t run, uint64_t from_seq, uint64_t to_seq, store_done *done, void *arg, struct err *e);
/* How far the recorded input of a run goes: next_seq, and as total how many of its items came from the source. */
int store_input_end(struct store *s, int64_t run, store_done *done, void *arg, struct err *e);
/* Only LEDGER_PROBLEM rows, items after `after_seq` (UINT64_MAX = from the first); code -1 = all. */
int store_problem_list(struct store *s, int64_t run, uint64_t after_seq, int code, size_t limit, store_done *done, void *arg, struct err *e);
int store_entry_get(struct store *s, struct str component, int64_t id, store_done *done, void *arg, struct err *e);
/*
 * Newest first by updated_at then id, ids as cursor: before = id of the last seen (0 = first page; STORE_NOT_FOUND when that entry is
 * gone). total is counted.
 */
int store_entry_list(struct store *s, struct str component, int64_t before, size_t limit, store_done *done, void *arg, struct err *e);
int store_component_get(struct store *s, struct str name, struct str version /* empty = newest */, store_done *done, void *arg, struct err *e);
int store_component_list(struct store *s, store_done *done, void *arg, struct err *e);

/*
 * Who executes a run: a lock file per run in the data directory, held by the process (flock) and released by its death. 0, or -ERR_CONFLICT when
 * another process holds it. In-memory stores always succeed.
 */
int store_run_claim(struct store *s, int64_t id, struct err *e);
void store_run_release(struct store *s, int64_t id);
/* Bytes of the data files, for `weir doctor` and pages. */
uint64_t store_disk_bytes(struct store *s);
/* The data directory, or host and database of a server; for people. Valid as long as the store. */
const char *store_where(const struct store *s);
