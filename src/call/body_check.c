/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the author of a mapping which of its rows the body cannot take, and what the body misses. */
#include "call/body_int.h"
#include <stdio.h>

/* The rows of a mapping that go to the body. */
struct rows {
	const struct call_spec *s;
	const struct value *mapping;
	struct told *t;
	const struct value *whole; /* "body" */
	size_t n;		   /* members */
};

static bool is_expression(const struct value *v)
{
	return value_is(v, VALUE_STRING) && str_starts(value_text(v), STR("="));
}

static bool next_member(const struct rows *rows, uint32_t *i, struct target *ret, const struct value **ret_value)
{
	while (*i < rows->mapping->len) {
		const struct member *m = &rows->mapping->members[(*i)++];
		*ret_value = &m->value;
		if (target_find(rows->s, m->key, ret, NULL) == 0 && ret->place == CALL_IN_BODY)
			return true;
	}
	return false;
}

/* ---- templates ---- */

static struct str first_name(struct str path)
{
	return str_split(&path, '.');
}

static bool template_has(const struct body_template *t, struct str name)
{
	for (size_t i = 0; i < t->n_slots; i++)
		if (str_eq(first_name(t->slots[i].path), name))
			return true;
	return false;
}

static bool rows_have(const struct rows *rows, struct str name)
{
	struct target target;
	const struct value *v;
	for (uint32_t i = 0; next_member(rows, &i, &target, &v);)
		if (str_eq(target.name, name))
			return true;
	return false;
}

static void check_template(const struct rows *rows)
{
	const struct body_template *t = rows->s->op.body_template;
	struct target target;
	const struct value *v;
	if (rows->whole && value_is(rows->whole, VALUE_STRING) && !is_expression(rows->whole))
		tell(rows->t, rows->whole, "body", "the operation has a template; map an object of name: value");
	for (size_t k = 0; k < t->n_slots; k++) {
		struct str name = first_name(t->slots[k].path);
		bool is_known = rows->whole ? !value_is(rows->whole, VALUE_OBJECT) || value_get(rows->whole, name)
					    : rows_have(rows, name);
		for (size_t before = 0; before < k && !is_known; before++)
			is_known = str_eq(first_name(t->slots[before].path), name); /* told already */
		if (!is_known)
			tell(rows->t, rows->mapping, NULL, "slot {{%.*s}} of the template has no row; map \"%.*s\"",
			     STR_ARG(t->slots[k].path), STR_ARG(name));
	}
	for (uint32_t i = 0; next_member(rows, &i, &target, &v);)
		if (!target.is_whole_body && !template_has(t, target.name))
			tell_named(rows->t, v, target.name, "\"%.*s\" stands in no slot of the template",
				   STR_ARG(target.name));
}

/* ---- files ---- */

static void check_file(const struct rows *rows, const struct value *v, struct str name)
{
	struct body_file f;
	struct err e = ERR_INIT;
	const struct value *id = value_get_c(v, "file"), *base64 = value_get_c(v, "base64"),
			   *type = value_get_c(v, "media_type");
	if (is_expression(id) || is_expression(base64) || is_expression(type))
		return; /* looked at when the values are there */
	if (body_file_parse(v, &f, &e) < 0)
		tell_named(rows->t, v, name, "%s", e.msg);
}

static bool is_file_member(struct str name)
{
	return str_eq_c(name, "file") || str_eq_c(name, "base64") || str_eq_c(name, "text") || str_eq_c(name, "name") ||
	       str_eq_c(name, "media_type") || str_eq_c(name, "bytes");
}

static void check_raw(const struct rows *rows)
{
	struct target target;
	const struct value *v;
	struct str type = rows->s->op.body_type;
	if (rows->whole)
		check_file(rows, rows->whole, STR("body"));
	for (uint32_t i = 0; next_member(rows, &i, &target, &v);)
		if (!target.is_whole_body && !is_file_member(target.name))
			tell_named(rows->t, v, target.name,
				   "a body of type \"%.*s\" has no members; map a text or a file to \"body\"",
				   STR_ARG(str_clip(type, 128)));
}

static void check_multipart(const struct rows *rows)
{
	struct target target;
	const struct value *v;
	if (value_is(rows->whole, VALUE_OBJECT))
		for (uint32_t i = 0; i < rows->whole->len; i++)
			check_file(rows, &rows->whole->members[i].value, rows->whole->members[i].key);
	for (uint32_t i = 0; next_member(rows, &i, &target, &v);)
		if (!target.is_whole_body)
			check_file(rows, v, target.name);
}

static void check_pairs(const struct rows *rows, const char *what)
{
	const struct value *v = rows->whole;
	if (v && !is_expression(v) && !value_is(v, VALUE_OBJECT) && !value_is_nothing(v))
		tell(rows->t, v, "body", "%s is an object of name: value, not %s", what, value_kind_name(v->kind));
}

/* ---- GraphQL ---- */

static void check_graphql(const struct rows *rows)
{
	const struct graphql *g = rows->s->op.graphql;
	struct target target;
	const struct value *v;
	bool has_query = g->query.ptr;
	if (rows->whole)
		tell(rows->t, rows->whole, "body",
		     "the body of a GraphQL operation is made of its query; map variables instead of \"body\"");
	for (uint32_t i = 0; next_member(rows, &i, &target, &v);) {
		enum graphql_row row = graphql_row_of(g, target.name);
		has_query |= row == GRAPHQL_QUERY;
		if (row == GRAPHQL_VARIABLE && !target.is_whole_body && g->query.ptr &&
		    !graphql_has_variable(g->query, target.name))
			tell_named(rows->t, v, target.name, "the query has no variable $%.*s", STR_ARG(target.name));
	}
	if (!has_query)
		tell(rows->t, rows->mapping, NULL,
		     "a GraphQL call needs a query; write graphql: { query: ... } in the operation or map \"query\"");
}

void body_check_mapping(const struct call_spec *s, const struct value *mapping, struct told *t)
{
	static const struct value none = { .kind = VALUE_OBJECT };
	struct rows rows = { .s = s, .mapping = value_is(mapping, VALUE_OBJECT) ? mapping : &none, .t = t };
	const struct operation *op = &s->op;
	struct target target;
	const struct value *v;
	for (uint32_t i = 0; next_member(&rows, &i, &target, &v); rows.n++)
		if (target.is_whole_body)
			rows.whole = v;
	if (op->graphql)
		check_graphql(&rows);
	else if (op->needs_body && rows.n == 0)
		tell(t, mapping, NULL, "the body is required; map values to it");
	if (!op->has_request_body || op->graphql || rows.n == 0)
		return;
	for (uint32_t i = 0; next_member(&rows, &i, &target, &v);)
		if (rows.whole && !target.is_whole_body)
			tell_named(t, v, target.name,
				   "the body is given whole (\"body\") and by member; leave one out");
	if (op->body_template)
		check_template(&rows);
	else if (op->body_kind == SEND_TEXT || op->body_kind == SEND_BINARY || op->body_kind == SEND_XML)
		check_raw(&rows);
	else if (op->body_kind == SEND_MULTIPART)
		check_multipart(&rows);
	if (op->body_kind == SEND_MULTIPART || op->body_kind == SEND_FORM)
		check_pairs(&rows, op->body_kind == SEND_FORM ? "a form" : "a multipart body");
}
