/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeds a run: lines from the source go to the ledger first, then become items. Small inputs are on disk as a whole
 * before the first item moves; of large ones only a stretch is in memory, the rest is read back.
 */
#include "run/run_int.h"

#include "base/alloc.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

void feed_init(struct run *r)
{
	struct feed *f = &r->feed;
	list_init(&f->chunks);
	arena_init(&f->rows_arena, 2 * (size_t)ARENA_MAX_DEFAULT); /* a read gives no more than the half */
	f->source_ended = r->config.is_replay || (!r->config.source.read && r->config.resume);
	f->read_items = FEED_READ_ITEMS;
	if (r->config.is_replay) {
		f->next_out = r->config.replay_from;
		f->next_in = f->recorded_to = r->config.replay_to + 1;
	}
}

void feed_resume(struct run *r, uint64_t next_seq, uint64_t from_source)
{
	struct feed *f = &r->feed;
	f->next_in = f->recorded_to = r->row.items_in = next_seq;
	f->skip = from_source;
	if (r->row.input_is_complete)
		f->source_ended = true;
	else if (f->source_ended && !r->row.problem.ptr)
		r->row.problem = STR("the input was not recorded to its end before the run was interrupted: "
				     "give it again with --items");
}

static void chunk_free(struct chunk *c)
{
	list_remove(&c->link);
	free(c->lines);
	free(c);
}

void feed_done(struct run *r)
{
	struct feed *f = &r->feed;
	LIST_FOREACH (node, &f->chunks)
		chunk_free(LIST_ENTRY(node, struct chunk, link));
	free(f->lines);
	f->lines = NULL;
	arena_done(&f->rows_arena);
}

bool feed_is_over(const struct run *r)
{
	const struct feed *f = &r->feed;
	return f->next_out >= f->next_in && (f->source_ended || r->config.is_replay);
}

bool feed_has_recorded(const struct run *r)
{
	return r->feed.next_out < r->feed.recorded_to;
}

static void put_done(void *arg, const struct store_result *result)
{
	struct run *r = arg;
	if (run_enter(r)) {
		r->done_no++;
		if (result->error)
			run_broken(r, result->detail);
		run_schedule(r);
	}
	run_leave(r);
}

static void input_done(void *arg, const struct store_result *result)
{
	struct run *r = arg;
	if (run_enter(r)) {
		r->done_no++;
		if (result->error)
			run_broken(r, result->detail);
		else if (r->config.on_recorded)
			r->config.on_recorded(r->config.arg, r);
		run_schedule(r);
	}
	run_leave(r);
}

static void source_ends(struct run *r)
{
	struct feed *f = &r->feed;
	f->source_ended = true;
	r->row.items_in = f->next_in;
	r->row.input_is_complete = true;
	run_put_state(r, input_done);
}

static bool has_room_for(const struct feed *f, size_t len)
{
	return f->kept_bytes + len <= FEED_KEEP_MAX;
}

/* The lines become a ledger row, and a chunk that keeps them (`lines`, taken over) unless they are NULL. */
static int chunk_add(struct run *r, struct input_row *row, char *lines, store_done *done, void *arg)
{
	struct feed *f = &r->feed;
	struct chunk *c = alloc_calloc(1, sizeof(*c));
	struct err e = ERR_INIT;
	row->run = r->row.id;
	row->first_seq = f->next_in;
	(void)run_next_put(r);
	if (!c)
		err_set(&e, ERR_NO_MEMORY, "out of memory");
	if (!c || store_input_put(r->config.store, row, done, arg, &e) < 0) {
		r->pending_store--;
		r->put_no--;
		free(c);
		free(lines);
		run_broken(r, e.msg);
		return e.code;
	}
	*c = (struct chunk){
		.first_seq = row->first_seq, .count = row->count, .made_by = row->made_by, .put_no = r->put_no
	};
	if (lines) {
		c->lines = lines;
		c->len = row->lines.len;
		f->kept_bytes += c->len;
	}
	list_add_last(&f->chunks, &c->link);
	f->next_in += row->count;
	r->row.items_in = f->next_in;
	return 0;
}

