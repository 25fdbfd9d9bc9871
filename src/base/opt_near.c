/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": edit distance with neighbours swapped counting as one slip. */
#include "base/opt_int.h"

#define NAME_MAX_BYTES 64 /* longer names are not compared */

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c == '-' ? '_' : c);
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Optimal string alignment, three rows at a time; case does not count, nor does '-' for '_'. */
static unsigned distance(struct str x, struct str y)
{
	unsigned rows[3][NAME_MAX_BYTES + 1];
	unsigned *before = rows[0], *above = rows[1], *here = rows[2];
	for (unsigned j = 0; j <= y.len; j++)
		above[j] = j;
	for (unsigned i = 1; i <= x.len; i++) {
		here[0] = i;
		for (unsigned j = 1; j <= y.len; j++) {
			unsigned char a = lower(x.ptr[i - 1]), b = lower(y.ptr[j - 1]);
			unsigned d = least(least(above[j], here[j - 1]) + 1, above[j - 1] + (a != b));
			if (i > 1 && j > 1 && a == lower(y.ptr[j - 2]) && lower(x.ptr[i - 2]) == b)
				d = least(d, before[j - 2] + 1);
			here[j] = d;
		}
		unsigned *spare = before;
		before = above;
		above = here;
		here = spare;
	}
	return above[y.len];
}

void opt_near_consider(struct opt_near *near, const char *candidate)
{
	struct str other = str_c(candidate);
	if (near->name.len == 0 || near->name.len > NAME_MAX_BYTES || other.len > NAME_MAX_BYTES)
		return;
	/* A slip for three letters, at most three. Shorter names than that resemble everything. */
	unsigned longest = (unsigned)(near->name.len > other.len ? near->name.len : other.len);
	unsigned allowed = longest < 3 ? 0 : least(longest / 3, 3);
	unsigned d = distance(near->name, other);
	if (d <= allowed && (!near->best || d < near->distance)) {
		near->best = candidate;
		near->distance = d;
	}
}

const char *opt_nearest(struct str name, const char *const *candidates, size_t n)
{
	struct opt_near near = { .name = name };
	for (size_t i = 0; i < n; i++)
		opt_near_consider(&near, candidates[i]);
	return near.best;
}
