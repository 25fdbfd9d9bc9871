/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate made on the spot by the openssl program, and programs started quietly. */
#pragma once
#include "test.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[32];
static char cert[64], key[64];

static pid_t start(char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);
		(void)dup2(null, 0);
		(void)dup2(null, 1);
		(void)dup2(null, 2);
		(void)execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static bool run(char *const argv[])
{
	int status = -1;

	(void)waitpid(start(argv), &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#define A(text) (char *)(uintptr_t)(text)

static bool make_certificate(const char *name)
{
	char subject[64], alternative[96];

	snprintf(subject, sizeof(subject), "/CN=%s", name);
	snprintf(alternative, sizeof(alternative), "subjectAltName=%s", name);
	return run((char *[]){ A("openssl"), A("req"), A("-x509"), A("-newkey"), A("ec"), A("-pkeyopt"),
			       A("ec_paramgen_curve:P-256"), A("-nodes"), A("-keyout"), key, A("-out"), cert,
			       A("-days"), A("2"), A("-subj"), subject, A("-addext"), alternative, NULL });
}

/* A folder, and in it a key and a certificate for 127.0.0.1; false where openssl is missing: skip. */
static bool make_own_certificate(void)
{
	strcpy(dir, "/tmp/weir-tls-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(cert, sizeof(cert), "%s/cert", dir);
	snprintf(key, sizeof(key), "%s/key", dir);
	return make_certificate("IP:127.0.0.1");
}
