/* SPDX-License-Identifier: Apache-2.0 */
/* The splitter against json_parse() and jsonpath over the whole: same elements, or the same refusal at the same place,
 * however cut. */
#include "each_file.h"
#include "test.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/jsonpath.h"
#include "base/split.h"
#include <malloc.h>

/* Bytes that the heap has given out. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
size_t __sanitizer_get_current_allocated_bytes(void); /* gcc brings the function, but not its header */
#define IN_USE() __sanitizer_get_current_allocated_bytes()
#else
#define IN_USE() mallinfo2().uordblks
#endif

#define MARK "\xEF\xBB\xBF"

/* ---- splitting whole texts ---- */

/* How a text is cut: 0 = not at all, n = pieces of n bytes, -n = random ones, chosen by n. */
typedef int cut;

static uint32_t dice_state;

static uint32_t dice(uint32_t sides)
{
	dice_state = dice_state * 1664525u + 1013904223u;
	return (dice_state >> 16) % sides;
}

static size_t piece_bytes(cut how, size_t left)
{
	size_t n = how == 0 ? left : how > 0 ? (size_t)how : dice(3) ? dice(9) : dice(200);
	return n < left ? n : left;
}

struct taken {
	struct buf text; /* the elements as compact JSON, a line each */
	uint64_t n, stop_at;
	int stop_with;
};

static int take(void *arg, const struct value *v)
{
	struct taken *t = arg;
	assert_int_equal(json_write(&t->text, v, JSON_COMPACT), 0);
	assert_int_equal(buf_append_char(&t->text, '\n'), 0);
	t->n++;
	return t->n == t->stop_at ? t->stop_with : 1;
}

/* Each piece in an allocation of its own size, gone when the call is back: borrowing too long is seen. */
static int push(struct split *s, struct str piece, struct taken *t, struct err *e)
{
	char *copy = malloc(piece.len + !piece.len);
	if (piece.len)
		memcpy(copy, piece.ptr, piece.len);
	int r = split_push(s, str_from(copy, piece.len), take, t, e);
	free(copy);
	return r;
}

static int split_all(const struct split_options *o, struct str text, cut how, struct taken *t, struct err *e)
{
	struct split *s = split_new(o, e);
	int r = s ? 0 : e->code;
	if (!s)
		return r;
	dice_state = (uint32_t)-how;
	for (size_t at = 0; r == 0 && at < text.len;) {
		size_t n = piece_bytes(how, text.len - at);
		r = push(s, str_from(text.ptr + at, n), t, e);
		at += n;
	}
	if (r == 0)
		r = split_end(s, take, t, e);
	assert_int_equal(split_count(s), t->n);
	split_free(s);
	return r;
}

static struct split_options json_at(const char *path)
{
	return (struct split_options){ .path = str_c(path) };
}

/* ---- the same from the whole ---- */

/* What the splitter should say of a JSON text: json_parse() of all, then jsonpath. */
static int by_the_whole(struct str text, const char *path, struct buf *out, struct err *e)
{
	auto_arena struct arena a;
	struct value root;
	arena_init(&a, 0);
	if (str_starts(text, STR(MARK)))
		text = str_from(text.ptr + 3, text.len - 3);
	int r = json_parse(&a, text, NULL, &root, NULL, e);
	if (r < 0)
		return r;
	struct jsonpath *list_path = jsonpath_compile(&a, str_from(path, strlen(path) - 3), e);
	assert_non_null(list_path);
	const struct value *list = jsonpath_first(list_path, &root);
	if (value_is(list, VALUE_NULL))
		return 0;
	if (!value_is(list, VALUE_ARRAY))
		return err_set(e, ERR_NOT_FOUND, "no list");
	for (uint32_t i = 0; i < list->len; i++) {
		assert_int_equal(json_write(out, &list->items[i], JSON_COMPACT), 0);
		assert_int_equal(buf_append_char(out, '\n'), 0);
	}
	return 0;
}

/* Up to what stands near, which depends on how much of the text is here. */
static struct str reason_of(const struct err *e)
{
	struct str msg = str_c(e->msg);
	ptrdiff_t near = str_find(msg, STR(", near \""));
	return near < 0 ? msg : str_from(msg.ptr, (size_t)near);
}

static const cut cuts[] = { 0, 1, 2, 3, 7, 14, -1, -2, -3, -4 };

