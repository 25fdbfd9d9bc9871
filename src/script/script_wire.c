/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of the frames between server and worker. Nobody's word is taken for a length. */
#include "script/script_wire.h"

struct script_reader script_reader(struct str frame)
{
	return (struct script_reader){ .at = frame.ptr, .left = frame.len };
}

static const unsigned char *take(struct script_reader *r, size_t n)
{
	if (r->is_bad || r->left < n) {
		r->is_bad = true;
		return NULL;
	}
	const unsigned char *p = (const unsigned char *)r->at;
	r->at += n;
	r->left -= n;
	return p;
}

static uint64_t read_uint(struct script_reader *r, unsigned bytes)
{
	const unsigned char *p = take(r, bytes);
	uint64_t n = 0;

	for (unsigned i = 0; p && i < bytes; i++)
		n |= (uint64_t)p[i] << (8 * i);
	return n;
}

uint8_t script_read_u8(struct script_reader *r)
{
	return (uint8_t)read_uint(r, 1);
}

uint32_t script_read_u32(struct script_reader *r)
{
	return (uint32_t)read_uint(r, 4);
}

uint64_t script_read_u64(struct script_reader *r)
{
	return read_uint(r, 8);
}

struct str script_read_text(struct script_reader *r)
{
	size_t n = script_read_u32(r);
	const unsigned char *p = take(r, n);

	return p ? str_from((const char *)p, n) : STR_NULL;
}

struct str script_read_c_text(struct script_reader *r)
{
	struct str s = script_read_text(r);

	if (script_read_u8(r) != 0)
		r->is_bad = true;
	return r->is_bad ? STR_NULL : s;
}

static void put_uint(struct buf *b, uint64_t n, unsigned bytes)
{
	char text[8];

	for (unsigned i = 0; i < bytes; i++)
		text[i] = (char)(n >> (8 * i));
	(void)buf_append(b, text, bytes);
}

void script_put_u8(struct buf *b, uint8_t n)
{
	put_uint(b, n, 1);
}

void script_put_u32(struct buf *b, uint32_t n)
{
	put_uint(b, n, 4);
}

void script_put_u64(struct buf *b, uint64_t n)
{
	put_uint(b, n, 8);
}

void script_put_text(struct buf *b, struct str s)
{
	script_put_u32(b, (uint32_t)s.len);
	(void)buf_append_str(b, s);
}

void script_put_c_text(struct buf *b, struct str s)
{
	script_put_text(b, s);
	script_put_u8(b, 0);
}

void script_patch_u32(struct buf *b, size_t at, uint32_t n)
{
	if (!buf_ok(b) || at + 4 > b->len)
		return;
	for (unsigned i = 0; i < 4; i++)
		b->ptr[at + i] = (char)(n >> (8 * i));
}

void script_put_batch(struct buf *b, const struct script_batch *batch)
{
	script_put_u8(b, SCRIPT_BATCH);
	script_put_u64(b, batch->job);
	script_put_u64(b, batch->program);
	script_put_u64(b, batch->realm);
	script_put_u64(b, (uint64_t)batch->now);
	script_put_u8(b, batch->is_careful);
	script_put_u32(b, batch->first);
	script_put_u32(b, batch->n);
}

void script_put_batch_item(struct buf *b, uint64_t seed, bool is_exact)
{
	script_put_u64(b, seed);
	script_put_u8(b, is_exact);
}

bool script_read_batch(struct script_reader *r, struct script_batch *ret)
{
	ret->job = script_read_u64(r);
	ret->program = script_read_u64(r);
	ret->realm = script_read_u64(r);
	ret->now = (int64_t)script_read_u64(r);
	ret->is_careful = script_read_u8(r);
	ret->first = script_read_u32(r);
	ret->n = script_read_u32(r);
	return !r->is_bad && ret->n >= 1 && ret->n <= SCRIPT_BATCH_MAX;
}

bool script_read_batch_item(struct script_reader *r, struct script_batch_item *ret)
{
	ret->seed = script_read_u64(r);
	ret->is_exact = script_read_u8(r);
	ret->text = script_read_c_text(r);
	return !r->is_bad;
}

bool script_parse_ready(struct str frame, struct script_ready *ret)
{
	struct script_reader r = script_reader(frame);

	if (script_read_u8(&r) != SCRIPT_READY)
		return false;
	uint8_t error = script_read_u8(&r);
	ret->error = error;
	ret->layers = script_read_u32(&r);
	ret->text = script_read_text(&r);
	return script_reader_is_done(&r) && (error == SCRIPT_OK || error == SCRIPT_UNAVAILABLE) &&
	       ret->text.len <= SCRIPT_DETAIL_MAX && str_is_utf8(ret->text, NULL);
}

struct script_answer script_read_answer(struct script_reader *r)
{
	struct script_answer a = { .error = script_read_u8(r) };

	a.line = script_read_u32(r);
	a.column = script_read_u32(r);
	a.text = script_read_text(r);
	return a;
}

static const char *check_answer(const struct script_answer *a)
{
	if (a->error == SCRIPT_OK)
		return a->text.len > SCRIPT_RESULT_MAX ? "a result over the limit" : NULL;
	if ((unsigned)a->error > SCRIPT_BAD_RESULT)
		return "an error that workers do not report";
	if (a->text.len > SCRIPT_DETAIL_MAX || !str_is_utf8(a->text, NULL))
		return "a message over the limit or not in UTF-8";
	if (a->line > SCRIPT_LINE_MAX)
		return "a line that the source does not have";
	return NULL;
}

const char *script_check_answers(struct str frame, const struct script_expected *x, struct script_answers *ret)
{
	struct script_reader r = script_reader(frame);

	if (script_read_u8(&r) != SCRIPT_ANSWERS)
		return "an unknown message";
	uint64_t job = script_read_u64(&r);
	uint8_t is_last = script_read_u8(&r);
	uint32_t first = script_read_u32(&r), n = script_read_u32(&r);
	if (r.is_bad || is_last > 1)
		return "a frame that ends early";
	if (job != x->job)
		return "answers to a job that it does not have";
	if (first != x->first || n == 0 || n > x->end - x->first)
		return "answers that nobody waits for";
	*ret = (struct script_answers){ .rest = r, .n = n, .is_last = is_last };
	for (uint32_t i = 0; i < n; i++) {
		struct script_answer a = script_read_answer(&r);
		const char *complaint = r.is_bad ? "a frame that ends early" : check_answer(&a);
		if (complaint)
			return complaint;
	}
	return script_reader_is_done(&r) ? NULL : "bytes left over";
}
