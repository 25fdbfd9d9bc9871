/* SPDX-License-Identifier: Apache-2.0 */
/* weir runs, entries, systems, doctor: look at what is there. */
#include "app/item.h"
#include "app/prune.h"

#include "api/views.h"
#include "base/alloc.h"
#include "base/clock.h"

#include <string.h>

enum list_format { LIST_TABLE, LIST_JSON, LIST_NDJSON };

struct listing {
	struct app app;
	const struct command *command;
	enum list_format format;
	const char *format_text, *file, *limit_text;
	struct prune_flags prune;
	uint64_t limit;
	struct arena arena;
	struct value items;
	int64_t last; /* cursor */
	size_t got;
};

static bool listing_args(struct listing *l, const char *command, int argc, char **argv, int *ret_first)
{
	struct flag flags[] = {
		{ .name = "output", .letter = 'o', .value = &l->format_text },
		{ .name = "file", .letter = 'f', .value = &l->file },
		{ .name = "limit", .value = &l->limit_text },
		{ .name = "older-than", .value = &l->prune.older_than },
		{ .name = "keep", .value = &l->prune.keep },
		{ .name = "state", .value = &l->prune.states },
		{ .name = "max-size", .value = &l->prune.max_size },
		{ .name = "dry-run", .present = &l->prune.is_dry },
		{ .name = "compact", .present = &l->prune.is_compact },
		{ .name = NULL },
	};
	static const char *const formats[] = { "table", "json", "ndjson" };
	l->command = app_command(command);
	if (strcmp(command, "runs") != 0)
		flags[3] = (struct flag){ .name = NULL }; /* what follows is of `runs prune` */
	l->items = value_array();
	l->limit = STORE_PAGE_MAX;
	arena_init(&l->arena, 1u << 30);
	if (!app_flags_parse(l->command, argc, argv, &l->app.flags, flags, ret_first))
		return false;
	for (size_t i = 0; l->format_text && i < ARRAY_LEN(formats); i++)
		if (strcmp(l->format_text, formats[i]) == 0) {
			l->format = (enum list_format)i;
			l->format_text = NULL;
		}
	if (l->format_text)
		return app_usage(l->command, "-o %s: write table, json or ndjson", l->format_text), false;
	if (l->limit_text && (num_parse_u64(str_c(l->limit_text), &l->limit) < 0 || !l->limit))
		return app_usage(l->command, "--limit %s: write a number", l->limit_text), false;
	return true;
}

/* A cell of a table: text as it is, everything else as JSON; absent is empty. */
static void cell_print(const struct value *v, int width)
{
	struct buf b;
	buf_init(&b, 1u << 20);
	if (value_is(v, VALUE_STRING))
		(void)buf_append_str(&b, value_text(v));
	else if (v && v->kind != VALUE_NULL)
		(void)json_write(&b, v, JSON_COMPACT);
	for (size_t i = 0; i < b.len; i++)
		if ((unsigned char)b.ptr[i] < 0x20)
			b.ptr[i] = ' ';
	printf("%-*.*s  ", width, STR_ARG(buf_str(&b)));
	buf_done(&b);
}

static void table_print(const struct value *items, const char *const *columns, const int *widths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("%-*s  ", widths[i], columns[i]);
	putchar('\n');
	for (size_t k = 0; k < items->len; k++) {
		for (size_t i = 0; i < n; i++) {
			auto_free char *pointer = NULL;
			if (asprintf(&pointer, "/%s", columns[i]) < 0)
				return;
			cell_print(json_pointer_get(value_at(items, k), str_c(pointer)), widths[i]);
		}
		putchar('\n');
	}
}

static void json_print(const struct value *v, enum json_style style)
{
	struct buf b;
	buf_init(&b, 1u << 30);
	(void)json_write(&b, v, style);
	printf("%.*s\n", STR_ARG(buf_str(&b)));
	buf_done(&b);
}