/* Both of one opinion, for every way to cut? Returns what the whole said. */
static int same_opinion(struct str text, const char *path, const char *name)
{
	auto_buf struct buf wanted, first;
	struct err whole = ERR_INIT;
	bool is_marked = str_starts(text, STR(MARK));
	buf_init(&wanted, 1 << 24);
	buf_init(&first, 1 << 24);
	int expected = by_the_whole(text, path, &wanted, &whole);
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		struct split_options o = json_at(path);
		struct taken t = { 0 };
		struct err e = ERR_INIT;
		buf_init(&t.text, 1 << 24);
		int r = split_all(&o, text, cuts[i], &t, &e);
		if (r != e.code)
			fail_msg("%s: %d was returned, the error has %d", name, r, e.code);
		if ((r < 0) != (expected < 0) || (r != expected && r != -ERR_NOT_FOUND))
			fail_msg("%s at %s, cut %d: %d \"%s\", the whole says %d \"%s\"", name, path, cuts[i], r, e.msg,
				 expected, whole.msg);
		if (r == 0 && !str_eq(buf_str(&t.text), buf_str(&wanted)))
			fail_msg("%s at %s, cut %d: other elements", name, path, cuts[i]);
		if (i == 0)
			buf_append_str(&first, buf_str(&t.text));
		else if (!str_eq(buf_str(&t.text), buf_str(&first)))
			fail_msg("%s at %s, cut %d: other elements before the refusal", name, path, cuts[i]);
		if (r < 0 && r == expected && r != -ERR_NOT_FOUND && !is_marked &&
		    !str_eq(reason_of(&e), reason_of(&whole)))
			fail_msg("%s at %s, cut %d: \"%s\", the whole says \"%s\"", name, path, cuts[i], e.msg,
				 whole.msg);
		buf_done(&t.text);
	}
	return expected;
}

/* ---- third-party texts ---- */

static struct str read_file(const char *dir, const char *name)
{
	char path[2 * PATH_MAX];
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

static int accepted, refused;

static void wrapped(const char *before, struct str text, const char *after, const char *path, const char *name)
{
	auto_buf struct buf b;
	buf_init(&b, 1 << 24);
	buf_append_c(&b, before);
	buf_append_str(&b, text);
	buf_append_c(&b, after);
	int r = same_opinion(buf_str(&b), path, name);
	accepted += r == 0;
	refused += r < 0;
}

static void on_text(const char *dir, const char *name)
{
	struct str text = read_file(dir, name);
	wrapped("", text, "", "$[*]", name);
	wrapped("", text, "", "$.a[*]", name);
	wrapped("[", text, "]", "$[*]", name);
	wrapped("[1,\n ", text, ",\"\xC3\xA9\" ]\n", "$[*]", name);
	wrapped("{\"data\":[true,", text, "]}", "$.data[*]", name);
	wrapped("{\"x\":", text, ",\"data\":[1,2]}", "$.data[*]", name);
	wrapped("{\"a b\" : {\"list\":[{}] , \"x\" : ", text, "}}", "$['a b'].list[*]", name);
	wrapped("{\"data\":", text, "}", "$.data[*]", name);
	free((char *)text.ptr);
}

TEST(every_text_of_json_test_suite_is_judged_as_json_parse_does_however_cut_and_wherever_it_stands)
{
	char dir[PATH_MAX];
	int n = each_file("json-testsuite/test_parsing", dir, on_text) +
		each_file("json-testsuite/test_transform", dir, on_text);
	if (n == 0)
		test_skip_suite("json-testsuite");
	print_message("%d files, %d texts accepted, %d refused\n", n, accepted, refused);
	assert_true(n >= 300 && accepted > 500 && refused > 500);
}

TEST(small_texts_are_judged_as_json_parse_does)
{
	static const char *const values[] = {
		"",
		"1",
		"-",
		"1-2",
		"1.]",
		"12.5e+3",
		"01",
		"1x",
		"true",
		"truefalse",
		"tru",
		"truX",
		"nullx",
		"falsf",
		"\"\\u00e9\"",
		"\"\\ud83d\\ude00\"",
		"\"\\ud83d\\ud\"",
		"\"\\u12\"",
		"\"\\\"",
		"\"\\x\"",
		"\"\xC3\"",
		"\"\xE2\x82\xAC\"",
		"\"\t\"",
		"[1}",
		"{\"a\":1]",
		"[,1]",
		"[1,]",
		"{,}",
		"{\"a\",1}",
		"{\"a\":}",
		"{1:2}",
		"{\"a\":1,}",
		"[[[]],{}]",
		"@",
		"'a'",
		"1,2",
		"1]",
		"1}",
		"\"a\"b",
		"\"]\\\\\"",
		"{\"\\u0061\":[1]}",
		"\0",
		"\xEF\xBB\xBF 1",
		" \r\n\t2 \n",
		"[1]]",
		"\"a\" \"b\"",
		"123456789012345678901234567890",
		"1.0E-",
		"{\"a\":{\"a\":[]}",
		"nul",
		"-0",
		"-01",
		"{\"a\":1 \"b\":2}",
		"\"a\"\xC3\xA9",
	};
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct str v = values[i][0] ? str_c(values[i]) : STR("\0");
		wrapped("", v, "", "$[*]", values[i]);
		wrapped("", v, "", "$.a[*]", values[i]);
		wrapped("[", v, "]", "$[*]", values[i]);
		wrapped("[", v, "", "$[*]", values[i]);
		wrapped("[1,", v, ",2]", "$[*]", values[i]);
		wrapped("{\"a\":[", v, "]}", "$.a[*]", values[i]);
		wrapped("{\"x\":", v, ",\"a\":[3]}", "$.a[*]", values[i]);
		wrapped("{\"a\":[3],\"x\":", v, "}", "$.a[*]", values[i]);
		wrapped("{\"a\":[3],\"x\":", v, "", "$.a[*]", values[i]);
		wrapped("{\"a\":[3]", v, "}", "$.a[*]", values[i]);
		wrapped("{\"b\":[3],", v, ":4}", "$.b[*]", values[i]);
		wrapped("{\"a\":[3]}", v, "", "$.a[*]", values[i]);
		wrapped("{\"a\":", v, "}", "$.a[*]", values[i]);
		wrapped("", v, "[1]", "$[*]", values[i]);
	}
}

