/* SPDX-License-Identifier: Apache-2.0 */
/* weir: one executable, several commands and roles. */
#include "app/app.h"

#include "base/log.h"
#include "base/opt.h"
#include "script/script.h"

#include <string.h>

const struct command commands[] = {
	{ "run", "run FILE[:DATAFLOW] [-d name=value]... [--items FILE] [-o FILE]", "run a dataflow: items in, items out", cmd_run,
	  "Examples:\n"
	  "  weir run weather.yaml:get_weather -d city=Paris\n"
	  "  weir run weather.yaml --items cities.csv -o forecasts.ndjson\n"
	  "  weir run --resume 17\n\n"
	  "  -d NAME=VALUE     a field of the one item; NAME:=JSON gives JSON, NAME=@FILE a file, NAME=@@text a text that begins with @\n"
	  "  --items FILE      many items: .ndjson, .csv or .json; - reads NDJSON from stdin\n"
	  "  -o, --output FILE where items go: .ndjson, .csv or .json; - is stdout\n"
	  "  --format NAME     json, ndjson or csv, whatever the file's ending\n"
	  "  --resume ID       go on with an interrupted run\n"
	  "  --from STEP       with --resume: that step and those behind it are done again, for all items or --items 3,5-9\n"
	  "  --retry-failed    with --resume: its failed items are done again, and only those\n"
	  "  --replay ID       a recorded run once more, from the ledger alone: nothing is sent, what differs is told\n"
	  "  --over ID         the file over the input and answers of a recorded run: which requests and outputs change\n"
	  "  --plan            the requests that a run would begin with; nothing is sent or kept\n"
	  "  --diff ID         with --plan: beside those of this run; last (the default, if there is one), none\n"
	  "  --all             with --plan, --over: every request and difference\n"
	  "  --send WHAT       with --plan, --over: then send it, after asking: all, changed, new, a step, or items like 3,5-9\n"
	  "  --yes             with --send: do not ask\n"
	  "  --window N        items under way at once (default 512)\n"
	  "  --grace TIME      how long calls under way may take after SIGINT or SIGTERM (default 10s); a second signal ends them now\n" },
	{ "call", "call [-f FILE] [-o FILE] SYSTEM[/CONNECTOR] METHOD PATH [name=value]...", "make one API call", cmd_call,
	  "Examples:\n"
	  "  weir call -f weather.yaml open-meteo/forecast GET /v1/forecast latitude=48.85 longitude=2.35\n"
	  "  weir call shop/orders POST /orders body:='{\"id\":1}' -v\n"
	  "  weir call shop/files POST /upload title=cat photo=@cat.png\n"
	  "  weir call shop/files GET /photos/{id} id=7 -o cat.png\n\n"
	  "  -f, --file FILE   the component file with the system; else the imported components\n"
	  "  -o, --output FILE where a file, or any other answer, goes; - is stdout\n"
	  "  name=@FILE        the file itself; name=@@text is a text that begins with @\n"
	  "  -v                request and answer on stderr, and each attempt with why and where its time went; secrets masked\n" },
	{ "check", "check [--answers RECORDED] FILE...", "find every mistake in component files", cmd_check,
	  "  weir check --answers recorded.ndjson weather.yaml   try the rules of its systems on recorded answers\n" },
	{ "import", "import FILE...", "put components into the data directory", cmd_import, "" },
	{ "export", "export NAME [-o FILE]", "write an imported component as YAML", cmd_export, "" },
	{ "serve", "serve [FILE...] [--port 8080] [--sample] [--keep-runs 30d]", "run the server on 127.0.0.1", cmd_serve,
	  "  --port N          default 8080; 0 takes any free one\n"
	  "  --keep-runs AGE   runs that ended longer ago are pruned, hourly: 30d; default all, or $WEIR_KEEP_RUNS\n"
	  "  --sample          also run the sample API, and use the environment \"sample\"\n" },

	{ "sample-api", "sample-api [--port 8090] [--delay MS]", "run the bundled sample API alone", cmd_sample_api, "" },
	{ "test", "test FILE|DIR... [--cassette FILE]... [--junit FILE] [--update]", "run dataflows over their cassettes, without any network", cmd_test,
	  "Examples:\n"
	  "  weir test examples/weather\n"
	  "  weir test weather.yaml --cassette tests/paris.cassette.ndjson\n\n"
	  "  Cassettes are the tests/*.cassette.ndjson beside the component; `weir runs export` makes them.\n\n"
	  "  --cassette FILE   this cassette instead; may be given several times\n"
	  "  --junit FILE      results as JUnit XML\n"
	  "  --tap             results as TAP on stdout (the default without --junit)\n"
	  "  --update          what happens now becomes what is expected; says what changed\n" },
	{ "runs", "runs list | show ID [ITEM] | export ID [-o FILE] | decide ID done|again|skip --items 3,5-9|--all | retry ID | prune [ID...]", "runs of the data directory", cmd_runs,
	  "Examples:\n"
	  "  weir runs show 17     the run and its problems, each with the attempts that led to it\n"
	  "  weir runs show 17 0   the calls of its first item: each attempt, why it was made, where its time went\n"
	  "  weir runs export 17 --items 0-9 -o tests/paris.cassette.ndjson   its input and answers as a cassette for `weir test`\n"
	  "  weir runs decide 17 again --items 3,5-9   calls whose outcome nobody knows: send these again\n"
	  "  weir runs decide 17 done --items 4 --result '{\"id\":912}' --note \"seen in the shop\"\n"
	  "  weir runs decide 17 skip --all            leave the items out\n"
	  "  weir runs retry 17    failed items are done again, and only those\n"
	  "  weir runs prune --older-than 30d --keep 100   old runs go, the newest 100 stay in any case\n"
	  "  weir runs prune --max-size 2GiB --dry-run     which would go\n"
	  "  weir runs prune 17                            this one, even if it is interrupted or needs attention\n\n"
	  "  --items A-B       export: these items\n"
	  "  --redact WHAT     export: a header's name, or a JSONPath like $.email; may be given several times\n"
	  "  -o FORMAT         table, json or ndjson; of decide and retry: the file for the items of the run, which goes on\n"
	  "  --no-resume       decide, but do not go on with the run yet\n"
	  "  --older-than AGE  since it ended: 30d, 12h\n"
	  "  --keep N          the newest N stay\n"
	  "  --state LIST      only done, failed, partly-done\n"
	  "  --max-size SIZE   the oldest go until the database uses no more than this\n"
	  "  --dry-run         say which, and change nothing\n"
	  "  --compact         write a database of an older Weir anew, so that it can shrink; others wait meanwhile\n" },
	{ "entries", "entries list COMPONENT | get COMPONENT ID", "saved entries", cmd_entries, "  -o FORMAT         table, json or ndjson\n" },
	{ "systems", "systems list [-f FILE]", "systems, connectors and operations", cmd_systems, "" },
	{ "schema", "schema component", "JSON Schema of the component file", cmd_schema, "" },
	{ "doctor", "doctor", "check this installation", cmd_doctor, "" },
	{ NULL, NULL, NULL, NULL, NULL },
};

