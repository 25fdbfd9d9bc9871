/* SPDX-License-Identifier: Apache-2.0 */
/* Programs, jobs and who is next. Workers come and go; a job stays until each of its items has a result. */
#include "script/script_int.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *script_error_name(enum script_error error)
{
	static const char *const names[] = {
		[SCRIPT_OK] = "ok",
		[SCRIPT_SYNTAX] = "script_syntax",
		[SCRIPT_THREW] = "script_threw",
		[SCRIPT_TIMEOUT] = "script_timeout",
		[SCRIPT_NO_MEMORY_JS] = "script_no_memory",
		[SCRIPT_TOO_LARGE] = "script_too_large",
		[SCRIPT_BAD_RESULT] = "script_bad_result",
		[SCRIPT_KILLED] = "script_killed",
		[SCRIPT_UNAVAILABLE] = "script_unavailable",
	};
	return (size_t)error < ARRAY_LEN(names) ? names[error] : "script_unknown";
}

/* ---- programs ---- */

/* FNV-1a: known everywhere and the same everywhere; nothing secret depends on it. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ p[i]) * 0x100000001b3ull;
	return hash;
}

static int check_sources(enum script_kind kind, const struct str *sources, size_t n, struct err *e)
{
	size_t bytes = 0, bad = 0;

	if (n == 0 || n > SCRIPT_SOURCES_MAX || (kind != SCRIPT_EXPRS && n != 1))
		return err_set(e, ERR_INVALID, "a program has one source, or 1 to %d expressions; not %zu",
			       SCRIPT_SOURCES_MAX, n);
	for (size_t i = 0; i < n; i++) {
		bytes += sources[i].len;
		if (sources[i].len > SCRIPT_SOURCE_MAX || bytes > SCRIPT_SOURCES_BYTES)
			return err_set(e, ERR_LIMIT, "script too long: at most %u bytes each, %u together",
				       SCRIPT_SOURCE_MAX, SCRIPT_SOURCES_BYTES);
		if (!str_is_utf8(sources[i], &bad))
			return err_set(e, ERR_INVALID, "script is not UTF-8 at byte %zu", bad);
		if (str_find_char(sources[i], 0) >= 0)
			return err_set(e, ERR_INVALID, "script holds a NUL character; write \\0 or \\u0000");
	}
	return 0;
}

static void program_free(struct script_program *p)
{
	for (size_t i = 0; p->sources && i < p->n; i++)
		free((void *)(uintptr_t)p->sources[i].ptr);
	free(p->sources);
	free(p->name);
	free(p);
}

struct script_program *script_program_new(enum script_kind kind, const struct str *sources, size_t n, const char *name,
					  struct err *e)
{
	static uint64_t last_id;

	if (check_sources(kind, sources, n, e) != 0)
		return NULL;
	struct script_program *p = alloc_calloc(1, sizeof(*p));
	if (!p)
		goto no_memory;
	*p = (struct script_program){ .refs = 1, .kind = kind, .hash = 0xcbf29ce484222325ull };
	p->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
	p->name = name ? str_dup_c(str_c(name)) : NULL;
	p->sources = alloc_calloc(n, sizeof(*p->sources));
	if (!p->sources || (name && !p->name))
		goto no_memory;
	for (size_t i = 0; i < n; i++, p->n++) {
		uint64_t len = sources[i].len;
		p->sources[i] = str_from(str_dup_c(sources[i]), sources[i].len);
		if (!p->sources[i].ptr)
			goto no_memory;
		p->bytes += sources[i].len;
		p->hash = hash_bytes(hash_bytes(p->hash, &len, sizeof(len)), sources[i].ptr, sources[i].len);
	}
	return p;
no_memory:
	if (p)
		program_free(p);
	err_set(e, ERR_NO_MEMORY, "no memory for a script");
	return NULL;
}

struct script_program *script_program_ref(struct script_program *p)
{
	p->refs++;
	return p;
}

void script_program_unref(struct script_program *p)
{
	if (p && --p->refs == 0)
		program_free(p);
}

/* ---- jobs ---- */

static void job_free(struct script_job *j)
{
	list_remove(&j->link);
	script_program_unref(j->program);
	arena_done(&j->details);
	free(j->items);
	free(j->flags);
	free(j->results);
	free(j);
}

