/* SPDX-License-Identifier: Apache-2.0 */
/* weir call: one API call outside of any run. The same spec, request and judgement as in a dataflow; no ledger. */
#include "app/waterfall.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "call/redirect.h"
#include "step/file_sink.h"
#include "step/folder.h"

#include <string.h>

#define ATTEMPTS_MAX (CALL_HOPS_MAX + 1) /* of one call: the first, and a redirect each */

struct call_command {
	struct app app;
	const struct command *command;
	const char *file;
	const char *result;
	const char *output; /* where the answer's bytes go; NULL = it is printed */
	struct folder folder;
	struct call_body body;
	struct file_sink sink;
	struct arena arena;
	struct value system; /* kept: the component it came from is held too */
	struct component *component;
	struct call_spec *spec;
	struct call_result_rule *rule;
	struct call_request request;
	struct call_trail trail;
	struct call_attempt attempts[ATTEMPTS_MAX];
	size_t n_attempts;
	uint64_t ended_ns; /* when the latest ended */
	bool is_done;
	int code;
};

static void complain(void *arg, const struct value *at, const char *field, const char *sentence)
{
	if (field && *field)
		app_say("%s: %s", field, sentence);
	else
		app_say("%s", sentence);
}

struct system_search {
	struct call_command *cc;
	struct str name;
	struct str names[64];
	size_t n;
};

static void on_list(void *arg, const struct store_result *result)
{
	struct system_search *s = arg;
	for (size_t i = 0; i < result->n && s->n < ARRAY_LEN(s->names); i++)
		s->names[s->n++] = arena_str(&s->cc->arena, result->components[i].name);
}

static void on_system_component(void *arg, const struct store_result *result)
{
	struct system_search *s = arg;
	auto_free struct complaints *c = alloc_malloc(sizeof(*c));
	if (!c || result->error || !result->n)
		return;
	complaints_init(c);
	struct doc *doc = doc_parse("component", result->components[0].source, c);
	struct component *k = doc ? component_new(doc, &s->cc->app.env, c) : NULL;
	complaints_done(c);
	if (k && value_get(k->systems, s->name))
		s->cc->component = k;
	else
		component_unref(k);
}

/* The first imported component that has the system. */
static void system_search_store(struct call_command *cc, struct str name)
{
	struct system_search s = { .cc = cc, .name = name };
	struct err e = ERR_INIT;
	struct app_wait wait = { .app = &cc->app, .use = on_list, .arg = &s };
	if (store_component_list(cc->app.store, app_wait_done, &wait, &e) == 0)
		(void)app_wait(&wait);
	for (size_t i = 0; i < s.n && !cc->component; i++) {
		struct app_wait one = { .app = &cc->app, .use = on_system_component, .arg = &s };
		if (store_component_get(cc->app.store, s.names[i], STR_NULL, app_wait_done, &one, &e) == 0)
			(void)app_wait(&one);
	}
}

static int spec_prepare(struct call_command *cc, struct str system_name, struct str connector, const char *method, const char *path)
{
	enum call_method m;
	struct err e = ERR_INIT;
	if (!call_method_parse(str_c(method), &m))
		return app_usage(cc->command, "\"%s\" is no method; write GET, POST, PUT, DELETE, PATCH, HEAD or OPTIONS", method);
	if (cc->file)
		cc->component = app_component(&cc->app, cc->file, NULL);
	else
		system_search_store(cc, system_name);
	if (cc->component)
		(void)app_environment_falls_back(&cc->app, cc->component); /* the spec below is made for what it chose */
	if (!cc->component && cc->file)
		return EXIT_INVALID;
	const struct value *system = cc->component ? value_get(cc->component->systems, system_name) : NULL;
	if (!system) {
		app_say("there is no system \"%.*s\" %s; name its file with -f FILE, or import it", STR_ARG(system_name),
			cc->file ? cc->file : "in the imported components");
		return EXIT_INVALID;
	}
	const struct value *connectors = value_get_c(system, "connectors");
	if (!connector.len && value_is(connectors, VALUE_OBJECT) && connectors->len == 1)
		connector = connectors->members[0].key;
	cc->spec = call_spec_new(&cc->arena, system, system_name, connector, str_c(path), m, cc->app.env.env, complain, cc);
	cc->rule = call_result_rule_new(&cc->arena, str_c(cc->result ? cc->result : "body"), &e);
	if (!cc->rule)
		return app_usage(cc->command, "--result: %s", e.msg);
	return cc->spec ? EXIT_OK : EXIT_INVALID;
}

