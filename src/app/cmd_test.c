/* SPDX-License-Identifier: Apache-2.0 */
/* weir test: dataflows over their cassettes. Nothing is sent, nothing is kept, no secret is read. */
#include "app/cassettes.h"

#include "base/alloc.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MAX 10000 /* components, and cassettes of one component */

struct file_list {
	char **names;
	size_t n, cap;
};

struct test_command {
	struct app app;
	const struct command *command;
	struct file_list cassettes; /* of --cassette */
	const char *junit;
	bool tap, update;
	struct report report;
	unsigned found; /* cassettes */
	bool is_refused;
};

static bool list_add(struct file_list *l, char *name)
{
	if (name && l->n == l->cap && l->n < FILES_MAX) {
		size_t cap = l->cap ? l->cap * 2 : 16;
		char **grown = alloc_realloc(l->names, cap * sizeof(*grown));
		if (grown) {
			l->names = grown;
			l->cap = cap;
		}
	}
	if (!name || l->n == l->cap) {
		free(name);
		return false;
	}
	l->names[l->n++] = name;
	return true;
}

static void list_free(struct file_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->names[i]);
	free(l->names);
	*l = (struct file_list){ 0 };
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

/* Files of a directory that end so, by name. A directory that is not there has none. */
static void list_directory(struct file_list *l, const char *dir, const char *const *ends)
{
	DIR *d = opendir(dir);
	size_t before = l->n;
	for (struct dirent *entry; d && (entry = readdir(d));)
		for (const char *const *end = ends; *end; end++) {
			char *path = NULL;
			if (entry->d_name[0] == '.' || !str_ends(str_c(entry->d_name), str_c(*end)))
				continue;
			if (asprintf(&path, "%s/%s", dir, entry->d_name) < 0 || !list_add(l, path))
				break;
		}
	if (d)
		(void)closedir(d);
	if (l->n > before)
		qsort(l->names + before, l->n - before, sizeof(*l->names), by_text);
}

