/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that this server executes: started by a request, or found interrupted in the store. */
#include "api/api_int.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>

static void wait_over(struct live_run *lr)
{
	struct request *rq = TAKE(lr->waiter);
	loop_timer_stop(&lr->timer);
	if (!rq)
		return;
	lr->on_over(rq, lr);
	request_release(rq);
	if (lr->api->is_draining && !lr->is_over)
		run_wind_down(lr->run);
}

static void on_wait_timer(struct loop_timer *t)
{
	struct live_run *lr = CONTAINER_OF(t, struct live_run, timer);
	if (lr->is_recorded)
		wait_over(lr);
}

static void live_free(void *p)
{
	struct live_run *lr = p;
	buf_done(&lr->input);
	plan_unref(lr->plan);
	arena_done(&lr->arena);
	free(lr);
}

static void live_end(struct live_run *lr)
{
	struct api *a = lr->api;
	list_remove(&lr->link);
	lr->is_over = true;
	wait_over(lr);
	if (lr->run && run_row(lr->run)->state != RUN_RUNNING)
		recover_all_is_well(a);
	else if (lr->run && run_row(lr->run)->input_is_complete && !a->is_draining)
		recover_later(a, run_id(lr->run));
	if (lr->run)
		run_free(lr->run);
	loop_free_later(a->config.loop, lr, live_free);
	if (lr->is_recovered)
		recover_one_is_over(a);
	if (a->is_draining && list_is_empty(&a->live))
		a->on_idle(a->on_idle_arg);
}

static void on_output(void *arg, const struct item *it)
{
	struct live_run *lr = arg;
	struct value copy;
	if (!lr->waiter || !lr->waiter->x || lr->is_cut)
		return;
	lr->is_cut = value_copy(&lr->arena, &it->root, &copy) < 0 || value_push(&lr->arena, &lr->outputs, copy) < 0;
}

static void on_problem(void *arg, const struct item *it)
{
	struct live_run *lr = arg;
	if (lr->problem.kind != VALUE_ABSENT)
		return;
	lr->problem_state = it->state;
	(void)value_copy(&lr->arena, &it->problem, &lr->problem);
}

/* What we say yes to is on disk: from here on a kill loses nothing. */
static void on_recorded(void *arg, struct run *r)
{
	struct live_run *lr = arg;
	lr->is_recorded = true;
	if (!loop_timer_is_running(&lr->timer))
		wait_over(lr); /* nobody waits for the end, or not any more */
}

static void on_end(void *arg, struct run *r)
{
	live_end(arg);
}

static enum source_verdict read_lines(void *arg, struct buf *lines, size_t wanted, uint32_t *ret_count, struct err *e)
{
	struct live_run *lr = arg;
	if (buf_append_str(lines, buf_str(&lr->input)) < 0) {
		err_set(e, ERR_LIMIT, "the input is larger than %u MiB", RUN_LINE_MAX >> 20);
		return SOURCE_BAD;
	}
	*ret_count = lr->input_lines;
	buf_done(&lr->input);
	return SOURCE_END;
}

static struct live_run *live_new(struct api *a, struct plan *p)
{
	struct live_run *lr = alloc_calloc(1, sizeof(*lr));
	if (!lr)
		return NULL;
	*lr = (struct live_run){ .api = a, .plan = plan_ref(p), .outputs = value_array() };
	arena_init(&lr->arena, 0);
	buf_init(&lr->input, RUN_LINE_MAX);
	loop_timer_init(a->config.loop, &lr->timer, on_wait_timer);
	list_add_last(&a->live, &lr->link);
	return lr;
}

