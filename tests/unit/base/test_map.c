/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"
#include "base/err.h"
#include "base/map.h"

static struct str key_of(char text[static 16], int i)
{
	return str_from(text, (size_t)snprintf(text, 16, "key-%d", i));
}

TEST(what_was_put_is_found_until_removed)
{
	enum { N = 2000 };
	static int values[N];
	char text[16];
	void *old;
	struct map *m = map_new(N);
	for (int i = 0; i < N; i++)
		assert_int_equal(map_put(m, key_of(text, i), &values[i], &old), 0);
	assert_null(old);
	assert_int_equal(map_put(m, STR("one too many"), &values[0], NULL), -ERR_LIMIT);
	assert_int_equal(map_put(m, STR("key-7"), &values[8], &old), 0);
	assert_ptr_equal(old, &values[7]);
	assert_ptr_equal(map_find(m, STR("key-7")), &values[8]);
	map_put(m, STR("key-7"), &values[7], NULL);
	/* Every third goes; after each removal a probe chain might have been cut. */
	for (int i = 0; i < N; i += 3)
		assert_ptr_equal(map_remove(m, key_of(text, i)), &values[i]);
	for (int i = 0; i < N; i++)
		assert_ptr_equal(map_find(m, key_of(text, i)), i % 3 ? &values[i] : NULL);
	assert_int_equal(map_len(m), N - (N + 2) / 3);
	assert_null(map_remove(m, STR("key-0")));
	for (int i = 0; i < N; i++)
		(void)map_remove(m, key_of(text, i));
	assert_int_equal(map_len(m), 0);
	assert_null(map_find(m, STR("key-1")));
	map_free(m);
	map_free(NULL);
}

TEST(a_small_crowded_map_loses_nobody)
{
	/* Few slots, so that probe chains run into each other and removal often moves an entry of its own chain. */
	enum { KEYS = 16, TURNS = 100000 };
	static int values[KEYS];
	bool is_in[KEYS] = { false };
	char text[16];
	uint32_t random = 12345;
	struct map *m = map_new(KEYS);
	for (int turn = 0; turn < TURNS; turn++) {
		random = random * 1664525u + 1013904223u;
		int i = (int)(random >> 16) % KEYS;
		if (random >> 31)
			assert_int_equal(map_put(m, key_of(text, i), &values[i], NULL), 0);
		else
			assert_ptr_equal(map_remove(m, key_of(text, i)), is_in[i] ? &values[i] : NULL);
		is_in[i] = random >> 31;
		int k = (int)(random >> 8) % KEYS;
		assert_ptr_equal(map_find(m, key_of(text, k)), is_in[k] ? &values[k] : NULL);
	}
	map_free(m);
}

TEST(iteration_follows_insertion)
{
	static int values[100];
	char text[16];
	struct map *m = map_new(SIZE_MAX);
	for (int i = 0; i < 100; i++)
		assert_int_equal(map_put(m, key_of(text, i * 37 % 100), &values[i], NULL), 0);
	size_t pos = 0, n = 0;
	struct str key;
	void *value;
	while (map_next(m, &pos, &key, &value)) {
		assert_ptr_equal(value, &values[n]);
		assert_true(str_eq(key, key_of(text, (int)n * 37 % 100)));
		n++;
	}
	assert_int_equal(n, 100);
	map_free(m);
}

TEST(keys_are_copied_bytes)
{
	char key[] = "abc";
	int value;
	struct map *m = map_new(10);
	assert_null(map_find(m, STR("abc")));
	map_put(m, str_c(key), &value, NULL);
	map_put(m, str_from("a\0b", 3), m, NULL);
	map_put(m, STR_NULL, key, NULL);
	key[0] = 'X';
	assert_ptr_equal(map_find(m, STR("abc")), &value);
	assert_ptr_equal(map_find(m, str_from("a\0b", 3)), m);
	assert_null(map_find(m, STR("a")));
	assert_ptr_equal(map_find(m, STR("")), key);
	map_free(m);
}

TEST(the_hash_sees_every_byte_and_the_length)
{
	char text[40] = { 0 };
	for (size_t n = 0; n < sizeof(text); n++) {
		uint64_t h = map_hash(str_from(text, n));
		assert_int_equal(h, map_hash(str_from(text, n)));
		if (n + 1 < sizeof(text))
			assert_int_not_equal(h, map_hash(str_from(text, n + 1)));
		for (size_t i = 0; i < n; i++) {
			text[i] = 1;
			assert_int_not_equal(h, map_hash(str_from(text, n)));
			text[i] = 0;
		}
	}
}

RUN_TESTS(CLAIM(what_was_put_is_found_until_removed), CLAIM(a_small_crowded_map_loses_nobody),
	  CLAIM(iteration_follows_insertion), CLAIM(keys_are_copied_bytes),
	  CLAIM(the_hash_sees_every_byte_and_the_length))
