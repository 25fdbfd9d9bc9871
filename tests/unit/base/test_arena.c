/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"
#include "base/arena.h"
#include <pthread.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

TEST(allocations_are_aligned_and_apart)
{
	auto_arena struct arena a;
	unsigned char *all[3000];
	arena_init(&a, 0);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		all[i] = arena_alloc(&a, i);
		assert_non_null(all[i]);
		assert_int_equal((uintptr_t)all[i] % 16, 0);
		memset(all[i], (int)(i & 0xff), i);
	}
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		for (size_t k = 0; k < i; k++)
			if (all[i][k] != (i & 0xff))
				fail_msg("allocation %zu changed at %zu", i, k);
}

TEST(the_maximum_holds_and_the_arena_lives_on)
{
	auto_arena struct arena a;
	arena_init(&a, 10000);
	assert_null(arena_alloc(&a, 10001));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 20));
	size_t n = 0;
	while (arena_alloc(&a, 64))
		n++;
	assert_true(n >= 100 && n <= 10000 / 64);
	assert_non_null(arena_alloc(&a, 0));
	arena_done(&a);
	assert_int_equal(a.used, 0);
	assert_non_null(arena_alloc(&a, 9000));
}

TEST(grow_stays_in_place_when_last_and_copies_otherwise)
{
	auto_arena struct arena a;
	arena_init(&a, 0);
	char *p = arena_grow(&a, NULL, 0, 10);
	memcpy(p, "123456789", 10);
	char *q = arena_grow(&a, p, 10, 500);
	assert_ptr_equal(p, q);
	size_t used = a.used;
	q = arena_grow(&a, p, 500, 20); /* gives back */
	assert_ptr_equal(p, q);
	assert_true(a.used < used);
	char *between = arena_alloc(&a, 1);
	*between = 'x';
	q = arena_grow(&a, p, 20, 1000);
	assert_ptr_not_equal(p, q);
	assert_string_equal(q, "123456789");
	q = arena_grow(&a, q, 1000, 100000);
	assert_string_equal(q, "123456789");
	q = arena_grow(&a, q, 100000, 300000);
	assert_string_equal(q, "123456789");
	memset(q, 'y', 300000);
	assert_int_equal(*between, 'x');
}

TEST(grow_respects_the_maximum)
{
	auto_arena struct arena a;
	arena_init(&a, 1000);
	char *p = arena_alloc(&a, 500);
	assert_null(arena_grow(&a, p, 500, 1001));
	assert_null(arena_grow(&a, p, 500, SIZE_MAX));
	assert_ptr_equal(arena_grow(&a, p, 500, 900), p);
}

TEST(copies_and_texts_are_whole)
{
	auto_arena struct arena a;
	arena_init(&a, 0);
	assert_str(arena_str(&a, STR("abc")), "abc");
	assert_non_null(arena_str(&a, STR_NULL).ptr);
	assert_string_equal(arena_c(&a, str_from("abcdef", 3)), "abc");
	char *text = arena_printf(&a, "%s-%05d", "x", 42);
	assert_string_equal(text, "x-00042");
	struct pair {
		int x, y;
	} *pair = ARENA_NEW(&a, struct pair);
	assert_int_equal(pair->x | pair->y, 0);
	assert_string_equal(arena_printf(&a, "%5000d", 7) + 4999, "7");
}

#ifdef __SANITIZE_ADDRESS__
TEST(neighbours_and_the_dead_are_poisoned)
{
	auto_arena struct arena a;
	arena_init(&a, 0);
	char *p = arena_alloc(&a, 13);
	char *q = arena_alloc(&a, 16);
	assert_int_equal(__asan_address_is_poisoned(p + 12), 0);
	assert_int_equal(__asan_address_is_poisoned(p + 13), 1);
	assert_int_equal(__asan_address_is_poisoned(q + 16), 1);
	p = arena_alloc(&a, 5001);
	assert_int_equal(__asan_address_is_poisoned(p + 5000), 0);
	assert_int_equal(__asan_address_is_poisoned(p + 5001), 1);
	arena_done(&a);
	assert_int_equal(__asan_address_is_poisoned(q), 1);
}
#else
TEST(neighbours_and_the_dead_are_poisoned)
{
	print_message("skipped: needs AddressSanitizer\n");
	skip();
}
#endif

TEST(kept_blocks_are_reused_and_can_be_given_back)
{
	for (int round = 0; round < 3; round++) {
		struct arena a;
		arena_init(&a, 0);
		for (int i = 0; i < 1000; i++) {
			char *p = arena_alloc(&a, 100);
			assert_non_null(p);
			memset(p, round, 100);
		}
		arena_done(&a);
		arena_done(&a); /* nothing is freed twice */
		if (round == 1)
			arena_trim();
	}
}

static void *churn(void *arg)
{
	for (int i = 0; i < 50; i++) {
		struct arena a;
		arena_init(&a, 0);
		for (int k = 0; k < 100; k++)
			if (!arena_alloc(&a, 200))
				return arg;
		arena_done(&a);
	}
	return NULL;
}

TEST(a_thread_takes_its_kept_blocks_with_it)
{
	pthread_t threads[4];
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, &threads), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *failed;
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
}

RUN_TESTS(CLAIM(allocations_are_aligned_and_apart), CLAIM(the_maximum_holds_and_the_arena_lives_on),
	  CLAIM(grow_stays_in_place_when_last_and_copies_otherwise), CLAIM(grow_respects_the_maximum),
	  CLAIM(copies_and_texts_are_whole), CLAIM(neighbours_and_the_dead_are_poisoned),
	  CLAIM(kept_blocks_are_reused_and_can_be_given_back), CLAIM(a_thread_takes_its_kept_blocks_with_it))
