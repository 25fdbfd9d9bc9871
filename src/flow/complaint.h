/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong in a document, each with its place: collected, so that one check shows them all. */
#pragma once
#include "base/buf.h"
#include "base/value.h"

#define COMPLAINTS_MAX 100 /* kept; the rest is counted */

struct complaint {
	struct str pointer; /* JSON Pointer (RFC 6901) to the value */
	unsigned line, column; /* from 1; 0 = unknown */
	struct str place; /* for people: dataflow "get_weather", step "forecast", field "system"; may be empty */
	struct str text;  /* what is wrong and what to write instead */
};

struct complaints {
	struct arena arena;
	struct complaint items[COMPLAINTS_MAX];
	size_t n, dropped;
};

void complaints_init(struct complaints *c);
void complaints_done(struct complaints *c);
/* Copies; control characters become "?"; beyond COMPLAINTS_MAX it only counts. line 0 = unknown. */
void complaint_add(struct complaints *c, struct str pointer, unsigned line, unsigned column, struct str place, struct str text);
/* One line: file:line:column: place: text */
int complaint_write(struct buf *b, const char *file, const struct complaint *c);
