/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts that do not stop, take all memory or kill their worker: they fail alone, and the run goes on. */
#include "pool_support.h"

#include <signal.h>
#include <sys/resource.h>

TEST(an_endless_loop_is_stopped)
{
	struct bench *b = bench_new((struct script_config){ .deadline = 1000 });

	assert_fails(b, "while (1) {}", SCRIPT_TIMEOUT, "");
	assert_fails(b, "try { while (1) {} } catch {} finally { item.a = 1 }", SCRIPT_TIMEOUT, "");
	assert_fails(b, "Promise.resolve().then(() => { while (1) {} })", SCRIPT_TIMEOUT, "");
	assert_fails(b, "throw { toString() { while (1) {} }, toJSON() { while (1) {} } }", SCRIPT_TIMEOUT, "");
	assert_fails(b, "return { toJSON() { while (1) {} } }", SCRIPT_TIMEOUT, "");
	assert_fails(b, "item.a = new Proxy([], { get() { while (1) {} } })", SCRIPT_TIMEOUT, "");
	bench_free(b);
}

TEST(native_code_that_does_not_return_is_killed)
{
	struct bench *b = bench_new((struct script_config){ .deadline = 1000 });

	/* killed as a rule; where the engine looks at its own limit in time it says so itself */
	assert_fails(b, "/^(a+)+$/.test('a'.repeat(40) + 'b')", SCRIPT_TIMEOUT, "");
	assert_gives(b, "item.a = 1", "{}", "{\"a\":1}");
	bench_free(b);
}

TEST(a_library_that_does_not_load_is_stopped)
{
	struct bench *b = bench_new((struct script_config){ .deadline = 1000 });
	const char *json = "{\"function\":\"f\"}";

	bench_run_all(b, SCRIPT_CALL, "while (1) {} function f() {}", &json, 1);
	assert_int_equal(b->got[0].error, SCRIPT_TIMEOUT);
	bench_run_all(b, SCRIPT_CALL, "throw new Error('mine'); function f() {}", &json, 1);
	assert_int_equal(b->got[0].error, SCRIPT_THREW);
	assert_non_null(strstr(b->got[0].detail, "mine"));
	bench_free(b);
}

TEST(a_memory_bomb_fails_and_the_server_stays_small)
{
	struct bench *b = bench_new((struct script_config){ .deadline = 20000 });
	static const char *const bombs[] = {
		"const a = []; for (;;) a.push(new Array(1e6).fill(1.5))",
		"const a = []; for (;;) a.push({ x: { y: { z: a.length } } })",
		"let s = 'abc'; const a = []; for (;;) { s += s + a.length; a.push(s.split('')) }",
		"const a = []; for (;;) a.push(new Uint8Array(1 << 20).fill(1))",
		"const m = new Map(); for (let i = 0;; i++) m.set('k' + i, [i])",
	};
	struct rusage before, after;

	assert_gives(b, "", "{}", "{}");
	(void)getrusage(RUSAGE_SELF, &before);
	for (size_t i = 0; i < ARRAY_LEN(bombs); i++)
		assert_fails(b, bombs[i], SCRIPT_NO_MEMORY_JS, "");
	(void)getrusage(RUSAGE_SELF, &after);
	assert_true(after.ru_maxrss - before.ru_maxrss < 32 << 10); /* KiB */
	assert_gives(b, "item.a = 1", "{}", "{\"a\":1}");
	bench_free(b);
}

TEST(endless_recursion_is_an_error_of_the_script)
{
	struct bench *b = bench_new((struct script_config){ 0 });

	assert_fails(b, "(function f() { f() })()", SCRIPT_THREW, "call stack");
	assert_fails(b, "let n = 1e7; const f = () => n-- && 1 + f(); f()", SCRIPT_THREW, "call stack");
	bench_free(b);
}

TEST(an_item_that_kills_its_worker_fails_alone)
{
	struct bench *b = bench_new((struct script_config){ .deadline = 1000 });
	const char *json[10];
	char room[10][32], expected[48];

	for (int i = 0; i < 10; i++) {
		(void)snprintf(room[i], sizeof(room[i]), "{\"n\":%d}", i);
		json[i] = room[i];
	}
	bench_run_all(b, SCRIPT_ITEM,
		      "if (item.n === 4 || item.n === 7) /^(a+)+$/.test('a'.repeat(40) + 'b'); item.ok = true", json,
		      10);
	for (int i = 0; i < 10; i++) {
		(void)snprintf(expected, sizeof(expected), "{\"n\":%d,\"ok\":true}", i);
		if (i == 4 || i == 7)
			assert_int_equal(b->got[i].error, SCRIPT_TIMEOUT);
		else if (b->got[i].error)
			fail_msg("item %d: %s", i, b->got[i].detail);
		else
			assert_string_equal(b->got[i].json, expected);
	}
	bench_free(b);
}

TEST(slow_items_within_their_deadline_are_not_killed)
{
	struct bench *b = bench_new((struct script_config){ .deadline = 4000 });
	const char *json[30];

	for (size_t i = 0; i < 30; i++)
		json[i] = "{}";
	bench_run_all(b, SCRIPT_ITEM, "let s = 0; for (let i = 0; i < 1e7; i++) s += i * i; item.s = s > 0", json, 30);
	for (size_t i = 0; i < 30; i++)
		assert_int_equal(b->got[i].error, SCRIPT_OK);
	bench_free(b);
}

WORKER_TESTS(CLAIM(an_endless_loop_is_stopped), CLAIM(native_code_that_does_not_return_is_killed),
	     CLAIM(a_library_that_does_not_load_is_stopped), CLAIM(a_memory_bomb_fails_and_the_server_stays_small),
	     CLAIM(endless_recursion_is_an_error_of_the_script), CLAIM(an_item_that_kills_its_worker_fails_alone),
	     CLAIM(slow_items_within_their_deadline_are_not_killed))
