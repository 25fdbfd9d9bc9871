/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a folder of third-party data. */
#pragma once
#include "test.h"
#include <dirent.h>
#include <limits.h>
#include <stdio.h>

typedef void on_file(const char *dir, const char *name);

/* How many files; 0 when the directory is not there. */
static int each_file(const char *folder, char dir[static PATH_MAX], on_file *fn)
{
	int count = 0;
	if (!test_suites())
		return 0;
	snprintf(dir, PATH_MAX, "%s/%s", test_suites(), folder);
	DIR *d = opendir(dir);
	if (!d)
		return 0;
	for (struct dirent *entry; (entry = readdir(d));)
		if (entry->d_name[0] != '.') {
			fn(dir, entry->d_name);
			count++;
		}
	closedir(d);
	return count;
}
