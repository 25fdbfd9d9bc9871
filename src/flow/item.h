/* SPDX-License-Identifier: Apache-2.0 */
/* An item: one JSON object that flows, with the arena that holds it. */
#pragma once
#include "base/list.h"
#include "base/value.h"

#define ITEM_MAX_BYTES (64u << 20) /* arena of one item */

enum item_state {
	ITEM_FLOWING,
	ITEM_DONE,
	ITEM_FAILED,  /* problem says where and why */
	ITEM_UNKNOWN, /* an unsafe call without outcome: a person decides */
	ITEM_KEPT,    /* only in the ledger: failed in a step that passes errors on, so that it fails there again when read back */
};

struct item {
	struct list link;	/* where it stands: a step's waiting list, a batch */
	struct arena arena;
	struct value root;	/* an object */
	uint64_t seq;		/* ordinal in the run's input, from 0: its identity in the ledger */
	enum item_state state;
	struct value problem;	/* { type, title, detail, step, status }; absent unless failed */
	bool is_ready;		/* its step has finished with it, but an earlier one has not (order kept) */
	void *recorded;		/* run: what the ledger holds of it (resume, replay) */
	void *step_data;	/* the present step's own */
	struct list order_link; /* run: place in the step's order of arrival */
	size_t step;		/* index of the present step */
	uint64_t entered_ns;	/* when it entered the present step */
	void *run_data;		/* run's own */
};
