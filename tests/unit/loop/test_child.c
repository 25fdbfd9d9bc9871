/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct end {
	int calls, status, signal;
};

static void on_exit_seen(void *arg, int exit_status, int term_signal)
{
	struct end *x = arg;

	x->calls++;
	x->status = exit_status;
	x->signal = term_signal;
}

static struct loop_child *sh(struct loop *l, const char *script, char *const env[], const int *fds, size_t n, struct end *x)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL };
	static char *const empty[] = { NULL };
	struct err e = ERR_INIT;
	struct loop_child *c = loop_child_start(l, "/bin/sh", argv, env ? env : empty, fds, n, on_exit_seen, x, &e);

	if (!c)
		fail_msg("%s", e.msg);
	return c;
}

TEST(exit_status_and_signal_are_told_apart)
{
	struct loop *l = loop_new(NULL);
	struct end a = { 0 }, b = { 0 };

	sh(l, "exit 7", NULL, NULL, 0, &a);
	sh(l, "kill -9 $$", NULL, NULL, 0, &b);
	assert_int_equal(a.calls, 0);
	loop_run(l);
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.status, 7);
	assert_int_equal(a.signal, 0);
	assert_int_equal(b.calls, 1);
	assert_int_equal(b.signal, SIGKILL);
	loop_free(l);
}

TEST(a_child_gets_its_descriptors_and_no_other)
{
	struct loop *l = loop_new(NULL);
	struct end x = { 0 };
	int out[2], in[2];
	char text[512] = { 0 };
	size_t n = 0;
	ssize_t got;

	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(in), 0);
	int leaky = open("/dev/null", O_RDONLY); /* no CLOEXEC: must not get through all the same */
	/* Crossed on purpose: the write end becomes 3, the read end 4. */
	int fds[] = { out[1], in[0] };
	sh(l, "read line <&4; echo \"$line\" >&3; ls /proc/$$/fd | tr '\\n' ' ' >&3; echo \"$V\" >&3",
	   (char *[]){ (char *)"V=42", (char *)"PATH=/bin:/usr/bin", NULL }, fds, 2, &x);
	close(out[1]);
	close(in[0]);
	assert_int_equal(write(in[1], "hello\n", 6), 6);
	close(in[1]);
	loop_run(l);
	while ((got = read(out[0], text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	close(out[0]);
	close(leaky);
	assert_int_equal(x.calls, 1);
	assert_string_equal(text, "hello\n0 1 2 3 4 42\n");
	loop_free(l);
}

TEST(a_program_that_is_not_there_is_an_error_at_once)
{
#ifdef __SANITIZE_THREAD__
	skip(); /* the thread sanitizer makes a fork() of libuv's vfork(), and the failure is told only by the exit */
#endif
	struct loop *l = loop_new(NULL);
	struct end x = { 0 };
	struct err e = ERR_INIT;
	char *const argv[] = { (char *)"nothing", NULL };

	assert_null(loop_child_start(l, "/no/such/program", argv, argv + 1, NULL, 0, on_exit_seen, &x, &e));
	assert_non_null(strstr(e.msg, "/no/such/program"));
	assert_non_null(strstr(e.msg, "No such file"));
	loop_run(l);
	assert_int_equal(x.calls, 0);
	loop_free(l);
}

TEST(a_killed_child_is_reported_and_a_forgotten_one_is_not)
{
	struct loop *l = loop_new(NULL);
	struct end x = { 0 }, y = { 0 };
	struct loop_child *c = sh(l, "exec sleep 1000", NULL, NULL, 0, &x);
	struct loop_child *f = sh(l, "exec sleep 1000", NULL, NULL, 0, &y);
	int forgotten = loop_child_pid(f);

	assert_true(loop_child_pid(c) > 0);
	loop_child_kill(f, SIGKILL);
	loop_child_forget(f);
	loop_child_kill(c, SIGTERM);
	loop_run(l);
	assert_int_equal(x.signal, SIGTERM);
	assert_int_equal(y.calls, 0);
	loop_free(l);
	(void)waitpid(forgotten, NULL, 0); /* reaped by the loop, or by us if it was quicker to end */
}

TEST(reaping_does_not_touch_the_children_of_others)
{
	struct loop *l = loop_new(NULL);
	struct end x = { 0 };
	int status = 0;
	pid_t other = fork();

	if (other == 0)
		_exit(5);
	sh(l, "exit 0", NULL, NULL, 0, &x);
	loop_run(l);
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_int_equal(WEXITSTATUS(status), 5);
	loop_free(l);
}

TEST(a_child_starts_with_default_signals)
{
	struct loop *l = loop_new(NULL);
	struct end x = { 0 };
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	signal(SIGPIPE, SIG_IGN);
	sh(l, "kill -USR1 $$; exit 3", NULL, NULL, 0, &x);
	loop_run(l);
	assert_int_equal(x.signal, SIGUSR1);
	sh(l, "kill -PIPE $$; exit 3", NULL, NULL, 0, &x);
	loop_run(l);
	assert_int_equal(x.signal, SIGPIPE);
	sigprocmask(SIG_UNBLOCK, &usr1, NULL);
	loop_free(l);
}

RUN_TESTS(CLAIM(exit_status_and_signal_are_told_apart), CLAIM(a_child_gets_its_descriptors_and_no_other),
	  CLAIM(a_program_that_is_not_there_is_an_error_at_once), CLAIM(a_killed_child_is_reported_and_a_forgotten_one_is_not),
	  CLAIM(reaping_does_not_touch_the_children_of_others), CLAIM(a_child_starts_with_default_signals))
