/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent of what was shown: the calls, the items chosen, the question. */
#include "app/sending.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MAX 4096 /* of the question */

void sending_init(struct sending *s, struct app *a, struct plan *p, const char *what)
{
	*s = (struct sending){ .app = a, .plan = p, .what = what };
	arena_init(&s->arena, SENDING_MAX_BYTES);
}

void sending_done(struct sending *s)
{
	free(s->calls);
	free(s->made);
	arena_done(&s->arena);
}

static void *list_room(struct sending *s, void *list, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return list;
	size_t wanted = *cap ? 2 * *cap : 256;
	void *grown = wanted <= CASSETTE_MAX_LINES ? alloc_realloc(list, wanted * size) : NULL;
	if (!grown) {
		s->is_full = true;
		return NULL;
	}
	*cap = wanted;
	return grown;
}

void sending_on_request(void *arg, const struct cassette_request *rq)
{
	struct sending *s = arg;
	struct shown_call *list = list_room(s, s->calls, s->n_calls, &s->cap_calls, sizeof(*s->calls));
	struct str text = arena_str(&s->arena, rq->masked);
	if (list)
		s->calls = list;
	if (!list || !text.ptr) {
		s->is_full = true;
		return;
	}
	enum call_fate fate = rq->is_open && !step_may_call_again(rq->step)  ? FATE_HOLD
			      : rq->verdict == CASSETTE_SAME && !rq->is_open ? FATE_TAKE
									     : FATE_SEND;
	s->calls[s->n_calls++] = (struct shown_call){
		.item = rq->item, .step = rq->step->index, .verdict = rq->verdict, .fate = fate, .text = text
	};
}

/* ---- items out of lists ---- */

static ptrdiff_t step_of_name(const struct plan *p, struct str name)
{
	for (size_t i = 0; i < p->n_steps; i++)
		if (str_eq(p->steps[i].name, name))
			return (ptrdiff_t)i;
	return -1;
}

static bool is_taken(const struct sending *s, uint64_t item, size_t step)
{
	for (size_t i = 0; i < s->n_calls; i++)
		if (s->calls[i].item == item && s->calls[i].step == step)
			return s->calls[i].fate == FATE_TAKE;
	return false;
}

/* A call that is not shown, since another one stands before it, and of which nobody knows what became: it holds its
 * item, too. */
static void hold_unshown(struct sending *s, const struct cassette *tape, size_t first_call)
{
	for (size_t i = 0; i < tape->n; i++) {
		const struct cassette_line *l = &tape->lines[i];
		bool is_last = true, is_shown = false;
		if (l->kind != CASSETTE_CALL || value_get_c(&l->v, "answer") || value_get_c(&l->v, "decision"))
			continue;
		for (size_t k = i + 1; k < tape->n && tape->lines[k].item == l->item; k++)
			is_last &= tape->lines[k].kind != CASSETTE_CALL || !str_eq(tape->lines[k].step, l->step);
		ptrdiff_t step = step_of_name(s->plan, l->step);
		if (!is_last || step < 0 || !step_call_method(&s->plan->steps[step]) ||
		    step_may_call_again(&s->plan->steps[step]))
			continue;
		for (size_t k = first_call; k < s->n_calls && !is_shown; k++)
			is_shown = s->calls[k].item == l->item && s->calls[k].step == (size_t)step;
		struct shown_call *list =
		    is_shown ? NULL : list_room(s, s->calls, s->n_calls, &s->cap_calls, sizeof(*s->calls));
		if (!list)
			continue;
		s->calls = list;
		s->calls[s->n_calls++] = (struct shown_call){
			.item = l->item, .step = (size_t)step, .verdict = CASSETTE_GONE, .fate = FATE_HOLD
		};
	}
}

void sending_stretch(struct sending *s, const struct cassette *tape)
{
	hold_unshown(s, tape, s->n_shown);
	s->n_shown = s->n_calls;
	for (size_t i = 0; i < tape->n; i++) {
		const struct cassette_line *l = &tape->lines[i];
		const struct value *made_by = value_get_c(&l->v, "made_by");
		struct shown_made m = { .item = l->item };
		if (l->kind == CASSETTE_INPUT && l->item >= s->n_items)
			s->n_items = l->item + 1;
		if (l->kind != CASSETTE_INPUT || !value_is(made_by, VALUE_STRING))
			continue;
		ptrdiff_t maker = step_of_name(s->plan, value_text(made_by));
		struct shown_made *list = list_room(s, s->made, s->n_made, &s->cap_made, sizeof(*s->made));
		if (!list)
			return;
		s->made = list;
		(void)num_parse_u64(value_text(value_get_c(&l->v, "parent")), &m.parent);
		m.maker = maker < 0 ? 0 : (size_t)maker;
		/* neighbours are of one list: what was found for the one holds for the other */
		const struct shown_made *last = s->n_made ? &s->made[s->n_made - 1] : NULL;
		m.is_kept =
		    last && last->parent == m.parent ? last->is_kept : maker >= 0 && is_taken(s, m.parent, m.maker);
		s->made[s->n_made++] = m;
	}
}

