/* SPDX-License-Identifier: Apache-2.0 */
/* Insertion-ordered hash map: entries stand in an array, a table of positions points at them. */
#include "base/map.h"
#include "base/alloc.h"
#include "base/err.h"
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#define MAP_FIRST_ENTRIES 8 /* room of a map that has its first entry */

struct entry {
	uint64_t hash;
	struct str key; /* malloc'd bytes of its own */
	void *value;
};

struct map {
	struct entry *entries;
	uint32_t *table; /* position + 1, 0 = empty; twice the room, a power of two */
	size_t len, room, max;
};

static uint64_t seed[2];

/* Drawn before main: the jailed roles need not ask the kernel, and nobody has to ask whether it was drawn. */
static __attribute__((constructor)) void draw_seed(void)
{
	if (getentropy(seed, sizeof(seed)) == 0)
		return;
	const void *random = (const void *)getauxval(AT_RANDOM); /* 16 bytes that each exec gets */
	if (random)
		memcpy(seed, random, sizeof(seed));
}

static inline uint64_t rotate(uint64_t x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

#define SIP_ROUND(v)                                                                                                   \
	do {                                                                                                           \
		(v)[0] += (v)[1];                                                                                      \
		(v)[2] += (v)[3];                                                                                      \
		(v)[1] = rotate((v)[1], 13) ^ (v)[0];                                                                  \
		(v)[3] = rotate((v)[3], 16) ^ (v)[2];                                                                  \
		(v)[0] = rotate((v)[0], 32);                                                                           \
		(v)[2] += (v)[1];                                                                                      \
		(v)[0] += (v)[3];                                                                                      \
		(v)[1] = rotate((v)[1], 17) ^ (v)[2];                                                                  \
		(v)[3] = rotate((v)[3], 21) ^ (v)[0];                                                                  \
		(v)[2] = rotate((v)[2], 32);                                                                           \
	} while (0)

/* SipHash-1-3 (Aumasson, Bernstein): one round a word, three at the end. */
uint64_t map_hash(struct str key)
{
	uint64_t v[4] = { seed[0] ^ UINT64_C(0x736f6d6570736575), seed[1] ^ UINT64_C(0x646f72616e646f6d),
			  seed[0] ^ UINT64_C(0x6c7967656e657261), seed[1] ^ UINT64_C(0x7465646279746573) };
	const char *p = key.ptr;
	size_t left = key.len;
	for (; left >= 8; p += 8, left -= 8) {
		uint64_t word;
		memcpy(&word, p, 8);
		v[3] ^= word;
		SIP_ROUND(v);
		v[0] ^= word;
	}
	uint64_t last = 0;
	if (left)
		memcpy(&last, p, left);
	last |= (uint64_t)key.len << 56;
	v[3] ^= last;
	SIP_ROUND(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	SIP_ROUND(v);
	SIP_ROUND(v);
	SIP_ROUND(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct map *map_new(size_t max_entries)
{
	struct map *m = alloc_calloc(1, sizeof(*m));
	if (m)
		m->max = max_entries < UINT32_MAX / 4 ? max_entries : UINT32_MAX / 4;
	return m;
}

void map_free(struct map *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->len; i++)
		free((char *)m->entries[i].key.ptr);
	free(m->entries);
	free(m->table);
	free(m);
}

static inline size_t mask_of(const struct map *m)
{
	return m->room * 2 - 1;
}

/* Where the table has the entry of that key, or the empty place where it would go. Room is not 0. */
static size_t place_of(const struct map *m, struct str key, uint64_t hash)
{
	size_t at = hash & mask_of(m);
	for (; m->table[at]; at = (at + 1) & mask_of(m)) {
		const struct entry *e = &m->entries[m->table[at] - 1];
		if (e->hash == hash && str_eq(e->key, key))
			break;
	}
	return at;
}

static int grow(struct map *m)
{
	size_t room = m->room ? m->room * 2 : MAP_FIRST_ENTRIES;
	struct entry *entries = alloc_realloc(m->entries, room * sizeof(*entries));
	if (!entries)
		return -ERR_NO_MEMORY;
	m->entries = entries; /* more than m->room says, until the table follows */
	uint32_t *table = alloc_calloc(room * 2, sizeof(*table));
	if (!table)
		return -ERR_NO_MEMORY;
	free(m->table);
	m->table = table;
	m->room = room;
	for (size_t i = 0; i < m->len; i++) {
		size_t at = entries[i].hash & mask_of(m);
		while (table[at])
			at = (at + 1) & mask_of(m);
		table[at] = (uint32_t)(i + 1);
	}
	return 0;
}

int map_put(struct map *m, struct str key, void *value, void **ret_old)
{
	uint64_t hash = map_hash(key);
	size_t at = m->room ? place_of(m, key, hash) : 0;
	if (ret_old)
		*ret_old = NULL;
	if (m->room && m->table[at]) {
		struct entry *e = &m->entries[m->table[at] - 1];
		if (ret_old)
			*ret_old = e->value;
		e->value = value;
		return 0;
	}
	if (m->len >= m->max)
		return -ERR_LIMIT;
	if (m->len == m->room) {
		int r = grow(m);
		if (r < 0)
			return r;
		at = place_of(m, key, hash);
	}
	char *copy = str_dup_c(key);
	if (!copy)
		return -ERR_NO_MEMORY;
	m->entries[m->len++] = (struct entry){ hash, str_from(copy, key.len), value };
	m->table[at] = (uint32_t)m->len;
	return 0;
}

void *map_find(const struct map *m, struct str key)
{
	if (m->len == 0)
		return NULL;
	uint32_t position = m->table[place_of(m, key, map_hash(key))];
	return position ? m->entries[position - 1].value : NULL;
}

/* Empties one place and closes the gap: those behind it that would rather stand there move up. */
static void table_remove(struct map *m, size_t hole)
{
	size_t mask = mask_of(m);
	for (size_t at = (hole + 1) & mask; m->table[at]; at = (at + 1) & mask) {
		size_t home = m->entries[m->table[at] - 1].hash & mask;
		if (((at - home) & mask) >= ((at - hole) & mask)) {
			m->table[hole] = m->table[at];
			hole = at;
		}
	}
	m->table[hole] = 0;
}

void *map_remove(struct map *m, struct str key)
{
	if (m->len == 0)
		return NULL;
	size_t at = place_of(m, key, map_hash(key));
	if (!m->table[at])
		return NULL;
	size_t i = m->table[at] - 1, last = m->len - 1;
	struct entry gone = m->entries[i];
	/* The last entry takes the free position: removal is O(1), at the price of the order. */
	if (i != last)
		m->table[place_of(m, m->entries[last].key, m->entries[last].hash)] = (uint32_t)(i + 1);
	m->entries[i] = m->entries[last];
	m->len = last;
	table_remove(m, at);
	free((char *)gone.key.ptr);
	return gone.value;
}

size_t map_len(const struct map *m)
{
	return m->len;
}

bool map_next(const struct map *m, size_t *pos, struct str *ret_key, void **ret_value)
{
	if (*pos >= m->len)
		return false;
	const struct entry *e = &m->entries[(*pos)++];
	if (ret_key)
		*ret_key = e->key;
	if (ret_value)
		*ret_value = e->value;
	return true;
}
