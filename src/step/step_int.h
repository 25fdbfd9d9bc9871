/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the kinds: what they compile, how they complain. */
#pragma once
#include "base/auto.h"
#include "run/step_run.h"
#include "step/batch.h"
#include "step/steps.h"

#include <stdio.h>

/* What a kind with JavaScript or a mapping keeps as plan_step.compiled; kinds with more embed it first. */
struct step_scripts {
	struct script_program *program; /* NULL = nothing for the workers */
	struct mapping *mapping;	/* NULL = none */
	struct step_scripts *more;	/* a second mapping of the kind; NULL = none */
};

/* Compile a mapping and, when it has JavaScript, its program; complains about `field`. */
int step_mapping_compile(struct compile *c, const struct plan_step *step, struct step_scripts *scripts, const struct value *v,
			 const char *field);
/* What scripts call themselves in their errors: step "name". */
const char *step_program_name(struct compile *c, const struct plan_step *s);
void step_scripts_release(struct plan_step *s);
void step_complain_call(void *arg /* struct compile */, const struct value *at, const char *field, const char *sentence);
static inline const struct component *step_plan_component(const struct step *s)
{
	return run_plan(step_run(s))->component;
}
/* A problem whose detail is step "name": message. */
struct value step_err_problem(struct step *s, struct item *it, const char *type, const char *title, const struct err *e);
