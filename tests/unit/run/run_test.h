/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world to run in: a real loop, a real store (in memory or in a directory of its own), a plan from YAML over small
 * kinds, and one run at a time whose callbacks are counted. Nothing looks at the clock; a run that hangs is stopped by
 * a watchdog and fails the test.
 */
#pragma once
#include "base/auto.h"
#include "base/json.h"
#include "base/log.h"
#include "run/step_run.h"
#include "test.h"

#include <ftw.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <unistd.h>

#define WATCHDOG_MS 60000

/* ---- kinds ---- */

struct probe_opts {
	struct str mode;
	int64_t every;
	int order;
};
static const char *const probe_orders[] = { "keep", "any", NULL };
static const struct opt probe_rows[] = {
	OPT_STRING(struct probe_opts, mode, 0, "", 0, 20, "What to do."),
	OPT_INT(struct probe_opts, every, "1", 1, 1000000, "To which items."),
	OPT_ENUM(struct probe_opts, order, "keep", probe_orders, "Order."),
	OPT_END,
};

/* How often kinds were asked, over all runs of a test. */
static struct probe {
	int starts, opens, closes, fails, records, entries;
	int stuck; /* items held by "stuck" now */
} probe;

static inline int64_t item_number(const struct item *it)
{
	int64_t n = -1;
	(void)value_to_int64(value_get_c(value_get_c(&it->root, "data"), "n"), &n);
	return n;
}

static enum verdict pass_start(struct step *s, struct item *it)
{
	probe.starts++;
	return STEP_DONE;
}

/* Fails every n-th item, in its start or later. */
static enum verdict fail_start(struct step *s, struct item *it)
{
	const struct probe_opts *o = step_opts(s);
	probe.starts++;
	if (it->seq % (uint64_t)o->every)
		return STEP_DONE;
	probe.fails++;
	(void)step_problem(s, it, "test_failed", "It failed", "item %llu was told to fail",
			   (unsigned long long)it->seq);
	if (str_eq_c(o->mode, "unknown"))
		it->state = ITEM_UNKNOWN;
	if (!str_eq_c(o->mode, "late"))
		return STEP_FAIL;
	struct value p = it->problem;
	step_fail(s, it, p, ITEM_FAILED);
	return STEP_WAIT;
}

/* Keeps items for a turn of the timer and lets them go from the last to the first. */
struct slow {
	struct step *step;
	struct loop_timer timer;
	struct list held;
};

static void slow_timer(struct loop_timer *t)
{
	struct slow *w = CONTAINER_OF(t, struct slow, timer);
	while (!list_is_empty(&w->held)) {
		struct item *it = LIST_ENTRY(w->held.prev, struct item, link);
		list_remove(&it->link);
		step_pass(w->step, it);
	}
}

static int slow_open(struct step *s, struct err *e)
{
	const struct probe_opts *o = step_opts(s);
	struct slow *w = calloc(1, sizeof(*w));
	probe.opens++;
	if (str_eq_c(o->mode, "broken")) {
		free(w);
		return err_set(e, ERR_STATE, "this step does not open");
	}
	w->step = s;
	list_init(&w->held);
	loop_timer_init(step_loop(s), &w->timer, slow_timer);
	step_set_state(s, w);
	if (o->order)
		step_set_order_any(s);
	return 0;
}

static enum verdict slow_start(struct step *s, struct item *it)
{
	struct slow *w = step_state(s);
	const struct probe_opts *o = step_opts(s);
	if (str_eq_c(o->mode, "odd") && it->seq % 2 == 0)
		return STEP_DONE;
	list_add_last(&w->held, &it->link);
	if (str_eq_c(o->mode, "stuck"))
		probe.stuck++;
	return STEP_WAIT;
}

static void slow_flush(struct step *s)
{
	struct slow *w = step_state(s);
	const struct probe_opts *o = step_opts(s);
	if (!str_eq_c(o->mode, "stuck"))
		(void)loop_timer_start(&w->timer, 1);
}

static void slow_close(struct step *s)
{
	struct slow *w = step_state(s);
	probe.closes++;
	if (!w)
		return;
	loop_timer_stop(&w->timer);
	LIST_FOREACH (node, &w->held)
		list_remove(node);
	free(w);
	step_set_state(s, NULL);
}

/* Sets item._tag (mode), to see whether branches share. */
static enum verdict tag_start(struct step *s, struct item *it)
{
	const struct probe_opts *o = step_opts(s);
	(void)value_set(&it->arena, &it->root, STR("_tag"), value_string(o->mode));
	return STEP_DONE;
}

