/* SPDX-License-Identifier: Apache-2.0 */
/* Paths and mappings. */
#include "flow/expr.h"
#include "base/json.h"
#include "flow_test.h"

static struct arena arena;

static struct value json(const char *text)
{
	struct value v;
	struct err e = ERR_INIT;
	if (json_parse(&arena, str_c(text), NULL, &v, NULL, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	return v;
}

static const char *text_of(const struct value *v)
{
	static char text[4096];
	struct buf b;
	if (!v || v->kind == VALUE_ABSENT)
		return "absent";
	buf_init(&b, sizeof(text) - 1);
	assert_int_equal(json_write(&b, v, JSON_COMPACT), 0);
	(void)snprintf(text, sizeof(text), "%.*s", STR_ARG(buf_str(&b)));
	buf_done(&b);
	return text;
}

TEST(plain_paths_lead_to_values_or_to_nothing)
{
	static const char item[] =
	    "{\"data\":{\"city\":\"Paris\",\"n\":1.50,\"null\":null},\"_rows\":[{\"id\":7},{\"a b\":8,\"\":9}],"
	    "\"__proto__\":{\"x\":1},\"constructor\":2,\"$a\":3,\"é\":{\"0\":4},\"a.b\":5,\"length\":6}";
	static const struct {
		const char *path, *result; /* NULL = no plain path */
	} table[] = {
		{ "item.data.city", "\"Paris\"" },
		{ " item.data.n\n", "1.50" },
		{ "item.data.null", "null" },
		{ "item?.data?.city", "\"Paris\"" },
		{ "item[\"data\"]['city']", "\"Paris\"" },
		{ "item?.[\"data\"].city", "\"Paris\"" },
		{ "item._rows[0].id", "7" },
		{ "item._rows[1][\"a b\"]", "8" },
		{ "item._rows[1]['']", "9" },
		{ "item._rows[\"1\"]['']", "9" },
		{ "item._rows['01']", "absent" },
		{ "item._rows[2].id", "absent" },
		{ "item._rows[999999999]", "absent" },
		{ "item._rows.id", "absent" },
		{ "item.nothing.at.all", "absent" },
		{ "item.data.city.x", "absent" },
		{ "item.data.null.x", "absent" },
		{ "item.__proto__.x", "1" },
		{ "item.__proto__.toString", "absent" },
		{ "item.constructor", "2" },
		{ "item.toString", "absent" },
		{ "item.$a", "3" },
		{ "item['é'][0]", "4" },
		{ "item[\"a.b\"]", "5" },
		{ "item.data['length']", NULL },
		{ "item._rows.length", NULL },
		{ "item.é", NULL },
		{ "items.data", NULL },
		{ "data.city", NULL },
		{ "item.", NULL },
		{ "item..a", NULL },
		{ "item.a()", NULL },
		{ "item.a + 1", NULL },
		{ "item.data .city", NULL },
		{ "item[-1]", NULL },
		{ "item[01]", NULL },
		{ "item[1.5]", NULL },
		{ "item['a\\n']", NULL },
		{ "item['a", NULL },
		{ "item[\"a']", NULL },
		{ "item[]", NULL },
		{ "item[9999999999]", NULL },
		{ "item.1", NULL },
		{ "item?", NULL },
		{ "item?data", NULL },
		{ "", NULL },
	};
	arena_init(&arena, 0);
	struct value v = json(item);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct path *p = path_compile(&arena, str_c(table[i].path));
		const char *got = p ? text_of(path_get(p, &v)) : NULL;
		if (!got != !table[i].result || (got && strcmp(got, table[i].result) != 0))
			fail_msg("%s gives %s, wanted %s", table[i].path, got ? got : "no path",
				 table[i].result ? table[i].result : "no path");
	}
	struct path *whole = path_compile(&arena, STR("item"));
	assert_ptr_equal(path_get(whole, &v), &v);
	arena_done(&arena);
}

TEST(path_put_makes_objects_and_leaves_sharers_alone)
{
	static const struct {
		const char *item, *path, *result; /* NULL = refused */
	} table[] = {
		{ "{}", "_f", "{\"_f\":1}" },
		{ "{\"a\":0}", "a", "{\"a\":1}" },
		{ "{\"a\":{\"b\":2}}", "a.c", "{\"a\":{\"b\":2,\"c\":1}}" },
		{ "{}", "a.b.c", "{\"a\":{\"b\":{\"c\":1}}}" },
		{ "{\"a\":null}", "a.b", "{\"a\":{\"b\":1}}" },
		{ "{}", "__proto__.x", "{\"__proto__\":{\"x\":1}}" },
		{ "{\"a\":[1]}", "a.b", NULL },
		{ "{\"a\":\"x\"}", "a.b", NULL },
		{ "{}", "", NULL },
		{ "{}", "a..b", NULL },
		{ "{}", "a.", NULL },
		{ "{}", ".a", NULL },
		{ "[]", "a", NULL },
	};
	arena_init(&arena, 0);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct value item = json(table[i].item), shared = item;
		struct err e = ERR_INIT;
		int r = path_put(&arena, &item, str_c(table[i].path), json("1"), &e);
		if (r < 0 ? table[i].result != NULL : !table[i].result || strcmp(text_of(&item), table[i].result) != 0)
			fail_msg("%s at \"%s\": %s %s", table[i].item, table[i].path, text_of(&item), e.msg);
		if (r < 0)
			assert_int_equal(r, -ERR_INVALID);
		assert_string_equal(text_of(&shared), table[i].item);
	}
	arena_done(&arena);
}

