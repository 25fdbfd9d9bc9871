/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arena: many small allocations, one end. Not thread safe. Under AddressSanitizer unused parts are poisoned. Blocks of
 * the default size are kept on a small per-thread free list, since items come and go by the ten thousand.
 */
#pragma once
#include "base/str.h"

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first */
	char *next, *end;	    /* free part of the newest block */
	size_t used;		    /* bytes handed out, for limits */
	size_t max;		    /* refuse beyond this; 0 = ARENA_MAX_DEFAULT */
};

#define ARENA_BLOCK_BYTES 4096		     /* size of an ordinary block */
#define ARENA_MAX_DEFAULT (256u << 20)	     /* most that one arena holds unless told otherwise */
#define ARENA_FREE_LIST_MAX 4096	     /* blocks kept for reuse per thread */

void arena_init(struct arena *a, size_t max);
void arena_done(struct arena *a);  /* frees all; usable again */
/* Give this thread's kept blocks back to the heap: after a burst, and before a test that counts allocations. */
void arena_trim(void);
/* Aligned to 16, not zeroed; NULL when out of memory or over the maximum. */
void *arena_alloc(struct arena *a, size_t n);
void *arena_zalloc(struct arena *a, size_t n);
struct str arena_str(struct arena *a, struct str s);	  /* a copy; ptr NULL on failure */
char *arena_c(struct arena *a, struct str s);		  /* a NUL-terminated copy */
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Grow the last allocation in place if possible, else copy. */
void *arena_grow(struct arena *a, void *p, size_t old_n, size_t new_n);

#define ARENA_NEW(a, type) ((type *)arena_zalloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_zalloc((a), sizeof(type) * (n)))
#define auto_arena __attribute__((cleanup(arena_done)))
