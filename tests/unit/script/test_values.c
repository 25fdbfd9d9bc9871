/* SPDX-License-Identifier: Apache-2.0 */
/* JSON goes through JavaScript and comes back as it was; results that are no JSON are refused with their place. */
#include "pool_support.h"

TEST(untouched_values_keep_their_text)
{
	static const char *const untouched[] = {
		"{\"a\":12345678901234567890}",
		"{\"a\":-12345678901234567890}",
		"{\"a\":0.1000}",
		"{\"a\":1e-400}",
		"{\"a\":\"\\u0000\"}",
		"{\"a\":9007199254740993}",
		"{\"a\":-0}",
		"{\"a\":-0.0}",
		"{\"a\":1E5}",
		"{\"a\":1e400}",
		"{\"a\":1.0}",
		"{\"a\":100e-2,\"b\":0.10,\"c\":0.1}",
		"{\"a\":0.1234567890123456789}",
		"{\"a\":1e21,\"b\":1e+21}",
		"{\"a\":[1.0,[2.50,{\"b\":3.00}]]}",
		"{\"a\":123456789012345678901234567890.123456789}",
		"{\"a\":\"\\u0001n1\",\"b\":\"\xf0\x9f\x98\x80\"}",
		"{\"b\":1,\"10\":2,\"2\":3,\"a\":{\"1\":1.0,\"0\":2}}",
		"{\"__proto__\":{\"x\":1},\"constructor\":2,\"toString\":3,\"hasOwnProperty\":4,\"valueOf\":5,\"then\":"
		"6,\"length\":7,"
		"\"toJSON\":8,\"prototype\":9}",
		"{\"\":0,\" \":[],\"e\":{}}",
		"{\"a\":null,\"b\":true,\"c\":false}",
		"{\"a\":5e-324,\"b\":1.7976931348623157e308}",
		"{\"a\":4.9e-324,\"b\":2e-324}",
		"{\"a\":0e10,\"b\":0.000}",
	};
	struct bench *b = bench_new((struct script_config){ 0 });

	for (size_t i = 0; i < ARRAY_LEN(untouched); i++) {
		assert_gives(b, "", untouched[i], untouched[i]);
		assert_gives(b, "return { ...item }", untouched[i], untouched[i]);
	}
	bench_free(b);
}

TEST(values_passed_on_keep_their_text)
{
	struct bench *b = bench_new((struct script_config){ 0 });

	assert_gives(b, "item.copy = item.x", "{\"x\":0.1000}", "{\"x\":0.1000,\"copy\":0.1000}");
	assert_gives(b, "item.copy = item.x", "{\"x\":1e-400}", "{\"x\":1e-400,\"copy\":1e-400}");
	assert_gives(b, "item.copy = [item.x]", "{\"x\":12345678901234567890}",
		     "{\"x\":12345678901234567890,\"copy\":[12345678901234567890]}");
	assert_gives(b, "item.copy = item.x; delete item.x", "{\"x\":1E5}", "{\"copy\":1E5}");
	assert_gives(b, "return { l: item.l.reverse() }", "{\"l\":[1.0,2.0,3]}", "{\"l\":[3,2.0,1.0]}");
	/* Two spellings of one number: which one was passed on cannot be known, so the shortest is written. */
	assert_gives(b, "item.copy = item.y", "{\"x\":1.0,\"y\":1.00}", "{\"x\":1.0,\"y\":1.00,\"copy\":1}");
	assert_gives(b, "item.copy = item.y", "{\"x\":1.0,\"y\":1}", "{\"x\":1.0,\"y\":1,\"copy\":1}");
	bench_free(b);
}

TEST(exact_numbers_can_be_used)
{
	struct bench *b = bench_new((struct script_config){ 0 });

	assert_gives(b, "item.t = typeof item.x; item.y = item.x + 1n", "{\"x\":9007199254740993}",
		     "{\"x\":9007199254740993,\"t\":\"bigint\",\"y\":9007199254740994}");
	assert_gives(b, "item.y = 10n ** 30n", "{}", "{\"y\":1000000000000000000000000000000}");
	assert_gives(
	    b, "return { s: String(item.x), n: item.x + 0, j: JSON.stringify(item), i: item.x instanceof Number }",
	    "{\"x\":0.1234567890123456789}",
	    "{\"s\":\"0.1234567890123456789\",\"n\":0.12345678901234568,\"j\":\"{\\\"x\\\":0.1234567890123456789}\","
	    "\"i\":true}");
	assert_gives(b, "item.x = JSON.rawJSON('0.5000')", "{}", "{\"x\":0.5000}");
	bench_free(b);
}

TEST(changed_numbers_are_written_as_javascript_does)
{
	struct bench *b = bench_new((struct script_config){ 0 });

	assert_gives(b, "item.x += 1", "{\"x\":1.50}", "{\"x\":2.5}");
	assert_gives(b, "item.x = 1e21; item.y = 1e-7; item.z = 100000", "{\"x\":1.0}",
		     "{\"x\":1e+21,\"y\":1e-7,\"z\":100000}");
	bench_free(b);
}

TEST(names_of_object_prototype_are_plain_data)
{
	struct bench *b = bench_new((struct script_config){ 0 });

	assert_gives(b, "item.toString = 1; item.constructor = 2; item.valueOf = 3; item.__proto__ = { a: 1 }", "{}",
		     "{\"toString\":1,\"constructor\":2,\"valueOf\":3,\"__proto__\":{\"a\":1}}");
	assert_gives(b, "const o = {}; for (const k of Object.keys(item)) o[k] = item[k]; return o",
		     "{\"__proto__\":{\"a\":1},\"hasOwnProperty\":2}",
		     "{\"__proto__\":{\"a\":1},\"hasOwnProperty\":2}");
	assert_gives(b,
		     "class E extends Error { constructor(m) { super(m); this.name = 'E' } } try { throw new E('x') } "
		     "catch (e) { item.e = String(e) }",
		     "{}", "{\"e\":\"E: x\"}");
	assert_gives(b, "function F() {} F.prototype.toString = () => 'f'; item.s = `${new F()}`", "{}",
		     "{\"s\":\"f\"}");
	bench_free(b);
}

