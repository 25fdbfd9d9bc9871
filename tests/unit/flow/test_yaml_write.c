/* SPDX-License-Identifier: Apache-2.0 */
/* What is written as YAML reads back as the same, whatever stands in the strings. */
#include "base/json.h"
#include "flow/doc.h"
#include "flow_test.h"

static void round_trip(const struct value *v)
{
	struct complaints c;
	struct buf b;
	complaints_init(&c);
	buf_init(&b, 8 << 20);
	assert_int_equal(yaml_write(&b, v), 0);
	struct doc *d = doc_parse("f.yaml", buf_str(&b), &c);
	if (!d)
		fail_msg("%s\n%.*s", complaint_line(&c, 0), STR_ARG(buf_str(&b)));
	if (!value_eq(doc_root(d), v))
		fail_msg("reads back otherwise:\n%.*s", STR_ARG(buf_str(&b)));
	doc_free(d);
	buf_done(&b);
	complaints_done(&c);
}

TEST(awkward_strings_survive)
{
	static const char *const table[] = {
		"",
		" ",
		"a",
		"a ",
		" a",
		"yes",
		"No",
		"on",
		"null",
		"~",
		"true",
		"1",
		"1.5",
		"-1",
		"+1",
		".5",
		"0x1F",
		"007",
		"1_000",
		"12:30",
		"2026-11-23",
		".inf",
		"=",
		"<<",
		"=item.a",
		"==",
		"a: b",
		"a:",
		":a",
		"a #b",
		"#a",
		"- a",
		"-",
		"--- a",
		"---",
		"...",
		"? a",
		"?",
		"[a]",
		"{a}",
		"a, b",
		"'a'",
		"\"a\"",
		"&a",
		"*a",
		"!a",
		"|",
		">",
		"%a",
		"@a",
		"`a",
		"a\nb",
		"a\nb\n",
		"a\nb\n\n",
		"\na",
		"\n",
		"\n\n",
		" a\nb",
		"a\n b\n",
		"a\n\n\nb",
		"a\n \nb",
		"a\n  ",
		"a\t\nb",
		"\ta\nb",
		"a\r\nb",
		"a\rb",
		"\x01\x1f\x7f",
		"é\nà\n",
		"\xC2\x85",
		"a\xC2\x85\nb",
		"\xE2\x80\xA8x\n",
		"\xEF\xBB\xBFx",
		"\xEF\xBF\xBEx",
		"\xF0\x9F\x98\x80",
		"\xF4\x8F\xBF\xBF",
		"a\\b",
		"\\",
		"# x\ny\n",
		"--- x\n---\n",
		"a\n...\n",
		"- x\n- y",
		"k: v\nl: w\n",
		"\xC2\xA0",
		"a\n#b",
		"http://x:80/?a=b#c",
	};
	struct arena a;
	arena_init(&a, 0);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct value s = value_string(str_c(table[i])), list = value_array(), object = value_object(),
			     outer = value_array();
		round_trip(&s);
		assert_int_equal(value_push(&a, &list, s), 0);
		assert_int_equal(value_push(&a, &list, s), 0);
		round_trip(&list);
		assert_int_equal(value_set(&a, &object, str_c(table[i]), s), 0);
		assert_int_equal(value_set(&a, &object, STR("zz"), list), 0);
		round_trip(&object);
		assert_int_equal(value_push(&a, &outer, object), 0);
		assert_int_equal(value_push(&a, &outer, list), 0);
		round_trip(&outer);
	}
	struct value nul = value_string(STR("a\0b\n"));
	round_trip(&nul);
	arena_done(&a);
}

