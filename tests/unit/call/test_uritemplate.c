/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URI templates (RFC 6570) through Weir's query paths: what a path knows, {name}, expands as the RFC says; all else is
 * refused when the spec is made, by the slot and with what to write. The cases are those of uritemplate-test.
 */
#include "call_test.h"
#include <limits.h>

#define BASE "https://h"

enum outcome { EXPANDS, REFUSED, DIFFERS };

/* Where Weir differs on purpose. */
static const struct difference {
	const char *template, *why;
	const char *told; /* NULL = it is taken, and so must the spec be; else what the request is refused with */
} differences[] = {
	{ "O{empty}X", "an empty value in a path is nearly always a value that is missing",
	  "an empty text is no part" },
	{ "O{undef}X", "a path without one of its values is another path", "is required and has no value" },
	{ "/{default-graph-uri}", "OpenAPI documents name slots with hyphens", NULL },
};

static const struct difference *difference_of(struct str template)
{
	for (size_t i = 0; i < ARRAY_LEN(differences); i++)
		if (str_eq_c(template, differences[i].template))
			return &differences[i];
	return NULL;
}

/* Written without the code under test: every expression is {name} of RFC 6570 level 1, and nothing is a query. */
static bool is_simple(struct str template)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	bool is_inside = false;
	size_t length = 0;
	for (size_t i = 0; i < template.len; i++) {
		char c = template.ptr[i];
		if (c == '{' || c == '}') {
			if (is_inside == (c == '{') || (c == '}' && length == 0))
				return false;
			is_inside = !is_inside;
			length = 0;
			continue;
		}
		if (is_inside ? !memchr(letters, c, sizeof(letters) - 1) : c == '?' || c == '#') {
			return false;
		}
		length++;
	}
	return !is_inside;
}

/* The template as a query path of an otherwise empty system, or NULL and what was told. */
static struct call_spec *spec_of_template(struct str template, struct heard *h)
{
	struct str path =
	    str_c(arena_printf(&arena, "%s%.*s", str_starts(template, STR("/")) ? "" : "/", STR_ARG(template)));
	h->text[0] = 0;
	return call_spec_new(&arena, json_new("{'base_url':'" BASE "','connectors':{'c':{}}}"), STR("crm"), STR("c"),
			     path, CALL_GET, STR_NULL, hear, h);
}

/* The rows of a mapping: each variable that the template names, as a path parameter. */
static struct value mapping_of(struct str template, const struct value *variables)
{
	struct value rows = value_object();
	for (uint32_t i = 0; i < variables->len; i++) {
		struct str name = variables->members[i].key;
		struct str slot = str_c(arena_printf(&arena, "{%.*s}", STR_ARG(name)));
		if (str_find(template, slot) >= 0)
			assert_int_equal(value_add(&arena, &rows, name, variables->members[i].value), 0);
	}
	return rows;
}

static bool is_expected(struct str url, struct str template, const struct value *expected)
{
	size_t skipped = strlen(BASE) + (str_starts(template, STR("/")) ? 0 : 1);
	struct str got = str_from(url.ptr + skipped, url.len - skipped);
	if (value_is(expected, VALUE_STRING))
		return str_eq(got, value_text(expected));
	for (uint32_t i = 0; i < expected->len; i++)
		if (str_eq(got, value_text(&expected->items[i])))
			return true;
	return false;
}

static enum outcome expands(struct str template, const struct value *variables, const struct value *expected)
{
	const struct difference *d = difference_of(template);
	struct heard h;
	struct call_request request;
	struct err e = ERR_INIT;
	struct call_spec *s = spec_of_template(template, &h);
	if (!s)
		fail_msg("%.*s is refused: %s", STR_ARG(template), h.text);
	struct value rows = mapping_of(template, variables);
	int r = call_request_build(s, NULL, &rows, STR_NULL, &arena, &request, &e);
	if (d && d->told) {
		if (r == 0 || !strstr(e.msg, d->told))
			fail_msg("%.*s should be refused with \"%s\" since %s: %s", STR_ARG(template), d->told, d->why,
				 e.msg);
		return DIFFERS;
	}
	if (r < 0)
		fail_msg("%.*s: %s", STR_ARG(template), e.msg);
	if (!d && !is_expected(request.url, template, expected))
		fail_msg("%.*s becomes %.*s", STR_ARG(template), STR_ARG(request.url));
	return d ? DIFFERS : EXPANDS;
}

/* The sentence names the place, quotes the path and says what to write. */
static enum outcome is_refused(struct str template)
{
	struct heard h;
	if (spec_of_template(template, &h))
		fail_msg("%.*s is taken as a query path", STR_ARG(template));
	assert_heard(h, "query_path: ");
	if (!strstr(h.text, "write ") && !strstr(h.text, "map query parameters by name") &&
	    !strstr(h.text, "is never sent") && !strstr(h.text, "a slot's name is of"))
		fail_msg("%.*s is refused without a cure: %s", STR_ARG(template), h.text);
	return REFUSED;
}

