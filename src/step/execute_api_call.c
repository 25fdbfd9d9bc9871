/* SPDX-License-Identifier: Apache-2.0 */
/* execute_api_call, the heart: for each item one call through a connector, its answer into the item. Settings here, life in api_call_run.c. */
#include "step/api_call_int.h"

static const char *const orders[] = { "keep", "any", NULL };

static const struct opt execute_api_call_rows[] = {
	OPT_STRING(struct api_call_opts, result_store_field, 0, NULL, 0, 200, "The item's field that receives the result."),
	OPT_STRING(struct api_call_opts, system, OPT_REQUIRED, NULL, 1, 64, "The external system to call."),
	OPT_STRING(struct api_call_opts, connector, OPT_REQUIRED, NULL, 1, 64, "The connector in that system."),
	OPT_STRING(struct api_call_opts, query_path, OPT_REQUIRED, NULL, 1, 2000, "Path of the operation, {name} marks a path parameter."),
	OPT_STRING(struct api_call_opts, method_name, OPT_REQUIRED, NULL, 3, 7, "GET, POST, PUT, DELETE, PATCH, HEAD or OPTIONS."),
	OPT_VALUE(struct api_call_opts, parameters_mapping, OPT_MAPPING | OPT_EXPR, "{\"type\":\"object\"}",
		  "One row a parameter: a value, or an expression over the item that begins with \"=\"."),
	OPT_STRING(struct api_call_opts, result, 0, "auto", 1, 500,
		   "What to store: auto (an id for writes, the body for reads), id, body, response, or a JSONPath like $.results[0] or $.items[*].id."),
	OPT_STRING(struct api_call_opts, items, 0, NULL, 0, 500,
		   "Path of a list in the answer, like $.data[*]: each element becomes an item of its own, with it in the result store field."),
	OPT_INT(struct api_call_opts, max_items, "10000000", 1, 1000000000, "Most items out of one answer; a longer list fails when it gets there."),
	OPT_INT(struct api_call_opts, in_flight, "0", 0, 1000, "Calls under way at once; 0 = as the system says, else 32."),
	OPT_ENUM(struct api_call_opts, order, "keep", orders, "keep: items leave in the order in which they came; any: as answers come."),
	OPT_INT(struct api_call_opts, attempts, "3", 1, 20, "Tries of a call that may be repeated: no answer, or one that the rules say to retry."),
	OPT_DURATION(struct api_call_opts, max_wait, "60s", 0, 86400000,
		     "Longest rest that an answer may ask for (Retry-After and its kin); when it asks for more, the item fails."),
	OPT_BOOL(struct api_call_opts, follow_redirects, "true",
		 "Follow redirects: reads any, writes 303 as GET and 307 and 308 as they are; credentials stay behind on another origin."),
	OPT_DURATION(struct api_call_opts, connect_timeout, "0", 0, 600000, "How long connecting may take; 0 = as the system says, else 10s."),
	OPT_DURATION(struct api_call_opts, first_byte_timeout, "0", 0, 3600000, "How long the first byte of the answer may take; 0 = the total."),
	OPT_DURATION(struct api_call_opts, total_timeout, "0", 0, 3600000, "How long one attempt may take in all; 0 = as the system says, else 30s."),
	OPT_SIZE(struct api_call_opts, max_body, "0", 0, INT64_C(4) << 30,
		 "Largest answer, decoded; 0 = as the system says, else 10 MB, of a file 1 GiB. Only files may be larger than 256 MiB."),
	OPT_END,
};

static const struct value *system_find(struct compile *c, const struct plan_step *s, struct str name)
{
	const struct value *system = value_get(c->component->systems, name);
	const char *known[64];
	size_t n = 0;
	if (system)
		return system;
	for (size_t i = 0; c->component->systems && i < c->component->systems->len && n < ARRAY_LEN(known); i++)
		known[n++] = arena_c(c->arena, c->component->systems->members[i].key);
	const char *near = opt_nearest(name, known, n);
	(void)compile_complain(c, value_get_c(s->source_text->settings, "system"), "system",
			       near ? "there is no system \"%.*s\"; did you mean \"%s\"?" : "there is no system \"%.*s\" under systems:",
			       STR_ARG(name), near);
	return NULL;
}

static void limits_merge(struct api_call_plan *p, const struct api_call_opts *o)
{
	p->limits = *call_spec_limits(p->spec);
	if (o->connect_timeout)
		p->limits.connect_timeout = o->connect_timeout;
	if (o->first_byte_timeout)
		p->limits.first_byte_timeout = o->first_byte_timeout;
	if (o->total_timeout)
		p->limits.total_timeout = o->total_timeout;
	if (o->max_body)
		p->limits.max_body = o->max_body;
	if (o->in_flight)
		p->limits.in_flight = o->in_flight;
	p->in_flight = p->limits.in_flight ? (size_t)p->limits.in_flight : API_CALL_IN_FLIGHT_DEFAULT;
}

