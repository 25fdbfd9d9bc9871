/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"
#include "base/buf.h"
#include "base/err.h"

TEST(appends_grow_and_keep_what_was_there)
{
	auto_buf struct buf b;
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(buf_printf(&b, "%d,", i % 10), 0);
	assert_int_equal(b.len, 10000);
	for (size_t i = 0; i < b.len; i += 2)
		assert_int_equal(b.ptr[i], '0' + (int)(i / 2 % 10));
	buf_clear(&b);
	assert_int_equal(b.len, 0);
	assert_true(b.cap >= 10000);
}

TEST(the_maximum_is_exact_and_its_breach_sticks)
{
	auto_buf struct buf b;
	buf_init(&b, 10);
	assert_int_equal(buf_append(&b, "0123456789", 10), 0);
	assert_true(buf_ok(&b));
	assert_int_equal(buf_append_char(&b, 'x'), -ERR_LIMIT);
	assert_false(buf_ok(&b));
	buf_consume(&b, 5);
	assert_int_equal(buf_append_char(&b, 'x'), -ERR_LIMIT);
	assert_str(buf_str(&b), "56789");
	assert_int_equal(buf_printf(&b, "%d", 1), -ERR_LIMIT);
	buf_clear(&b);
	assert_int_equal(buf_printf(&b, "%s", "0123456789"), 0);
	assert_int_equal(buf_printf(&b, "%d", 1), -ERR_LIMIT);
}

TEST(a_huge_wish_is_refused_without_overflow)
{
	auto_buf struct buf b;
	buf_init(&b, SIZE_MAX);
	assert_int_equal(buf_append(&b, "abc", 3), 0);
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -ERR_LIMIT);
	assert_int_equal(b.failed, ERR_LIMIT);
	buf_clear(&b);
	assert_int_equal(b.len, 0);
}

TEST(printf_fits_to_the_byte)
{
	for (size_t n = 250; n < 260; n++) {
		auto_buf struct buf b;
		buf_init(&b, n);
		assert_int_equal(buf_printf(&b, "%*d", (int)n, 7), 0);
		assert_int_equal(b.len, n);
		assert_int_equal(b.ptr[n - 1], '7');
		assert_int_equal(buf_printf(&b, "%s", ""), 0);
	}
}

TEST(take_hands_over_terminated_bytes)
{
	struct buf b;
	size_t n;
	buf_init(&b, 100);
	buf_append_c(&b, "hello");
	char *taken = buf_take(&b, &n);
	assert_string_equal(taken, "hello");
	assert_int_equal(n, 5);
	assert_null(b.ptr);
	free(taken);
	taken = buf_take(&b, NULL);
	assert_string_equal(taken, "");
	free(taken);
	b.max = 1;
	buf_append_c(&b, "hello");
	assert_null(buf_take(&b, &n));
	assert_int_equal(n, 0);
	assert_true(buf_ok(&b));
}

TEST(consume_drops_from_the_front)
{
	auto_buf struct buf b;
	buf_init(&b, 100);
	buf_append_c(&b, "abcdef");
	buf_consume(&b, 0);
	buf_consume(&b, 2);
	assert_str(buf_str(&b), "cdef");
	buf_consume(&b, 99);
	assert_int_equal(b.len, 0);
}

RUN_TESTS(CLAIM(appends_grow_and_keep_what_was_there), CLAIM(the_maximum_is_exact_and_its_breach_sticks),
	  CLAIM(a_huge_wish_is_refused_without_overflow), CLAIM(printf_fits_to_the_byte),
	  CLAIM(take_hands_over_terminated_bytes), CLAIM(consume_drops_from_the_front))
