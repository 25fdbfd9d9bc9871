/* SPDX-License-Identifier: Apache-2.0 */
/* Stored rows as the JSON that the REST face and the command line show. Values live in the arena given. */
#pragma once
#include "call/attempt.h"
#include "run/run.h"

/* `is_interrupted`: running on disk, but nobody executes it. */
struct value view_run(struct arena *a, const struct run_row *row, bool is_interrupted);
/* The steps with their promises; counts come from the row's text or, for a live run, from `live`. */
struct value view_run_steps(struct arena *a, const struct plan *p, const struct run_row *row, const struct run *live);
struct value view_entry(struct arena *a, const struct entry_row *row);
struct value view_component(struct arena *a, const struct component *k, msec_t imported_at);
struct value view_form(struct arena *a, const struct component *k, const struct form *f, struct str env);

/* One attempt of one call, out of the ledger. The rows and the plan are borrowed, the rest is in the arena. */
struct item_attempt {
	const struct plan_step *step; /* NULL = the plan has no such step */
	const struct ledger_row *intent, *outcome; /* outcome NULL = none yet, or never */
	struct value request;			   /* as recorded; null when damaged */
	struct call_attempt x;
};
/* The attempts of one item out of its ledger rows (of one seq, in order); returns how many. */
size_t view_attempts(struct arena *a, const struct plan *p, const struct ledger_row *rows, size_t n,
		     struct item_attempt **ret);
/* The same as JSON: "calls" of an item in docs/internals/rest.md. */
struct value view_calls(struct arena *a, const struct plan *p, const struct ledger_row *rows, size_t n);
/* What a person decided about an unknown outcome, each as { step, attempt, decision, by, at, note, result }. */
struct value view_decisions(struct arena *a, const struct plan *p, const struct ledger_row *rows, size_t n);
#define DECISION_NOTE_MAX 2000		/* bytes */
#define DECISION_RESULT_MAX (1u << 20) /* bytes of JSON */
bool decision_parse(struct str name, enum decision *ret); /* "done", "again", "skip" */
/* The head of a decision's row. 0, or the buffer's code. */
int decision_head_write(struct buf *b, struct str by, struct str note);
struct value view_time(struct arena *a, msec_t wall); /* RFC 3339, or null for 0 */
/* JSON text out of the ledger as a value; null when empty or damaged. */
struct value view_json(struct arena *a, struct str text);
struct value view_member(struct arena *a, const struct value *object, const char *key); /* a copy; null when absent */
void view_set(struct arena *a, struct value *object, const char *key, struct value v);
void view_set_str(struct arena *a, struct value *object, const char *key, struct str s);
void view_set_int(struct arena *a, struct value *object, const char *key, int64_t n);
/* The pages' shape: { items, next, total }. */
struct value view_page(struct arena *a, struct value items, struct value next, struct value total);
