/* SPDX-License-Identifier: Apache-2.0 */
/* The route table, and what holds for every request: it comes from this machine, names its content, is answered once.
 */
#include "api/api_int.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/url.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum body_kind { BODY_NONE, BODY_JSON, BODY_RAW };

/* "*" leaves a part open. */
static const struct route {
	const char *method, *pattern;
	handler *handle;
	enum body_kind body;
} routes[] = {
	{ "GET", "/api/v1/components", get_components, BODY_NONE },
	{ "GET", "/api/v1/components/*", get_component, BODY_NONE },
	{ "PUT", "/api/v1/components/*", put_component, BODY_RAW },
	{ "GET", "/api/v1/components/*/forms/*", get_form, BODY_NONE },
	{ "POST", "/api/v1/components/*/forms/*/submissions", post_submission, BODY_JSON },
	{ "POST", "/api/v1/components/*/dataflows/*/runs", post_run, BODY_JSON },
	{ "GET", "/api/v1/components/*/entries", get_entries, BODY_NONE },
	{ "GET", "/api/v1/components/*/entries/*", get_entry, BODY_NONE },
	{ "GET", "/api/v1/runs", get_runs, BODY_NONE },
	{ "GET", "/api/v1/runs/*", get_run, BODY_NONE },
	{ "DELETE", "/api/v1/runs/*", delete_run, BODY_NONE },
	{ "POST", "/api/v1/runs/*/resume", post_resume, BODY_NONE },
	{ "POST", "/api/v1/runs/*/decisions", post_decisions, BODY_JSON },
	{ "POST", "/api/v1/runs/*/retry", post_retry, BODY_NONE },
	{ "POST", "/api/v1/runs/*/rerun", post_rerun, BODY_JSON },
	{ "GET", "/api/v1/runs/*/items", get_items, BODY_NONE },
	{ "GET", "/api/v1/runs/*/items/*", get_item, BODY_NONE },
	{ "GET", "/api/v1/storage", get_storage, BODY_NONE },
	{ "POST", "/api/v1/storage/prune", post_prune, BODY_JSON },
	{ "POST", "/api/v1/files", post_file, BODY_RAW },
	{ "GET", "/api/v1/files/*", get_file, BODY_NONE },
};

static void on_gone(void *arg)
{
	struct request *rq = arg;
	rq->x = NULL;
}

void request_release(struct request *rq)
{
	if (--rq->busy > 0)
		return;
	if (rq->x) {
		reply_problem(rq, 500, "internal", NULL, "the request was not answered; this is a fault of Weir");
		rq->x = NULL;
	}
	list_remove(&rq->link);
	arena_done(&rq->arena);
	free(rq);
}

void request_reply(struct request *rq, int status, const struct headers *h, struct str body, bool is_static)
{
	struct http_exchange *x = TAKE(rq->x);
	exchange_on_gone(x, NULL, NULL);
	int rc = is_static ? exchange_reply_static(x, status, h, body) : exchange_reply(x, status, h, body);
	if (rc < 0) /* a field that is none: nothing was sent yet */
		(void)exchange_reply(x, 500, NULL, STR("the answer could not be made\n"));
}

void request_reply_file(struct request *rq, int status, const struct headers *h, int fd, uint64_t size)
{
	struct http_exchange *x = TAKE(rq->x);
	exchange_on_gone(x, NULL, NULL);
	if (exchange_reply_file(x, status, h, fd, size) < 0)
		(void)exchange_reply(x, 500, NULL, STR("the answer could not be made\n"));
}

/* Headers that every answer of the API carries. */
static void reply(struct request *rq, int status, const char *type, const char *location, struct str body)
{
	struct headers h = { 0 };
	struct arena *a = &rq->arena;
	if (!rq->x)
		return;
	(void)headers_add(a, &h, STR("Content-Type"), str_c(type), NULL);
	(void)headers_add(a, &h, STR("Cache-Control"), STR("no-store"), NULL);
	(void)headers_add(a, &h, STR("X-Content-Type-Options"), STR("nosniff"), NULL);
	if (location)
		(void)headers_add(a, &h, STR("Location"), str_c(location), NULL);
	if (rq->allow)
		(void)headers_add(a, &h, STR("Allow"), str_c(rq->allow), NULL);
	request_reply(rq, status, &h, body, false);
}

