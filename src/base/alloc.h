/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The malloc door. Ordinary malloc, but a test may ask that the n-th allocation from now fails, so that every "out of
 * memory" branch gets its turn. What comes from here is given back with free().
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

void *alloc_malloc(size_t n);
void *alloc_calloc(size_t count, size_t size);
void *alloc_realloc(void *p, size_t n);
char *alloc_strdup(const char *s);
/*
 * How many allocations of this process came to nothing so far, in any thread. Who must not say "done" of work in which
 * something may be missing compares it with what it was at the beginning: one look instead of a check behind each call.
 */
unsigned long alloc_failures(void);
/* A library with a malloc of its own had none: counted, too. Returns -ERR_NO_MEMORY. */
int alloc_failed(void);
/* Torture: the n-th allocation from now fails, once, in whichever thread it comes; 0 turns it off. */
void alloc_fail_after(unsigned long n);
/* True once the failure asked for has happened: a loop over n ends when it has not. */
bool alloc_has_failed(void);
