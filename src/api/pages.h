/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded files of ui/dist: a table made at build time (cmake/ui.cmake, scripts/embed_ui.py). */
#pragma once
#include "base/str.h"

struct page_file {
	const char *path;  /* "/assets/x-hash.js", "/index.html" */
	const char *type;  /* media type */
	const unsigned char *plain, *gzip, *br; /* gzip and br may be NULL */
	size_t plain_len, gzip_len, br_len;
};
extern const struct page_file page_files[];
extern const size_t page_files_n;