void reply_json(struct request *rq, int status, const struct value *body, const char *location)
{
	struct buf text;
	buf_init(&text, 256u << 20);
	if (json_write(&text, body, JSON_COMPACT) < 0)
		reply_problem(rq, 500, "too_large", NULL, "the answer is too large");
	else
		reply(rq, status, "application/json", location, buf_str(&text));
	buf_done(&text);
}

void reply_yaml(struct request *rq, struct str text)
{
	reply(rq, 200, "application/yaml", NULL, text);
}

static const char *status_title(int status)
{
	switch (status) {
	case 400:
		return "The request is wrong";
	case 403:
		return "Not allowed";
	case 404:
		return "Not found";
	case 405:
		return "Method not allowed";
	case 409:
		return "Conflict";
	case 413:
		return "Too large";
	case 415:
		return "Unsupported media type";
	case 422:
		return "The content is wrong";
	case 502:
		return "The run failed";
	case 503:
		return "Not possible now";
	case 504:
		return "The run failed: no answer in time";
	default:
		return "Weir failed";
	}
}

/* Text from outside, up to the first byte that is no UTF-8: JSON takes no other. */
static struct str text_of(struct str s)
{
	size_t bad = 0;
	return str_is_utf8(s, &bad) ? s : str_from(s.ptr, bad);
}

void reply_problem(struct request *rq, int status, const char *type, const struct value *more, const char *fmt, ...)
{
	char text[2048];
	va_list args;
	struct value p = value_object();
	struct arena *a = &rq->arena;
	struct buf body;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	view_set_str(a, &p, "type", str_c(arena_printf(a, "urn:weir:problem:%s", type)));
	view_set_str(a, &p, "title", str_c(status_title(status)));
	view_set_int(a, &p, "status", status);
	view_set_str(a, &p, "detail", text_of(str_c(text)));
	view_set_str(a, &p, "instance", text_of(rq->path));
	for (size_t i = 0; more && i < more->len; i++)
		(void)value_set(a, &p, more->members[i].key, more->members[i].value);
	buf_init(&body, 1u << 20);
	(void)json_write(&body, &p, JSON_COMPACT);
	reply(rq, status, "application/problem+json", NULL, buf_str(&body));
	buf_done(&body);
}

void reply_store_error(struct request *rq, const struct store_result *result)
{
	if (result->error == STORE_NOT_FOUND)
		reply_problem(rq, 404, "not_found", NULL, "there is nothing of that name here");
	else if (result->error == STORE_DAMAGED)
		reply_problem(rq, 500, "damaged", NULL, "%s", result->detail);
	else
		reply_problem(rq, 503, "store", NULL, "the store cannot be used now: %s",
			      result->detail ? result->detail : "unknown");
}

struct str request_query(struct request *rq, const char *name)
{
	struct str query = rq->x ? exchange_query(rq->x) : STR_NULL;
	while (query.len) {
		struct str pair = str_split(&query, '&'), value = pair;
		struct str key = str_split(&value, '=');
		if (!str_eq_c(key, name))
			continue;
		struct buf b;
		buf_init(&b, URL_MAX_BYTES);
		struct str decoded = url_decode(&b, value, true) ? arena_str(&rq->arena, buf_str(&b)) : STR_NULL;
		buf_done(&b);
		return decoded;
	}
	return STR_NULL;
}

bool request_page(struct request *rq, size_t *ret_limit, int64_t *ret_after)
{
	struct str limit = request_query(rq, "limit"), after = request_query(rq, "after");
	uint64_t n = 50;
	*ret_after = 0;
	if (limit.ptr && (num_parse_u64(limit, &n) < 0 || n < 1 || n > API_PAGE_MAX)) {
		reply_problem(rq, 400, "invalid_query", NULL, "limit must be a number from 1 to %d", API_PAGE_MAX);
		return false;
	}
	if (after.ptr && (num_parse_i64(after, ret_after) < 0 || *ret_after < 0)) {
		reply_problem(rq, 400, "invalid_query", NULL, "after must be the \"next\" of the page before");
		return false;
	}
	*ret_limit = (size_t)n;
	return true;
}

