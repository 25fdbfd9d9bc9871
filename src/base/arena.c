/* SPDX-License-Identifier: Apache-2.0 */
/* Many small allocations, one end. */
#include "base/arena.h"
#include "base/alloc.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define RED_ZONE 16 /* poisoned bytes between neighbours */
/* Blocks go back to the heap at once: its quarantine catches those who come late. */
#define KEPT_BLOCKS 0
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define RED_ZONE 0
#define KEPT_BLOCKS ARENA_FREE_LIST_MAX
#endif

#define ALIGN 16
/* From here on an allocation gets a block of its own, so that the rest of the current one is not lost. */
#define BIG_BYTES (ARENA_BLOCK_BYTES / 4)

struct arena_block {
	struct arena_block *next;
	size_t bytes; /* header included */
};
_Static_assert(sizeof(struct arena_block) == ALIGN, "what follows the header is aligned");

struct free_list {
	struct arena_block *first;
	unsigned count;
};

static _Thread_local struct free_list kept;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* its destructor empties the list of a thread that ends */
static bool has_key;

static void drop_list(void *list)
{
	struct free_list *l = list;
	while (l->first) {
		struct arena_block *b = l->first;
		l->first = b->next;
		free(b);
	}
	l->count = 0;
}

static void make_key(void)
{
	has_key = pthread_key_create(&key, drop_list) == 0;
}

static struct arena_block *block_new(size_t bytes)
{
	struct arena_block *b;
	if (bytes == ARENA_BLOCK_BYTES && kept.first) {
		b = kept.first;
		kept.first = b->next;
		kept.count--;
		return b;
	}
	b = alloc_malloc(bytes);
	if (b)
		b->bytes = bytes;
	return b;
}

static void block_free(struct arena_block *b)
{
	ASAN_UNPOISON_MEMORY_REGION(b, b->bytes);
	if (b->bytes != ARENA_BLOCK_BYTES || kept.count + 1 > KEPT_BLOCKS) {
		free(b);
		return;
	}
	if (kept.count == 0) {
		(void)pthread_once(&key_once, make_key);
		if (!has_key || pthread_setspecific(key, &kept) != 0) {
			free(b);
			return;
		}
	}
	b->next = kept.first;
	kept.first = b;
	kept.count++;
}

void arena_trim(void)
{
	drop_list(&kept);
}

void arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){ .max = max };
}

void arena_done(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *b = a->blocks;
		a->blocks = b->next;
		block_free(b);
	}
	arena_init(a, a->max);
}

static inline size_t rounded(size_t n)
{
	return (n + (ALIGN - 1)) & ~(size_t)(ALIGN - 1);
}

static inline size_t max_of(const struct arena *a)
{
	return a->max ? a->max : ARENA_MAX_DEFAULT;
}

static void *alloc_big(struct arena *a, size_t n, size_t whole)
{
	struct arena_block *b = block_new(sizeof(*b) + whole);
	if (!b)
		return NULL;
	if (a->blocks) { /* behind the newest, which goes on serving the small ones */
		b->next = a->blocks->next;
		a->blocks->next = b;
	} else {
		b->next = NULL;
		a->blocks = b;
	}
	a->used += whole;
	ASAN_POISON_MEMORY_REGION((char *)(b + 1) + n, whole - n);
	return b + 1;
}

static bool add_block(struct arena *a)
{
	struct arena_block *b = block_new(ARENA_BLOCK_BYTES);
	if (!b)
		return false;
	b->next = a->blocks;
	a->blocks = b;
	a->next = (char *)(b + 1);
	a->end = (char *)b + ARENA_BLOCK_BYTES;
	ASAN_POISON_MEMORY_REGION(a->next, (size_t)(a->end - a->next));
	return true;
}

void *arena_alloc(struct arena *a, size_t n)
{
	if (unlikely(n > max_of(a) || a->used > max_of(a) - n))
		return NULL;
	size_t whole = rounded(n ? n : 1) + RED_ZONE;
	if (unlikely(whole > (size_t)(a->end - a->next))) {
		if (whole >= BIG_BYTES)
			return alloc_big(a, n, whole);
		if (!add_block(a))
			return NULL;
	}
	char *p = a->next;
	a->next += whole;
	a->used += whole;
	ASAN_UNPOISON_MEMORY_REGION(p, n);
	return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
	void *p = arena_alloc(a, n);
	if (p)
		memset(p, 0, n);
	return p;
}

struct str arena_str(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.len);
	if (!p)
		return STR_NULL;
	if (s.len)
		memcpy(p, s.ptr, s.len);
	return str_from(p, s.len);
}

char *arena_c(struct arena *a, struct str s)
{
	char *p = s.len < SIZE_MAX ? arena_alloc(a, s.len + 1) : NULL;
	if (!p)
		return NULL;
	if (s.len)
		memcpy(p, s.ptr, s.len);
	p[s.len] = '\0';
	return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *p = n >= 0 ? arena_alloc(a, (size_t)n + 1) : NULL;
	if (!p)
		return NULL;
	va_start(ap, fmt);
	(void)vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

void *arena_grow(struct arena *a, void *p, size_t old_n, size_t new_n)
{
	if (!p)
		return arena_alloc(a, new_n);
	size_t old_whole = rounded(old_n ? old_n : 1) + RED_ZONE;
	bool is_last = (char *)p + old_whole == a->next;
	if (new_n <= old_n && !is_last)
		return p;
	if (is_last && new_n <= max_of(a)) {
		size_t new_whole = rounded(new_n ? new_n : 1) + RED_ZONE;
		size_t used = a->used - old_whole;
		if (new_whole <= (size_t)(a->end - (char *)p) && used <= max_of(a) - new_n) {
			a->next = (char *)p + new_whole;
			a->used = used + new_whole;
			ASAN_POISON_MEMORY_REGION(p, (size_t)(a->end - (char *)p));
			ASAN_UNPOISON_MEMORY_REGION(p, new_n);
			return p;
		}
	}
	void *moved = arena_alloc(a, new_n);
	if (moved)
		memcpy(moved, p, old_n < new_n ? old_n : new_n);
	return moved;
}