TEST(mappings_give_what_they_say)
{
	static const char item[] = "{\"data\":{\"city\":\"Paris\",\"n\":1.50,\"none\":null},\"rows\":[1,2]}";
	static const struct {
		const char *mapping, *scripted, *result;
		size_t scripts;
	} table[] = {
		{ "\"plain\"", NULL, "\"plain\"", 0 },
		{ "\"=item.data.city\"", NULL, "\"Paris\"", 0 },
		{ "\"= item.data.city \"", NULL, "\"Paris\"", 0 },
		{ "\"==item\"", NULL, "\"=item\"", 0 },
		{ "\"==\"", NULL, "\"=\"", 0 },
		{ "\"=item.nothing\"", NULL, "absent", 0 },
		{ "{\"a\":\"=item.data.n\",\"b\":2,\"c\":\"=item.nothing\",\"d\":\"=item.data.none\"}", NULL,
		  "{\"a\":1.50,\"b\":2,\"d\":null}", 0 },
		{ "[\"=item.nothing\",\"=item.rows\",[[\"=item.rows[1]\"]]]", NULL, "[null,[1,2],[[2]]]", 0 },
		{ "{\"a\":[\"==x\",{\"b\":\"==y\"}],\"c\":true}", NULL, "{\"a\":[\"=x\",{\"b\":\"=y\"}],\"c\":true}",
		  0 },
		{ "{\"a\":\"=item.data.n+1\",\"b\":\"=1\",\"c\":\"=item.data.city\"}", "[2.5,null]",
		  "{\"a\":2.5,\"c\":\"Paris\"}", 2 },
		{ "\"=f(item)\"", "[null]", "absent", 1 },
		{ "[\"=f(item)\"]", "[null]", "[null]", 1 },
		{ "{}", NULL, "{}", 0 },
		{ "[]", NULL, "[]", 0 },
		{ "null", NULL, "null", 0 },
	};
	arena_init(&arena, 0);
	struct value v = json(item);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct err e = ERR_INIT;
		struct value source = json(table[i].mapping), scripted, result;
		struct mapping *m = mapping_compile(&arena, &source, &e);
		if (!m)
			fail_msg("%s: %s", table[i].mapping, e.msg);
		assert_int_equal(mapping_scripts(m), table[i].scripts);
		if (table[i].scripted)
			scripted = json(table[i].scripted);
		assert_int_equal(mapping_eval(m, &arena, &v, table[i].scripted ? &scripted : NULL, &result, &e), 0);
		if (strcmp(text_of(&result), table[i].result) != 0)
			fail_msg("%s gives %s, wanted %s", table[i].mapping, text_of(&result), table[i].result);
		assert_string_equal(text_of(&source), table[i].mapping);
	}
	arena_done(&arena);
}

TEST(literals_are_shared_not_copied)
{
	struct err e = ERR_INIT;
	arena_init(&arena, 0);
	struct value source = json("{\"a\":[1,2,{\"b\":\"c\"}]}"), none = value_object(), result;
	struct mapping *m = mapping_compile(&arena, &source, &e);
	assert_true(mapping_is_literal(m));
	assert_int_equal(mapping_eval(m, &arena, &none, NULL, &result, &e), 0);
	assert_ptr_equal(result.members, source.members);
	source = json("[\"=item\"]");
	assert_false(mapping_is_literal(mapping_compile(&arena, &source, &e)));
	arena_done(&arena);
}

TEST(bad_mappings_are_refused_in_words)
{
	struct err e = ERR_INIT;
	arena_init(&arena, 0);
	struct value empty = json("{\"a\":{\"b\":\"= \"}}");
	assert_null(mapping_compile(&arena, &empty, &e));
	assert_string_equal(
	    e.msg,
	    "\"a\": \"b\": nothing stands behind the \"=\"; write an expression such as =item.data.city, or == for the "
	    "text \"=\"");
	struct value many = value_array();
	for (int i = 0; i <= MAPPING_SCRIPTS_MAX; i++)
		assert_int_equal(value_push(&arena, &many, value_string(STR("=f()"))), 0);
	assert_null(mapping_compile(&arena, &many, &e));
	assert_int_equal(e.code, -ERR_LIMIT);
	struct value one = json("[\"=f()\"]"), item = value_object(), result;
	struct mapping *m = mapping_compile(&arena, &one, &e);
	assert_int_equal(mapping_eval(m, &arena, &item, NULL, &result, &e), -ERR_STATE);
	assert_str(mapping_script(m, 0), "f()");
	assert_null(mapping_script(m, 1).ptr);
	arena_done(&arena);
}

RUN_TESTS(CLAIM(plain_paths_lead_to_values_or_to_nothing), CLAIM(path_put_makes_objects_and_leaves_sharers_alone),
	  CLAIM(mappings_give_what_they_say), CLAIM(literals_are_shared_not_copied),
	  CLAIM(bad_mappings_are_refused_in_words))
