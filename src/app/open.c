/* SPDX-License-Identifier: Apache-2.0 */
/* Opens what commands need: loop, store, services; loads component files and says what is wrong with them. */
#include "app/app.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/num.h"
#include "sample/sample.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define SECRETS_FILE "secrets" /* in the data directory, when no other is named */

void app_data_dir(const struct app_flags *f, char *ret, size_t size)
{
	const char *env = getenv("WEIR_DATA"), *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	if (f->data_dir)
		(void)snprintf(ret, size, "%s", f->data_dir);
	else if (env && *env)
		(void)snprintf(ret, size, "%s", env);
	else if (state && *state)
		(void)snprintf(ret, size, "%s/weir", state);
	else
		(void)snprintf(ret, size, "%s/.local/state/weir", home && *home ? home : ".");
}

static int secrets_open(struct app *a, struct err *e)
{
	const char *file = a->flags.secrets_file ? a->flags.secrets_file : getenv("WEIR_SECRETS_FILE");
	char fallback[sizeof(a->data_dir) + 16];
	if (!file || !*file) {
		(void)snprintf(fallback, sizeof(fallback), "%s/%s", a->data_dir, SECRETS_FILE);
		file = access(fallback, F_OK) == 0 ? fallback : NULL;
	}
	a->services.secrets = secrets_new(file, e);
	return a->services.secrets ? 0 : e->code;
}

static int services_open(struct app *a, struct err *e)
{
	struct http_client_config http = { 0 };
	struct script_config script = { 0 };
	a->services.http = http_client_new(a->loop, &http, e);
	if (a->services.http)
		a->services.scripts = script_pool_new(a->loop, &script, e);
	return a->services.scripts ? secrets_open(a, e) : e->code;
}

/* Where the database is: false when what was named is none. */
static bool store_named(struct app *a, struct store_config *config)
{
	const char *env = getenv("WEIR_STORE"), *patience = getenv("WEIR_STORE_PATIENCE");
	struct err e = ERR_INIT;
	const char *url = a->flags.store ? a->flags.store : env && *env ? env : NULL;
	config->dir = strcmp(a->data_dir, APP_NO_DIR) == 0 ? NULL : a->data_dir;
	if (!url)
		return true;
	config->url = url;
	if (patience && *patience && num_parse_duration(str_c(patience), &config->patience, &e) < 0)
		app_say("WEIR_STORE_PATIENCE: %s", e.msg);
	else if (strncmp(url, "postgresql://", 13) != 0 && strncmp(url, "postgres://", 11) != 0)
		app_say("--store: this is no database that is known; write postgresql://USER@HOST/DATABASE"); /* not what was given: it may hold a password */
	else if (!config->dir)
		app_say("--store: files that answers bring are kept in a directory; give one with --data");
	else
		return true;
	return false;
}

static int open_parts(struct app *a, const struct store_config *config)
{
	struct err e = ERR_INIT;
	const char *env = a->flags.env ? a->flags.env : getenv("WEIR_ENV");
	app_data_dir(&a->flags, a->data_dir, sizeof(a->data_dir));
	a->env = step_flow_env(str_c(env ? env : ""));
	if (a->flags.verbose)
		log_setup(LOG_INFO, LOG_AUTO);
	a->loop = loop_new(&e);
	if (a->loop && config) {
		struct store_config store = *config;
		const char *plain = getenv("WEIR_LEDGER_PLAIN");
		store.keeps_plain = plain && *plain;
		if (!store_named(a, &store))
			return EXIT_USAGE;
		if (store_open(&a->store, a->loop, &store, &e) < 0) {
			app_say("%s", e.msg);
			return EXIT_RUN_FAILED;
		}
	}
	if (!a->loop || services_open(a, &e) < 0) {
		app_say("%s", e.msg);
		return e.code == -ERR_DENIED || e.code == -ERR_INVALID ? EXIT_INVALID : EXIT_RUN_FAILED;
	}
	return EXIT_OK;
}

int app_open(struct app *a, bool with_store)
{
	return open_parts(a, with_store ? &(struct store_config){ 0 } : NULL);
}

