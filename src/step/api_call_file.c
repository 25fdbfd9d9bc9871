/* SPDX-License-Identifier: Apache-2.0 */
/* The sink of a step's call: which one takes the answer's body, and what is made of it when all of it has come. */
#include "step/api_call_int.h"

struct http_sink *api_call_sink(struct api_call_step *st, struct api_call *c)
{
	if (!call_spec_may_make_files(st->plan->spec))
		return NULL;
	if (!c->file)
		c->file = ARENA_NEW(&c->item->arena, struct file_sink);
	if (!c->file)
		return NULL; /* gathered then: the item's memory is at its end anyway */
	file_sink_init(c->file, st->plan->spec, &st->plan->limits, st->folder.files);
	return &c->file->face;
}

void api_call_sink_release(struct api_call *c)
{
	if (c->file)
		file_sink_done(c->file);
}

int api_call_answer(struct api_call_step *st, struct api_call *c, const struct http_response *r,
		    struct call_answer *ret, char **ret_body, struct err *e)
{
	const struct step_services *services = step_services(st->step);
	return file_sink_answer(c->file, r, c->request.url, services->secrets, &c->item->arena, ret, ret_body, e);
}
