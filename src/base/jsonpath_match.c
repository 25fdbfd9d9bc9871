/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a pattern's states over a text, all that are possible side by side (Thompson 1968): each character is looked at
 * once, and no pattern can make that exponential.
 */
#include "base/jsonpath_int.h"

struct runner {
	const struct regex *regex;
	struct str text;
	uint32_t seen[JSONPATH_REGEX_STATES_MAX]; /* the round in which a state was entered last */
	uint32_t round;				  /* 64 MiB of text are fewer rounds than wrap it */
	uint16_t stack[JSONPATH_REGEX_STATES_MAX];
	unsigned stacked;
};

struct state_list {
	uint16_t states[JSONPATH_REGEX_STATES_MAX];
	unsigned n;
	bool has_match;
};

static void push(struct runner *m, uint16_t state)
{
	if (m->seen[state] == m->round)
		return;
	m->seen[state] = m->round;
	m->stack[m->stacked++] = state;
}

/* Enter a state and all that it leads to without a character; `at` is the offset in the text. */
static void enter(struct runner *m, struct state_list *list, uint16_t state, size_t at)
{
	push(m, state);
	while (m->stacked > 0) {
		uint16_t i = m->stack[--m->stacked];
		const struct regex_state *s = &m->regex->states[i];
		switch ((enum regex_kind)s->kind) {
		case REGEX_SPLIT:
			push(m, s->to[1]);
			push(m, s->to[0]);
			break;
		case REGEX_JUMP:
			push(m, s->to[0]);
			break;
		case REGEX_BEGIN:
			if (at == 0)
				push(m, (uint16_t)(i + 1));
			break;
		case REGEX_END:
			if (at == m->text.len)
				push(m, (uint16_t)(i + 1));
			break;
		case REGEX_MATCH:
			list->has_match = true;
			break;
		case REGEX_CHAR:
		case REGEX_ANY:
		case REGEX_SET:
			list->states[list->n++] = i;
			break;
		}
	}
}

static bool is_in_set(const struct regex_set *set, uint32_t c)
{
	bool found = set->categories && (set->categories & category_of(c));
	for (uint32_t i = 0; !found && i < set->n; i++)
		found = c >= set->ranges[i].first && c <= set->ranges[i].last;
	return found != set->is_negated;
}

static bool takes(const struct regex_state *s, uint32_t c)
{
	switch ((enum regex_kind)s->kind) {
	case REGEX_CHAR:
		return s->c == c;
	case REGEX_ANY:
		return c != '\n' && c != '\r'; /* RFC 9485 section 5.3 */
	case REGEX_SET:
		return is_in_set(s->set, c);
	default:
		return false;
	}
}

/* From the states before c to those behind it. Returns what that cost. */
static uint64_t step(struct runner *m, const struct state_list *now, struct state_list *next, uint32_t c, size_t behind)
{
	uint64_t cost = 1 + now->n;
	m->round++;
	next->n = 0;
	next->has_match = false;
	for (unsigned i = 0; i < now->n; i++) {
		const struct regex_state *s = &m->regex->states[now->states[i]];
		cost += s->kind == REGEX_SET ? s->set->n / 8 : 0;
		if (takes(s, c))
			enter(m, next, (uint16_t)(now->states[i] + 1), behind);
	}
	return cost + next->n;
}

bool regex_run(const struct regex *x, struct str text, bool whole, uint64_t *steps, uint64_t max_steps)
{
	struct runner m;
	struct state_list lists[2], *now = &lists[0], *next = &lists[1];
	m.regex = x;
	m.text = text;
	m.round = 1;
	m.stacked = 0;
	memset(m.seen, 0, x->n * sizeof(m.seen[0]));
	*steps += x->n / 16; /* the line above */
	now->n = 0;
	now->has_match = false;
	enter(&m, now, 0, 0);
	for (size_t at = 0, n; at < text.len; at += n) {
		if (*steps > max_steps || (whole && now->n == 0))
			return false;
		if (!whole && now->has_match)
			return true;
		uint32_t c = regex_code_point(text.ptr + at, text.ptr + text.len, &n);
		*steps += step(&m, now, next, c, at + n);
		struct state_list *swap = now;
		now = next;
		next = swap;
		if (!whole) /* a match may begin anywhere */
			enter(&m, now, 0, at + n);
	}
	return now->has_match && *steps <= max_steps;
}
