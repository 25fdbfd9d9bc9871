/* SPDX-License-Identifier: Apache-2.0 */
/* The JSONPath Compliance Test Suite, every case. Skipped where it is not. */
#include "test.h"
#include "base/json.h"
#include "base/jsonpath.h"
#include <limits.h>

static struct str read_suite(struct arena *a)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/jsonpath-cts/cts.json", test_suites() ? test_suites() : "");
	FILE *f = test_suites() ? fopen(path, "rb") : NULL;
	if (!f)
		return STR_NULL;
	fseek(f, 0, SEEK_END);
	size_t n = (size_t)ftell(f);
	rewind(f);
	char *bytes = arena_alloc(a, n);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, n, f), n);
	fclose(f);
	return str_from(bytes, n);
}

static bool is_one_of(const struct value *got, const struct value *results)
{
	for (uint32_t i = 0; i < results->len; i++)
		if (value_eq(got, &results->items[i]))
			return true;
	return false;
}

static const char *text_of(struct arena *a, const struct value *v)
{
	auto_buf struct buf b;
	buf_init(&b, 1 << 20);
	assert_int_equal(json_write(&b, v, JSON_COMPACT), 0);
	return arena_c(a, buf_str(&b));
}

/* 1 when the case is passed. */
static int passes(struct arena *a, const struct value *c)
{
	struct str name = value_text(value_get_c(c, "name")), selector = value_text(value_get_c(c, "selector"));
	const struct value *root = value_get_c(c, "document"), *one = value_get_c(c, "result");
	struct err e = ERR_INIT;
	struct value got;
	struct jsonpath *path = jsonpath_compile(a, selector, &e);
	if (value_get_c(c, "invalid_selector")) {
		if (!path && e.code == -ERR_INVALID && strstr(e.msg, "JSONPath at offset"))
			return 1;
		print_message("%.*s: %.*s should be refused (%s)\n", STR_ARG(name), STR_ARG(selector), e.msg);
		return 0;
	}
	if (!path || jsonpath_select(path, root, a, &got, &e) < 0) {
		print_message("%.*s: %.*s: %s\n", STR_ARG(name), STR_ARG(selector), e.msg);
		return 0;
	}
	bool good = one ? value_eq(&got, one) : is_one_of(&got, value_get_c(c, "results"));
	if (good && jsonpath_is_singular(path)) {
		const struct value *first = jsonpath_first(path, root);
		good = first ? got.len == 1 && value_eq(first, &got.items[0]) : got.len == 0;
	}
	if (!good)
		print_message("%.*s: %.*s gives %s\n", STR_ARG(name), STR_ARG(selector), text_of(a, &got));
	return good;
}

TEST(every_case_of_the_compliance_suite_is_passed)
{
	auto_arena struct arena a;
	struct value suite;
	struct err e = ERR_INIT;
	arena_init(&a, 0);
	struct str text = read_suite(&a);
	if (!text.ptr)
		test_skip_suite("jsonpath-cts");
	if (json_parse(&a, text, NULL, &suite, NULL, &e) < 0)
		fail_msg("%s", e.msg);
	const struct value *tests = value_get_c(&suite, "tests");
	uint32_t passed = 0;
	for (uint32_t i = 0; i < tests->len; i++)
		passed += (uint32_t)passes(&a, &tests->items[i]);
	print_message("%u of %u cases\n", passed, tests->len);
	assert_int_equal(passed, tests->len);
	assert_true(passed >= 703);
}

RUN_TESTS(CLAIM(every_case_of_the_compliance_suite_is_passed))
