/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that runs scripts. It prepares the engine, shuts itself in, and then answers batches on descriptor 3
 * until the other end is closed. Whoever breaks out of the engine finds a process that can compute and answer: nothing
 * else.
 */
#include "base/clock.h"
#include "loop/sandbox.h"
#include "loop/wire.h"
#include "script/worker_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SOCKET 3
#define FILES 16		 /* less than JSC holds, and poll() fails: GLib's watchdog would abort */
#define FLUSH_BYTES (256u << 10) /* answers kept back at most */
#define FLUSH_NS 5000000u	 /* and at most so long, so that the server sees progress */
#define OUT_MAX (64u << 20)	 /* UTF-8 room that the engine asks for is three times the text */
#define CRASH_STACK (64u << 10)

/*
 * Every system call that a worker may make once it is closed. Each row is here because the code named needs it; what is
 * missing kills the process.
 */
/* clang-format off */
static const struct sandbox_call calls[] = {
	/* the conversation: wire_read_frame, wire_write_frame, poll for work */
	{ "read", SANDBOX_ALLOW }, { "write", SANDBOX_ALLOW }, { "readv", SANDBOX_ALLOW }, { "writev", SANDBOX_ALLOW },
	{ "recvfrom", SANDBOX_ALLOW }, { "recvmsg", SANDBOX_ALLOW }, { "sendto", SANDBOX_ALLOW }, { "sendmsg", SANDBOX_ALLOW },
	{ "poll", SANDBOX_ALLOW }, { "ppoll", SANDBOX_ALLOW }, { "close", SANDBOX_ALLOW },
	/* JSC reads /proc/self/statm again and again through a descriptor that it holds; so does our crash handler */
	{ "pread64", SANDBOX_ALLOW },
	/* memory of malloc, libpas, JIT */
	{ "mmap", SANDBOX_ALLOW }, { "munmap", SANDBOX_ALLOW }, { "mremap", SANDBOX_ALLOW }, { "mprotect", SANDBOX_ALLOW },
	{ "madvise", SANDBOX_ALLOW }, { "brk", SANDBOX_ALLOW }, { "membarrier", SANDBOX_ALLOW },
	/* threads of the engine: collector, JIT and scavenger leave after 10 s of rest and come back */
	{ "clone", SANDBOX_THREAD }, { "clone3", SANDBOX_ENOSYS }, { "futex", SANDBOX_ALLOW }, { "rseq", SANDBOX_ALLOW },
	{ "set_robust_list", SANDBOX_ALLOW }, { "gettid", SANDBOX_ALLOW }, { "sched_yield", SANDBOX_ALLOW },
	{ "sched_getaffinity", SANDBOX_ALLOW }, { "sched_setscheduler", SANDBOX_ALLOW }, { "setpriority", SANDBOX_ALLOW },
	{ "prctl", SANDBOX_ARG0, PR_SET_NAME }, { "exit", SANDBOX_ALLOW }, { "exit_group", SANDBOX_ALLOW },
	/* the collector stops threads with tgkill and rt_sigsuspend; abort() */
	{ "tgkill", SANDBOX_ALLOW }, { "rt_sigreturn", SANDBOX_ALLOW }, { "rt_sigprocmask", SANDBOX_ALLOW },
	{ "rt_sigaction", SANDBOX_ALLOW }, { "rt_sigsuspend", SANDBOX_ALLOW }, { "sigaltstack", SANDBOX_ALLOW },
	{ "restart_syscall", SANDBOX_ALLOW }, { "getpid", SANDBOX_ALLOW }, { "getppid", SANDBOX_ALLOW },
	/* time and chance */
	{ "clock_gettime", SANDBOX_ALLOW }, { "clock_nanosleep", SANDBOX_ALLOW }, { "nanosleep", SANDBOX_ALLOW },
	{ "gettimeofday", SANDBOX_ALLOW }, { "getrandom", SANDBOX_ALLOW }, { "getrusage", SANDBOX_ALLOW }, { "sysinfo", SANDBOX_ALLOW },
	/* asked for in good faith by libraries, or by the probe: refused, not killed */
	{ "open", SANDBOX_EPERM }, { "openat", SANDBOX_EPERM }, { "socket", SANDBOX_EPERM }, { "connect", SANDBOX_EPERM },
	{ "execve", SANDBOX_EPERM }, { "fork", SANDBOX_EPERM }, { "vfork", SANDBOX_EPERM }, { "kill", SANDBOX_EPERM },
	{ "ptrace", SANDBOX_EPERM }, { "memfd_create", SANDBOX_EPERM }, { "prlimit64", SANDBOX_EPERM }, { "stat", SANDBOX_EPERM },
	{ "newfstatat", SANDBOX_EPERM }, { "fstat", SANDBOX_EPERM }, { "lseek", SANDBOX_EPERM }, { "readlink", SANDBOX_EPERM },
	{ "access", SANDBOX_EPERM }, { "getdents64", SANDBOX_EPERM }, { "statx", SANDBOX_EPERM }, { "uname", SANDBOX_EPERM },
	{ "ioctl", SANDBOX_EPERM }, { "fcntl", SANDBOX_EPERM }, { "getcwd", SANDBOX_EPERM },
};
/* clang-format on */

