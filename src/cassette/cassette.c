/* SPDX-License-Identifier: Apache-2.0 */
/* The file: lines in and out. */
#include "cassette/cassette_int.h"

#include "base/alloc.h"

#include <stdlib.h>

void cassette_init(struct cassette *c)
{
	*c = (struct cassette){ .redact = value_array() };
	arena_init(&c->arena, 1u << 30);
}

void cassette_done(struct cassette *c)
{
	free(c->lines);
	c->lines = NULL;
	c->n = c->cap = 0;
	arena_done(&c->arena);
}

struct cassette_line *cassette_add(struct cassette *c, const struct cassette_line *line)
{
	if (c->n == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 64;
		struct cassette_line *grown =
		    c->n < CASSETTE_MAX_LINES ? alloc_realloc(c->lines, cap * sizeof(*grown)) : NULL;
		if (!grown)
			return NULL;
		c->lines = grown;
		c->cap = cap;
	}
	c->lines[c->n] = *line;
	return &c->lines[c->n++];
}

static int by_place(const void *x, const void *y)
{
	const struct cassette_line *p = x, *q = y;
	if (p->item != q->item)
		return p->item < q->item ? -1 : 1;
	if (p->kind != q->kind)
		return p->kind < q->kind ? -1 : 1;
	int step = str_cmp(p->step, q->step);
	if (step && p->kind == CASSETTE_ENTRY)
		return step;
	return 0;
}

/* Stable: calls stay in the order of the plan, which is that of the ledger. */
void cassette_sort(struct cassette *c)
{
	struct cassette_line *to = c->n ? alloc_malloc(c->n * sizeof(*to)) : NULL;
	struct cassette_line *from = c->lines;
	if (!to)
		return;
	for (size_t width = 1; width < c->n; width *= 2) {
		for (size_t at = 0; at < c->n; at += 2 * width) {
			size_t mid = at + width < c->n ? at + width : c->n,
			       end = at + 2 * width < c->n ? at + 2 * width : c->n;
			for (size_t i = at, k = mid, out = at; out < end; out++)
				to[out] =
				    i < mid && (k >= end || by_place(&from[i], &from[k]) <= 0) ? from[i++] : from[k++];
		}
		struct cassette_line *swap = from;
		from = to;
		to = swap;
	}
	if (from != c->lines) {
		c->lines = from;
		c->cap = c->n;
	}
	free(to);
}

size_t cassette_find(const struct cassette_line *lines, size_t n, uint64_t item)
{
	size_t from = 0;
	while (from < n) {
		size_t mid = from + (n - from) / 2;
		if (lines[mid].item < item)
			from = mid + 1;
		else
			n = mid;
	}
	return from;
}

/* ---- reading ---- */

static int read_u64(const struct value *v, const char *name, uint64_t max, uint64_t *ret, struct err *e)
{
	const struct value *n = value_get_c(v, name);
	if (!value_is(n, VALUE_NUMBER) || num_parse_u64(value_text(n), ret) < 0 || *ret > max)
		return err_set(e, ERR_INVALID, "%s is a whole number from 0 to %llu", name, (unsigned long long)max);
	return 0;
}

static int read_text(const struct value *v, const char *name, struct str *ret, struct err *e)
{
	const struct value *s = value_get_c(v, name);
	if (!value_is(s, VALUE_STRING) || !s->len)
		return err_set(e, ERR_INVALID, "%s is missing, or no text", name);
	*ret = value_text(s);
	return 0;
}

static int read_head(struct cassette *c, const struct value *v, struct err *e)
{
	uint64_t version = 0, now = 0, run = 0;
	const struct value *redact = value_get_c(v, "redact");
	if (read_u64(v, "weir_cassette", 1, &version, e) < 0 || !version)
		return err_set(
		    e, ERR_INVALID,
		    "a cassette begins with a line { \"weir_cassette\": 1, component, dataflow, env, now, run, seed }");
	if (read_text(v, "component", &c->component, e) < 0 || read_text(v, "dataflow", &c->dataflow, e) < 0 ||
	    read_u64(v, "now", INT64_MAX, &now, e) < 0 || read_u64(v, "run", INT64_MAX, &run, e) < 0 ||
	    read_u64(v, "seed", INT64_MAX, &c->seed, e) < 0)
		return e->code;
	c->env = value_is(value_get_c(v, "env"), VALUE_STRING) ? value_text(value_get_c(v, "env")) : STR("");
	c->now = (msec_t)now;
	c->run = (int64_t)run;
	if (value_is(redact, VALUE_ARRAY) && redact->len <= CASSETTE_REDACT_MAX)
		c->redact = *redact;
	return 0;
}

