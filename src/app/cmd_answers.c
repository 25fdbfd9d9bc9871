/* SPDX-License-Identifier: Apache-2.0 */
/* weir check --answers: rules of meaning tried on recorded answers. */
#include "app/app.h"

#include "call/recorded.h"

#define ANSWERS_MAX_BYTES (256u << 20)

struct telling {
	const char *file;
	bool is_quiet;
	unsigned lines;
};

static void tell(void *arg, const struct call_recorded *r)
{
	struct telling *t = arg;
	t->lines++;
	if (r->mistake) {
		fprintf(stderr, "%s:%u: %s\n", t->file, r->line, r->mistake);
		return;
	}
	if (!t->is_quiet || !r->holds) {
		printf("%s:%u: %s, %.*s, by %.*s", t->file, r->line, r->holds ? "as expected" : "NOT AS EXPECTED", STR_ARG(r->operation),
		       STR_ARG(r->rule));
		printf(": %s", call_verdict_name(r->verdict));
		if (r->expected.ptr && !r->holds)
			printf(", not %.*s", STR_ARG(r->expected));
		if (r->wait_ms)
			printf(", waits %.3f s", (double)r->wait_ms / 1000);
		if (r->message.len)
			printf(" (%.*s)", STR_ARG(r->message));
		printf("\n");
	}
}

int app_check_answers(struct app *a, const struct component *k, const char *file)
{
	struct err e = ERR_INIT;
	struct buf text;
	struct telling t = { .file = file, .is_quiet = a->flags.quiet };
	if (app_read_file(file, ANSWERS_MAX_BYTES, &text, &e) < 0) {
		app_say("%s", e.msg);
		return EXIT_INVALID;
	}
	unsigned wrong = call_recorded_check(k->systems, a->env.env, buf_str(&text), tell, &t);
	fflush(stdout);
	if (!a->flags.quiet)
		fprintf(stderr, "%s: %u answers, %u not as expected\n", file, t.lines, wrong);
	buf_done(&text);
	return wrong ? EXIT_RUN_FAILED : EXIT_OK;
}