/* ---- one text, one outcome ---- */

struct row {
	enum split_kind kind;
	const char *path, *prefix, *text;
	const char *expected; /* elements, or a part of the message */
	int code;
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < ARRAY_LEN(cuts); k++) {
			const struct row *row = &rows[i];
			struct split_options o = { .kind = row->kind,
						   .path = str_c(row->path),
						   .json_prefix = str_c(row->prefix) };
			struct taken t = { 0 };
			struct err e = ERR_INIT;
			buf_init(&t.text, 1 << 20);
			int r = split_all(&o, str_c(row->text), cuts[k], &t, &e);
			bool is_fine = r == -row->code && (r < 0 ? strstr(e.msg, row->expected) != NULL
								 : str_eq(buf_str(&t.text), str_c(row->expected)));
			if (!is_fine)
				fail_msg("row %zu cut %d: %d \"%s\" %.*s", i, cuts[k], r, e.msg,
					 STR_ARG(buf_str(&t.text)));
			buf_done(&t.text);
		}
}

TEST(the_list_is_found_where_the_path_leads_and_nowhere_else)
{
	static const struct row rows[] = {
		{ 0, "$[*]", "", "[1,{\"a\":1.50},[]]", "1\n{\"a\":1.50}\n[]\n", 0 },
		{ 0, "$[*]", "", "[]", "", 0 },
		{ 0, "$[*]", "", "null", "", 0 },
		{ 0, "$.data[*]", "", "{\"data\":null}", "", 0 },
		{ 0, "$.data[*]", "", "{\"data\":[]}", "", 0 },
		{ 0, "$[*]", "", "[{\"a\":1,\"a\":2}]", "{\"a\":2}\n", 0 },
		{ 0, "$.data[*]", "", "{\"x\":[9],\"x\":{\"data\":[8]},\"d\\u0061ta\":[1]}", "1\n", 0 },
		{ 0, "$.a['b c'].d[*]", "", "{\"d\":[1],\"a\":{\"d\":[2],\"b c\":{\"d\":[3],\"e\":[4]},\"d\":[5]}}",
		  "3\n", 0 },
		{ 0, "$[\"\\u00e9\"] [ * ]", "", "{\"\xC3\xA9\":[1]}", "1\n", 0 },
		{ 0, "$[''][*]", "", "{\"\":[1]}", "1\n", 0 },
		{ 0, "$.data[*]", "", "{\"x\":1}", "the answer has no list at $.data", ERR_NOT_FOUND },
		{ 0, "$.data[*]", "", "{}", "the answer has no list at $.data", ERR_NOT_FOUND },
		{ 0, "$.data[*]", "", "{\"data\":{}}", "no list at $.data: an object stands there", ERR_NOT_FOUND },
		{ 0, "$.data[*]", "", "{\"data\":\"x\"}", "no list at $.data: a string stands there", ERR_NOT_FOUND },
		{ 0, "$.data[*]", "", "{\"data\":12}", "no list at $.data: a number stands there", ERR_NOT_FOUND },
		{ 0, "$.data[*]", "", "[1]", "no list at $.data: a list stands at $", ERR_NOT_FOUND },
		{ 0, "$['a b'].data[*]", "", "{\"a b\":null}", "no list at $[\"a b\"].data: null stands at $[\"a b\"]",
		  ERR_NOT_FOUND },
		{ 0, "$[*]", "", "false", "no list at $: a boolean stands there", ERR_NOT_FOUND },
		{ 0, "$.a[*]", "", "{\"a\":[1],\"b\":2,\"\\u0061\":[3]}",
		  "invalid JSON at offset 15 (line 1, column 16): a key that the path goes through is there twice",
		  ERR_INVALID },
		{ 0, "$.a.b[*]", "", "{\"a\":{},\"a\":{\"b\":[]}}", "offset 8 (line 1, column 9): a key that the path",
		  ERR_INVALID },
		{ 0, "$.a.b[*]", "", "{\"a\":{\"x\":{\"b\":0},\"b\":[7]},\"b\":1,\"b\":2}", "7\n", 0 },
		{ 0, "$[*]", "", "", "invalid JSON at offset 0 (line 1, column 1): there is no value", ERR_INVALID },
		{ 0, "$[*]", "", " \n", "invalid JSON at offset 2 (line 2, column 1): there is no value", ERR_INVALID },
		{ 0, "$[*]", "", "<html>", "offset 0 (line 1, column 1): expected a value, near \"<", ERR_INVALID },
		{ 0, "$[*]", "", "[1,\n{\"a\":\n\"\\q\"}]", "offset 11 (line 3, column 2): no such escape",
		  ERR_INVALID },
	};
	check_rows(rows, ARRAY_LEN(rows));
}

