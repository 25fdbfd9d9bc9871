/* SPDX-License-Identifier: Apache-2.0 */
/* weir run: a dataflow without a server. */
#include "app/progress.h"

#include "app/plan.h"
#include "app/sending.h"

#include "base/clock.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define RUN_UPLOADS_MAX 64 /* files of one command line */
#define RUN_GRACE_MS 10000 /* for calls under way when a signal says stop */

/* -d NAME=@PATH: goes into the folder when the store is open. */
struct upload {
	struct str name;
	const char *path;
};

struct run_command {
	struct app app;
	const struct command *command;
	const char *file, *items, *output, *format, *resume, *window, *from, *from_items, *diff, *send, *grace_text;
	struct arena arena;
	struct value data; /* of -d */
	bool has_data;
	struct upload uploads[RUN_UPLOADS_MAX];
	size_t n_uploads;
	struct plan *plan;
	struct run_row row; /* resumed */
	struct source *source;
	struct sink *sink;
	struct progress progress;
	struct run *run;
	struct err error; /* that stopped the run */
	int interrupted;  /* signal */
	msec_t grace_ms;
	struct loop_timer grace;
	bool is_over, by_network;
	enum run_state state;
	bool is_plan;	/* --plan: say what would be sent */
	bool yes, all;	/* of --plan */
	bool has_ended; /* --resume of a run that needs no more work */
	bool retries;	/* --retry-failed */
	bool discards;	/* nobody wants the items */
};

/* NAME=VALUE, NAME:=JSON or NAME=@FILE */
static int data_add(void *arg, const char *text)
{
	struct run_command *rc = arg;
	const char *eq = strchr(text, '=');
	struct value v;
	struct err e = ERR_INIT;
	if (!eq || eq == text)
		return app_usage(rc->command, "-d %s: write -d NAME=VALUE, -d NAME:=JSON or -d NAME=@FILE", text);
	bool is_json = eq[-1] == ':';
	struct str name = str_from(text, (size_t)(eq - text) - (is_json ? 1 : 0));
	struct str value = str_c(eq + 1);
	if (is_json && json_parse(&rc->arena, value, NULL, &v, NULL, &e) < 0)
		return app_usage(rc->command, "-d %s: %s", text, e.msg);
	bool is_file = !is_json && app_text_is_file(&value);
	if (is_file && rc->n_uploads == RUN_UPLOADS_MAX)
		return app_usage(rc->command, "-d %s: more than %d files", text, RUN_UPLOADS_MAX);
	if (is_file)
		rc->uploads[rc->n_uploads++] = (struct upload){ name, value.ptr };
	if (!is_json)
		v = value_string(value);
	rc->has_data = true;
	int code = value_set(&rc->arena, &rc->data, name, v);
	if (code < 0)
		app_say("-d %s: out of memory", text);
	return code;
}

static bool args_parse(struct run_command *rc, int argc, char **argv)
{
	const struct flag flags[] = {
		{ .name = "define", .letter = 'd', .each = data_add, .arg = rc },
		{ .name = "items", .value = &rc->items },
		{ .name = "output", .letter = 'o', .value = &rc->output },
		{ .name = "format", .value = &rc->format },
		{ .name = "resume", .value = &rc->resume },
		{ .name = "from", .value = &rc->from },
		{ .name = "retry-failed", .present = &rc->retries },
		{ .name = "window", .value = &rc->window },
		{ .name = "grace", .value = &rc->grace_text },
		{ .name = "plan", .present = &rc->is_plan },
		{ .name = "diff", .value = &rc->diff },
		{ .name = "send", .value = &rc->send },
		{ .name = "yes", .present = &rc->yes },
		{ .name = "all", .present = &rc->all },
		{ .name = NULL },
	};
	int first;
	if (!app_flags_parse(rc->command, argc, argv, &rc->app.flags, flags, &first))
		return false;
	rc->file = first < argc ? argv[first] : NULL;
	if (first + 1 < argc)
		return app_usage(rc->command, "one FILE is enough, \"%s\" is too much", argv[first + 1]), false;
	if (!rc->file && !rc->resume)
		return app_usage(rc->command, "which component file?"), false;
	if (rc->file && rc->resume)
		return app_usage(rc->command, "--resume goes on with the run's own version of the component; leave %s out", rc->file), false;
	if (rc->from && (!rc->resume || rc->retries))
		return app_usage(rc->command, "--from STEP: of which run? Add --resume ID, without --retry-failed"), false;
	if (rc->from) /* then --items says which of the run's */
		rc->from_items = TAKE(rc->items);
	if (rc->retries && !rc->resume)
		return app_usage(rc->command, "--retry-failed: of which run? Add --resume ID"), false;
	if ((rc->diff || rc->all) && !rc->is_plan)
		return app_usage(rc->command, "--diff and --all go with --plan"), false;
	if ((rc->send && !rc->is_plan) || (rc->yes && !rc->send))
		return app_usage(rc->command, rc->send ? "--send goes with --plan, or with --over ID" : "--yes goes with --send"), false;
	if (rc->is_plan && !rc->send && (rc->output || rc->window))
		return app_usage(rc->command, "-o and --window go with --send: without it a plan sends nothing"), false;
	if (rc->is_plan && (rc->resume || rc->n_uploads))
		return app_usage(rc->command, "--plan shows what a new run would send; leave --resume and files out"), false;
	if (rc->has_data && rc->items)
		return app_usage(rc->command, "-d gives one item and --items many; use one of them"), false;
	struct err e = ERR_INIT;
	if (rc->grace_text && (num_parse_duration(str_c(rc->grace_text), &rc->grace_ms, &e) < 0 || rc->grace_ms < 0))
		return app_usage(rc->command, "--grace %s: write a time such as 30s, or 0s", rc->grace_text), false;
	return true;
}

