/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as a document: refused with exactly one complaint, or written as YAML and read back as the same. The first byte
 * "J" asks for JSON. */
#include "flow/doc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define EXPECT(fact)                                                                                                   \
	do {                                                                                                           \
		if (!(fact)) {                                                                                         \
			fprintf(stderr, "not true: %s\n", #fact);                                                      \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

static void check_round_trip(const struct doc *d)
{
	struct complaints c;
	struct buf b;
	complaints_init(&c);
	buf_init(&b, DOC_MAX_BYTES);
	if (yaml_write(&b, doc_root(d)) == 0) { /* it may be longer than a document can be */
		struct doc *again = doc_parse("f.yaml", buf_str(&b), &c);
		if (!again || !value_eq(doc_root(d), doc_root(again)))
			fprintf(stderr, "---\n%.*s---\n%.*s\n", STR_ARG(buf_str(&b)),
				STR_ARG(c.n ? c.items[0].text : STR("differs")));
		EXPECT(again && value_eq(doc_root(d), doc_root(again)));
		doc_free(again);
	}
	buf_done(&b);
	complaints_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct complaints c;
	bool is_json = n > 0 && bytes[0] == 'J';
	struct str text = str_from((const char *)bytes + is_json, n - is_json);
	complaints_init(&c);
	struct doc *d = doc_parse(is_json ? "f.json" : "f.yaml", text, &c);
	EXPECT(c.n == (d ? 0 : 1));
	if (d) {
		unsigned line, column;
		EXPECT(doc_place(d, doc_root(d), &line, &column));
		check_round_trip(d);
	} else {
		EXPECT(c.items[0].text.len > 0);
	}
	doc_free(d);
	complaints_done(&c);
	return 0;
}