bool request_number(struct request *rq, size_t param, int64_t *ret)
{
	if (num_parse_i64(rq->params[param], ret) == 0 && *ret >= 0)
		return true;
	reply_problem(rq, 404, "not_found", NULL, "\"%.*s\" is no number", STR_ARG(rq->params[param]));
	return false;
}

/* Does the path fit the pattern? Open parts are decoded into the request. */
static bool route_fits(struct request *rq, const char *pattern)
{
	struct str path = rq->path, want = str_c(pattern);
	rq->n_params = 0;
	(void)str_split(&path, '/');
	(void)str_split(&want, '/');
	while (want.ptr && path.ptr) {
		struct str p = str_split(&path, '/'), w = str_split(&want, '/');
		if (!str_eq_c(w, "*")) {
			if (!str_eq(p, w))
				return false;
			continue;
		}
		struct buf b;
		size_t bad;
		buf_init(&b, URL_MAX_BYTES);
		bool ok = p.len && rq->n_params < API_PARAMS_MAX && url_decode(&b, p, false) &&
			  str_is_utf8(buf_str(&b), &bad);
		if (ok)
			rq->params[rq->n_params++] = arena_str(&rq->arena, buf_str(&b));
		buf_done(&b);
		if (!ok)
			return false;
	}
	return !want.ptr && !path.ptr;
}

/* The host part of "host:port" or "[v6]:port". */
static bool host_is_local(struct str host)
{
	static const char *const local[] = { "localhost", "127.0.0.1", "[::1]" };
	ptrdiff_t colon = str_ends(host, STR("]")) ? -1 : str_find_char(host, ':');
	if (str_starts(host, STR("[")))
		colon = str_find(host, STR("]:")) < 0 ? -1 : str_find(host, STR("]:")) + 1;
	struct str name = colon < 0 ? host : str_from(host.ptr, (size_t)colon);
	for (size_t i = 0; i < ARRAY_LEN(local); i++)
		if (str_eq_nocase(name, str_c(local[i])))
			return true;
	return false;
}

/*
 * There is no access control yet, so other web sites must not speak through the user's browser: the host must be this
 * machine by name (a rebound DNS name is not), and what changes something must come from our own pages or from no
 * browser at all.
 */
static bool request_is_local(struct request *rq, bool changes)
{
	struct str host = exchange_header(rq->x, "Host"), origin = exchange_header(rq->x, "Origin");
	struct str site = exchange_header(rq->x, "Sec-Fetch-Site");
	if (!host_is_local(host)) {
		reply_problem(rq, 403, "forbidden_host", NULL, "this server answers only as localhost, not as \"%.*s\"",
			      STR_ARG(host));
		return false;
	}
	struct str origin_host = origin;
	(void)str_split(&origin_host, '/');
	(void)str_split(&origin_host, '/');
	bool foreign = (origin.ptr && !str_eq(origin_host, host)) ||
		       (site.ptr && !str_eq_c(site, "same-origin") && !str_eq_c(site, "none"));
	if (changes && foreign) {
		reply_problem(rq, 403, "forbidden_origin", NULL, "a page of another origin may not do this");
		return false;
	}
	return true;
}

static bool body_parse(struct request *rq)
{
	struct str type = header_media_type(exchange_header(rq->x, "Content-Type"));
	struct json_options opt = { .duplicates = JSON_DUP_REFUSE, .copy = true };
	struct err e = ERR_INIT;
	if (!str_eq_nocase(type, STR("application/json"))) {
		reply_problem(rq, 415, "unsupported_media_type", NULL, "send Content-Type: application/json");
		return false;
	}
	if (json_parse(&rq->arena, exchange_body(rq->x), &opt, &rq->body, NULL, &e) < 0) {
		reply_problem(rq, 400, "invalid_json", NULL, "%s", e.msg);
		return false;
	}
	return true;
}

