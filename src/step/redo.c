/* SPDX-License-Identifier: Apache-2.0 */
/* Which steps lie behind one. */
#include "step/redo.h"

#include "step/steps.h"

static void redo_add(struct step_redo *r, const struct plan *p, size_t step, size_t from)
{
	for (size_t i = 0; i < r->row.n_steps; i++)
		if (r->steps[i] == step)
			return;
	r->steps[r->row.n_steps++] = (uint32_t)step;
	if (step != from && step_writes_once(&p->steps[step]))
		r->fixed[r->row.n_fixed++] = (uint32_t)step;
}

bool step_redo_from(struct step_redo *r, const struct plan *p, struct str step)
{
	size_t from = 0;
	*r = (struct step_redo){ .row = { .steps = r->steps, .fixed = r->fixed } };
	while (from < p->n_steps && !str_eq(p->steps[from].name, step))
		from++;
	if (from == p->n_steps)
		return false;
	redo_add(r, p, from, from);
	/* those that are added while it goes on are looked at, too */
	for (size_t i = 0; i < r->row.n_steps; i++) {
		const struct plan_step *s = &p->steps[r->steps[i]];
		for (size_t k = 0; k < s->n_followers; k++)
			redo_add(r, p, s->followers[k], from);
		for (size_t k = 0; k < s->n_error_followers; k++)
			redo_add(r, p, s->error_followers[k], from);
	}
	return true;
}
