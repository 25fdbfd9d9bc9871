/* SPDX-License-Identifier: Apache-2.0 */
/* weir run --plan and what it is asked for. */
#pragma once
#include "app/source.h"

struct plan_wish {
	struct plan *plan;
	struct run_source source;
	const char *diff;   /* a run's number, "last", or NULL: the last one, if there is any; "none" */
	const char *send;   /* NULL = nothing; see sending.h */
	const char *format; /* NULL = for people */
	bool yes, all;
};
/* Shows what a run would begin with. An exit code; *ret_run is the number of the run that was prepared, to be resumed,
 * or 0. */
int app_run_plan(struct app *a, const struct plan_wish *wish, int64_t *ret_run);
