/* SPDX-License-Identifier: Apache-2.0 */
/* The one door to libseccomp and Landlock. The order of the steps is measured, not taste; see script/README.md. */
#include "loop/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534

/* ABI 4 brought TCP, ABI 6 the scopes; the header of Debian 12 knows ABI 2. */
struct landlock_attr {
	uint64_t fs, net, scoped;
};
#define LANDLOCK_FS_ABI_1 0x1fffull /* EXECUTE .. MAKE_SYM */
#define LANDLOCK_FS_REFER BIT(13)
#define LANDLOCK_FS_TRUNCATE BIT(14)
#define LANDLOCK_FS_IOCTL BIT(15)
#define LANDLOCK_NET_ALL 3ull	 /* bind and connect TCP */
#define LANDLOCK_SCOPED_ALL 3ull /* abstract unix sockets, signals */

uint64_t sandbox_data_bytes(void)
{
	char line[128];
	unsigned long long kib = 0;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "VmData: %llu kB", &kib) == 1)
			break;
	}
	if (f)
		(void)fclose(f);
	return kib << 10;
}

void sandbox_layer_names(unsigned layers, char *ret, size_t n)
{
	static const char *const names[] = { "namespaces", "uid", "landlock", "rlimits", "seccomp" };
	size_t at = 0;

	ret[0] = 0;
	for (size_t i = 0; i < ARRAY_LEN(names) && at < n; i++) {
		if (layers & BIT(i))
			at += (size_t)snprintf(ret + at, n - at, "%s%s", at ? " " : "", names[i]);
	}
}

/* Root becomes nobody; PDEATHSIG is lost with the change of credentials and set again by the caller. */
static int drop_root(unsigned *layers, struct err *e)
{
	if (geteuid() != 0)
		return 0;
	if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) != 0) {
		/* A container may map root alone. The other layers stand. */
		return geteuid() == 0 ? 0 : err_errno(e, "cannot become nobody");
	}
	*layers |= SANDBOX_UID;
	return 0;
}

static int linux_begin(unsigned *ret_layers, struct err *e)
{
	struct rlimit none = { 0, 0 };
	pid_t parent = getppid();
	int spaces = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

	*ret_layers = 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_errno(e, "cannot give up new privileges");
	if (unshare(geteuid() == 0 ? spaces : spaces | CLONE_NEWUSER) == 0)
		*ret_layers |= SANDBOX_NAMESPACES;
	if (drop_root(ret_layers, e) != 0)
		return e ? e->code : -ERR_IO;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		return err_errno(e, "cannot follow the parent into death");
	if (prctl(PR_SET_DUMPABLE, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
		return err_errno(e, "cannot forbid core dumps");
	return 0;
}

/* A ruleset that handles every right and grants none. */
static bool landlock(void)
{
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1)
		return false;
	struct landlock_attr attr = {
		.fs = LANDLOCK_FS_ABI_1 | (abi >= 2 ? LANDLOCK_FS_REFER : 0) | (abi >= 3 ? LANDLOCK_FS_TRUNCATE : 0) |
		      (abi >= 5 ? LANDLOCK_FS_IOCTL : 0),
		.net = LANDLOCK_NET_ALL,
		.scoped = LANDLOCK_SCOPED_ALL,
	};
	size_t size = abi >= 6 ? sizeof(attr) : abi >= 4 ? offsetof(struct landlock_attr, scoped) : sizeof(attr.fs);
	int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd < 0)
		return false;
	bool is_closed = syscall(SYS_landlock_restrict_self, fd, 0) == 0;
	(void)close(fd);
	return is_closed;
}

static int add_call(scmp_filter_ctx filter, int nr, const struct sandbox_call *c)
{
	static const uint64_t thread[] = { CLONE_VM, CLONE_SIGHAND, CLONE_THREAD };
	uint64_t all = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
	int code = 0;

	switch (c->verdict) {
	case SANDBOX_ALLOW:
		return seccomp_rule_add(filter, SCMP_ACT_ALLOW, nr, 0);
	case SANDBOX_EPERM:
		return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), nr, 0);
	case SANDBOX_ENOSYS:
		return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), nr, 0);
	case SANDBOX_ARG0:
		code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, nr, 1, SCMP_A0(SCMP_CMP_EQ, c->arg));
		return code ? code
			    : seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), nr, 1, SCMP_A0(SCMP_CMP_NE, c->arg));
	case SANDBOX_THREAD:
		code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, nr, 1, SCMP_A0(SCMP_CMP_MASKED_EQ, all, all));
		for (size_t i = 0; i < ARRAY_LEN(thread) && !code; i++)
			code = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), nr, 1,
						SCMP_A0(SCMP_CMP_MASKED_EQ, thread[i], 0));
		return code;
	}
	return -EINVAL;
}

