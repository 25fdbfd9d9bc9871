/* SPDX-License-Identifier: Apache-2.0 */
/* The parser's hands for those who find JSON inside of something longer. Only json_parse.c and split*.c include this.
 */
#pragma once
#include "base/json.h"

#define JSON_LOOKAHEAD                                                                                                 \
	16 /* bytes behind the place of a refusal that may have had a part in it: a pair of \u escapes is 12 */

/*
 * As json_parse(), but the value may be followed by anything: *ret_used = bytes up to its end (NULL: nothing may
 * follow). A number that ends with the text may not be whole. The sentence is left to json_report(); `je` may be NULL.
 */
int json_parse_part(struct arena *a, struct str text, const struct json_options *opt, struct value *ret,
		    size_t *ret_used, struct json_error *je);
/* Fill `e` with json_parse()'s message for that place and `at->why`; `rest` is the text from there on. Returns -code.
 */
int json_report(const struct json_error *at, int code, struct str rest, struct err *e);
/* The place becomes that behind `text`, which stands at it. */
void json_place_advance(struct json_error *at, struct str text);