int app_open_store(struct app *a, const struct store_config *config)
{
	return open_parts(a, config);
}

void app_close(struct app *a)
{
	if (a->sample)
		sample_api_close(a->sample);
	if (a->services.scripts)
		script_pool_free(a->services.scripts);
	if (a->services.http)
		http_client_free(a->services.http);
	if (a->store)
		store_close(a->store);
	if (a->services.secrets)
		secrets_free(a->services.secrets);
	if (a->loop)
		loop_free(a->loop);
	*a = (struct app){ 0 };
}

int app_read_file(const char *path, size_t max, struct buf *ret, struct err *e)
{
	bool is_stdin = strcmp(path, "-") == 0;
	auto_fd int own = is_stdin ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	int fd = is_stdin ? STDIN_FILENO : own;
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "%s", path);
	if (S_ISDIR(st.st_mode))
		return err_set(e, EISDIR, "%s is a directory", path);
	buf_init(ret, max);
	for (;;) {
		int rc = buf_reserve(ret, 65536);
		if (rc < 0)
			return rc == -ERR_NO_MEMORY ? err_set(e, ERR_NO_MEMORY, "out of memory") :
						      err_set(e, ERR_LIMIT, "%s is larger than %zu bytes", path, max);
		ssize_t n = read(fd, ret->ptr + ret->len, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, "%s", path);
		if (n == 0)
			return 0;
		ret->len += (size_t)n;
	}
}

void app_complain(const char *file, const struct complaints *c)
{
	struct buf b;
	buf_init(&b, 1u << 20);
	for (size_t i = 0; i < c->n; i++) {
		(void)complaint_write(&b, file, &c->items[i]);
		(void)buf_append_char(&b, '\n');
	}
	if (c->dropped)
		(void)buf_printf(&b, "%s: %zu more mistakes are not shown\n", file, c->dropped);
	(void)fwrite(b.ptr, 1, b.len, stderr);
	buf_done(&b);
}

/* FILE:DATAFLOW, unless a file of the whole name exists. */
static void dataflow_cut(char *file, struct str *ret_dataflow)
{
	char *colon = strrchr(file, ':');
	*ret_dataflow = STR_NULL;
	if (!colon || access(file, F_OK) == 0)
		return;
	*colon = '\0';
	*ret_dataflow = str_c(colon + 1);
}

struct component *app_component(struct app *a, const char *file, struct str *ret_dataflow)
{
	auto_free struct complaints *c = alloc_malloc(sizeof(*c));
	struct err e = ERR_INIT;
	struct component *k = NULL;
	if (!c) {
		app_say("out of memory");
		return NULL;
	}
	complaints_init(c);
	if (ret_dataflow)
		dataflow_cut((char *)(uintptr_t)file, ret_dataflow);
	struct doc *doc = doc_load(file, c, &e);
	if (doc)
		k = component_new(doc, &a->env, c);
	if (!k && e.code)
		app_say("%s", e.msg);
	else if (!k)
		app_complain(file, c);
	complaints_done(c);
	return k;
}

struct plan *app_plan(struct app *a, struct component *k, struct str dataflow)
{
	auto_free struct complaints *c = alloc_malloc(sizeof(*c));
	if (!c) {
		app_say("out of memory");
		return NULL;
	}
	complaints_init(c);
	struct plan *p = plan_new(k, dataflow, &a->env, c);
	if (!p)
		app_complain(doc_name(k->doc), c);
	complaints_done(c);
	return p;
}

void app_wait_done(void *arg, const struct store_result *result)
{
	struct app_wait *w = arg;
	w->is_done = true;
	w->error = result->error;
	(void)snprintf(w->detail, sizeof(w->detail), "%s", result->detail ? result->detail : "");
	if (w->use)
		w->use(w->arg, result);
	loop_stop(w->app->loop);
}

int app_wait(struct app_wait *w)
{
	while (!w->is_done)
		(void)loop_run(w->app->loop);
	return w->error == STORE_OK ? 0 : -1;
}
