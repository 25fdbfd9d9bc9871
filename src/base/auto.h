/* SPDX-License-Identifier: Apache-2.0 */
/* Cleanup attributes: what a scope owns goes when the scope ends; TAKE() hands it over visibly. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void auto_free_p(void *p)
{
	free(*(void **)p);
}

static inline void auto_close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void auto_close_file(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

#define auto_free __attribute__((cleanup(auto_free_p)))
#define auto_fd __attribute__((cleanup(auto_close_fd)))
#define auto_file __attribute__((cleanup(auto_close_file)))

/* The value of `p`, which is NULL afterwards: ownership moved. */
#define TAKE(p)                                                                                                        \
	({                                                                                                             \
		__typeof__(p) taken_ = (p);                                                                            \
		(p) = NULL;                                                                                            \
		taken_;                                                                                                \
	})
