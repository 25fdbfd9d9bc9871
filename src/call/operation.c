/* SPDX-License-Identifier: Apache-2.0 */
/* What an operation says: its path template and its OpenAPI parameters, checked one by one. */
#include "base/num.h"
#include "call/body_int.h"

struct operation_text {
	struct str method_name, query_path, id, operation_id;
	const struct value *title, *summary, *description, *parameters, *request_body, *graphql, *idempotency_key,
	    *probe;
	bool repeatable;
	int answer;
	struct str json_prefix;
	const struct value *xml_lists, *rules;
};

struct parameter_text {
	struct str name, in, style;
	bool required, explode, allowReserved, allowEmptyValue, deprecated;
	const struct value *title, *description, *schema, *content, *example, *examples;
};

static const char *const answers[] = { "auto", "json", "ndjson", "sse", "csv", "xml", "text", "binary", "file", NULL };
#define GRAPHQL_SCHEMA                                                                                                 \
	"{\"type\":\"object\",\"properties\":{\"query\":{\"type\":\"string\",\"minLength\":1},"                        \
	"\"operation_name\":{\"type\":\"string\",\"minLength\":1}},\"additionalProperties\":false}"
#define PEOPLE_TEXT "{\"type\":[\"string\",\"object\"]}"

/* clang-format off */
const struct opt operation_rows[] = {
	OPT_STRING(struct operation_text, method_name, OPT_REQUIRED, NULL, 1, 16, "GET, POST, PUT, DELETE, PATCH, HEAD or OPTIONS."),
	OPT_STRING(struct operation_text, query_path, OPT_REQUIRED, NULL, 1, 4096, "Path template below the base URL, /users/{id}."),
	OPT_VALUE(struct operation_text, title, 0, PEOPLE_TEXT, "Name for people."),
	OPT_VALUE(struct operation_text, summary, 0, PEOPLE_TEXT, "What the operation does, in a line."),
	OPT_VALUE(struct operation_text, description, 0, PEOPLE_TEXT, "What the operation does, at length."),
	OPT_STRING(struct operation_text, operation_id, 0, NULL, 0, 256, "Name of the operation in its description."),
	OPT_VALUE(struct operation_text, parameters, 0, NULL, "OpenAPI parameter objects."),
	OPT_VALUE(struct operation_text, request_body, 0, NULL, "The body's content type, or its template."),
	OPT_VALUE(struct operation_text, graphql, 0, GRAPHQL_SCHEMA, "A GraphQL operation: the mapped rows are its variables."),
	OPT_VALUE(struct operation_text, idempotency_key, 0, NULL,
		  "Send a key by which the system recognizes a repeated call; true, or { header, lifetime, ... }; false: none, whatever the connector says."),
	OPT_BOOL(struct operation_text, repeatable, "false", "The system takes the same call twice without harm."),
	OPT_VALUE(struct operation_text, probe, 0, NULL, "A request that tells whether a call happened of which no answer came."),
	OPT_STRING(struct operation_text, id, 0, NULL, 0, 512, "Where the id of the entry stands in the answer, like $.data.id."),
	OPT_ENUM(struct operation_text, answer, "auto", answers, "What the answer's body is read as; file: it goes into a file, whatever it is."),
	OPT_STRING(struct operation_text, json_prefix, 0, NULL, 0, 64, "Text before the JSON of an answer that is cut off, like )]}'."),
	OPT_VALUE(struct operation_text, xml_lists, 0, "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}", "XML elements that are a list even when only one comes."),
	OPT_VALUE(struct operation_text, rules, 0, NULL, "What answers mean; asked first."),
	OPT_END,
};

