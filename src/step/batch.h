/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gathers items for the script workers: up to SCRIPT_BATCH_MAX a round trip, two round trips under way, so that batches grow by
 * themselves when items come faster than scripts run. Used by every step that evaluates JavaScript.
 */
#pragma once
#include "run/step_run.h"
#include "step/services.h"

#define BATCH_JOBS_MAX 2 /* round trips under way per step */

struct batch;

/* `done` gets each item with its result; the result's detail is borrowed, its value lives in the item's arena. */
typedef void batch_done(struct step *s, struct item *it, const struct script_result *result);

struct batch *batch_new(struct step *s, struct script_program *program, batch_done *done);
void batch_free(struct batch *b); /* cancels */
void batch_add(struct batch *b, struct item *it); /* the item's link is the batch's until done */
/* What waits for a round trip leaves by `drop`, which is to let the item go; those under way come back as always. */
void batch_stop(struct batch *b, void (*drop)(struct step *s, struct item *it));
void batch_flush(struct batch *b);
/* Fail the item with what the script did wrong: type script_*, detail with line and column. */
void batch_fail_item(struct step *s, struct item *it, const struct script_result *result);
