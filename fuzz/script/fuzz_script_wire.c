/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker might say, and what it hears. The first byte chooses: an ANSWERS frame against a fixed expectation, a
 * READY frame, the batch and program parsers of the worker, or a result text against an input (split at the first NUL).
 */
#include "base/json.h"
#include "script/script_int.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void fuzz_answers(struct str frame)
{
	const struct script_expected x = { .job = 7, .first = 2, .end = 40 };
	struct script_answers answers;

	if (script_check_answers(frame, &x, &answers))
		return;
	for (uint32_t i = 0; i < answers.n; i++) {
		struct script_answer a = script_read_answer(&answers.rest);
		if (answers.rest.is_bad || (a.error == SCRIPT_OK && a.text.len > SCRIPT_RESULT_MAX))
			abort();
	}
	if (answers.rest.left != 0 || answers.n > 38)
		abort();
}

static void fuzz_batch(struct str frame)
{
	struct script_reader r = script_reader(frame);
	struct script_batch batch;
	struct script_batch_item item;

	if (!script_read_batch(&r, &batch))
		return;
	for (uint32_t i = 0; i < batch.n; i++) {
		if (!script_read_batch_item(&r, &item))
			return;
		if (item.text.ptr[item.text.len] != 0)
			abort();
	}
}

/* Whatever the worker gives back, the mended value is JSON of the same shape. */
static void fuzz_values(struct str text)
{
	auto_arena struct arena a;
	auto_buf struct buf sent;
	struct str input = str_split(&text, 0);
	struct value in, out;
	uint8_t flags = 0;

	arena_init(&a, 64u << 20);
	buf_init(&sent, 16u << 20);
	if (json_parse(&a, input, NULL, &in, NULL, NULL) != 0 || script_value_write(&sent, &in, &flags) != 0)
		return;
	if (!text.ptr) /* no second text: the worker returns what it was sent */
		text = buf_str(&sent);
	if (script_value_read(&a, text, &in, flags, &out, NULL) != 0)
		return;
	buf_clear(&sent);
	if (json_write(&sent, &out, JSON_COMPACT) != 0)
		abort();
	if (json_parse(&a, buf_str(&sent), NULL, &in, NULL, NULL) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct script_ready ready;

	if (n == 0)
		return 0;
	struct str frame = str_from((const char *)bytes + 1, n - 1);
	switch (bytes[0] % 4) {
	case 0:
		fuzz_answers(frame);
		break;
	case 1:
		(void)script_parse_ready(frame, &ready);
		break;
	case 2:
		fuzz_batch(frame);
		break;
	default:
		fuzz_values(frame);
	}
	return 0;
}