static void listing_print(struct listing *l, const char *const *columns, const int *widths, size_t n)
{
	if (l->format == LIST_TABLE)
		table_print(&l->items, columns, widths, n);
	else if (l->format == LIST_JSON)
		json_print(&l->items, JSON_PRETTY);
	for (size_t i = 0; l->format == LIST_NDJSON && i < l->items.len; i++)
		json_print(value_at(&l->items, i), JSON_COMPACT);
}

static int listing_end(struct listing *l, int code)
{
	app_close(&l->app);
	arena_done(&l->arena);
	return code;
}

/* ---- runs ---- */

static bool is_interrupted(struct listing *l, const struct run_row *row)
{
	struct err e = ERR_INIT;
	if (row->state != RUN_RUNNING || store_run_claim(l->app.store, row->id, &e) < 0)
		return false;
	store_run_release(l->app.store, row->id);
	return true;
}

static void on_runs(void *arg, const struct store_result *result)
{
	struct listing *l = arg;
	l->got = result->n;
	for (size_t i = 0; i < result->n; i++) {
		struct value v = view_run(&l->arena, &result->runs[i], is_interrupted(l, &result->runs[i]));
		(void)value_push(&l->arena, &l->items, v);
		l->last = result->runs[i].id;
	}
}

static int runs_list(struct listing *l)
{
	static const char *const columns[] = { "id", "state", "component", "dataflow", "env", "started_at", "duration_ms", "counts/items_in", "counts/items_out", "counts/failed" };
	static const int widths[] = { 6, 15, 16, 16, 8, 24, 11, 15, 16, 13 };
	struct err e = ERR_INIT;
	do {
		struct app_wait wait = { .app = &l->app, .use = on_runs, .arg = l };
		uint64_t left = l->limit - l->items.len;
		l->got = 0;
		if (store_run_list(l->app.store, l->last, -1, left < STORE_PAGE_MAX ? (size_t)left : STORE_PAGE_MAX, app_wait_done, &wait, &e) < 0 ||
		    app_wait(&wait) < 0) {
			app_say("%s", e.code ? e.msg : wait.detail);
			return EXIT_RUN_FAILED;
		}
	} while (l->got == STORE_PAGE_MAX && l->items.len < l->limit);
	listing_print(l, columns, widths, ARRAY_LEN(columns));
	return EXIT_OK;
}

static void on_problems(void *arg, const struct store_result *result)
{
	struct listing *l = arg;
	for (size_t i = 0; i < result->n; i++) {
		const struct ledger_row *row = &result->rows[i];
		struct value v = value_object();
		if (row->code == ITEM_KEPT)
			continue;
		view_set_int(&l->arena, &v, "seq", (int64_t)row->key.seq);
		view_set_str(&l->arena, &v, "state", row->code == ITEM_UNKNOWN ? STR("unknown outcome") : STR("failed"));
		view_set(&l->arena, &v, "problem", view_json(&l->arena, row->head));
		(void)value_push(&l->arena, &l->items, v);
	}
}

/* How it came to each problem: the attempts of its item's calls, with why each was made. */
static void problems_add_attempts(struct listing *l, int64_t run)
{
	struct item_reader r;
	if (l->items.len && item_reader_open(&r, &l->app, run)) {
		for (size_t i = 0; i < l->items.len; i++) {
			struct value *problem = value_at(&l->items, i);
			int64_t seq;
			if (value_to_int64(value_get_c(problem, "seq"), &seq))
				view_set(&l->arena, problem, "attempts", item_attempts(&r, (uint64_t)seq, &l->arena));
		}
		item_reader_close(&r);
	}
}

