/* SPDX-License-Identifier: Apache-2.0 */
#include "app/progress.h"

#include "base/clock.h"

#include <string.h>

#define BAR_CELLS 24

static void line_clear(struct progress *p)
{
	if (p->is_drawn)
		fputs("\r\033[K", stderr);
	p->is_drawn = false;
}

static void bar_draw(double share)
{
	int full = (int)(share * BAR_CELLS + 0.5);
	fputc('[', stderr);
	for (int i = 0; i < BAR_CELLS; i++)
		fputs(i < full ? "█" : "·", stderr);
	fprintf(stderr, "] %3.0f %%  ", share * 100);
}

static void progress_draw(struct progress *p)
{
	const struct run_row *row = run_row(p->run);
	double seconds = (double)(clock_mono_ns() - p->start_ns) / 1e9;
	uint64_t done = row->items_out + row->failed + row->unknown;
	line_clear(p);
	if (row->input_is_complete && row->items_in)
		bar_draw((double)done / (double)row->items_in);
	fprintf(stderr, "%llu of %llu%s items", (unsigned long long)done, (unsigned long long)row->items_in, row->input_is_complete ? "" : "+");
	if (row->failed)
		fprintf(stderr, ", %llu failed", (unsigned long long)row->failed);
	if (row->unknown)
		fprintf(stderr, ", %llu unknown", (unsigned long long)row->unknown);
	if (seconds > 0.5)
		fprintf(stderr, ", %.0f/s", (double)done / seconds);
	fflush(stderr);
	p->is_drawn = true;
}

static void on_tick(struct loop_timer *t)
{
	struct progress *p = CONTAINER_OF(t, struct progress, timer);
	progress_draw(p);
	(void)loop_timer_start(t, PROGRESS_MS);
}

void progress_init(struct progress *p, struct loop *l, const struct app_flags *f, struct source *source)
{
	*p = (struct progress){ .flags = f, .source = source, .start_ns = clock_mono_ns() };
	p->is_live = isatty(STDERR_FILENO) && !f->quiet;
	p->color = app_color(f, STDERR_FILENO);
	loop_timer_init(l, &p->timer, on_tick);
}

void progress_start(struct progress *p, struct run *r)
{
	p->run = r;
	if (p->is_live)
		(void)loop_timer_start(&p->timer, PROGRESS_MS);
}

void progress_problem(struct progress *p, const struct item *it)
{
	const struct value *detail = value_get_c(&it->problem, "detail");
	const char *word = it->state == ITEM_UNKNOWN ? "unknown outcome" : "failed";
	if (p->problems++ >= PROGRESS_PROBLEMS_MAX || p->flags->quiet)
		return;
	struct str text = value_is(detail, VALUE_STRING) ? value_text(detail) : STR("no detail");
	const struct value *step = value_get_c(&it->problem, "step");
	line_clear(p);
	fprintf(stderr, "%s✗%s item %llu %s: ", p->color ? "\033[31m" : "", p->color ? "\033[0m" : "", (unsigned long long)it->seq, word);
	if (value_is(step, VALUE_STRING) && !str_starts(text, STR("step \"")))
		fprintf(stderr, "step \"%.*s\": ", STR_ARG(value_text(step)));
	fprintf(stderr, "%.*s\n", STR_ARG(text));
}

static void duration_print(double ms)
{
	if (ms < 10)
		fprintf(stderr, "%8.1f ms", ms);
	else if (ms < 10000)
		fprintf(stderr, "%8.0f ms", ms);
	else
		fprintf(stderr, "%8.1f s ", ms / 1000);
}

static void step_print(struct progress *p, const struct run *r, size_t i, int width)
{
	const struct plan_step *s = &run_plan(r)->steps[i];
	const struct step_counts *c = run_step_counts(r, i);
	bool bad = c->failed > 0;
	auto_arena struct arena a;
	arena_init(&a, 0);
	struct str detail = s->kind->detail ? s->kind->detail(s, &a) : STR_NULL;
	fprintf(stderr, "%s%s%s %-*.*s %7llu → %-7llu", p->color ? (bad ? "\033[31m" : "\033[32m") : "", bad ? "✗" : "✓",
		p->color ? "\033[0m" : "", width, STR_ARG(s->name), (unsigned long long)c->in, (unsigned long long)c->out);
	duration_print((double)(c->last_ns - c->first_ns) / 1e6);
	if (bad)
		fprintf(stderr, "   %llu failed", (unsigned long long)c->failed);
	if (detail.len)
		fprintf(stderr, "   %.*s", STR_ARG(detail));
	fputc('\n', stderr);
}

void progress_end(struct progress *p, const struct run *r)
{
	const struct run_row *row = run_row(r);
	int width = 8;
	loop_timer_stop(&p->timer);
	line_clear(p);
	if (p->flags->quiet)
		return;
	if (p->problems > PROGRESS_PROBLEMS_MAX)
		fprintf(stderr, "  and %llu more items\n", (unsigned long long)(p->problems - PROGRESS_PROBLEMS_MAX));
	for (size_t i = 0; i < run_plan(r)->n_steps; i++)
		if ((int)run_plan(r)->steps[i].name.len > width)
			width = (int)run_plan(r)->steps[i].name.len;
	for (size_t i = 0; i < run_plan(r)->n_steps; i++)
		step_print(p, r, i, width);
	if (row->problem.len)
		fprintf(stderr, "weir: %.*s\n", STR_ARG(row->problem));
	fprintf(stderr, "run %lld %s in %.2f s", (long long)row->id, row->state == RUN_RUNNING ? "interrupted" : run_state_name(row->state),
		(double)(clock_mono_ns() - p->start_ns) / 1e9);
	if (row->items_in != 1)
		fprintf(stderr, ": %llu of %llu items", (unsigned long long)row->items_out, (unsigned long long)row->items_in);
	if (row->state == RUN_RUNNING)
		fprintf(stderr, "; go on with: weir run --resume %lld%s", (long long)row->id,
			row->input_is_complete ? "" : " --items FILE");
	fputc('\n', stderr);
}
