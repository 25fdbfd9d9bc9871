/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash map from bytes to pointer, keyed with SipHash-1-3 and a per-process seed, so that chosen keys cannot collide on
 * purpose. Keys are copied. Iteration follows insertion unless something was removed.
 */
#pragma once
#include "base/str.h"

struct map;

struct map *map_new(size_t max_entries); /* NULL when out of memory */
void map_free(struct map *m);		 /* not the values */
int map_put(struct map *m, struct str key, void *value, void **ret_old); /* 0, or -ERR_LIMIT / -ERR_NO_MEMORY */
void *map_find(const struct map *m, struct str key); /* NULL when absent */
void *map_remove(struct map *m, struct str key);	  /* the value, or NULL */
size_t map_len(const struct map *m);
/* Walk: start with *pos = 0; false at the end. */
bool map_next(const struct map *m, size_t *pos, struct str *ret_key, void **ret_value);
/* The keyed hash itself, for those who build their own table. */
uint64_t map_hash(struct str key);