static int item_show(struct listing *l, const char *id_text, const char *seq_text)
{
	struct item_reader r;
	uint64_t id, seq;
	if (num_parse_u64(str_c(id_text), &id) < 0 || num_parse_u64(str_c(seq_text), &seq) < 0)
		return app_usage(l->command, "show %s %s: write the run's number and the item's, as in `weir runs show 17 0`", id_text, seq_text);
	if (!item_reader_open(&r, &l->app, (int64_t)id)) {
		app_say("%s", r.e.msg);
		return EXIT_INVALID;
	}
	if (l->format != LIST_TABLE) {
		struct value calls = item_calls(&r, seq, &l->arena);
		json_print(&calls, l->format == LIST_NDJSON ? JSON_COMPACT : JSON_PRETTY);
	} else if (!item_print(&r, seq)) {
		app_say("no call is recorded for item %s of run %s", seq_text, id_text);
	}
	item_reader_close(&r);
	return EXIT_OK;
}

static int run_show(struct listing *l, const char *id_text)
{
	struct err e = ERR_INIT;
	uint64_t id;
	if (num_parse_u64(str_c(id_text), &id) < 0)
		return app_usage(l->command, "\"%s\" is no run's number", id_text);
	struct app_wait wait = { .app = &l->app, .use = on_runs, .arg = l };
	if (store_run_get(l->app.store, (int64_t)id, app_wait_done, &wait, &e) < 0 || app_wait(&wait) < 0 || !l->items.len) {
		app_say("there is no run %s in %s", id_text, store_where(l->app.store));
		return EXIT_INVALID;
	}
	struct value run = *value_at(&l->items, 0);
	struct app_wait more = { .app = &l->app, .use = on_problems, .arg = l };
	l->items = value_array();
	if (store_problem_list(l->app.store, (int64_t)id, UINT64_MAX, -1, STORE_PAGE_MAX, app_wait_done, &more, &e) == 0)
		(void)app_wait(&more);
	problems_add_attempts(l, (int64_t)id);
	view_set(&l->arena, &run, "problems", l->items);
	json_print(&run, l->format == LIST_NDJSON ? JSON_COMPACT : JSON_PRETTY);
	return EXIT_OK;
}

int cmd_runs(int argc, char **argv)
{
	struct listing l = { 0 };
	int first, code;
	if (argc > 1 && strcmp(argv[1], "export") == 0)
		return cmd_runs_export(argc, argv);
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "decide") == 0 || strcmp(argv[i], "retry") == 0)
			return cmd_runs_decide(argc, argv);
	if (!listing_args(&l, "runs", argc, argv, &first))
		return listing_end(&l, EXIT_USAGE);
	const char *verb = first < argc ? argv[first] : "";
	bool is_list = strcmp(verb, "list") == 0 && first + 1 == argc, is_show = strcmp(verb, "show") == 0 && first + 2 == argc;
	bool is_item = strcmp(verb, "show") == 0 && first + 3 == argc;
	if (strcmp(verb, "prune") == 0)
		return listing_end(&l, cmd_runs_prune(&l.app, l.command, &l.prune, argc - first - 1, argv + first + 1));
	if (!is_list && !is_show && !is_item)
		return listing_end(&l, app_usage(l.command, "list, or show and a run's number, or show and the numbers of a run and an item"));
	code = app_open(&l.app, true);
	if (code == EXIT_OK)
		code = is_list   ? runs_list(&l)
		       : is_show ? run_show(&l, argv[first + 1])
				 : item_show(&l, argv[first + 1], argv[first + 2]);
	return listing_end(&l, code);
}

/* ---- entries ---- */

static void on_entries(void *arg, const struct store_result *result)
{
	struct listing *l = arg;
	l->got = result->n;
	for (size_t i = 0; i < result->n; i++) {
		(void)value_push(&l->arena, &l->items, view_entry(&l->arena, &result->entries[i]));
		l->last = result->entries[i].id;
	}
}

