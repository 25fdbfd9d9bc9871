/* SPDX-License-Identifier: Apache-2.0 */
/* Third-party JSON data: JSONTestSuite, JSON_checker, round trips, Markus Kuhn's UTF-8 lines. Skipped where it is not.
 */
#include "each_file.h"
#include "test.h"
#include "base/json.h"

/* Texts that RFC 8259 leaves to us and that we take; every other i_ file is refused. See src/base/README.md. */
static const char *const taken[] = {
	"i_number_double_huge_neg_exp.json",   "i_number_huge_exp.json",	  "i_number_neg_int_huge_exp.json",
	"i_number_pos_double_huge_exp.json",   "i_number_real_neg_overflow.json", "i_number_real_pos_overflow.json",
	"i_number_real_underflow.json",	       "i_number_too_big_neg_int.json",	  "i_number_too_big_pos_int.json",
	"i_number_very_big_negative_int.json",
};

static bool is_taken(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		if (strcmp(name, taken[i]) == 0)
			return true;
	return false;
}

/* The file in an allocation of exactly its size. */
static struct str read_file(const char *dir, const char *name)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot open %s", path);
	fseek(f, 0, SEEK_END);
	size_t n = (size_t)ftell(f);
	rewind(f);
	char *bytes = malloc(n + !n);
	assert_int_equal(fread(bytes, 1, n, f), n);
	fclose(f);
	return str_from(bytes, n);
}

/* Parse in both modes; both must agree. What is accepted must survive being written and parsed again. */
static bool accepts(struct str text, const char *name)
{
	bool ok = false;
	for (int mode = 0; mode < 2; mode++) {
		auto_arena struct arena a;
		auto_buf struct buf b;
		struct value v, again;
		struct json_error je = { .offset = SIZE_MAX };
		struct err e = ERR_INIT;
		arena_init(&a, 0);
		buf_init(&b, 1 << 20);
		struct json_options o = { .copy = mode, .duplicates = JSON_DUP_KEEP };
		int r = json_parse(&a, text, &o, &v, &je, &e);
		if (mode == 1 && ok != (r == 0))
			fail_msg("%s: borrowing and copying disagree", name);
		ok = r == 0;
		if (!ok) {
			if (je.offset > text.len || !strstr(e.msg, "invalid JSON at offset") ||
			    !str_is_utf8(str_c(e.msg), NULL))
				fail_msg("%s: %s", name, e.msg);
			continue;
		}
		assert_int_equal(json_write(&b, &v, mode ? JSON_PRETTY : JSON_COMPACT), 0);
		if (json_parse(&a, buf_str(&b), &o, &again, NULL, &e) < 0 || !value_eq(&v, &again))
			fail_msg("%s: does not survive writing: %s", name, e.msg);
	}
	return ok;
}

static void on_parsing(const char *dir, const char *name)
{
	struct str text = read_file(dir, name);
	bool expected = name[0] == 'y' || (name[0] == 'i' && is_taken(name));
	if (accepts(text, name) != expected)
		fail_msg("%s should be %s", name, expected ? "accepted" : "refused");
	free((char *)text.ptr);
}

TEST(json_test_suite_is_passed_whole)
{
	char dir[PATH_MAX];
	int n = each_file("json-testsuite/test_parsing", dir, on_parsing);
	if (n == 0)
		test_skip_suite("json-testsuite");
	print_message("%d files\n", n);
	assert_true(n >= 300);
}

/* Transformations: what is accepted is written as it stood, numbers to the byte. */
static void on_transform(const char *dir, const char *name)
{
	struct str text = read_file(dir, name);
	bool is_refused = strstr(name, "invalid_codepoint") != NULL;
	if (accepts(text, name) == is_refused)
		fail_msg("%s should be %s", name, is_refused ? "refused" : "accepted");
	if (strncmp(name, "number_", 7) == 0) {
		auto_arena struct arena a;
		auto_buf struct buf b;
		struct value v;
		arena_init(&a, 0);
		buf_init(&b, 1 << 20);
		assert_int_equal(json_parse(&a, text, NULL, &v, NULL, NULL), 0);
		assert_int_equal(json_write(&b, &v, JSON_COMPACT), 0);
		if (str_find(text, buf_str(&b)) != 0) /* the file may end in a line feed */
			fail_msg("%s: became %.*s", name, STR_ARG(buf_str(&b)));
	}
	free((char *)text.ptr);
}

