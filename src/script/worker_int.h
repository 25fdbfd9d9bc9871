/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the worker process know of each other. */
#pragma once
#include "base/list.h"
#include "script/jsc.h"
#include "script/script_wire.h"

#define REALMS_MAX 16 /* kept per worker; the one used longest ago goes first */

extern const char script_prelude[]; /* prelude.c.js, NUL-terminated */

struct realms {
	JSContextGroupRef group;
	struct list programs; /* struct program */
	struct list realms;   /* struct realm, last used first */
	size_t n_realms;
	JSGlobalContextRef spare; /* a world made ahead, and its open() */
	JSObjectRef spare_open;
	double deadline;  /* seconds of processor time that one call may take */
	bool was_stopped; /* the time limit struck in the call under way */
	bool is_spent; /* out of memory, or stopped in a way that the engine does not survive: end after this answer */
};

struct realm;

/* Make the engine ready for what comes in the jail: JIT, collector, ICU data. */
int realms_init(struct realms *rs, msec_t deadline, struct err *e);
/* A PROGRAM frame after its message byte. False when it is malformed or memory is short. */
bool realms_learn(struct realms *rs, struct script_reader *r);
void realms_forget(struct realms *rs, uint64_t program);
/* Make the spare world, if there is none: called when there is nothing else to do. */
void realms_prepare(struct realms *rs);
/*
 * The realm of (realm, program, now), made when it is not there. Never NULL unless the program is unknown: one that
 * does not compile gives its error as the answer to each item.
 */
struct realm *realms_get(struct realms *rs, const struct script_batch *batch);
/* Append the answer to one item to `out`; b->failed tells when it did not fit. */
void realm_run(struct realms *rs, struct realm *r, const struct script_batch_item *item, struct buf *out);
/* Append the answer to "does it compile?". False when the program is unknown. */
bool realms_check(struct realms *rs, uint64_t program, struct buf *out);