/* Lists that become items: where the element goes must be said, and only data has elements. */
static int items_check(struct compile *c, const struct plan_step *s, const struct api_call_plan *p)
{
	const struct api_call_opts *o = s->opts;
	const struct value *settings = s->source_text->settings;
	struct err e = ERR_INIT;
	if (!o->items.len)
		return 0;
	if (split_check_path(SPLIT_JSON, o->items, &e) < 0)
		return compile_complain(c, value_get_c(settings, "items"), "items", "%s", e.msg);
	if (!o->result_store_field.len)
		return compile_complain(c, value_get_c(settings, "items"), "items",
					"say in result_store_field where each item gets its element, like _user");
	if (!str_eq_c(o->result, "auto") && !str_eq_c(o->result, "body"))
		return compile_complain(c, value_get_c(settings, "result"), "result", "with items the result is each element; leave result out");
	if (!call_spec_gives_lists(p->spec))
		return compile_complain(c, value_get_c(settings, "items"), "items",
					"the operation's answer is text or binary and has no elements; items come out of JSON, NDJSON, CSV, XML and events");
	return 0;
}

static int mapping_compile_rows(struct compile *c, const struct plan_step *s, struct api_call_plan *p, const struct value *mapping)
{
	static const struct value none = { .kind = VALUE_OBJECT };
	int rc = 0;
	if (mapping && mapping->kind != VALUE_OBJECT)
		return compile_complain(c, mapping, "parameters_mapping", "write one row a parameter, like latitude: \"=item._lat\"");
	if (call_spec_check_mapping(p->spec, mapping ? mapping : &none, step_complain_call, c))
		rc = -ERR_INVALID;
	if (mapping && step_mapping_compile(c, s, &p->scripts, mapping, "parameters_mapping") < 0)
		rc = -ERR_INVALID;
	return rc;
}

static int probe_compile(struct compile *c, const struct plan_step *s, struct api_call_plan *p)
{
	const struct call_probe *probe = call_spec_probe(p->spec);
	if (!probe || !probe->mapping)
		return 0;
	p->scripts.more = &p->probe_scripts;
	return step_mapping_compile(c, s, &p->probe_scripts, probe->mapping, "probe, parameters_mapping") < 0 ? -ERR_INVALID : 0;
}

static int execute_api_call_compile(struct compile *c, struct plan_step *s)
{
	const struct api_call_opts *o = s->opts;
	const struct value *settings = s->source_text->settings;
	struct api_call_plan *p = ARENA_NEW(c->arena, struct api_call_plan);
	enum call_method method;
	struct err e = ERR_INIT;
	if (!p)
		return compile_complain(c, NULL, NULL, "out of memory");
	s->compiled = p;
	if (!call_method_parse(o->method_name, &method))
		return compile_complain(c, value_get_c(settings, "method_name"), "method_name",
					"\"%.*s\" is no method; write GET, POST, PUT, DELETE, PATCH, HEAD or OPTIONS", STR_ARG(o->method_name));
	const struct value *system = system_find(c, s, o->system);
	if (!system)
		return -ERR_INVALID;
	p->spec = call_spec_new(c->arena, system, o->system, o->connector, o->query_path, method, c->env->env, step_complain_call, c);
	p->rule = call_result_rule_new(c->arena, o->items.len ? STR("body") : o->result, &e);
	if (!p->rule)
		(void)compile_complain(c, value_get_c(settings, "result"), "result", "%s", e.msg);
	if (!p->spec || !p->rule)
		return -ERR_INVALID;
	limits_merge(p, o);
	int rc = items_check(c, s, p);
	if (probe_compile(c, s, p) < 0)
		rc = -ERR_INVALID;
	return mapping_compile_rows(c, s, p, o->parameters_mapping) < 0 ? -ERR_INVALID : rc;
}

static struct str execute_api_call_promise(const struct plan_step *s, struct arena *a)
{
	const struct api_call_plan *p = s->compiled;
	return call_spec_promise(p->spec, a);
}

static struct str execute_api_call_detail(const struct plan_step *s, struct arena *a)
{
	const struct api_call_plan *p = s->compiled;
	return call_spec_summary(p->spec, a);
}

const struct kind step_execute_api_call = {
	.name = "execute_api_call",
	.title = "Execute API call",
	.brief = "Calls an external system through a connector, once for each item, and puts the answer into the item.",
	.group = KIND_INPUT,
	.opts = execute_api_call_rows,
	.opts_size = sizeof(struct api_call_opts),
	.compile = execute_api_call_compile,
	.release = step_scripts_release,
	.promise = execute_api_call_promise,
	.detail = execute_api_call_detail,
	.open = api_call_open,
	.start = api_call_start,
	.stop = api_call_stop,
	.flush = api_call_flush,
	.close = api_call_close,
};

bool step_may_call_again(const struct plan_step *s)
{
	const struct api_call_plan *p = s->compiled;
	return s->kind == &step_execute_api_call && call_spec_is_repeatable(p->spec) && !call_spec_wants_key(p->spec);
}

const char *step_call_method(const struct plan_step *s)
{
	const struct api_call_plan *p = s->compiled;
	return s->kind == &step_execute_api_call ? call_method_name(call_spec_method(p->spec)) : NULL;
}

bool step_judge_recorded(const struct plan_step *s, const struct ledger_row *outcome, struct arena *a, struct call_judgement *ret)
{
	const struct api_call_plan *p = s->compiled;
	struct call_answer x;
	struct err e = ERR_INIT;
	if (s->kind != &step_execute_api_call || call_answer_read(outcome->head, outcome->code, outcome->body, a, &x, &e) < 0)
		return false;
	(void)call_judge_full(p->spec, p->rule, &x, a, ret);
	return true;
}