TEST(a_mark_and_a_prefix_are_cut_off_and_places_count_them)
{
	static const struct row rows[] = {
		{ 0, "$[*]", ")]}'\n", ")]}'\n[1]", "1\n", 0 },
		{ 0, "$[*]", ")]}'\n", "[1]", "1\n", 0 },
		{ 0, "$[*]", ")]}'\n", MARK ")]}'\n[1]", "1\n", 0 },
		{ 0, "$[*]", "", MARK "[1]", "1\n", 0 },
		{ 0, "$[*]", "[", "[[1]", "1\n", 0 },
		{ 0, "$[*]", ")]}'\n", MARK ")]}'\n[1,x]", "offset 11 (line 2, column 4): expected a value, near \"x",
		  ERR_INVALID },
		{ 0, "$[*]", ")]}'\n", ")]}", "offset 0 (line 1, column 1): expected a value, near \")]}\"",
		  ERR_INVALID },
		{ 0, "$[*]", ")]}'\n", ")]}'\n", "offset 5 (line 2, column 1): there is no value", ERR_INVALID },
		{ 0, "$[*]", "", MARK MARK "[1]", "offset 3 (line 1, column 4): expected a value", ERR_INVALID },
		{ 0, "$[*]", "", "\xEF\xBB", "offset 0 (line 1, column 1): expected a value", ERR_INVALID },
		{ SPLIT_LINES, "$[*]", "", MARK "1\n2", "1\n2\n", 0 },
		{ SPLIT_CSV, "$[*]", "", MARK "a\n2", "{\"a\":\"2\"}\n", 0 },
	};
	check_rows(rows, ARRAY_LEN(rows));
}

TEST(lines_are_values_one_each)
{
	static const struct row rows[] = {
		{ SPLIT_LINES, "$[*]", "", "", "", 0 },
		{ SPLIT_LINES, "$[*]", "", "\n\r\n \t\n", "", 0 },
		{ SPLIT_LINES, "$[*]", "", "{\"a\":1}\r\n\n[2]\n 3 \nnull", "{\"a\":1}\n[2]\n3\nnull\n", 0 },
		{ SPLIT_LINES, "$[*]", "", "1\n2 3\n",
		  "invalid JSON at offset 4 (line 2, column 3): something stands behind", ERR_INVALID },
		{ SPLIT_LINES, "$[*]", "", "1\n{\"a\":\n2}",
		  "offset 7 (line 2, column 6): the text ends where a value is due", ERR_INVALID },
		{ SPLIT_LINES, "$[*]", "", "1\n\n\"\xFF\"", "offset 4 (line 3, column 2): invalid UTF-8", ERR_INVALID },
	};
	check_rows(rows, ARRAY_LEN(rows));
}

TEST(records_are_objects_by_the_header_row)
{
	static const struct row rows[] = {
		{ SPLIT_CSV, "$[*]", "", "", "", 0 },
		{ SPLIT_CSV, "$[*]", "", "a,b\n", "", 0 },
		{ SPLIT_CSV, "$[*]", "", "a,\n,\n", "{\"a\":\"\",\"\":\"\"}\n", 0 },
		{ SPLIT_CSV, "$[*]", "", "\"\"\n\"\"\n", "{\"\":\"\"}\n", 0 },
		{ SPLIT_CSV, "$[*]", "", "a,b\r\n1,\"x\n\"\"y\"\r\n,2",
		  "{\"a\":\"1\",\"b\":\"x\\n\\\"y\"}\n{\"a\":\"\",\"b\":\"2\"}\n", 0 },
		{ SPLIT_CSV, "$[*]", "", "a,b\n1,2\n1\n", "line 3 has 1 fields, the header row has 2", ERR_INVALID },
		{ SPLIT_CSV, "$[*]", "", "a,\xC3\xA9,\xC3\xA9\n", "line 1: two columns are named \"\xC3\xA9\"",
		  ERR_INVALID },
		{ SPLIT_CSV, "$[*]", "", "a\n1\n\"2", "line 3: a quoted field is not closed", ERR_INVALID },
		{ SPLIT_CSV, "$[*]", "", "a\n\"2\"3", "line 2: text follows a closing quote", ERR_INVALID },
		{ SPLIT_CSV, "$[*]", "", "a\n\xFF\n", "line 2 is not UTF-8", ERR_INVALID },
	};
	check_rows(rows, ARRAY_LEN(rows));
}

