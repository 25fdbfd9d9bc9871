/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands around cassettes share. */
#pragma once
#include "app/app.h"
#include "cassette/cassette.h"

/* A recorded run, back from disk. Close it in any case. */
struct recalled {
	struct app *app;
	struct arena arena;
	struct run_row row;
	struct plan *plan; /* of the version that it started with */
	struct err e;
	bool is_done;
};
int recalled_open(struct recalled *r, struct app *a, const char *id); /* an exit code, after saying why */
void recalled_close(struct recalled *r);

/* The item ends at a call that is not the recorded one: a line of it that says so; any line of an item. */
bool is_would_be_sent(const struct cassette_line *l);
bool ends_at_call(const struct cassette *now, uint64_t item);

/* Values one after the other, a line each or as one array. */
struct told_json {
	FILE *to;
	bool is_array;
	size_t n;
};
void told_json_write(struct told_json *j, const struct value *v);
void told_json_end(struct told_json *j);
/* [{ pointer, recorded, now }], at most CASSETTE_DIFFERENCES_MAX, borrowing the values. */
struct value differences_value(struct arena *a, const struct value *recorded, const struct value *now);

/* A finding in words, with its differences; nothing for what is the same. */
void finding_write(struct buf *b, const struct cassette_finding *f);
/* "3" or "0-9". */
bool item_range(const char *text, uint64_t *ret_from, uint64_t *ret_to);

/* The results of tests: TAP 14 on stdout as they come, JUnit XML at the end. */
struct report {
	unsigned passed, failed;
	bool is_silent; /* no TAP */
	struct buf xml;
};
void report_begin(struct report *r);
/* One test; `why` is empty when it has passed. `suite` "weather/get_weather", `name` "paris.cassette.ndjson item 0". */
void report_test(struct report *r, struct str suite, const char *name, struct str why);
int report_end(struct report *r, const char *junit, struct err *e);