TEST(transformations_keep_numbers_and_texts)
{
	char dir[PATH_MAX];
	if (each_file("json-testsuite/test_transform", dir, on_transform) == 0)
		test_skip_suite("json-testsuite");
}

static void on_checker(const char *dir, const char *name)
{
	struct str text = read_file(dir, name);
	/* JSON_checker is older than RFC 7159: 1 is a text at the top, 18 is twenty deep; both are fine today. */
	bool expected =
	    strncmp(name, "pass", 4) == 0 || strcmp(name, "fail1.json") == 0 || strcmp(name, "fail18.json") == 0;
	if (accepts(text, name) != expected)
		fail_msg("%s should be %s", name, expected ? "accepted" : "refused");
	free((char *)text.ptr);
}

TEST(json_checker_is_passed_but_for_what_became_lawful)
{
	char dir[PATH_MAX];
	if (each_file("json-extra/json_tests", dir, on_checker) == 0)
		test_skip_suite("json-extra");
}

static void on_roundtrip(const char *dir, const char *name)
{
	auto_arena struct arena a;
	auto_buf struct buf b;
	struct value v;
	struct str text = read_file(dir, name);
	arena_init(&a, 0);
	buf_init(&b, 1 << 20);
	assert_int_equal(json_parse(&a, text, NULL, &v, NULL, NULL), 0);
	assert_int_equal(json_write(&b, &v, JSON_COMPACT), 0);
	struct str rest = str_from(text.ptr + b.len, text.len - b.len);
	if (!str_starts(text, buf_str(&b)) || (rest.len > 0 && !str_eq(rest, STR("\n"))))
		fail_msg("%s: became %.*s", name, STR_ARG(buf_str(&b)));
	free((char *)text.ptr);
}

TEST(round_trips_are_byte_for_byte)
{
	char dir[PATH_MAX];
	if (each_file("json-extra/json_roundtrip", dir, on_roundtrip) == 0)
		test_skip_suite("json-extra");
}

static void on_regression(const char *dir, const char *name)
{
	struct str text = read_file(dir, name);
	if (!accepts(text, name)) /* "broken" was a reader that stopped at the end of the file, not the file */
		fail_msg("%s should be accepted", name);
	free((char *)text.ptr);
}

TEST(the_regression_files_are_read_to_their_end)
{
	char dir[PATH_MAX];
	if (each_file("json-extra/regression", dir, on_regression) == 0)
		test_skip_suite("json-extra");
}

static int lines_good, lines_bad;

/* Each line as a JSON string: the parser's scanner and str_is_utf8() must be of one opinion. */
static void on_utf8(const char *dir, const char *name)
{
	struct str text = read_file(dir, name), rest = text;
	while (rest.ptr) {
		auto_buf struct buf b;
		auto_arena struct arena a;
		struct value v;
		struct str line = str_split(&rest, '\n');
		arena_init(&a, 0);
		buf_init(&b, 1 << 20);
		json_write_string(&b, line);
		bool is_utf8 = str_is_utf8(line, NULL);
		lines_good += is_utf8;
		lines_bad += !is_utf8;
		if ((json_parse(&a, buf_str(&b), NULL, &v, NULL, NULL) == 0) != is_utf8)
			fail_msg("%.*s", STR_ARG(line));
	}
	free((char *)text.ptr);
}

TEST(malformed_utf8_lines_are_refused)
{
	char dir[PATH_MAX];
	if (each_file("json-extra/markus_kuhn", dir, on_utf8) == 0)
		test_skip_suite("json-extra");
	print_message("%d lines good, %d bad\n", lines_good, lines_bad);
	assert_true(lines_good > 150 && lines_bad > 60);
}

RUN_TESTS(CLAIM(json_test_suite_is_passed_whole), CLAIM(transformations_keep_numbers_and_texts),
	  CLAIM(json_checker_is_passed_but_for_what_became_lawful), CLAIM(round_trips_are_byte_for_byte),
	  CLAIM(the_regression_files_are_read_to_their_end), CLAIM(malformed_utf8_lines_are_refused))
