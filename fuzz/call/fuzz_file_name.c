/* SPDX-License-Identifier: Apache-2.0 */
/* Names of files out of any Content-Disposition and any text: UTF-8, short, no path, nothing that steers. */
#include "call/call.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(struct str name)
{
	if (name.len > 255 || !str_is_utf8(name, NULL) || str_eq_c(name, ".") || str_eq_c(name, ".."))
		abort();
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];
		if (c < 0x20 || c == 0x7f || c == '/' || c == '\\')
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	auto_arena struct arena a = { 0 };
	struct str text = str_from((const char *)bytes, n);
	arena_init(&a, 0);
	struct str name = call_file_name(&a, text), clean = call_file_name_clean(&a, text);
	check(name);
	check(clean);
	if (!str_eq(call_file_name_clean(&a, clean), clean))
		abort();
	return 0;
}
