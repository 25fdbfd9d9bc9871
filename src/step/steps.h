/* SPDX-License-Identifier: Apache-2.0 */
/* The face of step/: the table of kinds and what the program asks of them as a whole. */
#pragma once
#include "flow/kind.h"
#include "step/services.h"

struct ledger_row;
struct run_row;

/* NULL-terminated. */
extern const struct kind *const step_kinds[];
/* The flow_env of this program: all kinds, systems checked by call/. `environment` is borrowed. */
struct flow_env step_flow_env(struct str environment);
/* Every script of a plan, for `weir check`: walk with *pos = 0; false at the end. Borrowed. */
bool step_next_program(const struct plan *p, size_t *pos, struct script_program **ret_program, const struct plan_step **ret_step);
/* The step writes entries, and another time would not leave the same: anything but upsert. */
bool step_writes_once(const struct plan_step *s);
/*
 * The key of an item's call at a step, in `a`: stable across attempts and restarts, different for each run. Of the row its seed and id count; a run
 * that was prepared has the seed of another one, and an id of its own.
 */
struct str step_idempotency_key(const struct run_row *row, size_t step, uint64_t seq, struct arena *a);
/* The step makes calls, and one of them may be repeated by anybody: its method is harmless, or it is marked so; a key does not count. */
bool step_may_call_again(const struct plan_step *s);
/* The method of a step that makes calls; NULL = it makes none. */
const char *step_call_method(const struct plan_step *s);
/*
 * Judge a recorded OUTCOME of a step that makes calls, as the step itself did when it came. Verdict and rule are certain; a wait that an answer
 * gave as a moment may count from now. False for other steps, and for a record that cannot be read. Everything is in `a` or lives as long as the plan.
 */
bool step_judge_recorded(const struct plan_step *s, const struct ledger_row *outcome, struct arena *a, struct call_judgement *ret);