TEST(containers_and_numbers_survive)
{
	static const char *const table[] = {
		"{}",
		"[]",
		"[[]]",
		"[{}]",
		"{\"a\":{}}",
		"{\"a\":[]}",
		"[[1,[2,[3]]],[[4]]]",
		"[{\"a\":[{\"b\":1},{\"c\":[{}]}]},{}]",
		"{\"a\":{\"b\":{\"c\":null}},\"d\":true}",
		"[0.1000,-0,1e400,12345678901234567890]",
		"null",
		"false",
		"{\"\":{\"\":[]}}",
	};
	struct arena a;
	arena_init(&a, 0);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct value v;
		assert_int_equal(json_parse(&a, str_c(table[i]), NULL, &v, NULL, NULL), 0);
		round_trip(&v);
	}
	char key[5000];
	memset(key, 'k', sizeof(key));
	struct value inner = value_object(), v = value_array();
	assert_int_equal(value_set(&a, &inner, str_from(key, sizeof(key)), value_null()), 0);
	assert_int_equal(value_set(&a, &inner, str_from(key, 2000), inner), 0);
	assert_int_equal(value_push(&a, &v, inner), 0);
	round_trip(&v);
	arena_done(&a);
}

TEST(random_values_survive)
{
	static const char *const bits[] = { "a", " ", "\n", ":", "#", "-", "\t", "'", "\"", "\\", "é",
					    "1", ".", "?",  "|", "{", "]", ",",	 "&", "=",  "\r" };
	uint64_t seed = 42;
	for (int round = 0; round < 3000; round++) {
		struct arena a;
		arena_init(&a, 0);
		struct value list = value_array();
		for (int i = 0; i < 4; i++) {
			char text[64] = "";
			for (int k = 0; k < 8; k++) {
				seed = seed * 6364136223846793005u + 1442695040888963407u;
				strcat(text, bits[(seed >> 33) % ARRAY_LEN(bits)]);
			}
			struct value s = value_string_copy(&a, str_c(text)), object = value_object();
			assert_int_equal(value_set(&a, &object, value_text(&s), s), 0);
			assert_int_equal(value_push(&a, &list, i % 2 ? s : object), 0);
		}
		round_trip(&list);
		arena_done(&a);
	}
}

TEST(it_reads_well)
{
	static const char json[] =
	    "{\"weir\":1,\"title\":{\"en\":\"A title\",\"no\":\"Nei\"},\"list\":[\"x\",{\"a\":1,\"b\":[]},[1,2]],"
	    "\"script\":\"let a = 1;\\nreturn "
	    "a;\\n\",\"path\":\"=item.data.city\",\"yes\":\"yes\",\"at\":\"2026-11-23\"}";
	static const char yaml[] =
	    "weir: 1\ntitle:\n  en: A title\n  \"no\": Nei\nlist:\n  - x\n  - a: 1\n    b: []\n  - - 1\n    - 2\n"
	    "script: |\n  let a = 1;\n  return a;\npath: =item.data.city\n\"yes\": \"yes\"\nat: \"2026-11-23\"\n";
	struct arena a;
	struct value v;
	struct buf b;
	arena_init(&a, 0);
	buf_init(&b, 1 << 20);
	assert_int_equal(json_parse(&a, str_c(json), NULL, &v, NULL, NULL), 0);
	assert_int_equal(yaml_write(&b, &v), 0);
	assert_str(buf_str(&b), yaml);
	buf_done(&b);
	arena_done(&a);
}

TEST(limits_hold)
{
	struct arena a;
	struct buf b;
	arena_init(&a, 0);
	struct value v = value_array();
	for (int i = 0; i < 100; i++) {
		struct value outer = value_array();
		assert_int_equal(value_push(&a, &outer, v), 0);
		v = outer;
	}
	buf_init(&b, 1 << 20);
	assert_int_equal(yaml_write(&b, &v), -ERR_LIMIT); /* 101 deep */
	buf_done(&b);
	buf_init(&b, 10);
	v = value_string(STR("longer than ten bytes"));
	assert_int_equal(yaml_write(&b, &v), -ERR_LIMIT);
	buf_done(&b);
	arena_done(&a);
}

RUN_TESTS(CLAIM(awkward_strings_survive), CLAIM(containers_and_numbers_survive), CLAIM(random_values_survive),
	  CLAIM(it_reads_well), CLAIM(limits_hold))
