/* SPDX-License-Identifier: Apache-2.0 */
/* DELETE of a run: gone when this answers; the room it took is given back afterwards, a stretch at a time. */
#include "api/api_int.h"
#include "store/prune.h"

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
