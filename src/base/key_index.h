/* SPDX-License-Identifier: Apache-2.0 */
/* An index over the keys of one object's members, for objects too large to search one by one. Inside base only. */
#pragma once
#include "base/value.h"

#define KEY_INDEX_WORTH 32	  /* up to here looking at each key costs less than hashing */
#define KEY_INDEX_FIXED_SLOTS 256 /* so many need no allocation */

struct key_index {
	uint32_t *slots; /* position + 1, 0 = empty */
	size_t mask;
	uint32_t fixed[KEY_INDEX_FIXED_SLOTS];
};

/* Empty, with room for n keys; false when out of memory. */
bool key_index_init(struct key_index *x, size_t n);
void key_index_done(struct key_index *x);
/* The position of an earlier member with the key of members[i]; i itself if there was none, which is noted then. */
uint32_t key_index_put(struct key_index *x, const struct member *members, uint32_t i);
/* All of `members` at once. */
bool key_index_build(struct key_index *x, const struct member *members, uint32_t n);
const struct value *key_index_find(const struct key_index *x, const struct member *members, struct str key);
