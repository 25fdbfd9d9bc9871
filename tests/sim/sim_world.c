/* SPDX-License-Identifier: Apache-2.0 */
/* What a seed makes of the world: its weather, the flow, what flows through it. */
#include "sim.h"

static const char *const methods[] = { "GET", "PUT", "DELETE", "POST", "POST" };

static unsigned up_to(unsigned top)
{
	return (unsigned)sim_dice(top);
}

static void choose_weather(void)
{
	struct weather *w = &sim.weather;
	unsigned most = sim_dice(3) == 0 ? 250 : 40;
	unsigned *const rates[] = { &w->refused,  &w->request_lost, &w->answer_lost, &w->truncated, &w->late,
				    &w->says_500, &w->says_503,	    &w->says_429,    &w->duplicated };
	for (size_t i = 0; i < ARRAY_LEN(rates); i++)
		*rates[i] = sim_dice(2) ? up_to(most) : 0;
	w->disk_full = sim_dice(2) ? 0 : up_to(100);
	w->disk_lost = sim_dice(2) ? 0 : up_to(60);
	w->disk_late = sim_dice(2) ? 0 : up_to(60);
	w->deaths = sim_dice(4) ? 300 + up_to(650) : 0;
	w->script_deaths = sim_dice(2) ? 0 : up_to(200);
	w->latency_ns = UINT64_C(1000000) << up_to(12);
	w->disk_ns = UINT64_C(100000) << up_to(10);
}

static enum sim_kind choose_kind(unsigned calls)
{
	switch (up_to(9)) {
	case 0:
	case 1:
		return SIM_SCRIPT;
	case 2:
		return SIM_LIST;
	case 3:
		return SIM_ENTRY;
	default:
		return calls < 4 ? SIM_CALL : SIM_SCRIPT;
	}
}

static void choose_step(unsigned k, bool is_branched)
{
	struct sim_step *s = &sim.steps[k];
	unsigned calls = 0, lists = 0, entries = 0;
	for (unsigned i = 0; i < k; i++) {
		calls += sim_is_call(i);
		lists += sim.steps[i].kind == SIM_LIST;
		entries += sim.steps[i].kind == SIM_ENTRY;
	}
	*s = (struct sim_step){ .kind = choose_kind(calls), .method = (enum sim_method)up_to(METHOD_KINDS - 1) };
	/* Two lists, one behind the other, are enough; an entry is written once. */
	if ((s->kind == SIM_LIST && lists == 2) || (s->kind == SIM_ENTRY && entries))
		s->kind = SIM_CALL;
	s->attempts = 1 + up_to(4);
	s->from = k ? k - 1 : SIM_NONE;
	if (is_branched && k)
		s->from = up_to(k) ? up_to(k - 1) : SIM_NONE;
	s->is_any_order = sim_is_call(k) && sim_dice(3) == 0;
	s->takes_errors = s->from != SIM_NONE && sim_dice(5) == 0;
	if (s->kind != SIM_ENTRY && sim_dice(2) == 0)
		s->on_error = sim_dice(2) ? ON_ERROR_KEEP : ON_ERROR_STOP;
	sim.has_any_order |= s->is_any_order;
}

static void choose_runs(void)
{
	unsigned left = 1 + up_to(SIM_INPUT_MAX - 1);
	sim.n_runs = sim_dice(1) ? 1 : 2 + up_to(SIM_RUNS_MAX - 2);
	for (unsigned i = 0; i < sim.n_runs; i++) {
		struct sim_run *r = &sim.runs[i];
		r->first = sim.n_items;
		r->n = i + 1 == sim.n_runs ? left : up_to(left / 2);
		left -= r->n;
		for (unsigned j = 0; j < r->n; j++)
			sim.items[sim.n_items++] =
			    (struct sim_item){ .run = i, .parent = SIM_NONE, .made_by = SIM_NONE };
	}
}

static void on_clock(void *arg)
{
	static const msec_t jumps[] = { 3600000, -3600000, 86400000, -86400000, 7200000 };
	sim.wall_shift += jumps[sim_dice(ARRAY_LEN(jumps) - 1)];
	sim.clock_was_set = true;
	sim_tell("clock: %" PRId64 " ms off", (int64_t)sim.wall_shift);
}

void sim_choose(void)
{
	choose_weather();
	choose_runs();
	sim.n_steps = 1 + up_to(SIM_STEPS_MAX - 1);
	bool is_branched = sim_dice(3) == 0;
	for (unsigned k = 0; k < sim.n_steps; k++)
		choose_step(k, is_branched);
	sim.pad = sim_dice(5) ? 0 : 20000 + up_to(20000);
	sim.maps_by_script = sim_dice(3) == 0;
	for (unsigned n = sim_dice(1) ? 0 : up_to(3); n; n--)
		sim_after(sim_dice(SIM_CALM_AFTER / 8), on_clock, NULL);
}