static int by_item(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static int by_place(const void *a, const void *b)
{
	const struct shown_call *x = a, *y = b;
	return x->item != y->item ? (x->item > y->item) - (x->item < y->item)
				  : (x->step > y->step) - (x->step < y->step);
}

const struct shown_made *sending_made(const struct sending *s, uint64_t item)
{
	return s->n_made ? bsearch(&item, s->made, s->n_made, sizeof(*s->made), by_item) : NULL;
}

const struct shown_call *sending_call(const struct sending *s, uint64_t item, size_t step)
{
	struct shown_call wanted = { .item = item, .step = step };
	return s->n_calls ? bsearch(&wanted, s->calls, s->n_calls, sizeof(*s->calls), by_place) : NULL;
}

/* Calls that are not made: of items that another answer will make otherwise, and of those that are held, their others.
 */
static void drop_calls(struct sending *s)
{
	if (s->n_calls)
		qsort(s->calls, s->n_calls, sizeof(*s->calls), by_place);
	for (size_t i = 0, end; i < s->n_calls; i = end) {
		const struct shown_made *m = sending_made(s, s->calls[i].item);
		bool is_orphan = m && !m->is_kept, is_held = false;
		for (end = i; end < s->n_calls && s->calls[end].item == s->calls[i].item; end++)
			is_held |= s->calls[end].fate == FATE_HOLD;
		for (size_t k = i; k < end; k++)
			if (is_orphan || (is_held && s->calls[k].fate != FATE_HOLD))
				s->calls[k].fate = FATE_NOTHING;
	}
}

/* ---- the choice ---- */

static bool fits(const struct sending *s, const struct shown_call *c)
{
	if (c->fate == FATE_NOTHING || c->fate == FATE_TAKE)
		return false;
	if (strcmp(s->what, "changed") == 0)
		return c->verdict == CASSETTE_CHANGED;
	if (strcmp(s->what, "new") == 0)
		return c->verdict == CASSETTE_NEW;
	return str_eq_c(s->plan->steps[c->step].name, s->what);
}

static int choose_numbers(struct sending *s, const char *text)
{
	s->chosen = app_items_parse(app_command("run"), text, &s->arena, &s->n_chosen);
	if (!s->chosen)
		return EXIT_USAGE;
	qsort(s->chosen, s->n_chosen, sizeof(*s->chosen), by_item);
	if (s->chosen[s->n_chosen - 1] >= s->n_items) {
		app_say("there is no item %llu: the input has %llu", (unsigned long long)s->chosen[s->n_chosen - 1],
			(unsigned long long)s->n_items);
		return EXIT_INVALID;
	}
	return EXIT_OK;
}

int sending_choose(struct sending *s)
{
	bool is_word = strcmp(s->what, "changed") == 0 || strcmp(s->what, "new") == 0 ||
		       step_of_name(s->plan, str_c(s->what)) >= 0;
	drop_calls(s);
	if (s->is_full) {
		app_say("more requests than can be shown at once (%u MiB): take fewer items", SENDING_MAX_BYTES >> 20);
		return EXIT_RUN_FAILED;
	}
	if (strcmp(s->what, "all") == 0)
		return EXIT_OK;
	if (!is_word)
		return choose_numbers(s, s->what);
	s->chosen = ARENA_ARRAY(&s->arena, uint64_t, s->n_calls + 1);
	for (size_t i = 0; s->chosen && i < s->n_calls; i++)
		if (fits(s, &s->calls[i]))
			s->chosen[s->n_chosen++] = s->calls[i].item;
	if (!s->chosen || !s->n_chosen) {
		app_say(s->chosen ? "--send %s: there is no such request; nothing was sent"
				  : "--send %s: out of memory",
			s->what);
		return EXIT_INVALID;
	}
	qsort(s->chosen, s->n_chosen, sizeof(*s->chosen), by_item);
	return EXIT_OK;
}

bool sending_has(const struct sending *s, uint64_t item)
{
	return !s->chosen || bsearch(&item, s->chosen, s->n_chosen, sizeof(*s->chosen), by_item);
}

uint64_t sending_count(const struct sending *s, struct buf *b, uint64_t *ret_held, uint64_t *ret_taken)
{
	static const char *const methods[] = { "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE" };
	uint64_t counts[ARRAY_LEN(methods)] = { 0 }, total = 0, held_item = UINT64_MAX;
	*ret_held = *ret_taken = 0;
	for (size_t i = 0; i < s->n_calls; i++) {
		const struct shown_call *c = &s->calls[i];
		const char *method = step_call_method(&s->plan->steps[c->step]);
		if (!sending_has(s, c->item))
			continue;
		*ret_taken += c->fate == FATE_TAKE;
		if (c->fate == FATE_HOLD && c->item != held_item) {
			++*ret_held;
			held_item = c->item;
		}
		for (size_t k = 0; c->fate == FATE_SEND && method && k < ARRAY_LEN(methods); k++)
			counts[k] += strcmp(method, methods[k]) == 0;
		total += c->fate == FATE_SEND;
	}
	for (size_t k = 0, shown = 0; k < ARRAY_LEN(methods); k++)
		if (counts[k])
			(void)buf_printf(b, "%s%llu %s", shown++ ? ", " : "", (unsigned long long)counts[k],
					 methods[k]);
	return total;
}

/* ---- the question ---- */

bool sending_may_ask(bool yes)
{
	if (yes || isatty(STDIN_FILENO))
		return true;
	(void)app_usage(app_command("run"),
			"--send asks before it sends, and there is no terminal to ask on: say --yes");
	return false;
}

static void holds_tell(const struct sending *s)
{
	uint64_t told = UINT64_MAX;
	for (size_t i = 0; i < s->n_calls; i++) {
		const struct shown_call *c = &s->calls[i];
		if (c->fate != FATE_HOLD || c->item == told || !sending_has(s, c->item))
			continue;
		told = c->item;
		fprintf(
		    stderr,
		    "item %llu is not sent: whether run %lld made its call of step %.*s nobody knows; decide first, as "
		    "in `weir runs decide %lld done|again|skip --items %llu`\n",
		    (unsigned long long)c->item, (long long)s->donor->row.id, STR_ARG(s->plan->steps[c->step].name),
		    (long long)s->donor->row.id, (unsigned long long)c->item);
	}
}

static uint64_t tell(const struct sending *s, const char *end)
{
	auto_buf struct buf b = { .max = 4096 };
	uint64_t held, taken, n = sending_count(s, &b, &held, &taken);
	fprintf(stderr, "send %llu request%s%s%.*s%s", (unsigned long long)n, n == 1 ? "" : "s", n ? " (" : "",
		STR_ARG(buf_str(&b)), n ? ")" : "");
	if (s->donor)
		fprintf(stderr, ", take %llu answer%s of run %lld", (unsigned long long)taken, taken == 1 ? "" : "s",
			(long long)s->donor->row.id);
	fprintf(stderr, "%s", end);
	return n;
}

/* y, or which items; anything else is no. */
static bool ask(struct sending *s)
{
	char line[ANSWER_MAX];
	(void)fflush(stdout);
	(void)tell(s, "? [y/N/items] ");
	(void)fflush(stderr);
	if (!fgets(line, sizeof(line), stdin))
		return false;
	line[strcspn(line, "\r\n")] = '\0';
	struct str answer = str_trim(str_c(line));
	if (str_eq_nocase(answer, STR("y")) || str_eq_nocase(answer, STR("yes")))
		return true;
	if (!answer.len || answer.ptr[0] < '0' || answer.ptr[0] > '9')
		return false;
	char *numbers = arena_c(&s->arena, answer);
	if (!numbers || choose_numbers(s, numbers) != EXIT_OK)
		return false;
	(void)tell(s, "\n");
	return true;
}

int sending_prepare(struct sending *s, bool yes, bool *ret_goes)
{
	struct err e = ERR_INIT;
	holds_tell(s);
	*ret_goes = yes || ask(s);
	if (yes)
		(void)tell(s, "\n");
	if (!*ret_goes) {
		app_say("nothing was sent");
		return EXIT_OK;
	}
	if (sending_write(s, &e) == 0)
		return EXIT_OK;
	*ret_goes = false;
	app_say("%s; nothing was sent", e.msg);
	return EXIT_RUN_FAILED;
}
