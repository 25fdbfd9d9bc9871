/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts that behave: what goes in, what comes out, in which order. */
#include "pool_support.h"

TEST(an_item_is_changed_in_place_or_replaced)
{
	struct bench *b = bench_new((struct script_config){ 0 });

	assert_gives(b, "item.b = item.a + 1", "{\"a\":1}", "{\"a\":1,\"b\":2}");
	assert_gives(b, "return { c: item.a }", "{\"a\":1}", "{\"c\":1}");
	assert_gives(b, "delete item.a; item.n = undefined", "{\"a\":1}", "{}");
	assert_gives(b, "// only a comment", "{\"a\":1}", "{\"a\":1}");
	bench_free(b);
}

TEST(results_come_in_order_of_the_items)
{
	struct bench *b = bench_new((struct script_config){ 0 });
	const char *json[SCRIPT_BATCH_MAX];
	char room[SCRIPT_BATCH_MAX][32], expected[64];

	for (int i = 0; i < SCRIPT_BATCH_MAX; i++) {
		(void)snprintf(room[i], sizeof(room[i]), "{\"n\":%d}", i);
		json[i] = room[i];
	}
	bench_run_all(b, SCRIPT_ITEM, "item.m = item.n * 2", json, SCRIPT_BATCH_MAX);
	for (int i = 0; i < SCRIPT_BATCH_MAX; i++) {
		(void)snprintf(expected, sizeof(expected), "{\"n\":%d,\"m\":%d}", i, i * 2);
		assert_string_equal(b->got[i].json, expected);
	}
	bench_free(b);
}

TEST(expressions_give_an_array_of_their_values)
{
	struct bench *b = bench_new((struct script_config){ 0 });
	struct str sources[] = { STR("item.a + 1"), STR("item.nothing"), STR("{ x: 1 }"), STR("item.a, 7 // end"),
				 STR("`t${item.a}`") };
	struct script_program *p = script_program_new(SCRIPT_EXPRS, sources, ARRAY_LEN(sources), "mapping", NULL);
	const char *json = "{\"a\":1}";

	(void)bench_start(b, p, 1, &json, 1);
	bench_wait(b);
	assert_string_equal(b->got[0].json, "[2,null,{\"x\":1},7,\"t1\"]");
	script_program_unref(p);
	bench_free(b);
}

TEST(an_expression_that_is_none_is_a_syntax_error)
{
	static const char *const bad[] = { "1); (2",	"1]; [2", "return 1", "",	"1;",
					   "var x = 1", "}",	  "if (1) 2", "...item" };
	struct bench *b = bench_new((struct script_config){ 0 });
	const char *json = "{}";

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		bench_run_all(b, SCRIPT_EXPRS, bad[i], &json, 1);
		if (b->got[0].error != SCRIPT_SYNTAX)
			fail_msg("%s: %s", bad[i], script_error_name(b->got[0].error));
	}
	bench_free(b);
}

TEST(a_library_is_evaluated_once_and_its_functions_called_by_name)
{
	struct bench *b = bench_new((struct script_config){ 0 });
	const char *library =
	    "let n = 0;\nfunction inc(a, b) { return [++n, a, b]; }\nconst f = (x) => x * 2;\nfunction nothing() {}\n"
	    "function bad() { return x.y; }";
	const char *json[] = {
		"{\"function\":\"inc\",\"arguments\":[5,\"a\"]}",
		"{\"function\":\"inc\"}",
		"{\"function\":\"f\",\"arguments\":[4]}",
		"{\"function\":\"nothing\"}",
		"{\"function\":\"gone\"}",
		"{\"function\":\"parseInt\"}",
		"{\"function\":\"eval\",\"arguments\":[\"1\"]}",
		"{\"function\":\"n\"}",
		"{\"function\":\"inc()\"}",
		"{\"function\":\"bad\"}",
		"{\"function\":\"this\"}",
		"{}",
	};
	const char *expected[] = { "[1,5,\"a\"]", "[2,null,null]", "8", "null" };

	bench_run_all(b, SCRIPT_CALL, library, json, ARRAY_LEN(json));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_string_equal(b->got[i].json, expected[i]);
	for (size_t i = ARRAY_LEN(expected); i < ARRAY_LEN(json); i++)
		assert_int_equal(b->got[i].error, SCRIPT_THREW);
	assert_non_null(strstr(b->got[4].detail, "no function \"gone\""));
	assert_int_equal(b->got[9].line, 5);
	bench_free(b);
}