static void on_recalled(void *arg, const struct run_row *row, struct plan *plan, struct err *e)
{
	struct run_command *rc = arg;
	rc->is_over = true;
	if (plan) {
		rc->plan = plan;
		rc->row = *row;
		struct str *texts[] = { &rc->row.component, &rc->row.dataflow, &rc->row.version, &rc->row.env, &rc->row.trigger, &rc->row.problem };
		for (size_t i = 0; i < ARRAY_LEN(texts); i++)
			*texts[i] = arena_str(&rc->arena, *texts[i]);
	} else {
		rc->error = *e;
	}
	loop_stop(rc->app.loop);
}

static int recall(struct run_command *rc, uint64_t id)
{
	rc->is_over = false;
	if (run_recall(rc->app.store, (int64_t)id, &rc->app.env, on_recalled, rc, &rc->error) == 0)
		while (!rc->is_over)
			(void)loop_run(rc->app.loop);
	rc->is_over = false;
	if (rc->plan)
		return EXIT_OK;
	app_say("%s", rc->error.msg);
	return app_refusal(EXIT_INVALID);
}

/* Rows of the ledger go; what the run is then stands in its row. */
static int redo_from(struct run_command *rc, uint64_t id)
{
	size_t n = 0;
	const uint64_t *items = rc->from_items ? app_items_parse(rc->command, rc->from_items, &rc->arena, &n) : NULL;
	if (rc->from_items && !items)
		return EXIT_USAGE;
	int code = recall(rc, id);
	if (code == EXIT_OK)
		code = app_run_redo(&rc->app, (int64_t)id, rc->plan, rc->from, items, n);
	plan_unref(TAKE(rc->plan));
	return code;
}

static int resume_prepare(struct run_command *rc)
{
	uint64_t id, retried = 0;
	if (num_parse_u64(str_c(rc->resume), &id) < 0)
		return app_usage(rc->command, "--resume %s: write the run's number", rc->resume);
	int code = rc->retries ? app_run_retry(&rc->app, (int64_t)id, &retried) : rc->from ? redo_from(rc, id) : EXIT_OK;
	if (code == EXIT_OK)
		code = recall(rc, id);
	if (code != EXIT_OK)
		return code;
	if (rc->row.state != RUN_RUNNING) {
		/* Killed between its end and its output's, perhaps: give the items again, from the ledger alone. */
		app_say("run %s has ended: it is %s; nothing is sent, its items are given again", rc->resume, run_state_name(rc->row.state));
		rc->has_ended = true;
		return EXIT_OK;
	}
	/* Input that could not be read on has ended the run once, and has a problem that says so: there is no more of it. */
	if (!rc->row.input_is_complete && !rc->row.problem.len && !rc->items) {
		app_say("run %s was interrupted before all of its input was recorded; give the same input again with --items", rc->resume);
		return EXIT_USAGE;
	}
	return EXIT_OK;
}

