/* SPDX-License-Identifier: Apache-2.0 */
/* A run again from a step: which steps that is, and what must not be done twice. */
#pragma once
#include "flow/kind.h"
#include "store/store.h"

struct step_redo {
	uint32_t steps[STEPS_MAX], fixed[STEPS_MAX];
	struct redo_row row; /* its steps point into this struct: it must not be moved */
};

/*
 * Fill in, for store_ledger_redo(): the step of that name and all behind it, by any way; of those, as fixed, the ones
 * whose entries would not be the same if they were written twice. The step itself is never fixed: to write again is
 * what was asked for. Run and items are the caller's to set. False: the plan has no step of that name.
 */
bool step_redo_from(struct step_redo *r, const struct plan *p, struct str step);
