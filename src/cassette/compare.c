/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded beside played, item by item; and how the played becomes the recorded. */
#include "cassette/cassette_int.h"

struct comparison {
	const struct cassette *recorded, *now;
	size_t r_from, r_to, n_from, n_to; /* lines of the item */
	bool is_strict;
	cassette_tell *tell;
	void *arg;
	size_t wrong;
};

static void told(struct comparison *x, const struct cassette_finding *f)
{
	x->wrong += f->verdict != CASSETTE_SAME;
	x->tell(x->arg, f);
}

/* The first line of a kind and step among from..to; NULL = none. */
static const struct cassette_line *find(const struct cassette *c, size_t from, size_t to, enum cassette_kind kind,
					struct str step)
{
	for (size_t i = from; i < to; i++)
		if (c->lines[i].kind == kind && str_eq(c->lines[i].step, step))
			return &c->lines[i];
	return NULL;
}

bool call_is_over(const struct cassette_line *l)
{
	return value_get_c(&l->v, "answer") || value_get_c(&l->v, "decision");
}

static bool is_answered(const struct comparison *x, struct str step)
{
	bool is = false; /* by the last attempt */
	for (size_t i = x->r_from; i < x->r_to; i++)
		if (x->recorded->lines[i].kind == CASSETTE_CALL && str_eq(x->recorded->lines[i].step, step))
			is = call_is_over(&x->recorded->lines[i]);
	return is;
}

static bool is_believed(const struct comparison *x, struct str step)
{
	for (size_t i = x->r_from; i < x->r_to; i++) {
		const struct cassette_line *l = &x->recorded->lines[i];
		if (l->kind == CASSETTE_PROBLEM && str_eq(l->step, step) &&
		    cassette_believes(value_get_c(&l->v, "problem")))
			return true;
	}
	return false;
}

static bool requests_same(const struct comparison *x, const struct value *recorded, const struct value *now)
{
	auto_arena struct arena a = { 0 };
	struct str one, other;
	if (!x->is_strict)
		return value_eq(recorded, now);
	arena_init(&a, 0);
	return request_to_text(&a, recorded, &one) == 0 && request_to_text(&a, now, &other) == 0 && str_eq(one, other);
}

/* Id and change are the store's of that day: what was to be written is compared, if it is known. */
static bool entries_same(const struct value *recorded, const struct value *now)
{
	static const char *const names[] = { "data", "key", "mode" };
	if (!value_get_c(recorded, "data"))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct value *p = value_get_c(recorded, names[i]), *q = value_get_c(now, names[i]);
		if (!p != !q || (p && !value_eq(p, q)))
			return false;
	}
	return true;
}

static void compare_effect(struct comparison *x, enum cassette_kind kind, const struct cassette_line *r,
			   const struct cassette_line *n)
{
	const char *name = kind == CASSETTE_CALL ? "request" : "entry";
	struct cassette_finding f = { .kind = kind, .item = (r ? r : n)->item, .step = (r ? r : n)->step };
	f.recorded = r ? value_get_c(&r->v, name) : NULL;
	f.now = n ? value_get_c(&n->v, name) : NULL;
	f.is_unanswered = kind == CASSETTE_CALL && !is_answered(x, f.step);
	if (!r)
		f.verdict = CASSETTE_NEW;
	else if (!n)
		f.verdict = CASSETTE_GONE;
	else if (kind == CASSETTE_CALL ? !requests_same(x, f.recorded, f.now) : !entries_same(f.recorded, f.now))
		f.verdict = CASSETTE_CHANGED;
	if (f.verdict != CASSETTE_GONE || !is_believed(x, f.step))
		told(x, &f);
}