TEST(results_that_are_no_json_are_refused_with_their_place)
{
	static const struct {
		const char *source, *part;
	} bad[] = {
		{ "item.x = { y: [1, NaN] }", "item.x.y[1] is NaN" },
		{ "item.x = -Infinity", "item.x is -Infinity" },
		{ "item.f = () => 1", "item.f is a function" },
		{ "item['a b'] = Symbol()", "item[\"a b\"] is a symbol" },
		{ "item.x = { self: item }", "item.x.self contains itself" },
		{ "let a = item; for (let i = 0; i < 1e5; i++) a = a.a = {}", "nested deeper than 100" },
		{ "item.x = '\\ud800'", "item.x is a string with half a surrogate pair" },
		{ "item['\\udc00'] = 1", "half a surrogate pair" },
		{ "item.x = { toJSON() { return NaN } }", "is NaN" },
		{ "item.x = { toJSON() { let a = {}; for (let i = 0; i < 200; i++) a = { a }; return a } }", "" },
		{ "item.x = new Map()", "use Object.fromEntries()" },
		{ "item.x = new Set()", "use [...set]" },
		{ "item.x = Promise.resolve(1)", "a promise" },
		{ "return (async () => item)()", "a promise" },
		{ "item.x = new Error('e')", "use String(e)" },
		{ "item.x = /x/", "a regular expression" },
		{ "item.x = new Uint8Array(2)", "a typed array" },
		{ "return 5", "returned a number" },
		{ "return null", "returned null" },
		{ "return [1]", "returned an array" },
		{ "return () => 1", "returned a function" },
		{ "return new Proxy({}, { ownKeys() { return ['a'] }, getOwnPropertyDescriptor() { return { value: 1n "
		  "<< 3n, enumerable: true, configurable: true } }, get() { return NaN } })",
		  "" },
	};
	struct bench *b = bench_new((struct script_config){ 0 });

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_fails(b, bad[i].source, SCRIPT_BAD_RESULT, bad[i].part);
	assert_fails(b, "Object.defineProperty(item, 'g', { enumerable: true, get() { throw new Error('mine') } })",
		     SCRIPT_THREW, "mine");
	bench_free(b);
}

TEST(results_that_json_has_a_form_for_are_written)
{
	struct bench *b = bench_new((struct script_config){ 0 });

	assert_gives(b,
		     "item.a = [undefined]; item.b = undefined; item.d = new Date(0); item.n = new Number(5); item.s = "
		     "Object('s')",
		     "{}", "{\"a\":[null],\"d\":\"1970-01-01T00:00:00.000Z\",\"n\":5,\"s\":\"s\"}");
	assert_gives(b, "item.x = { toJSON() { item.side = 1; return 5 } }; item.y = '\\\\ud800'", "{}",
		     "{\"x\":5,\"y\":\"\\\\ud800\"}");
	assert_gives(b,
		     "class P { constructor() { this.x = 1 } get y() { return 2 } } item.p = new P(); item.o = "
		     "Object.create(null)",
		     "{}", "{\"p\":{\"x\":1},\"o\":{}}");
	bench_free(b);
}

TEST(large_results_are_cut_off_and_large_items_refused)
{
	struct bench *b = bench_new((struct script_config){ 0 });
	char *json = malloc((9u << 20) + 16);

	assert_fails(b, "item.x = 'x'.repeat(10 << 20)", SCRIPT_TOO_LARGE, "10485768 characters");
	assert_fails(b, "item.x = '\u00e9'.repeat(5 << 20)", SCRIPT_TOO_LARGE, "bytes");
	assert_fails(b, "let a = [1]; for (let i = 0; i < 40; i++) a = [a, a]; item.x = a", SCRIPT_TOO_LARGE, "values");
	assert_fails(b, "item.x = []; item.x.length = 4e9", SCRIPT_TOO_LARGE, "values");
	bench_run(b, "item.x = 'x'.repeat(8000000)", "{}");
	assert_int_equal(b->got[0].error, SCRIPT_OK);
	assert_int_equal(strlen(b->got[0].json), 8000008);
	memset(json, 'x', (9u << 20) + 16);
	memcpy(json, "{\"a\":\"", 6);
	memcpy(json + (9u << 20), "\"}", 3);
	bench_run(b, "", json);
	assert_int_equal(b->got[0].error, SCRIPT_TOO_LARGE);
	free(json);
	bench_free(b);
}

TEST(the_console_swallows_everything)
{
	struct bench *b = bench_new((struct script_config){ 0 });

	assert_gives(b, "for (let i = 0; i < 1e6; i++) console.log('line', i); console.error('x'.repeat(10 << 20))",
		     "{}", "{}");
	bench_free(b);
}

WORKER_TESTS(CLAIM(untouched_values_keep_their_text), CLAIM(values_passed_on_keep_their_text),
	     CLAIM(exact_numbers_can_be_used), CLAIM(changed_numbers_are_written_as_javascript_does),
	     CLAIM(names_of_object_prototype_are_plain_data),
	     CLAIM(results_that_are_no_json_are_refused_with_their_place),
	     CLAIM(results_that_json_has_a_form_for_are_written),
	     CLAIM(large_results_are_cut_off_and_large_items_refused), CLAIM(the_console_swallows_everything))
