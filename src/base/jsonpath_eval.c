/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks a query over a value, depth first: each node goes on through the remaining segments before its neighbour does,
 * which gives the nodelist's order without any list in between, and lets who asks "is there one?" stop at the first.
 */
#include "base/jsonpath_int.h"

static int walk(struct jp_eval *ev, const struct jp_segment *segment, const struct value *v, struct jp_sink *sink);

int jp_spend(struct jp_eval *ev, uint64_t steps)
{
	ev->steps += steps;
	if (likely(ev->steps <= JSONPATH_STEPS_MAX))
		return 0;
	return err_set(ev->e, ERR_LIMIT,
		       "the path costs more than %d steps on this value; write names instead of .., or simpler filters",
		       JSONPATH_STEPS_MAX);
}

static inline bool has_children(const struct value *v)
{
	return v->kind == VALUE_ARRAY || v->kind == VALUE_OBJECT;
}

static inline const struct value *child_at(const struct value *v, uint32_t i)
{
	return v->kind == VALUE_ARRAY ? &v->items[i] : &v->members[i].value;
}

/* A negative index counts from the end (RFC 9535 section 2.3.3). */
static const struct value *item_at(const struct value *v, int64_t i)
{
	if (v->kind != VALUE_ARRAY)
		return NULL;
	i += i < 0 ? (int64_t)v->len : 0;
	return i >= 0 && i < (int64_t)v->len ? &v->items[i] : NULL;
}

static int64_t clamp(int64_t i, int64_t low, int64_t high)
{
	return i < low ? low : i > high ? high : i;
}

/* RFC 9535 section 2.3.4.2.2. Nothing overflows: indexes stay within 2^53, lengths within 2^32. */
static int walk_slice(struct jp_eval *ev, const struct jp_segment *segment, const struct jp_slice *s,
		      const struct value *v, struct jp_sink *sink)
{
	int64_t len = v->len, start, end;
	int r = 0;
	if (v->kind != VALUE_ARRAY || s->step == 0)
		return 0;
	start = s->has_start ? s->start : s->step > 0 ? 0 : len - 1;
	end = s->has_end ? s->end : s->step > 0 ? len : -len - 1;
	start += start < 0 && s->has_start ? len : 0;
	end += end < 0 ? len : 0;
	if (s->step > 0) {
		end = clamp(end, 0, len);
		for (int64_t i = clamp(start, 0, len); r == 0 && i < end; i += s->step)
			r = walk(ev, segment->next, &v->items[i], sink);
	} else {
		end = clamp(end, -1, len - 1);
		for (int64_t i = clamp(start, -1, len - 1); r == 0 && i > end; i += s->step)
			r = walk(ev, segment->next, &v->items[i], sink);
	}
	return r;
}

static int walk_filter(struct jp_eval *ev, const struct jp_segment *segment, const struct jp_test *filter,
		       const struct value *v, struct jp_sink *sink)
{
	int r = 0;
	for (uint32_t i = 0; r == 0 && has_children(v) && i < v->len; i++) {
		const struct value *child = child_at(v, i);
		r = jp_holds(ev, filter, child);
		if (r > 0)
			r = walk(ev, segment->next, child, sink);
	}
	return r;
}

static int walk_name(struct jp_eval *ev, const struct jp_segment *segment, struct str name, const struct value *v,
		     struct jp_sink *sink)
{
	if (v->kind != VALUE_OBJECT)
		return 0;
	int r = jp_spend(ev, v->len / 8); /* members are searched one by one */
	const struct value *child = r == 0 ? value_get(v, name) : NULL;
	return child ? walk(ev, segment->next, child, sink) : r;
}

static int walk_selector(struct jp_eval *ev, const struct jp_segment *segment, const struct jp_selector *s,
			 const struct value *v, struct jp_sink *sink)
{
	int r = 0;
	const struct value *item;
	switch (s->kind) {
	case JP_NAME:
		return walk_name(ev, segment, s->name, v, sink);
	case JP_INDEX:
		item = item_at(v, s->index);
		return item ? walk(ev, segment->next, item, sink) : 0;
	case JP_SLICE:
		return walk_slice(ev, segment, &s->slice, v, sink);
	case JP_FILTER:
		return walk_filter(ev, segment, s->filter, v, sink);
	case JP_WILDCARD:
		for (uint32_t i = 0; r == 0 && has_children(v) && i < v->len; i++)
			r = walk(ev, segment->next, child_at(v, i), sink);
	}
	return r;
}

/* All that the rest of the query, from `segment` on, finds under `v`. */
static int walk(struct jp_eval *ev, const struct jp_segment *segment, const struct value *v, struct jp_sink *sink)
{
	int r = jp_spend(ev, 1);
	if (r < 0)
		return r;
	if (!segment)
		return sink->on_node(sink, v);
	if (!has_children(v))
		return 0;
	/* Each segment goes down one level, so values of ordinary depth end this; values made by hand may not, and
	 * filters nest. */
	if (ev->depth >= JSONPATH_DEPTH_MAX)
		return err_set(ev->e, ERR_LIMIT, "the path leads deeper than %d levels, those of its filters together",
			       JSONPATH_DEPTH_MAX);
	ev->depth++;
	for (const struct jp_selector *s = segment->first; r == 0 && s; s = s->next)
		r = walk_selector(ev, segment, s, v, sink);
	/* A value before what is in it, arrays in order: RFC 9535 section 2.5.2.2 allows this order. */
	for (uint32_t i = 0; r == 0 && segment->is_descendant && i < v->len; i++)
		r = walk(ev, segment, child_at(v, i), sink);
	ev->depth--;
	return r;
}

int jp_walk_query(struct jp_eval *ev, const struct jp_query *q, const struct value *current, struct jp_sink *sink)
{
	return walk(ev, q->first, q->is_absolute ? ev->root : current, sink);
}

const struct value *jp_follow(const struct jp_query *q, const struct value *root, const struct value *current)
{
	const struct value *v = q->is_absolute ? root : current;
	for (const struct jp_segment *s = q->first; s && v; s = s->next)
		v = s->first->kind == JP_NAME ? value_get(v, s->first->name) : item_at(v, s->first->index);
	return v;
}
