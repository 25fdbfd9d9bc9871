/* SPDX-License-Identifier: Apache-2.0 */
/* The sink of answers that become files, fed by hand: where they spill, what stays when they end early, what of them is
 * kept. */
#include "test.h"

#include "base/json.h"
#include "step/file_sink.h"

#include <sys/stat.h>
#include <unistd.h>

static struct arena arena;
static struct loop *loop;
static struct store *store;

static struct call_spec *spec_of(const char *answer)
{
	struct value *system = arena_alloc(&arena, sizeof(*system));
	const char *text =
	    arena_printf(&arena,
			 "{\"base_url\":\"https://h\",\"connectors\":{\"c\":{\"operations\":[{\"method_name\":\"GET\","
			 "\"query_path\":\"/f\",\"answer\":\"%s\"}]}}}",
			 answer);
	assert_int_equal(json_parse(&arena, str_c(text), NULL, system, NULL, NULL), 0);
	struct call_spec *s =
	    call_spec_new(&arena, system, STR("s"), STR("c"), STR("/f"), CALL_GET, STR_NULL, NULL, NULL);
	assert_non_null(s);
	return s;
}

static int sink_begin(void **state)
{
	arena_init(&arena, 0);
	loop = loop_new(NULL);
	return store_open(&store, loop, &(struct store_config){ 0 }, NULL);
}

static int sink_end(void **state)
{
	store_close(store);
	loop_free(loop);
	arena_done(&arena);
	return 0;
}

/* Head and so many bytes, in pieces; false when it refused one. */
static bool feed(struct file_sink *f, const struct headers *h, size_t n, struct err *e)
{
	char piece[10000];
	memset(piece, 'x', sizeof(piece));
	if (!f->face.wants(&f->face, 200, h))
		return true;
	while (n > 0) {
		size_t some = n < sizeof(piece) ? n : sizeof(piece);
		if (!f->face.take(&f->face, str_from(piece, some), e))
			return false;
		n -= some;
	}
	return true;
}

static struct call_answer answer_of(struct file_sink *f, const struct headers *h, enum http_error error, char **body)
{
	struct buf none = { 0 };
	struct http_response r = { .error = error,
				   .certainty = error ? HTTP_AMBIGUOUS : HTTP_ANSWERED,
				   .detail = "cut",
				   .status = 200,
				   .headers = h,
				   .body = &none,
				   .was_sunk = f->way != CALL_GATHER };
	struct call_answer x;
	struct err e = ERR_INIT;
	if (file_sink_answer(f, &r, STR("https://h/f.bin"), NULL, &arena, &x, body, &e) < 0)
		fail_msg("%s", e.msg);
	file_sink_done(f);
	file_sink_done(f);
	return x;
}

static const struct call_limits no_limits;

TEST(a_binary_answer_spills_beyond_what_an_item_takes)
{
	static const struct {
		const char *answer, *type;
		size_t n;
		bool is_file;
	} rows[] = {
		{ "auto", "image/png", CALL_BINARY_MAX, false },
		{ "auto", "image/png", CALL_BINARY_MAX + 1, true },
		{ "binary", "text/plain", CALL_BINARY_MAX, false },
		{ "binary", "text/plain", 5 * CALL_BINARY_MAX, true },
		{ "file", "text/plain", 1, true },
		{ "file", "text/plain", 0, true },
		{ "auto", "text/plain", 10, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct file_sink f;
		struct headers h = { 0 };
		struct err e = ERR_INIT;
		char *body = NULL;
		(void)headers_add(&arena, &h, STR("Content-Type"), str_c(rows[i].type), NULL);
		file_sink_init(&f, spec_of(rows[i].answer), &no_limits, store_files(store));
		assert_true(feed(&f, &h, rows[i].n, &e));
		bool is_gathered = f.way == CALL_GATHER;
		struct call_answer x = answer_of(&f, &h, HTTP_ERROR_NONE, &body);
		if ((x.file.ptr != NULL) != rows[i].is_file)
			fail_msg("row %zu", i);
		assert_int_equal(x.file.ptr ? x.file_bytes : is_gathered ? rows[i].n : x.body.len, rows[i].n);
		uint64_t size = 0;
		if (x.file.ptr)
			assert_int_equal(files_size(store_files(store), x.file, &size, &e), 0);
		assert_int_equal(size, x.file.ptr ? rows[i].n : 0);
		assert_str(x.file.ptr ? x.file_name : STR("f.bin"), "f.bin");
		free(body);
	}
}

/* What is cut off has neither a file nor half a body: it is an error. */
TEST(an_answer_that_ends_early_leaves_nothing)
{
	struct headers h = { 0 };
	const size_t sizes[] = { 10, 3 * CALL_BINARY_MAX };
	(void)headers_add(&arena, &h, STR("Content-Type"), STR("image/png"), NULL);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct file_sink f;
		struct err e = ERR_INIT;
		char *body = NULL;
		file_sink_init(&f, spec_of("auto"), &no_limits, store_files(store));
		assert_true(feed(&f, &h, sizes[i], &e));
		struct call_answer x = answer_of(&f, &h, HTTP_ERROR_TRUNCATED, &body);
		assert_int_equal(x.error, HTTP_ERROR_TRUNCATED);
		assert_null(x.file.ptr);
		assert_null(body);
		assert_null(f.writer);
	}
}

TEST(a_folder_that_cannot_be_written_ends_the_transfer)
{
	struct file_sink f;
	struct headers h = { 0 };
	struct err e = ERR_INIT;
	assert_int_equal(setenv("TMPDIR", "/nowhere", 1), 0);
	file_sink_init(&f, spec_of("file"), &no_limits, store_files(store));
	assert_false(feed(&f, &h, 1, &e));
	assert_non_null(strstr(e.msg, "/nowhere"));
	file_sink_done(&f);
	assert_int_equal(unsetenv("TMPDIR"), 0);
}

TEST(the_limit_is_the_settings_or_that_of_files)
{
	struct file_sink f;
	file_sink_init(&f, spec_of("file"), &no_limits, store_files(store));
	assert_int_equal(f.face.max_body, CALL_FILE_ANSWER_MAX);
	file_sink_init(&f, spec_of("file"), &(struct call_limits){ .max_body = 5, .total_timeout = 7 },
		       store_files(store));
	assert_int_equal(f.face.max_body, 5);
	assert_int_equal(f.face.total_timeout, 7);
}

#define SINK_CLAIM(name) cmocka_unit_test_setup_teardown(name, sink_begin, sink_end)
RUN_TESTS(SINK_CLAIM(a_binary_answer_spills_beyond_what_an_item_takes),
	  SINK_CLAIM(an_answer_that_ends_early_leaves_nothing),
	  SINK_CLAIM(a_folder_that_cannot_be_written_ends_the_transfer),
	  SINK_CLAIM(the_limit_is_the_settings_or_that_of_files))
