/* SPDX-License-Identifier: Apache-2.0 */
/* Does a filter hold? Conditions and the five functions (RFC 9535 sections 2.3.5.2 and 2.4). */
#include "base/jsonpath_int.h"
#include "base/utf8.h"
#include <inttypes.h>
#include <stdio.h>

/* A value that an expression stands for: one of the document's, of the query's, or a number counted just now. */
struct operand {
	const struct value *v; /* NULL: Nothing */
	struct value counted;
	char digits[24];
};

/* Counts nodes up to `enough`, keeping the first. */
struct counter {
	struct jp_sink sink;
	const struct value *first;
	uint64_t count, enough;
};

static int count_node(struct jp_sink *sink, const struct value *v)
{
	struct counter *c = CONTAINER_OF(sink, struct counter, sink);
	if (c->count++ == 0)
		c->first = v;
	return c->count >= c->enough;
}

static int count_nodes(struct jp_eval *ev, const struct jp_query *q, const struct value *current, uint64_t enough,
		       struct counter *ret)
{
	*ret = (struct counter){ .sink = { count_node }, .enough = enough };
	int r = jp_walk_query(ev, q, current, &ret->sink);
	return r < 0 ? r : 0;
}

static uint64_t code_points(struct str s)
{
	uint64_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
	return n;
}

static void set_count(struct operand *ret, uint64_t n)
{
	int len = snprintf(ret->digits, sizeof(ret->digits), "%" PRIu64, n);
	ret->counted = value_number_text(str_from(ret->digits, (size_t)len));
	ret->v = &ret->counted;
}

static int operand_of(struct jp_eval *ev, const struct jp_term *t, const struct value *current, struct operand *ret);

/* Code points, items or members; of anything else Nothing (RFC 9535 section 2.4.4). */
static int length_of(struct jp_eval *ev, const struct jp_term *t, const struct value *current, struct operand *ret)
{
	struct operand arg;
	int r = operand_of(ev, t, current, &arg);
	ret->v = NULL;
	if (r < 0 || !arg.v)
		return r;
	if (arg.v->kind == VALUE_ARRAY || arg.v->kind == VALUE_OBJECT)
		set_count(ret, arg.v->len);
	if (arg.v->kind == VALUE_STRING && (r = jp_spend(ev, arg.v->len / 64)) == 0)
		set_count(ret, code_points(value_text(arg.v)));
	return r;
}

static int value_of_call(struct jp_eval *ev, const struct jp_call *call, const struct value *current,
			 struct operand *ret)
{
	struct counter c;
	int r;
	if (call->function->id == JP_LENGTH)
		return length_of(ev, &call->args[0], current, ret);
	bool is_count = call->function->id == JP_COUNT;
	r = count_nodes(ev, &call->args[0].query, current, is_count ? UINT64_MAX : 2, &c);
	if (r < 0)
		return r;
	ret->v = c.count == 1 ? c.first : NULL;
	if (is_count)
		set_count(ret, c.count);
	return 0;
}

static int operand_of(struct jp_eval *ev, const struct jp_term *t, const struct value *current, struct operand *ret)
{
	struct counter c;
	int r;
	switch (t->kind) {
	case JP_LITERAL:
		ret->v = &t->literal;
		return 0;
	case JP_QUERY:
		r = count_nodes(ev, &t->query, current, 1, &c);
		ret->v = c.first;
		return r;
	case JP_CALL:
		return value_of_call(ev, t->call, current, ret);
	}
	return 0;
}

/* The pattern `text` of a document, compiled; NULL in *ret when it is none. The last one is kept. */
static int pattern_of(struct jp_eval *ev, struct str text, const struct regex **ret)
{
	int r = 0;
	if (!ev->has_pattern || !str_eq(ev->pattern, text)) {
		arena_done(&ev->pattern_arena);
		ev->has_pattern = false;
		ev->pattern_regex = NULL;
		if ((r = jp_spend(ev, 100 + text.len)) < 0)
			return r;
		r = regex_compile(&ev->pattern_arena, text, &ev->pattern_regex, ev->e);
		if (r < 0 && r != -ERR_INVALID)
			return r;
		if (ev->e)
			*ev->e = ERR_INIT; /* a pattern that is none is no error here */
		ev->has_pattern = true;
		ev->pattern = text; /* borrowed from the document, which outlives the selection */
	}
	*ret = ev->pattern_regex;
	return 0;
}

/* match() and search() (RFC 9535 sections 2.4.6 and 2.4.7): false when an argument is no string or the pattern no
 * I-Regexp. */
static int call_matches(struct jp_eval *ev, const struct jp_call *call, const struct value *current)
{
	struct operand text, pattern;
	const struct regex *regex = call->regex;
	int r = operand_of(ev, &call->args[0], current, &text);
	if (r == 0)
		r = operand_of(ev, &call->args[1], current, &pattern);
	if (r < 0)
		return r;
	if (!value_is(text.v, VALUE_STRING) || !value_is(pattern.v, VALUE_STRING))
		return 0;
	if (call->args[1].kind != JP_LITERAL && (r = pattern_of(ev, value_text(pattern.v), &regex)) < 0)
		return r;
	if (!regex)
		return 0;
	bool found =
	    regex_run(regex, value_text(text.v), call->function->id == JP_MATCH, &ev->steps, JSONPATH_STEPS_MAX);
	r = jp_spend(ev, 0);
	return r < 0 ? r : found;
}

static int compare(struct jp_eval *ev, const struct jp_test *t, const struct value *current)
{
	struct operand left, right;
	int r = operand_of(ev, &t->left, current, &left);
	if (r == 0)
		r = operand_of(ev, &t->right, current, &right);
	return r < 0 ? r : jp_compare(ev, t->operator, left.v, right.v);
}

/* Without its "!". */
static int holds_plainly(struct jp_eval *ev, const struct jp_test *t, const struct value *current)
{
	struct counter c;
	int r = t->kind == JP_AND;
	switch (t->kind) {
	case JP_AND:
		for (const struct jp_test *one = t->first; r == 1 && one; one = one->next)
			r = jp_holds(ev, one, current);
		return r;
	case JP_OR:
		for (const struct jp_test *one = t->first; r == 0 && one; one = one->next)
			r = jp_holds(ev, one, current);
		return r;
	case JP_EXISTS:
		r = count_nodes(ev, &t->left.query, current, 1, &c);
		return r < 0 ? r : c.count > 0;
	case JP_COMPARE:
		return compare(ev, t, current);
	case JP_MATCHES:
		return call_matches(ev, t->left.call, current);
	}
	return 0;
}

int jp_holds(struct jp_eval *ev, const struct jp_test *t, const struct value *current)
{
	int r = jp_spend(ev, 1);
	if (r == 0)
		r = holds_plainly(ev, t, current);
	return r < 0 ? r : r != t->is_negated;
}
