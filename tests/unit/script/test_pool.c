/* SPDX-License-Identifier: Apache-2.0 */
/* Queue, fairness, cancel, and the life of workers. */
#include "pool_support.h"

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

static int order[2048];
static size_t n_order;
static struct bench *order_bench;

static void on_order(void *arg, const struct script_result *results, size_t n)
{
	order[n_order++] = (int)(intptr_t)arg;
	assert_int_equal(results[0].error, SCRIPT_OK);
	if (--order_bench->waiting == 0)
		loop_stop(order_bench->loop);
}

static void start_ordered(struct bench *b, struct script_program *p, uint64_t realm, int tag)
{
	static struct value item;
	struct script_item one = { .input = &item, .arena = &b->arena };
	struct script_realm r = { .id = realm, .now = NOW };

	item = value_object();
	order_bench = b;
	b->waiting++;
	assert_non_null(script_run(b->pool, p, &r, &one, 1, on_order, (void *)(intptr_t)tag, NULL));
}

TEST(a_thousand_jobs_wait_their_turn)
{
	struct bench *b = bench_new((struct script_config){ .workers = 2 });
	struct script_program *p = bench_program(SCRIPT_ITEM, "item.a = 1");

	n_order = 0;
	for (int i = 0; i < 1000; i++)
		start_ordered(b, p, (uint64_t)i % 7, i);
	bench_wait(b);
	assert_int_equal(n_order, 1000);
	script_program_unref(p);
	bench_free(b);
}

TEST(a_run_with_many_jobs_does_not_delay_another)
{
	struct bench *b = bench_new((struct script_config){ 0 });
	struct script_program *p = bench_program(SCRIPT_ITEM, "");
	size_t last = 0;

	n_order = 0;
	for (int i = 0; i < 100; i++)
		start_ordered(b, p, 1, 1);
	for (int i = 0; i < 5; i++)
		start_ordered(b, p, 2, 2);
	bench_wait(b);
	for (size_t i = 0; i < n_order; i++) {
		if (order[i] == 2)
			last = i;
	}
	assert_true(last < 12); /* in turn: 1 2 1 2 ... */
	script_program_unref(p);
	bench_free(b);
}

static void on_never(void *arg, const struct script_result *results, size_t n)
{
	fail_msg("a callback after cancel");
}

TEST(a_cancelled_job_calls_nobody)
{
	struct bench *b = bench_new((struct script_config){ .deadline = 600 });
	struct script_program *p =
	    bench_program(SCRIPT_ITEM, "let s = 0; for (let i = 0; i < 1e7; i++) s += i; item.s = s");
	struct value item = value_object();
	struct script_item one = { .input = &item, .arena = &b->arena };
	struct script_realm r = { .id = 1, .now = NOW };

	struct script_job *queued = script_run(b->pool, p, &r, &one, 1, on_never, NULL, NULL);
	script_cancel(queued);
	/* This one is at work when it is cancelled, from the callback of another. */
	script_pool_warm(b->pool);
	assert_gives(b, "", "{}", "{}");
	struct script_job *working = script_run(b->pool, p, &r, &one, 1, on_never, NULL, NULL);
	const char *json = "{}";
	struct script_program *q = bench_program(SCRIPT_ITEM, "item.a = 1");
	(void)bench_start(b, q, 2, &json, 1);
	script_cancel(working);
	bench_wait(b);
	assert_string_equal(b->got[0].json, "{\"a\":1}");
	script_program_unref(p);
	script_program_unref(q);
	bench_free(b);
}

struct at_work {
	struct loop_timer timer;
	struct bench *b;
	struct script_job *job;
};

static void on_moment(struct loop_timer *t)
{
	struct at_work *w = CONTAINER_OF(t, struct at_work, timer);
	const char *json = "{}";
	struct script_program *q = bench_program(SCRIPT_ITEM, "item.a = 1");

	script_cancel(w->job);
	(void)bench_start(w->b, q, 2, &json, 1);
	script_program_unref(q);
}

TEST(a_job_cancelled_at_work_frees_its_worker_in_the_end)
{
	struct bench *b = bench_new((struct script_config){ .deadline = 500 });
	struct script_program *p = bench_program(SCRIPT_ITEM, "for (;;) {}");
	struct value item = value_object();
	struct script_item one = { .input = &item, .arena = &b->arena };
	struct script_realm r = { .id = 1, .now = NOW };
	struct at_work w = { .b = b };

	assert_gives(b, "", "{}", "{}");
	w.job = script_run(b->pool, p, &r, &one, 1, on_never, NULL, NULL);
	loop_timer_init(b->loop, &w.timer, on_moment);
	assert_int_equal(loop_timer_start(&w.timer, 50), 0);
	(void)loop_run(b->loop);
	assert_string_equal(b->got[0].json, "{\"a\":1}");
	script_program_unref(p);
	bench_free(b);
}

static void on_done_free(void *arg, const struct script_result *results, size_t n)
{
	struct bench *b = arg;

	script_pool_free(b->pool);
	b->pool = NULL;
	loop_stop(b->loop);
}