const struct opt parameter_rows[] = {
	OPT_STRING(struct parameter_text, name, OPT_REQUIRED, NULL, 1, 256, "Name as the system knows it."),
	OPT_STRING(struct parameter_text, in, OPT_REQUIRED, NULL, 1, 16, "path, query, header or cookie."),
	OPT_BOOL(struct parameter_text, required, "false", "A call without it is refused."),
	OPT_STRING(struct parameter_text, style, 0, NULL, 0, 32, "How lists and objects are written: simple, label, matrix (path), simple (header), form, spaceDelimited, pipeDelimited, deepObject (query), form (cookie)."),
	OPT_BOOL(struct parameter_text, explode, "false", "Each item by itself; default true for style form and deepObject."),
	OPT_BOOL(struct parameter_text, allowReserved, "false", "Leave reserved characters of a query as they are."),
	OPT_BOOL(struct parameter_text, allowEmptyValue, "false", "Send an empty list or object of the query as \"name=\" instead of leaving it out."),
	OPT_BOOL(struct parameter_text, deprecated, "false", "Shown to people."),
	OPT_VALUE(struct parameter_text, title, 0, PEOPLE_TEXT, "Name for people."),
	OPT_VALUE(struct parameter_text, description, 0, PEOPLE_TEXT, "What it means."),
	OPT_VALUE(struct parameter_text, schema, 0, NULL, "JSON Schema of its value."),
	OPT_VALUE(struct parameter_text, content, 0, NULL, "{ application/json: ... }: the value is sent as JSON text."),
	OPT_VALUE(struct parameter_text, example, 0, NULL, "An example."),
	OPT_VALUE(struct parameter_text, examples, 0, NULL, "Examples by name."),
	OPT_END,
};
/* clang-format on */

/* ---- methods and places ---- */

const char *call_method_name(enum call_method m)
{
	static const char *const names[] = {
#define X(name) #name,
		CALL_METHODS(X)
#undef X
	};
	return (unsigned)m < ARRAY_LEN(names) ? names[m] : "?";
}

bool call_method_parse(struct str s, enum call_method *ret)
{
	for (enum call_method m = 0; m < CALL_METHOD_COUNT; m++) {
		if (str_eq_nocase(s, str_c(call_method_name(m)))) {
			*ret = m;
			return true;
		}
	}
	return false;
}

bool call_method_is_idempotent(enum call_method m)
{
	return m != CALL_POST && m != CALL_PATCH;
}

const char *call_place_name(enum call_place p)
{
	static const char *const names[] = { "path", "query", "header", "cookie", "body" };
	return (unsigned)p < ARRAY_LEN(names) ? names[p] : "?";
}

/* ---- path ---- */

/* A slot of the template is read: *pos stands behind "}" afterwards. False for an unclosed or nested brace. */
static bool next_slot(struct str path, size_t *pos, struct str *ret_name)
{
	for (size_t i = *pos; i < path.len; i++) {
		if (path.ptr[i] == '}')
			return false;
		if (path.ptr[i] != '{')
			continue;
		size_t end = i + 1;
		while (end < path.len && path.ptr[end] != '}' && path.ptr[end] != '{')
			end++;
		*ret_name = str_from(path.ptr + i + 1, end - i - 1);
		*pos = end + 1;
		return end < path.len && path.ptr[end] == '}' && ret_name->len > 0;
	}
	*ret_name = STR_NULL;
	*pos = path.len;
	return true;
}

/* RFC 6570 2.3 and "-", which OpenAPI documents are fond of; letters beyond ASCII need no encoding here. */
static bool is_slot_name(struct str name)
{
	bool may_be_dot = false;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];
		bool is_triple = c == '%' && i + 2 < name.len && num_hex_value(name.ptr[i + 1]) >= 0 &&
				 num_hex_value(name.ptr[i + 2]) >= 0;
		bool is_letter = c >= 0x80 || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
		if (!is_triple && !is_letter && c != '_' && c != '-' && !(c == '.' && may_be_dot))
			return false;
		may_be_dot = c != '.';
	}
	return may_be_dot;
}

/*
 * What to write instead of a slot that is more than a name, NULL for one that is none. Templates of RFC 6570 from level
 * 2 on would be read as slots with odd names: their operators and modifiers are said otherwise here, or not at all.
 */
