/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers on their way into a file. What a file is due gets a writer at its first byte; what might go into an item is
 * held in memory up to CALL_BINARY_MAX and spills into a writer beyond. A transfer that ends otherwise leaves nothing.
 */
#include "step/file_sink.h"
#include "base/auto.h"

/* Decided when the head is whole. */
static bool file_wants(struct http_sink *sink, int status, const struct headers *headers)
{
	struct file_sink *f = CONTAINER_OF(sink, struct file_sink, face);
	f->way = call_answer_way(f->spec, status, headers);
	return f->way != CALL_GATHER;
}

static int writer_begin(struct file_sink *f, struct err *e)
{
	f->writer = file_writer_new(f->files, f->face.max_body, e);
	if (!f->writer)
		return e->code;
	int code = file_writer_append(f->writer, buf_str(&f->memory), e);
	buf_done(&f->memory);
	return code;
}

static bool file_take(struct http_sink *sink, struct str bytes, struct err *e)
{
	struct file_sink *f = CONTAINER_OF(sink, struct file_sink, face);
	if (!f->writer && f->way == CALL_SPILL && bytes.len <= CALL_BINARY_MAX - f->memory.len) {
		if (buf_append_str(&f->memory, bytes) == 0)
			return true;
		(void)err_set(e, ERR_NO_MEMORY, "out of memory");
		return false;
	}
	if (!f->writer && writer_begin(f, e) < 0)
		return false;
	return file_writer_append(f->writer, bytes, e) == 0;
}

void file_sink_init(struct file_sink *f, const struct call_spec *spec, const struct call_limits *l, struct files *files)
{
	*f = (struct file_sink){
		.face = { .wants = file_wants,
			  .take = file_take,
			  .max_body = l->max_body ? l->max_body : CALL_FILE_ANSWER_MAX,
			  .total_timeout = l->total_timeout },
		.spec = spec,
		.files = files,
	};
	buf_init(&f->memory, CALL_BINARY_MAX);
}

void file_sink_done(struct file_sink *f)
{
	file_writer_drop(TAKE(f->writer));
	buf_done(&f->memory);
}

/* All of it came. A file for whoever asked for one, even of nothing. */
static int file_keep(struct file_sink *f, char ret_id[static FILE_ID_BYTES], uint64_t *ret_bytes, struct err *e)
{
	if (!f->writer && writer_begin(f, e) < 0)
		return e->code;
	*ret_bytes = file_writer_bytes(f->writer);
	return file_writer_keep(TAKE(f->writer), ret_id, NULL, NULL, e);
}

int file_sink_answer(struct file_sink *f, const struct http_response *r, struct str url, struct secrets *secrets,
		     struct arena *a, struct call_answer *ret, char **ret_body, struct err *e)
{
	struct http_response seen = *r;
	char id[FILE_ID_BYTES] = "";
	uint64_t bytes = 0;
	bool is_whole = f && r->was_sunk && r->error == HTTP_ERROR_NONE;
	if (is_whole && (f->writer || f->way == CALL_TO_FILE)) {
		int code = file_keep(f, id, &bytes, e);
		if (code < 0)
			return code;
	} else if (is_whole) {
		seen.body = &f->memory;
	}
	if (call_answer_from_response(&seen, secrets, a, ret, ret_body) < 0 ||
	    (*id && call_answer_set_file(ret, str_c(id), bytes, url, secrets, a) < 0))
		return err_set(e, ERR_NO_MEMORY, "the answer does not fit in memory");
	return 0;
}
