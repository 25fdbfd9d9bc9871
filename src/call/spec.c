/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structure
 * =========
 *
 * One API call of one item, without the call itself. The layer is a pair of pure functions around a wire that somebody
 * else owns:
 *
 *      mapped values ──► call_request_build ──► bytes ─ ─ (src/step sends, src/http carries) ─ ─► call_answer ──►
 * call_judge ──► result ▲                                                                     │    ▲            ▲
 *                              └────────────────────── struct call_spec
 * ─────────────────────────────┼────┼────────────┘ ▼    │ ledger head
 *
 * struct call_spec is the recipe: everything that is the same for ten thousand items is found out once, at compile time
 * of the plan, and never changes afterwards. It holds the checked system (system.c), the operation with its parameters
 * (operation.c), the path template cut into slots with the fixed text between them already encoded, and the headers
 * that need no secret already in a list, together with their JSON as the ledger will show it. Building a request is
 * then a walk over the mapped values: each finds its parameter and goes to its place (param.c has one writer a place,
 * with the OpenAPI styles).
 *
 * Two texts leave call_request_build(): the request and its shadow, `masked`, which is what people and the ledger see.
 * They are written side by side, not one from the other: a credential is put into the real one and *** into the shadow
 * at the same moment. Masking by value (mask.c) is the second net, for secrets that come back by another way, above all
 * in the bodies of APIs that echo.
 *
 * The way back is a straight line. An http_response, which lives for one callback, becomes a call_answer, which can be
 * written to the ledger and read again. call_judge() sees only the answer, never the wire, so that a run read from the
 * ledger judges as the run that was sent: this is what makes resume, replay and "try the changed flow on yesterday's
 * answers" one mechanism. Nothing in the judgement may depend on time, on secrets or on what else is in flight.
 *
 * Where to look: spec.c (here) makes recipes; check.c tells the file's author what is wrong; request.c builds, param.c
 * serializes, body.c writes bodies with the body_*.c beside it, one a kind; secrets.c and mask.c keep quiet; answer.c
 * keeps; content.c reads bodies; rule.c finds the result in them; judge.c decides.
 */
#include "call/attempt.h"
#include "call/call_int.h"
#include "http/url.h"
#include <stdio.h>

#define SPEC_PATH_MAX 16384 /* encoded fixed text of a path template */

/* ---- path template ---- */

/* The fixed text of a template, with what may not stand in a path encoded; a "%41" that somebody wrote stays. */
static struct str encode_fixed(struct arena *a, struct str text)
{
	static const char kept[] = "/:@!$&'()*+,;=-._~";
	auto_buf struct buf b = { .max = SPEC_PATH_MAX };
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool is_triple = c == '%' && i + 2 < text.len && num_hex_value(text.ptr[i + 1]) >= 0 &&
				 num_hex_value(text.ptr[i + 2]) >= 0;
		if (is_triple || memchr(kept, c, sizeof(kept) - 1))
			(void)buf_append_char(&b, c);
		else
			(void)url_encode(&b, str_from(&text.ptr[i], 1), URL_SET_PATH_SEGMENT);
	}
	return buf_ok(&b) ? arena_str(a, buf_str(&b)) : STR_NULL;
}

static ptrdiff_t find_param(const struct operation *op, struct str name, enum call_place place)
{
	for (size_t i = 0; i < op->n_params; i++)
		if (op->params[i].place == place && str_eq(op->params[i].name, name))
			return (ptrdiff_t)i;
	return -1;
}

/* Slots that no parameter declares are parameters all the same. `op->params` has room. */
static size_t slot_param(struct operation *op, struct str name)
{
	ptrdiff_t at = find_param(op, name, CALL_IN_PATH);
	if (at >= 0)
		return (size_t)at;
	op->params[op->n_params] =
	    (struct param){ .name = name, .place = CALL_IN_PATH, .style = STYLE_SIMPLE, .required = true };
	return op->n_params++;
}

static int cut_template(struct arena *a, struct call_spec *s)
{
	struct str rest = s->path_text;
	size_t most = 0;
	for (size_t i = 0; i < rest.len; i++)
		most += rest.ptr[i] == '{';
	struct param *params = ARENA_ARRAY(a, struct param, s->op.n_params + most + 1);
	s->slots = ARENA_ARRAY(a, struct slot, most + 1);
	if (!params || !s->slots)
		return -ERR_NO_MEMORY;
	if (s->op.n_params)
		memcpy(params, s->op.params, s->op.n_params * sizeof(*params));
	s->op.params = params;
	for (ptrdiff_t open; (open = str_find_char(rest, '{')) >= 0;) {
		struct str name = str_from(rest.ptr + open + 1, rest.len - (size_t)open - 1);
		struct str before = encode_fixed(a, str_from(rest.ptr, (size_t)open));
		if (!before.ptr)
			return -ERR_NO_MEMORY;
		rest = name;
		name = str_split(&rest, '}');
		s->slots[s->n_slots++] = (struct slot){ before, slot_param(&s->op, name) };
	}
	s->path_end = encode_fixed(a, rest);
	return s->path_end.ptr ? 0 : -ERR_NO_MEMORY;
}

