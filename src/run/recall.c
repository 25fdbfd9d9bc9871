/* SPDX-License-Identifier: Apache-2.0 */
/* Brings a run back from disk: its row, then the component of the version it started with, then the plan of its
 * dataflow. */
#include "run/run.h"

#include "base/alloc.h"
#include "base/auto.h"

#include <stdlib.h>

struct recall {
	struct store *store;
	const struct flow_env *env;
	run_recalled *done;
	void *arg;
	struct arena arena;
	struct run_row row;
};

static void recall_end(struct recall *rc, struct plan *plan, struct err *e)
{
	rc->done(rc->arg, &rc->row, plan, e);
	arena_done(&rc->arena);
	free(rc);
}

static struct plan *plan_of_source(struct recall *rc, const struct component_row *row, struct err *e)
{
	auto_free struct complaints *c = alloc_malloc(sizeof(*c));
	struct flow_env env = *rc->env;
	struct plan *plan = NULL;
	if (!c) {
		err_set(e, ERR_NO_MEMORY, "out of memory");
		return NULL;
	}
	complaints_init(c);
	env.env = rc->row.env;
	struct doc *doc = doc_parse(arena_c(&rc->arena, row->name), row->source, c);
	struct component *k = doc ? component_new(doc, &env, c) : NULL;
	if (k)
		plan = plan_new(k, rc->row.dataflow, &env, c);
	if (!plan)
		err_set(e, ERR_STATE,
			"this Weir cannot compile the version %.*s of component %.*s that the run started with: %.*s",
			STR_ARG(rc->row.version), STR_ARG(rc->row.component),
			STR_ARG(c->n ? c->items[0].text : STR_NULL));
	component_unref(k);
	complaints_done(c);
	return plan;
}

static void on_component(void *arg, const struct store_result *result)
{
	struct recall *rc = arg;
	struct err e = ERR_INIT;
	struct plan *plan = NULL;
	if (result->error == STORE_FAILED)
		err_set(&e, ERR_IO, "the store cannot be read: %s", result->detail ? result->detail : "unknown");
	else if (result->error || !result->n)
		err_set(&e, ERR_NOT_FOUND, "the version %.*s of component %.*s is not in the store",
			STR_ARG(rc->row.version), STR_ARG(rc->row.component));
	else
		plan = plan_of_source(rc, &result->components[0], &e);
	recall_end(rc, plan, &e);
}

static void row_keep(struct recall *rc, const struct run_row *row)
{
	rc->row = *row;
	struct str *texts[] = { &rc->row.component, &rc->row.dataflow, &rc->row.version, &rc->row.env,
				&rc->row.trigger,   &rc->row.steps,    &rc->row.problem };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i] = arena_str(&rc->arena, *texts[i]);
}

static void on_row(void *arg, const struct store_result *result)
{
	struct recall *rc = arg;
	struct err e = ERR_INIT;
	if (result->error || !result->n) {
		if (result->error == STORE_FAILED)
			err_set(&e, ERR_IO, "the store cannot be read: %s",
				result->detail ? result->detail : "unknown");
		else
			err_set(&e, ERR_NOT_FOUND, "there is no run %lld here", (long long)rc->row.id);
		recall_end(rc, NULL, &e);
		return;
	}
	row_keep(rc, &result->runs[0]);
	if (store_component_get(rc->store, rc->row.component, rc->row.version, on_component, rc, &e) < 0)
		recall_end(rc, NULL, &e);
}

int run_recall(struct store *s, int64_t id, const struct flow_env *env, run_recalled *done, void *arg, struct err *e)
{
	struct recall *rc = alloc_calloc(1, sizeof(*rc));
	if (!rc)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	*rc = (struct recall){ .store = s, .env = env, .done = done, .arg = arg, .row = { .id = id } };
	arena_init(&rc->arena, 0);
	int code = store_run_get(s, id, on_row, rc, e);
	if (code < 0) {
		arena_done(&rc->arena);
		free(rc);
	}
	return code;
}
