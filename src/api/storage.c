/* SPDX-License-Identifier: Apache-2.0 */
/* What takes space: the disk as of now, and the sums that were gathered last. */
#include "api/api_int.h"

#include <string.h>

static struct value view_bytes(struct arena *a, uint64_t n)
{
	return value_int(a, (int64_t)n);
}

static struct value view_kinds(struct arena *a, const struct survey_report *r)
{
	struct value kinds = value_array();
	for (size_t i = 0; i < r->n_kinds; i++) {
		struct value v = value_object();
		view_set_str(a, &v, "what", r->kinds[i].what);
		view_set(a, &v, "rows", view_bytes(a, r->kinds[i].rows));
		view_set(a, &v, "bytes", view_bytes(a, r->kinds[i].bytes));
		(void)value_push(a, &kinds, v);
	}
	return r->n_kinds ? kinds : value_null();
}

/* A request on its way: the survey's rows are old by now, so those that were under way are asked for again. */
struct asking {
	struct store_result space;
	struct {
		bool is_known, is_gone, is_interrupted;
		enum run_state state;
		msec_t ended_at;
	} now[SURVEY_TOP];
	size_t at;
	msec_t computed_at; /* of the survey whose rows these are */
};

static struct value view_survey_run(struct request *rq, const struct survey_run *r, size_t i)
{
	const struct asking *q = rq->state;
	struct arena *a = &rq->arena;
	enum run_state state = q->now[i].is_known ? q->now[i].state : r->row.state;
	struct value v = value_object();
	view_set_str(a, &v, "id", str_c(arena_printf(a, "%lld", (long long)r->row.id)));
	view_set_str(a, &v, "component", r->row.component);
	view_set_str(a, &v, "dataflow", r->row.dataflow);
	view_set_str(a, &v, "state", str_c(q->now[i].is_interrupted ? "interrupted" : run_state_name(state)));
	view_set(a, &v, "started_at", view_time(a, r->row.started_at));
	view_set(a, &v, "ended_at", view_time(a, q->now[i].is_known ? q->now[i].ended_at : r->row.ended_at));
	view_set(a, &v, "bytes", view_bytes(a, r->bytes));
	return v;
}

static struct value view_runs(struct request *rq, const struct survey_report *r)
{
	struct arena *a = &rq->arena;
	struct value runs = value_object(), top = value_array(), oldest = value_null();
	for (size_t i = 0; i < r->n_top; i++)
		if (!((const struct asking *)rq->state)->now[i].is_gone)
			(void)value_push(a, &top, view_survey_run(rq, &r->top[i], i));
	if (r->oldest) {
		oldest = value_object();
		view_set_str(a, &oldest, "id", str_c(arena_printf(a, "%lld", (long long)r->oldest->id)));
		view_set(a, &oldest, "started_at", view_time(a, r->oldest->started_at));
	}
	view_set(a, &runs, "total", view_bytes(a, r->runs));
	view_set(a, &runs, "measured", view_bytes(a, r->runs_measured));
	view_set(a, &runs, "top", top);
	view_set(a, &runs, "oldest", oldest);
	return runs;
}

static struct value view_files(struct arena *a, const struct survey_report *r)
{
	struct value files = value_object();
	if (!r->has_files)
		return value_null();
	view_set(a, &files, "count", view_bytes(a, r->files));
	view_set(a, &files, "bytes", view_bytes(a, r->file_bytes));
	return files;
}

/* null where nothing was gathered yet. */
static void add_survey(struct request *rq, struct value *v)
{
	struct arena *a = &rq->arena;
	const struct survey_report *r = survey_last(rq->api->survey);
	view_set(a, v, "computed_at", r ? view_time(a, r->computed_at) : value_null());
	view_set(a, v, "took_ms", r ? value_int(a, r->took) : value_null());
	view_set(a, v, "computing", value_bool(survey_is_under_way(rq->api->survey)));
	view_set_str(a, v, "problem", r && r->problem ? str_c(r->problem) : STR_NULL);
	view_set(a, v, "kinds", r ? view_kinds(a, r) : value_null());
	view_set(a, v, "runs", r ? view_runs(rq, r) : value_null());
	view_set(a, v, "files", r ? view_files(a, r) : value_null());
}

