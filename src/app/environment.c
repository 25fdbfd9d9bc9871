/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which environment, when nobody chose one: the component's first. Components that also have an environment "sample" at the bundled sample
 * API (the weather example has) use that one on a machine without a way out, so that a first look needs no internet. Said on stderr.
 */
#include "app/app.h"

#include "sample/sample.h"

#include <string.h>

#define SAMPLE_ENV "sample"
#define SAMPLE_URL "http://127.0.0.1:8090"
#define REACH_MS 2000 /* how long the first environment may take to be reached */

/* The first system that has both; the URL of its first environment, or the null string. One behind a proxy is not asked: straight it may not be
 * there, and the credentials of the proxy are for calls. */
static struct str first_url(const struct component *k)
{
	for (size_t i = 0; k->systems && i < k->systems->len; i++) {
		const struct value *system = &k->systems->members[i].value, *urls = value_get_c(system, "base_url");
		const struct value *sample = value_get_c(urls, SAMPLE_ENV);
		if (!value_get_c(system, "proxy") && value_is_string(sample, STR(SAMPLE_URL)) && !str_eq_c(urls->members[0].key, SAMPLE_ENV) &&
		    urls->members[0].value.kind == VALUE_STRING)
			return value_text(&urls->members[0].value);
	}
	return STR_NULL;
}

struct reach {
	struct app *app;
	bool is_done, is_reached;
};

static void on_answer(void *arg, const struct http_response *r)
{
	struct reach *x = arg;
	x->is_done = true;
	x->is_reached = r->certainty != HTTP_NOT_SENT;
	loop_stop(x->app->loop);
}

static bool is_reachable(struct app *a, struct str url)
{
	struct reach x = { .app = a };
	struct err e = ERR_INIT;
	struct http_request request = { .method = STR("HEAD"), .url = url, .connect_timeout = REACH_MS, .total_timeout = REACH_MS };
	if (!http_start(a->services.http, &request, on_answer, &x, &e))
		return true;
	while (!x.is_done)
		(void)loop_run(a->loop);
	return x.is_reached;
}

int app_sample_open(struct app *a, uint16_t port, struct err *e)
{
	return a->sample ? 0 : sample_api_open(&a->sample, a->loop, port, 0, e);
}

bool app_environment_falls_back(struct app *a, const struct component *k)
{
	struct err e = ERR_INIT;
	struct str url = a->env.env.len ? STR_NULL : first_url(k);
	if (!url.len || is_reachable(a, url))
		return false;
	a->env.env = STR(SAMPLE_ENV);
	/* Another Weir may serve it already: then that one answers. */
	bool own = app_sample_open(a, SAMPLE_API_PORT, &e) == 0;
	if (!a->flags.quiet)
		fprintf(stderr, "weir: %.*s cannot be reached; using the environment \"" SAMPLE_ENV "\" with the %s sample API (choose with --env)\n",
			STR_ARG(url), own ? "bundled" : "running");
	return true;
}
