/* SPDX-License-Identifier: Apache-2.0 */
#include "cassette/cassette.h"
#include "base/auto.h"
#include "base/json.h"
#include "test.h"

#define HEAD                                                                                                           \
	"{\"weir_cassette\":1,\"component\":\"a\",\"dataflow\":\"b\",\"env\":\"\",\"now\":1,\"run\":1,\"seed\":2}\n"
#define INPUT "{\"item\":0,\"input\":{\"mail\":\"ann@example.com\",\"age\":41}}\n"
#define CALL(body)                                                                                                     \
	"{\"item\":0,\"step\":\"c\",\"attempt\":1,\"request\":{\"method\":\"POST\",\"url\":\"http://h/"                \
	"\",\"headers\":[[\"X-A\",\"b\"]],\"body\":" body "},\"answer\":{\"status\":201,\"headers\":[[\"x-a\",\"b\"]]" \
	",\"body\":{\"json\":{\"mail\":\"ann@example.com\"}}}}\n"

static void tape(struct cassette *c, const char *text)
{
	struct err e = ERR_INIT;
	cassette_init(c);
	if (cassette_read(c, str_c(text), &e) < 0)
		fail_msg("%s", e.msg);
}

struct seen {
	unsigned counts[CASSETTE_GONE + 1];
};

static void on_finding(void *arg, const struct cassette_finding *f)
{
	struct seen *s = arg;
	s->counts[f->verdict]++;
}

static struct seen compared(const char *recorded, const char *now, bool is_strict)
{
	struct cassette x, y;
	struct seen s = { 0 };
	tape(&x, recorded);
	tape(&y, now);
	(void)cassette_compare(&x, &y, is_strict, on_finding, &s);
	cassette_done(&x);
	cassette_done(&y);
	return s;
}

static void members_turn_only_where_it_is_not_strict(void **state)
{
	const char *x = HEAD INPUT CALL("{\"json\":{\"a\":1,\"b\":2}}"),
		   *y = HEAD INPUT CALL("{\"json\":{\"b\":2,\"a\":1}}");
	assert_int_equal(compared(x, y, false).counts[CASSETTE_SAME], 1);
	assert_int_equal(compared(x, y, true).counts[CASSETTE_CHANGED], 1);
	assert_int_equal(compared(x, x, true).counts[CASSETTE_SAME], 1);
}

static void the_text_of_a_number_counts(void **state)
{
	assert_int_equal(
	    compared(HEAD INPUT CALL("{\"json\":{\"a\":1}}"), HEAD INPUT CALL("{\"json\":{\"a\":1.0}}"), false)
		.counts[CASSETTE_CHANGED],
	    1);
}

static void calls_come_and_go(void **state)
{
	assert_int_equal(compared(HEAD INPUT, HEAD INPUT CALL("null"), false).counts[CASSETTE_NEW], 1);
	assert_int_equal(compared(HEAD INPUT CALL("null"), HEAD INPUT, false).counts[CASSETTE_GONE], 1);
}

static void what_is_read_is_written_the_same_again(void **state)
{
	struct cassette c;
	auto_buf struct buf first = { .max = 1u << 20 }, second = { .max = 1u << 20 };
	tape(&c, HEAD INPUT CALL("{\"base64\":\"AP/+\"}"));
	assert_int_equal(cassette_write(&c, &first), 0);
	cassette_done(&c);
	(void)buf_append_char(&first, '\0');
	tape(&c, first.ptr);
	assert_int_equal(cassette_write(&c, &second), 0);
	cassette_done(&c);
	(void)buf_append_char(&second, '\0');
	assert_string_equal(first.ptr, second.ptr);
	assert_non_null(strstr(first.ptr, "{\"answer\":{\"body\":"));
}

static void redaction_takes_values_and_keeps_kinds(void **state)
{
	struct cassette c;
	struct err e = ERR_INIT;
	auto_buf struct buf b = { .max = 1u << 20 };
	tape(&c, HEAD INPUT CALL("null"));
	(void)value_push(&c.arena, &c.redact, value_string(STR("$..mail")));
	(void)value_push(&c.arena, &c.redact, value_string(STR("$.age")));
	(void)value_push(&c.arena, &c.redact, value_string(STR("X-a")));
	assert_int_equal(cassette_redact(&c, &e), 0);
	assert_int_equal(cassette_write(&c, &b), 0);
	(void)buf_append_char(&b, '\0');
	assert_null(strstr(b.ptr, "ann@"));
	assert_non_null(strstr(b.ptr, "{\"mail\":\"***\",\"age\":0}"));
	assert_non_null(strstr(b.ptr, "[\"X-A\",\"***\"]"));
	assert_non_null(strstr(b.ptr, "[\"x-a\",\"***\"]"));
	cassette_done(&c);
}

static void what_a_person_has_said_is_kept_and_redacted(void **state)
{
	struct cassette c;
	struct err e = ERR_INIT;
	auto_buf struct buf b = { .max = 1u << 20 };
	tape(&c,
	     HEAD INPUT "{\"item\":0,\"step\":\"c\",\"attempt\":1,\"request\":{\"method\":\"POST\",\"url\":\"http://h/"
			"\"},\"decision\":{\"result\":{\"mail\":\"ann@example.com\"},\"is\":\"done\"}}\n");
	(void)value_push(&c.arena, &c.redact, value_string(STR("$..mail")));
	assert_int_equal(cassette_redact(&c, &e), 0);
	assert_int_equal(cassette_write(&c, &b), 0);
	(void)buf_append_char(&b, '\0');
	assert_non_null(strstr(b.ptr, "\"decision\":{\"is\":\"done\",\"result\":{\"mail\":\"***\"}}"));
	cassette_done(&c);
}

