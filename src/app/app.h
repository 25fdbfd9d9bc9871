/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: what the commands share. Libraries return, programs speak: only app/ prints. */
#pragma once
#include "base/auto.h"
#include "base/json.h"
#include "run/run.h"
#include "step/steps.h"

/* Exit codes: a part of the contract (docs/internals/cli.md). */
enum exit_code {
	EXIT_OK = 0,
	EXIT_RUN_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_INVALID = 3,
	EXIT_UNREACHABLE = 5,
	EXIT_PARTLY = 7,
};

/* Flags that every command knows. */
struct app_flags {
	const char *data_dir; /* NULL = the default */
	const char *store; /* URL of a PostgreSQL database; NULL = $WEIR_STORE, else weir.db in the data directory */
	const char *env;      /* NULL = $WEIR_ENV or the component's first */
	const char *secrets_file;
	bool quiet, verbose, no_color;
};

struct app {
	struct app_flags flags;
	struct loop *loop;
	struct store *store;
	struct step_services services;
	struct flow_env env;
	struct sample_api *sample; /* NULL = not served here */
	char data_dir[4096];
};

struct command {
	const char *name;
	const char *usage; /* after "weir " */
	const char *brief;
	int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns an exit code */
	const char *help; /* more lines, with examples */
};
extern const struct command commands[]; /* ends with a NULL name */

/* "weir: text" on stderr; returns EXIT_USAGE. */
int app_usage(const struct command *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "weir: text" on stderr. */
void app_say(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* What a refusal is worth: `code`, unless memory ran out meanwhile, for then nothing is known of the file or the input: EXIT_RUN_FAILED. */
int app_refusal(int code);
bool app_color(const struct app_flags *f, int fd);

/*
 * Flags of a command: the common ones and its own. Own values are put where the row says; what is no flag is moved to the end,
 * *ret_first is its index. False after saying what is wrong.
 */
struct flag {
	const char *name; /* long, without dashes; NULL ends */
	char letter;	  /* 0 = none */
	const char **value; /* takes a value, the last one wins */
	bool *present;	    /* takes none */
	int (*each)(void *arg, const char *value); /* takes a value, called for each */
	void *arg;
};
bool app_flags_parse(const struct command *c, int argc, char **argv, struct app_flags *f, const struct flag *own, int *ret_first);

/* Open the parts that a command needs: loop and services always; the store when asked (with its directory). Says what is wrong. */
int app_open(struct app *a, bool with_store);
/* The same with a store that is opened in another way; its directory is the flags'. */
int app_open_store(struct app *a, const struct store_config *config);
void app_close(struct app *a);
#define APP_NO_DIR ":memory:" /* --data: nothing is kept beyond the process, as SQLite spells it */
/* Where data lives: flag, $WEIR_DATA, $XDG_STATE_HOME/weir, ~/.local/state/weir. */
void app_data_dir(const struct app_flags *f, char *ret, size_t size);

/* Load, check and complain on stderr; NULL = said. `file` may end in ":DATAFLOW", which is cut off and given back. */
struct component *app_component(struct app *a, const char *file, struct str *ret_dataflow);
struct plan *app_plan(struct app *a, struct component *k, struct str dataflow);
/*
 * When no environment was chosen and the component's first cannot be reached: turn to "sample", where the component has it at the bundled
 * sample API (started here if nobody runs it). True when the environment changed: load the component again.
 */
bool app_environment_falls_back(struct app *a, const struct component *k);
#define SAMPLE_API_PORT 8090 /* where examples expect the sample API */
/* Serve the sample API in this process. */
int app_sample_open(struct app *a, uint16_t port, struct err *e);
/* Print complaints, each with its place. */
void app_complain(const char *file, const struct complaints *c);
/* Whole file into a malloc'd buffer. */
int app_read_file(const char *path, size_t max, struct buf *ret, struct err *e);

/* Wait for one store answer: start the operation with app_wait_done as its callback, then app_wait() runs the loop until it came. */
struct app_wait {
	struct app *app;
	bool is_done;
	void (*use)(void *arg, const struct store_result *result);
	void *arg;
	enum store_error error;
	char detail[512];
};
void app_wait_done(void *arg, const struct store_result *result);
int app_wait(struct app_wait *w);

/* "@PATH" is a file and "@@text" the text "@text": cuts the first "@" off, true = a file. */
bool app_text_is_file(struct str *text);
/* A file ("-" = stdin) into the store's folder, on disk when this returns: { file, name, media_type, bytes }. */
int app_file_put(struct app *a, struct arena *arena, const char *path, struct value *ret, struct err *e);
/* The bytes of a file of the folder to `path` ("-" = stdout). */
int app_file_get(struct app *a, struct str id, const char *path, struct err *e);
int app_bytes_write(struct str bytes, const char *path, struct err *e);
/* By the ending of a file's name: a table, then the machine's; application/octet-stream when neither knows. */
struct str app_media_type(struct arena *a, const char *name);

/* Check a file and put it into the store; says what it did and which secrets are missing. */
int app_import(struct app *a, const char *file);
/* Rules of a component on recorded answers (weir check --answers); returns an exit code. */
int app_check_answers(struct app *a, const struct component *k, const char *file);
/* Keep a component's version beside runs, so that they can be resumed from the ledger alone. 0 or -code. */
int app_version_keep(struct app *a, const struct component *k, struct err *e);
/* "cli:" and who that is to the system, in `a`. */
struct str app_who(struct arena *a);
/* The newest run of the plan's dataflow that has ended, 0 = there is none. */
int64_t app_last_run(struct app *a, const struct plan *p);
/* The row of a command by its name. */
const struct command *app_command(const char *name);

/* Failed items of a run are to be done again; *ret_items = how many problems were dropped. An exit code; what went wrong is said. */
int app_run_retry(struct app *a, int64_t run, uint64_t *ret_items);
/* "3,5-9" as numbers of items, at most STORE_DECIDE_MAX, in `a`; NULL after saying what is wrong. */
uint64_t *app_items_parse(const struct command *c, const char *text, struct arena *a, size_t *ret_n);
/*
 * What the ledger holds of the items (NULL = all) at the step and behind it is dropped, so that the resumed run does it again. An exit code; what
 * went wrong is said.
 */
int app_run_redo(struct app *a, int64_t run, const struct plan *p, const char *step, const uint64_t *items, size_t n_items);
/* As `weir run --resume`; output NULL = items are not written. An exit code. */
int app_resume(const struct app_flags *flags, const char *id, const char *output);
/* The same for a run that was prepared: items go to `output`, NULL = stdout; format, window NULL = as usual. */
int app_run_prepared(const struct app_flags *flags, int64_t id, const char *output, const char *format, const char *window);
int cmd_runs_decide(int argc, char **argv); /* runs decide, runs retry */

int cmd_run(int argc, char **argv);
int cmd_call(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_sample_api(int argc, char **argv);
int cmd_runs(int argc, char **argv);
int cmd_runs_export(int argc, char **argv);
int cmd_run_replay(int argc, char **argv);
int cmd_run_over(int argc, char **argv);
int cmd_test(int argc, char **argv);
int cmd_entries(int argc, char **argv);
int cmd_systems(int argc, char **argv);
int cmd_schema(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
