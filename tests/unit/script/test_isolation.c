/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing crosses from item to item or from run to run, and nothing of the host is there to be found. */
#include "pool_support.h"

/* Each tries to leave a mark, swallows its own failure, and reports a mark that it finds. */
static const char *const marks[] = {
	"globalThis.mark = 1",
	"mark = 1",
	"Array.prototype.mark = 1",
	"Object.prototype.mark = 1",
	"Function.prototype.mark = 1",
	"Object.getPrototypeOf(function* () {}).mark = 1",
	"Object.getPrototypeOf(async () => 1).mark = 1",
	"Object.getPrototypeOf(async function* () {}).mark = 1",
	"Object.getPrototypeOf([][Symbol.iterator]()).mark = 1",
	"Object.getPrototypeOf(Int8Array).mark = 1",
	"Math.mark = 1",
	"JSON.mark = 1",
	"Intl.mark = 1",
	"Reflect.mark = 1",
	"Error.stackTraceLimit = 77",
	"console.mark = 1",
	"(0, eval)('var mark = 1')",
	"new Function('mark = 1')()",
	"new Function('this.mark = 1')()",
	"Intl.DateTimeFormat.prototype.mark = 1",
	"Date.mark = 1; Date.prototype.mark = 1",
	"Object.getPrototypeOf(new Intl.Segmenter().segment('')).mark = 1",
	"Promise.prototype.mark = 1; Symbol.mark = 1",
	"Object.getPrototypeOf(''.matchAll(/x/g)).mark = 1",
	"Object.getPrototypeOf(Iterator.from({ next() {} })).mark = 1",
	"Object.getPrototypeOf([].values().map((x) => x)).mark = 1",
	"Array.prototype.push = () => 77",
	"Object.defineProperty(Object.prototype, 'mark', { value: 1 })",
	"Date.prototype.getTime = () => 77",
	"/(77)/.exec('77')",
	"Math.random.mark = 1",
	"((s) => { s.mark = 1 })(((t) => t)`x`)",
};
static const char probe[] = "const f = [globalThis, [], {}, function () {}, function* () {}, async () => 1, async "
			    "function* () {}, (function* () {})(), [].values(),"
			    " new Int8Array(1), Math, JSON, Intl, Reflect, console, Error, Date, new Date(), new "
			    "Intl.DateTimeFormat(), Promise.resolve(), Symbol,"
			    " new Intl.Segmenter().segment(''), ''.matchAll(/x/g), Iterator.from({ next() {} }), "
			    "[].values().map((x) => x), Math.random,"
			    " ((t) => t)`x`];"
			    "item.found = f.filter((o) => o.mark !== undefined).length + (typeof mark !== 'undefined') "
			    "+ (Error.stackTraceLimit === 77)"
			    " + ([].push(1) === 77) + (new Date(5).getTime() === 77) + (RegExp.$1 === '77');";

static void leave_and_look(struct bench *b, const char *mark, uint64_t first_realm, uint64_t second_realm,
			   bool one_program)
{
	char source[4096];
	const char *json[2] = { "{}", "{}" };

	(void)snprintf(source, sizeof(source), "%s try { %s } catch {}", probe, mark);
	struct script_program *leave = bench_program(SCRIPT_ITEM, source);
	struct script_program *look = one_program ? script_program_ref(leave) : bench_program(SCRIPT_ITEM, probe);
	(void)bench_start(b, leave, first_realm, json, 1);
	(void)bench_start(b, look, second_realm, json, 2);
	bench_wait(b);
	for (size_t i = 0; i < 2; i++) {
		if (b->got[i].error || strcmp(b->got[i].json, "{\"found\":0}") != 0)
			fail_msg("%s: %s%s", mark, b->got[i].error ? b->got[i].detail : "",
				 b->got[i].json ? b->got[i].json : "");
	}
	script_program_unref(leave);
	script_program_unref(look);
}

TEST(items_of_one_run_share_no_state)
{
	struct bench *b = bench_new((struct script_config){ 0 });

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		leave_and_look(b, marks[i], 1, 1, true);
	bench_free(b);
}

TEST(runs_and_programs_share_no_state)
{
	struct bench *b = bench_new((struct script_config){ 0 });

	for (size_t i = 0; i < ARRAY_LEN(marks); i += 3) {
		leave_and_look(b, marks[i], 1, 2, true);
		leave_and_look(b, marks[i], 1, 1, false);
	}
	bench_free(b);
}