static int source_chunk_add(struct run *r, uint32_t count)
{
	struct input_row row = { .count = count, .lines = buf_str(&r->scratch) };
	bool is_kept = has_room_for(&r->feed, r->scratch.len);
	return chunk_add(r, &row, is_kept ? buf_take(&r->scratch, NULL) : NULL, put_done, r);
}

void feed_make(struct run_item *parent, const struct input_row *row, store_done *done)
{
	struct run *r = parent->run;
	struct input_row mine = *row;
	char *lines = has_room_for(&r->feed, row->lines.len) ? alloc_malloc(row->lines.len + 1) : NULL;
	if (lines)
		memcpy(lines, row->lines.ptr, row->lines.len);
	if (chunk_add(r, &mine, lines, done, parent) < 0)
		parent->pending_step = NULL;
	else
		parent->put_no = r->put_no;
}

static uint32_t skip_recorded(struct run *r, uint32_t count);

/* When the store is full, its answers come first. */
bool feed_may_pump(const struct run *r)
{
	const struct feed *f = &r->feed;
	return !f->source_ended && !f->source_waits && !r->is_broken && !r->is_stopping && !r->is_leaving &&
	       !store_is_full(r->config.store);
}

/* One chunk a call, so that reading input and working on it take turns. */
void feed_pump(struct run *r)
{
	struct feed *f = &r->feed;
	if (!feed_may_pump(r))
		return;
	struct err e = ERR_INIT;
	uint32_t count = 0;
	buf_clear(&r->scratch);
	const struct run_source *source = &r->config.source;
	enum source_verdict v =
	    source->read ? source->read(source->arg, &r->scratch, FEED_CHUNK_BYTES, &count, &e) : SOURCE_END;
	if (!run_is_sound(r)) /* lines that did not fit are no fault of the input */
		return;
	if (v != SOURCE_BAD && !buf_ok(&r->scratch)) {
		v = SOURCE_BAD;
		count = 0;
		err_set(&e, ERR_LIMIT, "the input has a line of more than %u MiB", RUN_LINE_MAX >> 20);
	}
	if (f->skip)
		count = skip_recorded(r, count);
	if (count && source_chunk_add(r, count) < 0)
		return;
	switch (v) {
	case SOURCE_MORE:
		break;
	case SOURCE_LATER:
		f->source_waits = true;
		break;
	case SOURCE_BAD:
		r->row.problem = arena_str(&r->arena, str_c(e.msg));
		log_warn(&r->log, "input cannot be read on error=\"%s\"", e.msg);
		source_ends(r);
		break;
	case SOURCE_END:
		source_ends(r);
		break;
	}
}

void run_source_ready(struct run *r)
{
	r->feed.source_waits = false;
	run_schedule(r);
}

/* The stretch begins at line `skip` of the text. */
static void stretch_set(struct feed *f, char *lines, size_t len, uint32_t skip, uint32_t count)
{
	free(f->lines);
	f->lines = lines;
	f->len = len;
	f->pos = 0;
	for (; skip && f->pos < len; skip--) {
		const char *nl = memchr(lines + f->pos, '\n', len - f->pos);
		f->pos = nl ? (size_t)(nl - lines) + 1 : len;
	}
	f->left = count;
}

static void stretch_ask(struct run *r, uint64_t to_seq);

static int rows_keep(struct feed *f, const struct store_result *result)
{
	arena_done(&f->rows_arena);
	f->n_rows = f->row_pos = 0;
	if (!result->n)
		return 0;
	f->rows = arena_alloc(&f->rows_arena, sizeof(*f->rows) * result->n);
	if (!f->rows)
		return -ERR_NO_MEMORY;
	for (size_t i = 0; i < result->n; i++) {
		f->rows[i] = result->rows[i];
		f->rows[i].head = arena_str(&f->rows_arena, result->rows[i].head);
		f->rows[i].body = arena_str(&f->rows_arena, result->rows[i].body);
		if ((result->rows[i].head.ptr && !f->rows[i].head.ptr) ||
		    (result->rows[i].body.ptr && !f->rows[i].body.ptr))
			return -ERR_NO_MEMORY;
	}
	f->n_rows = result->n;
	return 0;
}

