/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What server and worker say to each other, inside the frames of loop/wire.h. Little endian, fixed fields. The server
 * checks everything that a worker says and believes nothing: a worker that is not exactly in step is killed.
 *
 *   server -> worker   PROGRAM id kind n {len text NUL}      remember this source
 *                      FORGET  id
 *                      BATCH   head n {number flags len text NUL}
 *                      CHECK   job program                   answered like a batch of one, without a value
 *   worker -> server   READY   error layers text             once, first
 *                      ANSWERS job is_last first n {error line column len text}
 */
#pragma once
#include "base/buf.h"
#include "script/script.h"

#define SCRIPT_FRAME_MAX (SCRIPT_RESULT_MAX + (1u << 20)) /* longest frame, either way */
#define SCRIPT_BATCH_BYTES (256u << 10)			  /* inputs of a frame: as many items as fit, at least one */
#define SCRIPT_DETAIL_MAX 2048				  /* longest message of an error */
#define SCRIPT_SOURCES_MAX 4096				  /* expressions of a program */
#define SCRIPT_SOURCES_BYTES (4u << 20)			  /* all sources of a program */
#define SCRIPT_LINE_MAX (SCRIPT_SOURCE_MAX + 1)

/* Exit code of a worker. */
#define SCRIPT_EXIT_NO_MEMORY 70 /* the engine aborted over its memory limit */

enum script_message {
	SCRIPT_PROGRAM = 1,
	SCRIPT_FORGET,
	SCRIPT_BATCH,
	SCRIPT_CHECK,
	SCRIPT_READY = 65,
	SCRIPT_ANSWERS,
};

/* Reads fields off a frame; once something is missing all reads give zero and is_bad stays set. */
struct script_reader {
	const char *at;
	size_t left;
	bool is_bad;
};
struct script_reader script_reader(struct str frame);
uint8_t script_read_u8(struct script_reader *r);
uint32_t script_read_u32(struct script_reader *r);
uint64_t script_read_u64(struct script_reader *r);
struct str script_read_text(struct script_reader *r);	/* u32 length and bytes */
struct str script_read_c_text(struct script_reader *r); /* the same, followed by a NUL */
static inline bool script_reader_is_done(const struct script_reader *r)
{
	return !r->is_bad && r->left == 0;
}
void script_put_u8(struct buf *b, uint8_t n);
void script_put_u32(struct buf *b, uint32_t n);
void script_put_u64(struct buf *b, uint64_t n);
void script_put_text(struct buf *b, struct str s);
void script_put_c_text(struct buf *b, struct str s);
void script_patch_u32(struct buf *b, size_t at, uint32_t n);

/* Head of a batch. */
struct script_batch {
	uint64_t job, program, realm;
	int64_t now;
	bool is_careful; /* answer after each item, so that a death names its item */
	uint32_t first;	 /* number of the first item within the job */
	uint32_t n;
};
struct script_batch_item {
	uint64_t seed; /* of Math.random, mixed already */
	bool is_exact; /* holds numbers that no double can */
	struct str text;
};
void script_put_batch(struct buf *b, const struct script_batch *batch);
void script_put_batch_item(struct buf *b, uint64_t seed, bool is_exact);   /* the text follows: script_put_c_text() */
bool script_read_batch(struct script_reader *r, struct script_batch *ret); /* after the message byte */
bool script_read_batch_item(struct script_reader *r, struct script_batch_item *ret);

struct script_ready {
	enum script_error error; /* SCRIPT_OK or SCRIPT_UNAVAILABLE */
	uint32_t layers;	 /* enum sandbox_layer */
	struct str text;	 /* why not */
};
bool script_parse_ready(struct str frame, struct script_ready *ret);

struct script_answer {
	enum script_error error;
	uint32_t line, column;
	struct str text; /* JSON, or the message */
};
/* What the server waits for. */
struct script_expected {
	uint64_t job;
	uint32_t first; /* the next item to be answered */
	uint32_t end;	/* one past the last item that was sent */
};
struct script_answers {
	struct script_reader rest; /* on the first answer */
	uint32_t n;
	bool is_last; /* the worker is fit for no more work and ends */
};
/* Check a whole ANSWERS frame against what was asked: NULL when all of it is right, else the complaint for the log. */
const char *script_check_answers(struct str frame, const struct script_expected *x, struct script_answers *ret);
struct script_answer script_read_answer(struct script_reader *r);