int app_version_keep(struct app *a, const struct component *k, struct err *e)
{
	auto_buf struct buf source = { .max = DOC_MAX_BYTES * 4 };
	struct app_wait wait = { .app = a };
	if (json_write(&source, component_root(k), JSON_COMPACT) < 0)
		return err_set(e, ERR_NO_MEMORY, "the component cannot be kept with its run: out of memory");
	struct component_row row = { .name = k->name, .version = str_c(k->version), .source = buf_str(&source) };
	if (store_component_put(a->store, &row, app_wait_done, &wait, e) < 0)
		return err_wrap(e, "the component cannot be kept with its run");
	if (app_wait(&wait) < 0)
		return err_set(e, ERR_IO, "the component cannot be kept with its run: %s", wait.detail);
	return 0;
}

static int file_prepare(struct run_command *rc)
{
	struct str dataflow;
	struct component *k = app_component(&rc->app, rc->file, &dataflow);
	if (k && app_environment_falls_back(&rc->app, k)) {
		component_unref(k);
		k = app_component(&rc->app, rc->file, NULL);
	}
	if (!k)
		return app_refusal(EXIT_INVALID);
	rc->plan = app_plan(&rc->app, k, dataflow);
	int code = rc->plan ? EXIT_OK : app_refusal(EXIT_INVALID);
	if (code == EXIT_OK && app_version_keep(&rc->app, k, &rc->error) < 0) {
		app_say("%s", rc->error.msg);
		code = EXIT_RUN_FAILED;
	}
	component_unref(k);
	return code;
}

static int uploads_put(struct run_command *rc)
{
	for (size_t i = 0; i < rc->n_uploads; i++) {
		struct value file;
		if (app_file_put(&rc->app, &rc->arena, rc->uploads[i].path, &file, &rc->error) < 0) {
			app_say("-d %.*s: %s", STR_ARG(rc->uploads[i].name), rc->error.msg);
			return EXIT_INVALID;
		}
		(void)value_set(&rc->arena, &rc->data, rc->uploads[i].name, file);
	}
	return EXIT_OK;
}

static int source_prepare(struct run_command *rc)
{
	enum item_format format = FORMAT_NDJSON;
	if (rc->resume && !rc->items)
		return EXIT_OK;
	if (rc->items) {
		(void)format_of_file(rc->items, &format);
		rc->source = source_open(rc->app.loop, rc->items, format, &rc->error);
	} else {
		struct buf text;
		buf_init(&text, RUN_LINE_MAX);
		if (json_write(&text, &rc->data, JSON_COMPACT) == 0)
			rc->source = source_single(buf_str(&text));
		else if (text.failed == ERR_LIMIT)
			err_set(&rc->error, ERR_LIMIT, "the item is larger than %u MiB", RUN_LINE_MAX >> 20);
		buf_done(&text);
	}
	if (rc->source)
		return EXIT_OK;
	app_say("%s", rc->error.code ? rc->error.msg : "out of memory");
	return app_refusal(EXIT_INVALID);
}

static int sink_prepare(struct run_command *rc)
{
	enum item_format format = rc->items || rc->resume ? FORMAT_NDJSON : FORMAT_PRETTY;
	if (rc->output && strcmp(rc->output, "-") != 0 && !format_of_file(rc->output, &format))
		format = FORMAT_NDJSON;
	if (rc->format && !format_parse(rc->format, &format))
		return app_usage(rc->command, "--format %s: write json, ndjson or csv", rc->format);
	rc->sink = sink_open(rc->output, format, &rc->error);
	if (rc->sink)
		return EXIT_OK;
	app_say("%s", rc->error.msg);
	return app_refusal(EXIT_INVALID);
}

static void run_over(struct run_command *rc)
{
	rc->is_over = true;
	loop_stop(rc->app.loop);
}

static void on_output(void *arg, const struct item *it)
{
	struct run_command *rc = arg;
	if (rc->sink && rc->error.code == 0 && sink_write(rc->sink, &it->root, &rc->error) < 0)
		run_over(rc);
}

static void on_problem(void *arg, const struct item *it)
{
	struct run_command *rc = arg;
	progress_problem(&rc->progress, it);
}

static void on_started(void *arg, struct run *r)
{
	struct run_command *rc = arg;
	progress_start(&rc->progress, r);
}

static void on_end(void *arg, struct run *r)
{
	struct run_command *rc = arg;
	rc->state = rc->has_ended && run_row(r)->state != RUN_RUNNING ? rc->row.state : run_row(r)->state;
	rc->by_network = run_failed_by_network(r);
	progress_end(&rc->progress, r);
	run_over(rc);
}

/* What is still under way has no outcome. */
static void run_cut(struct run_command *rc)
{
	if (rc->run && run_id(rc->run))
		progress_end(&rc->progress, rc->run);
	run_over(rc);
}