static int parameters_parse(struct call_command *cc, int n, char **words, struct value *ret)
{
	struct err e = ERR_INIT;
	*ret = value_object();
	for (int i = 0; i < n; i++) {
		const char *eq = strchr(words[i], '=');
		if (!eq || eq == words[i])
			return app_usage(cc->command, "%s: write name=value, name:=JSON or name=@FILE", words[i]);
		bool is_json = eq[-1] == ':';
		struct str text = str_c(eq + 1);
		bool is_file = !is_json && app_text_is_file(&text);
		struct value v = value_string(text);
		if (is_file && app_file_put(&cc->app, &cc->arena, text.ptr, &v, &e) < 0) {
			app_say("%s", e.msg);
			return EXIT_INVALID;
		}
		if (is_json && json_parse(&cc->arena, str_c(eq + 1), NULL, &v, NULL, &e) < 0)
			return app_usage(cc->command, "%s: %s", words[i], e.msg);
		(void)value_set(&cc->arena, ret, str_from(words[i], (size_t)(eq - words[i]) - (is_json ? 1 : 0)), v);
	}
	if (call_spec_check_mapping(cc->spec, ret, complain, cc))
		return EXIT_INVALID;
	return EXIT_OK;
}

/* Request and answer as a person reads them, on stderr. */
static void request_print(const struct call_command *cc)
{
	struct arena a;
	struct value v;
	arena_init(&a, 0);
	if (cc->request.proxy)
		fprintf(stderr, "* by way of the proxy %.*s\n", STR_ARG(cc->request.proxy->url));
	if (json_parse(&a, cc->request.masked, NULL, &v, NULL, NULL) == 0) {
		const struct value *headers = value_get_c(&v, "headers"), *body = value_get_c(&v, "body");
		fprintf(stderr, "> %s %.*s\n", call_method_name(cc->request.method), STR_ARG(value_text(value_get_c(&v, "url"))));
		for (size_t i = 0; headers && i < headers->len; i++)
			fprintf(stderr, "> %.*s: %.*s\n", STR_ARG(value_text(value_at(value_at(headers, i), 0))),
				STR_ARG(value_text(value_at(value_at(headers, i), 1))));
		if (value_is(body, VALUE_STRING))
			fprintf(stderr, ">\n> %.*s\n", STR_ARG(value_text(body)));
	}
	arena_done(&a);
}

static void answer_print(const struct call_answer *x)
{
	fprintf(stderr, "< %d\n", x->status);
	for (size_t i = 0; i < x->headers.len; i++)
		fprintf(stderr, "< %.*s: %.*s\n", STR_ARG(value_text(value_at(value_at(&x->headers, i), 0))),
			STR_ARG(value_text(value_at(value_at(&x->headers, i), 1))));
}

/* ---- what is told of the attempts at the end ---- */

static struct call_attempt *attempt_latest(struct call_command *cc)
{
	return cc->n_attempts ? &cc->attempts[cc->n_attempts - 1] : NULL;
}

/* The address as people may see it; ptr NULL when memory is out. */
static struct str masked_url(struct call_command *cc)
{
	struct value v;
	const struct value *url = NULL;
	if (json_parse(&cc->arena, cc->request.masked, NULL, &v, NULL, NULL) == 0)
		url = value_get_c(&v, "url");
	return value_is(url, VALUE_STRING) ? arena_str(&cc->arena, value_text(url)) : STR_NULL;
}

static void attempt_ended(struct call_command *cc, const struct call_answer *x)
{
	cc->ended_ns = clock_mono_ns();
	if (cc->n_attempts == ATTEMPTS_MAX)
		return;
	struct call_attempt *at = &cc->attempts[cc->n_attempts++];
	at->number = (uint32_t)cc->n_attempts;
	at->has_outcome = true;
	at->status = x->status;
	at->error = x->error == HTTP_ERROR_NONE ? STR_NULL : str_c(http_error_name(x->error));
	at->phases = call_phases_of(&x->timings);
}

/* The latest attempt was a redirect: what is to be told of the next one is known before it is made. */
static void attempt_hops(struct call_command *cc, struct str from)
{
	struct call_attempt *before = attempt_latest(cc);
	if (!before || cc->n_attempts == ATTEMPTS_MAX)
		return;
	before->verdict = STR("redirect");
	struct call_attempt *next = &cc->attempts[cc->n_attempts];
	next->again = (struct call_again){ .why = CALL_WHY_REDIRECT,
					   .wait_us = (clock_mono_ns() - cc->ended_ns) / 1000 };
	next->status_before = before->status;
	next->url_before = from;
}