/* Does a thing once: an intent with callback, then an outcome without; what is recorded is not done again. */
static void note_recorded(struct step *s, struct item *it)
{
	struct ledger_row row = { .key = step_key(s, it, 1),
				  .kind = LEDGER_OUTCOME,
				  .at = 1,
				  .code = 200,
				  .head = STR("{}"),
				  .body = STR("done") };
	step_record(s, it, &row, NULL);
	step_pass(s, it);
}

static enum verdict note_start(struct step *s, struct item *it)
{
	struct ledger_row row = { .key = step_key(s, it, 1), .kind = LEDGER_INTENT, .at = 1, .head = STR("{}") };
	if (step_recorded(s, it, LEDGER_OUTCOME))
		return STEP_DONE;
	if (step_is_replay(s))
		return step_problem(s, it, "not_recorded", "Not recorded", "nothing is here");
	probe.records++;
	step_record(s, it, &row, note_recorded);
	return STEP_WAIT;
}

/* Creates an entry: a second one for the same item would be a conflict. */
static void save_done(struct step *s, struct item *it, const struct store_result *result)
{
	probe.entries += !result->was_recorded;
	if (result->error)
		step_fail(s, it, VALUE_NONE, ITEM_FAILED);
	else
		step_pass(s, it);
}

static enum verdict save_start(struct step *s, struct item *it)
{
	char key[32];
	struct entry_row row = { .component = STR("t"), .data = STR("{}"), .run = step_row(s)->id };
	if (step_is_replay(s))
		return STEP_DONE;
	(void)snprintf(key, sizeof(key), "%" PRId64, item_number(it));
	row.key = str_c(key);
	step_entry_write(s, it, ENTRY_CREATE, &row, save_done);
	return STEP_WAIT;
}

/* Makes `every` items of each, three a chunk, and says so in an outcome; goes on where an earlier process was cut off.
 */
static void many_go_on(struct step *s, struct item *it);

static void many_end(struct step *s, struct item *it)
{
	struct ledger_row row = {
		.key = step_key(s, it, 1), .kind = LEDGER_OUTCOME, .at = 1, .code = 200, .head = STR("{}")
	};
	if (!step_recorded(s, it, LEDGER_OUTCOME))
		step_record(s, it, &row, NULL);
	step_become(s, it);
}

static void many_go_on(struct step *s, struct item *it)
{
	const struct probe_opts *o = step_opts(s);
	uint64_t made = (uint64_t)(uintptr_t)it->step_data, count = 0;
	struct buf lines;
	if (made == (uint64_t)o->every) {
		many_end(s, it);
		return;
	}
	buf_init(&lines, 4096);
	for (; count < 3 && made < (uint64_t)o->every; count++, made++)
		(void)buf_printf(&lines, "{\"data\":{\"n\":%" PRId64 "},\"_k\":%" PRIu64 "}\n",
				 item_number(it) * 100 + (int64_t)made, made);
	it->step_data = (void *)(uintptr_t)made;
	step_make(s, it, buf_str(&lines), (uint32_t)count, made, STR("{}"), many_go_on);
	buf_done(&lines);
}

static enum verdict many_start(struct step *s, struct item *it)
{
	const struct ledger_row *made = step_recorded(s, it, LEDGER_MADE);
	it->step_data = made ? (void *)(uintptr_t)made->number : NULL;
	if (step_recorded(s, it, LEDGER_OUTCOME))
		many_end(s, it);
	else if (step_is_replay(s))
		return step_problem(s, it, "not_recorded", "Not recorded", "nothing is here");
	else
		many_go_on(s, it);
	return STEP_WAIT;
}

#define PROBE(kind_name, ...)                                                                                          \
	static const struct kind kind_##kind_name = { .name = #kind_name,                                              \
						      .title = #kind_name,                                             \
						      .brief = "A probe.",                                             \
						      .opts = probe_rows,                                              \
						      .opts_size = sizeof(struct probe_opts),                          \
						      __VA_ARGS__ }
PROBE(input, .is_source = true);
PROBE(pass, .start = pass_start);
PROBE(fail, .start = fail_start);
PROBE(slow, .open = slow_open, .start = slow_start, .flush = slow_flush, .close = slow_close);
PROBE(tag, .start = tag_start);
PROBE(note, .start = note_start);
PROBE(save, .start = save_start);
PROBE(many, .start = many_start);
PROBE(answer, .is_response = true);
static const struct kind *const probe_kinds[] = { &kind_input, &kind_pass, &kind_fail, &kind_slow,   &kind_tag,
						  &kind_note,  &kind_save, &kind_many, &kind_answer, NULL };
