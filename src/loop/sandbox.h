/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jail that a process shuts itself into: what code inside can still reach when everything above the kernel is
 * broken. begin() comes first, while the process has one thread and files can still be opened; close() last, after
 * everything that the role needs has been read. There is no way back out.
 */
#pragma once
#include "base/err.h"

/* Layers in force, as reported by begin() and close(). Each one alone is meant to hold. */
enum sandbox_layer {
	SANDBOX_NAMESPACES = BIT(0), /* own network, IPC and host name; containers may deny it */
	SANDBOX_UID = BIT(1),	     /* was root, is nobody */
	SANDBOX_LANDLOCK = BIT(2),   /* no file, no TCP, no signal to the outside; kernels before 5.13 lack it */
	SANDBOX_RLIMITS = BIT(3),
	SANDBOX_SECCOMP = BIT(4),
};

/* What becomes of a system call; those not listed kill the process. */
enum sandbox_verdict {
	SANDBOX_ALLOW,
	SANDBOX_EPERM,
	SANDBOX_ENOSYS,
	SANDBOX_THREAD, /* clone: allowed when it makes a thread, else EPERM */
	SANDBOX_ARG0,	/* allowed when the first argument is `arg`, else EPERM */
};

struct sandbox_call {
	const char *name; /* as in the manual; one that this machine does not have is skipped */
	enum sandbox_verdict verdict;
	uint64_t arg;
};

struct sandbox_rules {
	uint64_t data_bytes; /* private memory may grow by this from now */
	unsigned files;	     /* RLIMIT_NOFILE */
	const struct sandbox_call *calls;
	size_t n_calls;
};

/* A kind of jail. Both functions fail only when a layer that must hold cannot be had: the process should exit then. */
struct sandbox {
	const char *name;
	int (*begin)(unsigned *ret_layers, struct err *e);
	int (*close)(const struct sandbox_rules *rules, unsigned *ret_layers, struct err *e);
	/* After close(): try what must not work. -ERR_STATE with the name of the call that worked. */
	int (*probe)(struct err *e);
};

extern const struct sandbox sandbox_linux;
extern const struct sandbox sandbox_none; /* for tests of what is inside the jail */

/* Private memory of this process in bytes, as RLIMIT_DATA counts it; 0 when /proc is not there. */
uint64_t sandbox_data_bytes(void);
/* "namespaces uid landlock rlimits seccomp", as far as set. */
void sandbox_layer_names(unsigned layers, char *ret, size_t n);