struct worker {
	struct realms realms;
	struct buf in, out;
	uint64_t job;
	uint32_t first, pending; /* answers in `out` */
	uint64_t flushed_at;
};

static int statm_fd = -1;
static uint64_t memory_allowed, memory_at_start;

/* ---- dying with a reason ---- */

/* Data pages of this process: the sixth number of statm. */
static uint64_t data_now(void)
{
	char text[128];
	ssize_t n = pread(statm_fd, text, sizeof(text), 0);
	uint64_t pages = 0;
	int field = 0;

	for (ssize_t i = 0; i < n && field < 6; i++) {
		if (text[i] == ' ')
			field++;
		else if (field == 5 && text[i] >= '0' && text[i] <= '9')
			pages = pages * 10 + (uint64_t)(text[i] - '0');
	}
	return pages * 4096;
}

/* The engine aborts in many ways when it gets no memory: the exit code tells those from true crashes. */
static void on_crash(int signum)
{
	if (memory_at_start && data_now() > memory_at_start + memory_allowed / 2)
		_exit(SCRIPT_EXIT_NO_MEMORY);
	(void)signal(signum, SIG_DFL); /* the fault comes again, abort() raises again */
}

/*
 * Before the engine starts: its time limit stops compiled code with faults of its own, and its handlers pass on to ours
 * what they do not know.
 */
static void watch_crashes(void)
{
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT, SIGFPE };
	static char stack[CRASH_STACK];
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction act = { .sa_handler = on_crash, .sa_flags = SA_ONSTACK };

	(void)sigaltstack(&alt, NULL);
	for (size_t i = 0; i < ARRAY_LEN(fatal); i++)
		(void)sigaction(fatal[i], &act, NULL);
}

/* ---- the conversation ---- */

static int say_ready(enum script_error error, unsigned layers, const char *text)
{
	auto_buf struct buf b;

	buf_init(&b, SCRIPT_FRAME_MAX);
	script_put_u8(&b, SCRIPT_READY);
	script_put_u8(&b, (uint8_t)error);
	script_put_u32(&b, layers);
	script_put_text(&b, str_c(text));
	return buf_ok(&b) ? wire_write_frame(SOCKET, buf_str(&b)) : -ERR_NO_MEMORY;
}

/* Of fields in the head of an ANSWERS frame: behind message and job, and behind `first`. */
#define ANSWERS_LAST_AT 9
#define ANSWERS_N_AT 14

static void answers_begin(struct worker *w)
{
	buf_clear(&w->out);
	script_put_u8(&w->out, SCRIPT_ANSWERS);
	script_put_u64(&w->out, w->job);
	script_put_u8(&w->out, false);
	script_put_u32(&w->out, w->first);
	script_put_u32(&w->out, 0);
	w->pending = 0;
}

static bool answers_flush(struct worker *w)
{
	w->flushed_at = clock_mono_ns();
	if (w->pending == 0)
		return true;
	script_patch_u32(&w->out, ANSWERS_N_AT, w->pending);
	if (w->realms.is_spent && buf_ok(&w->out))
		w->out.ptr[ANSWERS_LAST_AT] = true;
	if (!buf_ok(&w->out) || wire_write_frame(SOCKET, buf_str(&w->out)) != 0)
		return false;
	w->first += w->pending;
	answers_begin(w);
	return true;
}

