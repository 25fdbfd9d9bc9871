/* SPDX-License-Identifier: Apache-2.0 */
/* What is not to be in a file that is kept for years: header values by name, values by JSONPath. */
#include "base/jsonpath.h"
#include "cassette/cassette_int.h"

#define REDACTED "***"

/* Selected values share what the root holds, so they are known again by where their contents lie. */
static void replace(struct arena *a, struct value *v, const struct value *selected)
{
	for (uint32_t i = 0; i < selected->len; i++) {
		const struct value *s = &selected->items[i];
		if (s->kind != v->kind || s->text != v->text ||
		    (!s->len && s->kind != VALUE_BOOL && s->kind != VALUE_NULL))
			continue;
		if (v->kind == VALUE_STRING)
			*v = value_string(STR(REDACTED));
		else if (v->kind == VALUE_NUMBER)
			*v = value_int(a, 0);
		else if (v->kind == VALUE_OBJECT || v->kind == VALUE_ARRAY)
			*v = value_null();
		return;
	}
	for (uint32_t i = 0; v->kind == VALUE_OBJECT && i < v->len; i++)
		replace(a, &v->members[i].value, selected);
	for (uint32_t i = 0; v->kind == VALUE_ARRAY && i < v->len; i++)
		replace(a, &v->items[i], selected);
}

static int redact_value(struct arena *a, struct value *v, const struct jsonpath *path, struct err *e)
{
	struct value selected;
	if (!v)
		return 0;
	int code = jsonpath_select(path, v, a, &selected, e);
	if (code == 0 && selected.len)
		replace(a, v, &selected);
	return code;
}

static void redact_headers(struct value *headers, struct str name)
{
	for (uint32_t i = 0; value_is(headers, VALUE_ARRAY) && i < headers->len; i++) {
		struct value *pair = &headers->items[i];
		if (value_is(value_at(pair, 0), VALUE_STRING) && value_at(pair, 1) &&
		    str_eq_nocase(value_text(value_at(pair, 0)), name))
			*value_at(pair, 1) = value_string(STR(REDACTED));
	}
	for (uint32_t i = 0; value_is(headers, VALUE_OBJECT) && i < headers->len; i++)
		if (str_eq_nocase(headers->members[i].key, name))
			headers->members[i].value = value_string(STR(REDACTED));
}

static int redact_line(struct cassette *c, struct cassette_line *l, struct str what, const struct jsonpath *path,
		       struct err *e)
{
	struct value *request = value_get_c(&l->v, "request"), *answer = value_get_c(&l->v, "answer"),
		     *entry = value_get_c(&l->v, "entry");
	struct arena *a = &c->arena;
	if (!path) {
		redact_headers(value_get_c(request, "headers"), what);
		redact_headers(value_get_c(answer, "headers"), what);
		return 0;
	}
	struct value *places[] = { value_get_c(&l->v, "input"),
				   value_get_c(&l->v, "output"),
				   value_get_c(value_get_c(request, "body"), BODY_JSON),
				   value_get_c(value_get_c(answer, "body"), BODY_JSON),
				   value_get_c(entry, "data"),
				   value_get_c(value_get_c(&l->v, "decision"), "result") };
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (redact_value(a, places[i], path, e) < 0)
			return e->code;
	return 0;
}

int cassette_redact(struct cassette *c, struct err *e)
{
	for (uint32_t i = 0; i < c->redact.len; i++) {
		const struct value *v = &c->redact.items[i];
		if (v->kind != VALUE_STRING)
			return err_set(e, ERR_INVALID, "redact is a list of header names and JSONPaths");
		struct str what = value_text(v);
		struct jsonpath *path = str_starts(what, STR("$")) ? jsonpath_compile(&c->arena, what, e) : NULL;
		if (e->code)
			return e->code;
		for (size_t k = 0; k < c->n; k++)
			if (redact_line(c, &c->lines[k], what, path, e) < 0)
				return e->code;
	}
	return 0;
}