/* Drop the lines at the front of the scratch that were recorded before the interruption. */
static uint32_t skip_recorded(struct run *r, uint32_t count)
{
	struct feed *f = &r->feed;
	size_t at = 0;
	while (f->skip && count) {
		const char *nl = memchr(r->scratch.ptr + at, '\n', r->scratch.len - at);
		at = nl ? (size_t)(nl - r->scratch.ptr) + 1 : r->scratch.len;
		f->skip--;
		count--;
	}
	buf_consume(&r->scratch, at);
	return count;
}

/* Take over the lines from next_out on, as far as their answers were read. */
static int stretch_take(struct run *r, const struct input_row *in, const struct store_result *result)
{
	struct feed *f = &r->feed;
	uint64_t end = in->first_seq + in->count;
	if (f->next_out < in->first_seq || f->next_out >= end)
		return -ERR_STATE;
	char *copy = alloc_malloc(in->lines.len + 1);
	if (!copy || rows_keep(f, result) < 0) {
		free(copy);
		return -ERR_NO_MEMORY;
	}
	memcpy(copy, in->lines.ptr, in->lines.len);
	f->made_by = in->made_by;
	f->put_no = 0;
	if (end > f->read_to + 1)
		end = f->read_to + 1;
	stretch_set(f, copy, in->lines.len, (uint32_t)(f->next_out - in->first_seq), (uint32_t)(end - f->next_out));
	return 0;
}

static void stretch_read(void *arg, const struct store_result *result)
{
	struct run *r = arg;
	struct feed *f = &r->feed;
	if (run_enter(r)) {
		f->is_reading = false;
		const struct input_row *in = result->n_inputs ? &result->inputs[0] : NULL;
		if (result->error == STORE_TOO_LARGE && f->read_to > f->next_out) {
			f->read_items = (f->read_to - f->next_out + 1) / 2;
			stretch_ask(r, f->next_out + f->read_items - 1);
		} else if (result->error) {
			run_broken(r, result->detail);
		} else if (!in && r->config.is_replay) {
			f->next_in = f->recorded_to = f->next_out; /* asked for more than there is */
		} else {
			int rc = in ? stretch_take(r, in, result) : -ERR_STATE;
			if (rc < 0)
				run_broken(r, rc == -ERR_STATE ? "the ledger's input has a gap" : "out of memory");
		}
		run_schedule(r);
	}
	run_leave(r);
}

static void stretch_ask(struct run *r, uint64_t to_seq)
{
	struct feed *f = &r->feed;
	struct err e = ERR_INIT;
	f->is_reading = true;
	f->read_to = to_seq < f->next_in ? to_seq : f->next_in - 1;
	r->pending_store++;
	if (store_ledger_read(r->config.store, r->row.id, f->next_out, f->read_to, stretch_read, r, &e) < 0) {
		r->pending_store--;
		f->is_reading = false;
		run_broken(r, e.msg);
	}
}

/* Get the next stretch: from memory, else from the ledger (then later). True when lines are there. */
static bool stretch_next(struct run *r)
{
	struct feed *f = &r->feed;
	if (f->is_reading || f->next_out >= f->next_in)
		return false;
	if (f->next_out < f->recorded_to) {
		uint64_t to = f->next_out + f->read_items - 1;
		stretch_ask(r, to < f->recorded_to ? to : f->recorded_to - 1);
		return false;
	}
	/* Small inputs are recorded whole before anything is sent. */
	if (!f->source_ended && !f->source_waits && f->kept_bytes < FEED_KEEP_MAX / 2)
		return false;
	if (list_is_empty(&f->chunks))
		return false;
	struct chunk *c = LIST_ENTRY(list_first(&f->chunks), struct chunk, link);
	bool is_here = c->lines != NULL;
	if (is_here) {
		f->kept_bytes -= c->len;
		char *lines = c->lines;
		c->lines = NULL;
		stretch_set(f, lines, c->len, 0, c->count);
		f->made_by = c->made_by;
		f->put_no = c->put_no;
	} else {
		stretch_ask(r, c->first_seq + c->count - 1);
	}
	chunk_free(c);
	return is_here;
}

