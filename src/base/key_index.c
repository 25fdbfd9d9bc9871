/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing, half full at most, keyed by map_hash: chosen keys do not pile up. */
#include "base/key_index.h"
#include "base/alloc.h"
#include "base/map.h"
#include <stdlib.h>

bool key_index_init(struct key_index *x, size_t n)
{
	size_t slots = 64;
	while (slots < n * 2)
		slots *= 2;
	x->mask = slots - 1;
	x->slots = x->fixed;
	if (slots > KEY_INDEX_FIXED_SLOTS)
		x->slots = alloc_calloc(slots, sizeof(*x->slots));
	else
		memset(x->fixed, 0, slots * sizeof(*x->slots));
	return x->slots != NULL;
}

void key_index_done(struct key_index *x)
{
	if (x->slots != x->fixed)
		free(x->slots);
	x->slots = NULL;
}

/* The slot that holds `key`, or the empty one where it would go. */
static uint32_t *slot_of(const struct key_index *x, const struct member *members, struct str key)
{
	size_t at = map_hash(key) & x->mask;
	while (x->slots[at] && !str_eq(members[x->slots[at] - 1].key, key))
		at = (at + 1) & x->mask;
	return &x->slots[at];
}

uint32_t key_index_put(struct key_index *x, const struct member *members, uint32_t i)
{
	uint32_t *slot = slot_of(x, members, members[i].key);
	if (*slot)
		return *slot - 1;
	*slot = i + 1;
	return i;
}

bool key_index_build(struct key_index *x, const struct member *members, uint32_t n)
{
	if (!key_index_init(x, n))
		return false;
	for (uint32_t i = 0; i < n; i++)
		(void)key_index_put(x, members, i);
	return true;
}

const struct value *key_index_find(const struct key_index *x, const struct member *members, struct str key)
{
	uint32_t slot = *slot_of(x, members, key);
	return slot ? &members[slot - 1].value : NULL;
}
