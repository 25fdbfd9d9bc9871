/* SPDX-License-Identifier: Apache-2.0 */
/* DELETE of a run: gone when this answers; the room it took is given back afterwards, a stretch at a time. A round of
 * retention: by age, state, number and size, first dry. */
#include "api/api_int.h"

#include "base/alloc.h"
#include "store/prune.h"

#include <stdlib.h>

static void on_deleted(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	struct err e = ERR_INIT;
	store_run_release(rq->api->config.store, *(const int64_t *)rq->state); /* a failed result names no run */
	if (result->error) {
		reply_store_error(rq, result);
	} else {
		struct value v = value_object();
		view_set_str(&rq->arena, &v, "id", str_c(arena_printf(&rq->arena, "%lld", (long long)result->id)));
		view_set_str(&rq->arena, &v, "state", STR("deleted"));
		reply_json(rq, 200, &v, NULL);
		(void)prune_settle(rq->api->config.store, &e); /* refused: the next prune does it */
	}
	request_release(rq);
}

void delete_run(struct request *rq)
{
	struct store *store = rq->api->config.store;
	struct err e = ERR_INIT;
	int64_t id, *kept = ARENA_NEW(&rq->arena, int64_t);
	if (!request_number(rq, 0, &id))
		return;
	if (!kept) {
		reply_problem(rq, 503, "memory", NULL, "out of memory");
		return;
	}
	*kept = id;
	rq->state = kept;
	if (live_find(rq->api, id) || store_run_claim(store, id, &e) < 0) {
		reply_problem(rq, 409, "run_is_live", NULL, "the run is being executed");
		return;
	}
	request_hold(rq);
	if (store_run_prune(store, id, true, on_deleted, rq, &e) == 0)
		return;
	store_run_release(store, id);
	reply_problem(rq, 503, "store", NULL, "%s", e.msg);
	request_release(rq);
}

/* ---- a round of retention ---- */

struct prune_round {
	struct api *api;
	struct prune *prune;
	struct request *waiter; /* held; NULL once answered */
	struct loop_timer patience;
	struct arena arena;
	struct value named; /* the first runs that went, or would go */
	uint64_t bytes;	    /* of a dry round */
	bool is_dry;
};

bool prune_round_progress(const struct api *a, struct prune_progress *ret)
{
	const struct prune *p = a->pruning ? a->pruning->prune : NULL;
	if (!p && a->config.retention)
		p = *a->config.retention;
	if (p)
		prune_progress(p, ret);
	return p != NULL;
}

/* The waiter is somebody else's by now: the server closes. */
void prune_round_free(struct prune_round *r)
{
	if (!r)
		return;
	loop_timer_stop(&r->patience);
	prune_stop(r->prune);
	arena_done(&r->arena);
	free(r);
}

static void on_each(void *arg, int64_t run, uint64_t bytes, const char *refusal)
{
	struct prune_round *r = arg;
	struct arena *a = &r->arena;
	struct value v = value_object();
	r->bytes += bytes;
	if (r->named.len >= API_PRUNE_NAMED)
		return;
	view_set_str(a, &v, "id", str_c(arena_printf(a, "%lld", (long long)run)));
	view_set(a, &v, "bytes", r->is_dry ? value_int(a, (int64_t)bytes) : value_null());
	view_set_str(a, &v, "refusal", refusal ? str_c(refusal) : STR_NULL);
	(void)value_push(a, &r->named, v);
}

static struct value round_view(struct arena *a, const struct prune_round *r, uint64_t runs, uint64_t refused)
{
	struct value v = value_object();
	view_set(a, &v, "dry_run", value_bool(r->is_dry));
	view_set_int(a, &v, "runs", (int64_t)runs);
	view_set_int(a, &v, "refused", (int64_t)refused);
	return v;
}

static void on_round(void *arg, const struct prune_report *report)
{
	struct prune_round *r = arg;
	struct request *rq = TAKE(r->waiter);
	r->prune = NULL; /* it frees itself */
	r->api->pruning = NULL;
	if (rq) {
		struct arena *a = &rq->arena;
		struct value v = round_view(a, r, report->runs, report->refused), items = value_array();
		uint64_t before = report->used_before, after = report->used_after,
			 less = before > after ? before - after : 0;
		(void)value_copy(a, &r->named, &items);
		view_set_int(a, &v, "bytes", (int64_t)(r->is_dry ? r->bytes : less));
		view_set_int(a, &v, "used_before", (int64_t)before);
		view_set(a, &v, "used_after", r->is_dry ? value_null() : value_int(a, (int64_t)after));
		view_set(a, &v, "items", items);
		if (report->problem)
			reply_problem(rq, 503, "store", &v, "stopped: %s; the next round goes on from there",
				      report->problem);
		else
			reply_json(rq, 200, &v, NULL);
		request_release(rq);
	}
	prune_round_free(r);
}