TEST(a_callback_may_free_the_pool)
{
	struct bench *b = bench_new((struct script_config){ 0 });
	struct script_program *p = bench_program(SCRIPT_ITEM, "");
	struct value item = value_object();
	struct script_item one = { .input = &item, .arena = &b->arena };
	struct script_realm r = { .id = 1, .now = NOW };

	assert_non_null(script_run(b->pool, p, &r, &one, 1, on_done_free, b, NULL));
	assert_non_null(script_run(b->pool, p, &r, &one, 1, on_never, NULL, NULL));
	(void)loop_run(b->loop);
	script_program_unref(p);
	bench_free(b);
}

/* Children of ours that are workers. */
static int workers(int *ret_pid)
{
	char path[300], text[4096];
	int n = 0, children = 0;
	DIR *d = opendir("/proc");

	for (struct dirent *entry; d && (entry = readdir(d));) {
		int parent = 0;
		char state = 0;
		(void)snprintf(path, sizeof(path), "/proc/%.200s/stat", entry->d_name);
		FILE *f = entry->d_name[0] >= '0' && entry->d_name[0] <= '9' ? fopen(path, "r") : NULL;
		if (!f)
			continue;
		char *end = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
		n = end ? sscanf(end, ") %c %d", &state, &parent) : 0;
		(void)fclose(f);
		if (n == 2 && parent == getpid() && state != 'Z') {
			children++;
			*ret_pid = atoi(entry->d_name);
		}
	}
	if (d)
		(void)closedir(d);
	return children;
}

/* Those of the test before may still be dying. */
static void await_no_workers(void)
{
	int pid = 0;

	while (workers(&pid) > 0)
		(void)usleep(1000);
}

static void on_look(struct loop_timer *t)
{
	int pid = 0;

	if (workers(&pid) == 0)
		loop_stop(t->loop);
	else
		(void)loop_timer_start(t, 20);
}

TEST(workers_start_when_needed_and_leave_when_idle)
{
	struct bench *b = bench_new((struct script_config){ .idle_stop = 100 });
	struct loop_timer look;
	int pid = 0;

	await_no_workers();
	assert_gives(b, "item.a = 1", "{}", "{\"a\":1}");
	assert_int_equal(workers(&pid), 1);
	loop_timer_init(b->loop, &look, on_look);
	(void)loop_timer_start(&look, 20);
	(void)loop_run(b->loop);
	assert_gives(b, "item.a = 2", "{}", "{\"a\":2}");
	bench_free(b);
}

TEST(a_worker_killed_from_outside_is_replaced)
{
	struct bench *b = bench_new((struct script_config){ 0 });
	int pid = 0;

	await_no_workers();
	assert_gives(b, "", "{}", "{}");
	assert_int_equal(workers(&pid), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	bench_run(b, "item.a = 1", "{}");
	/* Either its death was seen first, or the job was under way: then it fails once. */
	if (b->got[0].error)
		assert_int_equal(b->got[0].error, SCRIPT_KILLED);
	assert_gives(b, "item.a = 1", "{}", "{\"a\":1}");
	bench_free(b);
}

TEST(programs_are_checked_when_made)
{
	struct err e = ERR_INIT;
	struct str two[] = { STR("1"), STR("2") };
	struct str nul = STR("a\0b"), bad = STR("\xff");
	char *long_text = malloc(SCRIPT_SOURCE_MAX + 1);

	memset(long_text, ' ', SCRIPT_SOURCE_MAX + 1);
	struct str longer = str_from(long_text, SCRIPT_SOURCE_MAX + 1);
	assert_null(script_program_new(SCRIPT_ITEM, two, 2, NULL, &e));
	assert_null(script_program_new(SCRIPT_EXPRS, two, 0, NULL, &e));
	assert_null(script_program_new(SCRIPT_ITEM, &nul, 1, NULL, &e));
	assert_non_null(strstr(e.msg, "NUL"));
	assert_null(script_program_new(SCRIPT_ITEM, &bad, 1, NULL, &e));
	assert_null(script_program_new(SCRIPT_ITEM, &longer, 1, NULL, &e));
	assert_int_equal(e.code, -ERR_LIMIT);
	free(long_text);
}

TEST(each_error_has_a_name)
{
	assert_string_equal(script_error_name(SCRIPT_TIMEOUT), "script_timeout");
	assert_string_equal(script_error_name(SCRIPT_UNAVAILABLE), "script_unavailable");
	assert_string_equal(script_error_name((enum script_error)99), "script_unknown");
}

WORKER_TESTS(CLAIM(a_thousand_jobs_wait_their_turn), CLAIM(a_run_with_many_jobs_does_not_delay_another),
	     CLAIM(a_cancelled_job_calls_nobody), CLAIM(a_job_cancelled_at_work_frees_its_worker_in_the_end),
	     CLAIM(a_callback_may_free_the_pool), CLAIM(workers_start_when_needed_and_leave_when_idle),
	     CLAIM(a_worker_killed_from_outside_is_replaced), CLAIM(programs_are_checked_when_made),
	     CLAIM(each_error_has_a_name))