static void print_help(FILE *to)
{
	fprintf(to, "Weir %s: calls external systems for each item that flows through, right, fast and visibly.\n\n", WEIR_VERSION);
	fprintf(to, "  weir run examples/weather/weather.yaml:get_weather -d city=Paris\n");
	fprintf(to, "  weir serve examples/weather/weather.yaml\n\nCommands:\n");
	for (const struct command *c = commands; c->name; c++)
		fprintf(to, "  %-12s %s\n", c->name, c->brief);
	fprintf(to, "\nCommon flags: --data DIR, --env NAME, --secrets FILE, -q, -v, --no-color, --help\n"
		    "`weir help COMMAND` tells more. Exit: 0 done, 1 failed, 2 usage, 3 invalid, 5 unreachable, 7 partly done.\n");
}

static void print_command_help(const struct command *c)
{
	printf("weir %s\n\n  %s\n\n%s\nCommon flags: --data DIR, --env NAME, --secrets FILE, -q, -v, --no-color\n", c->usage, c->brief, c->help);
}

static const struct command *command_find(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static int unknown_command(const char *name)
{
	const char *known[ARRAY_LEN(commands)];
	size_t n = 0;
	for (const struct command *c = commands; c->name; c++)
		known[n++] = c->name;
	const char *near = opt_nearest(str_c(name), known, n);
	if (near)
		app_say("there is no command \"%s\"; did you mean \"%s\"?", name, near);
	else
		app_say("there is no command \"%s\"; `weir help` lists them", name);
	return EXIT_USAGE;
}

static int help(int argc, char **argv)
{
	if (argc < 3) {
		print_help(stdout);
		return EXIT_OK;
	}
	const struct command *c = command_find(argv[2]);
	if (!c)
		return unknown_command(argv[2]);
	print_command_help(c);
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--role=script") == 0)
		return script_worker_main(argc, argv);
	log_setup(LOG_WARN, LOG_AUTO);
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("weir %s\n", WEIR_VERSION);
		return EXIT_OK;
	}
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help(argc, argv);
	const struct command *c = command_find(argv[1]);
	if (!c)
		return unknown_command(argv[1]);
	for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_command_help(c);
			return EXIT_OK;
		}
	return c->run(argc - 1, argv + 1);
}
