/* SPDX-License-Identifier: Apache-2.0 */
/* Where the body of one answer goes that becomes, or may become, a file. For whoever sends: a step, the command line.
 */
#pragma once
#include "call/call.h"
#include "store/files.h"

struct file_sink {
	struct http_sink face;
	const struct call_spec *spec;
	struct files *files;
	enum call_way way;
	struct buf memory;
	struct file_writer *writer; /* NULL = nothing is in a file yet */
};

/* For one sending; borrows. */
void file_sink_init(struct file_sink *f, const struct call_spec *spec, const struct call_limits *l,
		    struct files *files);
/* The transfer is over: what is still held is given back; a file that was not kept leaves nothing. Twice is fine. */
void file_sink_done(struct file_sink *f);
/*
 * As call_answer_from_response(), `f` NULL or zeroed = nothing was sunk. A file is queued to be kept before this
 * returns: a ledger row queued after it implies the file. `url` is where the request went. Also -code of the store.
 */
int file_sink_answer(struct file_sink *f, const struct http_response *r, struct str url, struct secrets *secrets,
		     struct arena *a, struct call_answer *ret, char **ret_body, struct err *e);
