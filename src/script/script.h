/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scripts: JavaScript run by worker processes in a jail, batches of items per round trip. The server side: a pool of
 * workers, deadlines, and what comes back. The engine is not trusted; the process is the wall (script/README.md).
 *
 * Values: JSON both ways, lossless. Integers that a double cannot hold arrive as BigInt, other such numbers as a Number
 * object that keeps its text; every number left as it was, or passed on, comes back with its text (0.1000 stays
 * 0.1000). Scripts are deterministic: Date and Math.random are fixed by the realm, no input or output exists, globals
 * are frozen.
 */
#pragma once
#include "base/value.h"
#include "loop/loop.h"

struct script_pool;
struct script_program;

#define SCRIPT_SOURCE_MAX (1u << 20)	     /* longest source */
#define SCRIPT_BATCH_MAX 100		     /* items per round trip */
#define SCRIPT_RESULT_MAX (8u << 20)	     /* longest result of one item, bytes of JSON */
#define SCRIPT_DEADLINE_DEFAULT 2000	     /* ms that one item may take */
#define SCRIPT_MEMORY_DEFAULT (128ull << 20) /* bytes that a worker may grow after warm-up */

struct script_config {
	size_t workers;	     /* 0 = one per core, at most 4; started when first needed, kept warm */
	msec_t deadline;     /* 0 = default */
	uint64_t memory;     /* 0 = default */
	const char *program; /* executable to start as worker; NULL = /proc/self/exe, with arguments "--role=script" */
	msec_t idle_stop;    /* workers without work are stopped after this; 0 = 60 s */
};

enum script_kind {
	SCRIPT_ITEM,  /* body of function (item): changes `item`, or returns another object which takes its place */
	SCRIPT_EXPRS, /* one or more expressions over `item`: the result is an array of their values, undefined becomes
			 absent (null) */
	SCRIPT_CALL,  /* library of functions; the input is { "function": name, "arguments": [...] }, the result what it
			 returned */
};

/* What is fixed for a run (the ledger keeps it). */
struct script_realm {
	uint64_t id;   /* the run: realms of different ids share no JavaScript state */
	msec_t now;    /* what Date says */
	uint64_t seed; /* of Math.random, mixed with program and item number */
};

enum script_error {
	SCRIPT_OK = 0,
	SCRIPT_SYNTAX,	     /* does not compile */
	SCRIPT_THREW,	     /* an exception left the script */
	SCRIPT_TIMEOUT,	     /* over the deadline; worker replaced */
	SCRIPT_NO_MEMORY_JS, /* over the memory limit; worker replaced or the engine's RangeError */
	SCRIPT_TOO_LARGE,    /* result over SCRIPT_RESULT_MAX */
	SCRIPT_BAD_RESULT,   /* a result that is no JSON: cyclic, function, item replaced by a non-object */
	SCRIPT_KILLED,	     /* the worker died: a forbidden system call, a crash */
	SCRIPT_UNAVAILABLE,  /* JavaScriptCore is not installed, or workers cannot be started */
};
const char *script_error_name(enum script_error error); /* "script_timeout", "script_threw", ... */

struct script_result {
	enum script_error error;
	struct str detail; /* when error: message with line and column in the source, at most 2 KiB; borrowed until the
			      callback returns */
	struct str message; /* what was thrown, alone: without program, "Error: " and place; borrowed like detail */
	unsigned line, column; /* in the source, from 1; 0 = unknown */
	struct value value;    /* when ok: lives in the arena given with the item */
};

struct script_item {
	const struct value *input; /* borrowed until the callback */
	struct arena *arena;	   /* where the result goes */
	uint64_t number;	   /* the item's ordinal, for Math.random */
};

typedef void script_done(void *arg, const struct script_result *results, size_t n);

struct script_pool *script_pool_new(struct loop *l, const struct script_config *config,
				    struct err *e); /* starts no process yet */
void script_pool_free(struct script_pool *p);	    /* kills the workers; pending callbacks do not run */
/* Start workers now, so that the first script does not wait for one (about 40 ms). */
void script_pool_warm(struct script_pool *p);

/* Programs are plain sources with a name for messages; compiled in a worker when first used there. `source`s are
 * copied. For SCRIPT_EXPRS each source is one expression; else n is 1. Refcounted. */
struct script_program *script_program_new(enum script_kind kind, const struct str *sources, size_t n, const char *name,
					  struct err *e);
struct script_program *script_program_ref(struct script_program *p);
void script_program_unref(struct script_program *p);

struct script_job;
/*
 * Run the program over n items (1..SCRIPT_BATCH_MAX), in one worker, in order. The callback comes once, with n results
 * in order. An item that kills its worker fails alone: the others go on in a new worker. Jobs wait in one
 * bounded-by-callers queue, fair by realm.
 */
struct script_job *script_run(struct script_pool *p, struct script_program *program, const struct script_realm *realm,
			      const struct script_item *items, size_t n, script_done *done, void *arg, struct err *e);
void script_cancel(struct script_job *j);
/* Does it compile? Same callback, one result (value = null). For `weir check`. */
struct script_job *script_check(struct script_pool *p, struct script_program *program, script_done *done, void *arg,
				struct err *e);

/* The role's entry: descriptor 3 is the socketpair. Never returns to business: the exit code of the process. */
int script_worker_main(int argc, char **argv);