TEST(a_nul_byte_is_refused_in_every_kind)
{
	static const struct str texts[] = { STR("[1,\0]"), STR("1\n\0\n"), STR("a,b\n1,\0") };
	static const char *const expected[] = { "offset 3 (line 1, column 4): expected a value",
						"offset 2 (line 2, column 1)", "line 2: a NUL byte" };
	for (int kind = SPLIT_JSON; kind <= SPLIT_CSV; kind++)
		for (size_t k = 0; k < ARRAY_LEN(cuts); k++) {
			struct split_options o = { .kind = kind, .path = STR("$[*]") };
			struct taken t = { 0 };
			struct err e = ERR_INIT;
			buf_init(&t.text, 1000);
			assert_int_equal(split_all(&o, texts[kind], cuts[k], &t, &e), -ERR_INVALID);
			if (!strstr(e.msg, expected[kind]))
				fail_msg("%d: %s", kind, e.msg);
			buf_done(&t.text);
		}
}

TEST(paths_are_names_and_a_wildcard_and_the_refusal_says_what_to_write)
{
	static const struct {
		enum split_kind kind;
		const char *path, *expected;
		int code;
	} rows[] = {
		{ SPLIT_JSON, "$[*]", NULL, 0 },
		{ SPLIT_JSON, "$.data[*]", NULL, 0 },
		{ SPLIT_JSON, "$.a['b c'].d[*]", NULL, 0 },
		{ SPLIT_LINES, "$[*]", NULL, 0 },
		{ SPLIT_CSV, "$[*]", NULL, 0 },
		{ SPLIT_JSON, "$", "write one like $[*] or $.data.rows[*]", ERR_INVALID },
		{ SPLIT_JSON, "$.data", "\"$.data\" is not $, names and [*] at the end", ERR_INVALID },
		{ SPLIT_JSON, "$.data[0][*]", "names and [*]", ERR_INVALID },
		{ SPLIT_JSON, "$..data[*]", "names and [*]", ERR_INVALID },
		{ SPLIT_JSON, "$..[*]", "names and [*]", ERR_INVALID },
		{ SPLIT_JSON, "$.a[*].b[*]", "names and [*]", ERR_INVALID },
		{ SPLIT_JSON, "$['a','b'][*]", "names and [*]", ERR_INVALID },
		{ SPLIT_JSON, "$.a[*,*]", "names and [*]", ERR_INVALID },
		{ SPLIT_JSON, "$.a[?@.b]", "names and [*]", ERR_INVALID },
		{ SPLIT_JSON, "$.a[1:2]", "names and [*]", ERR_INVALID },
		{ SPLIT_JSON, "data", "JSONPath at offset 0", ERR_INVALID },
		{ SPLIT_JSON, "", "JSONPath", ERR_INVALID },
		{ SPLIT_JSON, "$.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a[*]", NULL, 0 },
		{ SPLIT_JSON, "$.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a[*]", "at most 16 names", ERR_LIMIT },
		{ SPLIT_LINES, "$.a[*]", "a list of lines, whose elements have no path of their own: write $[*]",
		  ERR_INVALID },
		{ SPLIT_CSV, "$.a[*]", "a list of records", ERR_INVALID },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = ERR_INIT;
		int r = split_check_path(rows[i].kind, str_c(rows[i].path), &e);
		if (r != -rows[i].code || e.code != r || (r < 0 && !strstr(e.msg, rows[i].expected)))
			fail_msg("%s: %d \"%s\"", rows[i].path, r, e.msg);
		assert_int_equal(split_check_path(rows[i].kind, str_c(rows[i].path), NULL), r);
	}
	char prefix[SPLIT_PREFIX_MAX + 1] = "";
	struct split_options o = { .path = STR("$[*]"), .json_prefix = str_from(prefix, sizeof(prefix)) };
	struct err e = ERR_INIT;
	assert_null(split_new(&o, &e));
	assert_int_equal(e.code, -ERR_LIMIT);
}

/* ---- limits ---- */

