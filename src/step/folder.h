/* SPDX-License-Identifier: Apache-2.0 */
/* The store's folder of files, as the call layer wants to see it. */
#pragma once
#include "call/call.h"
#include "store/files.h"

struct folder {
	struct call_files face;
	struct files *files;
};
void folder_init(struct folder *f, struct files *files); /* borrowed */