static void redaction_refuses_a_path_that_is_none(void **state)
{
	struct cassette c;
	struct err e = ERR_INIT;
	tape(&c, HEAD INPUT);
	(void)value_push(&c.arena, &c.redact, value_string(STR("$[")));
	assert_true(cassette_redact(&c, &e) < 0);
	cassette_done(&c);
}

static void broken_lines_are_refused_with_their_number(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "", "empty" },
		{ HEAD "[]\n", "line 2" },
		{ HEAD INPUT INPUT, "two lines of input" },
		{ HEAD CALL("null"), "no line of input" },
		{ HEAD INPUT "{\"item\":0,\"entry\":{}}\n", "line 3: step" },
		{ HEAD INPUT "{\"item\":0,\"problem\":{},\"state\":\"sad\"}\n", "line 3: problem" },
		{ HEAD INPUT "{\"item\":0,\"step\":\"c\",\"attempt\":1,\"request\":{\"method\":\"GET\",\"url\":\"/"
			     "\"},\"decision\":{}}\n",
		  "line 3: decision" },
		{ HEAD INPUT "{\"item\":-1,\"output\":{}}\n", "line 3: item" },
		{ HEAD "{\"item\":0,\"input\":{},\"made_by\":\"c\"}\n", "line 2: parent" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cassette c;
		struct err e = ERR_INIT;
		cassette_init(&c);
		int code = cassette_read(&c, str_c(rows[i].text), &e);
		if (code >= 0 || !strstr(e.msg, rows[i].words))
			fail_msg("row %zu: %d %s", i, code, e.msg);
		cassette_done(&c);
	}
}

static void differences_are_told_by_pointer(void **state)
{
	auto_arena struct arena a = { 0 };
	auto_buf struct buf b = { .max = 1u << 16 };
	struct value x, y;
	arena_init(&a, 0);
	assert_int_equal(json_parse(&a, STR("{\"a\":[1,{\"b/c\":1.0}],\"d\":true}"), NULL, &x, NULL, NULL), 0);
	assert_int_equal(json_parse(&a, STR("{\"a\":[1,{\"b/c\":1}],\"e\":null}"), NULL, &y, NULL, NULL), 0);
	assert_int_equal(cassette_diff_write(&b, &x, &y, ""), 0);
	(void)buf_append_char(&b, '\0');
	assert_string_equal(
	    b.ptr, "/a/1/b~1c: recorded 1.0, now 1\n/d: recorded true, now nothing\n/e: recorded nothing, now null\n");
}

static struct cassette stepped(const char *first, const char *second)
{
	struct cassette c;
	const char *texts[] = { first, second };
	static const char *const names[] = { "one", "two" };
	cassette_init(&c);
	for (size_t i = 0; i < 2; i++) {
		struct cassette_line l = { .kind = CASSETTE_STEP, .step = str_c(names[i]), .v = value_object() };
		struct value v;
		assert_int_equal(json_parse(&c.arena, str_c(texts[i]), NULL, &v, NULL, NULL), 0);
		(void)value_set(&c.arena, &l.v, STR("step"), v);
		assert_non_null(cassette_add(&c, &l));
	}
	return c;
}

static void on_step_finding(void *arg, const struct cassette_finding *f)
{
	*(struct str *)arg = f->step;
}

static void the_first_step_that_gave_two_things_is_told(void **state)
{
	struct cassette x = stepped("{\"n\":1}", "{\"n\":1}"), y = stepped("{\"n\":1}", "{\"n\":2}"),
			z = stepped("{\"n\":3}", "{\"n\":2}");
	struct str step = STR_NULL;
	assert_int_equal(cassette_compare_steps(&x, &x, on_step_finding, &step), 0);
	assert_int_equal(cassette_compare_steps(&x, &y, on_step_finding, &step), 1);
	assert_true(str_eq_c(step, "two"));
	assert_int_equal(cassette_compare_steps(&x, &z, on_step_finding, &step), 1);
	assert_true(str_eq_c(step, "one"));
	cassette_done(&x);
	cassette_done(&y);
	cassette_done(&z);
}

static void an_update_takes_requests_and_leaves_answers(void **state)
{
	struct cassette x, y;
	auto_buf struct buf b = { .max = 1u << 20 };
	tape(&x, HEAD INPUT CALL("{\"json\":1}"));
	tape(&y, HEAD INPUT "{\"item\":0,\"step\":\"c\",\"attempt\":1,\"request\":{\"method\":\"GET\",\"url\":\"u\"}}"
			    "\n{\"item\":0,\"output\":{\"n\":7}}\n");
	assert_int_equal(cassette_update(&x, &y), 0);
	assert_int_equal(cassette_write(&x, &b), 0);
	(void)buf_append_char(&b, '\0');
	assert_non_null(strstr(b.ptr, "\"method\":\"GET\""));
	assert_non_null(strstr(b.ptr, "\"status\":201"));
	assert_non_null(strstr(b.ptr, "\"output\":{\"n\":7}"));
	cassette_done(&x);
	cassette_done(&y);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_turn_only_where_it_is_not_strict),
		cmocka_unit_test(the_text_of_a_number_counts),
		cmocka_unit_test(calls_come_and_go),
		cmocka_unit_test(what_is_read_is_written_the_same_again),
		cmocka_unit_test(redaction_takes_values_and_keeps_kinds),
		cmocka_unit_test(what_a_person_has_said_is_kept_and_redacted),
		cmocka_unit_test(redaction_refuses_a_path_that_is_none),
		cmocka_unit_test(broken_lines_are_refused_with_their_number),
		cmocka_unit_test(differences_are_told_by_pointer),
		cmocka_unit_test(the_first_step_that_gave_two_things_is_told),
		cmocka_unit_test(an_update_takes_requests_and_leaves_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
