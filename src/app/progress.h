/* SPDX-License-Identifier: Apache-2.0 */
/* What a person sees of a run on stderr: a line that moves while it lasts, a line a step at its end. */
#pragma once
#include "app/source.h"

#define PROGRESS_MS 100		/* between redraws */
#define PROGRESS_PROBLEMS_MAX 20 /* problems printed; the rest is counted */

struct progress {
	const struct app_flags *flags;
	struct run *run;
	struct source *source;
	struct loop_timer timer;
	uint64_t start_ns;
	uint64_t problems;
	bool is_live, is_drawn, color;
};

void progress_init(struct progress *p, struct loop *l, const struct app_flags *f, struct source *source);
void progress_start(struct progress *p, struct run *r);
void progress_problem(struct progress *p, const struct item *it);
void progress_end(struct progress *p, const struct run *r);
