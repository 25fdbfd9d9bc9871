/* SPDX-License-Identifier: Apache-2.0 */
/* What takes space, and what goes: GET /storage, POST /storage/prune. */
#include "api_test.h"

#define KEEP_RUNS (INT64_C(30) * 86400 * 1000)

static void storage_server(struct server *s, bool on_disk)
{
	struct err e = ERR_INIT;
	*s = (struct server){ .api = NULL };
	arena_init(&s->arena, 0);
	world_init(&s->w, on_disk);
	peer_open(&s->w);
	struct api_config config = {
		.loop = s->w.loop, .store = s->w.store, .services = &services, .env = step_env, .keep_runs = KEEP_RUNS
	};
	if (api_open(&s->api, &config, &e) < 0)
		fail_msg("%s", e.msg);
	import(s);
}

/* A run of so many items, from 1 on. */
static void run_of(struct server *s, unsigned items)
{
	struct buf b;
	buf_init(&b, 1u << 20);
	(void)buf_append_str(&b, STR("{\"items\":["));
	for (unsigned i = 1; i <= items; i++)
		(void)buf_append_str(&b, str_c(arena_printf(&s->arena, "%s{\"n\":%u}", i > 1 ? "," : "", i)));
	(void)buf_append_str(&b, STR("]}"));
	struct reply r = ask(s, "POST", "/api/v1/components/t/dataflows/d/runs", JSON_TYPE "Prefer: wait=30\r\n",
			     arena_c(&s->arena, buf_str(&b)));
	buf_done(&b);
	assert_status(r, 200);
}

/* The sums, once they are there. */
static struct reply gathered(struct server *s, const char *path)
{
	struct reply r = get(s, path);
	while (r.status == 200 && strcmp(at(s, &r, "/computing"), "true") == 0)
		r = get(s, "/api/v1/storage");
	assert_status(r, 200);
	return r;
}

static long long number_at(struct server *s, const struct reply *r, const char *pointer)
{
	return atoll(at(s, r, pointer));
}

/* Rows of a kind; -1 when it is not there. */
static long long rows_of(struct server *s, const struct reply *r, const char *what)
{
	for (int i = 0;; i++) {
		const char *got = at(s, r, arena_printf(&s->arena, "/kinds/%d/what", i));
		if (strcmp(got, "(absent)") == 0)
			return -1;
		if (strcmp(got, arena_printf(&s->arena, "\"%s\"", what)) == 0)
			return number_at(s, r, arena_printf(&s->arena, "/kinds/%d/rows", i));
	}
}

TEST(sums_are_gathered_when_somebody_asks_and_kept_until_asked_afresh)
{
	struct server s;
	storage_server(&s, true);
	run_of(&s, 3);
	assert_status(ask(&s, "POST", "/api/v1/files?name=a.txt", "Content-Type: text/plain\r\n", "twelve bytes"), 201);
	struct reply r = get(&s, "/api/v1/storage");
	assert_status(r, 200);
	assert_at(&s, r, "/computing", "true");
	assert_at(&s, r, "/computed_at", "null");
	assert_at(&s, r, "/kinds", "null");
	assert_at(&s, r, "/retention/keep_runs_ms", "2592000000");
	assert_at(&s, r, "/pruning", "null");
	assert_true(number_at(&s, &r, "/database/bytes") > 0 && number_at(&s, &r, "/database/used") > 0);
	assert_true(number_at(&s, &r, "/database/log") > 0);
	assert_true(number_at(&s, &r, "/disk/free") > 0);
	assert_true(number_at(&s, &r, "/disk/free") <= number_at(&s, &r, "/disk/size"));
	r = gathered(&s, "/api/v1/storage");
	assert_int_equal(rows_of(&s, &r, "requests"), 3);
	assert_int_equal(rows_of(&s, &r, "answers"), 3);
	assert_int_equal(rows_of(&s, &r, "lines of entries"), 3);
	assert_int_equal(rows_of(&s, &r, "entries"), 3);
	assert_true(rows_of(&s, &r, "components") >= 1);
	assert_at(&s, r, "/files", "{\"count\":1,\"bytes\":12}");
	assert_at(&s, r, "/runs/total", "1");
	assert_at(&s, r, "/runs/measured", "1");
	assert_at(&s, r, "/runs/top/0/id", "\"1\"");
	assert_at(&s, r, "/runs/top/0/component", "\"t\"");
	assert_at(&s, r, "/runs/top/0/state", "\"done\"");
	assert_true(number_at(&s, &r, "/runs/top/0/bytes") > 100);
	assert_at(&s, r, "/runs/oldest/id", "\"1\"");
	assert_at(&s, r, "/problem", "null");
	run_of(&s, 2);
	r = get(&s, "/api/v1/storage");
	assert_at(&s, r, "/computing", "false");
	assert_at(&s, r, "/runs/total", "1");
	r = gathered(&s, "/api/v1/storage?fresh=1");
	assert_at(&s, r, "/runs/total", "2");
	assert_int_equal(rows_of(&s, &r, "requests"), 5);
	r = get(&s, "/api/v1/storage?fresh=yes");
	assert_problem(&s, r, 400, "invalid_query");
	server_close(&s);
}