static UNUSED const struct flow_env probe_env = { .kinds = probe_kinds };

/* ---- the input ---- */

struct feeder {
	struct run *run;
	uint64_t n, at, per_read; /* lines in all, given, at a time (0 = all) */
	uint64_t bad_at;	  /* SOURCE_BAD before this one; 0 = never */
	bool is_shy;		  /* says LATER each other time */
	bool was_shy;
	struct loop_timer timer;
	const char *(*line)(uint64_t i); /* NULL = {"n":i} */
	int reads;
};

static inline void feeder_timer(struct loop_timer *t)
{
	run_source_ready(CONTAINER_OF(t, struct feeder, timer)->run);
}

static inline enum source_verdict feeder_read(void *arg, struct buf *lines, size_t wanted, uint32_t *ret_count,
					      struct err *e)
{
	struct feeder *f = arg;
	uint64_t want = f->per_read ? f->per_read : f->n;
	f->reads++;
	f->was_shy = f->is_shy && !f->was_shy;
	if (f->was_shy) {
		(void)loop_timer_start(&f->timer, 1);
		return SOURCE_LATER;
	}
	for (; want && f->at < f->n; want--, f->at++) {
		if (f->bad_at && f->at == f->bad_at) {
			err_set(e, ERR_INVALID, "line %" PRIu64 " is bad", f->at);
			return SOURCE_BAD;
		}
		(void)(f->line ? buf_append_c(lines, f->line(f->at)) : buf_printf(lines, "{\"n\":%" PRIu64 "}", f->at));
		(void)buf_append_char(lines, '\n');
		(*ret_count)++;
	}
	return f->at == f->n ? SOURCE_END : SOURCE_MORE;
}

/* ---- the world ---- */

enum moment { NEVER, AT_STARTED, AT_RECORDED, AT_OUTPUT, AT_PROBLEM, AT_END, AT_TURN };

struct world {
	struct loop *loop;
	struct store *store;
	char dir[64];
	struct component *component;
	struct plan *plan;
	struct feeder feeder;
	struct run *run;
	struct loop_timer watchdog;
	/* what was said */
	int started, recorded, ended;
	uint64_t n_outputs, n_problems, most_live;
	struct buf outputs, problems; /* "seq json\n" */
	uint64_t last_seq;
	bool out_of_order;
	struct run_row row; /* at the end; texts copied */
	char problem[600];
	bool by_network;
	int64_t id;
	/* when to free the run instead of waiting for its end */
	enum moment free_at;
	int free_countdown;	 /* of the moments; AT_TURN: how much must have happened */
	bool winds_down;	 /* instead of freeing it, once */
	bool (*free_when)(void); /* and this holds */
	int happened;		 /* steps left, items let out */
	struct loop_soon turn;
};

static inline int rm_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	return remove(path);
}

static inline void world_store_open(struct world *w)
{
	struct err e = ERR_INIT;
	struct store_config config = { .dir = *w->dir ? w->dir : NULL };
	if (store_open(&w->store, w->loop, &config, &e) < 0)
		fail_msg("%s", e.msg);
}

static inline void world_init(struct world *w, bool on_disk)
{
	struct err e = ERR_INIT;
	*w = (struct world){ .id = 0 };
	probe = (struct probe){ 0 };
	log_setup(LOG_OFF, LOG_TEXT);
	if (on_disk) {
		(void)strcpy(w->dir, "/tmp/weir-run-XXXXXX");
		assert_non_null(mkdtemp(w->dir));
	}
	w->loop = loop_new(&e);
	assert_non_null(w->loop);
	world_store_open(w);
	buf_init(&w->outputs, 256u << 20);
	buf_init(&w->problems, 64u << 20);
}

static inline void world_settle(struct world *w);

