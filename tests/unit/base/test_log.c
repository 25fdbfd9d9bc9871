/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

static msec_t fixed_wall(void)
{
	return 1795453200123;
}

/* What `say` writes to stderr. */
static struct str capture(void (*say)(void), char *into, size_t size)
{
	char path[] = "/tmp/weir-test-log-XXXXXX";
	int fd = mkstemp(path), stderr_fd = dup(STDERR_FILENO);
	assert_true(fd >= 0 && stderr_fd >= 0);
	unlink(path);
	int flags = fcntl(fd, F_GETFL);
	fcntl(fd, F_SETFL, flags | O_APPEND);
	dup2(fd, STDERR_FILENO);
	clock_fake(fixed_wall, NULL);
	say();
	clock_fake(NULL, NULL);
	dup2(stderr_fd, STDERR_FILENO);
	close(stderr_fd);
	ssize_t n = pread(fd, into, size, 0);
	close(fd);
	assert_true(n >= 0);
	return str_from(into, (size_t)n);
}

static const struct log run = { NULL, "run", "17" };
static const struct log step = { &run, "step", "fore\"cast" };

static void say_text(void)
{
	log_setup(LOG_INFO, LOG_TEXT);
	log_info(&step, "call sent status=%d", 200);
	log_warn(NULL, "two\nlines\x1b[31m\xff \xc3\xa9");
	log_debug(&run, "not wanted");
}

TEST(text_lines_carry_parents_first_and_no_control_characters)
{
	char out[4096];
	assert_str(capture(say_text, out, sizeof(out)),
		   "2026-11-23T17:00:00.123Z info  run=17 step=fore\"cast  call sent status=200\n"
		   "2026-11-23T17:00:00.123Z warn   two\\nlines\\u001b[31m? \xc3\xa9\n");
}

static void say_json(void)
{
	log_setup(LOG_DEBUG, LOG_JSON);
	log_debug(&step, "say \"hi\"\\\n\xff\xc3\xa9");
	log_error(NULL, "plain");
	log_setup(LOG_OFF, LOG_JSON);
	log_error(NULL, "nobody hears this");
}

TEST(json_lines_are_json)
{
	char out[4096];
	struct str all = capture(say_json, out, sizeof(out));
	assert_str(
	    all, "{\"time\":\"2026-11-23T17:00:00.123Z\",\"level\":\"debug\",\"run\":\"17\",\"step\":\"fore\\\"cast\","
		 "\"message\":\"say \\\"hi\\\"\\\\\\n\\ufffd\xc3\xa9\"}\n"
		 "{\"time\":\"2026-11-23T17:00:00.123Z\",\"level\":\"error\",\"message\":\"plain\"}\n");
}

static char long_text[3 * LOG_LINE_MAX];
static struct log long_chain[20];

static void say_too_much(void)
{
	log_setup(LOG_DEBUG, LOG_JSON);
	for (size_t i = 0; i < ARRAY_LEN(long_chain); i++)
		long_chain[i] = (struct log){ i ? &long_chain[i - 1] : NULL, long_text, long_text };
	log_info(&long_chain[19], "%s", long_text);
	for (size_t i = 0; i < 6; i++)
		log_info(NULL, "%s", long_text + i);
}

TEST(lines_that_are_too_long_are_cut_and_stay_whole_json)
{
	static char out[16 * LOG_LINE_MAX];
	for (size_t i = 0; i + 7 < sizeof(long_text); i += 6)
		memcpy(long_text + i, "\xe2\x82\xac\"\n\\", 6);
	struct str all = capture(say_too_much, out, sizeof(out));
	int lines = 0;
	while (all.len > 0) {
		auto_arena struct arena a;
		struct value v;
		struct err e = ERR_INIT;
		struct str line = str_split(&all, '\n');
		arena_init(&a, 0);
		assert_true(line.len < LOG_LINE_MAX);
		if (json_parse(&a, line, &(struct json_options){ .duplicates = JSON_DUP_KEEP }, &v, NULL, &e) < 0)
			fail_msg("%s: %.*s", e.msg, STR_ARG(line));
		lines++;
	}
	assert_int_equal(lines, 7);
}

static void *chatter(void *arg)
{
	struct log who = { &run, "thread", arg };
	for (int i = 0; i < 200; i++)
		log_info(&who, "line %d", i);
	return NULL;
}

static void say_together(void)
{
	pthread_t threads[4];
	static char names[4][2] = { "a", "b", "c", "d" };
	log_setup(LOG_INFO, LOG_JSON);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_create(&threads[i], NULL, chatter, names[i]);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
}

TEST(threads_do_not_mix_their_lines)
{
	static char out[1 << 18];
	struct str all = capture(say_together, out, sizeof(out));
	int lines = 0;
	while (all.len > 0) {
		auto_arena struct arena a;
		struct value v;
		struct str line = str_split(&all, '\n');
		arena_init(&a, 0);
		assert_int_equal(json_parse(&a, line, NULL, &v, NULL, NULL), 0);
		lines++;
	}
	assert_int_equal(lines, 800);
}

static void say_errno(void)
{
	log_setup(LOG_INFO, LOG_TEXT);
	errno = ENOENT;
	log_error(NULL, "open: %m");
}

TEST(errno_passes_through)
{
	char out[4096];
	errno = 0;
	struct str line = capture(say_errno, out, sizeof(out));
	assert_true(str_find(line, STR("No such file")) > 0);
	errno = ENOSPC;
	log_setup(LOG_OFF, LOG_TEXT);
	log_error(NULL, "nothing");
	assert_int_equal(errno, ENOSPC);
}

TEST(levels_have_names)
{
	enum log_level level = LOG_OFF;
	assert_true(log_level_parse("debug", &level));
	assert_int_equal(level, LOG_DEBUG);
	assert_true(log_level_parse("warn", &level));
	assert_int_equal(level, LOG_WARN);
	assert_false(log_level_parse("WARN", &level));
	assert_false(log_level_parse("", &level));
	assert_int_equal(level, LOG_WARN);
}

RUN_TESTS(CLAIM(text_lines_carry_parents_first_and_no_control_characters), CLAIM(json_lines_are_json),
	  CLAIM(lines_that_are_too_long_are_cut_and_stay_whole_json), CLAIM(threads_do_not_mix_their_lines),
	  CLAIM(errno_passes_through), CLAIM(levels_have_names))