int run_item_keep_rows(struct run_item *ri, const struct ledger_row *rows, size_t n)
{
	struct ledger_row *copy = n ? arena_alloc(&ri->rows, sizeof(*copy) * (n + 1)) : NULL;
	if (!n)
		return 0;
	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = rows[i];
		copy[i].head = arena_str(&ri->rows, rows[i].head);
		copy[i].body = arena_str(&ri->rows, rows[i].body);
		if ((rows[i].head.ptr && !copy[i].head.ptr) || (rows[i].body.ptr && !copy[i].body.ptr))
			copy = NULL;
	}
	if (!copy)
		return -ERR_NO_MEMORY;
	copy[n] = (struct ledger_row){ .kind = 0 };
	ri->item.recorded = copy;
	return 0;
}

/* The ledger's rows of this item, which come in its order. */
static int attach_recorded(struct run *r, struct run_item *ri)
{
	struct feed *f = &r->feed;
	uint64_t seq = ri->item.seq;
	if (!f->n_rows)
		return 0;
	while (f->row_pos < f->n_rows && f->rows[f->row_pos].key.seq < seq)
		f->row_pos++;
	size_t from = f->row_pos;
	while (f->row_pos < f->n_rows && f->rows[f->row_pos].key.seq == seq)
		f->row_pos++;
	return run_item_keep_rows(ri, &f->rows[from], f->row_pos - from);
}

/*
 * Make the item of one line: of a source its data, of a step that made it the whole item. A line that is no object
 * makes an item that has failed.
 */
static void item_parse(struct run_item *ri, struct str line, bool is_whole)
{
	struct item *it = &ri->item;
	struct err e = ERR_INIT;
	struct value data = VALUE_NONE;
	struct json_options opt = { .max_bytes = RUN_LINE_MAX,
				    .max_depth = VALUE_DEPTH_MAX - !is_whole }; /* it becomes a member */
	struct str own = arena_str(&it->arena, line);
	it->root = value_object();
	int rc =
	    own.ptr ? json_parse(&it->arena, own, &opt, &data, NULL, &e) : err_set(&e, ERR_NO_MEMORY, "out of memory");
	if (rc == 0 && data.kind != VALUE_OBJECT)
		rc = err_set(&e, ERR_INVALID, "an item must be an object, this one is %s", value_kind_name(data.kind));
	if (rc == 0 && is_whole)
		it->root = data;
	else if (rc == 0)
		rc = value_set(&it->arena, &it->root, STR("data"), data);
	if (rc == 0)
		return;
	struct value p = value_object();
	(void)value_set(&it->arena, &p, STR("type"), value_string(STR("invalid_input")));
	(void)value_set(&it->arena, &p, STR("title"), value_string(STR("The input item cannot be read")));
	(void)value_set(&it->arena, &p, STR("detail"), value_string_copy(&it->arena, str_c(e.msg)));
	it->problem = p;
	it->state = ITEM_FAILED;
}

struct item *feed_next(struct run *r, uint32_t *ret_made_by)
{
	struct feed *f = &r->feed;
	if (f->left == 0 && !stretch_next(r))
		return NULL;
	const char *start = f->lines + f->pos;
	const char *nl = memchr(start, '\n', f->len - f->pos);
	size_t n = nl ? (size_t)(nl - start) : f->len - f->pos;
	struct flight *flight = alloc_calloc(1, sizeof(*flight));
	struct run_item *ri = flight ? run_item_new(r, flight, f->next_out) : NULL;
	if (!ri) {
		free(flight);
		run_broken(r, "out of memory");
		return NULL;
	}
	flight->seq = f->next_out;
	flight->put_no = f->put_no;
	list_init(&flight->outputs);
	list_add_last(&r->flights, &flight->link);
	item_parse(ri, str_from(start, n), f->made_by != 0);
	*ret_made_by = f->made_by;
	if (attach_recorded(r, ri) < 0)
		run_broken(r, "out of memory");
	f->pos += nl ? n + 1 : n;
	f->left--;
	f->next_out++;
	return &ri->item;
}
