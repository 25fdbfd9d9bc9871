/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of src/flow: documents out of texts, complaints as lines, and a few small kinds. */
#pragma once
#include "flow/kind.h"

#include "test.h"

static UNUSED bool has_text(struct str s, const char *fragment)
{
	return str_find(s, str_c(fragment)) >= 0;
}

/* A complaint as `weir check` prints it, in a static buffer. */
static UNUSED const char *complaint_line(const struct complaints *c, size_t i)
{
	static char line[2048];
	struct buf b;
	if (i >= c->n)
		return "(no complaint)";
	buf_init(&b, sizeof(line) - 1);
	(void)complaint_write(&b, "f", &c->items[i]);
	(void)snprintf(line, sizeof(line), "%.*s", STR_ARG(buf_str(&b)));
	buf_done(&b);
	return line;
}

struct wait_opts {
	msec_t time;
	struct str note;
	const struct value *mapping;
};
static const struct opt wait_rows[] = {
	OPT_DURATION(struct wait_opts, time, "1s", 0, 86400000, "How long to wait."),
	OPT_STRING(struct wait_opts, note, 0, NULL, 0, 10, "A word."),
	OPT_VALUE(struct wait_opts, mapping, OPT_MAPPING, NULL, "Values."),
	OPT_END,
};

static int wait_releases;

static UNUSED int wait_compile(struct compile *c, struct plan_step *s)
{
	struct wait_opts *o = s->opts;
	s->compiled = &wait_releases;
	if (str_eq_c(o->note, "bad"))
		return compile_complain(c, NULL, "note", "\"bad\" is no good note; write \"good\"");
	return 0;
}

static UNUSED void wait_release(struct plan_step *s)
{
	wait_releases++;
}

static const struct kind kind_input = {
	.name = "get_action_model", .title = "Input", .brief = "Takes the input.", .is_source = true
};
static const struct kind kind_wait = {
	.name = "wait",
	.title = "Wait",
	.brief = "Waits.",
	.opts = wait_rows,
	.opts_size = sizeof(struct wait_opts),
	.compile = wait_compile,
	.release = wait_release,
};
static const struct kind kind_pass = { .name = "pass", .title = "Pass", .brief = "Passes items on." };
static const struct kind *const test_kinds[] = { &kind_input, &kind_wait, &kind_pass, NULL };
static UNUSED const struct flow_env test_env = { .kinds = test_kinds };

/* NULL when refused. */
static UNUSED struct component *component_of(const char *text, const struct flow_env *env, struct complaints *c)
{
	struct doc *d = doc_parse("f.yaml", str_c(text), c);
	return d ? component_new(d, env, c) : NULL;
}
