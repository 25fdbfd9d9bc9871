/* SPDX-License-Identifier: Apache-2.0 */
/* weir runs prune: old runs go, and their room is given back. */
#include "app/prune.h"

#include "base/alloc.h"
#include "base/log.h"
#include "store/prune.h"

#include <string.h>

#define MIB 1048576.0

struct pruning {
	struct app *app;
	bool is_dry, is_over, is_failed;
	uint64_t bytes;
};

static void on_each(void *arg, int64_t run, uint64_t bytes, const char *refusal)
{
	struct pruning *p = arg;
	p->bytes += bytes;
	if (refusal)
		app_say("run %lld stays: %s", (long long)run, refusal);
	else if (p->is_dry)
		printf("run %lld would go, %.2f MiB\n", (long long)run, (double)bytes / MIB);
	else if (p->app->flags.verbose)
		printf("run %lld is gone\n", (long long)run);
}

static void on_done(void *arg, const struct prune_report *r)
{
	struct pruning *p = arg;
	p->is_over = true;
	p->is_failed = r->problem != NULL || r->refused > 0;
	if (r->problem)
		app_say("stopped: %s; the next prune goes on from there", r->problem);
	else if (p->is_dry)
		printf("%llu runs would go, %.2f MiB of %.2f MiB in use\n", (unsigned long long)r->runs, (double)p->bytes / MIB,
		       (double)r->used_before / MIB);
	else if (!p->app->flags.quiet)
		printf("%llu runs are gone; in use %.2f MiB, was %.2f MiB\n", (unsigned long long)r->runs, (double)r->used_after / MIB,
		       (double)r->used_before / MIB);
	loop_stop(p->app->loop);
}

static bool state_take(const struct command *c, struct str word, unsigned *ret)
{
	static const struct { const char *name; enum run_state state; } known[] = {
		{ "done", RUN_DONE }, { "failed", RUN_FAILED }, { "partly-done", RUN_PARTLY_DONE },
	};
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (str_eq_c(word, known[i].name)) {
			*ret |= 1u << known[i].state;
			return true;
		}
	}
	(void)app_usage(c, "--state %.*s: write done, failed, partly-done, or several with commas; others go only by their number", STR_ARG(word));
	return false;
}

static bool states_parse(const struct command *c, const char *text, unsigned *ret)
{
	struct str rest = str_c(text);
	while (rest.ptr) {
		const char *comma = memchr(rest.ptr, ',', rest.len);
		struct str word = comma ? str_from(rest.ptr, (size_t)(comma - rest.ptr)) : rest;
		if (!state_take(c, word, ret))
			return false;
		rest = comma ? str_from(comma + 1, rest.len - word.len - 1) : STR_NULL;
	}
	return true;
}

bool app_prune_policy(const struct command *c, const struct prune_flags *f, struct prune_policy *ret)
{
	struct err e = ERR_INIT;
	if (f->older_than && (num_parse_duration(str_c(f->older_than), &ret->older_than, &e) < 0 || ret->older_than <= 0))
		return app_usage(c, "--older-than %s: write a time such as 30d or 12h", f->older_than), false;
	if (f->keep && (num_parse_u64(str_c(f->keep), &ret->keep) < 0 || !ret->keep))
		return app_usage(c, "--keep %s: write how many of the newest runs stay", f->keep), false;
	if (f->max_size && (num_parse_size(str_c(f->max_size), &ret->max_bytes, &e) < 0 || !ret->max_bytes))
		return app_usage(c, "--max-size %s: write a size such as 500MiB or 2GiB", f->max_size), false;
	return !f->states || states_parse(c, f->states, &ret->states);
}

static int prune(struct app *a, const struct prune_policy *policy)
{
	struct pruning p = { .app = a, .is_dry = policy->is_dry };
	struct err e = ERR_INIT;
	if (!prune_start(a->store, policy, on_each, on_done, &p, &e)) {
		app_say("%s", e.msg);
		return EXIT_RUN_FAILED;
	}
	while (!p.is_over)
		(void)loop_run(a->loop);
	return p.is_failed ? EXIT_RUN_FAILED : EXIT_OK;
}

int cmd_runs_prune(struct app *a, const struct command *c, const struct prune_flags *f, int n, char **words)
{
	struct prune_policy policy = { .is_dry = f->is_dry };
	bool has_rule = f->older_than || f->keep || f->max_size || f->states;
	auto_free int64_t *ids = alloc_calloc((size_t)n + 1, sizeof(*ids));
	if (!ids) {
		app_say("out of memory");
		return EXIT_RUN_FAILED;
	}
	for (int i = 0; i < n; i++) {
		uint64_t id;
		if (num_parse_u64(str_c(words[i]), &id) < 0 || id == 0 || id > INT64_MAX)
			return app_usage(c, "prune %s: write the numbers of runs, or flags that say which", words[i]);
		ids[i] = (int64_t)id;
	}
	if ((n > 0 && has_rule) || (n == 0 && !has_rule && !f->is_compact))
		return app_usage(c, "prune: say which runs go, by their numbers or by --older-than, --keep, --state, --max-size");
	if (!app_prune_policy(c, f, &policy))
		return EXIT_USAGE;
	policy.named = ids;
	policy.n_named = (size_t)n;
	if (n == 0 && !has_rule)
		policy.keep = UINT64_MAX; /* --compact alone: none goes */
	int code = app_open_store(a, &(struct store_config){ .rewrites = f->is_compact });
	return code == EXIT_OK ? prune(a, &policy) : code;
}

/* ---- weir serve ---- */

static void on_round(void *arg, const struct prune_report *r)
{
	struct prune_keeper *k = arg;
	k->round = NULL;
	if (r->problem)
		log_warn(NULL, "prune stopped, the next one goes on: %s", r->problem);
	else if (r->runs)
		log_info(NULL, "pruned: runs=%llu bytes_used=%llu bytes_before=%llu", (unsigned long long)r->runs, (unsigned long long)r->used_after,
			 (unsigned long long)r->used_before);
	(void)loop_timer_start(&k->timer, PRUNE_EVERY);
}

static void on_timer(struct loop_timer *t)
{
	struct prune_keeper *k = CONTAINER_OF(t, struct prune_keeper, timer);
	struct err e = ERR_INIT;
	k->round = prune_start(k->app->store, &k->policy, NULL, on_round, k, &e);
	if (!k->round) {
		log_warn(NULL, "prune put off: %s", e.msg);
		(void)loop_timer_start(t, PRUNE_EVERY);
	}
}

bool app_keeper_parse(const struct command *c, const char *text, struct prune_policy *ret)
{
	struct err e = ERR_INIT;
	const char *env = getenv("WEIR_KEEP_RUNS");
	text = text ? text : env && *env ? env : "all";
	if (strcmp(text, "all") == 0)
		return true;
	if (num_parse_duration(str_c(text), &ret->older_than, &e) == 0 && ret->older_than > 0)
		return true;
	return app_usage(c, "--keep-runs %s: write a time such as 30d, or all", text), false;
}

void app_keeper_start(struct prune_keeper *k, struct app *a)
{
	k->app = a;
	loop_timer_init(a->loop, &k->timer, on_timer);
	if (k->policy.older_than)
		(void)loop_timer_start(&k->timer, 1);
}

void app_keeper_stop(struct prune_keeper *k)
{
	if (!k->app)
		return;
	loop_timer_stop(&k->timer);
	prune_stop(k->round);
	k->round = NULL;
}