static struct value view_database(struct arena *a, const struct store_result *space, const struct survey_disk *disk)
{
	struct value v = value_object();
	view_set(a, &v, "bytes",
		 view_bytes(a, disk->database_bytes ? disk->database_bytes : space->bytes_used + space->bytes_free));
	view_set(a, &v, "used", view_bytes(a, space->bytes_used));
	view_set(a, &v, "free", view_bytes(a, space->bytes_free));
	view_set(a, &v, "log", view_bytes(a, disk->log_bytes));
	return v;
}

static struct value view_disk(struct arena *a, const struct survey_disk *disk)
{
	struct value v = value_object();
	if (!disk->dir)
		return value_null();
	view_set_str(a, &v, "directory", str_c(disk->dir));
	view_set(a, &v, "free", view_bytes(a, disk->free_bytes));
	view_set(a, &v, "size", view_bytes(a, disk->size_bytes));
	return v;
}

static struct value view_pruning(struct arena *a, const struct api *api)
{
	struct prune_progress now;
	struct value v = value_object();
	if (!prune_round_progress(api, &now))
		return value_null();
	view_set(a, &v, "began_at", view_time(a, now.began));
	view_set(a, &v, "dry_run", value_bool(now.is_dry));
	view_set_int(a, &v, "runs", (int64_t)now.runs);
	view_set_int(a, &v, "refused", (int64_t)now.refused);
	return v;
}

static void storage_reply(struct request *rq)
{
	const struct api_config *config = &rq->api->config;
	const struct asking *q = rq->state;
	struct arena *a = &rq->arena;
	struct value v = value_object(), retention = value_object();
	struct survey_disk disk;
	survey_disk(config->store, &disk);
	view_set(a, &v, "database", view_database(a, &q->space, &disk));
	view_set(a, &v, "disk", view_disk(a, &disk));
	add_survey(rq, &v);
	view_set(a, &retention, "keep_runs_ms", config->keep_runs ? value_int(a, config->keep_runs) : value_null());
	view_set(a, &v, "retention", retention);
	view_set(a, &v, "pruning", view_pruning(a, rq->api));
	reply_json(rq, 200, &v, NULL);
	request_release(rq);
}

static void next_row(struct request *rq);

static void on_row(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	struct asking *q = rq->state;
	size_t i = q->at++;
	q->now[i].is_gone = result->error == STORE_NOT_FOUND;
	if (result->error == STORE_OK && result->n) {
		q->now[i].is_known = true;
		q->now[i].state = result->runs[0].state;
		q->now[i].ended_at = result->runs[0].ended_at;
		q->now[i].is_interrupted = run_is_interrupted(rq->api, &result->runs[0]);
	}
	next_row(rq);
}

/* A survey that ends meanwhile changes the list: begin anew then, with its rows. */
static void next_row(struct request *rq)
{
	struct asking *q = rq->state;
	const struct survey_report *r = survey_last(rq->api->survey);
	struct err e = ERR_INIT;
	if (r && r->computed_at != q->computed_at) {
		memset(q->now, 0, sizeof(q->now));
		q->computed_at = r->computed_at;
		q->at = 0;
	}
	while (r && q->at < r->n_top && r->top[q->at].row.state != RUN_RUNNING)
		q->at++;
	if (r && q->at < r->n_top && store_run_get(rq->api->config.store, r->top[q->at].row.id, on_row, rq, &e) == 0)
		return;
	storage_reply(rq);
}

static void on_space(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	struct asking *q = rq->state;
	if (result->error) {
		reply_store_error(rq, result);
		request_release(rq);
		return;
	}
	q->space.bytes_used = result->bytes_used;
	q->space.bytes_free = result->bytes_free;
	next_row(rq);
}

void get_storage(struct request *rq)
{
	struct survey *survey = rq->api->survey;
	struct str fresh = request_query(rq, "fresh");
	struct err e = ERR_INIT;
	int code = 0;
	if (fresh.ptr && !str_eq_c(fresh, "1") && !str_eq_c(fresh, "0")) {
		reply_problem(rq, 400, "invalid_query", NULL, "fresh must be 1 or 0");
		return;
	}
	if (str_eq_c(fresh, "1") || !survey_last(survey))
		code = survey_start(survey, &e);
	rq->state = ARENA_NEW(&rq->arena, struct asking);
	if (!rq->state)
		code = err_set(&e, ERR_NO_MEMORY, "out of memory");
	request_hold(rq);
	if (code == 0)
		code = store_space(rq->api->config.store, on_space, rq, &e);
	if (code == 0)
		return;
	reply_problem(rq, 503, "store", NULL, "%s", e.msg);
	request_release(rq);
}
