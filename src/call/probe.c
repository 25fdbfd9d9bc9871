/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes: a POST broke, and a GET can tell whether it happened. What a probe means is said by its author alone, in two
 * conditions; that it says nothing is the answer to all else, since a wrong "not done" is a second order. So a login
 * page, a cut answer, a body of another shape and a web server's own 404 must not be taken for one by accident: a
 * condition without status means 2xx, and one on the body wants data.
 */
#include "call/rules_int.h"

#define PROBE_CONDITIONS_MAX 16
#define PROBE_WAIT_MAX 3600000 /* ms */

struct conditions {
	struct rule *items;
	size_t n;
};

struct probe_text {
	enum call_method method;
	struct str query_path;
	const struct value *mapping;
	struct call_result_rule *result;
	struct conditions done, not_done;
	int64_t attempts;
	msec_t wait;
};

struct probe_said {
	struct str method_name, query_path, result;
	const struct value *parameters_mapping, *done_when, *not_done_when;
	int64_t attempts;
	msec_t wait;
};

/* clang-format off */
const struct opt probe_rows[] = {
	OPT_STRING(struct probe_said, method_name, 0, "GET", 3, 4, "GET or HEAD."),
	OPT_STRING(struct probe_said, query_path, OPT_REQUIRED, NULL, 1, 4096, "Path template below the base URL; parameters and rules are those of the connector's operation of that path, if it has one."),
	OPT_VALUE(struct probe_said, parameters_mapping, OPT_MAPPING | OPT_EXPR, "{\"type\":\"object\"}", "One row a parameter: a value, or an expression over the item that begins with \"=\"."),
	OPT_VALUE(struct probe_said, done_when, OPT_REQUIRED, NULL, "The answers that say that the call happened: as `when` of a rule, or a list of these."),
	OPT_VALUE(struct probe_said, not_done_when, OPT_REQUIRED, NULL, "The answers that say that it did not, so that it is sent again. Must be sure: it may still be on its way."),
	OPT_STRING(struct probe_said, result, 0, "auto", 1, 500, "What of the answer is the call's result: auto (the body), response, or a JSONPath like $.orders[0].id."),
	OPT_DURATION(struct probe_said, wait, "1s", 0, PROBE_WAIT_MAX, "How long after the call the first probe is sent, and the least between two."),
	OPT_INT(struct probe_said, attempts, "5", 1, 20, "Probes at most, while none says done or not done."),
	OPT_END,
};
/* clang-format on */

/* ---- reading ---- */

static void condition_load(struct arena *a, const struct value *v, const char *field, struct told *t, struct rule *ret)
{
	rule_when_load(a, v, t, ret);
	if (ret->errors || ret->certainties)
		tell(t, value_get_c(v, "error"), "error",
		     "a probe without an answer tells nothing; %s is about answers", field);
}

static void conditions_load(struct arena *a, const struct value *v, const char *field, struct told *t,
			    struct conditions *ret)
{
	bool is_list = value_is(v, VALUE_ARRAY);
	size_t n = is_list ? v->len : 1;
	if (!v)
		return; /* told: it is required */
	if (n == 0 || n > PROBE_CONDITIONS_MAX) {
		tell(t, v, field, "%s has 1 to %d conditions", field, PROBE_CONDITIONS_MAX);
		return;
	}
	ret->items = ARENA_ARRAY(a, struct rule, n);
	for (; ret->items && ret->n < n; ret->n++)
		condition_load(a, is_list ? &v->items[ret->n] : v, field, t, &ret->items[ret->n]);
	if (!ret->items)
		tell(t, v, field, "out of memory");
}

