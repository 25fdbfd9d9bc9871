/* SPDX-License-Identifier: Apache-2.0 */
/* The attempts of one call as bars of text over one axis of time. */
#pragma once
#include "app/app.h"
#include "call/attempt.h"

#define WATERFALL_WIDTH 80     /* columns where there is no terminal to ask */
#define WATERFALL_WIDTH_MIN 40 /* a narrower terminal breaks the lines itself */
#define WATERFALL_WIDTH_MAX 110

struct waterfall {
	FILE *to;
	const char *margin; /* begins each line: "* " */
	int width;	    /* columns of a line */
	bool color;	    /* letters stay: color alone says nothing */
};

/* Width and color of what `to` leads to. */
struct waterfall waterfall_of(const struct app_flags *f, FILE *to, const char *margin);
/*
 * One line that says how an attempt went, one that says why it was made, one with its bar, one with its phases in ms. A
 * phase is a letter, named in the last line; dots are the wait before the attempt. Phases too short to be seen have
 * their figure only; rests that would leave no room for anything else are cut and have "//" in them.
 */
void waterfall_print(const struct waterfall *w, const struct call_attempt *attempts, size_t n);
