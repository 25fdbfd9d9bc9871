/* SPDX-License-Identifier: Apache-2.0 */
/* Components in use: compiled once per version, looked up in the store at each request so that an import elsewhere is
 * seen at once. */
#include "api/api_int.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <stdlib.h>

struct loaded *loaded_ref(struct loaded *k)
{
	k->refs++;
	return k;
}

void loaded_unref(struct loaded *k)
{
	if (!k || --k->refs > 0)
		return;
	if (k->functions)
		script_program_unref(k->functions);
	component_unref(k->component);
	free(k);
}

void components_free(struct api *a)
{
	LIST_FOREACH (node, &a->components) {
		list_remove(node);
		loaded_unref(LIST_ENTRY(node, struct loaded, link));
	}
}

static struct loaded *loaded_find(struct api *a, struct str name)
{
	LIST_FOREACH (node, &a->components) {
		struct loaded *k = LIST_ENTRY(node, struct loaded, link);
		if (str_eq(k->component->name, name))
			return k;
	}
	return NULL;
}

/* Keep it in place of an older version. */
static struct loaded *loaded_keep(struct api *a, struct component *component, msec_t imported_at)
{
	struct loaded *old = loaded_find(a, component->name), *k = alloc_calloc(1, sizeof(*k));
	struct err e = ERR_INIT;
	if (!k)
		return NULL;
	*k = (struct loaded){ .component = component, .imported_at = imported_at, .refs = 1 };
	if (component->functions.len)
		k->functions = script_program_new(SCRIPT_CALL, &component->functions, 1, "functions", &e);
	if (old) {
		list_remove(&old->link);
		loaded_unref(old);
	}
	list_add_last(&a->components, &k->link);
	return k;
}

static struct component *component_parse(struct api *a, const char *name, struct str source, struct complaints *c)
{
	struct doc *doc = doc_parse(name, source, c);
	return doc ? component_new(doc, &a->config.env, c) : NULL;
}

struct fetch {
	component_ready *done;
	struct str name;
};

static struct loaded *loaded_from_row(struct request *rq, const struct component_row *row)
{
	struct loaded *k = loaded_find(rq->api, row->name);
	if (k && str_eq_c(row->version, k->component->version))
		return k;
	struct complaints *c = arena_alloc(&rq->arena, sizeof(*c));
	if (!c)
		return NULL;
	complaints_init(c);
	struct component *component = component_parse(rq->api, arena_c(&rq->arena, row->name), row->source, c);
	if (!component)
		reply_problem(rq, 500, "component_invalid", NULL,
			      "the component in the store does not fit this Weir or this environment: %.*s",
			      STR_ARG(c->n ? c->items[0].text : STR_NULL));
	complaints_done(c);
	return component ? loaded_keep(rq->api, component, row->imported_at) : NULL;
}

static void on_row(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	struct fetch *f = rq->state;
	struct loaded *k = NULL;
	if (result->error == STORE_FAILED)
		reply_store_error(rq, result);
	else if (result->error || !result->n)
		reply_problem(rq, 404, "not_found", NULL,
			      "there is no component \"%.*s\"; import it with `weir import FILE`", STR_ARG(f->name));
	else
		k = loaded_from_row(rq, &result->components[0]);
	if (k && rq->wants_source)
		rq->source = arena_str(&rq->arena, result->components[0].source);
	rq->state = NULL;
	if (k || rq->x)
		f->done(rq, k);
	request_release(rq);
}

void component_fetch(struct request *rq, struct str name, component_ready *done)
{
	struct fetch *f = ARENA_NEW(&rq->arena, struct fetch);
	struct err e = ERR_INIT;
	if (!f)
		return;
	*f = (struct fetch){ .done = done, .name = name };
	rq->state = f;
	request_hold(rq);
	if (store_component_get(rq->api->config.store, name, STR_NULL, on_row, rq, &e) < 0) {
		reply_problem(rq, 503, "store", NULL, "%s", e.msg);
		request_release(rq);
	}
}

struct plan *loaded_plan(struct request *rq, struct loaded *k, struct str dataflow)
{
	struct complaints *c = arena_alloc(&rq->arena, sizeof(*c));
	if (!c)
		return NULL;
	complaints_init(c);
	struct plan *p = NULL;
	if (!component_dataflow(k->component, dataflow))
		reply_problem(rq, 404, "not_found", NULL, "component \"%.*s\" has no dataflow \"%.*s\"",
			      STR_ARG(k->component->name), STR_ARG(dataflow));
	else if (!(p = plan_new(k->component, dataflow, &rq->api->config.env, c)))
		reply_problem(rq, 500, "component_invalid", NULL, "%.*s", STR_ARG(c->n ? c->items[0].text : STR_NULL));
	complaints_done(c);
	return p;
}