static int entries_list(struct listing *l, const char *component)
{
	static const char *const columns[] = { "id", "updated_at", "run_id", "data" };
	static const int widths[] = { 8, 24, 8, 100 };
	struct err e = ERR_INIT;
	if (!l->limit_text)
		l->limit = UINT64_MAX;
	do {
		struct app_wait wait = { .app = &l->app, .use = on_entries, .arg = l };
		l->got = 0;
		if (store_entry_list(l->app.store, str_c(component), l->last, STORE_PAGE_MAX, app_wait_done, &wait, &e) < 0 || app_wait(&wait) < 0) {
			app_say("%s", e.code ? e.msg : wait.detail);
			return EXIT_RUN_FAILED;
		}
		/* Lines need not be gathered: memory does not grow with the entries. */
		if (l->format == LIST_NDJSON) {
			listing_print(l, columns, widths, ARRAY_LEN(columns));
			l->items = value_array();
			arena_done(&l->arena);
		}
	} while (l->got == STORE_PAGE_MAX && l->items.len < l->limit);
	if (l->format != LIST_NDJSON)
		listing_print(l, columns, widths, ARRAY_LEN(columns));
	return EXIT_OK;
}

static int entry_get(struct listing *l, const char *component, const char *id_text)
{
	struct err e = ERR_INIT;
	uint64_t id;
	if (num_parse_u64(str_c(id_text), &id) < 0)
		return app_usage(l->command, "\"%s\" is no entry's number", id_text);
	struct app_wait wait = { .app = &l->app, .use = on_entries, .arg = l };
	if (store_entry_get(l->app.store, str_c(component), (int64_t)id, app_wait_done, &wait, &e) < 0 || app_wait(&wait) < 0 || !l->items.len) {
		app_say("there is no entry %s of %s in %s", id_text, component, store_where(l->app.store));
		return EXIT_INVALID;
	}
	json_print(value_at(&l->items, 0), l->format == LIST_NDJSON ? JSON_COMPACT : JSON_PRETTY);
	return EXIT_OK;
}

int cmd_entries(int argc, char **argv)
{
	struct listing l = { 0 };
	int first, code;
	if (!listing_args(&l, "entries", argc, argv, &first))
		return listing_end(&l, EXIT_USAGE);
	const char *verb = first < argc ? argv[first] : "";
	bool is_list = strcmp(verb, "list") == 0 && first + 2 == argc, is_get = strcmp(verb, "get") == 0 && first + 3 == argc;
	if (!is_list && !is_get)
		return listing_end(&l, app_usage(l.command, "list and a component, or get, a component and a number"));
	code = app_open(&l.app, true);
	if (code == EXIT_OK)
		code = is_list ? entries_list(&l, argv[first + 1]) : entry_get(&l, argv[first + 1], argv[first + 2]);
	return listing_end(&l, code);
}

/* ---- systems ---- */

static void operations_add(struct listing *l, struct str component, struct str system, struct str connector, const struct value *operations)
{
	for (size_t i = 0; value_is(operations, VALUE_ARRAY) && i < operations->len; i++) {
		const struct value *op = value_at(operations, i);
		const struct value *method = value_get_c(op, "method_name"), *path = value_get_c(op, "query_path");
		struct value v = value_object();
		view_set_str(&l->arena, &v, "component", component);
		view_set_str(&l->arena, &v, "system", system);
		view_set_str(&l->arena, &v, "connector", connector);
		view_set_str(&l->arena, &v, "method_name", method ? value_text(method) : STR_NULL);
		view_set_str(&l->arena, &v, "query_path", path ? value_text(path) : STR_NULL);
		(void)value_push(&l->arena, &l->items, v);
	}
}

static void systems_add(struct listing *l, const struct component *k)
{
	for (size_t i = 0; k->systems && i < k->systems->len; i++) {
		const struct member *system = &k->systems->members[i];
		const struct value *connectors = value_get_c(&system->value, "connectors");
		for (size_t c = 0; value_is(connectors, VALUE_OBJECT) && c < connectors->len; c++)
			operations_add(l, k->name, system->key, connectors->members[c].key,
				       value_get_c(&connectors->members[c].value, "operations"));
	}
}

