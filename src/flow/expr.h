/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mappings: values in which a string that begins with "=" is an expression over `item` ("==" writes a literal "="). A plain
 * path (item.data.city, item._rows[0]["a b"], ?. allowed) is compiled natively and leads to nothing, not to an error, when a part is
 * missing. Everything else is JavaScript, evaluated by the script workers: a mapping lists those sources, the caller brings their values.
 */
#pragma once
#include "base/value.h"

#define MAPPING_SCRIPTS_MAX 200 /* JavaScript expressions in one mapping */

struct path; /* compiled plain path */

/* NULL when `text` (without the "=") is no plain path or starts with something else than item; ".length" is JavaScript's, too. */
struct path *path_compile(struct arena *a, struct str text);
/* The value in `item`, borrowed, or NULL. */
const struct value *path_get(const struct path *p, const struct value *item);
/* Put a value at a dotted field path ("data.city", "_forecast"), making objects on the way; for result store fields. -ERR_INVALID when a
 * part on the way is no object. Names are copied; containers on the way are copied first, so sharers of the old ones see no change. */
int path_put(struct arena *a, struct value *item, struct str field_path, struct value v, struct err *e);

struct mapping;

/* Compile; everything borrows from `v`. NULL with e set: too many scripts, empty expression. */
struct mapping *mapping_compile(struct arena *a, const struct value *v, struct err *e);
bool mapping_is_literal(const struct mapping *m);
size_t mapping_scripts(const struct mapping *m);
struct str mapping_script(const struct mapping *m, size_t i); /* source of the i-th */
/*
 * Evaluate over an item. `scripted`: an array with mapping_scripts() values, NULL when there are none; VALUE_NULL in it stands for undefined, so a
 * script that gives null gives nothing (a null in the mapping or at the end of a plain path stays null). Object members whose expression gives nothing are left out; array items become null; a mapping that is itself one expression may give VALUE_ABSENT.
 * Shares with the item and the mapping: nothing is copied that need not be.
 */
int mapping_eval(const struct mapping *m, struct arena *a, const struct value *item, const struct value *scripted, struct value *ret,
		 struct err *e);