TEST(the_twenty_that_take_most_are_named_the_largest_first)
{
	struct server s;
	storage_server(&s, true);
	for (unsigned i = 0; i < 25; i++)
		run_of(&s, 1 + i * 7 % 25);	  /* every number of items from 1 to 25 */
	for (int round = 0; round < 2; round++) { /* the second one remembers */
		struct reply r = gathered(&s, "/api/v1/storage?fresh=1");
		assert_at(&s, r, "/runs/measured", "25");
		assert_at(&s, r, "/runs/top/20", "(absent)");
		assert_at(&s, r, "/runs/top/0/id", "\"8\""); /* 1 + 7 * 7 % 25 = 25 items */
		long long before = number_at(&s, &r, "/runs/top/0/bytes");
		for (int i = 1; i < 20; i++) {
			long long bytes = number_at(&s, &r, arena_printf(&s.arena, "/runs/top/%d/bytes", i));
			assert_true(bytes > 0 && bytes <= before);
			before = bytes;
		}
		run_of(&s, 25);
		r = gathered(&s, "/api/v1/storage?fresh=1");
		assert_at(&s, r, "/runs/measured", "26");
		struct reply gone = ask(&s, "DELETE", arena_printf(&s.arena, "/api/v1/runs/%d", 26 + round), "", NULL);
		assert_status(gone, 200);
	}
	server_close(&s);
}

struct stored {
	struct loop *loop;
	int64_t id;
	bool is_over;
};

static void on_stored(void *arg, const struct store_result *r)
{
	struct stored *w = arg;
	assert_int_equal(r->error, STORE_OK);
	w->id = r->id;
	w->is_over = true;
	loop_stop(w->loop);
}

static int64_t stored(struct server *s, const struct run_row *row)
{
	struct stored w = { .loop = s->w.loop };
	struct err e = ERR_INIT;
	assert_int_equal(row->id ? store_run_update(s->w.store, row, on_stored, &w, &e)
				 : store_run_create(s->w.store, row, on_stored, &w, &e),
			 0);
	while (!w.is_over)
		(void)loop_run(s->w.loop);
	return w.id;
}

TEST(the_state_of_a_run_is_as_of_now_and_not_as_of_the_survey)
{
	struct server s;
	storage_server(&s, true);
	struct run_row row = { .component = STR("t"),
			       .dataflow = STR("d"),
			       .version = STR("v"),
			       .env = STR("live"),
			       .trigger = STR("api"),
			       .state = RUN_RUNNING,
			       .started_at = 1000,
			       .steps = STR("[]") };
	row.id = stored(&s, &row);
	run_of(&s, 1);
	struct reply r = gathered(&s, "/api/v1/storage");
	assert_at(&s, r, "/runs/top/1/id", "\"1\"");
	assert_at(&s, r, "/runs/top/1/state", "\"interrupted\"");
	assert_at(&s, r, "/runs/top/1/ended_at", "null");
	row.state = RUN_DONE;
	row.ended_at = 2000;
	(void)stored(&s, &row);
	r = get(&s, "/api/v1/storage");
	assert_at(&s, r, "/computing", "false");
	assert_at(&s, r, "/runs/top/1/state", "\"done\"");
	assert_at(&s, r, "/runs/top/1/ended_at", "\"1970-01-01T00:00:02.000Z\"");
	assert_status(ask(&s, "DELETE", "/api/v1/runs/1", "", NULL), 200);
	r = get(&s, "/api/v1/storage");
	assert_at(&s, r, "/runs/top/0/id", "\"2\"");
	assert_at(&s, r, "/runs/top/1", "(absent)");
	server_close(&s);
}

TEST(a_server_in_memory_has_neither_disk_nor_files)
{
	struct server s;
	storage_server(&s, false);
	run_of(&s, 2);
	struct reply r = gathered(&s, "/api/v1/storage");
	assert_at(&s, r, "/disk", "null");
	assert_at(&s, r, "/files", "null");
	assert_int_equal(rows_of(&s, &r, "requests"), 2);
	assert_true(number_at(&s, &r, "/database/bytes") > 0);
	server_close(&s);
}

TEST(a_server_may_end_while_sums_are_gathered)
{
	for (int on_disk = 0; on_disk < 2; on_disk++) {
		struct server s;
		storage_server(&s, on_disk);
		run_of(&s, 1);
		struct reply r = get(&s, "/api/v1/storage");
		assert_at(&s, r, "/computing", "true");
		server_close(&s);
	}
}

#define PRUNE "/api/v1/storage/prune"

