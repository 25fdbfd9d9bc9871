/* SPDX-License-Identifier: Apache-2.0 */
/* weir check, import, export, schema: component files. */
#include "app/app.h"

#include "base/clock.h"

#include <string.h>

/* Scripts are checked by the engine itself, in a worker. */
struct script_check_run {
	struct app *app;
	const char *file;
	const struct component *component;
	const struct plan_step *step;
	struct str dataflow;
	bool is_done, engine_missing;
	unsigned mistakes;
};

static void on_script_checked(void *arg, const struct script_result *results, size_t n)
{
	struct script_check_run *run = arg;
	run->is_done = true;
	if (n && results->error == SCRIPT_UNAVAILABLE) {
		run->engine_missing = true;
	} else if (n && results->error) {
		unsigned line = 0, column = 0;
		(void)doc_place(run->component->doc, value_get_c(run->step->source_text->settings, "script"), &line, &column);
		fprintf(stderr, "%s:%u:%u: dataflow \"%.*s\", %.*s\n", run->file, line, column, STR_ARG(run->dataflow), STR_ARG(results->detail));
		run->mistakes++;
	}
	loop_stop(run->app->loop);
}

static void program_check(struct script_check_run *run, struct script_program *program)
{
	struct err e = ERR_INIT;
	run->is_done = false;
	if (!script_check(run->app->services.scripts, program, on_script_checked, run, &e)) {
		app_say("%s", e.msg);
		run->engine_missing = true;
		return;
	}
	while (!run->is_done)
		(void)loop_run(run->app->loop);
}

static void scripts_check(struct script_check_run *run, struct component *k)
{
	run->component = k;
	for (size_t i = 0; i < k->n_dataflows && !run->engine_missing; i++) {
		struct plan *p = app_plan(run->app, k, k->dataflows[i].name);
		struct script_program *program;
		size_t pos = 0;
		run->dataflow = k->dataflows[i].name;
		while (p && !run->engine_missing && step_next_program(p, &pos, &program, &run->step))
			program_check(run, program);
		plan_unref(p);
	}
}

int cmd_check(int argc, char **argv)
{
	struct app a = { 0 };
	const struct command *c = app_command("check");
	const char *answers = NULL;
	const struct flag flags[] = { { .name = "answers", .value = &answers }, { .name = NULL } };
	int first, code = EXIT_OK;
	if (!app_flags_parse(c, argc, argv, &a.flags, flags, &first))
		return EXIT_USAGE;
	if (first == argc)
		return app_usage(c, "which component file?");
	if ((code = app_open(&a, false)) != EXIT_OK) {
		app_close(&a);
		return code;
	}
	for (int i = first; i < argc; i++) {
		struct component *k = app_component(&a, argv[i], NULL);
		struct script_check_run run = { .app = &a, .file = argv[i] };
		if (k)
			scripts_check(&run, k);
		if (!k || run.mistakes)
			code = EXIT_INVALID;
		else if (!a.flags.quiet)
			fprintf(stderr, "%s: no mistakes%s\n", argv[i],
				run.engine_missing ? "; scripts were not checked, JavaScriptCore is not here" : "");
		if (k && answers && code == EXIT_OK)
			code = app_check_answers(&a, k, answers);
		component_unref(k);
	}
	app_close(&a);
	return code;
}

static void missing_say(struct app *a, const struct component *k)
{
	size_t pos = 0;
	struct str name, where, value;
	while (component_next_secret(k, &pos, &name, &where))
		if (!secrets_get(a->services.secrets, name, &value))
			fprintf(stderr, "  missing: secret %.*s (%.*s); set WEIR_SECRET_%.*s or write it into the secrets file\n", STR_ARG(name),
				STR_ARG(where), STR_ARG(name));
}

int app_import(struct app *a, const char *file)
{
	struct err e = ERR_INIT;
	struct buf source;
	struct component *k = app_component(a, file, NULL);
	if (!k)
		return EXIT_INVALID;
	int code = EXIT_OK;
	struct app_wait wait = { .app = a };
	if (app_read_file(file, DOC_MAX_BYTES, &source, &e) < 0) {
		app_say("%s", e.msg);
		component_unref(k);
		return EXIT_INVALID;
	}
	struct component_row row = { .name = k->name, .version = str_c(k->version), .source = buf_str(&source), .imported_at = clock_wall() };
	if (store_component_put(a->store, &row, app_wait_done, &wait, &e) < 0 || app_wait(&wait) < 0) {
		app_say("%s was not imported: %s", file, wait.is_done ? wait.detail : e.msg);
		code = EXIT_RUN_FAILED;
	} else if (!a->flags.quiet) {
		fprintf(stderr, "imported %.*s, version %.12s\n", STR_ARG(k->name), k->version);
		missing_say(a, k);
	}
	buf_done(&source);
	component_unref(k);
	return code;
}