static struct script_lane *lane_get(struct script_pool *p, uint64_t realm)
{
	struct str key = str_from((const char *)&realm, sizeof(realm));
	struct script_lane *lane = map_find(p->lane_of, key);

	if (lane)
		return lane;
	lane = alloc_calloc(1, sizeof(*lane));
	if (!lane || map_put(p->lane_of, key, lane, NULL) != 0) {
		free(lane);
		return NULL;
	}
	lane->realm = realm;
	list_init(&lane->jobs);
	list_add_last(&p->lanes, &lane->link);
	return lane;
}

static void lane_free(struct script_pool *p, struct script_lane *lane)
{
	(void)map_remove(p->lane_of, str_from((const char *)&lane->realm, sizeof(lane->realm)));
	list_remove(&lane->link);
	free(lane);
}

struct script_job *job_take(struct script_pool *p)
{
	if (list_is_empty(&p->lanes))
		return NULL;
	struct script_lane *lane = LIST_ENTRY(p->lanes.next, struct script_lane, link);
	struct script_job *j = LIST_ENTRY(lane->jobs.next, struct script_job, link);
	list_remove(&j->link);
	list_remove(&lane->link);
	if (list_is_empty(&lane->jobs))
		lane_free(p, lane);
	else
		list_add_last(&p->lanes, &lane->link);
	return j;
}

void job_put_back(struct script_job *j)
{
	struct script_lane *lane = lane_get(j->pool, j->realm.id);

	if (!lane) {
		while (!job_is_done(j))
			job_fail_next(j, SCRIPT_UNAVAILABLE, STR("no memory to run the script again"), 0, 0);
		job_finish(j);
		return;
	}
	list_add_last(lane->jobs.next, &j->link); /* before the first */
	loop_soon(j->pool->loop, &j->pool->soon);
}

void job_fail_next(struct script_job *j, enum script_error error, struct str text, uint32_t line, uint32_t column)
{
	const char *name = j->program->name;
	struct script_result *r = &j->results[j->answered++];
	char place[48] = "";
	size_t cut = text.len < SCRIPT_DETAIL_MAX - 300 ? text.len : SCRIPT_DETAIL_MAX - 300;

	while (cut > 0 && cut < text.len && ((unsigned char)text.ptr[cut] & 0xc0) == 0x80)
		cut--; /* between characters */

	if (line)
		(void)snprintf(place, sizeof(place), " (line %u, column %u)", line, column);
	if (line && !column)
		(void)snprintf(place, sizeof(place), " (line %u)", line);
	char *detail =
	    arena_printf(&j->details, "%.200s%s%.*s%s", name ? name : "", name ? ": " : "", (int)cut, text.ptr, place);
	struct str thrown = str_from(text.ptr, cut);
	if (str_starts(thrown, STR("Error: ")))
		thrown = str_from(thrown.ptr + 7, thrown.len - 7);
	*r = (struct script_result){ .error = error,
				     .detail = str_c(detail ? detail : ""),
				     .message = arena_str(&j->details, thrown),
				     .line = line,
				     .column = column };
}

void job_answer_next(struct script_job *j, struct str json)
{
	const struct script_item *item = &j->items[j->answered];
	struct value v;
	struct err e = ERR_INIT;
	int code = script_value_read(item->arena, json, item->input, j->flags[j->answered], &v, &e);

	if (code == -ERR_NO_MEMORY)
		job_fail_next(j, SCRIPT_TOO_LARGE, STR("no room for the result beside the run's other data"), 0, 0);
	else if (code) /* toJSON and JSON.rawJSON can still build what we do not take: too deep, for one */
		job_fail_next(j, SCRIPT_BAD_RESULT, str_c(e.msg), 0, 0);
	else if (j->program->kind == SCRIPT_ITEM && v.kind != VALUE_OBJECT)
		job_fail_next(j, SCRIPT_BAD_RESULT, STR("the result is no object"), 0, 0);
	else
		j->results[j->answered++] = (struct script_result){ .value = v };
}

void job_finish(struct script_job *j)
{
	j->proc = NULL;
	list_remove(&j->link);
	list_add_last(&j->pool->finished, &j->link);
	loop_soon(j->pool->loop, &j->pool->soon);
}

