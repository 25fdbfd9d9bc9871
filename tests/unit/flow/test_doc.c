/* SPDX-License-Identifier: Apache-2.0 */
/* Documents: what they mean, where their values stand, and what is refused with which words. */
#include "flow/doc.h"
#include "base/json.h"
#include "flow_test.h"

#include <time.h>
#include <unistd.h>

static struct doc *parse(const char *name, struct str text, struct complaints *c)
{
	complaints_init(c);
	return doc_parse(name, text, c);
}

static void check_json(const char *yaml, const char *json)
{
	struct complaints c;
	struct doc *d = parse("f.yaml", str_c(yaml), &c);
	if (!d)
		fail_msg("%s\n%s", yaml, complaint_line(&c, 0));
	struct buf b;
	buf_init(&b, 1 << 20);
	assert_int_equal(json_write(&b, doc_root(d), JSON_COMPACT), 0);
	if (!str_eq(buf_str(&b), str_c(json)))
		fail_msg("%s\ngives  %.*s\nwanted %s", yaml, STR_ARG(buf_str(&b)), json);
	buf_done(&b);
	doc_free(d);
	complaints_done(&c);
}

TEST(plain_words_mean_what_yaml_1_2_says)
{
	static const struct {
		const char *yaml, *json;
	} table[] = {
		{ "a: 1", "{\"a\":1}" },
		{ "a: -0.50", "{\"a\":-0.50}" },
		{ "a: 12345678901234567890.10", "{\"a\":12345678901234567890.10}" },
		{ "a: 1e400", "{\"a\":1e400}" },
		{ "a: [yes, no, on, off, y]", "{\"a\":[\"yes\",\"no\",\"on\",\"off\",\"y\"]}" },
		{ "a: [true, True, FALSE]", "{\"a\":[true,true,false]}" },
		{ "a: [null, ~, Null]\nb:\nc: \"\"", "{\"a\":[null,null,null],\"b\":null,\"c\":\"\"}" },
		{ "a: 2026-11-23", "{\"a\":\"2026-11-23\"}" },
		{ "a: 12:30:45", "{\"a\":\"12:30:45\"}" },
		{ "a: 1_000", "{\"a\":\"1_000\"}" },
		{ "a: 30s", "{\"a\":\"30s\"}" },
		{ "a: '1'\nb: !!str 2\nc: ! 3", "{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}" },
		{ "a: =item.data.city", "{\"a\":\"=item.data.city\"}" },
		{ "a: |\n  x\n   y\n\nb: >-\n  one\n  two\n", "{\"a\":\"x\\n y\\n\",\"b\":\"one two\"}" },
		{ "\xEF\xBB\xBF"
		  "a: é",
		  "{\"a\":\"é\"}" },
		{ "a: &x [1, &y 2]\nb: *x\nc: *y", "{\"a\":[1,2],\"b\":[1,2],\"c\":2}" },
		{ "a: &x 1\nb: &x 2\nc: *x", "{\"a\":1,\"b\":2,\"c\":2}" },
		{ "{\"a\": [1, {}, \"\\u00e9\"]}", "{\"a\":[1,{},\"é\"]}" },
		{ "%YAML 1.2\n---\na: 1\n...\n", "{\"a\":1}" },
		{ "a: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2}" },
		{ "\"<<\": 1", "{\"<<\":1}" },
		{ "\"1\": a\n? b\n: c", "{\"1\":\"a\",\"b\":\"c\"}" },
		{ "a:\t1", "{\"a\":1}" },
		{ "a: 'it''s '''' \"x\"'", "{\"a\":\"it's '' \\\"x\\\"\"}" },
		{ "a: 'one \n\n  two\t\r\n three '", "{\"a\":\"one\\ntwo three \"}" },
		{ "a: '''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''x'",
		  "{\"a\":\"'''''''''''''''''''''''''''''''x\"}" },
		{ "a: \"x\\\\\\\n  \\ y\\\n\n  z \\x41\\u00e9\\U0001F600\\ud83d\\ude00\\t\\/ \n  w\"",
		  "{\"a\":\"x\\\\ y\\nz A\u00e9\U0001F600\U0001F600\\t/ w\"}" },
		{ "{\"a\": 1}", "{\"a\":1}" },
		{ "? \"a\\\"b\"\n: 'c'\n", "{\"a\\\"b\":\"c\"}" },
		{ "just text", "\"just text\"" },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		check_json(table[i].yaml, table[i].json);
}

struct bad_file {
	const char *name, *text;
	unsigned line, column; /* 0 = any */
	const char *fragment;
};

static void check_refused(const struct bad_file *t, struct str text)
{
	struct complaints c;
	struct doc *d = parse(t->name, text, &c);
	if (d)
		fail_msg("accepted: %.*s", STR_ARG(str_clip(text, 80)));
	assert_int_equal(c.n, 1);
	if (!has_text(c.items[0].text, t->fragment) ||
	    (t->line && (c.items[0].line != t->line || c.items[0].column != t->column)))
		fail_msg("%.*s\nsays   %s\nwanted %u:%u %s", STR_ARG(str_clip(text, 80)), complaint_line(&c, 0),
			 t->line, t->column, t->fragment);
	complaints_done(&c);
}

TEST(what_is_no_document_is_refused_with_place_and_cure)
{
	static const struct bad_file table[] = {
		{ "f", "", 1, 1, "nothing is in it" },
		{ "f", "# only a comment\n", 1, 1, "nothing is in it" },
		{ "f", "a:\n\tb: 1\n", 2, 1, "a tab is used as indentation; YAML wants spaces" },
		{ "f", "a:\n  b: 1\n\tc: 2\n", 3, 0, "a tab is used as indentation; YAML wants spaces" },
		{ "f", "a: \"x\xff\"", 1, 6, "not UTF-8 (byte 5 of the file)" },
		{ "f", "a: 1\nb: \xc3", 2, 4, "not UTF-8 (byte 8" },
		{ "f", "a: \x07", 1, 4, "a control character" },
		{ "f", "a: 1\n---\nb: 2\n", 2, 1, "a second document" },
		{ "f", "a: 1\n...\nb: 2\n", 0, 0, "a second document" },
		{ "f", "a: 1\nb: 2\na: 3\n", 3, 1, "\"a\" stands here a second time (first in line 1)" },
		{ "f", "x:\n  - {a: 1, a: 2}\n", 2, 12, "\"a\" stands here a second time" },
		{ "f", "1: a\n", 1, 1, "the name 1 is no text; write it in quotes: \"1\"" },
		{ "f", "true: a\n", 1, 1, "is no text" },
		{ "f", "~: a\n", 1, 1, "is no text" },
		{ "f", ": a\n", 0, 0, "is no text" },
		{ "f", "? [a]\n: b\n", 1, 3, "a list or object cannot be a name" },
		{ "f", "a: &x b\n*x : c\n", 2, 1, "an alias (*x) cannot be a name" },
		{ "f", "a: &x [*x]\n", 1, 8, "contains itself" },
		{ "f", "a: *nowhere\n", 1, 4, "the alias *nowhere has no anchor" },
		{ "f", "a: &x {b: 1}\nc:\n  <<: *x\n", 3, 3,
		  "merge keys (<<) are not read here; write the members out" },
		{ "f", "a: 0x1F", 1, 4, "0x1F is a number to YAML, but not to JSON" },
		{ "f", "a: 0o17", 1, 4, "write it plainly" },
		{ "f", "a: [007]", 1, 5, "in quotes if it is a text: \"007\"" },
		{ "f", "a: .inf", 1, 4, "a number to YAML" },
		{ "f", "a: +1", 1, 4, "a number to YAML" },
		{ "f", "a: !mine 1", 1, 0, "the tag <!mine> is not used here" },
		{ "f", "a: !!int 1", 1, 0, "the tag" },
		{ "f", "%YAML 1.1\n---\na: 1", 0, 0, "write %YAML 1.2" },
		{ "f", "a: >\n  x\n\n   y\n", 2, 1, "write | to keep lines" },
		{ "f", "a: [1, 2\n", 1, 4, "a list is not closed" },
		{ "f", "a: 'x\n", 1, 5, "not closed" },
		{ "f", "a: b: c\n", 1, 5, "a second \": \" in one line" },
		{ "f", "a: @x\n", 1, 4, "must not begin with this character" },
		{ "f", "a: \"\\q\"\n", 0, 0, "unknown escape" },
		{ "f", "a: \"\\ud800\"\n", 0, 0, "is no character" },
		{ "f", "a:\n  b: 1\n c: 2\n", 3, 0, "indent" },
		{ "f", "{\"a\": 1,}", 1, 9, "this is no JSON: " },
		{ "f", "{\"a\": 1, \"a\": 2}", 1, 0, "this is no JSON: " },
		{ "f.json", "a: 1", 1, 1, "this is no JSON: " },
		{ "f", "{\n \"é\": tru }", 2, 0, "this is no JSON: " },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct bad_file t = table[i];
		if (t.column == 0)
			t.line = 0;
		check_refused(&t, str_c(t.text));
	}
	check_refused(&(struct bad_file){ "f", "", 1, 5, "control character" }, STR("a: b\0c"));
}

/* `head`, then `part` n times. */
static struct str repeated(const char *head, const char *part, size_t n)
{
	size_t h = strlen(head), p = strlen(part);
	char *text = malloc(h + n * p + 1);
	assert_non_null(text);
	memcpy(text, head, h);
	for (size_t i = 0; i < n; i++)
		memcpy(text + h + i * p, part, p);
	return str_from(text, h + n * p);
}

TEST(bombs_are_refused_at_once)
{
	static const struct {
		const char *name, *head, *part;
		size_t n;
		const char *fragment;
	} table[] = {
		{ "f", "", "[", 4000000, "100 deep" },
		{ "f", "", "[", 5000, "deeper than 100" },
		{ "f", "", "[\n", 2000000, "100 deep" },
		{ "f", "- ", "{a: ", 1000000, "100 deep" },
		{ "f", "", "- ", 2000000, "deeper than 100" },
		{ "f", "", "? ", 2000000, "cannot be a name" },
		{ "f", "[", "[],", 1300000, "too many lists, objects and commas" },
		{ "f", "[", "\n1,", 1300000, "more than 200000 values" },
		{ "f", "", "- a\n", 1000000, "more than 200000 values" },
		{ "f", "!<", "a", 4000000, "a tag" },
		{ "f", "%", "a", 4000000, "a line that begins with \"%\"" },
		{ "f", "", "x", 4194305, "a document has at most 4194304" },
		{ "f.json", "", "[", 4000000, "this is no JSON" },
		{ "f.json", "{\"a\":[1", ",1", 300000, "this is no JSON" },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct str text = repeated(table[i].head, table[i].part, table[i].n);
		clock_t before = clock();
		check_refused(&(struct bad_file){ table[i].name, "", 0, 0, table[i].fragment }, text);
		double seconds = (double)(clock() - before) / CLOCKS_PER_SEC;
		if (seconds > 4) /* the sanitizers are slow; without them it is tenths */
			fail_msg("row %zu took %.1f s", i, seconds);
		free((void *)text.ptr);
	}
}

TEST(aliases_count_at_each_use)
{
	char text[4096] = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
	for (int i = 1; i < 10; i++) {
		char line[200];
		(void)snprintf(line, sizeof(line), "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1,
			       i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
		strcat(text, line);
	}
	check_refused(&(struct bad_file){ "f", "", 0, 0, "more than 200000 values (an alias counts" }, str_c(text));
	/* Depth, too: sixty deep, used sixty deep. */
	char deep[1024] = "a: &a ", *end = deep + strlen(deep);
	memset(end, '[', 60);
	memset(end + 60, ']', 60);
	strcpy(end + 120, "\nb: ");
	end += 124;
	memset(end, '[', 60);
	strcpy(end + 60, "*a");
	memset(end + 62, ']', 60);
	end[122] = '\0';
	check_refused(&(struct bad_file){ "f", "", 0, 0, "deeper than 100" }, str_c(deep));
}

TEST(a_hundred_levels_are_fine_and_one_more_is_not)
{
	for (size_t n = 100; n <= 101; n++) {
		char text[300] = "";
		memset(text, '[', n);
		memset(text + n, ']', n);
		struct complaints c;
		for (int json = 0; json < 2; json++) {
			struct doc *d = parse(json ? "f.json" : "f.yaml", str_c(text), &c);
			assert_int_equal(d != NULL, n == 100);
			doc_free(d);
			complaints_done(&c);
		}
	}
}

static void check_place_of(const struct doc *d, const char *pointer, unsigned line, unsigned column)
{
	unsigned l, k;
	const struct value *v = json_pointer_get(doc_root(d), str_c(pointer));
	assert_non_null(v);
	if (!doc_place(d, v, &l, &k) || l != line || k != column)
		fail_msg("%s is at %u:%u, wanted %u:%u", pointer, l, k, line, column);
	assert_str(doc_pointer(d, v), pointer);
}

TEST(every_value_knows_its_line_and_pointer)
{
	struct complaints c;
	struct doc *d = parse("f.yaml", STR("# c\na: 1\nb:\n  - x\n  - é: {z: [7, 8]}\n    \"a/b~\": ''\nc:\n"), &c);
	assert_non_null(d);
	check_place_of(d, "", 2, 1);
	check_place_of(d, "/a", 2, 4);
	check_place_of(d, "/b", 4, 3);
	check_place_of(d, "/b/0", 4, 5);
	check_place_of(d, "/b/1", 5, 5);
	check_place_of(d, "/b/1/é/z/1", 5, 16);
	check_place_of(d, "/b/1/a~1b~0", 6, 13);
	check_place_of(d, "/c", 7, 1);
	doc_free(d);
	d = parse("f.yaml", STR("{\"a\": 1,\n \"é\": [ true, {\"x\\\"y\": \"]\"} ],\r\n\t\"c\":null}"), &c);
	assert_non_null(d);
	check_place_of(d, "", 1, 1);
	check_place_of(d, "/a", 1, 7);
	check_place_of(d, "/é", 2, 7);
	check_place_of(d, "/é/0", 2, 9);
	check_place_of(d, "/é/1", 2, 15);
	check_place_of(d, "/é/1/x\"y", 2, 24);
	check_place_of(d, "/c", 3, 6);
	struct value stranger = value_null();
	unsigned l, k;
	assert_false(doc_place(d, &stranger, &l, &k));
	assert_str(doc_pointer(d, &stranger), "");
	doc_free(d);
	complaints_done(&c);
}

TEST(a_complaint_is_one_line_without_control_characters)
{
	struct complaints c;
	struct doc *d = parse("f.yaml", STR("a: 1\nb: 2\n"), &c);
	doc_complain(d, &c, value_get_c(doc_root(d), "b"), STR("here"), "wrong\x1b[31m and\nbroken");
	assert_string_equal(complaint_line(&c, 0), "f:2:4: here: wrong?[31m and?broken");
	assert_str(c.items[0].pointer, "/b");
	for (int i = 0; i < 200; i++)
		doc_complain(d, &c, NULL, STR(""), "again");
	assert_int_equal(c.n, COMPLAINTS_MAX);
	assert_int_equal(c.dropped, 201 - COMPLAINTS_MAX);
	doc_free(d);
	complaints_done(&c);
}

TEST(files_are_read_and_too_long_ones_are_not)
{
	struct complaints c;
	struct err e = ERR_INIT;
	char path[] = "/tmp/weir-flow-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	complaints_init(&c);
	assert_int_equal(write(fd, "a: 1\n", 5), 5);
	struct doc *d = doc_load(path, &c, &e);
	assert_non_null(d);
	assert_string_equal(doc_name(d), path);
	doc_free(d);
	assert_int_equal(ftruncate(fd, 1 << 30), 0); /* a gigabyte of nothing */
	assert_null(doc_load(path, &c, &e));
	assert_true(has_text(c.items[0].text, "1073741824 bytes; a document has at most"));
	(void)close(fd);
	(void)unlink(path);
	assert_null(doc_load(path, &c, &e));
	assert_int_equal(e.code, -ERR_IO);
	complaints_done(&c);
}

RUN_TESTS(CLAIM(plain_words_mean_what_yaml_1_2_says), CLAIM(what_is_no_document_is_refused_with_place_and_cure),
	  CLAIM(bombs_are_refused_at_once), CLAIM(aliases_count_at_each_use),
	  CLAIM(a_hundred_levels_are_fine_and_one_more_is_not), CLAIM(every_value_knows_its_line_and_pointer),
	  CLAIM(a_complaint_is_one_line_without_control_characters), CLAIM(files_are_read_and_too_long_ones_are_not))