static void list_one(struct request *rq, const struct component_row *row, struct value *items)
{
	struct complaints *c = arena_alloc(&rq->arena, sizeof(*c));
	struct loaded *k = loaded_find(rq->api, row->name);
	if (!c)
		return;
	complaints_init(c);
	if (!k || !str_eq_c(row->version, k->component->version)) {
		struct component *component = component_parse(rq->api, arena_c(&rq->arena, row->name), row->source, c);
		k = component ? loaded_keep(rq->api, component, row->imported_at) : NULL;
	}
	complaints_done(c);
	if (k)
		(void)value_push(&rq->arena, items, view_component(&rq->arena, k->component, k->imported_at));
}

static void on_list(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	struct value items = value_array();
	if (result->error) {
		reply_store_error(rq, result);
	} else {
		for (size_t i = 0; i < result->n; i++)
			list_one(rq, &result->components[i], &items);
		struct value page =
		    view_page(&rq->arena, items, value_null(), value_int(&rq->arena, (int64_t)items.len));
		reply_json(rq, 200, &page, NULL);
	}
	request_release(rq);
}

void get_components(struct request *rq)
{
	struct err e = ERR_INIT;
	request_hold(rq);
	if (store_component_list(rq->api->config.store, on_list, rq, &e) < 0) {
		reply_problem(rq, 503, "store", NULL, "%s", e.msg);
		request_release(rq);
	}
}

static void component_ready_json(struct request *rq, struct loaded *k)
{
	if (k && rq->wants_source)
		reply_yaml(rq, rq->source); /* a file in JSON is YAML, too */
	else if (k)
		reply_json(rq, 200, component_root(k->component), NULL);
}

void get_component(struct request *rq)
{
	struct str accept = exchange_header(rq->x, "Accept");
	rq->wants_source =
	    str_find(accept, STR("application/yaml")) >= 0 && str_find(accept, STR("application/json")) < 0;
	component_fetch(rq, rq->params[0], component_ready_json);
}

/* Every mistake with its place, as members of the problem. */
static void reply_complaints(struct request *rq, const struct complaints *c)
{
	struct arena *a = &rq->arena;
	struct value errors = value_array(), more = value_object();
	for (size_t i = 0; i < c->n; i++) {
		struct value one = value_object();
		view_set_str(a, &one, "pointer", c->items[i].pointer.ptr ? c->items[i].pointer : STR(""));
		view_set_str(a, &one, "detail", c->items[i].text);
		view_set_str(a, &one, "place", c->items[i].place);
		view_set_int(a, &one, "line", c->items[i].line);
		view_set_int(a, &one, "column", c->items[i].column);
		(void)value_push(a, &errors, one);
	}
	view_set(a, &more, "errors", errors);
	reply_problem(rq, 422, "invalid_component", &more, "the component file has %zu mistake%s; the first: %.*s",
		      c->n + c->dropped, c->n + c->dropped == 1 ? "" : "s",
		      STR_ARG(c->n ? c->items[0].text : STR_NULL));
}

static void on_imported(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	struct loaded *k = rq->state;
	struct arena *a = &rq->arena;
	if (result->error) {
		reply_store_error(rq, result);
	} else {
		struct value v = view_component(a, k->component, k->imported_at), missing = value_array();
		size_t pos = 0;
		struct str name, where, secret;
		while (component_next_secret(k->component, &pos, &name, &where)) {
			struct value one = value_object();
			if (secrets_get(rq->api->config.services->secrets, name, &secret))
				continue;
			view_set_str(a, &one, "kind", STR("secret"));
			view_set_str(a, &one, "name", name);
			view_set_str(a, &one, "where", where);
			(void)value_push(a, &missing, one);
		}
		view_set(a, &v, "missing", missing);
		reply_json(rq, result->change == 1 ? 201 : 200, &v, arena_c(a, rq->path));
	}
	loaded_unref(k);
	request_release(rq);
}

void put_component(struct request *rq)
{
	struct complaints *c = arena_alloc(&rq->arena, sizeof(*c));
	struct str source = exchange_body(rq->x), name = rq->params[0];
	struct err e = ERR_INIT;
	if (!c)
		return;
	complaints_init(c);
	struct component *k = component_parse(rq->api, arena_c(&rq->arena, name), source, c);
	if (!k) {
		reply_complaints(rq, c);
	} else if (!str_eq(k->name, name)) {
		reply_problem(rq, 422, "name_differs", NULL,
			      "the file is component \"%.*s\"; put it at /api/v1/components/%.*s", STR_ARG(k->name),
			      STR_ARG(k->name));
		component_unref(k);
	} else {
		msec_t now = clock_wall();
		struct component_row row = {
			.name = k->name, .version = str_c(k->version), .source = source, .imported_at = now
		};
		struct loaded *loaded = loaded_keep(rq->api, k, now);
		rq->state = loaded ? loaded_ref(loaded) : NULL;
		request_hold(rq);
		if (!loaded || store_component_put(rq->api->config.store, &row, on_imported, rq, &e) < 0) {
			reply_problem(rq, 503, "store", NULL, "%s", e.msg);
			loaded_unref(loaded);
			request_release(rq);
		}
	}
	complaints_done(c);
}