/* ---- fixed headers ---- */

static int fix_header(struct arena *a, struct call_spec *s, struct buf *shown, struct str name, struct str value)
{
	struct err e = ERR_INIT;
	int r = headers_add(a, &s->fixed, name, value, &e);
	if (r < 0)
		return r;
	(void)buf_append_c(shown, shown->len ? ",[" : "[");
	(void)json_write_string(shown, name);
	(void)buf_append_char(shown, ',');
	(void)json_write_string(shown, header_is_secret(name) ? STR(SECRET_MASK) : value);
	(void)buf_append_char(shown, ']');
	return 0;
}

static bool system_has_header(const struct call_system *sys, struct str name)
{
	for (size_t i = 0; i < sys->n_headers; i++)
		if (str_eq_nocase(sys->headers[i].name, name))
			return true;
	return false;
}

/* Accept comes first when it is ours, so that a mapped Accept finds and replaces it. */
static int fix_headers(struct arena *a, struct call_spec *s)
{
	auto_buf struct buf shown = { .max = 2 * HEADERS_MAX_BYTES };
	int r = 0;
	s->accept_is_default = !system_has_header(&s->system, STR("Accept"));
	if (s->accept_is_default)
		r = headers_add(a, &s->fixed, STR("Accept"), STR("application/json, */*;q=0.5"), NULL);
	if (r == 0 && !system_has_header(&s->system, STR("User-Agent")))
		r = fix_header(a, s, &shown, STR("User-Agent"), STR("weir/" WEIR_VERSION));
	for (size_t i = 0; i < s->system.n_headers && r == 0; i++)
		if (!s->system.headers[i].text.secret.ptr)
			r = fix_header(a, s, &shown, s->system.headers[i].name, s->system.headers[i].text.literal);
	if (r < 0 || !buf_ok(&shown))
		return r < 0 ? r : -ERR_NO_MEMORY;
	s->fixed_shown = arena_str(a, buf_str(&shown));
	return s->fixed_shown.ptr ? 0 : -ERR_NO_MEMORY;
}

/* ---- secrets ---- */

static void note_secret(struct call_spec *s, const struct call_text *text)
{
	for (size_t i = 0; i < s->n_secrets; i++)
		if (str_eq(s->secrets[i], text->secret))
			return;
	if (text->secret.ptr)
		s->secrets[s->n_secrets++] = text->secret;
}

static int list_secrets(struct arena *a, struct call_spec *s)
{
	s->secrets = ARENA_ARRAY(a, struct str, s->system.n_headers + 4);
	if (!s->secrets)
		return -ERR_NO_MEMORY;
	note_secret(s, &s->system.auth.username);
	note_secret(s, &s->system.auth.credential);
	note_secret(s, &s->system.proxy.username);
	note_secret(s, &s->system.proxy.password);
	for (size_t i = 0; i < s->system.n_headers; i++)
		note_secret(s, &s->system.headers[i].text);
	return 0;
}

/* ---- the recipe ---- */

/* The connector's operation of that method and path, or NULL: it need not be listed. */
static const struct value *find_operation(const struct value *connector, struct str path, enum call_method method)
{
	const struct value *list = value_get_c(connector, "operations");
	enum call_method m;
	for (uint32_t i = 0; value_is(list, VALUE_ARRAY) && i < list->len; i++) {
		const struct value *op = &list->items[i], *name = value_get_c(op, "method_name");
		if (value_is_string(value_get_c(op, "query_path"), path) && value_is(name, VALUE_STRING) &&
		    call_method_parse(value_text(name), &m) && m == method)
			return op;
	}
	return NULL;
}

static enum call_place default_place(const struct operation *op)
{
	switch (op->method) {
	case CALL_POST:
	case CALL_PUT:
	case CALL_PATCH:
		return CALL_IN_BODY;
	case CALL_DELETE:
		return op->has_request_body ? CALL_IN_BODY : CALL_IN_QUERY;
	default:
		return CALL_IN_QUERY;
	}
}

static const struct value *find_connector(const struct call_system *sys, struct str system_name, struct str name,
					  struct told *t)
{
	const struct value *connector = value_get(sys->connectors, name);
	const char *known[64], *near = NULL;
	size_t n = 0;
	char names[64][65];
	if (connector)
		return connector;
	for (uint32_t i = 0;
	     value_is(sys->connectors, VALUE_OBJECT) && i < sys->connectors->len && n < ARRAY_LEN(known); i++) {
		(void)snprintf(names[n], sizeof(names[n]), "%.*s", STR_ARG(sys->connectors->members[i].key));
		known[n] = names[n];
		n++;
	}
	near = opt_nearest(name, known, n);
	tell(t, NULL, "connector",
	     near ? "system \"%.*s\" has no connector \"%.*s\"; did you mean \"%s\"?"
		  : "system \"%.*s\" has no connector \"%.*s\"%s",
	     STR_ARG(system_name), STR_ARG(name), near ? near : "");
	return NULL;
}

