/* SPDX-License-Identifier: Apache-2.0 */
/* The patterns of match() and search(): I-Regexp (RFC 9485), and that no pattern takes more than linear time. */
#include "test.h"
#include "base/buf.h"
#include "base/jsonpath.h"

/* 1, 0, or the error's code. The pattern stands in the document, so that it needs no second escaping. */
static int found(const char *function, struct str pattern, struct str text)
{
	auto_arena struct arena a;
	struct value root = value_object(), list = value_array(), got;
	struct err e = ERR_INIT;
	arena_init(&a, 0);
	assert_int_equal(value_push(&a, &list, value_string(text)), 0);
	assert_int_equal(value_add(&a, &root, STR("p"), value_string(pattern)), 0);
	assert_int_equal(value_add(&a, &root, STR("t"), list), 0);
	struct jsonpath *path = jsonpath_compile(&a, str_c(arena_printf(&a, "$.t[?%s(@, $.p)]", function)), &e);
	if (!path)
		fail_msg("%s", e.msg);
	int r = jsonpath_select(path, &root, &a, &got, &e);
	return r < 0 ? r : (int)got.len;
}

static void all(const char *pattern, const char *text, bool expected)
{
	if (found("match", str_c(pattern), str_c(text)) != expected)
		fail_msg("match(\"%s\", \"%s\") should be %s", text, pattern, expected ? "true" : "false");
}

static void some(const char *pattern, const char *text, bool expected)
{
	if (found("search", str_c(pattern), str_c(text)) != expected)
		fail_msg("search(\"%s\", \"%s\") should be %s", text, pattern, expected ? "true" : "false");
}

struct row {
	const char *pattern, *yes[4], *no[4];
};

TEST(match_takes_the_whole_text)
{
	static const struct row rows[] = {
		{ "", { "" }, { "a" } },
		{ "abc", { "abc" }, { "ab", "abcd", "xabc" } },
		{ "a|bc|", { "a", "bc", "" }, { "ab", "abc" } },
		{ "a*", { "", "aaa" }, { "b", "ab" } },
		{ "a+b?", { "a", "aab" }, { "", "b", "abb" } },
		{ "(ab|c)*d", { "d", "abcabd" }, { "abc", "ad" } },
		{ "a{2}", { "aa" }, { "a", "aaa" } },
		{ "a{2,}", { "aa", "aaaaa" }, { "a" } },
		{ "a{1,3}", { "a", "aaa" }, { "", "aaaa" } },
		{ "a{0}b", { "b" }, { "ab" } },
		{ "(a{0}){1000}", { "" }, { "a" } },
		{ "(a|b{2}){2}", { "aa", "abb", "bbbb" }, { "ab", "bbb" } },
		{ "((a*)*)*b", { "b", "aab" }, { "a", "ba" } },
		{ "()*a", { "a" }, { "" } },
		{ "a.c",
		  { "abc",
		    "a\xF0\x9F\x98\x80"
		    "c",
		    "a\xE2\x80\xA8"
		    "c" },
		  { "a\nc", "a\rc", "ac" } },
		{ "[a-cx]", { "a", "c", "x" }, { "d", "", "ab" } },
		{ "[^a-c]", { "d", "\xC3\xA9" }, { "a", "" } },
		{ "[-a]", { "-", "a" }, { "b" } },
		{ "[a-]", { "-", "a" }, { "b" } },
		{ "[-]", { "-" }, { "a" } },
		{ "[\\]\\[\\-\\\\]", { "]", "[", "-", "\\" }, { "a" } },
		{ "[.$(*]", { ".", "$", "(", "*" }, { "a" } },
		{ "[\xC3\xA0-\xC3\xBF]", { "\xC3\xA9" }, { "e", "\xC3\x80" } },
		{ "\\.\\*\\n\\t", { ".*\n\t" }, { "a*\n\t" } },
		{ "\\p{Lu}\\p{Ll}*", { "Ab", "\xC3\x89t\xC3\xA9" }, { "ab", "AB" } },
		{ "\\p{L}+", { "aB\xE4\xB8\xAD" }, { "a1", "" } },
		{ "\\P{N}", { "a" }, { "1", "\xD9\xA1" } },
		{ "[\\p{Nd}_]+", { "1_2" }, { "1a" } },
		{ "[^\\p{L}]", { "1" }, { "a" } },
		{ "\\p{Cn}|\\p{Co}|\\p{Sc}", { "\xE2\x82\xAC", "\xEE\x80\x80" }, { "a" } },
		{ "^ab$", { "ab" }, { "xab", "abx", "^ab$" } },
		{ "(^|x)a", { "a", "xa" }, { "ya" } },
		{ "[$^]", { "$", "^" }, { "" } },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t k = 0; k < 4 && rows[i].yes[k]; k++)
			all(rows[i].pattern, rows[i].yes[k], true);
		for (size_t k = 0; k < 4 && rows[i].no[k]; k++)
			all(rows[i].pattern, rows[i].no[k], false);
	}
}

TEST(search_takes_any_part)
{
	some("b", "abc", true);
	some("", "", true);
	some("", "x", true);
	some("c$", "abc", true);
	some("b$", "abc", false);
	some("^b", "abc", false);
	some("^a", "abc", true);
	some("a.c", "xxabcxx", true);
	some("[0-9]{3}", "12 345", true);
	some("[0-9]{4}", "12 345", false);
	some("\xF0\x9F\x98\x80", "a\xF0\x9F\x98\x80", true);
}