TEST(libraries_keep_state_within_a_run_only)
{
	struct bench *b = bench_new((struct script_config){ 0 });
	struct script_program *p = bench_program(SCRIPT_CALL, "let n = 0; function inc() { return ++n }");
	const char *json[] = { "{\"function\":\"inc\"}", "{\"function\":\"inc\"}" };

	(void)bench_start(b, p, 1, json, 2);
	bench_wait(b);
	assert_string_equal(b->got[1].json, "2");
	(void)bench_start(b, p, 2, json, 2);
	bench_wait(b);
	assert_string_equal(b->got[0].json, "1");
	script_program_unref(p);
	bench_free(b);
}

TEST(more_realms_than_a_worker_keeps_are_served)
{
	struct bench *b = bench_new((struct script_config){ 0 });
	struct script_program *p = bench_program(SCRIPT_ITEM, "item.a = 1");
	const char *json = "{}";

	for (uint64_t i = 0; i < 40; i++) {
		(void)bench_start(b, p, i, &json, 1);
		bench_wait(b);
		assert_int_equal(b->got[0].error, SCRIPT_OK);
	}
	script_program_unref(p);
	bench_free(b);
}

TEST(more_programs_than_a_worker_remembers_are_served)
{
	struct bench *b = bench_new((struct script_config){ 0 });
	char source[64], expected[64];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 80; i++) {
			(void)snprintf(source, sizeof(source), "item.a = %d", i);
			(void)snprintf(expected, sizeof(expected), "{\"a\":%d}", i);
			assert_gives(b, source, "{}", expected);
		}
	}
	bench_free(b);
}

/* T1: whatever the way to Function, it leads to the empty realm. */
TEST(no_constructor_leads_to_a_host_object)
{
	static const char *const ways[] = {
		"({}).constructor.constructor('return typeof process + typeof require')()",
		"Function`return typeof process + typeof require```",
		"Reflect.construct(Function, ['return typeof process + typeof require'])()",
		"(() => {}).constructor('return typeof process + typeof require')()",
		"new Proxy(Function, {}).constructor('return typeof process + typeof require')()",
		"(function* () {}).constructor('return yield typeof process + typeof require')().next().value",
		"eval('typeof process + typeof require')",
		"(0, eval)('typeof process + typeof require')",
		"Error.prepareStackTrace ? 'prepared' : typeof process + typeof require",
		"[][Symbol.species] === undefined ? typeof process + typeof require : 'species'",
		"({ get a() { return this.constructor.constructor('return typeof process + typeof require')() } }).a",
	};
	struct bench *b = bench_new((struct script_config){ 0 });
	char source[512];

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		(void)snprintf(source, sizeof(source), "item.r = %s", ways[i]);
		assert_gives(b, source, "{}", "{\"r\":\"undefinedundefined\"}");
	}
	bench_run(b, "import('fs'); item.r = 1", "{}");
	assert_int_equal(b->got[0].error, SCRIPT_OK); /* a promise that nobody looks at, and that is rejected */
	assert_fails(b, "import fs from 'fs'", SCRIPT_SYNTAX, "");
	bench_free(b);
}

TEST(clocks_threads_and_collector_are_out_of_sight)
{
	struct bench *b = bench_new((struct script_config){ 0 });

	assert_gives(
	    b,
	    "item.t = [typeof WeakRef, typeof FinalizationRegistry, typeof Atomics, typeof SharedArrayBuffer, typeof "
	    "WebAssembly,"
	    " typeof performance, typeof setTimeout, typeof Temporal, typeof $vm].filter((t) => t !== 'undefined')",
	    "{}", "{\"t\":[]}");
	assert_gives(b,
		     "const d = Object.getOwnPropertyDescriptors(globalThis);"
		     "item.open = Reflect.ownKeys(d).filter((k) => d[k].configurable || d[k].writable).map(String)",
		     "{}", "{\"open\":[]}");
	bench_free(b);
}

WORKER_TESTS(CLAIM(items_of_one_run_share_no_state), CLAIM(runs_and_programs_share_no_state),
	     CLAIM(libraries_keep_state_within_a_run_only), CLAIM(more_realms_than_a_worker_keeps_are_served),
	     CLAIM(more_programs_than_a_worker_remembers_are_served), CLAIM(no_constructor_leads_to_a_host_object),
	     CLAIM(clocks_threads_and_collector_are_out_of_sight))
