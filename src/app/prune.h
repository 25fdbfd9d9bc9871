/* SPDX-License-Identifier: Apache-2.0 */
/* What says which runs go: the flags of `weir runs prune`, and of `weir serve`. */
#pragma once
#include "app/app.h"
#include "store/prune.h"

struct prune_flags {
	const char *older_than, *keep, *states, *max_size; /* as written; NULL = not given */
	bool is_dry, is_compact;
};

/* False after saying what is wrong. */
bool app_prune_policy(const struct command *c, const struct prune_flags *f, struct prune_policy *ret);
/* A server's retention: a round at once and then one an hour, beside its work. */
#define PRUNE_EVERY 3600000 /* ms */
struct prune_keeper {
	struct app *app;
	struct prune_policy policy;
	struct prune *round; /* NULL = none under way */
	struct loop_timer timer;
};
/* "30d", or "all" and NULL: nothing goes. False after saying what is wrong. */
bool app_keeper_parse(const struct command *c, const char *text, struct prune_policy *ret);
void app_keeper_start(struct prune_keeper *k, struct app *a);
void app_keeper_stop(struct prune_keeper *k);

/* `words`: numbers of runs. Opens the store by itself; returns an exit code. */
int cmd_runs_prune(struct app *a, const struct command *c, const struct prune_flags *f, int n, char **words);