static void compare_effects(struct comparison *x, enum cassette_kind kind)
{
	for (size_t i = x->r_from; i < x->r_to; i++) {
		const struct cassette_line *r = &x->recorded->lines[i];
		if (r->kind == kind && find(x->recorded, x->r_from, i, kind, r->step) == NULL)
			compare_effect(x, kind, r, find(x->now, x->n_from, x->n_to, kind, r->step));
	}
	for (size_t i = x->n_from; i < x->n_to; i++) {
		const struct cassette_line *n = &x->now->lines[i];
		if (n->kind == kind && !find(x->now, x->n_from, i, kind, n->step) &&
		    !find(x->recorded, x->r_from, x->r_to, kind, n->step))
			compare_effect(x, kind, NULL, n);
	}
}

/* The k-th line of a kind, kept problems left out. */
static const struct cassette_line *nth(const struct cassette *c, size_t from, size_t to, enum cassette_kind kind,
				       size_t k)
{
	for (size_t i = from; i < to; i++) {
		const struct cassette_line *l = &c->lines[i];
		bool is_kept = kind == CASSETTE_PROBLEM && value_is_string(value_get_c(&l->v, "state"), STR("kept"));
		if (l->kind == kind && !is_kept && k-- == 0)
			return l;
	}
	return NULL;
}

static void compare_ends(struct comparison *x, enum cassette_kind kind)
{
	const char *name = kind == CASSETTE_OUTPUT ? "output" : "problem";
	for (size_t k = 0;; k++) {
		const struct cassette_line *r = nth(x->recorded, x->r_from, x->r_to, kind, k),
					   *n = nth(x->now, x->n_from, x->n_to, kind, k);
		if (!r && !n)
			return;
		struct cassette_finding f = { .kind = kind, .item = (r ? r : n)->item, .step = (n ? n : r)->step };
		f.recorded = r ? value_get_c(&r->v, name) : NULL;
		f.now = n ? value_get_c(&n->v, name) : NULL;
		f.verdict = !r				  ? CASSETTE_NEW
			    : !n			  ? CASSETTE_GONE
			    : value_eq(f.recorded, f.now) ? CASSETTE_SAME
							  : CASSETTE_CHANGED;
		told(x, &f);
	}
}

static size_t stretch(const struct cassette *c, size_t from, uint64_t item)
{
	while (from < c->n && c->lines[from].item == item)
		from++;
	return from;
}

size_t cassette_compare(const struct cassette *recorded, const struct cassette *now, bool is_strict,
			cassette_tell *tell, void *arg)
{
	struct comparison x = { .recorded = recorded, .now = now, .is_strict = is_strict, .tell = tell, .arg = arg };
	for (size_t i = 0; i < recorded->n; i = x.r_to) {
		uint64_t item = recorded->lines[i].item;
		x.r_from = i;
		x.r_to = stretch(recorded, i, item);
		for (x.n_from = x.n_to; x.n_from < now->n && now->lines[x.n_from].item < item;)
			x.n_from++;
		x.n_to = stretch(now, x.n_from, item);
		compare_effects(&x, CASSETTE_CALL);
		compare_effects(&x, CASSETTE_ENTRY);
		compare_ends(&x, CASSETTE_OUTPUT);
		compare_ends(&x, CASSETTE_PROBLEM);
	}
	return x.wrong;
}

static const struct cassette_line *played(const struct cassette *now, const struct cassette_line *l)
{
	for (size_t i = cassette_find(now->lines, now->n, l->item); i < now->n && now->lines[i].item == l->item; i++)
		if (now->lines[i].kind == l->kind && str_eq(now->lines[i].step, l->step))
			return &now->lines[i];
	return NULL;
}

size_t cassette_compare_steps(const struct cassette *first, const struct cassette *second, cassette_tell *tell,
			      void *arg)
{
	size_t wrong = 0;
	uint64_t told_item = UINT64_MAX;
	for (size_t i = 0; i < first->n; i++) {
		const struct cassette_line *l = &first->lines[i];
		if (l->kind != CASSETTE_STEP || l->item == told_item)
			continue;
		const struct cassette_line *other = played(second, l);
		struct cassette_finding f = {
			.verdict = CASSETTE_CHANGED, .kind = CASSETTE_STEP, .item = l->item, .step = l->step
		};
		f.recorded = value_get_c(&l->v, "step");
		f.now = other ? value_get_c(&other->v, "step") : NULL;
		if (!f.now || value_eq(f.recorded, f.now)) /* where it ended otherwise, its problem says so */
			continue;
		told_item = l->item;
		wrong++;
		tell(arg, &f);
	}
	return wrong;
}