static const char *slot_advice(struct str name)
{
	static const struct {
		char operator;
		const char *advice;
	} operators[] = {
		{ '+', "write the name alone; a value is one path segment" },
		{ '#', "leave it out; a fragment is never sent" },
		{ '.', "write the name alone and declare the parameter with style: label" },
		{ ';', "write the name alone and declare the parameter with style: matrix" },
		{ '/', "write a slot for each segment, /{a}/{b}" },
		{ '?', "leave it out and map query parameters by name" },
		{ '&', "leave it out and map query parameters by name" },
	};
	if (is_slot_name(name))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(operators); i++)
		if (name.ptr[0] == operators[i].operator)
			return operators[i].advice;
	if (str_find_char(name, ',') >= 0)
		return "a slot has one name; write {a},{b}";
	if (name.ptr[name.len - 1] == '*')
		return "write the name alone and declare the parameter with explode: true";
	if (str_find_char(name, ':') >= 0)
		return "write the name alone; a value is sent whole, so shorten it in the mapping";
	return "a slot's name is of letters, digits, \"_\", \"-\" and dots in between";
}

/* Tells of each slot that is more than a name, and of "?" and "#" between the slots. */
static void template_check(struct str path, const struct value *at, const char *field, struct told *t)
{
	struct str name;
	bool has_query = false;
	for (size_t pos = 0, start = 0; pos < path.len; start = pos) {
		if (!next_slot(path, &pos, &name)) {
			tell(t, at, field, "the braces of query path \"%.*s\" do not match; write /users/{id}",
			     STR_ARG(path));
			name = STR_NULL;
			pos = path.len;
		}
		struct str fixed = str_from(path.ptr + start, (name.ptr ? (size_t)(name.ptr - path.ptr) : pos) - start);
		has_query |= str_find_char(fixed, '?') >= 0 || str_find_char(fixed, '#') >= 0;
		const char *advice = name.ptr ? slot_advice(name) : NULL;
		if (advice)
			tell(t, at, field, "query path \"%.*s\" has {%.*s}: %s", STR_ARG(path), STR_ARG(name), advice);
	}
	if (has_query)
		tell(t, at, field, "a query path has no \"?\" or \"#\"; map query parameters by name");
}

bool segment_is_dots(struct str segment)
{
	size_t dots = 0;
	for (size_t i = 0; i < segment.len; dots++) {
		struct str rest = str_from(segment.ptr + i, segment.len - i);
		bool is_encoded = rest.len >= 3 && str_eq_nocase(str_from(rest.ptr, 3), STR("%2E"));
		if (rest.ptr[0] != '.' && !is_encoded)
			return false;
		i += is_encoded ? 3 : 1;
	}
	return dots == 1 || dots == 2;
}

bool path_check(struct str path, const struct value *at, const char *field, struct told *t)
{
	unsigned before = t->n;
	if (!str_starts(path, STR("/")))
		tell(t, at, field, "query path \"%.*s\" does not begin with \"/\"", STR_ARG(path));
	template_check(path, at, field, t);
	for (size_t i = 0; i < path.len; i++) {
		if ((unsigned char)path.ptr[i] < 0x20 || path.ptr[i] == 0x7f || path.ptr[i] == '\\') {
			tell(t, at, field, "a query path has no control bytes or backslashes");
			break;
		}
	}
	for (struct str rest = path; rest.ptr;) {
		struct str segment = str_split(&rest, '/');
		if (segment_is_dots(segment))
			tell(t, at, field, "a query path has no \".\" or \"..\" segments");
	}
	return t->n == before;
}

static bool path_has_slot(struct str path, struct str name)
{
	struct str slot;
	for (size_t pos = 0; pos < path.len;)
		if (!next_slot(path, &pos, &slot))
			return false;
		else if (slot.ptr && str_eq(slot, name))
			return true;
	return false;
}

/* ---- parameters ---- */

bool media_type_is_json(struct str type)
{
	return str_eq_nocase(type, STR("application/json")) || str_eq_nocase(type, STR("text/json")) ||
	       (type.len > 5 && str_eq_nocase(str_from(type.ptr + type.len - 5, 5), STR("+json")));
}

static bool place_parse(struct str in, enum call_place *ret)
{
	for (enum call_place p = CALL_IN_PATH; p <= CALL_IN_COOKIE; p++) {
		if (str_eq_c(in, call_place_name(p))) {
			*ret = p;
			return true;
		}
	}
	return false;
}