static int live_run_start(struct live_run *lr, const char *trigger, const struct run_row *resume, struct err *e)
{
	struct api *a = lr->api;
	struct run_config config = {
		.loop = a->config.loop,
		.store = a->config.store,
		.plan = lr->plan,
		.services = a->config.services,
		.trigger = trigger,
		.resume = resume,
		.on_recorded = on_recorded,
		.on_output = on_output,
		.on_problem = on_problem,
		.on_end = on_end,
		.arg = lr,
	};
	if (!resume)
		config.source = (struct run_source){ .read = read_lines, .arg = lr };
	lr->run = run_start(&config, e);
	if (lr->run && a->is_draining) /* recalled while the server began to stop */
		run_wind_down(lr->run);
	if (lr->run)
		return 0;
	list_remove(&lr->link);
	live_free(lr);
	return e->code;
}

struct live_run *live_start(struct request *rq, struct plan *p, const char *trigger, struct buf *input, uint32_t lines,
			    msec_t wait, void (*on_over)(struct request *rq, struct live_run *lr))
{
	struct api *a = rq->api;
	struct err e = ERR_INIT;
	if (a->is_draining) {
		reply_problem(rq, 503, "stopping", NULL, "the server is stopping; try again in a moment");
		buf_done(input);
		return NULL;
	}
	struct live_run *lr = live_new(a, p);
	if (!lr) {
		buf_done(input);
		return NULL;
	}
	buf_done(&lr->input);
	lr->input = *input;
	lr->input_lines = lines;
	if (live_run_start(lr, trigger, NULL, &e) < 0) {
		reply_problem(rq, 503, "store", NULL, "%s", e.msg);
		return NULL;
	}
	lr->waiter = rq;
	lr->on_over = on_over;
	request_hold(rq);
	if (wait > 0)
		(void)loop_timer_start(&lr->timer, wait);
	return lr;
}

bool live_reply_broken(struct request *rq, struct live_run *lr)
{
	const struct run_row *row = run_row(lr->run);
	if (row->state != RUN_RUNNING)
		return false;
	if (rq->api->is_draining && !row->problem.len) {
		reply_problem(rq, 503, "stopping", NULL, "%s",
			      lr->is_recorded ? "the server stops; the run goes on when it starts again"
					      : "the server stops; nothing has begun, send it again");
		return true;
	}
	reply_problem(rq, 503, "store", NULL, "the run has stopped: %.*s", STR_ARG(row->problem));
	return true;
}

struct live_run *live_find(struct api *a, int64_t id)
{
	LIST_FOREACH (node, &a->live) {
		struct live_run *lr = LIST_ENTRY(node, struct live_run, link);
		if (lr->run && run_id(lr->run) == id)
			return lr;
	}
	return NULL;
}

struct resume {
	struct api *api;
	struct request *rq; /* held; NULL = at start */
	int64_t id;
	struct value *after; /* in the request's arena: what had happened before; NULL = nothing */
};

static void after_answer(struct request *rq, struct value *v, bool is_resumed, const char *text)
{
	view_set(&rq->arena, v, "resumed", value_bool(is_resumed));
	if (text)
		view_set_str(&rq->arena, v, "not_resumed", arena_str(&rq->arena, str_c(text)));
	reply_json(rq, 200, v, NULL);
}

static void resume_answer(struct resume *re, int status, const char *type, const char *text)
{
	if (re->rq && re->after) {
		after_answer(re->rq, re->after, status < 300, status < 300 ? NULL : text);
	} else if (re->rq && status < 300) {
		struct value v = value_object();
		view_set_str(&re->rq->arena, &v, "id", str_c(arena_printf(&re->rq->arena, "%lld", (long long)re->id)));
		reply_json(re->rq, status, &v, NULL);
	} else if (re->rq) {
		reply_problem(re->rq, status, type, NULL, "%s", text);
	} else if (status == 503) { /* nobody else hears of it */
		recover_later(re->api, re->id);
		recover_one_is_over(re->api);
	} else if (status >= 300) {
		log_warn(NULL, "run is left as it is run=%lld: %s", (long long)re->id, text);
		recover_one_is_over(re->api);
	}
	if (re->rq)
		request_release(re->rq);
	free(re);
}

