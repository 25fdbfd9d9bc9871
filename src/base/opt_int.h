/* SPDX-License-Identifier: Apache-2.0 */
/* What opt.c, opt_schema.c and opt_near.c share. */
#pragma once
#include "base/opt.h"

#define OPT_WRITTEN_MAX 32

struct opt_unit {
	const char *name;
	uint64_t factor;
};

/* A limit or number the way a user would write it: "30s", "10MiB", "42". */
const char *opt_written(const struct opt *o, int64_t n, char ret[static OPT_WRITTEN_MAX]);

/* The search for the nearest name: start with `name` set, read `best` at the end. */
struct opt_near {
	struct str name;
	const char *best;
	unsigned distance;
};
void opt_near_consider(struct opt_near *near, const char *candidate);
