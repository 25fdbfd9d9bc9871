/* SPDX-License-Identifier: Apache-2.0 */
/* A run again from a step, over REST: what stands before it is read from the ledger, what lies behind is done again. */
#include "api/api_int.h"

#include "base/alloc.h"
#include "step/redo.h"

#include <stdlib.h>

struct rerunning {
	int64_t run;
	struct str from;
	uint64_t *items; /* NULL = all */
	size_t n;
	struct plan *plan;	/* of the run's own version, once recalled */
	struct step_redo *redo; /* while the store has it */
};

/* 422, with the place in the body. */
static void refuse(struct request *rq, const char *pointer, const char *text)
{
	struct arena *a = &rq->arena;
	struct value more = value_object(), errors = value_array(), one = value_object();
	view_set_str(a, &one, "pointer", str_c(pointer));
	view_set_str(a, &one, "detail", str_c(text));
	(void)value_push(a, &errors, one);
	view_set(a, &more, "errors", errors);
	reply_problem(rq, 422, "invalid_rerun", &more, "%s", text);
}

static void rerun_over(struct request *rq)
{
	struct rerunning *r = rq->state;
	plan_unref(TAKE(r->plan));
	free(TAKE(r->redo));
	request_release(rq);
}

static void on_redone(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	struct rerunning *r = rq->state;
	struct arena *a = &rq->arena;
	struct value v = value_object();
	store_run_release(rq->api->config.store, r->run);
	if (result->error == STORE_CONFLICT) {
		struct str stuck = r->plan->steps[result->id].name;
		view_set_str(a, &v, "step", stuck);
		reply_problem(rq, 409, "not_repeatable", &v, "step \"%.*s\" %s; nothing was changed", STR_ARG(stuck),
			      result->detail);
	} else if (result->error) {
		reply_store_error(rq, result);
	} else if (!result->total) {
		reply_problem(rq, 409, "nothing_recorded", NULL,
			      "run %lld has nothing recorded at step \"%.*s\" or behind it that could be done again",
			      (long long)r->run, STR_ARG(r->from));
	} else {
		view_set_str(a, &v, "run", str_c(arena_printf(a, "%lld", (long long)r->run)));
		view_set_str(a, &v, "from", r->from);
		view_set_int(a, &v, "dropped", (int64_t)result->total);
		live_resume_after(rq, r->run, v, true);
	}
	rerun_over(rq);
}

static void redo(struct request *rq, struct rerunning *r)
{
	struct err e = ERR_INIT;
	r->redo = alloc_calloc(1, sizeof(*r->redo));
	if (!r->redo) {
		reply_problem(rq, 503, "no_memory", NULL, "out of memory; the run is as it was");
	} else if (!step_redo_from(r->redo, r->plan, r->from)) {
		refuse(rq, "/from",
		       arena_printf(&rq->arena, "the dataflow of run %lld has no step \"%.*s\"", (long long)r->run,
				    STR_ARG(r->from)));
	} else if (request_claim(rq, r->run)) {
		r->redo->row.run = r->run;
		r->redo->row.items = r->items;
		r->redo->row.n_items = r->n;
		if (store_ledger_redo(rq->api->config.store, &r->redo->row, on_redone, rq, &e) == 0)
			return;
		store_run_release(rq->api->config.store, r->run);
		reply_problem(rq, 503, "store", NULL, "%s", e.msg);
	}
	rerun_over(rq);
}

static void on_recalled(void *arg, const struct run_row *row, struct plan *plan, struct err *e)
{
	struct request *rq = arg;
	struct rerunning *r = rq->state;
	r->plan = plan;
	if (plan) {
		redo(rq, r);
		return;
	}
	if (e->code == -ERR_NOT_FOUND)
		reply_problem(rq, 404, "not_found", NULL, "%s", e->msg);
	else if (e->code == -ERR_STATE) /* a version that this Weir cannot read */
		reply_problem(rq, 409, "not_resumable", NULL, "%s", e->msg);
	else
		reply_problem(rq, 503, "store", NULL, "%s", e->msg);
	rerun_over(rq);
}

void post_rerun(struct request *rq)
{
	struct rerunning *r = ARENA_NEW(&rq->arena, struct rerunning);
	const struct value *from = value_get_c(&rq->body, "from");
	struct err e = ERR_INIT;
	if (!r || !request_number(rq, 0, &r->run))
		return;
	if (!value_is(from, VALUE_STRING) || !value_text(from).len) {
		refuse(rq, "/from", "\"from\" must be the name of a step");
		return;
	}
	r->from = value_text(from);
	const char *wrong = request_items(rq, &r->items, &r->n);
	if (wrong) {
		refuse(rq, "/items", wrong);
		return;
	}
	rq->state = r;
	request_hold(rq);
	if (run_recall(rq->api->config.store, r->run, &rq->api->config.env, on_recalled, rq, &e) == 0)
		return;
	reply_problem(rq, 503, "store", NULL, "%s", e.msg);
	rerun_over(rq);
}