static void on_recalled(void *arg, const struct run_row *row, struct plan *plan, struct err *e)
{
	struct resume *re = arg;
	struct api *a = re->api;
	if (!plan) {
		resume_answer(re,
			      e->code == -ERR_NOT_FOUND ? 404
			      : e->code == -ERR_IO	? 503
							: 409,
			      "not_resumable", e->msg);
		return;
	}
	/* Whoever holds the claim executes it: another process, or this one already. */
	if (row->state != RUN_RUNNING || live_find(a, row->id) || store_run_claim(a->config.store, row->id, e) < 0) {
		bool is_away = row->state == RUN_RUNNING && e->code == -ERR_IO;
		plan_unref(plan);
		resume_answer(re, is_away ? 503 : 409, "not_resumable",
			      is_away			  ? e->msg
			      : row->state != RUN_RUNNING ? "the run has ended"
							  : "the run is being executed");
		return;
	}
	store_run_release(a->config.store, row->id);
	/* Whoever has the rest of the input can go on with it; we cannot. Our own were not answered yet: they end here,
	 * and say so. */
	if (!row->input_is_complete && !row->problem.len && str_eq_c(row->trigger, "cli")) {
		plan_unref(plan);
		resume_answer(re, 409, "not_resumable",
			      "its input was not recorded to the end: go on with `weir run --resume ID --items FILE`");
		return;
	}
	struct live_run *lr = live_new(a, plan);
	plan_unref(plan);
	int code = lr ? live_run_start(lr, NULL, row, e) : err_set(e, ERR_NO_MEMORY, "out of memory");
	if (code == 0)
		lr->is_recovered = !re->rq;
	if (code == 0)
		log_info(NULL, "run resumed run=%lld", (long long)row->id);
	resume_answer(re, code == 0 ? 202 : 503, "not_resumable", e->msg);
}

static void resume_begin(struct api *a, int64_t id, struct request *rq, struct value *after)
{
	struct resume *re = alloc_calloc(1, sizeof(*re));
	struct err e = ERR_INIT;
	if (!re) {
		if (rq && after)
			after_answer(rq, after, false, "out of memory");
		else if (rq)
			reply_problem(rq, 503, "no_memory", NULL, "out of memory; the run is as it was");
		else
			recover_one_is_over(a);
		return;
	}
	*re = (struct resume){ .api = a, .rq = rq, .id = id, .after = after };
	if (rq)
		request_hold(rq);
	if (run_recall(a->config.store, id, &a->config.env, on_recalled, re, &e) < 0)
		resume_answer(re, 503, "store", e.msg);
}

void live_resume(struct api *a, int64_t id, struct request *rq)
{
	resume_begin(a, id, rq, NULL);
}

void live_resume_after(struct request *rq, int64_t id, struct value v, bool is_wanted)
{
	struct value *kept = ARENA_NEW(&rq->arena, struct value);
	if (!is_wanted || !kept) {
		after_answer(rq, &v, false, is_wanted ? "out of memory" : NULL);
		return;
	}
	*kept = v;
	resume_begin(rq->api, id, rq, kept);
}

void live_wind_down(struct api *a, bool even_waited)
{
	LIST_FOREACH (node, &a->live) {
		struct live_run *lr = LIST_ENTRY(node, struct live_run, link);
		if (lr->run && (even_waited || !lr->waiter))
			run_wind_down(lr->run);
	}
}

void live_free_all(struct api *a)
{
	recover_free(a);
	LIST_FOREACH (node, &a->live) {
		struct live_run *lr = LIST_ENTRY(node, struct live_run, link);
		list_remove(&lr->link);
		loop_timer_stop(&lr->timer);
		if (lr->waiter) {
			reply_problem(lr->waiter, 503, "stopping", NULL,
				      "the server stops; the run goes on when it starts again");
			request_release(TAKE(lr->waiter));
		}
		run_free(lr->run);
		live_free(lr);
	}
}
