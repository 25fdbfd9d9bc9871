/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children: vfork and exec with nothing inherited by accident, watched through a pidfd, so that reaping one never
 * touches another part's children and needs no SIGCHLD.
 *
 * uv_spawn is not used: it cannot set PR_SET_PDEATHSIG, and passes on every descriptor that lacks CLOEXEC.
 */
#include "loop/loop_int.h"
#include "base/alloc.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FD 3
#define CHILD_FDS_MAX 16

struct loop_child {
	struct list link;
	struct loop *loop;
	pid_t pid;
	int pidfd;
	struct loop_fd *watch;
	void (*on_exit)(void *arg, int exit_status, int term_signal);
	void *arg;
};

struct launch {
	const char *path;
	char *const *argv;
	char *const *env;
	const int *fds;
	size_t n;
	int null_fd;
	pid_t parent;
	volatile int failure; /* errno of the child before exec: vfork shares our memory */
};

/* Arrange descriptors 0-2 and 3.. and close all others. Two passes, for a source may stand where another one must go.
 */
static int arrange_fds(struct launch *x)
{
	int parked[CHILD_FDS_MAX];

	for (size_t i = 0; i < x->n; i++) {
		parked[i] = fcntl(x->fds[i], F_DUPFD, FIRST_FD + CHILD_FDS_MAX);
		if (parked[i] < 0)
			return -1;
	}
	if (dup2(x->null_fd, 0) < 0 || dup2(x->null_fd, 1) < 0)
		return -1;
	for (size_t i = 0; i < x->n; i++) {
		if (dup2(parked[i], FIRST_FD + (int)i) < 0)
			return -1;
	}
	return (int)syscall(SYS_close_range, FIRST_FD + (unsigned)x->n, ~0u, 0u);
}

static void default_signals(void)
{
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &plain, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

__attribute__((noinline, noreturn)) static void become(struct launch *x)
{
	default_signals();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == x->parent && arrange_fds(x) == 0)
		(void)execve(x->path, x->argv, x->env);
	x->failure = errno ? errno : ECHILD;
	_exit(127);
}

/* vfork, not fork: a server with a large heap must not copy its page tables for each worker. All signals are blocked
 * around it, so that no handler of ours runs in the child on our stack. */
static pid_t launch(struct launch *x)
{
	sigset_t all, before;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = vfork();
	if (pid == 0)
		become(x);
	int error = errno;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return pid;
}

static void child_free(struct loop_child *c)
{
	list_remove(&c->link);
	loop_fd_close(c->watch);
	(void)close(c->pidfd);
	free(c);
}

static void on_pidfd(void *arg, unsigned events)
{
	struct loop_child *c = arg;
	siginfo_t how = { 0 };

	(void)events;
	if (waitid(P_PIDFD, (id_t)c->pidfd, &how, WEXITED | WNOHANG) == 0 ? how.si_pid == 0 : errno == EINTR)
		return; /* not yet; any other failure means that somebody else reaped it */
	void (*on_exit_fn)(void *, int, int) = c->on_exit;
	void *on_exit_arg = c->arg;
	child_free(c);
	if (on_exit_fn)
		on_exit_fn(on_exit_arg, how.si_code == CLD_EXITED ? how.si_status : 0,
			   how.si_code == CLD_EXITED ? 0 : how.si_status);
}

/* Watch a running child; on failure the child is killed and reaped here. */
static int watch(struct loop_child *c, struct err *e)
{
	int code = 0;

	c->pidfd = pidfd_open(c->pid, 0);
	if (c->pidfd < 0)
		code = err_errno(e, "cannot watch child %d", (int)c->pid);
	if (!code) {
		c->watch = loop_fd_open(c->loop, c->pidfd, on_pidfd, c, e);
		if (!c->watch || loop_fd_want(c->watch, LOOP_READ) != 0)
			code = -ERR_IO;
	}
	if (code) {
		(void)kill(c->pid, SIGKILL);
		(void)waitpid(c->pid, NULL, 0);
		loop_fd_close(c->watch);
		if (c->pidfd >= 0)
			(void)close(c->pidfd);
	}
	return code;
}

struct loop_child *loop_child_start(struct loop *l, const char *path, char *const argv[], char *const env[],
				    const int *fds, size_t n,
				    void (*on_exit)(void *arg, int exit_status, int term_signal), void *arg,
				    struct err *e)
{
	struct launch x = { .path = path, .argv = argv, .env = env, .fds = fds, .n = n, .parent = getpid() };

	if (n > CHILD_FDS_MAX) {
		err_set(e, ERR_LIMIT, "a child gets at most %d descriptors", CHILD_FDS_MAX);
		return NULL;
	}
	struct loop_child *c = alloc_calloc(1, sizeof(*c));
	if (!c) {
		err_set(e, ERR_NO_MEMORY, "no memory to start %s", path);
		return NULL;
	}
	*c = (struct loop_child){ .loop = l, .pidfd = -1, .on_exit = on_exit, .arg = arg };
	x.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	c->pid = x.null_fd < 0 ? -1 : launch(&x);
	if (c->pid < 0)
		err_errno(e, "cannot start %s", path);
	if (x.null_fd >= 0)
		(void)close(x.null_fd);
	if (c->pid > 0 && x.failure) {
		(void)waitpid(c->pid, NULL, 0);
		errno = x.failure;
		err_errno(e, "cannot start %s", path);
		c->pid = -1;
	}
	if (c->pid < 0 || watch(c, e) != 0) {
		free(c);
		return NULL;
	}
	list_add_last(&l->children, &c->link);
	return c;
}

int loop_child_pid(const struct loop_child *c)
{
	return c->pid;
}

void loop_child_kill(struct loop_child *c, int signum)
{
	(void)pidfd_send_signal(c->pidfd, signum, NULL, 0);
}

void loop_child_forget(struct loop_child *c)
{
	if (!c)
		return;
	c->on_exit = NULL;
	loop_fd_background(c->watch);
}

void loop_children_drop(struct loop *l)
{
	while (!list_is_empty(&l->children))
		child_free(LIST_ENTRY(l->children.next, struct loop_child, link));
}