static int check_input(const struct value *v, struct err *e)
{
	const struct value *made_by = value_get_c(v, "made_by");
	uint64_t parent;
	if (!value_is(value_get_c(v, "input"), VALUE_OBJECT))
		return err_set(e, ERR_INVALID, "input is an object");
	if (made_by && !value_is(made_by, VALUE_STRING))
		return err_set(e, ERR_INVALID, "made_by is the name of a step");
	return made_by ? read_u64(v, "parent", INT64_MAX, &parent, e) : 0;
}

static int check_call(struct cassette *c, struct cassette_line *l, struct err *e)
{
	const struct value *request = value_get_c(&l->v, "request"), *answer = value_get_c(&l->v, "answer");
	struct ledger_row row;
	uint64_t attempt = 0;
	struct str url, method;
	if (read_text(&l->v, "step", &l->step, e) < 0 || read_u64(&l->v, "attempt", UINT32_MAX, &attempt, e) < 0)
		return e->code;
	if (!attempt || !value_is(request, VALUE_OBJECT))
		return err_set(e, ERR_INVALID, "attempts count from 1, and request is an object");
	if (read_text(request, "method", &method, e) < 0 || read_text(request, "url", &url, e) < 0)
		return err_wrap(e, "request");
	l->attempt = (uint32_t)attempt;
	const struct value *decision = value_get_c(&l->v, "decision"), *is = value_get_c(decision, "is");
	if (decision && !value_is_string(is, STR("done")) && !value_is_string(is, STR("skip")))
		return err_set(e, ERR_INVALID, "decision: is is done or skip");
	return answer ? answer_to_row(&c->arena, answer, &row, e) : 0;
}

static int check_entry(struct cassette_line *l, struct err *e)
{
	const struct value *entry = value_get_c(&l->v, "entry");
	uint64_t id, change;
	if (read_text(&l->v, "step", &l->step, e) < 0)
		return e->code;
	if (!value_is(entry, VALUE_OBJECT))
		return err_set(e, ERR_INVALID, "entry is an object");
	return read_u64(entry, "id", INT64_MAX, &id, e) < 0 ? e->code : read_u64(entry, "change", 3, &change, e);
}

static int check_problem(struct cassette_line *l, struct err *e)
{
	const struct value *problem = value_get_c(&l->v, "problem"), *state = value_get_c(&l->v, "state");
	if (!value_is(problem, VALUE_OBJECT) ||
	    !(value_is_string(state, STR("failed")) || value_is_string(state, STR("unknown")) ||
	      value_is_string(state, STR("kept"))))
		return err_set(e, ERR_INVALID, "problem is an object, state is failed, unknown or kept");
	const struct value *step = value_get_c(problem, "step");
	l->step = value_is(step, VALUE_STRING) ? value_text(step) : STR_NULL;
	return 0;
}

static int read_line(struct cassette *c, const struct value *v, struct err *e)
{
	static const char *const names[] = { [CASSETTE_INPUT] = "input",
					     [CASSETTE_CALL] = "request",
					     [CASSETTE_ENTRY] = "entry",
					     [CASSETTE_OUTPUT] = "output",
					     [CASSETTE_PROBLEM] = "problem" };
	struct cassette_line l = { .kind = CASSETTE_STEP, .v = *v };
	int code;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (value_get_c(v, names[i]))
			l.kind = (enum cassette_kind)i;
	if (read_u64(v, "item", INT64_MAX - 1, &l.item, e) < 0)
		return e->code;
	switch (l.kind) {
	case CASSETTE_INPUT:
		code = check_input(v, e);
		break;
	case CASSETTE_CALL:
		code = check_call(c, &l, e);
		break;
	case CASSETTE_ENTRY:
		code = check_entry(&l, e);
		break;
	case CASSETTE_OUTPUT:
		code = 0;
		break;
	case CASSETTE_PROBLEM:
		code = check_problem(&l, e);
		break;
	default:
		code = err_set(e, ERR_INVALID, "a line has one of input, request, entry, output, problem");
	}
	if (code == 0 && !cassette_add(c, &l))
		code = err_set(e, ERR_LIMIT, "more than %d lines, or out of memory", CASSETTE_MAX_LINES);
	return code;
}

