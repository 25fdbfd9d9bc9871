/* SPDX-License-Identifier: Apache-2.0 */
/* GraphQL over HTTP: the mapped rows become { query, operationName, variables }. */
#include "call/body_int.h"
#include "call/request_int.h"

enum graphql_row graphql_row_of(const struct graphql *g, struct str name)
{
	if (str_eq_c(name, "variables"))
		return GRAPHQL_VARIABLES;
	if (str_eq_c(name, "query") && !g->query.ptr)
		return GRAPHQL_QUERY;
	if (str_eq_c(name, "operationName") && !g->operation_name.ptr)
		return GRAPHQL_OPERATION_NAME;
	return GRAPHQL_VARIABLE;
}

struct rows {
	struct value query, operation_name, by_name;
	const struct value *variables;
};

static int take_row(struct build *b, const struct member *m, struct rows *rows, struct err *e)
{
	enum graphql_row row = graphql_row_of(b->s->op.graphql, m->key);
	bool is_text = value_is(&m->value, VALUE_STRING);
	switch (row) {
	case GRAPHQL_VARIABLES:
		rows->variables = &m->value;
		if (!value_is(&m->value, VALUE_OBJECT))
			return err_set(e, ERR_INVALID, "variables are an object of name: value, not %s",
				       value_kind_name(m->value.kind));
		return 0;
	case GRAPHQL_QUERY:
	case GRAPHQL_OPERATION_NAME:
		if (!is_text)
			return err_set(e, ERR_INVALID, "%.*s is a text, not %s", STR_ARG(m->key),
				       value_kind_name(m->value.kind));
		*(row == GRAPHQL_QUERY ? &rows->query : &rows->operation_name) = m->value;
		return 0;
	default:
		return value_add(b->a, &rows->by_name, m->key, m->value) < 0 ? build_out_of_memory(e) : 0;
	}
}

int build_graphql(struct build *b, struct err *e)
{
	const struct graphql *g = b->s->op.graphql;
	struct rows rows = { .by_name = value_object() };
	if (b->body && b->body != &b->members)
		return err_set(
		    e, ERR_INVALID,
		    "the body of a GraphQL operation is made of its query; map variables instead of \"body\"");
	if (g->query.ptr)
		rows.query = value_string(g->query);
	if (g->operation_name.ptr)
		rows.operation_name = value_string(g->operation_name);
	for (uint32_t i = 0; i < b->members.len; i++) {
		int r = take_row(b, &b->members.members[i], &rows, e);
		if (r < 0)
			return r;
	}
	if (rows.query.kind == VALUE_ABSENT)
		return err_set(e, ERR_INVALID, "a GraphQL call needs a query: a text mapped to \"query\"");
	if (rows.variables && rows.by_name.len)
		return err_set(e, ERR_INVALID, "variables are given whole (\"variables\") and by name (\"%.*s\")",
			       STR_ARG(rows.by_name.members[0].key));
	struct value body = value_object();
	int r = value_add(b->a, &body, STR("query"), rows.query);
	if (r == 0 && rows.operation_name.kind != VALUE_ABSENT)
		r = value_add(b->a, &body, STR("operationName"), rows.operation_name);
	if (r == 0 && (rows.variables || rows.by_name.len))
		r = value_add(b->a, &body, STR("variables"), rows.variables ? *rows.variables : rows.by_name);
	b->members = body;
	b->body = &b->members;
	return r < 0 ? build_out_of_memory(e) : 0;
}

/* ---- check ---- */

/* "$name" with no more letters behind it. */
bool graphql_has_variable(struct str query, struct str name)
{
	for (size_t i = 0; i + name.len < query.len; i++) {
		if (query.ptr[i] != '$' || memcmp(query.ptr + i + 1, name.ptr, name.len) != 0)
			continue;
		char c = i + 1 + name.len < query.len ? query.ptr[i + 1 + name.len] : 0;
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
			return true;
	}
	return false;
}