static void on_grace(struct loop_timer *t)
{
	run_cut(CONTAINER_OF(t, struct run_command, grace));
}

/* The first lets calls end, the second does not. */
static void on_signal(void *arg, int signum)
{
	struct run_command *rc = arg;
	bool is_first = !rc->interrupted;
	rc->interrupted = signum;
	if (!is_first || !rc->run || !rc->grace_ms || loop_timer_start(&rc->grace, rc->grace_ms) < 0) {
		run_cut(rc);
		return;
	}
	if (run_live(rc->run) && !rc->app.flags.quiet)
		app_say("stopping: calls under way have %g s to end; a second signal ends them now", (double)rc->grace_ms / 1000);
	run_wind_down(rc->run);
}

/* A freed run is buried when the store's last callback for it has come, and a closed store calls nobody: a question behind them all. */
static void run_settle(struct run_command *rc)
{
	struct app_wait wait = { .app = &rc->app };
	struct err e = ERR_INIT;
	if (store_run_get(rc->app.store, 1, app_wait_done, &wait, &e) == 0)
		(void)app_wait(&wait);
}

static int run_go(struct run_command *rc)
{
	uint64_t window = 0;
	if (rc->window && (num_parse_u64(str_c(rc->window), &window) < 0 || window < 1 || window > RUN_WINDOW_MAX))
		return app_usage(rc->command, "--window %s: write a number from 1 to %d", rc->window, RUN_WINDOW_MAX);
	struct run_config config = {
		.loop = rc->app.loop, .store = rc->app.store, .plan = rc->plan, .services = &rc->app.services, .trigger = "cli",
		.window = window, .resume = rc->resume ? &rc->row : NULL,
		.is_replay = rc->has_ended, .replay_to = rc->has_ended && rc->row.items_in ? rc->row.items_in - 1 : 0,
		.on_started = on_started, .on_output = on_output, .on_problem = on_problem, .on_end = on_end, .arg = rc,
	};
	if (rc->source)
		config.source = source_face(rc->source);
	loop_timer_init(rc->app.loop, &rc->grace, on_grace);
	progress_init(&rc->progress, rc->app.loop, &rc->app.flags, rc->source);
	rc->run = run_start(&config, &rc->error);
	if (!rc->run) {
		app_say("%s", rc->error.msg);
		return EXIT_RUN_FAILED;
	}
	if (rc->source)
		source_attach(rc->source, rc->run);
	while (!rc->is_over)
		(void)loop_run(rc->app.loop);
	loop_timer_stop(&rc->grace);
	run_free(TAKE(rc->run)); /* a signal may come yet */
	run_settle(rc);
	return EXIT_OK;
}

static int exit_code(const struct run_command *rc)
{
	if (rc->interrupted && rc->state == RUN_RUNNING) /* else its last call ended in time, and so did the run */
		return 128 + rc->interrupted;
	if (rc->error.code)
		return EXIT_RUN_FAILED;
	switch (rc->state) {
	case RUN_DONE:
		return EXIT_OK;
	case RUN_PARTLY_DONE:
	case RUN_NEEDS_ATTENTION:
		return EXIT_PARTLY;
	default:
		return rc->by_network ? EXIT_UNREACHABLE : EXIT_RUN_FAILED;
	}
}

static bool has_store(const struct app_flags *flags)
{
	char dir[4096], path[4096 + 16];
	app_data_dir(flags, dir, sizeof(dir));
	(void)snprintf(path, sizeof(path), "%s/weir.db", dir);
	return access(path, F_OK) == 0;
}

static bool is_memory(const struct app_flags *flags)
{
	char dir[4096];
	app_data_dir(flags, dir, sizeof(dir));
	return strcmp(dir, APP_NO_DIR) == 0;
}

/* The last run is shown where there is one: a store that cannot be opened is said, and does not stop a plan that nobody asked to compare. */
static int plan_open(struct run_command *rc)
{
	bool is_asked = rc->send || (rc->diff && strcmp(rc->diff, "none") != 0);
	struct app_flags flags = rc->app.flags;
	int code = app_open(&rc->app, is_asked || (!rc->diff && has_store(&flags)));
	if (code == EXIT_OK || is_asked || !has_store(&flags))
		return code;
	app_close(&rc->app);
	rc->app = (struct app){ .flags = flags };
	return app_open(&rc->app, false);
}