void sim_list(unsigned step, unsigned item, unsigned *ret_at, unsigned *ret_n)
{
	struct seen *s = &sim.seen[step][item];
	if (!s->has_list) {
		s->has_list = true;
		s->list_at = sim.n_items;
		s->list_n = up_to(SIM_LIST_MAX);
		if (s->list_n > SIM_ITEMS_MAX - sim.n_items)
			s->list_n = SIM_ITEMS_MAX - sim.n_items;
		for (unsigned i = 0; i < s->list_n; i++)
			sim.items[sim.n_items++] =
			    (struct sim_item){ .run = sim.items[item].run, .parent = item, .made_by = step };
	}
	*ret_at = s->list_at;
	*ret_n = s->list_n;
}

/* ---- as text ---- */

static void append_settings(struct buf *b, unsigned k)
{
	const struct sim_step *s = &sim.steps[k];
	if (s->kind == SIM_SCRIPT) {
		(void)buf_printf(b, "kind: execute_script, script: 'item._s%u = 7 * item.data.n + %u'", k, k);
	} else if (s->kind == SIM_ENTRY) {
		(void)buf_append_c(b, "kind: update_entry, fields_mapping: { n: =item.data.n }");
	} else {
		(void)buf_printf(b,
				 "kind: execute_api_call, system: s, connector: c, method_name: %s, query_path: /k%u, "
				 "parameters_mapping: { n: %s }, in_flight: %u, attempts: %u%s",
				 methods[s->method], k, sim.maps_by_script ? "'=item.data.n + 0'" : "=item.data.n",
				 1 + up_to(15), s->attempts, s->is_any_order ? ", order: any" : "");
		if (s->kind == SIM_LIST)
			(void)buf_append_c(b, ", items: '$.list[*]', result_store_field: data");
		else
			(void)buf_printf(b, ", result_store_field: _k%u", k);
	}
}

static void append_steps(struct buf *b)
{
	static const char *const words[] = { "skip", "stop", "keep" };
	for (unsigned k = 0; k < sim.n_steps; k++) {
		const struct sim_step *s = &sim.steps[k];
		(void)buf_printf(b, "          - { name: k%u, source_step: ", k);
		if (s->from == SIM_NONE)
			(void)buf_append_c(b, "input, ");
		else
			(void)buf_printf(b, "k%u, ", s->from);
		if (s->takes_errors)
			(void)buf_append_c(b, "source_output: errors, ");
		if (s->on_error != ON_ERROR_SKIP)
			(void)buf_printf(b, "on_error: %s, ", words[s->on_error]);
		append_settings(b, k);
		(void)buf_append_c(b, " }\n");
	}
}

static void append_component(struct buf *b)
{
	(void)buf_append_c(b, "weir: 1\ncomponent: t\nsystems:\n  s:\n    base_url: { live: http://sim.invalid }\n"
			      "    connectors:\n      c:\n        operations:\n"
			      "          - { method_name: GET, query_path: /none }\n");
	for (unsigned k = 0; k < sim.n_steps; k++)
		if (sim_is_call(k))
			(void)buf_printf(
			    b,
			    "          - { method_name: %s, query_path: /k%u, parameters: [ { name: n, in: "
			    "query } ]%s }\n",
			    methods[sim.steps[k].method], k,
			    sim.steps[k].method == METHOD_POST_KEYED ? ", idempotency_key: true" : "");
	(void)buf_append_c(b, "model:\n  - { name: n, type: integer, primary_key: true }\n"
			      "dataflows:\n  d:\n    stages:\n      - name: A\n        steps:\n"
			      "          - { name: input, kind: get_action_model }\n");
	append_steps(b);
}

struct plan *sim_plan(struct component **ret_component)
{
	auto_buf struct buf text = { .max = 1 << 20 };
	struct flow_env env = step_flow_env(STR_NULL);
	auto_free struct complaints *c = calloc(1, sizeof(*c));
	complaints_init(c);
	append_component(&text);
	struct doc *d = doc_parse("sim.yaml", buf_str(&text), c);
	*ret_component = d ? component_new(d, &env, c) : NULL;
	struct plan *p = *ret_component ? plan_new(*ret_component, STR(""), &env, c) : NULL;
	if (!p)
		sim_fail("%.*s in:\n%.*s", STR_ARG(c->items[0].text), STR_ARG(buf_str(&text)));
	for (unsigned k = 0; k < sim.n_steps; k++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "k%u", k);
		if (!str_eq_c(p->steps[k + 1].name, name))
			sim_fail("step %u of the plan is not %s", k + 1, name);
	}
	if (sim.is_traced)
		(void)printf("%.*s", STR_ARG(buf_str(&text)));
	complaints_done(c);
	return p;
}
