/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failmalloc: for LD_PRELOAD. The n-th allocation of a program, counted from main(), fails once with ENOMEM, whoever
 * asks for it: the program, libc (strdup, asprintf, fopen call malloc, too), or any library. Only malloc's family; mmap
 * is left alone.
 *
 *   FAILMALLOC_N=n     which one; 0 or absent = none, count only
 *   FAILMALLOC_LOG=F   F gets one line "fail n BYTES" with the stack of who asked, and at a deadly signal "crash
 * SIGNAL" with its stack; at a regular end "count N" FAILMALLOC_STACKS=F  at a regular end, F gets eight bytes for each
 * allocation, in order: a hash of the stack that asked. Equal hashes are equal places, within one process
 *   FAILMALLOC_ROLE=R  count in processes whose first argument is --role=R; absent: only in those without a role, so
 * that script workers, which inherit the environment, are spared
 *
 * glibc only: it forwards to __libc_malloc and so needs no lookup before main().
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define FRAMES_MAX 48
#define ALIGN_MIN (2 * sizeof(void *))
#define STACKS_MAX 1000000 /* allocations whose stacks are told apart */
#define STACK_FRAMES 14	   /* innermost, that make a place */

typedef int main_fn(int, char **, char **);

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

EXPORT int __libc_start_main(main_fn *fn, int argc, char **argv, void (*init)(void), void (*fini)(void),
			     void (*rtld_fini)(void), void *stack_end);

static _Atomic bool is_counting;
static _Atomic unsigned long counted;
static unsigned long wanted;
static pid_t counting_pid;
static int log_fd = -1;
static int stacks_fd = -1;
static uint64_t stacks[STACKS_MAX];
static main_fn *real_main;
static _Thread_local bool is_telling; /* what telling itself allocates is not counted */

static void tell(const char *text)
{
	if (log_fd >= 0)
		(void)!write(log_fd, text, strlen(text));
}

static void tell_stack(const char *what, unsigned long number, unsigned long more)
{
	void *frames[FRAMES_MAX];
	char line[128];
	is_telling = true;
	(void)snprintf(line, sizeof(line), "%s %lu %lu\n", what, number, more);
	tell(line);
	int n = backtrace(frames, FRAMES_MAX);
	if (log_fd >= 0)
		backtrace_symbols_fd(frames, n, log_fd);
	is_telling = false;
}

static void keep_stack(unsigned long n)
{
	void *frames[STACK_FRAMES];
	uint64_t hash = 0xcbf29ce484222325;
	is_telling = true;
	int depth = backtrace(frames, STACK_FRAMES);
	is_telling = false;
	for (int i = 0; i < depth; i++)
		hash = (hash ^ (uint64_t)(uintptr_t)frames[i]) * 0x100000001b3;
	stacks[n] = hash;
}

/* A child between vfork and exec shares this memory; it is not the process that is tortured. */
static bool fails_now(size_t bytes)
{
	if (!atomic_load_explicit(&is_counting, memory_order_relaxed) || is_telling)
		return false;
	unsigned long before = atomic_fetch_add(&counted, 1);
	if (stacks_fd >= 0 && before < STACKS_MAX)
		keep_stack(before);
	if (before + 1 != wanted || getpid() != counting_pid)
		return false;
	tell_stack("fail", wanted, bytes);
	errno = ENOMEM;
	return true;
}

EXPORT void *malloc(size_t n)
{
	return fails_now(n) ? NULL : __libc_malloc(n);
}

EXPORT void *calloc(size_t count, size_t size)
{
	return fails_now(count * size) ? NULL : __libc_calloc(count, size);
}

/* To nothing, it frees, and that cannot fail. */
EXPORT void *realloc(void *p, size_t n)
{
	return (n || !p) && fails_now(n) ? NULL : __libc_realloc(p, n);
}

EXPORT void *memalign(size_t align, size_t n)
{
	return fails_now(n) ? NULL : __libc_memalign(align, n);
}

EXPORT void *aligned_alloc(size_t align, size_t n)
{
	return memalign(align, n);
}

EXPORT int posix_memalign(void **ret, size_t align, size_t n)
{
	if (align < sizeof(void *) || (align & (align - 1)))
		return EINVAL;
	void *p = memalign(align < ALIGN_MIN ? ALIGN_MIN : align, n);
	if (!p)
		return ENOMEM;
	*ret = p;
	return 0;
}

static void on_deadly(int signum)
{
	atomic_store(&is_counting, false);
	tell_stack("crash", (unsigned long)signum, atomic_load(&counted));
	(void)signal(signum, SIG_DFL);
	(void)raise(signum);
}

static void at_end(void)
{
	char line[64];
	atomic_store(&is_counting, false); /* what libraries free up at exit is not our program */
	(void)snprintf(line, sizeof(line), "count %lu\n", atomic_load(&counted));
	tell(line);
	unsigned long n = atomic_load(&counted);
	if (stacks_fd >= 0)
		(void)!write(stacks_fd, stacks, sizeof(stacks[0]) * (n < STACKS_MAX ? n : STACKS_MAX));
}

static bool is_meant(int argc, char **argv)
{
	static const char flag[] = "--role=";
	const char *role = getenv("FAILMALLOC_ROLE");
	bool has_role = argc > 1 && strncmp(argv[1], flag, sizeof(flag) - 1) == 0;
	return role ? has_role && strcmp(argv[1] + sizeof(flag) - 1, role) == 0 : !has_role;
}

static void arm(void)
{
	static const int deadly[] = { SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS };
	const char *n = getenv("FAILMALLOC_N"), *file = getenv("FAILMALLOC_LOG"), *places = getenv("FAILMALLOC_STACKS");
	void *frames[2];
	wanted = n ? strtoul(n, NULL, 10) : 0;
	if (file && *file)
		log_fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (places && *places)
		stacks_fd = open(places, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	(void)backtrace(frames, 2); /* loads its library now */
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		(void)signal(deadly[i], on_deadly);
	(void)atexit(at_end);
	counting_pid = getpid();
	atomic_store(&is_counting, true);
}

static int counted_main(int argc, char **argv, char **env)
{
	if (is_meant(argc, argv))
		arm();
	return real_main(argc, argv, env);
}

int __libc_start_main(main_fn *fn, int argc, char **argv, void (*init)(void), void (*fini)(void),
		      void (*rtld_fini)(void), void *stack_end)
{
	typedef int start_fn(main_fn *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);
	start_fn *next = (start_fn *)dlsym(RTLD_NEXT, "__libc_start_main");
	real_main = fn;
	return next(counted_main, argc, argv, init, fini, rtld_fini, stack_end);
}