TEST(an_element_a_value_passed_over_a_key_and_a_line_may_be_so_long_and_no_longer)
{
	static const struct {
		enum split_kind kind;
		const char *path, *text;
		size_t longest; /* of its values */
		const char *expected;
	} rows[] = {
		{ SPLIT_JSON, "$[*]", "[\"12345678\",1]", 10,
		  "the value at offset 1 (line 1, column 2) is longer than 9 bytes" },
		/* In pieces of 14 the end of one is just where the limit is. */
		{ SPLIT_JSON, "$[*]", "[ 1 ,\"12345678\",1]", 10,
		  "the value at offset 5 (line 1, column 6) is longer than 9 bytes" },
		{ SPLIT_JSON, "$[*]", "[1,[1,2,[3],{}]]", 12,
		  "the value at offset 3 (line 1, column 4) is longer than 11 bytes" },
		{ SPLIT_JSON, "$[*]", "[1,\n12345678.5,2]", 10, "the value at offset 4 (line 2, column 1)" },
		{ SPLIT_JSON, "$.a[*]", "{\"x\":{\"y\":\"z\"},\"a\":[]}", 9, "the value at offset 5" },
		{ SPLIT_JSON, "$.a[*]", "{\"a key\":0,\"a\":[]}", 7, "the value at offset 1 (line" },
		{ SPLIT_LINES, "$[*]", "1\n[1,2]\n3", 5,
		  "the line at offset 2 (line 2, column 1) is longer than 4 bytes" },
		{ SPLIT_LINES, "$[*]", "1\n     \n3", 5,
		  "the line at offset 2 (line 2, column 1) is longer than 4 bytes" },
		{ SPLIT_LINES, "$[*]", "1\n[1,2]", 5,
		  "the line at offset 2 (line 2, column 1) is longer than 4 bytes" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t k = 0; k < ARRAY_LEN(cuts); k++)
			for (size_t less = 0; less < 2; less++) {
				struct split_options o = { .kind = rows[i].kind,
							   .path = str_c(rows[i].path),
							   .max_element = rows[i].longest - less };
				struct taken t = { 0 };
				struct err e = ERR_INIT;
				buf_init(&t.text, 1000);
				int r = split_all(&o, str_c(rows[i].text), cuts[k], &t, &e);
				if (r != (less ? -ERR_LIMIT : 0) || (less && !strstr(e.msg, rows[i].expected)))
					fail_msg("row %zu cut %d, %zu less: %d \"%s\"", i, cuts[k], less, r, e.msg);
				buf_done(&t.text);
			}
}

TEST(an_endless_element_ends_at_the_default_limit)
{
	struct split_options o = json_at("$[*]");
	struct taken t = { 0 };
	struct err e = ERR_INIT;
	struct split *s = split_new(&o, &e);
	static char text[1 << 20];
	size_t pushed = 0;
	int r = split_push(s, STR("[\""), take, &t, &e);
	memset(text, 'x', sizeof(text));
	for (; r == 0 && pushed < 4 * (size_t)SPLIT_ELEMENT_MAX; pushed += sizeof(text))
		r = split_push(s, str_from(text, sizeof(text)), take, &t, &e);
	assert_int_equal(r, -ERR_LIMIT);
	assert_int_equal(pushed, SPLIT_ELEMENT_MAX);
	split_free(s);
}

/* `n` brackets around a list's element; `path` has containers of its own. */
static int nested(unsigned n, unsigned max_depth, cut how, struct err *e)
{
	auto_buf struct buf b;
	struct taken t = { 0 };
	struct split_options o = { .path = STR("$.a.b[*]"), .max_depth = max_depth };
	buf_init(&b, 10000);
	buf_init(&t.text, 10000);
	buf_append_c(&b, "{\"a\":{\"b\":[");
	for (unsigned i = 0; i < n; i++)
		buf_append_c(&b, "[");
	for (unsigned i = 0; i < n; i++)
		buf_append_c(&b, "]");
	buf_append_c(&b, "]}}");
	int r = split_all(&o, buf_str(&b), how, &t, e);
	buf_done(&t.text);
	return r;
}

TEST(the_depth_counts_what_leads_to_the_element)
{
	for (size_t k = 0; k < ARRAY_LEN(cuts); k++) {
		struct err e = ERR_INIT;
		assert_int_equal(nested(VALUE_DEPTH_MAX - 3, 0, cuts[k], &e), 0);
		assert_int_equal(nested(VALUE_DEPTH_MAX - 2, 0, cuts[k], &e), -ERR_LIMIT);
		assert_non_null(strstr(e.msg, "invalid JSON at offset 108 (line 1, column 109): nested too deeply"));
		assert_int_equal(nested(2, 5, cuts[k], &e), 0);
		assert_int_equal(nested(3, 5, cuts[k], &e), -ERR_LIMIT);
		assert_int_equal(nested(1, 3, cuts[k], &e), -ERR_LIMIT);
		assert_int_equal(nested(0, 3, cuts[k], &e), 0);
		assert_int_equal(nested(0, 2, cuts[k], &e), -ERR_LIMIT);
	}
}

/* Four megabytes in small pieces: what they were collected in must not stay. */
static void push_large(struct split *s, struct taken *t)
{
	static char text[4096];
	struct err e = ERR_INIT;
	memset(text, 'x', sizeof(text));
	assert_int_equal(split_push(s, STR(",\""), take, t, &e), 0);
	for (int i = 0; i < 1024; i++)
		assert_int_equal(split_push(s, str_from(text, sizeof(text)), take, t, &e), 0);
	assert_int_equal(split_push(s, STR("\""), take, t, &e), 0);
	buf_done(&t->text);
	assert_int_equal(buf_reserve(&t->text, 65536), 0);
}

/* A million elements and a large one, without a byte more in use at the end than near the beginning. */
TEST(memory_does_not_grow_with_the_list)
{
	static const char *const piece =
	    "{\"id\":1234567,\"name\":\"caf\\u00e9\",\"tags\":[\"a\",\"b\"]},[1,2,3],\"text\",4.50";
	struct split_options o = json_at("$.rows[*]");
	struct taken t = { 0 };
	struct err e = ERR_INIT;
	size_t early = 0;
	auto_buf struct buf b;
	struct split *s = split_new(&o, &e);
	buf_init(&b, 1 << 20);
	buf_init(&t.text, 1 << 23);
	assert_int_equal(buf_reserve(&t.text, 65536), 0);
	assert_int_equal(split_push(s, STR("{\"rows\":["), take, &t, &e), 0);
	for (int round = 0; round < 2500; round++) {
		buf_clear(&b);
		for (int i = 0; i < 100; i++)
			buf_printf(&b, "%s%s", round || i ? "," : "", piece);
		for (size_t at = 0; at < b.len; at += 1000) {
			buf_clear(&t.text);
			assert_int_equal(
			    split_push(s, str_from(b.ptr + at, b.len - at < 1000 ? b.len - at : 1000), take, &t, &e),
			    0);
		}
		if (round == 10)
			early = IN_USE();
		if (round == 20)
			push_large(s, &t);
	}
	size_t late = IN_USE();
	assert_int_equal(split_push(s, STR("]}"), take, &t, &e), 0);
	assert_int_equal(split_end(s, take, &t, &e), 0);
	assert_int_equal(split_count(s), 1000001);
	split_free(s);
	buf_done(&t.text);
	assert_true(early > 0);
	if (late > early + 65536)
		fail_msg("%zu bytes in use early, %zu late", early, late);
}

/* ---- stopping ---- */

TEST(who_takes_may_stop_and_nothing_comes_after)
{
	static const struct str texts[] = { STR("[1,2,3]"), STR("1\n2\n3"), STR("a\n1\n2\n3") };
	for (int kind = SPLIT_JSON; kind <= SPLIT_CSV; kind++)
		for (size_t k = 0; k < ARRAY_LEN(cuts); k++)
			for (uint64_t at = 1; at <= 3; at++) {
				struct split_options o = { .kind = kind, .path = STR("$[*]") };
				struct taken t = { .stop_at = at, .stop_with = -77 };
				struct err e = ERR_INIT;
				buf_init(&t.text, 1000);
				assert_int_equal(split_all(&o, texts[kind], cuts[k], &t, &e), -77);
				assert_int_equal(t.n, at);
				assert_int_equal(e.code, 0); /* the callback's to fill */
				buf_done(&t.text);
			}
}

TEST(a_failure_stays_in_every_kind)
{
	static const struct str broken[] = { STR("[1,?"), STR("1\n?\n"), STR("a\n1\n2,3\n") },
				fine[] = { STR("2,3]"), STR("2\n"), STR("2\n") };
	for (int kind = SPLIT_JSON; kind <= SPLIT_CSV; kind++) {
		struct split_options o = { .kind = kind, .path = STR("$[*]") };
		struct taken t = { 0 };
		struct err e = ERR_INIT, again = ERR_INIT;
		buf_init(&t.text, 1000);
		struct split *s = split_new(&o, &e);
		assert_int_equal(split_push(s, broken[kind], take, &t, &e), -ERR_INVALID);
		assert_int_equal(split_push(s, fine[kind], take, &t, &again), -ERR_INVALID);
		assert_string_equal(e.msg, again.msg);
		assert_int_equal(split_end(s, take, &t, NULL), -ERR_INVALID);
		assert_int_equal(t.n, 1);
		split_free(s);
		buf_done(&t.text);
	}
}

TEST(an_end_is_an_end_and_who_stopped_is_not_called_again)
{
	struct split_options o = json_at("$[*]");
	struct taken t = { .stop_at = 3, .stop_with = -5 };
	struct err e = ERR_INIT, again = ERR_INIT;
	buf_init(&t.text, 1000);
	struct split *s = split_new(&o, &e);
	assert_int_equal(split_push(s, STR("[1,2]"), take, &t, &e), 0);
	assert_int_equal(split_push(s, STR_NULL, take, &t, &e), 0);
	assert_int_equal(split_end(s, take, &t, &e), 0);
	assert_int_equal(split_end(s, take, &t, &e), -ERR_STATE);
	assert_int_equal(split_push(s, STR("[1,2]"), take, &t, &e), -ERR_STATE);
	assert_int_equal(t.n, 2);
	split_free(s);
	s = split_new(&o, &e);
	assert_int_equal(split_push(s, STR("[1,2]"), take, &t, NULL), -5);
	again = ERR_INIT;
	assert_int_equal(split_push(s, STR("[1,2]"), take, &t, &again), -5);
	assert_int_equal(again.code, -5);
	assert_int_equal(t.n, 3);
	split_free(s);
	split_free(NULL);
	buf_done(&t.text);
}

/* ---- torture ---- */

static int count_only(void *arg, const struct value *v)
{
	return 0;
}

static int split_quietly(enum split_kind kind, const char *path, struct str text, size_t step)
{
	struct split_options o = { .kind = kind, .path = str_c(path), .json_prefix = STR("x") };
	struct err e = ERR_INIT;
	struct split *s = split_new(&o, &e);
	int r = s ? 0 : e.code;
	for (size_t at = 0; r == 0 && at < text.len; at += step)
		r = split_push(s, str_from(text.ptr + at, text.len - at < step ? text.len - at : step), count_only,
			       NULL, &e);
	if (r == 0)
		r = split_end(s, count_only, NULL, &e);
	assert_int_equal(r, e.code);
	split_free(s);
	return r;
}

static void torture(enum split_kind kind, const char *path, struct str text, size_t step)
{
	unsigned long n = 1;
	for (; n < 10000; n++) {
		arena_trim();
		alloc_fail_after(n);
		int r = split_quietly(kind, path, text, step);
		bool has_failed = alloc_has_failed();
		alloc_fail_after(0);
		if (!has_failed) {
			assert_int_equal(r, 0);
			break;
		}
		if (r != -ERR_NO_MEMORY)
			fail_msg("kind %d: allocation %lu failed and the result was %d", kind, n, r);
	}
	print_message("%lu allocations failed one by one\n", n - 1);
	assert_true(n > 3 && n < 10000);
}

TEST(every_failing_allocation_is_out_of_memory)
{
	static char text[40000];
	char *p = text + sprintf(text, "{\"a\\u0020b\":0,\"data\":[1,\"caf\\u00e9\",[");
	for (int i = 0; i < 700; i++)
		p += sprintf(p, "%s{\"key\":[%d,\"caf\\u00e9\"]}", i ? "," : "", i);
	p += sprintf(p, "],-12]}");
	static const size_t steps[] = { 7, 1000, 100000 };
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		torture(SPLIT_JSON, "$.data[*]", str_from(text, (size_t)(p - text)), steps[i]);
		torture(SPLIT_LINES, "$[*]", STR("[1]\n{\"a\":\"\\u00e9\"}\n\n[2,3]"), steps[i]);
		torture(SPLIT_CSV, "$[*]", STR("a,b\n1,\"2 \"\"3\"\nlonger,4\n"), steps[i]);
	}
}

RUN_TESTS(CLAIM(every_text_of_json_test_suite_is_judged_as_json_parse_does_however_cut_and_wherever_it_stands),
	  CLAIM(small_texts_are_judged_as_json_parse_does),
	  CLAIM(the_list_is_found_where_the_path_leads_and_nowhere_else),
	  CLAIM(a_mark_and_a_prefix_are_cut_off_and_places_count_them), CLAIM(lines_are_values_one_each),
	  CLAIM(records_are_objects_by_the_header_row), CLAIM(a_nul_byte_is_refused_in_every_kind),
	  CLAIM(paths_are_names_and_a_wildcard_and_the_refusal_says_what_to_write),
	  CLAIM(an_element_a_value_passed_over_a_key_and_a_line_may_be_so_long_and_no_longer),
	  CLAIM(an_endless_element_ends_at_the_default_limit), CLAIM(the_depth_counts_what_leads_to_the_element),
	  CLAIM(memory_does_not_grow_with_the_list), CLAIM(who_takes_may_stop_and_nothing_comes_after),
	  CLAIM(a_failure_stays_in_every_kind), CLAIM(an_end_is_an_end_and_who_stopped_is_not_called_again),
	  CLAIM(every_failing_allocation_is_out_of_memory))
