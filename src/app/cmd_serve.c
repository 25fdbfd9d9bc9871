/* SPDX-License-Identifier: Apache-2.0 */
/* weir serve and weir sample-api: what keeps running. */
#include "app/prune.h"

#include "api/api.h"
#include "base/clock.h"
#include "base/log.h"
#include "sample/sample.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#define SERVE_FINISH_MS 5000 /* how long a stop waits for the end of runs that a client waits for */
#define SERVE_GRACE_MS 5000  /* and then for calls under way; what is left is resumed at the next start */
#define SERVE_PORT "8080"
#define SAMPLE_PORT "8090"

static bool port_parse(const struct command *c, const char *flag, const char *text, uint16_t *ret)
{
	uint64_t n;
	if (num_parse_u64(str_c(text), &n) < 0 || n > 65535)
		return app_usage(c, "--%s %s: write a port from 0 to 65535", flag, text), false;
	*ret = (uint16_t)n;
	return true;
}

struct serve {
	struct app app;
	struct api *api;
	struct loop_timer finish, grace;
	struct prune_keeper keeper;
	const char *port_text, *keep_text;
	uint16_t port;
	bool with_sample;
	int stops; /* signals that came */
};

static void on_idle(void *arg)
{
	struct serve *s = arg;
	loop_stop(s->app.loop);
}

static void on_finish(struct loop_timer *t)
{
	struct serve *s = CONTAINER_OF(t, struct serve, finish);
	(void)loop_timer_start(&s->grace, SERVE_GRACE_MS);
	api_wind_down(s->api);
}

static void on_grace(struct loop_timer *t)
{
	struct serve *s = CONTAINER_OF(t, struct serve, grace);
	loop_stop(s->app.loop);
}

static void on_signal(void *arg, int signum)
{
	struct serve *s = arg;
	if (s->stops++) {
		loop_stop(s->app.loop);
		return;
	}
	log_info(NULL, "server stops, what is under way has %d s", (SERVE_FINISH_MS + SERVE_GRACE_MS) / 1000);
	(void)loop_timer_start(&s->finish, SERVE_FINISH_MS);
	api_drain(s->api, on_idle, s);
}

static void serve_say(const struct serve *s)
{
	if (s->app.flags.quiet)
		return;
	printf("Weir %s at http://127.0.0.1:%u/ (this machine only: there is no access control yet)\n", WEIR_VERSION, api_port(s->api));
	if (s->app.sample)
		printf("sample API at http://127.0.0.1:%u/\n", sample_api_port(s->app.sample));
	printf("data in %s, environment %.*s\n", store_where(s->app.store), STR_ARG(s->app.env.env.len ? s->app.env.env : STR("(each component's first)")));
	if (s->keeper.policy.older_than)
		printf("runs are kept for %s after their end, then pruned\n", s->keep_text ? s->keep_text : getenv("WEIR_KEEP_RUNS"));
	else
		printf("all runs are kept (--keep-runs 30d would prune older ones)\n");
	fflush(stdout);
}

/* Which forms there are, so that the first thing a person does is open one. */
static void on_components(void *arg, const struct store_result *result)
{
	struct serve *s = arg;
	for (size_t i = 0; i < result->n && !s->app.flags.quiet; i++)
		printf("  http://127.0.0.1:%u/app/%.*s\n", api_port(s->api), STR_ARG(result->components[i].name));
	fflush(stdout);
}

