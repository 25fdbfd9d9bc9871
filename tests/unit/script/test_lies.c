/* SPDX-License-Identifier: Apache-2.0 */
/* T9: workers that lie, babble, or are never ready. The memory setting tells this test's worker which lie to tell. */
#include "loop/wire.h"
#include "pool_support.h"
#include "script/script_wire.h"

#include <sys/socket.h>
#include <unistd.h>

enum lie {
	LIE_NONE = 1,
	LIE_NO_MAGIC,
	LIE_HUGE_LENGTH,
	LIE_EMPTY,
	LIE_UNKNOWN_MESSAGE,
	LIE_OTHER_JOB,
	LIE_LATER_ITEM,
	LIE_TWICE,
	LIE_TOO_MANY,
	LIE_NONE_AT_ALL,
	LIE_SHORT,
	LIE_LONG_TEXT,
	LIE_LEFT_OVER,
	LIE_ODD_ERROR,
	LIE_LONG_MESSAGE,
	LIE_BAD_UTF8,
	LIE_READY_AGAIN,
	LIE_END,
	/* these end otherwise */
	LIE_NO_JSON,
	LIE_NO_OBJECT,
	LIE_NEVER_READY,
	LIE_BAD_READY,
	LIE_UNAVAILABLE,
	LIE_LATE,
};

static void put_head(struct buf *b, uint64_t job, uint32_t first, uint32_t n)
{
	script_put_u8(b, SCRIPT_ANSWERS);
	script_put_u64(b, job);
	script_put_u8(b, 0);
	script_put_u32(b, first);
	script_put_u32(b, n);
}

static void put_answer(struct buf *b, uint8_t error, struct str text)
{
	script_put_u8(b, error);
	script_put_u32(b, 0);
	script_put_u32(b, 0);
	script_put_text(b, text);
}

static void tell(enum lie lie, uint64_t job)
{
	static char longer[SCRIPT_DETAIL_MAX + 1];
	struct buf b;

	memset(longer, 'x', sizeof(longer));
	buf_init(&b, 1 << 20);
	put_head(&b, lie == LIE_OTHER_JOB ? job + 1 : job, lie == LIE_LATER_ITEM,
		 lie == LIE_TOO_MANY ? 2 : lie != LIE_NONE_AT_ALL);
	if (lie == LIE_ODD_ERROR)
		put_answer(&b, SCRIPT_KILLED, STR("x"));
	else if (lie == LIE_LONG_MESSAGE)
		put_answer(&b, SCRIPT_THREW, str_from(longer, sizeof(longer)));
	else if (lie == LIE_BAD_UTF8)
		put_answer(&b, SCRIPT_THREW, STR("\xff"));
	else if (lie != LIE_NONE_AT_ALL)
		put_answer(&b, SCRIPT_OK,
			   lie == LIE_NO_JSON	  ? STR("{")
			   : lie == LIE_NO_OBJECT ? STR("5")
						  : STR("{\"a\":1}"));
	if (lie == LIE_TOO_MANY)
		put_answer(&b, SCRIPT_OK, STR("{}"));
	if (lie == LIE_LEFT_OVER)
		script_put_u8(&b, 7);
	if (lie == LIE_LONG_TEXT)
		script_patch_u32(&b, b.len - 11, 1u << 31);
	if (lie == LIE_SHORT)
		b.len -= 3;
	if (lie == LIE_EMPTY)
		b.len = 0;
	if (lie == LIE_UNKNOWN_MESSAGE)
		b.ptr[0] = 99;
	if (lie == LIE_READY_AGAIN)
		b.ptr[0] = SCRIPT_READY;
	(void)wire_write_frame(3, buf_str(&b));
	if (lie == LIE_TWICE)
		(void)wire_write_frame(3, buf_str(&b));
	buf_done(&b);
}

static void say_ready(enum lie lie)
{
	static const struct str bad = STR("A\1\0\0"), ready = STR("A\0\0\0\0\0\0\0\0\0"),
				missing = STR("A\10\0\0\0\0\5\0\0\0no JS");

	if (lie == LIE_NEVER_READY)
		_exit(3);
	(void)wire_write_frame(3, lie == LIE_BAD_READY ? bad : lie == LIE_UNAVAILABLE ? missing : ready);
}

