/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cassette: the input of a run and all that came from outside, as lines of JSON that people read and git compares.
 * Recorded from the ledger, read from a file, and played: the run again with the cassette as its only world.
 */
#pragma once
#include "base/buf.h"
#include "run/run.h"
#include "step/services.h"

#define CASSETTE_MAX_BYTES (64u << 20) /* of a file */
#define CASSETTE_MAX_ITEMS 100000
#define CASSETTE_MAX_LINES 1000000
#define CASSETTE_REDACT_MAX 64	   /* names and paths to redact */
#define CASSETTE_DIFFERENCES_MAX 8 /* told of one thing that differs */

enum cassette_kind {
	CASSETTE_INPUT,
	CASSETTE_CALL,
	CASSETTE_ENTRY,
	CASSETTE_OUTPUT,
	CASSETTE_PROBLEM,
	CASSETTE_STEP, /* only of a playing: the item as it left a step */
};

/* One line. `v` is what the line says beside item, step and attempt. */
struct cassette_line {
	enum cassette_kind kind;
	uint64_t item;
	struct str step; /* of calls, entries, problems */
	uint32_t attempt;
	struct value v; /* INPUT: { input, made_by, parent }; CALL: { answer, decision, request }; ENTRY: { entry };
			   OUTPUT: { output }; PROBLEM: { problem, state } */
};

struct cassette {
	struct arena arena;
	struct str component, dataflow, env;
	msec_t now; /* what Date says in scripts */
	int64_t run;
	uint64_t seed;
	struct value redact; /* array of header names and JSONPaths */
	struct cassette_line *lines;
	size_t n, cap;
};

void cassette_init(struct cassette *c);
void cassette_done(struct cassette *c);
struct cassette_line *cassette_add(struct cassette *c,
				   const struct cassette_line *line); /* NULL = out of memory, or too many */
/* Items in order, each with its input, calls, entries, outputs, problems. */
void cassette_sort(struct cassette *c);

/* NDJSON, checked line by line; the message of `e` names the line. Copies what it keeps. */
int cassette_read(struct cassette *c, struct str text, struct err *e);
/* Each line's members in the order of their names; bodies, inputs and outputs as they are. */
int cassette_write(struct cassette *c, struct buf *b);

/*
 * Items from..to of a recorded run (its input, calls, entries, and the problems that cannot be computed again) added to
 * `c`, whose head is set. Steps are named by `plan`, the run's own. Runs the loop until the store has answered.
 * *ret_items = how many there were.
 */
int cassette_record(struct cassette *c, struct loop *l, struct store *s, const struct run_row *row,
		    const struct plan *plan, uint64_t from, uint64_t to, uint64_t *ret_items, struct err *e);
/* Redact by header names and JSONPaths ("$...", in bodies, inputs, outputs, entries): texts become ***, numbers 0, all
 * else null. */
int cassette_redact(struct cassette *c, struct err *e);

/* A problem that a playing cannot come to by itself: time, memory, disk, folder of that day. It is believed. */
bool cassette_believes(const struct value *problem);

enum cassette_verdict {
	CASSETTE_SAME,
	CASSETTE_CHANGED,
	CASSETTE_NEW,  /* not recorded, happens now */
	CASSETTE_GONE, /* recorded, does not happen any more */
};

/* A call that a playing comes to. */
struct cassette_request {
	const struct plan_step *step;
	uint64_t item;
	struct str masked;	       /* as its intent would hold it */
	enum cassette_verdict verdict; /* beside the recorded call of that item and step: same, changed, new */
	bool is_open;		       /* that one has no answer on the cassette: what became of it is not known */
};

/*
 * Play it: the plan over its input, with its answers and nothing else. `scripts` is all that is used of the process;
 * there is no HTTP client to send with. What the run did (CALL with its request, ENTRY, OUTPUT, PROBLEM, and STEP if
 * asked for) is added to `ret`, sorted. Runs the loop until it is over.
 */
struct cassette_play {
	struct loop *loop;
	struct script_pool *scripts;
	struct plan *plan;
	size_t window;	       /* 0 = default */
	bool with_steps;       /* tell STEP lines */
	bool stops_at_changes; /* a request that is not the recorded one has no answer: its item ends there
				  ("would_be_sent") */
	/* Optional. Borrowed until it returns. */
	void (*on_request)(void *arg, const struct cassette_request *rq);
	void *arg;
};
int cassette_play(const struct cassette *c, const struct cassette_play *p, struct cassette *ret, struct err *e);

struct cassette_finding {
	enum cassette_verdict verdict;
	enum cassette_kind kind;
	uint64_t item;
	struct str step;
	const struct value *recorded, *now; /* of NEW and GONE one is NULL */
	bool is_unanswered;		    /* a call that has no recorded answer */
};
typedef void cassette_tell(void *arg, const struct cassette_finding *f);
/*
 * What was recorded (the file) beside what happens now (a playing of it), item by item. `is_strict`: bodies of requests
 * byte for byte, else JSON bodies whatever the order of their members. `arena` for the comparison's own values. Returns
 * how many are not SAME.
 */
size_t cassette_compare(const struct cassette *recorded, const struct cassette *now, bool is_strict,
			cassette_tell *tell, void *arg);
/* Two playings with STEP lines: the first step of each item that gave two things. Returns how many items have one. */
size_t cassette_compare_steps(const struct cassette *first, const struct cassette *second, cassette_tell *tell,
			      void *arg);
/* Take over what happens now: requests, entries, outputs, problems. Answers and input stay. */
int cassette_update(struct cassette *recorded, const struct cassette *now);
/* The same, but calls stay as they were recorded: what was sent is what the ledger says. */
int cassette_complete(struct cassette *recorded, const struct cassette *now);

/* Where two values differ: "/body/lines/0: 49.90, now 49.9", one a line, at most CASSETTE_DIFFERENCES_MAX. */
typedef void value_differs(void *arg, struct str pointer, const struct value *recorded, const struct value *now);
size_t cassette_diff(const struct value *recorded, const struct value *now, value_differs *differs, void *arg);
int cassette_diff_write(struct buf *b, const struct value *recorded, const struct value *now, const char *indent);
/* With other words than "recorded" and "now". */
int cassette_diff_write_as(struct buf *b, const struct value *one, const struct value *other, const char *indent,
			   const char *called, const char *and);