TEST(nul_is_a_character)
{
	assert_int_equal(found("match", STR("a\0b"), STR("a\0b")), 1);
	assert_int_equal(found("match", STR("[\0]+"), STR("\0\0")), 1);
	assert_int_equal(found("match", STR("a\0b"), STR("a")), 0);
}

/* They match nothing, and a query in which one stands says why. */
TEST(what_is_no_i_regexp_matches_nothing_and_says_why)
{
	static const struct {
		const char *pattern, *told;
	} rows[] = {
		{ "\\d", "write [0-9]" },
		{ "\\w+", "[A-Za-z0-9_]" },
		{ "\\$", "write [$]" },
		{ "\\b", "no such escape" },
		{ "\\", "no such escape" },
		{ "a**", "one quantifier at a time" },
		{ "a+?", "one quantifier at a time" },
		{ "*a", "nothing to repeat" },
		{ "a|+", "nothing to repeat" },
		{ "(a", "\")\" is missing" },
		{ "a)", "without \"(\"" },
		{ "a]", "nothing was opened" },
		{ "(?:a)", "only plain groups" },
		{ "a{2", "counts are written" },
		{ "a{}", "counts are written" },
		{ "a{,2}", "counts are written" },
		{ "a{3,2}", "counts are written" },
		{ "[a", "\"]\" is missing" },
		{ "[]", "nothing in them" },
		{ "[^]", "nothing in them" },
		{ "[b-a]", "from the lower" },
		{ "[a-b-c]", "within brackets" },
		{ "[a-[b]]", "within brackets" },
		{ "\\p{Xx}", "no such category" },
		{ "\\p{Cs}", "no such category" },
		{ "\\p{IsGreek}", "no such category" },
		{ "\\pL", "write \\p{L}" },
		{ "\\p{", "no such category" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_arena struct arena a;
		auto_buf struct buf b;
		arena_init(&a, 0);
		buf_init(&b, 1000);
		all(rows[i].pattern, "a", false);
		all(rows[i].pattern, "1", false);
		buf_append_c(&b, "$[?match(@, '");
		for (const char *p = rows[i].pattern; *p; p++)
			buf_append_c(&b, *p == '\\' ? "\\\\" : (char[]){ *p, 0 });
		buf_append_c(&b, "')]");
		struct jsonpath *path = jsonpath_compile(&a, buf_str(&b), NULL);
		assert_non_null(path);
		struct str doubt = jsonpath_doubt(path);
		if (str_find(doubt, str_c(rows[i].told)) < 0)
			fail_msg("%s: \"%.*s\" should say \"%s\"", rows[i].pattern, STR_ARG(doubt), rows[i].told);
	}
	auto_arena struct arena a;
	arena_init(&a, 0);
	assert_null(jsonpath_doubt(jsonpath_compile(&a, STR("$[?match(@, 'a')]"), NULL)).ptr);
}

TEST(large_patterns_meet_a_limit)
{
	static const char *const rows[] = { "a{2001}", "(a{100}){100}", "((a{0}){9999}){9999}",
					    "(((){999}){999}){99999999999999999999}", "(a|b|c|d){1000}" };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(found("match", str_c(rows[i]), STR("a")), -ERR_LIMIT);
	char deep[200];
	memset(deep, '(', 100);
	memset(deep + 100, ')', 100);
	assert_int_equal(found("match", str_from(deep, sizeof(deep)), STR("a")), -ERR_LIMIT);
	static char wide[JSONPATH_QUERY_BYTES_MAX + 1];
	memset(wide, 'a', sizeof(wide));
	assert_int_equal(found("match", str_from(wide, sizeof(wide)), STR("a")), -ERR_LIMIT);
	assert_int_equal(found("match", STR("a{1990}"), str_from(wide, 1990)), 1);
	auto_arena struct arena a;
	struct err e = ERR_INIT;
	arena_init(&a, 0);
	assert_null(jsonpath_compile(&a, STR("$[?match(@, 'a{5000}')]"), &e)); /* already when it stands in the query */
	assert_int_equal(e.code, -ERR_LIMIT);
}

TEST(patterns_that_make_others_backtrack_for_ever_stay_linear)
{
	static char text[20000];
	memset(text, 'a', sizeof(text));
	struct str s = str_from(text, sizeof(text));
	assert_int_equal(found("match", STR("(a*)*b"), s), 0);
	assert_int_equal(found("match", STR("(a|a)*b"), s), 0);
	assert_int_equal(found("search", STR("(a+)+b"), s), 0);
	assert_int_equal(found("match", STR("(a?){25}a{25}"), str_from(text, 25)), 1);
	/* Many states, all alive over a long text: the steps run out before anybody's patience. */
	assert_int_equal(found("search", STR("(a?){900}b"), s), -ERR_LIMIT);
}

RUN_TESTS(CLAIM(match_takes_the_whole_text), CLAIM(search_takes_any_part), CLAIM(nul_is_a_character),
	  CLAIM(what_is_no_i_regexp_matches_nothing_and_says_why), CLAIM(large_patterns_meet_a_limit),
	  CLAIM(patterns_that_make_others_backtrack_for_ever_stay_linear))