int cmd_import(int argc, char **argv)
{
	struct app a = { 0 };
	const struct command *c = app_command("import");
	int first, code;
	if (!app_flags_parse(c, argc, argv, &a.flags, NULL, &first))
		return EXIT_USAGE;
	if (first == argc)
		return app_usage(c, "which component file?");
	code = app_open(&a, true);
	for (int i = first; i < argc && code == EXIT_OK; i++)
		code = app_import(&a, argv[i]);
	app_close(&a);
	return code;
}

struct export_file {
	struct buf text;
	bool found;
};

static void on_component(void *arg, const struct store_result *result)
{
	struct export_file *x = arg;
	x->found = result->error == STORE_OK && result->n > 0;
	if (x->found)
		(void)buf_append_str(&x->text, result->components[0].source);
}

/* As imported when it was YAML; JSON becomes YAML in the same order. */
static int export_write(const struct export_file *x, const char *output)
{
	struct buf yaml = x->text;
	struct arena arena;
	struct value root;
	struct buf converted;
	arena_init(&arena, 0);
	buf_init(&converted, DOC_MAX_BYTES * 4);
	if (x->text.len && x->text.ptr[0] == '{' && json_parse(&arena, buf_str(&x->text), NULL, &root, NULL, NULL) == 0 &&
	    yaml_write(&converted, &root) == 0)
		yaml = converted;
	FILE *f = output && strcmp(output, "-") != 0 ? fopen(output, "w") : stdout;
	int code = EXIT_OK;
	if (!f || fwrite(yaml.ptr, 1, yaml.len, f) != yaml.len || (f != stdout ? fclose(f) : fflush(f)) != 0) {
		app_say("%s cannot be written", output ? output : "stdout");
		code = EXIT_RUN_FAILED;
	}
	buf_done(&converted);
	arena_done(&arena);
	return code;
}

int cmd_export(int argc, char **argv)
{
	struct app a = { 0 };
	const struct command *c = app_command("export");
	const char *output = NULL;
	const struct flag flags[] = { { .name = "output", .letter = 'o', .value = &output }, { .name = NULL } };
	struct err e = ERR_INIT;
	int first, code;
	if (!app_flags_parse(c, argc, argv, &a.flags, flags, &first))
		return EXIT_USAGE;
	if (first + 1 != argc)
		return app_usage(c, "which component?");
	code = app_open(&a, true);
	if (code == EXIT_OK) {
		struct export_file x = { .found = false };
		struct app_wait wait = { .app = &a, .use = on_component, .arg = &x };
		buf_init(&x.text, DOC_MAX_BYTES * 4);
		if (store_component_get(a.store, str_c(argv[first]), STR_NULL, app_wait_done, &wait, &e) == 0)
			(void)app_wait(&wait);
		if (x.found)
			code = export_write(&x, output);
		else
			code = EXIT_INVALID, app_say("there is no component \"%s\" in %s", argv[first], store_where(a.store));
		buf_done(&x.text);
	}
	app_close(&a);
	return code;
}

int cmd_schema(int argc, char **argv)
{
	struct app a = { 0 };
	const struct command *c = app_command("schema");
	struct arena arena;
	struct value schema;
	struct buf text;
	int first, code = EXIT_OK;
	if (!app_flags_parse(c, argc, argv, &a.flags, NULL, &first))
		return EXIT_USAGE;
	if (first + 1 != argc || strcmp(argv[first], "component") != 0)
		return app_usage(c, "which schema? `weir schema component`");
	arena_init(&arena, 0);
	buf_init(&text, 16u << 20);
	struct flow_env env = step_flow_env(STR_NULL);
	if (component_schema(&env, &arena, &schema) < 0 || json_write(&text, &schema, JSON_PRETTY) < 0)
		code = EXIT_RUN_FAILED;
	else
		printf("%.*s\n", STR_ARG(buf_str(&text)));
	buf_done(&text);
	arena_done(&arena);
	return code;
}