/* The connector's word is for what must not be sent twice; the operation's own goes before it. */
static void keys_merge(const struct value *connector, const struct value *operation, struct told *t,
		       struct call_spec *s)
{
	s->op.key = key_default;
	key_load(value_get_c(connector, "idempotency_key"), t, &s->op.key);
	s->op.key.is_on = s->op.key.is_on && !call_method_is_idempotent(s->op.method);
	key_load(value_get_c(operation, "idempotency_key"), t, &s->op.key);
}

/* Reads the system quietly: call_system_check() tells its faults at their places, here one sentence is enough. */
static bool load_all(struct arena *a, const struct value *system, struct str env, enum call_method method,
		     struct told *t, struct call_spec *s)
{
	struct told quiet = { 0 };
	if (!system_load(a, system, env, &quiet, &s->system)) {
		tell(t, NULL, "system", "system \"%.*s\" cannot be used: %s", STR_ARG(s->system_name), quiet.first);
		return false;
	}
	const struct value *connector = find_connector(&s->system, s->system_name, s->connector, t);
	if (!connector || !path_check(s->path_text, NULL, "query_path", t))
		return false;
	const struct value *operation = find_operation(connector, s->path_text, method);
	headers_load(value_get_c(connector, "headers"), &quiet, &s->system);
	rules_load(a, value_get_c(connector, "rules"), &quiet, &s->system.connector_rules);
	if (operation)
		(void)operation_load(a, operation, &quiet, &s->op);
	s->op.method = method;
	keys_merge(connector, operation, &quiet, s);
	s->default_place = default_place(&s->op);
	if (quiet.n > 0)
		tell(t, NULL, "connector", "connector \"%.*s\" cannot be used: %s", STR_ARG(s->connector), quiet.first);
	return quiet.n == 0;
}

struct call_spec *call_spec_new(struct arena *a, const struct value *system, struct str system_name,
				struct str connector, struct str query_path, enum call_method method, struct str env,
				call_complain *complain, void *arg)
{
	struct told t = { .complain = complain, .arg = arg };
	struct call_spec *s = ARENA_NEW(a, struct call_spec);
	if ((unsigned)method >= CALL_METHOD_COUNT) {
		tell(&t, NULL, "method_name", "the method is not known");
		return NULL;
	}
	if (s) {
		s->system_name = system_name;
		s->connector = connector;
		s->path_text = query_path;
		if (!load_all(a, system, env, method, &t, s) || (s->op.probe && !probe_prepare(a, system, env, &t, s)))
			return NULL;
	}
	if (!s || cut_template(a, s) < 0 || fix_headers(a, s) < 0 || list_secrets(a, s) < 0) {
		tell(&t, NULL, NULL, "out of memory");
		return NULL;
	}
	return s;
}

enum call_method call_spec_method(const struct call_spec *s)
{
	return s->op.method;
}

const struct call_limits *call_spec_limits(const struct call_spec *s)
{
	return &s->system.limits;
}

struct str call_spec_promise(const struct call_spec *s, struct arena *a)
{
	const char *m = call_method_name(s->op.method);
	char *text;
	if (call_method_is_idempotent(s->op.method))
		text = arena_printf(a, "at least once: %s may be repeated", m);
	else if (call_spec_wants_key(s))
		text = arena_printf(a, "at least once: %s repeats with the same %.*s for %.*s%s", m,
				    STR_ARG(s->op.key.header), STR_ARG(call_duration_text(a, s->op.key.lifetime)),
				    s->probe ? ", then a probe tells what happened" : "");
	else if (s->op.repeatable)
		text = arena_printf(a, "at least once: this %s is marked repeatable", m);
	else
		text = arena_printf(a, "at most once: %s without key%s", m,
				    s->probe ? ", a probe tells what happened" : "");
	return str_c(text);
}

struct str call_spec_summary(const struct call_spec *s, struct arena *a)
{
	return str_c(arena_printf(a, "%s %.*s/%.*s %.*s", call_method_name(s->op.method), STR_ARG(s->system_name),
				  STR_ARG(s->connector), STR_ARG(s->path_text)));
}

bool call_spec_next_secret(const struct call_spec *s, size_t *pos, struct str *ret_name)
{
	if (*pos >= s->n_secrets)
		return false;
	*ret_name = s->secrets[(*pos)++];
	return true;
}