static struct script_job *job_new(struct script_pool *p, struct script_program *program,
				  const struct script_realm *realm, size_t n, script_done *done, void *arg)
{
	struct script_job *j = alloc_calloc(1, sizeof(*j));
	if (!j)
		return NULL;
	list_init(&j->link);
	arena_init(&j->details, 0);
	j->pool = p;
	j->id = ++p->next_job;
	j->program = script_program_ref(program);
	j->realm = *realm;
	j->n = (uint32_t)n;
	j->done = done;
	j->arg = arg;
	j->items = alloc_calloc(n, sizeof(*j->items));
	j->flags = alloc_calloc(n, sizeof(*j->flags));
	j->results = alloc_calloc(n, sizeof(*j->results));
	if (!j->items || !j->flags || !j->results) {
		job_free(j);
		return NULL;
	}
	return j;
}

static struct script_job *job_queue(struct script_job *j, struct err *e)
{
	struct script_lane *lane = j ? lane_get(j->pool, j->realm.id) : NULL;

	if (!lane) {
		if (j)
			job_free(j);
		err_set(e, ERR_NO_MEMORY, "no memory for a script job");
		return NULL;
	}
	list_add_last(&lane->jobs, &j->link);
	loop_soon(j->pool->loop, &j->pool->soon);
	return j;
}

struct script_job *script_run(struct script_pool *p, struct script_program *program, const struct script_realm *realm,
			      const struct script_item *items, size_t n, script_done *done, void *arg, struct err *e)
{
	if (n == 0 || n > SCRIPT_BATCH_MAX) {
		err_set(e, ERR_LIMIT, "a script runs over 1 to %d items at a time, not %zu", SCRIPT_BATCH_MAX, n);
		return NULL;
	}
	struct script_job *j = job_new(p, program, realm, n, done, arg);
	if (j)
		memcpy(j->items, items, n * sizeof(*items));
	return job_queue(j, e);
}

struct script_job *script_check(struct script_pool *p, struct script_program *program, script_done *done, void *arg,
				struct err *e)
{
	struct script_job *j = job_new(p, program, &(struct script_realm){ 0 }, 1, done, arg);

	if (j)
		j->is_check = true;
	return job_queue(j, e);
}

void script_cancel(struct script_job *j)
{
	struct script_pool *p = j->pool;
	struct script_lane *lane;

	if (j->proc)
		proc_abandon(j->proc);
	lane = map_find(p->lane_of, str_from((const char *)&j->realm.id, sizeof(j->realm.id)));
	job_free(j);
	if (lane && list_is_empty(&lane->jobs))
		lane_free(p, lane);
}

/* ---- the pool ---- */

/* Callbacks may cancel, start and free anything, the pool included. */
static void deliver(struct script_pool *p)
{
	while (!p->is_freed && !list_is_empty(&p->finished)) {
		struct script_job *j = LIST_ENTRY(p->finished.next, struct script_job, link);
		list_remove(&j->link);
		j->done(j->arg, j->results, j->n);
		job_free(j);
	}
}

/* An idle worker, if possible one that has the realm already. */
static struct script_proc *find_idle(struct script_pool *p, const struct script_job *j)
{
	struct script_proc *best = NULL;

	LIST_FOREACH (it, &p->procs) {
		struct script_proc *w = LIST_ENTRY(it, struct script_proc, link);
		if (w->state != PROC_IDLE)
			continue;
		if (w->last_realm == j->realm.id && w->last_program == j->program->id)
			return w;
		best = w;
	}
	return best;
}

static bool has_idle(const struct script_pool *p)
{
	LIST_FOREACH (it, &p->procs) {
		if (LIST_ENTRY(it, struct script_proc, link)->state == PROC_IDLE)
			return true;
	}
	return false;
}

static void fail_all(struct script_pool *p)
{
	for (struct script_job *j; (j = job_take(p));) {
		while (!job_is_done(j))
			job_fail_next(j, SCRIPT_UNAVAILABLE, str_c(p->why_not), 0, 0);
		job_finish(j);
	}
}

