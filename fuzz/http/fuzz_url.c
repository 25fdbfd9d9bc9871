/* SPDX-License-Identifier: Apache-2.0 */
/* URLs: what parses must come back from resolving itself, and what was encoded must decode to itself. Input: base, line
 * feed, reference. */
#include "http/url.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check_coding(struct str s)
{
	for (int set = URL_SET_PATH_SEGMENT; set <= URL_SET_COOKIE; set++) {
		struct buf coded, back;
		buf_init(&coded, 4 * s.len + 1);
		buf_init(&back, s.len + 1);
		demand(url_encode(&coded, s, set) == 0);
		if (set != URL_SET_QUERY_RESERVED && set != URL_SET_COOKIE) {
			demand(url_decode(&back, buf_str(&coded), set == URL_SET_FORM));
			demand(str_eq(buf_str(&back), s));
		}
		buf_done(&coded);
		buf_done(&back);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct str rest = str_from((const char *)bytes, n);
	struct str text = str_split(&rest, '\n');
	struct url base, again;
	struct err e;
	struct buf b;

	check_coding(text);
	buf_init(&b, URL_MAX_BYTES);
	(void)url_decode(&b, text, true);
	buf_clear(&b);
	if (url_parse(text, &base, &e) == 0) {
		demand(base.host.len > 0 && base.port > 0);
		demand(url_resolve(&base, text, &b, &e) == 0 && str_eq(buf_str(&b), text));
		buf_clear(&b);
		if (url_resolve(&base, rest, &b, &e) == 0 && url_parse(buf_str(&b), &again, &e) == 0)
			demand(again.host.len > 0);
	}
	buf_done(&b);
	return 0;
}
