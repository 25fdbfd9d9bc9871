/* SPDX-License-Identifier: Apache-2.0 */
#include "step/folder.h"

static struct files *files_of(struct call_files *face)
{
	return CONTAINER_OF(face, struct folder, face)->files;
}

static int folder_size(struct call_files *face, struct str id, uint64_t *ret, struct err *e)
{
	return files_size(files_of(face), id, ret, e);
}

static int folder_open(struct call_files *face, struct str id, int *ret_fd, uint64_t *ret_size, struct err *e)
{
	return files_lend(files_of(face), id, ret_fd, ret_size, e);
}

static void folder_close(struct call_files *face, int fd)
{
	files_give_back(files_of(face), fd);
}

void folder_init(struct folder *f, struct files *files)
{
	*f = (struct folder){ { folder_size, folder_open, folder_close }, files };
}