/* Every line belongs to an item that has an input, and has it once. */
static int check_items(const struct cassette *c, struct err *e)
{
	size_t items = 0;
	for (size_t i = 0; i < c->n; i++) {
		bool is_first = i == 0 || c->lines[i - 1].item != c->lines[i].item,
		     is_input = c->lines[i].kind == CASSETTE_INPUT;
		items += is_first;
		if (is_first != is_input)
			return err_set(e, ERR_INVALID, "item %llu has %s", (unsigned long long)c->lines[i].item,
				       is_input ? "two lines of input" : "no line of input");
	}
	if (!items || items > CASSETTE_MAX_ITEMS)
		return err_set(e, ERR_INVALID, items ? "more than %d items" : "no item (at most %d)",
			       CASSETTE_MAX_ITEMS);
	return 0;
}

int cassette_read(struct cassette *c, struct str text, struct err *e)
{
	struct json_options opt = { .copy = true, .duplicates = JSON_DUP_REFUSE };
	unsigned number = 0;
	bool has_head = false;
	while (text.ptr) {
		struct str line = str_split(&text, '\n');
		struct value v;
		number++;
		if (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (!str_trim(line).len)
			continue;
		int code = json_parse(&c->arena, line, &opt, &v, NULL, e);
		if (code == 0 && v.kind != VALUE_OBJECT)
			code = err_set(e, ERR_INVALID, "each line is an object");
		if (code == 0)
			code = has_head ? read_line(c, &v, e) : read_head(c, &v, e);
		if (code < 0)
			return err_wrap(e, "line %u", number);
		has_head = true;
	}
	if (!has_head)
		return err_set(e, ERR_INVALID, "the cassette is empty");
	cassette_sort(c);
	return check_items(c, e);
}

/* ---- writing ---- */

static int by_name(const void *x, const void *y)
{
	return str_cmp(((const struct member *)x)->key, ((const struct member *)y)->key);
}

/* Members by name; those of requests, answers and entries, too. */
static int write_sorted(struct arena *a, struct buf *b, const struct value *v)
{
	struct value copy = *v;
	copy.members = v->len ? arena_alloc(a, v->len * sizeof(struct member)) : NULL;
	if (v->len && !copy.members)
		return -ERR_NO_MEMORY;
	if (v->len)
		memcpy(copy.members, v->members, v->len * sizeof(struct member));
	if (v->len)
		qsort(copy.members, copy.len, sizeof(struct member), by_name);
	(void)buf_append_char(b, '{');
	for (uint32_t i = 0; i < copy.len; i++) {
		const struct member *m = &copy.members[i];
		bool is_ours = str_eq_c(m->key, "request") || str_eq_c(m->key, "answer") || str_eq_c(m->key, "entry") ||
			       str_eq_c(m->key, "decision");
		if (i)
			(void)buf_append_char(b, ',');
		(void)json_write_string(b, m->key);
		(void)buf_append_char(b, ':');
		if (is_ours && m->value.kind == VALUE_OBJECT)
			(void)write_sorted(a, b, &m->value);
		else
			(void)json_write(b, &m->value, JSON_COMPACT);
	}
	(void)buf_append_char(b, '}');
	return buf_ok(b) ? 0 : -b->failed;
}

int cassette_write(struct cassette *c, struct buf *b)
{
	struct value head = value_object();
	struct arena *a = &c->arena;
	(void)value_set(a, &head, STR("component"), value_string(c->component));
	(void)value_set(a, &head, STR("dataflow"), value_string(c->dataflow));
	(void)value_set(a, &head, STR("env"), value_string(c->env));
	(void)value_set(a, &head, STR("now"), value_int(a, c->now));
	if (c->redact.len)
		(void)value_set(a, &head, STR("redact"), c->redact);
	(void)value_set(a, &head, STR("run"), value_int(a, c->run));
	(void)value_set(a, &head, STR("seed"), value_int(a, (int64_t)c->seed));
	(void)value_set(a, &head, STR("weir_cassette"), value_int(a, 1));
	int code = json_write(b, &head, JSON_COMPACT);
	(void)buf_append_char(b, '\n');
	cassette_sort(c);
	for (size_t i = 0; code == 0 && i < c->n; i++) {
		struct cassette_line *l = &c->lines[i];
		if (value_set(a, &l->v, STR("item"), value_int(a, (int64_t)l->item)) < 0)
			return -ERR_NO_MEMORY;
		if (l->kind == CASSETTE_CALL)
			(void)value_set(a, &l->v, STR("attempt"), value_int(a, l->attempt));
		if (l->kind == CASSETTE_CALL || l->kind == CASSETTE_ENTRY)
			(void)value_set(a, &l->v, STR("step"), value_string(l->step));
		code = write_sorted(a, b, &l->v);
		(void)buf_append_char(b, '\n');
	}
	return code ? code : buf_ok(b) ? 0 : -b->failed;
}
