/* SPDX-License-Identifier: Apache-2.0 */
/* Input against the model, type by type. */
#include "base/json.h"
#include "flow_test.h"

static char said[4096];

static void on_complaint(void *arg, struct str field, const char *sentence)
{
	size_t used = strlen(said);
	(void)snprintf(said + used, sizeof(said) - used, "%s%s", used ? "; " : "", sentence);
}

static struct component *model_of(const char *rows)
{
	char text[4096];
	struct complaints c;
	complaints_init(&c);
	(void)snprintf(text, sizeof(text), "weir: 1\ncomponent: shop\nmodel: [%s]\n", rows);
	struct component *k = component_of(text, &test_env, &c);
	if (!k)
		fail_msg("%s: %s", rows, complaint_line(&c, 0));
	complaints_done(&c);
	return k;
}

struct row {
	const char *field, *data;
	unsigned flags;
	const char *result, *complaint; /* one of them */
};

static void check_row(const struct row *t)
{
	char rows[512];
	struct arena a;
	struct value data, out;
	struct buf b;
	(void)snprintf(rows, sizeof(rows), "{ name: f, %s }", t->field);
	struct component *k = model_of(rows);
	arena_init(&a, 0);
	buf_init(&b, 65536);
	assert_int_equal(json_parse(&a, str_c(t->data), NULL, &data, NULL, NULL), 0);
	said[0] = '\0';
	unsigned n = model_check(k, &data, t->flags, &a, &out, on_complaint, NULL);
	if (t->complaint && (n != 1 || !strstr(said, t->complaint)))
		fail_msg("%s %s: %u: %s\nwanted %s", rows, t->data, n, said, t->complaint);
	if (!t->complaint) {
		assert_int_equal(json_write(&b, &out, JSON_COMPACT), 0);
		if (n || !str_eq_c(buf_str(&b), t->result))
			fail_msg("%s %s: %s %.*s, wanted %s", rows, t->data, said, STR_ARG(buf_str(&b)), t->result);
	}
	buf_done(&b);
	arena_done(&a);
	component_unref(k);
}

#define FILE_ID_REST "7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define FILE_ID "ba" FILE_ID_REST
#define GOOD(field, json)                                                                                              \
	{                                                                                                              \
		field, "{\"f\":" json "}", 0, "{\"f\":" json "}", NULL                                                 \
	}
#define BAD(field, json, text)                                                                                         \
	{                                                                                                              \
		field, "{\"f\":" json "}", 0, NULL, text                                                               \
	}
#define FROM(field, json, out)                                                                                         \
	{                                                                                                              \
		field, "{\"f\":" json "}", MODEL_FROM_TEXT, "{\"f\":" out "}", NULL                                    \
	}
#define BAD_FROM(field, json, text)                                                                                    \
	{                                                                                                              \
		field, "{\"f\":" json "}", MODEL_FROM_TEXT, NULL, text                                                 \
	}

