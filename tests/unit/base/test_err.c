/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"
#include "base/err.h"
#include "base/str.h"
#include <errno.h>

TEST(set_returns_the_negative_code_and_keeps_the_sentence)
{
	struct err e = ERR_INIT;
	assert_int_equal(err_set(&e, ERR_NOT_FOUND, "no system \"%s\"", "crm"), -ERR_NOT_FOUND);
	assert_int_equal(e.code, -ERR_NOT_FOUND);
	assert_string_equal(e.msg, "no system \"crm\"");
	assert_int_equal(err_set(NULL, ERR_LIMIT, "nobody listens"), -ERR_LIMIT);
}

TEST(wrap_puts_the_place_before_and_keeps_the_code)
{
	struct err e = ERR_INIT;
	err_set(&e, ERR_INVALID, "timeout has no unit");
	assert_int_equal(err_wrap(&e, "step %d \"%s\"", 3, "fetch"), -ERR_INVALID);
	assert_int_equal(err_wrap(&e, "flow"), -ERR_INVALID);
	assert_string_equal(e.msg, "flow: step 3 \"fetch\": timeout has no unit");
	assert_true(err_wrap(NULL, "x") < 0);
}

TEST(a_message_may_quote_itself)
{
	struct err e = ERR_INIT;
	err_set(&e, ERR_IO, "inner");
	err_set(&e, ERR_IO, "outer (%s)", e.msg);
	assert_string_equal(e.msg, "outer (inner)");
	err_wrap(&e, "%s", e.msg);
	assert_string_equal(e.msg, "outer (inner): outer (inner)");
}

TEST(errno_becomes_code_and_words)
{
	struct err e = ERR_INIT;
	errno = ENOENT;
	assert_int_equal(err_errno(&e, "open '%s'", "/x"), -ENOENT);
	assert_string_equal(e.msg, "open '/x': No such file or directory");
	errno = 0;
	assert_true(err_errno(&e, "forgot to set errno") < 0);
}

TEST(long_messages_are_cut_between_characters)
{
	char text[3 * ERR_MSG_MAX];
	for (size_t shift = 0; shift < 4; shift++) {
		struct err e = ERR_INIT;
		size_t n = shift;
		memset(text, 'x', shift);
		for (; n + 4 < sizeof(text); n += 3)
			memcpy(text + n, "\xe2\x82\xac", 3);
		text[n] = '\0';
		err_set(&e, ERR_INVALID, "%s", text);
		assert_true(strlen(e.msg) < ERR_MSG_MAX && strlen(e.msg) > ERR_MSG_MAX - 8);
		assert_true(str_is_utf8(str_c(e.msg), NULL));
		err_wrap(&e, "place%zu", shift);
		assert_true(strlen(e.msg) < ERR_MSG_MAX && strlen(e.msg) > ERR_MSG_MAX - 8);
		assert_true(str_is_utf8(str_c(e.msg), NULL));
		err_wrap(&e, "%s", text);
		assert_true(strlen(e.msg) < ERR_MSG_MAX);
		assert_true(str_is_utf8(str_c(e.msg), NULL));
	}
}

TEST(every_code_has_a_name)
{
	static const struct {
		int code;
		const char *name;
	} rows[] = {
		{ ERR_INVALID, "invalid" },
		{ ERR_NOT_FOUND, "not_found" },
		{ ERR_LIMIT, "limit" },
		{ ERR_NO_MEMORY, "no_memory" },
		{ ERR_IO, "io" },
		{ ERR_CONFLICT, "conflict" },
		{ ERR_STATE, "state" },
		{ ERR_DENIED, "denied" },
		{ ERR_MISSING, "missing" },
		{ EACCES, "denied" },
		{ EPIPE, "io" },
		{ 0, "ok" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_string_equal(err_code_name(rows[i].code), rows[i].name);
		assert_string_equal(err_code_name(-rows[i].code), rows[i].name);
	}
}

RUN_TESTS(CLAIM(set_returns_the_negative_code_and_keeps_the_sentence),
	  CLAIM(wrap_puts_the_place_before_and_keeps_the_code), CLAIM(a_message_may_quote_itself),
	  CLAIM(errno_becomes_code_and_words), CLAIM(long_messages_are_cut_between_characters),
	  CLAIM(every_code_has_a_name))