/* Workers for the jobs that wait: as many as are lacking, not before the back-off is over. */
static void start_lacking(struct script_pool *p, size_t waiting)
{
	size_t starting = 0;

	LIST_FOREACH (it, &p->procs)
		starting += LIST_ENTRY(it, struct script_proc, link)->state == PROC_STARTING;
	while (starting < waiting && p->n_procs < p->config.workers) {
		struct err e = ERR_INIT;
		msec_t wait = p->next_start - loop_now(p->loop);
		if (wait > 0) {
			if (!loop_timer_is_running(&p->retry))
				(void)loop_timer_start(&p->retry, wait);
			return;
		}
		if (proc_start(p, &e) != 0) {
			log_warn(NULL, "script worker cannot be started: %s", e.msg);
			(void)snprintf(p->why_not, sizeof(p->why_not), "%s", e.msg);
			p->failures = START_FAILURES_MAX;
			p->next_start = loop_now(p->loop) + RETRY_AFTER;
			loop_soon(p->loop, &p->soon); /* to fail the jobs, if no worker is left to wait for */
			return;
		}
		starting++;
	}
}

static size_t count_waiting(const struct script_pool *p)
{
	size_t n = 0;

	LIST_FOREACH (it, &p->lanes) {
		const struct script_lane *lane = LIST_ENTRY(it, struct script_lane, link);
		LIST_FOREACH (jt, &lane->jobs) {
			if (++n >= p->config.workers)
				return n;
		}
	}
	return n;
}

static void dispatch(struct script_pool *p)
{
	while (!list_is_empty(&p->lanes) && has_idle(p)) {
		struct script_job *j = job_take(p);
		proc_give(find_idle(p, j), j);
	}
	if (list_is_empty(&p->lanes))
		return;
	if (p->failures >= START_FAILURES_MAX && p->n_procs == 0 && p->next_start > loop_now(p->loop)) {
		fail_all(p);
		return;
	}
	start_lacking(p, count_waiting(p));
}

static void on_soon(struct loop_soon *s)
{
	struct script_pool *p = CONTAINER_OF(s, struct script_pool, soon);

	dispatch(p);
	deliver(p);
}

static void on_retry(struct loop_timer *t)
{
	struct script_pool *p = CONTAINER_OF(t, struct script_pool, retry);

	loop_soon(p->loop, &p->soon);
}

static size_t default_workers(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return cores < 1 ? 1 : cores > 4 ? 4 : (size_t)cores;
}

struct script_pool *script_pool_new(struct loop *l, const struct script_config *config, struct err *e)
{
	struct script_pool *p = alloc_calloc(1, sizeof(*p));

	if (p) {
		p->lane_of = map_new(SIZE_MAX);
		p->path = str_dup_c(str_c(config->program ? config->program : "/proc/self/exe"));
	}
	if (!p || !p->lane_of || !p->path) {
		if (p) {
			map_free(p->lane_of);
			free(p->path);
		}
		free(p);
		err_set(e, ERR_NO_MEMORY, "no memory for a script pool");
		return NULL;
	}
	p->loop = l;
	p->config = (struct script_config){
		.workers = config->workers ? config->workers : default_workers(),
		.deadline = config->deadline > 0 ? config->deadline : SCRIPT_DEADLINE_DEFAULT,
		.memory = config->memory ? config->memory : SCRIPT_MEMORY_DEFAULT,
		.idle_stop = config->idle_stop > 0 ? config->idle_stop : IDLE_STOP_DEFAULT,
	};
	if (p->config.workers > WORKERS_MAX)
		p->config.workers = WORKERS_MAX;
	list_init(&p->procs);
	list_init(&p->lanes);
	list_init(&p->finished);
	loop_soon_init(&p->soon, on_soon);
	loop_timer_init(l, &p->retry, on_retry);
	return p;
}

static void pool_bury(void *arg)
{
	struct script_pool *p = arg;

	free(p->path);
	free(p);
}

void script_pool_free(struct script_pool *p)
{
	if (!p)
		return;
	p->is_freed = true;
	LIST_FOREACH (it, &p->procs) {
		struct script_proc *w = LIST_ENTRY(it, struct script_proc, link);
		if (w->job)
			job_free(w->job);
		proc_drop(w);
	}
	for (struct script_job *j; (j = job_take(p));)
		job_free(j);
	LIST_FOREACH (it, &p->finished)
		job_free(LIST_ENTRY(it, struct script_job, link));
	loop_soon_cancel(&p->soon);
	loop_timer_stop(&p->retry);
	map_free(p->lane_of);
	loop_free_later(p->loop, p, pool_bury);
}

void script_pool_warm(struct script_pool *p)
{
	start_lacking(p, p->config.workers);
}
