/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"
#include "base/opt.h"

struct settings {
	struct str system, note, secret;
	bool keep_order;
	int64_t in_flight, offset, least;
	msec_t timeout, pause;
	uint64_t max_body;
	int wait;
	const struct value *mapping;
};

static const char *const waits[] = { "each", "all", "detached", NULL };

static const struct opt rows[] = {
	OPT_STRING(struct settings, system, OPT_REQUIRED, NULL, 1, 12, "Which system to call."),
	OPT_STRING(struct settings, note, OPT_EXPR, "none", 0, 5, "A remark."),
	OPT_STRING(struct settings, secret, OPT_SECRET, NULL, 4, 8, "Never shown."),
	OPT_BOOL(struct settings, keep_order, "true", "Keep the order of items."),
	OPT_INT(struct settings, in_flight, "16", 1, 1000, "Calls at once."),
	OPT_INT(struct settings, offset, NULL, -10, 0, "May be negative."),
	OPT_INT(struct settings, least, "5", 2, 0, "No most."),
	OPT_DURATION(struct settings, timeout, "30s", 1, 86400000, "How long to wait."),
	OPT_DURATION(struct settings, pause, NULL, 0, 0, "Any."),
	OPT_SIZE(struct settings, max_body, "10MiB", 1024, 1 << 30, "Largest body."),
	OPT_ENUM(struct settings, wait, "all", waits, "What to wait for."),
	OPT_VALUE(struct settings, mapping, OPT_MAPPING, "{\"type\":\"object\"}", "Where values come from."),
	OPT_END,
};

static const char *const also[] = { "name", "kind", NULL };

static void note(void *arg, const struct value *at, struct str name, const char *sentence)
{
	buf_printf(arg, "%s%s", ((struct buf *)arg)->len ? "\n" : "", sentence);
	assert_non_null(at);
}