static bool style_parse(struct str style, enum call_place place, enum param_style *ret)
{
	static const struct {
		const char *name;
		enum param_style style;
		unsigned places;
	} styles[] = {
		{ "simple", STYLE_SIMPLE, BIT(CALL_IN_PATH) | BIT(CALL_IN_HEADER) },
		{ "label", STYLE_LABEL, BIT(CALL_IN_PATH) },
		{ "matrix", STYLE_MATRIX, BIT(CALL_IN_PATH) },
		{ "form", STYLE_FORM, BIT(CALL_IN_QUERY) | BIT(CALL_IN_COOKIE) },
		{ "spaceDelimited", STYLE_SPACE, BIT(CALL_IN_QUERY) },
		{ "pipeDelimited", STYLE_PIPE, BIT(CALL_IN_QUERY) },
		{ "deepObject", STYLE_DEEP, BIT(CALL_IN_QUERY) },
	};
	*ret = place == CALL_IN_PATH || place == CALL_IN_HEADER ? STYLE_SIMPLE : STYLE_FORM;
	if (style.len == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(styles); i++) {
		if (str_eq_c(style, styles[i].name)) {
			*ret = styles[i].style;
			return styles[i].places & BIT(place);
		}
	}
	return false;
}

/* { application/json: ... }: one entry, and JSON. */
static void content_load(const struct value *v, const struct parameter_text *text, struct told *t, struct param *ret)
{
	const struct value *content = text->content;
	ret->style = STYLE_JSON;
	if (!value_is(content, VALUE_OBJECT) || content->len != 1 ||
	    !media_type_is_json(header_media_type(content->members[0].key)))
		tell(t, content, "content", "content has one entry, application/json: the value is sent as JSON text");
	if (text->style.len)
		tell(t, value_get_c(v, "style"), "style",
		     "a parameter has content or a style, not both; leave one out");
}

static void param_style_load(const struct value *v, const struct parameter_text *text, struct told *t,
			     struct param *ret)
{
	static const char *const possible[] = { "simple, label or matrix",
						"form, spaceDelimited, pipeDelimited or deepObject", "simple", "form" };
	if (!style_parse(text->style, ret->place, &ret->style))
		tell(t, value_get_c(v, "style"), "style", "style \"%.*s\" is not possible in a %s; write %s",
		     STR_ARG(text->style), call_place_name(ret->place), possible[ret->place]);
	ret->explode = value_get_c(v, "explode") ? text->explode : ret->style == STYLE_FORM || ret->style == STYLE_DEEP;
	ret->allow_reserved = text->allowReserved;
	ret->allow_empty = text->allowEmptyValue;
	if (text->allowReserved && ret->place != CALL_IN_QUERY)
		tell(t, value_get_c(v, "allowReserved"), "allowReserved",
		     "allowReserved is for the query; leave it out of a %s", call_place_name(ret->place));
	if (text->allowEmptyValue && ret->place != CALL_IN_QUERY)
		tell(t, value_get_c(v, "allowEmptyValue"), "allowEmptyValue",
		     "allowEmptyValue is for the query; leave it out of a %s", call_place_name(ret->place));
	if (text->content)
		content_load(v, text, t, ret);
}

static void param_load(const struct value *v, struct str path, struct told *t, struct param *ret)
{
	struct parameter_text text = { 0 };
	*ret = (struct param){ .is_declared = true };
	if (!value_is(v, VALUE_OBJECT)) {
		tell(t, v, "parameters", "a parameter is an object like { name: id, in: path, required: true }");
		return;
	}
	told_load(parameter_rows, v, &text, t);
	ret->name = text.name;
	if (!place_parse(text.in, &ret->place)) {
		if (text.in.len)
			tell(t, value_get_c(v, "in"), "in", "a parameter is in path, query, header or cookie");
		return;
	}
	param_style_load(v, &text, t, ret);
	ret->required = text.required || ret->place == CALL_IN_PATH;
	if (ret->place == CALL_IN_PATH && text.name.len && !path_has_slot(path, text.name))
		tell(t, v, "name", "query path \"%.*s\" has no {%.*s}", STR_ARG(path), STR_ARG(text.name));
	if ((ret->place == CALL_IN_HEADER || ret->place == CALL_IN_COOKIE) && text.name.len &&
	    !header_is_token(text.name))
		tell(t, v, "name", "\"%.*s\" is no name of a %s", STR_ARG(text.name), call_place_name(ret->place));
	if (ret->place == CALL_IN_HEADER && header_is_ours(text.name))
		tell(t, v, "name", "%.*s is set by Weir itself", STR_ARG(text.name));
}

