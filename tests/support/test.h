/* SPDX-License-Identifier: Apache-2.0 */
/* The one door to cmocka. Test names are claims: TEST(retries_only_idempotent_methods). */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEST(name) static void name(void **test_state __attribute__((unused)))
#define RUN_TESTS(...)                                                                                                 \
	int main(void)                                                                                                 \
	{                                                                                                              \
		const struct CMUnitTest tests[] = { __VA_ARGS__ };                                                     \
		return cmocka_run_group_tests(tests, NULL, NULL);                                                      \
	}
#define CLAIM(name) cmocka_unit_test(name)

/* Fails with both texts shown. `s` is a struct str. */
#define assert_str(s, literal)                                                                                         \
	do {                                                                                                           \
		struct str got_ = (s);                                                                                 \
		if (!str_eq(got_, str_c(literal)))                                                                     \
			fail_msg("got \"%.*s\", expected \"%s\"", STR_ARG(got_), literal);                             \
	} while (0)

/* The folder of third-party data, or NULL: then say so with test_skip_suite() and return. */
static inline const char *test_suites(void)
{
	const char *dir = getenv("WEIR_SUITES");
	return dir && *dir ? dir : NULL;
}
#define test_skip_suite(name)                                                                                          \
	do {                                                                                                           \
		printf("skipped: third-party data '%s' is not here (WEIR_SUITES)\n", name);                            \
		skip();                                                                                                \
	} while (0)