/* ---- update ---- */

static int take_over(struct cassette *c, struct cassette_line *l, const struct cassette_line *n, const char *name)
{
	struct value copy, *entry = value_get_c(&l->v, "entry");
	if (value_copy(&c->arena, value_get_c(&n->v, name), &copy) < 0)
		return -ERR_NO_MEMORY;
	for (uint32_t i = 0; l->kind == CASSETTE_ENTRY && i < copy.len; i++)
		if (value_set(&c->arena, entry, copy.members[i].key, copy.members[i].value) < 0)
			return -ERR_NO_MEMORY;
	return l->kind == CASSETTE_ENTRY ? 0 : value_set(&c->arena, &l->v, str_c(name), copy);
}

/* A call that is new has no answer: its line says so by having none. A new entry gets no id: there is none. */
static int add_new(struct cassette *c, const struct cassette_line *n)
{
	struct cassette_line l = *n;
	if (value_copy(&c->arena, &n->v, &l.v) < 0)
		return -ERR_NO_MEMORY;
	l.step = arena_str(&c->arena, n->step);
	if (l.kind == CASSETTE_ENTRY) {
		struct value *entry = value_get_c(&l.v, "entry");
		(void)value_set(&c->arena, entry, STR("id"), value_int(&c->arena, 0));
		(void)value_set(&c->arena, entry, STR("change"), value_int(&c->arena, 0));
	}
	return cassette_add(c, &l) ? 0 : -ERR_NO_MEMORY;
}

static int update(struct cassette *recorded, const struct cassette *now, bool with_calls)
{
	size_t n = 0, old;
	for (size_t i = 0; i < recorded->n; i++) {
		struct cassette_line *l = &recorded->lines[i];
		const struct cassette_line *p = played(now, l);
		bool is_effect = l->kind == CASSETTE_CALL || l->kind == CASSETTE_ENTRY;
		bool is_end = l->kind == CASSETTE_OUTPUT || l->kind == CASSETTE_PROBLEM;
		bool is_loaded =
		    l->kind == CASSETTE_PROBLEM && value_is_string(value_get_c(&l->v, "state"), STR("kept"));
		bool stays = l->kind == CASSETTE_CALL && !with_calls;
		/* Attempts after the first may be hops elsewhere: they stay as they were recorded. */
		if (is_effect && p && !stays && (l->kind == CASSETTE_ENTRY || l->attempt == 1) &&
		    take_over(recorded, l, p, l->kind == CASSETTE_CALL ? "request" : "entry") < 0)
			return -ERR_NO_MEMORY;
		if ((is_effect && p) || stays || (!is_effect && !is_end) || is_loaded)
			recorded->lines[n++] = *l;
	}
	recorded->n = old = n;
	for (size_t i = 0; i < now->n; i++) {
		const struct cassette_line *l = &now->lines[i];
		bool is_end = l->kind == CASSETTE_OUTPUT || l->kind == CASSETTE_PROBLEM, is_known = false;
		size_t k = cassette_find(recorded->lines, old, l->item);
		for (; !is_end && k < old && recorded->lines[k].item == l->item && !is_known; k++)
			is_known = recorded->lines[k].kind == l->kind && str_eq(recorded->lines[k].step, l->step);
		if (l->kind == CASSETTE_CALL && !with_calls)
			continue;
		if (l->kind != CASSETTE_STEP && !is_known && add_new(recorded, l) < 0)
			return -ERR_NO_MEMORY;
	}
	cassette_sort(recorded);
	return 0;
}

int cassette_update(struct cassette *recorded, const struct cassette *now)
{
	return update(recorded, now, true);
}

int cassette_complete(struct cassette *recorded, const struct cassette *now)
{
	return update(recorded, now, false);
}