static int cassette_flag(void *arg, const char *name)
{
	struct test_command *t = arg;
	return list_add(&t->cassettes, alloc_strdup(name)) ? 0 : -1;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* ---- one cassette ---- */

struct verdicts {
	struct cassette why; /* lines { item, v: text } of what is wrong */
	bool updates;
};

static bool is_unanswered(const struct cassette_finding *f)
{
	return f->kind == CASSETTE_PROBLEM && value_is_string(value_get_c(f->now, "type"), STR("not_recorded"));
}

static void on_finding(void *arg, const struct cassette_finding *f)
{
	struct verdicts *v = arg;
	struct cassette_line l = { .kind = CASSETTE_STEP, .item = f->item };
	auto_buf struct buf b = { .max = 1u << 20 };
	/* An answer that is missing is nothing to get used to. */
	if (is_unanswered(f)) {
		const struct value *detail = value_get_c(f->now, "detail");
		(void)buf_printf(
		    &b, "item %llu: %.*s\n", (unsigned long long)f->item,
		    STR_ARG(value_is(detail, VALUE_STRING) ? value_text(detail) : STR("no answer is recorded")));
	} else if (f->verdict == CASSETTE_SAME || v->updates) {
		return;
	} else {
		finding_write(&b, f);
	}
	l.v = value_string_copy(&v->why.arena, buf_str(&b));
	(void)cassette_add(&v->why, &l);
}

static void report_items(struct test_command *t, const struct cassette *c, const char *file, struct str suite,
			 const struct verdicts *v)
{
	size_t at = 0;
	for (size_t i = 0; i < c->n; i++) {
		auto_buf struct buf why = { .max = 4u << 20 };
		auto_free char *name = NULL;
		if (c->lines[i].kind != CASSETTE_INPUT)
			continue;
		for (; at < v->why.n && v->why.lines[at].item <= c->lines[i].item; at++)
			(void)buf_append_str(&why, value_text(&v->why.lines[at].v));
		if (asprintf(&name, "%s item %llu", base_name(file), (unsigned long long)c->lines[i].item) < 0)
			name = NULL;
		report_test(&t->report, suite, name ? name : "", buf_str(&why));
	}
}

static void on_change(void *arg, const struct cassette_finding *f)
{
	struct buf *b = arg;
	if (!is_unanswered(f))
		finding_write(b, f);
}

/* The file anew, when something in it changes; says what. */
static int rewrite(const char *file, struct cassette *c, const struct cassette *now, struct str before, struct err *e)
{
	auto_buf struct buf said = { .max = 4u << 20 }, text = { .max = CASSETTE_MAX_BYTES };
	(void)cassette_compare(c, now, false, on_change, &said);
	if (cassette_update(c, now) < 0 || cassette_write(c, &text) < 0)
		return err_set(e, ERR_NO_MEMORY, "%s: out of memory", file);
	if (str_eq(buf_str(&text), before))
		return 0;
	fprintf(stderr, "%s is updated:\n%.*s", file, STR_ARG(buf_str(&said)));
	return app_bytes_write(buf_str(&text), file, e);
}

static int play(struct test_command *t, const char *file, struct cassette *c, struct plan *plan, struct str text,
		struct err *e)
{
	struct cassette_play p = { .loop = t->app.loop, .scripts = t->app.services.scripts, .plan = plan };
	struct verdicts v = { .updates = t->update };
	struct cassette now;
	auto_free char *suite = NULL;
	cassette_init(&now);
	cassette_init(&v.why);
	if (asprintf(&suite, "%.*s/%.*s", STR_ARG(c->component), STR_ARG(c->dataflow)) < 0)
		suite = NULL;
	if (cassette_play(c, &p, &now, e) == 0) {
		(void)cassette_compare(c, &now, false, on_finding, &v);
		report_items(t, c, file, str_c(suite), &v);
		if (t->update)
			(void)rewrite(file, c, &now, text, e);
	}
	cassette_done(&v.why);
	cassette_done(&now);
	return e->code;
}

/* The component once more, for the cassette's environment. False: it is another component's. */
static bool test_cassette(struct test_command *t, const char *component, struct str name, const char *file)
{
	struct err e = ERR_INIT;
	struct buf text = { 0 };
	struct cassette c;
	bool is_ours = true;
	cassette_init(&c);
	if (app_read_file(file, CASSETTE_MAX_BYTES, &text, &e) == 0 && cassette_read(&c, buf_str(&text), &e) < 0)
		(void)err_wrap(&e, "%s", file);
	if (e.code == 0 && !str_eq(c.component, name)) {
		is_ours = false;
	} else if (e.code == 0) {
		t->app.env.env = c.env;
		struct component *k = app_component(&t->app, component, NULL);
		struct plan *plan = k ? app_plan(&t->app, k, c.dataflow) : NULL;
		if (plan)
			(void)play(t, file, &c, plan, buf_str(&text), &e);
		else
			(void)err_set(&e, ERR_INVALID, "%s cannot be used for dataflow %.*s, environment %.*s",
				      component, STR_ARG(c.dataflow), STR_ARG(c.env));
		plan_unref(plan);
		component_unref(k);
		t->app.env.env = STR("");
	}
	if (e.code)
		report_test(&t->report, name, base_name(file), str_c(e.msg));
	t->found += is_ours;
	cassette_done(&c);
	buf_done(&text);
	return is_ours;
}

/* ---- one component ---- */

static void test_component(struct test_command *t, const char *file)
{
	static const char *const ends[] = { ".cassette.ndjson", NULL };
	struct file_list beside = { 0 }, *list = &t->cassettes;
	const char *slash = strrchr(file, '/');
	auto_free char *dir = NULL;
	struct component *k = app_component(&t->app, file, NULL);
	if (!k) {
		t->is_refused = true;
		return;
	}
	if (!list->n && asprintf(&dir, "%.*stests", slash ? (int)(slash - file + 1) : 0, file) >= 0) {
		list = &beside;
		list_directory(list, dir, ends);
	}
	for (size_t i = 0; i < list->n; i++)
		if (!test_cassette(t, file, k->name, list->names[i]) && list == &t->cassettes)
			app_say("%s is of another component than %s", list->names[i], file);
	component_unref(k);
	list_free(&beside);
}

static void test_path(struct test_command *t, const char *path)
{
	static const char *const ends[] = { ".yaml", ".yml", ".json", NULL };
	struct file_list files = { 0 };
	struct stat st;
	auto_free char *dir = alloc_strdup(path);
	size_t len = dir ? strlen(dir) : 0;
	if (!dir || stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		test_component(t, path);
		return;
	}
	while (len > 1 && dir[len - 1] == '/')
		dir[--len] = '\0';
	list_directory(&files, dir, ends);
	for (size_t i = 0; i < files.n; i++)
		test_component(t, files.names[i]);
	list_free(&files);
}

static int test_all(struct test_command *t, int n, char **paths)
{
	struct err e = ERR_INIT;
	int code = app_open(&t->app, false);
	if (code != EXIT_OK)
		return code;
	t->app.env.env = STR("");
	report_begin(&t->report);
	t->report.is_silent = t->junit && !t->tap;
	for (int i = 0; i < n; i++)
		test_path(t, paths[i]);
	if (report_end(&t->report, t->junit, &e) < 0) {
		app_say("%s", e.msg);
		return EXIT_RUN_FAILED;
	}
	if (t->is_refused)
		return app_refusal(EXIT_INVALID);
	if (!t->found) {
		app_say("no cassette was found: make one with `weir runs export ID -o tests/NAME.cassette.ndjson` "
			"beside the component");
		return EXIT_INVALID;
	}
	if (!t->app.flags.quiet)
		fprintf(stderr, "%u passed, %u failed\n", t->report.passed, t->report.failed);
	return t->report.failed ? EXIT_RUN_FAILED : EXIT_OK;
}

int cmd_test(int argc, char **argv)
{
	struct test_command t = { .command = app_command("test") };
	const struct flag flags[] = {
		{ .name = "cassette", .each = cassette_flag, .arg = &t },
		{ .name = "junit", .value = &t.junit },
		{ .name = "tap", .present = &t.tap },
		{ .name = "update", .present = &t.update },
		{ .name = NULL },
	};
	int first, code = EXIT_USAGE;
	if (app_flags_parse(t.command, argc, argv, &t.app.flags, flags, &first))
		code = first < argc ? test_all(&t, argc - first, argv + first)
				    : app_usage(t.command, "which component file, or directory of them?");
	list_free(&t.cassettes);
	app_close(&t.app);
	return code;
}
