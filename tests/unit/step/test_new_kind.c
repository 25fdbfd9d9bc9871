/* SPDX-License-Identifier: Apache-2.0 */
/* The worked example of src/step/README.md, compiled and run: a new kind is one file and one line, and the page shows this very file. */
#include "step_test.h"

#include "step/step_int.h"

/* README begins */
struct delay_opts {
	msec_t time;
};

static const struct opt delay_rows[] = {
	OPT_DURATION(struct delay_opts, time, "1s", 1, 86400000, "How long to wait; at most a day."),
	OPT_END,
};

struct delay {
	struct loop_timer timer;
	struct step *step;
	struct item *item;
};

static void on_time(struct loop_timer *t)
{
	struct delay *d = CONTAINER_OF(t, struct delay, timer);
	list_remove(&d->item->link);
	step_pass(d->step, d->item);
}

static int delay_open(struct step *s, struct err *e)
{
	struct list *waiting = malloc(sizeof(*waiting));
	if (!waiting)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	list_init(waiting);
	step_set_state(s, waiting);
	return 0;
}

static enum verdict delay_start(struct step *s, struct item *it)
{
	const struct delay_opts *o = step_opts(s);
	if (step_is_replay(s))
		return STEP_DONE;
	struct delay *d = ARENA_NEW(&it->arena, struct delay);
	if (!d)
		return step_problem(s, it, "too_large", "The item does not fit in memory", "out of memory");
	d->step = s;
	d->item = it;
	it->step_data = d;
	loop_timer_init(step_loop(s), &d->timer, on_time);
	if (loop_timer_start(&d->timer, o->time) < 0)
		return step_problem(s, it, "internal", "The item cannot wait", "out of memory");
	list_add_last(step_state(s), &it->link);
	return STEP_WAIT;
}

static void delay_close(struct step *s)
{
	struct list *waiting = step_state(s);
	if (!waiting) /* open had failed */
		return;
	LIST_FOREACH (node, waiting) {
		struct delay *d = LIST_ENTRY(node, struct item, link)->step_data;
		loop_timer_stop(&d->timer);
		list_remove(node);
	}
	free(waiting);
	step_set_state(s, NULL);
}

const struct kind step_delay = {
	.name = "delay",
	.title = "Delay",
	.brief = "Waits a while, then lets the item go on.",
	.group = KIND_SHAPE,
	.opts = delay_rows,
	.opts_size = sizeof(struct delay_opts),
	.open = delay_open,
	.start = delay_start,
	.close = delay_close,
};
/* README ends */

extern const struct kind step_get_action_model, step_update_entry;
static const struct kind *const kinds[] = { &step_get_action_model, &step_update_entry, &step_delay, NULL };

TEST(the_new_kind_runs_is_cut_is_resumed_and_replayed)
{
	struct world w;
	world_init(&w, false);
	peer_open(&w);
	step_env.kinds = kinds;
	step_plan_of(&w, "          - { name: pause, source_step: input, kind: delay, time: 2ms }\n"
			 "          - { name: save, source_step: pause, kind: update_entry }\n");
	w.free_at = AT_OUTPUT;
	w.free_countdown = 5;
	step_run_n(&w, 50, 8);
	assert_int_equal(w.ended, 0);
	w.free_at = NEVER;
	step_resume(&w, 8);
	assert_int_equal(w.n_outputs, 50);
	assert_false(w.out_of_order);
	assert_int_equal(entries_on_disk(&w), 50);
	world_replay(&w, 20, 20);
	assert_str(buf_str(&w.outputs), "20 {\"data\":{\"n\":20}}\n");
	peer_close();
	world_done(&w);
}

/* Both files, what is between two marks. */
static char *between(const char *path, const char *from, const char *to)
{
	FILE *f = fopen(path, "r");
	static char text[65536];
	if (!f)
		fail_msg("%s is not here: run from the root of the tree", path);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	(void)fclose(f);
	char *start = strstr(text, from);
	char *end = start ? strstr(start, to) : NULL;
	if (!end)
		fail_msg("%s: no \"%s\" ... \"%s\"", path, from, to);
	return strndup(start, (size_t)(end - start));
}

TEST(the_readme_shows_this_kind)
{
	char *here = between("tests/unit/step/test_new_kind.c", "struct delay_opts {", "/* README ends */");
	char *there = between("src/step/README.md", "struct delay_opts {", "```");
	assert_string_equal(here, there);
	free(here);
	free(there);
}

RUN_TESTS(CLAIM(the_new_kind_runs_is_cut_is_resumed_and_replayed), CLAIM(the_readme_shows_this_kind))