static int liar_main(int argc, char **argv)
{
	enum lie lie = LIE_NONE;
	struct buf in;

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--memory=", 9) == 0)
			lie = (enum lie)strtoul(argv[i] + 9, NULL, 10);
	}
	buf_init(&in, SCRIPT_FRAME_MAX);
	say_ready(lie);
	while (wire_read_frame(3, &in) == 1) {
		struct script_reader r = script_reader(buf_str(&in));
		struct script_batch batch;
		if (script_read_u8(&r) != SCRIPT_BATCH || !script_read_batch(&r, &batch))
			continue;
		if (lie == LIE_NO_MAGIC)
			(void)send(3, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL);
		else if (lie == LIE_HUGE_LENGTH)
			(void)send(3, "WIR1\377\377\377\177", 8, MSG_NOSIGNAL);
		else if (lie == LIE_LATE)
			(void)usleep(1000000), tell(lie, batch.job);
		else
			tell(lie, batch.job);
	}
	return 0;
}

static struct bench *bench_of(enum lie lie)
{
	return bench_new((struct script_config){ .memory = lie, .deadline = lie == LIE_LATE ? 300 : 10000 });
}

TEST(a_worker_that_tells_the_truth_is_believed)
{
	struct bench *b = bench_of(LIE_NONE);

	assert_gives(b, "", "{}", "{\"a\":1}");
	assert_gives(b, "", "{}", "{\"a\":1}");
	bench_free(b);
}

TEST(a_worker_that_lies_is_killed_and_its_item_fails)
{
	for (int lie = LIE_NONE + 1; lie < LIE_END; lie++) {
		struct bench *b = bench_of(lie);
		bench_run(b, "", "{}");
		/* The second of two equal frames comes when nobody waits any more. */
		enum script_error expected = lie == LIE_TWICE ? SCRIPT_OK : SCRIPT_KILLED;
		if (b->got[0].error != expected)
			fail_msg("lie %d: %s: %s", lie, script_error_name(b->got[0].error), b->got[0].detail);
		bench_free(b);
	}
}

TEST(a_result_that_is_no_json_fails_its_item)
{
	struct bench *b = bench_of(LIE_NO_JSON);

	assert_fails(b, "", SCRIPT_BAD_RESULT, "invalid JSON");
	bench_free(b);
	b = bench_of(LIE_NO_OBJECT);
	assert_fails(b, "", SCRIPT_BAD_RESULT, "no object");
	bench_free(b);
}

TEST(an_answer_after_the_deadline_comes_to_nothing)
{
	struct bench *b = bench_of(LIE_LATE);

	assert_fails(b, "", SCRIPT_TIMEOUT, "300 ms");
	bench_free(b);
}

TEST(workers_that_cannot_start_make_scripts_unavailable)
{
	struct bench *b = bench_of(LIE_NEVER_READY);

	assert_fails(b, "", SCRIPT_UNAVAILABLE, "cannot be started: the worker ended with code 3");
	assert_fails(b, "", SCRIPT_UNAVAILABLE, "cannot be started");
	bench_free(b);
	b = bench_of(LIE_BAD_READY);
	assert_fails(b, "", SCRIPT_UNAVAILABLE, "cannot be started");
	bench_free(b);
	b = bench_of(LIE_UNAVAILABLE);
	assert_fails(b, "", SCRIPT_UNAVAILABLE, "no JS");
	bench_free(b);
	b = bench_new((struct script_config){ .program = "/does/not/exist" });
	assert_fails(b, "", SCRIPT_UNAVAILABLE, "/does/not/exist");
	bench_free(b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CLAIM(a_worker_that_tells_the_truth_is_believed),
		CLAIM(a_worker_that_lies_is_killed_and_its_item_fails),
		CLAIM(a_result_that_is_no_json_fails_its_item),
		CLAIM(an_answer_after_the_deadline_comes_to_nothing),
		CLAIM(workers_that_cannot_start_make_scripts_unavailable),
	};
	if (argc > 1 && strcmp(argv[1], "--role=script") == 0)
		return liar_main(argc, argv);
	log_setup(LOG_OFF, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
