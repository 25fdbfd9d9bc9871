/* SPDX-License-Identifier: Apache-2.0 */
/* The face of step/: the table of kinds and what the program asks of them as a whole. */
#pragma once
#include "flow/kind.h"
#include "step/services.h"

/* NULL-terminated. */
extern const struct kind *const step_kinds[];
/* The flow_env of this program: all kinds, systems checked by call/. `environment` is borrowed. */
struct flow_env step_flow_env(struct str environment);
/* Every script of a plan, for `weir check`: walk with *pos = 0; false at the end. Borrowed. */
bool step_next_program(const struct plan *p, size_t *pos, struct script_program **ret_program, const struct plan_step **ret_step);