TEST(errors_name_line_and_column_of_the_source)
{
	struct bench *b = bench_new((struct script_config){ 0 });
	struct str source = STR("let a = 1;\n\n  null.x;");
	struct script_program *p = script_program_new(SCRIPT_ITEM, &source, 1, "prepare", NULL);
	const char *json = "{}";

	(void)bench_start(b, p, 1, &json, 1);
	bench_wait(b);
	assert_int_equal(b->got[0].error, SCRIPT_THREW);
	assert_int_equal(b->got[0].line, 3);
	assert_string_equal(b->got[0].detail,
			    "prepare: TypeError: null is not an object (evaluating 'null.x') (line 3, column 7)");
	script_program_unref(p);
	assert_fails(b, "let a;\nlet b = ;", SCRIPT_SYNTAX, "SyntaxError");
	assert_int_equal(b->got[0].line, 2);
	assert_fails(b, "\n\nnew Date(Symbol())", SCRIPT_THREW, "symbol");
	assert_int_equal(b->got[0].line, 3);
	assert_fails(b, "undeclared = 1", SCRIPT_THREW, "Can't find variable: undeclared");
	assert_fails(b, "throw { code: 7 }", SCRIPT_THREW, "threw {\"code\":7}");
	bench_free(b);
}

TEST(a_body_cannot_leave_its_function)
{
	static const char *const bad[] = {
		"}, function () {", "}); (function () {", "return 1; }\nfunction f() { return 2", "}", "/*", "`"
	};
	struct bench *b = bench_new((struct script_config){ 0 });

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_fails(b, bad[i], SCRIPT_SYNTAX, "SyntaxError");
	bench_free(b);
}

static void on_check(void *arg, const struct script_result *results, size_t n)
{
	bench_done(arg, results, n);
}

TEST(a_program_can_be_checked_without_running_it)
{
	struct bench *b = bench_new((struct script_config){ 0 });
	struct script_program *good = bench_program(SCRIPT_ITEM, "while (1) {}");
	struct script_program *bad = bench_program(SCRIPT_CALL, "function f() { return = 1; }");

	b->waiting = 1;
	assert_non_null(script_check(b->pool, good, on_check, b, NULL));
	bench_wait(b);
	assert_int_equal(b->n, 1);
	assert_string_equal(b->got[0].json, "null");
	b->waiting = 1;
	assert_non_null(script_check(b->pool, bad, on_check, b, NULL));
	bench_wait(b);
	assert_int_equal(b->got[0].error, SCRIPT_SYNTAX);
	assert_int_equal(b->got[0].line, 1);
	script_program_unref(good);
	script_program_unref(bad);
	bench_free(b);
}

TEST(the_same_seed_and_realm_give_the_same_result_in_any_batch_and_worker)
{
	const char *source =
	    "item.r = [Math.random(), Math.random()]; item.d = new Date(); item.n = Date.now(); item.t = Date();"
	    "item.f = new Intl.DateTimeFormat('fr', { timeZone: 'Europe/Paris', timeStyle: 'long' }).format();"
	    "item.g = new Function('return new Date().getTime()')()";
	const char *json[] = { "{}", "{}", "{}" };
	char first[3][512];
	struct bench *b = bench_new((struct script_config){ 0 });

	bench_run_all(b, SCRIPT_ITEM, source, json, 3);
	for (int i = 0; i < 3; i++)
		(void)snprintf(first[i], sizeof(first[i]), "%s", b->got[i].json);
	assert_string_not_equal(first[0], first[1]);
	assert_non_null(strstr(first[0], "\"d\":\"2023-11-14T22:13:20.000Z\",\"n\":1700000000000"));
	assert_non_null(strstr(first[0], "\"g\":1700000000000"));
	bench_run_all(b, SCRIPT_ITEM, source, json, 1);
	assert_string_equal(b->got[0].json, first[0]);
	bench_free(b);
	b = bench_new((struct script_config){ 0 });
	bench_run_all(b, SCRIPT_ITEM, source, json, 3);
	for (int i = 0; i < 3; i++)
		assert_string_equal(b->got[i].json, first[i]);
	bench_free(b);
}

WORKER_TESTS(CLAIM(an_item_is_changed_in_place_or_replaced), CLAIM(results_come_in_order_of_the_items),
	     CLAIM(expressions_give_an_array_of_their_values), CLAIM(an_expression_that_is_none_is_a_syntax_error),
	     CLAIM(a_library_is_evaluated_once_and_its_functions_called_by_name),
	     CLAIM(errors_name_line_and_column_of_the_source), CLAIM(a_body_cannot_leave_its_function),
	     CLAIM(a_program_can_be_checked_without_running_it),
	     CLAIM(the_same_seed_and_realm_give_the_same_result_in_any_batch_and_worker))
