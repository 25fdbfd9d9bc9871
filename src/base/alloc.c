/* SPDX-License-Identifier: Apache-2.0 */
/* malloc with a trap door, closed unless a test opens it. */
#include "base/alloc.h"
#include "base/attr.h"
#include "base/err.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static _Atomic bool is_armed;
static _Atomic unsigned long countdown;
static _Atomic unsigned long failures;

/* Kept out of line: this runs only under torture. */
static __attribute__((noinline)) bool fails_now(void)
{
	if (atomic_fetch_sub(&countdown, 1) != 1)
		return false;
	atomic_store(&is_armed, false);
	return true;
}

static inline bool may_fail(void)
{
	return unlikely(atomic_load_explicit(&is_armed, memory_order_relaxed)) && fails_now();
}

/* Counts what did not come, whether the trap or the system refused it. */
static inline void *counted(void *p)
{
	if (unlikely(!p))
		atomic_fetch_add(&failures, 1);
	return p;
}

void *alloc_malloc(size_t n)
{
	return counted(may_fail() ? NULL : malloc(n));
}

void *alloc_calloc(size_t count, size_t size)
{
	return counted(may_fail() ? NULL : calloc(count, size));
}

void *alloc_realloc(void *p, size_t n)
{
	return counted(may_fail() ? NULL : realloc(p, n));
}

char *alloc_strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = alloc_malloc(n);
	if (copy)
		memcpy(copy, s, n);
	return copy;
}

int alloc_failed(void)
{
	(void)counted(NULL);
	return -ERR_NO_MEMORY;
}

unsigned long alloc_failures(void)
{
	return atomic_load_explicit(&failures, memory_order_relaxed);
}

void alloc_fail_after(unsigned long n)
{
	atomic_store(&countdown, n);
	atomic_store(&is_armed, n > 0);
}

bool alloc_has_failed(void)
{
	return !atomic_load(&is_armed);
}
