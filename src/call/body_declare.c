/* SPDX-License-Identifier: Apache-2.0 */
/* What an operation says of the body it takes: content type, template, GraphQL query, checked when the file is. */
#include "call/body_int.h"
#include <stdio.h>

#define TEMPLATE_MAX 262144 /* bytes of a template */

struct request_body_text {
	struct str content_type, template;
	bool required;
	const struct value *schema, *description, *example;
};

struct graphql_text {
	struct str query, operation_name;
};

#define PEOPLE_TEXT "{\"type\":[\"string\",\"object\"]}"

/* clang-format off */
const struct opt request_body_rows[] = {
	OPT_STRING(struct request_body_text, content_type, 0, "application/json", 0, 128, "application/json, application/x-www-form-urlencoded, multipart/form-data, application/xml, text/..., or any other type for a file."),
	OPT_STRING(struct request_body_text, template, 0, NULL, 0, TEMPLATE_MAX, "XML with {{name}} where the mapped values go."),
	OPT_BOOL(struct request_body_text, required, "false", "A call without a body is refused."),
	OPT_VALUE(struct request_body_text, schema, 0, NULL, "JSON Schema of the body, for people and forms."),
	OPT_VALUE(struct request_body_text, description, 0, PEOPLE_TEXT, "What the body means."),
	OPT_VALUE(struct request_body_text, example, 0, NULL, "An example."),
	OPT_END,
};

static const struct opt graphql_rows[] = {
	OPT_STRING(struct graphql_text, query, 0, NULL, 1, TEMPLATE_MAX, "The query or mutation; left out, it is mapped to \"query\"."),
	OPT_STRING(struct graphql_text, operation_name, 0, NULL, 1, 256, "Which operation of the query is meant."),
	OPT_END,
};
/* clang-format on */

/* ---- content type ---- */

/* "image/ *" is a range: a file brings its own type along. */
static bool is_range(struct str type)
{
	return str_ends(type, STR("/*")) && type.len > 2;
}

/* "application/ *+json": OpenAPI lets an operation take whatever is written so; one of them has to be sent. */
static struct str type_of_suffix_range(struct str media, enum body_kind kind)
{
	if (str_find(media, STR("/*+")) < 0)
		return STR_NULL;
	return kind == SEND_JSON ? STR("application/json") : kind == SEND_XML ? STR("application/xml") : STR_NULL;
}

static void type_load(struct arena *a, struct str type, const struct value *at, struct told *t, struct operation *op)
{
	struct str media = header_media_type(type);
	if (is_range(media) ? !header_value_is_clean(type) : !media_type_is_clean(type)) {
		tell(t, at, "content_type", "a content type is written like application/json, not \"%.*s\"",
		     STR_ARG(type));
		return;
	}
	op->body_kind = is_range(media) ? SEND_BINARY : body_kind_of(media);
	op->body_type = type;
	if (str_starts(media, STR("multipart/")) && op->body_kind != SEND_MULTIPART)
		tell(t, at, "content_type", "of the multipart types only multipart/form-data is known, not \"%.*s\"",
		     STR_ARG(media));
	struct str charset = header_parameter(a, type, STR("charset"));
	if (charset.ptr && op->body_kind != SEND_BINARY && !str_eq_nocase(charset, STR("utf-8")))
		tell(t, at, "content_type", "texts are sent in UTF-8, not in \"%.*s\"; write charset=utf-8",
		     STR_ARG(charset));
	op->body_type_sent = type_of_suffix_range(media, op->body_kind);
	bool is_text = op->body_kind == SEND_TEXT || (op->body_kind == SEND_XML && str_starts(media, STR("text/")));
	if (!is_text || charset.ptr)
		return;
	op->body_type_sent = str_c(arena_printf(a, "%.*s; charset=utf-8", STR_ARG(type)));
	if (!op->body_type_sent.ptr)
		tell(t, at, "content_type", "out of memory");
}

/* ---- template ---- */

/* Slots that the operation's own schema does not know. */
static void check_slots(const struct body_template *template, const struct value *schema, const struct value *at,
			struct told *t)
{
	const struct value *properties = value_get_c(schema, "properties");
	for (size_t i = 0; value_is(properties, VALUE_OBJECT) && i < template->n_slots; i++) {
		struct str path = template->slots[i].path, name = str_split(&path, '.');
		const char *known[64], *near;
		char names[64][65];
		size_t n = 0;
		if (value_get(properties, name))
			continue;
		for (; n < properties->len && n < ARRAY_LEN(known); n++) {
			(void)snprintf(names[n], sizeof(names[n]), "%.*s", STR_ARG(properties->members[n].key));
			known[n] = names[n];
		}
		near = opt_nearest(name, known, n);
		tell(t, at, "template",
		     near ? "slot {{%.*s}} is not in the schema; did you mean \"%s\"?"
			  : "slot {{%.*s}} is not in the schema%s",
		     STR_ARG(template->slots[i].path), near ? near : "");
	}
}

static void template_load(struct arena *a, const struct value *body, const struct request_body_text *text,
			  struct told *t, struct operation *op)
{
	struct err e = ERR_INIT;
	const struct value *at = value_get_c(body, "template");
	if (op->body_kind != SEND_XML) {
		tell(t, at, "template", "a template is for XML; write content_type: application/xml");
		return;
	}
	struct body_template *template = body_template_new(a, text->template, &e);
	if (!template)
		tell(t, at, "template", "%s", e.msg);
	else
		check_slots(template, text->schema, at, t);
	op->body_template = template;
}

void request_body_load(struct arena *a, const struct value *v, struct told *t, struct operation *op)
{
	struct request_body_text text = { 0 };
	if (!v)
		return;
	if (!value_is(v, VALUE_OBJECT)) {
		tell(t, v, "request_body", "request_body is an object like { content_type: application/json }");
		return;
	}
	told_load(request_body_rows, v, &text, t);
	op->has_request_body = true;
	op->needs_body = text.required;
	type_load(a, text.content_type, value_get_c(v, "content_type"), t, op);
	if (text.template.len)
		template_load(a, v, &text, t, op);
}

/* ---- GraphQL ---- */

void graphql_load(struct arena *a, const struct value *operation, const struct value *v, struct told *t,
		  struct operation *op)
{
	struct graphql_text text = { { 0 } };
	if (!v)
		return;
	if (!value_is(v, VALUE_OBJECT)) {
		tell(t, v, "graphql", "graphql is an object like { query: \"query($id: ID!) { ... }\" }");
		return;
	}
	told_load(graphql_rows, v, &text, t);
	if (op->method != CALL_POST)
		tell(t, value_get_c(operation, "method_name"), "method_name", "a GraphQL operation is a POST");
	if (op->body_kind != SEND_JSON)
		tell(t, value_get_c(operation, "request_body"), "request_body",
		     "the body of a GraphQL operation is JSON; leave request_body out");
	struct graphql *g = ARENA_NEW(a, struct graphql);
	if (!g) {
		tell(t, v, "graphql", "out of memory");
		return;
	}
	*g = (struct graphql){ .query = text.query.len ? text.query : STR_NULL,
			       .operation_name = text.operation_name.len ? text.operation_name : STR_NULL };
	op->graphql = g;
}