static bool on_batch(struct worker *w, struct script_reader *r)
{
	struct script_batch batch;
	struct script_batch_item item;

	if (!script_read_batch(r, &batch))
		return false;
	w->job = batch.job;
	w->first = batch.first;
	answers_begin(w);
	w->flushed_at = clock_mono_ns();
	struct realm *realm = realms_get(&w->realms, &batch);
	if (!realm)
		return false;
	for (uint32_t i = 0; i < batch.n; i++) {
		if (!script_read_batch_item(r, &item))
			return false;
		/* An answer that might not share a frame with those before it goes alone. */
		if (w->out.len > FLUSH_BYTES && !answers_flush(w))
			return false;
		size_t before = w->out.len;
		realm_run(&w->realms, realm, &item, &w->out);
		w->pending++;
		if (w->realms.is_spent)
			_exit(answers_flush(w) ? 0 : 1);
		if (w->out.len - before > FLUSH_BYTES || batch.is_careful ||
		    clock_mono_ns() - w->flushed_at > FLUSH_NS) {
			if (!answers_flush(w))
				return false;
		}
	}
	return script_reader_is_done(r) && answers_flush(w);
}

static bool on_check(struct worker *w, struct script_reader *r)
{
	w->job = script_read_u64(r);
	w->first = 0;
	uint64_t program = script_read_u64(r);
	answers_begin(w);
	if (!script_reader_is_done(r) || !realms_check(&w->realms, program, &w->out))
		return false;
	w->pending = 1;
	return answers_flush(w);
}

static bool on_frame(struct worker *w, struct str frame)
{
	struct script_reader r = script_reader(frame);

	switch (script_read_u8(&r)) {
	case SCRIPT_PROGRAM:
		return realms_learn(&w->realms, &r);
	case SCRIPT_FORGET:
		realms_forget(&w->realms, script_read_u64(&r));
		return script_reader_is_done(&r);
	case SCRIPT_BATCH:
		return on_batch(w, &r);
	case SCRIPT_CHECK:
		return on_check(w, &r);
	default:
		return false;
	}
}

/* Nothing to read yet: the time is ours. */
static bool is_quiet(void)
{
	struct pollfd p = { .fd = SOCKET, .events = POLLIN };
	return poll(&p, 1, 0) == 0;
}

static int serve(struct worker *w)
{
	for (;;) {
		if (!w->realms.spare && is_quiet())
			realms_prepare(&w->realms);
		int code = wire_read_frame(SOCKET, &w->in);
		if (code <= 0)
			return code == 0 ? 0 : 1;
		if (!on_frame(w, buf_str(&w->in)))
			return 1;
	}
}

/* ---- start ---- */

/* --name=digits, or 0. */
static uint64_t argument(int argc, char **argv, const char *name)
{
	size_t n = strlen(name);
	uint64_t value = 0;

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], name, n) == 0 && argv[i][n] == '=')
			(void)num_parse_u64(str_c(argv[i] + n + 1), &value);
	}
	return value;
}

/* Nothing that the engine prints reaches the server's log, and no terminal is left to write to. */
static int silence(struct err *e)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0 || dup2(fd, 0) < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		return err_errno(e, "cannot open /dev/null");
	if (fd > SOCKET)
		(void)close(fd);
	statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	return statm_fd < 0 ? err_errno(e, "cannot open /proc/self/statm") : 0;
}

static int start(struct worker *w, const struct sandbox *jail, msec_t deadline, unsigned *ret_layers, struct err *e)
{
	const struct sandbox_rules rules = {
		.data_bytes = memory_allowed,
		.files = FILES,
		.calls = calls,
		.n_calls = ARRAY_LEN(calls),
	};
	int code;

	if ((code = jail->begin(ret_layers, e)) != 0 || (code = silence(e)) != 0)
		return code;
	watch_crashes();
	if ((code = jsc_open(e)) != 0)
		return code;
	if ((code = realms_init(&w->realms, deadline, e)) != 0)
		return code;
	memory_at_start = data_now();
	if ((code = jail->close(&rules, ret_layers, e)) != 0)
		return err_wrap(e, "the worker's jail");
	return jail->probe(e);
}

int script_worker_main(int argc, char **argv)
{
	static struct worker w;
	struct err e = ERR_INIT;
	unsigned layers = 0;
	msec_t deadline = (msec_t)argument(argc, argv, "--deadline-ms");

	memory_allowed = argument(argc, argv, "--memory");
	if (memory_allowed == 0)
		memory_allowed = SCRIPT_MEMORY_DEFAULT;
	(void)prctl(PR_SET_NAME, "weir-script");
	buf_init(&w.in, SCRIPT_FRAME_MAX);
	buf_init(&w.out, OUT_MAX);
	if (start(&w, &sandbox_linux, deadline > 0 ? deadline : SCRIPT_DEADLINE_DEFAULT, &layers, &e) != 0) {
		(void)say_ready(SCRIPT_UNAVAILABLE, layers, e.msg);
		return 1;
	}
	if (say_ready(SCRIPT_OK, layers, "") != 0)
		return 1;
	return serve(&w);
}
