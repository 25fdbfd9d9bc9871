/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line tells of one item of a run: the calls that were made for it, attempt by attempt. */
#pragma once
#include "app/app.h"

struct item_reader {
	struct app *app;
	int64_t run;
	struct plan *plan; /* of the version that the run started with */
	struct err e;
	bool is_over;
};

/* False: there is no such run, or its version cannot be read any more; e says why. Close it in any case. */
bool item_reader_open(struct item_reader *r, struct app *app, int64_t run);
void item_reader_close(struct item_reader *r);
/* Attempts in short, for lists: [{ step, attempt, why, wait_ms, status, error, verdict }]; in `a`. */
struct value item_attempts(struct item_reader *r, uint64_t seq, struct arena *a);
/* The attempts as the REST face tells them ("calls"); in `a`. */
struct value item_calls(struct item_reader *r, uint64_t seq, struct arena *a);
/* The attempts as waterfalls on stdout, one a call. False when none was made, or the item is not there. */
bool item_print(struct item_reader *r, uint64_t seq);