static inline void world_done(struct world *w)
{
	world_settle(w);
	store_close(w->store);
	plan_unref(w->plan);
	component_unref(w->component);
	loop_free(w->loop);
	buf_done(&w->outputs);
	buf_done(&w->problems);
	if (*w->dir)
		(void)nftw(w->dir, rm_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Steps as YAML flow mappings, one a line. */
static inline void world_plan_env(struct world *w, const char *text, const struct flow_env *env)
{
	struct complaints *c = calloc(1, sizeof(*c));
	complaints_init(c);
	plan_unref(w->plan);
	component_unref(w->component);
	struct doc *d = doc_parse("t.yaml", str_c(text), c);
	w->component = d ? component_new(d, env, c) : NULL;
	w->plan = w->component ? plan_new(w->component, STR(""), env, c) : NULL;
	if (!w->plan)
		fail_msg("%.*s in:\n%s", STR_ARG(c->items[0].text), text);
	complaints_done(c);
	free(c);
}

static inline void world_plan(struct world *w, const char *steps)
{
	static char text[8192];
	(void)snprintf(text, sizeof(text),
		       "weir: 1\ncomponent: t\nmodel:\n  - { name: n, type: integer, primary_key: true }\ndataflows:\n "
		       " d:\n    stages:\n"
		       "      - name: A\n        steps:\n          - { name: input, kind: input }\n%s",
		       steps);
	world_plan_env(w, text, &probe_env);
}

static inline bool world_frees(struct world *w, enum moment m)
{
	if (w->free_at != m || !w->run || (w->free_when && !w->free_when()))
		return false;
	if (m == AT_TURN ? w->happened < w->free_countdown : w->free_countdown-- > 0)
		return false;
	if (w->winds_down) {
		run_wind_down(w->run);
		return w->free_at == AT_TURN; /* and does not come again */
	}
	run_free(TAKE(w->run));
	loop_stop(w->loop);
	return true;
}

static inline void on_started(void *arg, struct run *r)
{
	struct world *w = arg;
	w->started++;
	w->id = run_id(r);
	(void)world_frees(w, AT_STARTED);
}

static inline void on_recorded(void *arg, struct run *r)
{
	struct world *w = arg;
	w->recorded++;
	(void)world_frees(w, AT_RECORDED);
}

static inline void on_step(void *arg, const struct plan_step *s, const struct item *it)
{
	struct world *w = arg;
	w->happened++;
}

/* A line ends, and so does the text: it is looked into with strstr(). */
static inline void text_end(struct buf *b)
{
	(void)buf_append(b, "\n", 2);
	b->len--;
}

static inline void on_output(void *arg, const struct item *it)
{
	struct world *w = arg;
	assert_non_null(w->run);
	w->out_of_order |= w->n_outputs && it->seq < w->last_seq;
	w->last_seq = it->seq;
	w->n_outputs++;
	w->happened++;
	(void)buf_printf(&w->outputs, "%" PRIu64 " ", it->seq);
	assert_int_equal(json_write(&w->outputs, &it->root, JSON_COMPACT), 0);
	text_end(&w->outputs);
	(void)world_frees(w, AT_OUTPUT);
}

static inline void on_problem(void *arg, const struct item *it)
{
	struct world *w = arg;
	assert_non_null(w->run);
	w->n_problems++;
	(void)buf_printf(&w->problems, "%" PRIu64 " %d ", it->seq, it->state);
	(void)json_write(&w->problems, &it->problem, JSON_COMPACT);
	text_end(&w->problems);
	(void)world_frees(w, AT_PROBLEM);
}

static inline void on_end(void *arg, struct run *r)
{
	struct world *w = arg;
	assert_non_null(w->run);
	w->ended++;
	w->row = *run_row(r);
	w->by_network = run_failed_by_network(r);
	(void)snprintf(w->problem, sizeof(w->problem), "%.*s", STR_ARG(w->row.problem));
	if (w->free_at != AT_END || !world_frees(w, AT_END))
		loop_stop(w->loop);
}

static inline void on_watchdog(struct loop_timer *t)
{
	struct world *w = CONTAINER_OF(t, struct world, watchdog);
	fail_msg("the run hangs: live=%zu outputs=%" PRIu64, w->run ? run_live(w->run) : 0, w->n_outputs);
}

static inline void on_turn(struct loop_soon *soon)
{
	struct world *w = CONTAINER_OF(soon, struct world, turn);
	if (!w->run)
		return;
	if (run_live(w->run) > w->most_live)
		w->most_live = run_live(w->run);
	if (!world_frees(w, AT_TURN))
		loop_soon(w->loop, soon);
}

static inline void world_forget(struct world *w)
{
	w->started = w->recorded = w->ended = w->happened = 0;
	w->n_outputs = w->n_problems = w->most_live = 0;
	w->out_of_order = false;
	buf_clear(&w->outputs);
	buf_clear(&w->problems);
	text_end(&w->outputs);
	text_end(&w->problems);
	w->outputs.len = w->problems.len = 0;
	*w->outputs.ptr = *w->problems.ptr = '\0';
	*w->problem = '\0';
}

/* Run to the end, or to the moment at which the test frees the run. */
static inline void world_run(struct world *w, struct run_config config)
{
	struct err e = ERR_INIT;
	world_forget(w);
	config.loop = w->loop;
	config.store = w->store;
	config.plan = w->plan;
	config.on_started = on_started;
	config.on_recorded = on_recorded;
	config.on_step = on_step;
	config.on_output = on_output;
	config.on_problem = on_problem;
	config.on_end = on_end;
	config.arg = w;
	w->run = run_start(&config, &e);
	if (!w->run)
		fail_msg("%s", e.msg);
	assert_int_equal(w->started + w->ended, 0); /* never inside the starter */
	w->feeder.run = w->run;
	loop_timer_init(w->loop, &w->feeder.timer, feeder_timer);
	loop_timer_init(w->loop, &w->watchdog, on_watchdog);
	(void)loop_timer_start(&w->watchdog, WATCHDOG_MS);
	loop_soon_init(&w->turn, on_turn);
	if (w->free_at == AT_TURN)
		loop_soon(w->loop, &w->turn);
	while (w->run && !w->ended)
		(void)loop_run(w->loop);
	loop_soon_cancel(&w->turn);
	loop_timer_stop(&w->feeder.timer);
	loop_timer_stop(&w->watchdog);
	run_free(TAKE(w->run));
}

static inline void world_run_n(struct world *w, uint64_t n)
{
	w->feeder = (struct feeder){ .n = n };
	world_run(w, (struct run_config){ .source = { feeder_read, &w->feeder } });
}

/* ---- looking into the store ---- */

struct look {
	struct world *w;
	bool has_come;
	struct buf text;
	struct run_row row;
	size_t n, n_entries;
};

static inline void on_look(void *arg, const struct store_result *r)
{
	struct look *k = arg;
	for (size_t i = 0; r->rows && i < r->n; i++)
		(void)buf_printf(&k->text, "%" PRIu64 ".%u.%u.%d ", r->rows[i].key.seq, r->rows[i].key.step,
				 r->rows[i].key.attempt, r->rows[i].kind);
	if (r->runs && r->n)
		k->row = r->runs[0];
	k->n = r->n;
	k->n_entries = (size_t)r->total;
	k->has_come = true;
	loop_stop(k->w->loop);
}

static inline void look_wait(struct look *k)
{
	while (!k->has_come)
		(void)loop_run(k->w->loop);
	k->has_come = false;
}

static inline struct run_row row_on_disk(struct world *w)
{
	struct look k = { .w = w };
	struct err e = ERR_INIT;
	buf_init(&k.text, 1u << 20);
	assert_int_equal(store_run_get(w->store, w->id, on_look, &k, &e), 0);
	look_wait(&k);
	buf_done(&k.text);
	k.row.component = k.row.dataflow = k.row.version = k.row.env = k.row.trigger = k.row.steps = k.row.problem =
	    STR("");
	return k.row;
}

/* All that the store owes has come: what was freed is buried. */
static inline void world_settle(struct world *w)
{
	(void)row_on_disk(w);
}

/* "seq.step.attempt.kind ..." of the whole run; free() it. */
static inline char *ledger_text(struct world *w)
{
	struct look k = { .w = w };
	struct err e = ERR_INIT;
	buf_init(&k.text, 64u << 20);
	assert_int_equal(store_ledger_read(w->store, w->id, 0, INT64_MAX, on_look, &k, &e), 0);
	look_wait(&k);
	char *text = k.text.len ? buf_take(&k.text, NULL) : strdup("");
	buf_done(&k.text);
	return text;
}

static inline size_t entries_on_disk(struct world *w)
{
	struct look k = { .w = w };
	struct err e = ERR_INIT;
	buf_init(&k.text, 64u << 20);
	assert_int_equal(store_entry_list(w->store, STR("t"), 0, 1, on_look, &k, &e), 0);
	look_wait(&k);
	buf_done(&k.text);
	return k.n_entries;
}

/* Go on with the run that is on disk. */
static inline void world_resume(struct world *w, struct run_config config)
{
	struct run_row row = row_on_disk(w);
	config.resume = &row;
	world_run(w, config);
}

static inline void world_replay(struct world *w, uint64_t from, uint64_t to)
{
	struct run_row row = row_on_disk(w);
	world_run(w, (struct run_config){ .resume = &row, .is_replay = true, .replay_from = from, .replay_to = to });
}
