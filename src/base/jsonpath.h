/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSONPath, all of RFC 9535: a query is compiled once, checked for types, and then picks values out of any number of
 * roots. A compiled query is never written to again, so runs and threads may share it.
 */
#pragma once
#include "base/value.h"

#define JSONPATH_QUERY_BYTES_MAX 8192 /* longest query, and longest pattern of match() and search() */
#define JSONPATH_NESTING_MAX 32	   /* parentheses, filters and functions inside each other; groups inside a pattern */
#define JSONPATH_NODES_MAX 1000000 /* most values that one query selects */
#define JSONPATH_DEPTH_MAX 1024	   /* segments under way at one time, those of nested filters together */
#define JSONPATH_STEPS_MAX                                                                                             \
	20000000 /* values looked at, comparisons and states of patterns that one selection may cost */
#define JSONPATH_REGEX_STATES_MAX 2000	  /* size of one pattern once its counts are written out: a{3} is three */
#define JSONPATH_INT_MAX 9007199254740991 /* largest index and step, 2^53-1 (I-JSON, RFC 7493 section 2.2) */

struct jsonpath;

/*
 * Compile `text`, which is copied; the result lives in the arena. NULL with -ERR_INVALID in `e` when it is no
 * well-formed and well-typed query (RFC 9535 sections 2.1 and 2.4.3): the message names the offset and what to write.
 * -ERR_LIMIT, -ERR_NO_MEMORY.
 */
struct jsonpath *jsonpath_compile(struct arena *a, struct str text, struct err *e);
/* True when there can be at most one value: names and indexes only (RFC 9535 section 2.3.5.1). */
bool jsonpath_is_singular(const struct jsonpath *path);
/* Why a pattern in the query never matches anything, though the query is lawful; the null string when there is nothing
 * to say. */
struct str jsonpath_doubt(const struct jsonpath *path);
/* The one value of a singular query, or NULL; borrowed from `root`. Cannot fail and allocates nothing. */
const struct value *jsonpath_first(const struct jsonpath *path, const struct value *root);
/*
 * The nodelist's values, in order, as a new array in the arena; they share what `root` holds. Objects give their
 * members in the order they have. 0, -ERR_LIMIT or -ERR_NO_MEMORY; *ret_array is untouched unless 0.
 */
int jsonpath_select(const struct jsonpath *path, const struct value *root, struct arena *a, struct value *ret_array,
		    struct err *e);