/* No environment is looked for, and the store is opened only to read what a run has sent, or to send. */
static int plan_all(struct run_command *rc, int64_t *ret_run)
{
	struct str dataflow;
	if (rc->send && !sending_may_ask(rc->yes))
		return EXIT_USAGE;
	if (rc->send && is_memory(&rc->app.flags))
		return app_usage(rc->command, "--send prepares a run in the data directory: %s is none", APP_NO_DIR);
	int code = plan_open(rc);
	struct component *k = code == EXIT_OK ? app_component(&rc->app, rc->file, &dataflow) : NULL;
	rc->plan = k ? app_plan(&rc->app, k, dataflow) : NULL;
	component_unref(k);
	if (code == EXIT_OK)
		code = rc->plan ? source_prepare(rc) : app_refusal(EXIT_INVALID);
	if (code != EXIT_OK)
		return code;
	struct plan_wish wish = { .plan = rc->plan,
				  .source = source_face(rc->source),
				  .diff = rc->diff,
				  .send = rc->send,
				  .format = rc->format,
				  .yes = rc->yes,
				  .all = rc->all || rc->app.flags.verbose };
	return app_run_plan(&rc->app, &wish, ret_run);
}

static int run_all(struct run_command *rc)
{
	int code = app_open(&rc->app, true);
	if (code == EXIT_OK)
		code = rc->resume ? resume_prepare(rc) : file_prepare(rc);
	if (code == EXIT_OK)
		code = uploads_put(rc);
	if (code == EXIT_OK)
		code = source_prepare(rc);
	if (code == EXIT_OK && !rc->discards)
		code = sink_prepare(rc);
	if (code != EXIT_OK)
		return code;
	struct loop_signal *on_int = loop_signal_open(rc->app.loop, SIGINT, on_signal, rc, &rc->error);
	struct loop_signal *on_term = loop_signal_open(rc->app.loop, SIGTERM, on_signal, rc, &rc->error);
	(void)signal(SIGPIPE, SIG_IGN);
	code = run_go(rc);
	if (code == EXIT_OK && rc->sink && rc->error.code == 0 && rc->state != RUN_RUNNING)
		(void)sink_finish(rc->sink, &rc->error);
	if (code == EXIT_OK && rc->error.code)
		app_say("%s", rc->error.msg);
	if (on_int)
		loop_signal_close(on_int);
	if (on_term)
		loop_signal_close(on_term);
	return code == EXIT_OK ? exit_code(rc) : code;
}

static void run_command_done(struct run_command *rc)
{
	sink_close(rc->sink);
	source_close(rc->source);
	plan_unref(rc->plan);
	app_close(&rc->app);
	arena_done(&rc->arena);
}

int app_resume(const struct app_flags *flags, const char *id, const char *output)
{
	struct run_command rc = { .command = app_command("run"), .data = value_object(), .resume = id, .output = output,
				  .discards = !output, .grace_ms = RUN_GRACE_MS };
	arena_init(&rc.arena, 0);
	rc.app.flags = *flags;
	int code = run_all(&rc);
	run_command_done(&rc);
	return code;
}

int app_run_prepared(const struct app_flags *flags, int64_t id, const char *output, const char *format, const char *window)
{
	char number[24];
	(void)snprintf(number, sizeof(number), "%lld", (long long)id);
	struct run_command rc = {
		.command = app_command("run"), .data = value_object(), .resume = number, .output = output, .format = format, .window = window
	};
	arena_init(&rc.arena, 0);
	rc.app.flags = *flags;
	int code = run_all(&rc);
	run_command_done(&rc);
	return code;
}

/* Is the flag among the words? These ways to run have flags and files of their own. */
static bool has_flag(int argc, char **argv, const char *flag)
{
	size_t n = strlen(flag);
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], flag, n) == 0 && (!argv[i][n] || argv[i][n] == '='))
			return true;
	return false;
}

int cmd_run(int argc, char **argv)
{
	if (has_flag(argc, argv, "--replay"))
		return cmd_run_replay(argc, argv);
	if (has_flag(argc, argv, "--over"))
		return cmd_run_over(argc, argv);

	struct run_command rc = { .command = app_command("run"), .data = value_object(), .grace_ms = RUN_GRACE_MS };
	arena_init(&rc.arena, 0);
	int64_t prepared = 0;
	int code;
	if (args_parse(&rc, argc, argv))
		code = rc.is_plan ? plan_all(&rc, &prepared) : run_all(&rc);
	else
		code = app_refusal(EXIT_USAGE);
	struct app_flags flags = rc.app.flags;
	run_command_done(&rc);
	return prepared ? app_run_prepared(&flags, prepared, rc.output, rc.format, rc.window) : code;
}