/* All complaints about `text`, one a line. */
static unsigned load(struct arena *a, const char *text, struct settings *s, struct buf *complaints)
{
	struct value v;
	struct err e = ERR_INIT;
	if (json_parse(a, str_c(text), NULL, &v, NULL, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	struct value *kept = ARENA_NEW(a, struct value);
	*kept = v;
	memset(s, 0x5a, sizeof(*s));
	return opt_load(rows, kept, also, s, note, complaints);
}

TEST(defaults_stand_where_nothing_is_said)
{
	auto_arena struct arena a;
	auto_buf struct buf b;
	struct settings s;
	arena_init(&a, 0);
	buf_init(&b, 10000);
	assert_int_equal(load(&a, "{\"system\":\"crm\",\"name\":\"x\",\"kind\":1,\"timeout\":null}", &s, &b), 0);
	assert_str(s.system, "crm");
	assert_str(s.note, "none");
	assert_null(s.secret.ptr);
	assert_true(s.keep_order);
	assert_int_equal(s.in_flight, 16);
	assert_int_equal(s.offset, 0);
	assert_int_equal(s.timeout, 30000);
	assert_int_equal(s.pause, 0);
	assert_int_equal(s.max_body, 10 << 20);
	assert_int_equal(s.wait, 1);
	assert_null(s.mapping);
}

TEST(what_is_said_is_taken)
{
	auto_arena struct arena a;
	auto_buf struct buf b;
	struct settings s;
	arena_init(&a, 0);
	buf_init(&b, 10000);
	assert_int_equal(
	    load(&a,
		 "{\"system\":\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\",\"note\":\"="
		 "a.long.expression\","
		 "\"secret\":\"hush\",\"keep_order\":false,\"in_flight\":1e3,\"offset\":-10,\"least\":99999999999,"
		 "\"timeout\":\"2h\","
		 "\"pause\":0,\"max_body\":\"1KiB\",\"wait\":\"detached\",\"mapping\":{\"a\":[]}}",
		 &s, &b),
	    0);
	assert_int_equal(s.system.len, 18);
	assert_str(s.note, "=a.long.expression");
	assert_str(s.secret, "hush");
	assert_false(s.keep_order);
	assert_int_equal(s.in_flight, 1000);
	assert_int_equal(s.offset, -10);
	assert_int_equal(s.least, 99999999999);
	assert_int_equal(s.timeout, 7200000);
	assert_int_equal(s.pause, 0);
	assert_int_equal(s.max_body, 1024);
	assert_int_equal(s.wait, 2);
	assert_int_equal(s.mapping->kind, VALUE_OBJECT);
}

TEST(each_mistake_has_its_sentence)
{
	static const struct {
		const char *text, *sentences;
	} cases[] = {
		{ "{}", "\"system\" is missing" },
		{ "{\"system\":null}", "\"system\" is missing" },
		{ "{\"system\":\"\"}", "\"system\" must not be empty" },
		{ "{\"system\":\"a\",\"systm\":1}", "unknown setting \"systm\"; did you mean \"system\"?" },
		{ "{\"system\":\"a\",\"nmae\":1}", "unknown setting \"nmae\"; did you mean \"name\"?" },
		{ "{\"system\":\"a\",\"In-Flight\":1}", "unknown setting \"In-Flight\"; did you mean \"in_flight\"?" },
		{ "{\"system\":\"a\",\"zzz\":1}", "unknown setting \"zzz\"" },
		{ "{\"system\":7}", "\"system\" must be a text; it is 7" },
		{ "{\"system\":[]}", "\"system\" must be a text; it is array" },
		{ "{\"system\":\"abcdefghijklm\"}", "\"system\" must be at most 12 characters long; it has 13" },
		{ "{\"system\":\"a\",\"secret\":\"abc\"}", "\"secret\" must be at least 4 characters long; it has 3" },
		{ "{\"system\":\"a\",\"secret\":12345}", "\"secret\" must be a text; it is number" },
		{ "{\"system\":\"a\",\"keep_order\":\"yes\"}", "\"keep_order\" must be true or false; it is \"yes\"" },
		{ "{\"system\":\"a\",\"in_flight\":0}", "\"in_flight\" must be between 1 and 1000; it is 0" },
		{ "{\"system\":\"a\",\"in_flight\":1001}", "\"in_flight\" must be between 1 and 1000; it is 1001" },
		{ "{\"system\":\"a\",\"in_flight\":1.5}", "\"in_flight\" must be a whole number; it is 1.5" },
		{ "{\"system\":\"a\",\"in_flight\":\"3\"}", "\"in_flight\" must be a whole number; it is \"3\"" },
		{ "{\"system\":\"a\",\"in_flight\":1e30}", "\"in_flight\" must be a smaller number; it is 1e30" },
		{ "{\"system\":\"a\",\"offset\":1}", "\"offset\" must be between -10 and 0; it is 1" },
		{ "{\"system\":\"a\",\"least\":1}", "\"least\" must be at least 2; it is 1" },
		{ "{\"system\":\"a\",\"timeout\":\"30\"}", "timeout \"30\" has no unit; write \"30s\"" },
		{ "{\"system\":\"a\",\"timeout\":30}", "timeout \"30\" has no unit; write \"30s\"" },
		{ "{\"system\":\"a\",\"timeout\":true}", "\"timeout\" must be a duration such as \"30s\"; it is true" },
		{ "{\"system\":\"a\",\"timeout\":\"0\"}", "\"timeout\" must be between 1ms and 1d; it is 0" },
		{ "{\"system\":\"a\",\"timeout\":\"25h\"}", "\"timeout\" must be between 1ms and 1d; it is 25h" },
		{ "{\"system\":\"a\",\"max_body\":\"2GiB\"}",
		  "\"max_body\" must be between 1KiB and 1GiB; it is 2GiB" },
		{ "{\"system\":\"a\",\"max_body\":\"1500B\",\"max_body\":10}",
		  "max_body \"10\" has no unit; write \"10MiB\"" },
		{ "{\"system\":\"a\",\"wait\":\"al\"}",
		  "\"wait\" must be one of \"each\", \"all\", \"detached\"; it is \"al\"; did you mean \"all\"?" },
		{ "{\"system\":\"a\",\"wait\":1}", "\"wait\" must be one of \"each\", \"all\", \"detached\"; it is 1" },
		{ "{\"in_flight\":0,\"wiat\":1}",
		  "\"in_flight\" must be between 1 and 1000; it is 0\n"
		  "unknown setting \"wiat\"; did you mean \"wait\"?\n\"system\" is missing" },
		{ "[1]", "settings must be an object; this is array" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_arena struct arena a;
		auto_buf struct buf b;
		struct settings s;
		arena_init(&a, 0);
		buf_init(&b, 10000);
		assert_int_not_equal(load(&a, cases[i].text, &s, &b), 0);
		assert_str(buf_str(&b), cases[i].sentences);
		/* What was refused left the default. */
		assert_int_equal(s.in_flight, 16);
		assert_int_equal(s.timeout, 30000);
		assert_int_equal(s.wait, 1);
	}
}

TEST(complaints_may_go_nowhere)
{
	struct settings s;
	struct value v = value_object();
	assert_int_equal(opt_load(rows, &v, NULL, &s, NULL, NULL), 1);
	assert_int_equal(opt_load(rows, NULL, NULL, &s, NULL, NULL), 1);
}

TEST(rows_describe_themselves_as_json_schema)
{
	auto_arena struct arena a;
	auto_buf struct buf b;
	struct value v;
	arena_init(&a, 0);
	buf_init(&b, 10000);
	assert_int_equal(opt_schema(rows, &a, &v), 0);
	json_write(&b, &v, JSON_COMPACT);
	assert_str(
	    buf_str(&b),
	    "{\"type\":\"object\",\"properties\":{"
	    "\"system\":{\"type\":\"string\",\"description\":\"Which system to "
	    "call.\",\"minLength\":1,\"maxLength\":12},"
	    "\"note\":{\"type\":\"string\",\"description\":\"A "
	    "remark.\",\"maxLength\":5,\"default\":\"none\",\"x-expression\":true},"
	    "\"secret\":{\"type\":\"string\",\"description\":\"Never "
	    "shown.\",\"minLength\":4,\"maxLength\":8,\"writeOnly\":true},"
	    "\"keep_order\":{\"type\":\"boolean\",\"description\":\"Keep the order of items.\",\"default\":true},"
	    "\"in_flight\":{\"type\":\"integer\",\"description\":\"Calls at "
	    "once.\",\"minimum\":1,\"maximum\":1000,\"default\":16},"
	    "\"offset\":{\"type\":\"integer\",\"description\":\"May be negative.\",\"minimum\":-10,\"maximum\":0},"
	    "\"least\":{\"type\":\"integer\",\"description\":\"No most.\",\"minimum\":2,\"default\":5},"
	    "\"timeout\":{\"type\":\"string\",\"description\":\"How long to "
	    "wait.\",\"pattern\":\"^(0|[0-9]+(ms|s|m|h|d))$\","
	    "\"x-unit\":\"duration\",\"x-minimum\":\"1ms\",\"x-maximum\":\"1d\",\"default\":\"30s\"},"
	    "\"pause\":{\"type\":\"string\",\"description\":\"Any.\",\"pattern\":\"^(0|[0-9]+(ms|s|m|h|d))$\",\"x-"
	    "unit\":\"duration\"},"
	    "\"max_body\":{\"type\":\"string\",\"description\":\"Largest body.\","
	    "\"pattern\":\"^(0|[0-9]+([kKMGT]?B|[KMGT]iB))$\",\"x-unit\":\"size\",\"x-minimum\":\"1KiB\","
	    "\"x-maximum\":\"1GiB\",\"default\":\"10MiB\"},"
	    "\"wait\":{\"type\":\"string\",\"description\":\"What to wait "
	    "for.\",\"enum\":[\"each\",\"all\",\"detached\"],\"default\":\"all\"},"
	    "\"mapping\":{\"type\":\"object\",\"description\":\"Where values come from.\",\"x-mapping\":true}},"
	    "\"required\":[\"system\"],\"additionalProperties\":false}");
}

TEST(the_nearest_name_is_near)
{
	static const char *const names[] = { "query_path", "system", "ok", "method_name", "get_action_model" };
	static const struct {
		const char *wrong, *near;
	} cases[] = {
		{ "system", "system" },
		{ "SYSTEM", "system" },
		{ "sytsem", "system" },
		{ "systems", "system" },
		{ "method", NULL },
		{ "methodname", "method_name" },
		{ "querypath", "query_path" },
		{ "k", NULL },
		{ "", NULL },
		{ "something else entirely", NULL },
		{ "get-action-modle", "get_action_model" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *near = opt_nearest(str_c(cases[i].wrong), names, ARRAY_LEN(names));
		if (!near != !cases[i].near || (near && strcmp(near, cases[i].near) != 0))
			fail_msg("\"%s\" gave %s", cases[i].wrong, near ? near : "nothing");
	}
	char long_name[200];
	memset(long_name, 'x', sizeof(long_name));
	assert_null(opt_nearest(str_from(long_name, sizeof(long_name)), names, ARRAY_LEN(names)));
}

RUN_TESTS(CLAIM(defaults_stand_where_nothing_is_said), CLAIM(what_is_said_is_taken),
	  CLAIM(each_mistake_has_its_sentence), CLAIM(complaints_may_go_nowhere),
	  CLAIM(rows_describe_themselves_as_json_schema), CLAIM(the_nearest_name_is_near))
