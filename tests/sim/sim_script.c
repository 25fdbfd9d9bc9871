/* SPDX-License-Identifier: Apache-2.0 */
/*
 * script/script.h without JavaScript: linked instead of src/script/script.c. Each script is a pure function that both
 * sides know; what is made is the workers: they take their time, are asked in parts, die over an item, or are not
 * there.
 */
#include "sim.h"

struct script_pool {
	size_t live;
};

struct script_program {
	enum script_kind kind;
	size_t n_sources;
	unsigned step;
	int refs;
};

struct script_job {
	struct script_pool *pool; /* NULL = nobody waits */
	struct script_program *program;
	struct script_item items[SCRIPT_BATCH_MAX];
	size_t n;
	script_done *done;
	void *arg;
};

const char *script_error_name(enum script_error error)
{
	switch (error) {
	case SCRIPT_THREW:
		return "script_threw";
	case SCRIPT_TIMEOUT:
		return "script_timeout";
	case SCRIPT_KILLED:
		return "script_killed";
	default:
		return "script_unavailable";
	}
}

struct script_pool *script_pool_new(struct loop *l, const struct script_config *config, struct err *e)
{
	return calloc(1, sizeof(struct script_pool));
}

void script_pool_free(struct script_pool *p)
{
	if (p->live)
		sim_fail("the pool ends with %zu jobs that nobody has cancelled", p->live);
	free(p);
}

void script_pool_warm(struct script_pool *p)
{
}

struct script_program *script_program_new(enum script_kind kind, const struct str *sources, size_t n, const char *name,
					  struct err *e)
{
	struct script_program *p = calloc(1, sizeof(*p));
	ptrdiff_t at = str_find(sources[0], STR("item._s"));
	if (!p)
		abort();
	*p = (struct script_program){ .kind = kind, .n_sources = n, .refs = 1 };
	if (kind == SCRIPT_ITEM)
		p->step = (unsigned)(sources[0].ptr[at + 7] - '0');
	return p;
}

struct script_program *script_program_ref(struct script_program *p)
{
	p->refs++;
	return p;
}

void script_program_unref(struct script_program *p)
{
	if (p && --p->refs == 0)
		free(p);
}

/* ---- what scripts compute ---- */

static void compute(const struct script_program *p, const struct script_item *it, struct script_result *ret)
{
	int64_t n = -1;
	(void)value_to_int64(value_get_c(value_get_c(it->input, "data"), "n"), &n);
	if (n < 0 || n >= (int64_t)sim.n_items)
		sim_fail("a script over an item of nobody");
	if (p->kind == SCRIPT_EXPRS) {
		ret->value = value_array();
		for (size_t i = 0; i < p->n_sources; i++)
			(void)value_push(it->arena, &ret->value, value_int(it->arena, n));
		return;
	}
	if (n % 11 == (int64_t)p->step) {
		ret->error = SCRIPT_THREW;
		ret->detail = ret->message = STR("not this one");
		return;
	}
	char field[16];
	(void)snprintf(field, sizeof(field), "_s%u", p->step);
	(void)value_copy(it->arena, it->input, &ret->value);
	(void)value_set_copy(it->arena, &ret->value, str_c(field), value_int(it->arena, 7 * n + (int64_t)p->step));
}

static void job_end(struct script_job *j)
{
	if (j->pool)
		j->pool->live--;
	script_program_unref(j->program);
	free(j);
}

static void on_job(void *arg)
{
	struct script_job *j = arg;
	struct script_result results[SCRIPT_BATCH_MAX] = { 0 };
	bool is_absent = j->pool && sim_happens(sim.weather.script_deaths / 20);
	for (size_t i = 0; j->pool && i < j->n; i++) {
		if (is_absent)
			results[i].error = SCRIPT_UNAVAILABLE;
		else if (sim_happens(sim.weather.script_deaths))
			results[i].error = sim_dice(1) ? SCRIPT_KILLED : SCRIPT_TIMEOUT;
		else
			compute(j->program, &j->items[i], &results[i]);
		sim.script_faults += results[i].error && results[i].error != SCRIPT_THREW;
		if (results[i].error && results[i].error != SCRIPT_THREW)
			results[i].detail = STR("the worker died");
	}
	if (j->pool) {
		sim_tell("scripts: %zu items", j->n);
		j->done(j->arg, results, j->n);
	}
	job_end(j);
}

struct script_job *script_run(struct script_pool *p, struct script_program *program, const struct script_realm *realm,
			      const struct script_item *items, size_t n, script_done *done, void *arg, struct err *e)
{
	struct script_job *j = calloc(1, sizeof(*j));
	if (!j)
		abort();
	*j = (struct script_job){ .pool = p, .program = script_program_ref(program), .n = n, .done = done, .arg = arg };
	memcpy(j->items, items, n * sizeof(*items));
	p->live++;
	sim_after(sim_dice(sim_happens(20) ? 3 * SIM_SECOND : sim.weather.latency_ns), on_job, j);
	return j;
}

void script_cancel(struct script_job *j)
{
	j->pool->live--;
	j->pool = NULL;
}

struct script_job *script_check(struct script_pool *p, struct script_program *program, script_done *done, void *arg,
				struct err *e)
{
	sim_fail("nothing checks scripts here");
}
