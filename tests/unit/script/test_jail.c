/* SPDX-License-Identifier: Apache-2.0 */
/* T2: native code has taken over the engine. This build of the worker gives scripts Math.attack(name), which tries it.
 */
#define WEIR_SCRIPT_ATTACKS
#include "script/worker_realm.c"

#include "loop/sandbox.h"
#include "pool_support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static long call_of(const char *name)
{
	static const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/run/weir.sock" };
	static char bytes[64];
	static const struct {
		const char *name;
		long nr, a, b, c, d;
	} attacks[] = {
		{ "open /etc/passwd", SYS_openat, AT_FDCWD, (long)"/etc/passwd", O_RDONLY, 0 },
		{ "open /proc/self/mem", SYS_openat, AT_FDCWD, (long)"/proc/self/mem", O_RDWR, 0 },
		{ "create", SYS_openat, AT_FDCWD, (long)"/tmp/weir-attack", O_CREAT | O_WRONLY, 0600 },
		{ "openat2", SYS_openat2, AT_FDCWD, (long)"/etc/passwd", (long)bytes, 24 },
		{ "socket inet", SYS_socket, AF_INET, SOCK_STREAM, 0, 0 },
		{ "socket unix", SYS_socket, AF_UNIX, SOCK_STREAM, 0, 0 },
		{ "socket netlink", SYS_socket, AF_NETLINK, SOCK_RAW, 0, 0 },
		{ "socketpair", SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, (long)bytes },
		{ "connect", SYS_connect, 3, (long)&address, sizeof(address), 0 },
		{ "bind", SYS_bind, 3, (long)&address, sizeof(address), 0 },
		{ "fork", SYS_clone, SIGCHLD, 0, 0, 0 },
		{ "clone3", SYS_clone3, (long)bytes, 64, 0, 0 },
		{ "new user namespace", SYS_clone, SIGCHLD | CLONE_NEWUSER, 0, 0, 0 },
		{ "execve", SYS_execve, (long)"/bin/true", 0, 0, 0 },
		{ "execveat", SYS_execveat, AT_FDCWD, (long)"/bin/true", 0, 0 },
		{ "ptrace parent", SYS_ptrace, 16, 0, 0, 0 },
		{ "kill parent", SYS_kill, 0, SIGTERM, 0, 0 },
		{ "pidfd_open parent", SYS_pidfd_open, 0, 0, 0, 0 },
		{ "memfd_create", SYS_memfd_create, (long)"x", 0, 0, 0 },
		{ "mount", SYS_mount, (long)"none", (long)"/tmp", (long)"tmpfs", 0 },
		{ "unshare", SYS_unshare, CLONE_NEWUSER, 0, 0, 0 },
		{ "setns", SYS_setns, 3, 0, 0, 0 },
		{ "chroot", SYS_chroot, (long)"/", 0, 0, 0 },
		{ "io_uring_setup", SYS_io_uring_setup, 8, (long)bytes, 0, 0 },
		{ "userfaultfd", SYS_userfaultfd, 0, 0, 0, 0 },
		{ "bpf", SYS_bpf, 0, (long)bytes, sizeof(bytes), 0 },
		{ "perf_event_open", SYS_perf_event_open, (long)bytes, 0, -1, -1 },
		{ "process_vm_readv", SYS_process_vm_readv, 0, (long)bytes, 1, (long)bytes },
		{ "keyctl", SYS_keyctl, 0, 0, 0, 0 },
		{ "setuid", SYS_setuid, 0, 0, 0, 0 },
		{ "prctl dumpable", SYS_prctl, 4, 1, 0, 0 },
		{ "seccomp", SYS_seccomp, 1, 0, (long)bytes, 0 },
		{ "prlimit", SYS_prlimit64, 0, 2, (long)bytes, 0 },
		{ "shmget", SYS_shmget, 0, 4096, 01600, 0 },
		{ "dup", SYS_dup, 3, 0, 0, 0 },
		{ "unlink", SYS_unlinkat, AT_FDCWD, (long)"/tmp/weir-attack", 0, 0 },
		{ "reboot", SYS_reboot, 0, 0, 0, 0 },
		{ "x32 read", 0x40000000 | SYS_read, 0, (long)bytes, 0, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(attacks); i++) {
		if (strcmp(attacks[i].name, name) != 0)
			continue;
		bool is_parent = strstr(name, "parent") || strstr(name, "process_vm");
		long a = is_parent ? getppid() : attacks[i].a, b = attacks[i].b;
		if (attacks[i].nr == SYS_ptrace) {
			b = a;
			a = attacks[i].a;
		}
		long got = syscall(attacks[i].nr, a, b, attacks[i].c, attacks[i].d, 0, 0);
		return got < 0 ? -errno : got;
	}
	return -ENOENT;
}

static const char *const names[] = {
	"open /etc/passwd",
	"open /proc/self/mem",
	"create",
	"openat2",
	"socket inet",
	"socket unix",
	"socket netlink",
	"socketpair",
	"connect",
	"bind",
	"fork",
	"clone3",
	"new user namespace",
	"execve",
	"execveat",
	"ptrace parent",
	"kill parent",
	"pidfd_open parent",
	"memfd_create",
	"mount",
	"unshare",
	"setns",
	"chroot",
	"io_uring_setup",
	"userfaultfd",
	"bpf",
	"perf_event_open",
	"process_vm_readv",
	"keyctl",
	"setuid",
	"prctl dumpable",
	"seccomp",
	"prlimit",
	"shmget",
	"dup",
	"unlink",
	"reboot",
	"x32 read",
};

long script_attack(const char *name)
{
	return call_of(name);
}

/* Refused inside the process, or the death of the worker: in both cases nothing happened. */
TEST(no_system_call_leads_out_of_the_worker)
{
	struct bench *b = bench_new((struct script_config){ 0 });
	char source[128];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(source, sizeof(source), "item.got = Math.attack('%s')", names[i]);
		bench_run(b, source, "{}");
		bool is_refused = b->got[0].json && (strcmp(b->got[0].json, "{\"got\":-1}") == 0 || /* EPERM */
						     strcmp(b->got[0].json, "{\"got\":-38}") == 0); /* ENOSYS: clone3 */
		bool is_killed = b->got[0].error == SCRIPT_KILLED && strstr(b->got[0].detail, "forbidden system call");
		if (!is_refused && !is_killed)
			fail_msg("%s: %s %s", names[i], b->got[0].detail, b->got[0].json ? b->got[0].json : "");
	}
	assert_gives(b, "item.a = 1", "{}", "{\"a\":1}");
	bench_free(b);
}

