/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target once over every file of the directories named: the corpus as an everyday test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		return -1;
	(void)fseek(f, 0, SEEK_END);
	long size = ftell(f);
	rewind(f);
	/* An allocation of exactly the file's size, so that the sanitizer sees each byte read past the end. */
	uint8_t *bytes = malloc(size > 0 ? (size_t)size : 1);
	size_t got = bytes && size > 0 ? fread(bytes, 1, (size_t)size, f) : 0;
	(void)fclose(f);
	(void)LLVMFuzzerTestOneInput(bytes, got);
	free(bytes);
	return 0;
}

static int run_directory(const char *dir)
{
	DIR *d = opendir(dir);
	if (!d) {
		fprintf(stderr, "corpus %s: cannot open\n", dir);
		return -1;
	}
	int count = 0;
	for (struct dirent *entry; (entry = readdir(d));) {
		char path[4096];
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (run_file(path) == 0)
			count++;
	}
	(void)closedir(d);
	printf("corpus %s: %d files\n", dir, count);
	return count > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
	int failed = argc < 2;
	for (int i = 1; i < argc; i++)
		failed |= run_directory(argv[i]) != 0;
	return failed;
}