static void on_impatient(struct loop_timer *t)
{
	struct prune_round *r = CONTAINER_OF(t, struct prune_round, patience);
	struct request *rq = TAKE(r->waiter);
	struct prune_progress now;
	prune_progress(r->prune, &now);
	struct value v = round_view(&rq->arena, r, now.runs, now.refused);
	reply_json(rq, 202, &v, "/api/v1/storage");
	request_release(rq);
}

/* False after answering 422, with the place in the body. */
static bool refuse(struct request *rq, const char *pointer, const char *text)
{
	struct arena *a = &rq->arena;
	struct value more = value_object(), errors = value_array(), one = value_object();
	view_set_str(a, &one, "pointer", str_c(pointer));
	view_set_str(a, &one, "detail", str_c(text));
	(void)value_push(a, &errors, one);
	view_set(a, &more, "errors", errors);
	reply_problem(rq, 422, "invalid_prune", &more, "%s", text);
	return false;
}

static bool states_take(const struct value *list, unsigned *ret)
{
	static const enum run_state over[] = { RUN_DONE, RUN_FAILED, RUN_PARTLY_DONE };
	for (size_t i = 0; value_is(list, VALUE_ARRAY) && i < list->len; i++) {
		unsigned found = 0;
		for (size_t k = 0; k < ARRAY_LEN(over); k++)
			if (value_is_string(value_at(list, i), str_c(run_state_name(over[k]))))
				found = 1u << over[k];
		if (!found)
			return false;
		*ret |= found;
	}
	return value_is(list, VALUE_ARRAY) && list->len > 0;
}

/* The text of a member, null for what is no text; absent = the default. */
static struct str text_at(const struct value *v)
{
	return value_is(v, VALUE_STRING) ? value_text(v) : STR_NULL;
}

/* What `weir runs prune` takes as flags. */
static bool policy_read(struct request *rq, struct prune_policy *ret)
{
	const struct value *age = value_get_c(&rq->body, "older_than"), *keep = value_get_c(&rq->body, "keep");
	const struct value *states = value_get_c(&rq->body, "states"), *size = value_get_c(&rq->body, "max_size");
	const struct value *dry = value_get_c(&rq->body, "dry_run");
	struct err e = ERR_INIT;
	int64_t newest = 0;
	if (!value_is(&rq->body, VALUE_OBJECT) || (!age && !keep && !states && !size))
		return refuse(rq, "", "say which runs go: older_than, keep, states, max_size");
	if (age && (num_parse_duration(text_at(age), &ret->older_than, &e) < 0 || ret->older_than <= 0))
		return refuse(rq, "/older_than", "write a time such as \"30d\" or \"12h\"");
	if (keep && (!value_to_int64(keep, &newest) || newest < 1))
		return refuse(rq, "/keep", "write how many of the newest runs stay");
	ret->keep = (uint64_t)newest;
	if (states && !states_take(states, &ret->states))
		return refuse(
		    rq, "/states",
		    "write [\"done\", \"failed\", \"partly done\"] or some of them; others go only by their number");
	if (size && (num_parse_size(text_at(size), &ret->max_bytes, &e) < 0 || !ret->max_bytes))
		return refuse(rq, "/max_size", "write a size such as \"500MiB\" or \"2GiB\"");
	if (dry && !value_is(dry, VALUE_BOOL))
		return refuse(rq, "/dry_run", "write true or false");
	ret->is_dry = dry && dry->truth;
	return true;
}

static int round_start(struct request *rq, const struct prune_policy *policy, struct err *e)
{
	struct api *api = rq->api;
	struct store *store = api->config.store;
	/* A dry round only reads, and each run whole: the reader's thread has the time for that. */
	int code = policy->is_dry ? survey_reader(api->survey, &store, e) : 0;
	if (code)
		return code;
	struct prune_round *r = alloc_calloc(1, sizeof(*r));
	if (!r)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	*r = (struct prune_round){ .api = api, .named = value_array(), .is_dry = policy->is_dry };
	arena_init(&r->arena, 0);
	loop_timer_init(api->config.loop, &r->patience, on_impatient);
	r->prune = prune_start(store, policy, on_each, on_round, r, e);
	if (!r->prune) {
		prune_round_free(r);
		return -ERR_IO;
	}
	r->waiter = rq;
	api->pruning = r;
	(void)loop_timer_start(&r->patience, API_PRUNE_WAIT_MS);
	return 0;
}

void post_prune(struct request *rq)
{
	struct prune_policy policy = { 0 };
	struct err e = ERR_INIT;
	if (!policy_read(rq, &policy))
		return;
	if (rq->api->pruning) {
		reply_problem(rq, 409, "prune_is_under_way", NULL,
			      "a round of pruning is under way; ask again when it is over");
		return;
	}
	request_hold(rq);
	if (round_start(rq, &policy, &e) == 0)
		return;
	reply_problem(rq, 503, "store", NULL, "%s", e.msg);
	request_release(rq);
}