static void attempts_print(struct call_command *cc, const struct call_judgement *j)
{
	struct call_attempt *last = attempt_latest(cc);
	if (!cc->app.flags.verbose || !last)
		return;
	if (j) {
		last->verdict = str_c(call_verdict_name(j->verdict));
		last->rule = j->rule;
	}
	struct waterfall w = waterfall_of(&cc->app.flags, stderr, "* ");
	waterfall_print(&w, cc->attempts, cc->n_attempts);
}

/* Bytes do not go to a terminal. */
static bool may_write_bytes(const struct call_command *cc, uint64_t bytes)
{
	if (strcmp(cc->output, "-") != 0 || !isatty(STDOUT_FILENO))
		return true;
	app_say("the answer is %llu bytes that are no text; write them with -o FILE", (unsigned long long)bytes);
	return false;
}

static bool is_binary(const struct value *result)
{
	return value_is(value_get_c(result, "base64"), VALUE_STRING) && value_get_c(result, "bytes");
}

/* 1 = the answer's bytes went where -o says; 0 = it is no such answer. */
static int bytes_write(struct call_command *cc, const struct call_answer *x, const struct value *result, struct err *e)
{
	if (!x->file.ptr && !is_binary(result))
		return 0;
	if (!may_write_bytes(cc, x->file.ptr ? x->file_bytes : x->body.len))
		return -ERR_DENIED;
	int code = x->file.ptr ? app_file_get(&cc->app, x->file, cc->output, e) : app_bytes_write(x->body, cc->output, e);
	if (code < 0)
		app_say("%s", e->msg);
	return code < 0 ? code : 1;
}

static int result_print(struct call_command *cc, const struct call_answer *x, const struct value *result)
{
	struct buf b;
	struct err e = ERR_INIT;
	int rc = cc->output ? bytes_write(cc, x, result, &e) : 0;
	if (rc != 0)
		return rc > 0 ? EXIT_OK : EXIT_RUN_FAILED;
	if (x->file.ptr && cc->file) { /* the folder goes with this process */
		app_say("the answer is a file of %llu bytes; write it with -o FILE", (unsigned long long)x->file_bytes);
		return EXIT_RUN_FAILED;
	}
	buf_init(&b, 256u << 20);
	(void)json_write(&b, result, JSON_PRETTY);
	(void)buf_append_char(&b, '\n');
	if (!buf_ok(&b))
		app_say("the answer is too large to be printed");
	else if ((rc = app_bytes_write(buf_str(&b), cc->output ? cc->output : "-", &e)) < 0)
		app_say("%s", e.msg);
	rc = buf_ok(&b) ? rc : -1;
	buf_done(&b);
	return rc == 0 ? EXIT_OK : EXIT_RUN_FAILED;
}

static int call_send(struct call_command *cc);

/* True when the answer was a redirect and is dealt with. */
static bool follow(struct call_command *cc, const struct http_response *r)
{
	struct call_request next;
	struct str reason, from = masked_url(cc);
	if (r->error != HTTP_ERROR_NONE)
		return false;
	switch (call_redirect(&cc->request, r->status, r->headers, cc->app.services.secrets, &cc->trail, &cc->arena, &next, &reason)) {
	case CALL_HOP_FOLLOW:
		cc->request = next;
		attempt_hops(cc, from);
		cc->is_done = false;
		cc->code = call_send(cc);
		return true;
	case CALL_HOP_REFUSED:
		attempts_print(cc, NULL);
		app_say("%.*s", STR_ARG(reason));
		return true;
	default:
		return false;
	}
}

static void on_response(void *arg, const struct http_response *r)
{
	struct call_command *cc = arg;
	struct call_answer x = { 0 };
	struct call_judgement j;
	struct err e = ERR_INIT;
	auto_free char *body = NULL;
	cc->is_done = true;
	cc->code = EXIT_RUN_FAILED;
	loop_stop(cc->app.loop);
	int code = file_sink_answer(&cc->sink, r, cc->request.url, cc->app.services.secrets, &cc->arena, &x, &body, &e);
	call_body_close(&cc->body);
	file_sink_done(&cc->sink);
	if (code < 0) {
		app_say("%s", e.msg);
		return;
	}
	x.is_range_asked = headers_count(&cc->request.headers, STR("Range")) > 0;
	if (cc->app.flags.verbose)
		answer_print(&x);
	attempt_ended(cc, &x);
	if (follow(cc, r))
		return;
	/* What a rule would have tried again fails here: one command, one call. */
	(void)call_judge_full(cc->spec, cc->rule, &x, &cc->arena, &j);
	attempts_print(cc, &j);
	if (j.verdict == CALL_OK) {
		cc->code = result_print(cc, &x, &j.result);
		return;
	}
	bool is_unknown = j.verdict == CALL_UNKNOWN;
	const struct value *detail = value_get_c(&j.problem, "detail");
	app_say("%.*s%s", STR_ARG(detail ? value_text(detail) : STR("the call failed")), is_unknown ? " (unknown outcome)" : "");
	cc->code = x.error == HTTP_ERROR_NONE ? EXIT_RUN_FAILED : is_unknown ? EXIT_PARTLY : EXIT_UNREACHABLE;
}