struct probe_text *probe_load(struct arena *a, const struct value *v, struct told *t)
{
	struct probe_said said = { 0 };
	struct probe_text *p = ARENA_NEW(a, struct probe_text);
	struct err e = ERR_INIT;
	unsigned before = t->n;
	if (!p || !value_is(v, VALUE_OBJECT)) {
		tell(t, v, "probe",
		     p ? "a probe is an object with query_path, done_when and not_done_when" : "out of memory");
		return NULL;
	}
	told_load(probe_rows, v, &said, t);
	if (said.method_name.len &&
	    (!call_method_parse(said.method_name, &p->method) || (p->method != CALL_GET && p->method != CALL_HEAD)))
		tell(t, value_get_c(v, "method_name"), "method_name",
		     "a probe asks and changes nothing: GET or HEAD, not \"%.*s\"",
		     STR_ARG(str_clip(said.method_name, 16)));
	if (said.query_path.len)
		(void)path_check(said.query_path, value_get_c(v, "query_path"), "query_path", t);
	conditions_load(a, said.done_when, "done_when", t, &p->done);
	conditions_load(a, said.not_done_when, "not_done_when", t, &p->not_done);
	if (said.result.len && !(p->result = call_result_rule_new(a, said.result, &e)))
		tell(t, value_get_c(v, "result"), "result", "%s", e.msg);
	p->query_path = said.query_path;
	p->mapping = said.parameters_mapping;
	p->attempts = said.attempts;
	p->wait = said.wait;
	return t->n == before ? p : NULL;
}

bool probe_prepare(struct arena *a, const struct value *system, struct str env, struct told *t, struct call_spec *s)
{
	const struct probe_text *text = s->op.probe;
	struct call_probe *p = ARENA_NEW(a, struct call_probe);
	if (!p) {
		tell(t, NULL, "probe", "out of memory");
		return false;
	}
	*p = (struct call_probe){
		.spec = call_spec_new(a, system, s->system_name, s->connector, text->query_path, text->method, env,
				      t->complain, t->arg),
		.mapping = text->mapping,
		.result = text->result,
		.wait = text->wait,
		.attempts = (unsigned)text->attempts,
		.text = text,
	};
	s->probe = p;
	return p->spec != NULL;
}

const struct call_probe *call_spec_probe(const struct call_spec *s)
{
	return s->probe;
}

/* ---- judging ---- */

const char *call_probed_name(enum call_probed p)
{
	static const char *const names[] = { "no word", "done", "not done" };
	return (unsigned)p < ARRAY_LEN(names) ? names[p] : "?";
}

static bool fits(const struct rule *r, struct judging *j)
{
	if (!r->n_statuses && j->x->status / 100 != 2)
		return false;
	if (!r->path)
		return rule_fits(r, j);
	const struct value *body = judging_body(j);
	bool is_data = value_is(body, VALUE_OBJECT) || value_is(body, VALUE_ARRAY);
	return is_data && !j->content.trouble && !j->is_out_of_memory && rule_fits(r, j);
}

static bool any_fits(const struct conditions *c, struct judging *j)
{
	for (size_t i = 0; i < c->n; i++)
		if (fits(&c->items[i], j))
			return true;
	return false;
}

/* "Done" is worth nothing without its result: the item goes on with that. */
static enum call_probed take_result(const struct call_probe *p, const struct call_answer *x, struct arena *a,
				    struct value *ret_result, struct str *ret_why)
{
	struct value problem;
	if (judge_result(p->spec, p->result, x, a, ret_result, &problem) == CALL_OK)
		return ret_why->ptr ? CALL_PROBE_DONE : CALL_PROBE_SILENT;
	const struct value *detail = value_get_c(&problem, "detail");
	*ret_why = str_c(arena_printf(a, "answered %d, which says done, but holds no result that can be read (%.*s)",
				      x->status, STR_ARG(detail ? value_text(detail) : STR("out of memory"))));
	return CALL_PROBE_SILENT;
}

enum call_probed call_probe_judge(const struct call_probe *p, const struct call_answer *x, struct arena *a,
				  struct value *ret_result, struct str *ret_why)
{
	struct judging j = { .spec = p->spec, .x = x, .a = a };
	*ret_result = value_null();
	if (x->error != HTTP_ERROR_NONE) {
		*ret_why = str_c(arena_printf(a, "got no answer (%s)", http_error_name(x->error)));
		return CALL_PROBE_SILENT;
	}
	bool is_done = any_fits(&p->text->done, &j), is_not = any_fits(&p->text->not_done, &j);
	if (is_done && !is_not) {
		*ret_why = str_c(arena_printf(a, "answered %d", x->status));
		return take_result(p, x, a, ret_result, ret_why);
	}
	const char *more = is_done  ? ", which fits done_when and not_done_when both"
			   : is_not ? ""
				    : ", which fits neither done_when nor not_done_when";
	*ret_why = str_c(arena_printf(a, "answered %d%s", x->status, more));
	return is_not && !is_done && ret_why->ptr ? CALL_PROBE_NOT_DONE : CALL_PROBE_SILENT;
}