TEST(a_killed_worker_costs_its_item_alone)
{
	struct bench *b = bench_new((struct script_config){ 0 });
	const char *json[] = { "{\"n\":0}", "{\"n\":1}", "{\"n\":2}", "{\"n\":3}" };

	bench_run_all(b, SCRIPT_ITEM, "if (item.n === 2) Math.attack('mount'); item.ok = 1", json, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(b->got[i].error, i == 2 ? SCRIPT_KILLED : SCRIPT_OK);
	bench_free(b);
}

TEST(the_hook_of_this_test_is_there)
{
	struct bench *b = bench_new((struct script_config){ 0 });

	assert_gives(b, "item.got = Math.attack('no such attack')", "{}", "{\"got\":-2}");
	bench_free(b);
}

TEST(layers_have_names)
{
	char text[80];

	sandbox_layer_names(SANDBOX_LANDLOCK | SANDBOX_SECCOMP, text, sizeof(text));
	assert_string_equal(text, "landlock seccomp");
	sandbox_layer_names(~0u, text, sizeof(text));
	assert_string_equal(text, "namespaces uid landlock rlimits seccomp");
	sandbox_layer_names(0, text, sizeof(text));
	assert_string_equal(text, "");
}

TEST(a_probe_outside_a_jail_finds_the_leak)
{
	struct err e = ERR_INIT;

	assert_int_equal(sandbox_linux.probe(&e), -ERR_STATE);
	assert_non_null(strstr(e.msg, "openat works"));
}

WORKER_TESTS(CLAIM(no_system_call_leads_out_of_the_worker), CLAIM(a_killed_worker_costs_its_item_alone),
	     CLAIM(the_hook_of_this_test_is_there), CLAIM(layers_have_names),
	     CLAIM(a_probe_outside_a_jail_finds_the_leak))