static void on_components(void *arg, const struct store_result *result)
{
	struct listing *l = arg;
	auto_free struct complaints *c = alloc_malloc(sizeof(*c));
	for (size_t i = 0; c && i < result->n; i++) {
		complaints_init(c);
		struct doc *doc = doc_parse(arena_c(&l->arena, result->components[i].name), result->components[i].source, c);
		struct component *k = doc ? component_new(doc, &l->app.env, c) : NULL;
		if (k)
			systems_add(l, k);
		component_unref(k);
		complaints_done(c);
	}
}

int cmd_systems(int argc, char **argv)
{
	static const char *const columns[] = { "component", "system", "connector", "method_name", "query_path" };
	static const int widths[] = { 16, 24, 16, 11, 40 };
	struct listing l = { 0 };
	struct err e = ERR_INIT;
	int first, code;
	if (!listing_args(&l, "systems", argc, argv, &first))
		return listing_end(&l, EXIT_USAGE);
	if (first + 1 != argc || strcmp(argv[first], "list") != 0)
		return listing_end(&l, app_usage(l.command, "list"));
	code = app_open(&l.app, !l.file);
	if (code == EXIT_OK && l.file) {
		struct component *k = app_component(&l.app, l.file, NULL);
		code = k ? EXIT_OK : EXIT_INVALID;
		if (k)
			systems_add(&l, k);
		component_unref(k);
	} else if (code == EXIT_OK) {
		struct app_wait wait = { .app = &l.app, .use = on_components, .arg = &l };
		if (store_component_list(l.app.store, app_wait_done, &wait, &e) == 0)
			(void)app_wait(&wait);
	}
	if (code == EXIT_OK)
		listing_print(&l, columns, widths, ARRAY_LEN(columns));
	return listing_end(&l, code);
}

/* ---- doctor ---- */

static void on_doctor_script(void *arg, const struct script_result *results, size_t n)
{
	struct app *a = arg;
	if (results->error)
		printf("✗ scripts      %.*s\n", STR_ARG(results->detail));
	else
		printf("✓ scripts      JavaScript runs in its jail\n");
	loop_stop(a->loop);
}

static void on_storage(void *arg, const struct store_result *result)
{
	for (size_t i = 0; result->error == STORE_OK && i < result->n; i++)
		printf("  %-18.*s %10llu rows %10.2f MiB\n", STR_ARG(result->storage[i].what), (unsigned long long)result->storage[i].rows,
		       (double)result->storage[i].bytes / 1048576.0);
	if (result->error == STORE_OK)
		printf("  in use %.2f MiB with what holds them together, free %.2f MiB\n", (double)result->bytes_used / 1048576.0,
		       (double)result->bytes_free / 1048576.0);
}

int cmd_doctor(int argc, char **argv)
{
	struct app a = { 0 };
	struct str source = STR("item.x = 1");
	struct err e = ERR_INIT;
	int first;
	if (!app_flags_parse(app_command("doctor"), argc, argv, &a.flags, NULL, &first))
		return EXIT_USAGE;
	int code = app_open(&a, true);
	if (code == EXIT_OK) {
		printf("✓ weir         %s\n✓ data         %s, %.1f MiB\n", WEIR_VERSION, store_where(a.store), (double)store_disk_bytes(a.store) / 1048576.0);
		struct app_wait wait = { .app = &a, .use = on_storage, .arg = &a };
		if (store_storage(a.store, app_wait_done, &wait, &e) < 0 || app_wait(&wait) < 0)
			printf("✗ data         %s\n", e.code ? e.msg : wait.detail);
		struct script_program *p = script_program_new(SCRIPT_ITEM, &source, 1, "doctor", &e);
		if (p && script_check(a.services.scripts, p, on_doctor_script, &a, &e))
			(void)loop_run(a.loop);
		else
			printf("✗ scripts      %s\n", e.msg);
		if (p)
			script_program_unref(p);
	}
	app_close(&a);
	return code;
}