static int call_send(struct call_command *cc)
{
	const struct call_limits *l = call_spec_limits(cc->spec);
	struct err e = ERR_INIT;
	struct http_request request = {
		.method = str_c(call_method_name(cc->request.method)), .url = cc->request.url, .headers = &cc->request.headers,
		.body = cc->request.body, .connect_timeout = l->connect_timeout, .first_byte_timeout = l->first_byte_timeout,
		.total_timeout = l->total_timeout, .tls_no_verify = l->tls_no_verify, .http_version = l->http_version,
		.max_body = l->max_body < CALL_GATHERED_MAX ? l->max_body : CALL_GATHERED_MAX,
		.proxy = cc->request.proxy,
	};
	if (cc->app.flags.verbose)
		request_print(cc);
	if (call_body_open(&cc->body, &cc->request, &cc->folder.face, &cc->arena, &e) == 0) {
		if (cc->request.n_pieces) {
			request.pieces = cc->body.pieces;
			request.n_pieces = cc->body.n;
			request.total_timeout = call_total_timeout(l, &cc->request);
		}
		if (call_spec_may_make_files(cc->spec)) {
			file_sink_init(&cc->sink, cc->spec, l, cc->folder.files);
			request.sink = &cc->sink.face;
		}
		if (http_start(cc->app.services.http, &request, on_response, cc, &e))
			return EXIT_RUN_FAILED; /* until the answer says otherwise */
	}
	call_body_close(&cc->body);
	app_say("%s", e.msg);
	cc->is_done = true;
	return EXIT_RUN_FAILED;
}

static int call_wait(struct call_command *cc)
{
	cc->code = call_send(cc);
	while (!cc->is_done)
		(void)loop_run(cc->app.loop);
	return cc->code;
}

static int call_all(struct call_command *cc, int n, char **words)
{
	struct str system = str_c(words[0]);
	struct str connector = system, key = STR_NULL;
	struct value parameters;
	struct err e = ERR_INIT;
	int code = app_open(&cc->app, !cc->file);
	system = str_split(&connector, '/');
	if (code == EXIT_OK && cc->file && store_open(&cc->app.store, cc->app.loop, &(struct store_config){ 0 }, &e) < 0) {
		app_say("%s", e.msg);
		code = EXIT_RUN_FAILED;
	}
	if (code == EXIT_OK)
		folder_init(&cc->folder, store_files(cc->app.store));
	if (code == EXIT_OK)
		code = spec_prepare(cc, system, connector, words[1], words[2]);
	if (code == EXIT_OK)
		code = parameters_parse(cc, n - 3, words + 3, &parameters);
	if (code != EXIT_OK)
		return code;
	if (call_spec_wants_key(cc->spec))
		key = str_c(arena_printf(&cc->arena, "weir-call-%llx-%llx", (unsigned long long)clock_wall(), (unsigned long long)clock_mono_ns()));
	if (call_request_build_files(cc->spec, cc->app.services.secrets, &cc->folder.face, &parameters, key, &cc->arena, &cc->request,
				     &e) < 0) {
		app_say("%s", e.msg);
		return EXIT_INVALID;
	}
	return call_wait(cc);
}

int cmd_call(int argc, char **argv)
{
	struct call_command cc = { .command = app_command("call") };
	const struct flag flags[] = {
		{ .name = "file", .letter = 'f', .value = &cc.file },
		{ .name = "output", .letter = 'o', .value = &cc.output },
		{ .name = "result", .value = &cc.result },
		{ .name = NULL },
	};
	int first, code = EXIT_USAGE;
	arena_init(&cc.arena, 0);
	if (app_flags_parse(cc.command, argc, argv, &cc.app.flags, flags, &first)) {
		if (argc - first < 3)
			code = app_usage(cc.command, "SYSTEM[/CONNECTOR], METHOD and PATH are needed");
		else
			code = call_all(&cc, argc - first, argv + first);
	}
	component_unref(cc.component);
	app_close(&cc.app);
	arena_done(&cc.arena);
	return code;
}