static void route_run(struct request *rq, const struct route *route)
{
	bool changes = strcmp(route->method, "GET") != 0;
	if (!request_is_local(rq, changes))
		return;
	if (route->body == BODY_JSON && !body_parse(rq))
		return;
	route->handle(rq);
}

static void request_route(struct request *rq)
{
	struct str method = exchange_method(rq->x);
	bool path_known = false, is_head = str_eq_c(method, "HEAD");
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (!route_fits(rq, routes[i].pattern))
			continue;
		path_known = true;
		rq->allow = rq->allow				   ? "GET, HEAD, PUT"
			    : strcmp(routes[i].method, "GET") == 0 ? "GET, HEAD"
								   : routes[i].method;
		if (str_eq_c(method, routes[i].method) || (is_head && strcmp(routes[i].method, "GET") == 0)) {
			rq->allow = NULL;
			route_run(rq, &routes[i]);
			return;
		}
	}
	if (path_known)
		reply_problem(rq, 405, "method_not_allowed", NULL, "this address does not take %.*s", STR_ARG(method));
	else if (str_eq_c(rq->path, "/healthz") || str_eq_c(rq->path, "/readyz"))
		reply(rq, store_broken(rq->api->config.store) ? 503 : 200, "text/plain; charset=utf-8", NULL,
		      store_broken(rq->api->config.store) ? STR("the store cannot be written\n") : STR("ok\n"));
	else if (!request_is_local(rq, false) || pages_serve(rq))
		return;
	else
		reply_problem(rq, 404, "not_found", NULL, "there is nothing at %.*s", STR_ARG(rq->path));
}

static void on_request(void *arg, struct http_exchange *x)
{
	struct api *api = arg;
	struct request *rq = alloc_calloc(1, sizeof(*rq));
	if (!rq) {
		(void)exchange_reply(x, 503, NULL, STR_NULL);
		return;
	}
	*rq = (struct request){ .api = api, .x = x };
	arena_init(&rq->arena, 0);
	list_add_last(&api->requests, &rq->link);
	rq->path = arena_str(&rq->arena, exchange_path(x));
	exchange_on_gone(x, on_gone, rq);
	request_hold(rq);
	request_route(rq);
	request_release(rq);
}

int api_open(struct api **ret, const struct api_config *config, struct err *e)
{
	struct api *a = alloc_calloc(1, sizeof(*a));
	if (!a)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	a->config = *config;
	list_init(&a->components);
	list_init(&a->live);
	list_init(&a->requests);
	a->survey = survey_new(config->store, config->loop);
	if (!a->survey) {
		free(a);
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	}
	struct http_server_config server = {
		.address = "127.0.0.1", .port = config->port, .on_request = on_request, .arg = a
	};
	if (http_server_open(&a->server, config->loop, &server, e) < 0) {
		survey_free(a->survey);
		free(a);
		return err_wrap(e, "listen on 127.0.0.1:%u", config->port);
	}
	a->port = http_server_port(a->server);
	recover_start(a);
	*ret = a;
	return 0;
}

uint16_t api_port(const struct api *a)
{
	return a->port;
}

void api_drain(struct api *a, void (*on_idle)(void *arg), void *arg)
{
	http_server_stop_accepting(a->server);
	a->is_draining = true;
	a->on_idle = on_idle;
	a->on_idle_arg = arg;
	live_wind_down(a, false);
	if (list_is_empty(&a->live))
		on_idle(arg);
}

void api_wind_down(struct api *a)
{
	live_wind_down(a, true);
}

void api_close(struct api *a)
{
	if (!a)
		return;
	prune_round_free(a->pruning);
	survey_free(a->survey);
	live_free_all(a);
	http_server_close(a->server);
	components_free(a);
	/* Requests that still wait for the store are freed by its callbacks, which do not come any more: bury them
	 * here. */
	LIST_FOREACH (node, &a->requests) {
		struct request *rq = LIST_ENTRY(node, struct request, link);
		run_free(rq->replay);
		list_remove(&rq->link);
		arena_done(&rq->arena);
		free(rq);
	}
	free(a);
}