TEST(a_dry_round_says_what_would_go_and_changes_nothing)
{
	struct server s;
	storage_server(&s, true);
	for (int i = 0; i < 4; i++)
		run_of(&s, 2);
	struct reply r = post(&s, PRUNE, "{\"keep\":1,\"dry_run\":true}");
	assert_status(r, 200);
	assert_at(&s, r, "/dry_run", "true");
	assert_at(&s, r, "/runs", "3");
	assert_at(&s, r, "/refused", "0");
	assert_at(&s, r, "/items/0/id", "\"1\"");
	assert_at(&s, r, "/items/0/refusal", "null");
	assert_at(&s, r, "/items/3", "(absent)");
	assert_at(&s, r, "/used_after", "null");
	long long sum = 0;
	for (int i = 0; i < 3; i++) {
		long long bytes = number_at(&s, &r, arena_printf(&s.arena, "/items/%d/bytes", i));
		assert_true(bytes > 0);
		sum += bytes;
	}
	assert_int_equal(number_at(&s, &r, "/bytes"), sum);
	r = get(&s, "/api/v1/runs");
	assert_at(&s, r, "/total", "4");
	r = post(&s, PRUNE, "{\"older_than\":\"1h\",\"dry_run\":true}");
	assert_at(&s, r, "/runs", "0");
	r = post(&s, PRUNE, "{\"states\":[\"failed\",\"partly done\"],\"dry_run\":true}");
	assert_at(&s, r, "/runs", "0");
	r = post(&s, PRUNE, "{\"states\":[\"done\"],\"max_size\":\"1KiB\",\"dry_run\":true}");
	assert_at(&s, r, "/runs", "4");
	server_close(&s);
}

TEST(a_round_prunes_what_it_said_and_the_newest_stay)
{
	struct server s;
	storage_server(&s, true);
	for (int i = 0; i < 4; i++)
		run_of(&s, 20);
	struct reply r = post(&s, PRUNE, "{\"keep\":1}");
	assert_status(r, 200);
	assert_at(&s, r, "/dry_run", "false");
	assert_at(&s, r, "/runs", "3");
	assert_at(&s, r, "/items/0/bytes", "null");
	assert_true(number_at(&s, &r, "/used_after") <= number_at(&s, &r, "/used_before"));
	assert_int_equal(number_at(&s, &r, "/bytes"),
			 number_at(&s, &r, "/used_before") - number_at(&s, &r, "/used_after"));
	r = get(&s, "/api/v1/runs");
	assert_at(&s, r, "/total", "1");
	assert_at(&s, r, "/items/0/id", "\"4\"");
	r = get(&s, "/api/v1/components/t/entries");
	assert_at(&s, r, "/total", "20");
	r = post(&s, PRUNE, "{\"keep\":1}");
	assert_at(&s, r, "/runs", "0");
	server_close(&s);
}

TEST(a_round_that_nobody_can_mean_is_refused_with_its_place)
{
	static const struct {
		const char *body, *pointer;
	} wrong[] = {
		{ "{}", "\"\"" },
		{ "[]", "\"\"" },
		{ "{\"dry_run\":true}", "\"\"" },
		{ "{\"older_than\":\"soon\"}", "\"/older_than\"" },
		{ "{\"older_than\":30}", "\"/older_than\"" },
		{ "{\"older_than\":\"0s\"}", "\"/older_than\"" },
		{ "{\"keep\":0}", "\"/keep\"" },
		{ "{\"keep\":\"1\"}", "\"/keep\"" },
		{ "{\"keep\":-3}", "\"/keep\"" },
		{ "{\"states\":[]}", "\"/states\"" },
		{ "{\"states\":\"done\"}", "\"/states\"" },
		{ "{\"states\":[\"done\",\"running\"]}", "\"/states\"" },
		{ "{\"states\":[\"needs attention\"]}", "\"/states\"" },
		{ "{\"max_size\":\"large\"}", "\"/max_size\"" },
		{ "{\"max_size\":1000}", "\"/max_size\"" },
		{ "{\"keep\":1,\"dry_run\":\"yes\"}", "\"/dry_run\"" },
	};
	struct server s;
	storage_server(&s, false);
	run_of(&s, 1);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct reply r = post(&s, PRUNE, wrong[i].body);
		assert_problem(&s, r, 422, "invalid_prune");
		assert_at(&s, r, "/errors/0/pointer", wrong[i].pointer);
	}
	struct reply r = get(&s, "/api/v1/runs");
	assert_at(&s, r, "/total", "1");
	r = get(&s, PRUNE);
	assert_problem(&s, r, 405, "method_not_allowed");
	server_close(&s);
}

RUN_TESTS(CLAIM(sums_are_gathered_when_somebody_asks_and_kept_until_asked_afresh),
	  CLAIM(the_twenty_that_take_most_are_named_the_largest_first),
	  CLAIM(the_state_of_a_run_is_as_of_now_and_not_as_of_the_survey),
	  CLAIM(a_server_in_memory_has_neither_disk_nor_files), CLAIM(a_server_may_end_while_sums_are_gathered),
	  CLAIM(a_dry_round_says_what_would_go_and_changes_nothing),
	  CLAIM(a_round_prunes_what_it_said_and_the_newest_stay),
	  CLAIM(a_round_that_nobody_can_mean_is_refused_with_its_place))