static int install_filter(const struct sandbox_rules *rules, struct err *e)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int code = filter ? 0 : -ENOMEM;
	const char *where = "begin";

	if (!code)
		code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!code) /* x32 and i386 numbers; the default kills the calling thread and leaves the rest hanging */
		code = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!code) /* a binary tree: some 70 calls are listed */
		(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; i < rules->n_calls && !code; i++) {
		int nr = seccomp_syscall_resolve_name(rules->calls[i].name);
		where = rules->calls[i].name;
		if (nr >= 0)
			code = add_call(filter, nr, &rules->calls[i]);
	}
	if (!code) {
		where = "load";
		code = seccomp_load(filter);
	}
	if (filter)
		seccomp_release(filter);
	if (code)
		return err_set(e, ERR_DENIED, "system call filter refused (%s): %s", where, strerror(-code));
	return 0;
}

static int linux_close(const struct sandbox_rules *rules, unsigned *ret_layers, struct err *e)
{
	struct rlimit files = { rules->files, rules->files };
	uint64_t used = sandbox_data_bytes();
	struct rlimit memory = { used + rules->data_bytes, used + rules->data_bytes };

	if (used == 0)
		return err_set(e, ERR_MISSING, "memory cannot be limited: /proc/self/status is not readable");
	if (setrlimit(RLIMIT_DATA, &memory) != 0)
		return err_errno(e, "cannot limit memory");
	if (landlock())
		*ret_layers |= SANDBOX_LANDLOCK;
	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		return err_errno(e, "cannot limit descriptors");
	*ret_layers |= SANDBOX_RLIMITS;
	int code = install_filter(rules, e);
	if (!code)
		*ret_layers |= SANDBOX_SECCOMP;
	return code;
}

/* Calls through syscall(2): what the C library would do before them is of no interest. */
static int linux_probe(struct err *e)
{
	static const struct {
		const char *name;
		long nr, a, b, c, d;
	} forbidden[] = {
		{ "openat", SYS_openat, AT_FDCWD, (long)"/proc/self/status", O_RDONLY, 0 },
		{ "openat of a directory", SYS_openat, AT_FDCWD, (long)"/", O_RDONLY | O_DIRECTORY, 0 },
		{ "socket", SYS_socket, AF_INET, SOCK_STREAM, 0, 0 },
		{ "unix socket", SYS_socket, AF_UNIX, SOCK_STREAM, 0, 0 },
		{ "kill of the parent", SYS_kill, 0, 0, 0, 0 },
		{ "clone of a process", SYS_clone, SIGCHLD, 0, 0, 0 },
		{ "execve", SYS_execve, (long)"/bin/true", 0, 0, 0 },
	};
	pid_t parent = getppid();

	for (size_t i = 0; i < ARRAY_LEN(forbidden); i++) {
		long a = forbidden[i].nr == SYS_kill ? parent : forbidden[i].a;
		long got = syscall(forbidden[i].nr, a, forbidden[i].b, forbidden[i].c, forbidden[i].d, 0);
		if (got == 0 && forbidden[i].nr == SYS_clone)
			_exit(1); /* the child of a jail that leaks */
		if (got >= 0)
			return err_set(e, ERR_STATE, "the jail leaks: %s works inside it", forbidden[i].name);
	}
	return 0;
}

static int none_begin(unsigned *ret_layers, struct err *e)
{
	*ret_layers = 0;
	return 0;
}

static int none_close(const struct sandbox_rules *rules, unsigned *ret_layers, struct err *e)
{
	return 0;
}

static int none_probe(struct err *e)
{
	return 0;
}

const struct sandbox sandbox_linux = {
	.name = "linux",
	.begin = linux_begin,
	.close = linux_close,
	.probe = linux_probe,
};

const struct sandbox sandbox_none = {
	.name = "none",
	.begin = none_begin,
	.close = none_close,
	.probe = none_probe,
};