TEST(each_type_takes_its_own_and_says_what_it_wants)
{
	static const struct row table[] = {
		GOOD("type: string", "\"x\""),
		GOOD("type: string", "\"\""),
		GOOD("type: string", "null"),
		BAD("type: string", "1", "f must be a text; it is 1"),
		BAD("type: string", "[]", "f must be a text; it is a list"),
		GOOD("type: number", "0.1000"),
		GOOD("type: number", "1e400"),
		BAD("type: number", "\"1\"", "f must be a number, such as 12.5; it is \"1\""),
		GOOD("type: integer", "123456789012345678901234567890"),
		GOOD("type: integer", "-0"),
		GOOD("type: integer", "1.0"),
		GOOD("type: integer", "1e2"),
		BAD("type: integer", "1.5", "f must be a whole number; it is 1.5"),
		BAD("type: integer", "true", "it is true"),
		GOOD("type: boolean", "false"),
		BAD("type: boolean", "\"true\"", "f must be true or false; it is \"true\""),
		BAD("type: boolean", "0", "it is 0"),
		GOOD("type: array", "[1,\"a\",{}]"),
		BAD("type: array", "{}", "f must be a list; it is an object"),
		GOOD("type: file",
		     "{\"file\":\"" FILE_ID "\",\"name\":\"a\",\"media_type\":\"image/png\",\"bytes\":3}"),
		GOOD("type: file", "{\"file\":\"" FILE_ID "\"}"),
		GOOD("type: file", "{\"media_type\":\"image/png\",\"bytes\":3,\"base64\":\"YWJj\"}"),
		GOOD("type: file", "{\"text\":\"abc\",\"name\":\"a.txt\"}"),
		BAD("type: file", "\"" FILE_ID "\"", "f must be a file: { file, name, media_type, bytes }"),
		BAD("type: file", "{\"name\":\"a.txt\"}", "it is an object"),
		BAD("type: file", "{\"file\":\"../../etc/passwd\"}", "an id of 64 digits; it is an object"),
		BAD("type: file", "{\"file\":\"BA" FILE_ID_REST "\"}", "an id of 64 digits"),
		BAD("type: file", "{\"file\":\"" FILE_ID "0\"}", "an id of 64 digits"),
		BAD("type: file", "{\"file\":\"" FILE_ID "\",\"base64\":\"YWJj\"}", "a file"),
		BAD("type: file", "{\"file\":\"" FILE_ID "\",\"bytes\":-1}", "a file"),
		BAD("type: file", "{\"file\":\"" FILE_ID "\",\"bytes\":\"3\"}", "a file"),
		BAD("type: file", "{\"file\":\"" FILE_ID "\",\"name\":3}", "a file"),
		BAD("type: file", "{\"file\":\"" FILE_ID "\",\"path\":\"x\"}", "a file"),
		BAD("type: file", "{\"text\":\"abc\"}", "a file"),
		GOOD("type: date", "\"2024-02-29\""),
		GOOD("type: date", "\"2000-02-29\""),
		BAD("type: date", "\"2100-02-29\"", "f must be a date, such as 2026-11-23; it is \"2100-02-29\""),
		BAD("type: date", "\"2026-13-01\"", "a date"),
		BAD("type: date", "\"2026-00-01\"", "a date"),
		BAD("type: date", "\"2026-04-31\"", "a date"),
		BAD("type: date", "\"2026-4-30\"", "a date"),
		BAD("type: date", "\"2026-04-30T\"", "a date"),
		BAD("type: date", "20260430", "a date"),
		GOOD("type: time", "\"00:00\""),
		GOOD("type: time", "\"23:59:60\""),
		GOOD("type: time", "\"17:05:30.25+01:00\""),
		GOOD("type: time", "\"17:05Z\""),
		BAD("type: time", "\"24:00\"", "f must be a time, such as 17:05"),
		BAD("type: time", "\"7:05\"", "a time"),
		BAD("type: time", "\"17:05:\"", "a time"),
		BAD("type: time", "\"17:05:30.\"", "a time"),
		BAD("type: time", "\"17:05+1:00\"", "a time"),
		GOOD("type: datetime", "\"2026-11-23T17:05:00Z\""),
		GOOD("type: datetime", "\"2026-11-23t17:05:00.123456-11:30\""),
		GOOD("type: datetime", "\"2026-11-23 17:05:00z\""),
		BAD("type: datetime", "\"2026-11-23T17:05:00\"",
		    "f must be a date and time with offset, such as 2026-11-23T17:05:00Z"),
		BAD("type: datetime", "\"2026-11-23T17:05Z\"", "a date and time"),
		BAD("type: datetime", "\"2026-11-23\"", "a date and time"),
		BAD("type: datetime", "\"2026-02-30T17:05:00Z\"", "a date and time"),
		GOOD("type: uri", "\"https://example.org/a?b=c%20d#e\""),
		GOOD("type: uri", "\"mailto:a@b.c\""),
		GOOD("type: uri", "\"urn:x:y\""),
		GOOD("type: uri", "\"file:///etc\""),
		GOOD("type: uri", "\"https://exämple.org/é\""),
		BAD("type: uri", "\"example.org\"", "f must be a full address, such as https://example.org/"),
		BAD("type: uri", "\"/path\"", "a full address"),
		BAD("type: uri", "\"https://\"", "a full address"),
		BAD("type: uri", "\"https:///x\"", "a full address"),
		BAD("type: uri", "\"https://a b\"", "a full address"),
		BAD("type: uri", "\"https://a/%2\"", "a full address"),
		BAD("type: uri", "\"1a:b\"", "a full address"),
		BAD("type: uri", "\"a:\"", "a full address"),
		GOOD("type: catalog, enum: [s, l]", "\"l\""),
		BAD("type: catalog, enum: [s, l]", "\"m\"", "f must be one of \"s\", \"l\"; it is \"m\""),
		GOOD("type: catalog, enum: [{ value: s, title: Small }]", "\"s\""),
		GOOD("type: number, enum: [1.5, 2]", "2.0"),
		BAD("type: number, enum: [1.5, 2]", "3", "f must be one of 1.5, 2; it is 3"),
		GOOD("type: array, enum: [a, b]", "[\"b\",\"b\"]"),
		BAD("type: array, enum: [a, b]", "[\"b\",\"c\"]", "it is \"c\""),
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		check_row(&table[i]);
}

TEST(texts_become_what_the_field_is)
{
	static const struct row table[] = {
		FROM("type: number", "\"12.50\"", "12.50"),
		FROM("type: number", "\" 1e400 \"", "1e400"),
		BAD_FROM("type: number", "\"12,5\"", "f must be a number, such as 12.5; it is \"12,5\""),
		BAD_FROM("type: number", "\"+5\"", "a number"),
		FROM("type: integer", "\"12345678901234567890\"", "12345678901234567890"),
		BAD_FROM("type: integer", "\"1.5\"", "a whole number"),
		FROM("type: boolean", "\"true\"", "true"),
		FROM("type: boolean", "\"false\"", "false"),
		BAD_FROM("type: boolean", "\"yes\"", "f must be true or false; it is \"yes\""),
		FROM("type: string", "\" 12 \"", "\" 12 \""),
		FROM("type: date", "\" 2026-11-23\"", "\"2026-11-23\""),
		FROM("type: array", "\"[1, 2]\"", "[1,2]"),
		FROM("type: array", "\"a, b,,c\"", "[\"a\",\"b\",\"c\"]"),
		FROM("type: number", "7", "7"),
		{ "type: number", "{\"f\":\"\",\"g\":1}", MODEL_FROM_TEXT, "{\"g\":1}", NULL },
		{ "type: string", "{\"f\":\"\"}", MODEL_FROM_TEXT, "{\"f\":\"\"}", NULL },
		{ "'type': string, required: true", "{\"f\":\"\"}", MODEL_FROM_TEXT, NULL, "f is required" },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		check_row(&table[i]);
}

TEST(limits_are_said_in_words)
{
	static const struct row table[] = {
		BAD("type: integer, minimum: 1", "0", "f must be at least 1; it is 0"),
		BAD("type: number, maximum: 2.50", "3", "f must be at most 2.50; it is 3"),
		GOOD("type: number, minimum: 1, maximum: 2", "2"),
		BAD("type: string, min_length: 2", "\"é\"", "f must have at least 2 characters; it has 1"),
		GOOD("type: string, min_length: 2, max_length: 2", "\"é😀\""),
		BAD("type: string, max_length: 1", "\"ab\"", "f must have at most 1 character; it has 2"),
		BAD("type: array, max_length: 1", "[1,2]", "f must have at most 1 item; it has 2"),
		{ "type: string, required: true", "{}", 0, NULL, "f is required" },
		{ "type: string, required: true", "{\"f\":null}", 0, NULL, "f is required" },
		{ "type: string, required: true", "{\"f\":\"  \"}", 0, NULL, "f is required" },
		{ "type: string, required: true", "{}", MODEL_PARTIAL, "{}", NULL },
		{ "type: string, required: true", "{\"f\":\"\"}", MODEL_PARTIAL, NULL, "f is required" },
		{ "type: string", "{\"xyz\":1}", MODEL_ONLY_KNOWN, NULL, "\"xyz\" is no field of shop" },
		{ "type: string }, { name: temperature, type: string", "{\"temprature\":1}", MODEL_ONLY_KNOWN, NULL,
		  "did you mean temperature?" },
		{ "type: string", "{\"ff\":1}", 0, "{\"ff\":1}", NULL },
		{ "type: string", "[]", 0, NULL, "the data must be an object of fields; it is array" },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		check_row(&table[i]);
}

TEST(what_needs_no_change_is_shared)
{
	struct arena a;
	struct value data, out;
	arena_init(&a, 0);
	struct component *k = model_of("{ name: f, type: string }, { name: g, type: number }");
	assert_int_equal(json_parse(&a, STR("{\"f\":\"x\",\"g\":1}"), NULL, &data, NULL, NULL), 0);
	assert_int_equal(model_check(k, &data, 0, &a, &out, NULL, NULL), 0);
	assert_ptr_equal(out.members, data.members);
	assert_int_equal(json_parse(&a, STR("{\"f\":\"x\",\"g\":\"1\"}"), NULL, &data, NULL, NULL), 0);
	assert_int_equal(model_check(k, &data, MODEL_FROM_TEXT, &a, &out, NULL, NULL), 0);
	assert_int_equal(value_get_c(&data, "g")->kind, VALUE_STRING); /* the input is as it was */
	assert_int_equal(model_check(k, NULL, 0, &a, &out, NULL, NULL), 0);
	component_unref(k);
	arena_done(&a);
}

RUN_TESTS(CLAIM(each_type_takes_its_own_and_says_what_it_wants), CLAIM(texts_become_what_the_field_is),
	  CLAIM(limits_are_said_in_words), CLAIM(what_needs_no_change_is_shared))
