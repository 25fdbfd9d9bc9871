/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The step contract. A kind is one file in src/step/ and one line in steps.def. At check time it compiles its settings into the
 * read-only plan; at run time it gets items one by one through its verbs. See step/README.md for a worked example.
 */
#pragma once
#include "base/opt.h"
#include "flow/component.h"
#include "flow/item.h"

struct plan;
struct plan_step;
struct step; /* a step within one run: run/step_run.h */

/* Given to compile verbs: where to complain and what stands around the step. */
struct compile {
	const struct component *component;
	const struct dataflow *dataflow;
	const struct flow_env *env;
	struct arena *arena;	 /* lives as long as the plan */
	struct complaints *complaints;
	struct str place;	 /* dataflow "x", step "y" */
	const struct value *step; /* the step as written */
};
/* Complain about a setting of the step: `at` NULL = the member `field` of the step, or the step itself. Always returns -ERR_INVALID. */
int compile_complain(struct compile *c, const struct value *at, const char *field, const char *fmt, ...) PRINTF_LIKE(4, 5);

enum verdict {
	STEP_DONE, /* the item goes on */
	STEP_WAIT, /* the step keeps it and will call step_pass() or step_fail() */
	STEP_FAIL, /* item->problem is set (step_problem()) */
};

enum kind_group { KIND_INPUT, KIND_SHAPE, KIND_USERS, KIND_OUTPUT };

struct kind {
	const char *name;  /* "execute_api_call" */
	const char *title; /* "Execute API call" */
	const char *brief;
	enum kind_group group;
	bool is_source;	   /* takes no source step */
	bool is_response;  /* what leaves here is the run's output */
	const struct opt *opts;
	size_t opts_size;
	/* Check and prepare: s->opts is filled from opts; s->compiled is the kind's own. 0 or -ERR_INVALID after complaining. */
	int (*compile)(struct compile *c, struct plan_step *s);
	void (*release)(struct plan_step *s); /* when s->compiled is set, even if compile has failed */
	/* What this step promises and does, for people; in `a`. May be NULL. */
	struct str (*promise)(const struct plan_step *s, struct arena *a);
	struct str (*detail)(const struct plan_step *s, struct arena *a);
	/* Run: state of one run (step_state()), items in, end of turn, end. Missing verbs do nothing; a missing start passes items on. */
	int (*open)(struct step *s, struct err *e);
	enum verdict (*start)(struct step *s, struct item *it);
	void (*stop)(struct step *s);  /* the run stops early: let go, by step_drop(), of items for which nothing has begun */
	void (*flush)(struct step *s); /* end of a turn in which start was called: send what was gathered */
	void (*close)(struct step *s); /* cancel everything; items inside are the run's to bury */
};

/* What becomes of an item that fails in a step (setting on_error, every kind has it). Unknown outcomes are never passed on. */
enum on_error {
	ON_ERROR_SKIP, /* it ends there, recorded as failed; the others go on */
	ON_ERROR_STOP, /* the same, and the run takes no more work: what is under way ends, the rest is not begun */
	ON_ERROR_KEEP, /* it goes on with item._error, the problem */
};
#define ITEM_ERROR_FIELD "_error"

struct plan_step {
	const struct kind *kind;
	struct str name, stage;
	const struct step_source *source_text;
	size_t index, stage_index;
	ptrdiff_t source; /* index of the source step, -1 = none */
	size_t *followers;
	size_t n_followers;
	size_t *error_followers; /* steps whose source_output is "errors": they take the items that fail here, with item._error */
	size_t n_error_followers;
	enum on_error on_error;
	bool takes_errors;
	void *opts;	/* the kind's struct, filled from its rows */
	void *compiled; /* the kind's own */
};

/* Read-only compiled dataflow; steps in an order in which sources come first. Refcounted; holds the component. */
struct plan {
	struct component *component;
	const struct dataflow *dataflow;
	struct arena arena;
	struct plan_step *steps;
	size_t n_steps;
	struct str env;
	int refs;
};

/* What the pure layer must be told: the kinds, the environment, how to check a system. */
struct flow_env {
	const struct kind *const *kinds; /* NULL-terminated */
	struct str env;			 /* "live", "sample", ...; empty = the system's only or first */
	/* Check systems.<name>; complain through doc_complain(). Returns 0 or -ERR_INVALID. NULL = not checked. */
	int (*check_system)(const struct doc *doc, struct str name, const struct value *system, const struct flow_env *env, struct complaints *c);
	int (*system_schema)(struct arena *a, struct value *ret); /* JSON Schema of one system; NULL = any object */
	void *arg;
};

const struct kind *kind_find(const struct flow_env *env, struct str name);
/* Compile one dataflow ("" = the only one). NULL after complaining. */
struct plan *plan_new(struct component *k, struct str dataflow, const struct flow_env *env, struct complaints *c);
struct plan *plan_ref(struct plan *p);
void plan_unref(struct plan *p);
