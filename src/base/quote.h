/* SPDX-License-Identifier: Apache-2.0 */
/* Other people's words inside of our sentences. */
#pragma once
#include "base/arena.h"

/* The text in `a` on one line, runs of blanks and control bytes as one space, invalid UTF-8 as "?", clipped; null
 * string: no memory. */
struct str quote_safely(struct arena *a, struct str text, size_t max);