static void params_load(struct arena *a, const struct value *list, struct told *t, struct operation *ret)
{
	if (!list)
		return;
	if (!value_is(list, VALUE_ARRAY)) {
		tell(t, list, "parameters", "parameters are a list of objects with name and in");
		return;
	}
	ret->has_params = true;
	ret->params = ARENA_ARRAY(a, struct param, list->len + 1);
	if (!ret->params) {
		tell(t, list, "parameters", "out of memory");
		return;
	}
	for (uint32_t i = 0; i < list->len; i++) {
		struct param *p = &ret->params[ret->n_params++];
		param_load(&list->items[i], ret->path, t, p);
		for (size_t k = 0; k + 1 < ret->n_params; k++)
			if (p->name.len && ret->params[k].place == p->place && str_eq(ret->params[k].name, p->name))
				tell(t, &list->items[i], "name", "parameter \"%.*s\" (%s) stands here twice",
				     STR_ARG(p->name), call_place_name(p->place));
	}
}

/* ---- the rest of an operation ---- */

bool operation_load(struct arena *a, const struct value *v, struct told *t, struct operation *ret)
{
	unsigned before = t->n;
	struct operation_text text = { 0 };
	struct err e = ERR_INIT;
	*ret = (struct operation){ 0 };
	if (!value_is(v, VALUE_OBJECT)) {
		tell(t, v, "operations", "an operation is an object with method_name and query_path");
		return false;
	}
	told_load(operation_rows, v, &text, t);
	if (text.method_name.len && !call_method_parse(text.method_name, &ret->method))
		tell(t, value_get_c(v, "method_name"), "method_name",
		     "method \"%.*s\" is not known; GET, POST, PUT, DELETE, PATCH, HEAD or OPTIONS",
		     STR_ARG(text.method_name));
	ret->path = text.query_path;
	if (text.query_path.len)
		(void)path_check(text.query_path, value_get_c(v, "query_path"), "query_path", t);
	params_load(a, text.parameters, t, ret);
	request_body_load(a, text.request_body, t, ret);
	graphql_load(a, v, text.graphql, t, ret);
	ret->key = key_default;
	key_load(text.idempotency_key, t, &ret->key);
	ret->repeatable = text.repeatable;
	if (text.probe)
		ret->probe = probe_load(a, text.probe, t);
	if (text.probe && text.repeatable)
		tell(t, text.probe, "probe", "what is repeatable needs no probe; leave one of them out");
	if (text.probe && call_method_is_idempotent(ret->method))
		tell(t, text.probe, "probe", "a %s may be repeated and needs no probe; leave it out",
		     call_method_name(ret->method));
	rules_load(a, text.rules, t, &ret->rules);
	ret->answer = (struct expected){ (enum answer_kind)text.answer, text.json_prefix, text.xml_lists };
	for (uint32_t i = 0; value_is(text.xml_lists, VALUE_ARRAY) && i < text.xml_lists->len; i++)
		if (!value_is(&text.xml_lists->items[i], VALUE_STRING))
			tell(t, &text.xml_lists->items[i], "xml_lists",
			     "xml_lists are names of elements, like [Contents]");
	if (text.xml_lists && !value_is(text.xml_lists, VALUE_ARRAY))
		tell(t, text.xml_lists, "xml_lists", "xml_lists are names of elements, like [Contents]");
	if (text.id.len && text.id.ptr[0] != '$')
		tell(t, value_get_c(v, "id"), "id", "the id is a path into the answer, like $.data.id");
	else if (text.id.len && !(ret->id = call_result_rule_new(a, text.id, &e)))
		tell(t, value_get_c(v, "id"), "id", "%s", e.msg);
	return t->n == before;
}