static int serve_open(struct serve *s, int n, char **files)
{
	struct err e = ERR_INIT;
	if (s->with_sample && !s->app.flags.env)
		s->app.flags.env = "sample";
	log_setup(s->app.flags.verbose ? LOG_DEBUG : LOG_INFO, LOG_AUTO);
	int code = app_open(&s->app, true);
	for (int i = 0; i < n && code == EXIT_OK; i++) {
		struct component *k = app_component(&s->app, files[i], NULL);
		if (k)
			(void)app_environment_falls_back(&s->app, k);
		code = k ? app_import(&s->app, files[i]) : EXIT_INVALID;
		component_unref(k);
	}
	if (code != EXIT_OK)
		return code;
	struct api_config config = { .loop = s->app.loop, .store = s->app.store, .services = &s->app.services, .env = s->app.env, .port = s->port,
				     .keep_runs = s->keeper.policy.older_than, .retention = &s->keeper.round };
	if (api_open(&s->api, &config, &e) < 0 ||
	    (s->with_sample && app_sample_open(&s->app, SAMPLE_API_PORT, &e) < 0)) {
		app_say("%s", e.msg);
		return EXIT_UNREACHABLE;
	}
	serve_say(s);
	(void)store_component_list(s->app.store, on_components, s, &e);
	script_pool_warm(s->app.services.scripts);
	return EXIT_OK;
}

int cmd_serve(int argc, char **argv)
{
	struct serve s = { .port_text = SERVE_PORT };
	const struct command *c = app_command("serve");
	const struct flag flags[] = {
		{ .name = "port", .letter = 'p', .value = &s.port_text },
		{ .name = "sample", .present = &s.with_sample },
		{ .name = "keep-runs", .value = &s.keep_text },
		{ .name = NULL },
	};
	struct err e = ERR_INIT;
	int first;
	if (!app_flags_parse(c, argc, argv, &s.app.flags, flags, &first) ||
	    !port_parse(c, "port", s.port_text, &s.port) || !app_keeper_parse(c, s.keep_text, &s.keeper.policy))
		return EXIT_USAGE;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)prctl(PR_SET_DUMPABLE, 0); /* secrets are in memory: no core file, no debugger of another process */
	int code = serve_open(&s, argc - first, argv + first);
	if (code == EXIT_OK) {
		loop_timer_init(s.app.loop, &s.finish, on_finish);
		loop_timer_init(s.app.loop, &s.grace, on_grace);
		struct loop_signal *on_int = loop_signal_open(s.app.loop, SIGINT, on_signal, &s, &e);
		struct loop_signal *on_term = loop_signal_open(s.app.loop, SIGTERM, on_signal, &s, &e);
		app_keeper_start(&s.keeper, &s.app);
		(void)loop_run(s.app.loop);
		app_keeper_stop(&s.keeper);
		loop_timer_stop(&s.finish);
		loop_timer_stop(&s.grace);
		loop_signal_close(on_int);
		loop_signal_close(on_term);
	}
	api_close(s.api);
	app_close(&s.app);
	return code;
}

static void on_stop(void *arg, int signum)
{
	loop_stop(arg);
}

int cmd_sample_api(int argc, char **argv)
{
	const struct command *c = app_command("sample-api");
	const char *port_text = SAMPLE_PORT, *delay_text = "0";
	const struct flag flags[] = {
		{ .name = "port", .letter = 'p', .value = &port_text },
		{ .name = "delay", .value = &delay_text },
		{ .name = NULL },
	};
	struct app_flags common = { 0 };
	struct err e = ERR_INIT;
	struct sample_api *sample;
	uint64_t delay;
	uint16_t port;
	int first;
	if (!app_flags_parse(c, argc, argv, &common, flags, &first) || !port_parse(c, "port", port_text, &port))
		return EXIT_USAGE;
	if (num_parse_u64(str_c(delay_text), &delay) < 0 || delay > 600000)
		return app_usage(c, "--delay %s: write milliseconds up to 600000", delay_text);
	struct loop *l = loop_new(&e);
	if (!l || sample_api_open(&sample, l, port, (msec_t)delay, &e) < 0) {
		app_say("%s", e.msg);
		return EXIT_UNREACHABLE;
	}
	if (!common.quiet)
		printf("sample API at http://127.0.0.1:%u/\n", sample_api_port(sample));
	fflush(stdout);
	struct loop_signal *on_int = loop_signal_open(l, SIGINT, on_stop, l, &e);
	struct loop_signal *on_term = loop_signal_open(l, SIGTERM, on_stop, l, &e);
	(void)loop_run(l);
	loop_signal_close(on_int);
	loop_signal_close(on_term);
	sample_api_close(sample);
	loop_free(l);
	return EXIT_OK;
}