/* A file of the suite, or a null value. */
static struct value suite_file(const char *name)
{
	char path[PATH_MAX];
	struct value suite;
	struct err e = ERR_INIT;
	(void)snprintf(path, sizeof(path), "%s/uritemplate/%s.json", test_suites() ? test_suites() : "", name);
	FILE *f = test_suites() ? fopen(path, "rb") : NULL;
	if (!f)
		return value_null();
	fseek(f, 0, SEEK_END);
	size_t n = (size_t)ftell(f);
	rewind(f);
	char *bytes = arena_alloc(&arena, n);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, n, f), n);
	fclose(f);
	if (json_parse(&arena, str_from(bytes, n), NULL, &suite, NULL, &e) < 0)
		fail_msg("%s: %s", name, e.msg);
	return suite;
}

static void check_suite(const struct value *suite, unsigned *counts)
{
	for (uint32_t i = 0; i < suite->len; i++) {
		const struct value *group = &suite->members[i].value, *cases = value_get_c(group, "testcases");
		for (uint32_t k = 0; k < cases->len; k++) {
			struct str template = value_text(&cases->items[k].items[0]);
			bool is_ours = is_simple(template) || difference_of(template);
			counts[is_ours ? expands(template, value_get_c(group, "variables"), &cases->items[k].items[1])
				       : is_refused(template)]++;
		}
	}
}

TEST(each_case_of_the_suite_expands_or_is_refused)
{
	static const char *const files[] = { "spec-examples", "spec-examples-by-section", "extended-tests",
					     "negative-tests" };
	unsigned counts[3] = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct value suite = suite_file(files[i]);
		if (suite.kind == VALUE_NULL)
			test_skip_suite("uritemplate");
		check_suite(&suite, counts);
	}
	printf("uritemplate: %u expand as the RFC says, %u are refused, %u differ on purpose\n", counts[EXPANDS],
	       counts[REFUSED], counts[DIFFERS]);
	assert_int_equal(counts[EXPANDS] + counts[REFUSED] + counts[DIFFERS], 270);
	assert_int_equal(counts[DIFFERS], ARRAY_LEN(differences));
	assert_true(counts[EXPANDS] >= 20);
}

TEST(what_a_slot_cannot_be_is_told_with_its_cure)
{
	static const struct {
		const char *path, *told;
	} rows[] = {
		{ "/a/{+x}", "query path \"/a/{+x}\" has {+x}: write the name alone; a value is one path segment" },
		{ "/a{/x}", "has {/x}: write a slot for each segment, /{a}/{b}" },
		{ "/a/b{.x}", "has {.x}: write the name alone and declare the parameter with style: label" },
		{ "/a{;x,y}", "has {;x,y}: write the name alone and declare the parameter with style: matrix" },
		{ "/a{?x,y}", "has {?x,y}: leave it out and map query parameters by name" },
		{ "/a{&x}", "has {&x}: leave it out and map query parameters by name" },
		{ "/a{#x}", "has {#x}: leave it out; a fragment is never sent" },
		{ "/a/{x,y}", "has {x,y}: a slot has one name; write {a},{b}" },
		{ "/a/{x*}", "has {x*}: write the name alone and declare the parameter with explode: true" },
		{ "/a/{x:3}", "has {x:3}: write the name alone; a value is sent whole" },
		{ "/a/{x y}", "has {x y}: a slot's name is of letters" },
		{ "/a/{x.}", "has {x.}: a slot's name is of letters" },
		{ "/a/{x..y}", "has {x..y}: a slot's name is of letters" },
		{ "/a/{%2x}", "has {%2x}: a slot's name is of letters" },
		{ "/a/{x/y}", "has {x/y}: a slot's name is of letters" },
		{ "/a/{x}?b={y}", "a query path has no \"?\" or \"#\"" },
		{ "/a/{x}/{y", "do not match" },
		{ "/a/{x}/y}", "do not match" },
	};
	struct heard h;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (spec_of_template(str_c(rows[i].path), &h))
			fail_msg("%s is taken as a query path", rows[i].path);
		assert_heard(h, rows[i].told);
		if (strchr(strchr(h.text, '\n') + 1, '\n'))
			fail_msg("%s is told more than once: %s", rows[i].path, h.text);
	}
}

TEST(names_as_openapi_documents_write_them_are_slots)
{
	static const char *const paths[] = { "/{a}",
					     "/{a_b}/{c-d}",
					     "/{a.b}.json",
					     "/{a}{b}",
					     "/{Stra%C3%9Fe}",
					     ("/{stra\xc3\x9f" /* or the e would be a digit */
					      "e}"),
					     "/{42}:go",
					     "/a=({b})" };
	struct heard h;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (!spec_of_template(str_c(paths[i]), &h))
			fail_msg("%s is refused: %s", paths[i], h.text);
}

RUN_TESTS(CALL_CLAIM(each_case_of_the_suite_expands_or_is_refused),
	  CALL_CLAIM(what_a_slot_cannot_be_is_told_with_its_cure),
	  CALL_CLAIM(names_as_openapi_documents_write_them_are_slots))
