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
/* `words`: numbers of runs. Opens the store by itself; returns an exit code. */
int cmd_runs_prune(struct app *a, const struct command *c, const struct prune_flags *f, int n, char **words);
